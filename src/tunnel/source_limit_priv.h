/*
 * source_limit_priv.h - at most one log line a second about each source address, in little memory:
 * addresses share slots, and who meets a slot in use keeps quiet too.
 */
#ifndef TWS_TUNNEL_SOURCE_LIMIT_PRIV_H
#define TWS_TUNNEL_SOURCE_LIMIT_PRIV_H

#include "tws/net/socket.h"

#include <stdbool.h>
#include <stdint.h>

#define TWS_SOURCE_SLOTS 64u

struct tws_source_limit {
    uint64_t until_us[TWS_SOURCE_SLOTS];
};

/* Whether a line about `source` may go out at `now_us`. IPv6 addresses count by their /64, which
 * is one network of one owner. */
bool tws_source_limit_allow(struct tws_source_limit *l, const struct tws_sockaddr *source,
                            uint64_t now_us);

#endif

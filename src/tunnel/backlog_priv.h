/*
 * backlog_priv.h - datagrams, or IP packets, that wait for their channel's turn.
 *
 *      put -> queue -> (CoDel, size, rate) -> pull: copied into the message
 *
 * Bounded in bytes, where the oldest gives way, and in time: a queue that stands is shortened by
 * CoDel (codel.h), and nothing older than TWS_BACKLOG_OLD_MS is sent at all. Times are the loop's.
 */
#ifndef TWS_TUNNEL_BACKLOG_PRIV_H
#define TWS_TUNNEL_BACKLOG_PRIV_H

#include "throttle_priv.h"

#include "tws/base/codel.h"
#include "tws/base/dgramq.h"
#include "tws/mux/session.h"

#define TWS_BACKLOG_OLD_MS 5000u /* what waited longer, as without a link, is of no more use */

struct tws_backlog {
    struct tws_dgramq queue;
    struct tws_codel codel;
    uint64_t dropped; /* too many, too old, or too large */
    size_t too_large; /* bytes of the last one that no message takes; the owner may clear it */
};

/* At most `limit` bytes, 8 for each datagram among them; a power of two from 4096. */
void tws_backlog_init(struct tws_backlog *b, uint32_t limit);
/* Zeroed storage is fine. */
void tws_backlog_fini(struct tws_backlog *b);
/* Copied. */
void tws_backlog_put(struct tws_backlog *b, struct tws_span in, uint64_t now);
bool tws_backlog_empty(const struct tws_backlog *b);

/* Whose rate holds for what is sent; NULL: nobody's. `wait` is resumed when it allows more. */
struct tws_backlog_rate {
    struct tws_throttle *throttle;
    struct tws_waiter *wait;
};

/* Answers a pull of the owner's channel, with the next one that is worth sending. */
void tws_backlog_pull(struct tws_backlog *b, struct tws_session *s, const struct tws_pull *p,
                      struct tws_backlog_rate rate, uint64_t now);

#endif

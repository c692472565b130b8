/*
 * parting_priv.h - the end of a local connection that was told something: last words, then our
 * end, then whatever the peer still sends is thrown away until it closes or has had its time.
 *
 * A plain close() would answer unread bytes with RST, and RST destroys the words on their way.
 */
#ifndef TWS_TUNNEL_PARTING_PRIV_H
#define TWS_TUNNEL_PARTING_PRIV_H

#include "tws/base/bytes.h"
#include "tws/base/list.h"
#include "tws/net/loop.h"

#define TWS_PARTINGS_MAX 1024u /* above it connections are closed at once */

struct tws_partings {
    struct tws_loop *loop;
    struct tws_node list; /* struct parting */
    uint32_t n;
};

void tws_partings_init(struct tws_partings *p, struct tws_loop *loop);
/* Closes what is left. */
void tws_partings_fini(struct tws_partings *p);
/* Takes `fd`, on which nothing watches any more. Words the socket does not take are lost. */
void tws_part(struct tws_partings *all, int fd, struct tws_span words);

#endif

/*
 * parting_priv.h - the end of a local connection whose channel is no more: last words, then our
 * end, then whatever the peer still sends is thrown away until it closes or has had its time.
 *
 * A plain close() would answer unread bytes with RST, and RST destroys the words on their way.
 * Words are an answer (of a proxy), or the rest of a stream that came in full before its session
 * ended, and that the socket did not take in time.
 */
#ifndef TWS_TUNNEL_PARTING_PRIV_H
#define TWS_TUNNEL_PARTING_PRIV_H

#include "tws/base/bytes.h"
#include "tws/base/list.h"
#include "tws/net/loop.h"

#define TWS_PARTINGS_MAX       1024u       /* above it connections are closed at once */
#define TWS_PARTINGS_WORDY_MAX 4096u       /* the same if they still have words to say */
#define TWS_PARTINGS_BYTES_MAX (64u << 20) /* words of all that still wait for their sockets */

struct tws_partings {
    struct tws_loop *loop;
    struct tws_node list; /* struct parting */
    uint32_t n;
    size_t unsaid; /* bytes of words */
};

void tws_partings_init(struct tws_partings *p, struct tws_loop *loop);
/* Closes what is left. */
void tws_partings_fini(struct tws_partings *p);
/* Takes `fd`, on which nothing watches any more. Words the socket does not take are lost. */
void tws_part(struct tws_partings *all, int fd, struct tws_span words);
/*
 * The same for `n` bytes of words from malloc(), which it takes; the socket may be `patience_us`
 * (0: for ever) without taking any. TWS_FULL, TWS_NOMEM: too many wait; all is closed, with RST.
 */
TWS_MUST_USE tws_err tws_part_with(struct tws_partings *all, int fd, uint8_t *words, size_t n,
                                   uint64_t patience_us);

#endif

/*
 * front_priv.h - what stands between a local socket and its channel: bytes of the stream that were
 * read before the channel was there, the answer its protocol is owed, and the end of an HTTP
 * request, behind which nothing more goes to the server that it is for.
 *
 * Only relays of such connections have one.
 */
#ifndef TWS_TUNNEL_FRONT_PRIV_H
#define TWS_TUNNEL_FRONT_PRIV_H

#include "arrival_priv.h"
#include "parting_priv.h"

#include <sys/types.h>

struct tws_front;

struct tws_front_config {
    struct tws_span early;            /* copied */
    const struct tws_reply *reply;    /* NULL: nothing is owed */
    struct tws_partings *partings;    /* needed with `reply` */
    const struct tws_http_body *body; /* of a request: what is to come behind `early`; copied */
};

/* NULL: out of memory. */
struct tws_front *tws_front_new(const struct tws_front_config *cfg);
/* NULL is fine. */
void tws_front_free(struct tws_front *f);

/* Early bytes are left; `f` may be NULL. */
bool tws_front_has_early(const struct tws_front *f);
/* Takes up to `cap` of them: how many. */
ssize_t tws_front_read(struct tws_front *f, void *buf, size_t cap);

/*
 * How many of `n` bytes that came from the socket go on; the rest is nobody's and falls away.
 * False: they break the request's framing. `f` may be NULL.
 */
bool tws_front_admit(struct tws_front *f, const void *bytes, size_t *n);

/* Nothing of the stream may be written yet; `f` may be NULL. */
bool tws_front_owes_answer(const struct tws_front *f);
/* The channel opened: answers. 0, or an errno: the client did not take the answer. */
int tws_front_opened(struct tws_front *f, int fd, struct tws_span bound);
/* It did not: answers and takes the descriptor. */
void tws_front_refused(struct tws_front *f, int fd, uint16_t code, struct tws_span text);

#endif

/*
 * tls_pipe_priv.h - the plain bytes of a TLS connection, as a descriptor of their own.
 *
 *      socket <-> SSL <-> near | plain      (near, plain: a socket pair)
 *
 * So everything behind TLS, the look at a request's head, the decoys, libwebsockets, is as if there
 * were none. It is for the time before the wire, which is short and carries little: at the quiet
 * point tws_tls_pipe_take() hands socket and SSL to the wire, and from then on no byte is copied
 * twice.
 *
 * It ends by itself: when the handshake fails or takes too long, when either side has ended and
 * all is passed on, when nothing moves any more. on_over comes once then, as the last thing.
 */
#ifndef TWS_WS_TLS_PIPE_PRIV_H
#define TWS_WS_TLS_PIPE_PRIV_H

#include "tws/base/err.h"
#include "tws/net/loop.h"

#include <openssl/ssl.h>

struct tws_tls_pipe;

struct tws_tls_pipe_events {
    /* The handshake is done; `plain` (non-blocking) is the callee's. */
    void (*on_ready)(void *arg, int plain);
    /* The pipe is gone; `why` is what failed in the handshake, or NULL. Not after
     * tws_tls_pipe_free(). */
    void (*on_over)(void *arg, const char *why);
};

/*
 * Begins the handshake, as accepting or connecting side by what `ssl` was set to. Owns `ssl` and
 * its descriptor (non-blocking) from now on, also on failure. Nothing is called before this
 * returns. TWS_SYS, TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_tls_pipe_new(struct tws_loop *loop, SSL *ssl, uint64_t handshake_until_us,
                                      const struct tws_tls_pipe_events *ev, void *arg,
                                      struct tws_tls_pipe **out);
/*
 * At the quiet point: passes on what was written to `plain`, then gives away socket and SSL; the
 * pipe is then only to be freed. TWS_SYS: the other side does not take it, or has sent something
 * already.
 */
TWS_MUST_USE tws_err tws_tls_pipe_take(struct tws_tls_pipe *p, int *fd, SSL **ssl);
/* Closes at once what it still owns. NULL is fine. */
void tws_tls_pipe_free(struct tws_tls_pipe *p);

#endif

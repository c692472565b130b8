/*
 * tls_control_priv.h - a bound on what TLS says about itself on a connection: KeyUpdates, tickets,
 * attempts to renegotiate. OpenSSL takes such records within one SSL_read(), as long as there are
 * any, so a stranger who sends them faster than they are taken would have the loop for himself.
 */
#ifndef TWS_WS_TLS_CONTROL_PRIV_H
#define TWS_WS_TLS_CONTROL_PRIV_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* For the connections that are made of `ctx` from now on. One that says too much is as if the peer
 * had ended it. */
void tws_tls_limit_control(SSL_CTX *ctx);
/* Whether that happened. */
bool tws_tls_has_too_much_control(const SSL *ssl);

#endif

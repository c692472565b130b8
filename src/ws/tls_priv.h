/*
 * tls_priv.h - what the client demands of a server's certificate, and what was wrong with it.
 *
 * libwebsockets makes the SSL and drives the handshake; at its start, before a byte is sent, this
 * module sets what libwebsockets has no or a wrong notion of: the trust store, the name or address
 * to verify (it cuts "::1" at the first colon and then verifies nothing), SNI for names only, and
 * a verify callback that forgives nothing (libwebsockets lets certificates from the future pass).
 */
#ifndef TWS_WS_TLS_PRIV_H
#define TWS_WS_TLS_PRIV_H

#include "identity_priv.h"

#include "tws/base/err.h"
#include "tws/ws/pin.h"

#include <openssl/ssl.h>
#include <stdbool.h>

struct tws_ws;
struct tws_tls;
struct tws_upgrade;

/* One per context. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_tls_new(struct tws_ws *ws, struct tws_tls **out);
void tws_tls_free(struct tws_tls *t);
/* For libwebsockets; borrowed. */
SSL_CTX *tws_tls_context(const struct tws_tls *t);
/*
 * Trusted certificates, as the user configured them: `ca_file`, else SSL_CERT_FILE and
 * SSL_CERT_DIR, else where systems keep them. Owned by the caller. NULL: *why says what is wrong.
 */
X509_STORE *tws_tls_store(const char *ca_file, char *why, size_t cap);

/* What a connection demands; lives in its dial. */
struct tws_tls_demand {
    X509_STORE *store; /* NULL: insecure */
    const char *host;  /* what the certificate must be for: a name or IP literal, no brackets */
    const char *sni;   /* to send, if it is a name; NULL: none */
    const struct tws_identity *identity; /* to show when asked; NULL: none */
    bool tls13;                          /* nothing older */
};

/* Whether the server's key, once the handshake is done, is one of `pins`, or there are none. */
bool tws_tls_check_pin(SSL *ssl, const struct tws_pins *pins, char *why, size_t cap);

/* The demand of the connection on descriptor `fd`, NULL if it is none of ours (upgrade_client.c).
 */
struct tws_upgrade *tws_tls_find(struct tws_ws *ws, int fd, struct tws_tls_demand *out);

#endif

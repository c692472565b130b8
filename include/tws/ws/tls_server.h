/*
 * tls_server.h - TLS as a server shows it: certificate, whom it wants a certificate from, versions.
 * For those without a web server in front.
 *
 * TLS 1.2 at least, ALPN http/1.1 only, no renegotiation, no session tickets.
 */
#ifndef TWS_WS_TLS_SERVER_H
#define TWS_WS_TLS_SERVER_H

#include "tws/base/err.h"

#include <stdbool.h>

struct tws_tls_server;

struct tws_tls_files {
    char *cert_file, *cert_key_file; /* as tws_identity_load() takes them */
    char *client_ca_file; /* clients must show a certificate signed by one of these; NULL: none */
    bool tls13;           /* nothing older */
};

#define TWS_TLS_SERVER_WHY 256

/* Reads the files. TWS_CONFIG: `why` (TWS_TLS_SERVER_WHY bytes) says what is wrong; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_tls_server_load(const struct tws_tls_files *files,
                                         struct tws_tls_server **out, char *why);
/* Connections that began with it go on. NULL is fine. */
void tws_tls_server_free(struct tws_tls_server *t);
/* Days until the certificate is over, below 0 when it is. */
int tws_tls_server_days(const struct tws_tls_server *t);

#endif

/* tls_server_priv.h - the server's TLS as OpenSSL has it. */
#ifndef TWS_WS_TLS_SERVER_PRIV_H
#define TWS_WS_TLS_SERVER_PRIV_H

#include "tws/ws/tls_server.h"

#include <openssl/ssl.h>

struct tws_tls_server {
    SSL_CTX *ctx;
    int days;
};

#endif

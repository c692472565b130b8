/* identity_priv.h - an identity as OpenSSL wants it. */
#ifndef TWS_WS_IDENTITY_PRIV_H
#define TWS_WS_IDENTITY_PRIV_H

#include "tws/ws/identity.h"

#include <openssl/ssl.h>

struct tws_identity {
    X509 *cert;
    STACK_OF(X509) * chain; /* may be empty */
    EVP_PKEY *key;
};

#endif

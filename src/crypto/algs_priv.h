/* algs_priv.h - OpenSSL's algorithms, fetched once: a fetch costs more than a short hash. */
#ifndef TWS_CRYPTO_ALGS_PRIV_H
#define TWS_CRYPTO_ALGS_PRIV_H

#include "tws/base/err.h"

#include <openssl/evp.h>

struct tws_algs {
    EVP_MD *sha256;
    EVP_MAC *hmac;
    EVP_CIPHER *aes_256_gcm, *chacha20_poly1305;
};

/* Valid for the life of the process. A member is NULL if OpenSSL does not have it. */
const struct tws_algs *tws_algs(void);

/* Empties this thread's error queue, which OpenSSL's TLS functions would misread as theirs, and
 * returns `err`. */
tws_err tws_openssl_failed(tws_err err);

#endif

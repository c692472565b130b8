/* random.c - see random.h. */
#include "tws/crypto/random.h"

#include "algs_priv.h"

#include <openssl/rand.h>

tws_err tws_random_bytes(void *ctx, void *out, size_t n)
{
    (void)ctx;
    if (RAND_bytes_ex(NULL, out, n, 0) != 1)
        return tws_openssl_failed(TWS_BUG);
    return TWS_OK;
}

/* random.h - unpredictable bytes. Whoever needs some takes a tws_random_fn, so that a test can
 * give known ones. */
#ifndef TWS_CRYPTO_RANDOM_H
#define TWS_CRYPTO_RANDOM_H

#include "tws/base/err.h"

#include <stddef.h>

/* Fills n bytes of `out`. An error means that there are none to be had. */
typedef tws_err tws_random_fn(void *ctx, void *out, size_t n);

/* A tws_random_fn: OpenSSL's generator; `ctx` is not used. TWS_BUG: it is not seeded; without it
 * the process must not go on. */
TWS_MUST_USE tws_err tws_random_bytes(void *ctx, void *out, size_t n);

#endif

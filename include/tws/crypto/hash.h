/*
 * hash.h - SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104) over bytes that lie in several places.
 *
 * Everything hashed here is at hand as a whole when its hash is wanted, so there is no state to
 * carry between calls.
 */
#ifndef TWS_CRYPTO_HASH_H
#define TWS_CRYPTO_HASH_H

#include "tws/base/bytes.h"

#define TWS_HASH_LEN 32

/* SHA-256 of the `n` parts, one behind the other. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_sha256(const struct tws_span *parts, size_t n, uint8_t out[TWS_HASH_LEN]);

/* HMAC-SHA-256 of the `n` parts; a key of any length, also none. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_hmac(struct tws_span key, const struct tws_span *parts, size_t n,
                              uint8_t out[TWS_HASH_LEN]);

#endif

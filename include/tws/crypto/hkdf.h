/* hkdf.h - the two halves of HKDF-SHA-256 (RFC 5869), for outputs of one hash length. */
#ifndef TWS_CRYPTO_HKDF_H
#define TWS_CRYPTO_HKDF_H

#include "tws/crypto/hash.h"

/* HKDF-Extract(salt, ikm), where ikm is `a` and `b` one behind the other (b may be empty).
 * TWS_NOMEM. */
TWS_MUST_USE tws_err tws_hkdf_extract(struct tws_span salt, struct tws_span a, struct tws_span b,
                                      uint8_t out[TWS_HASH_LEN]);

/* HKDF-Expand(prk, info) to TWS_HASH_LEN bytes, where info is the text `label` and `context` (may
 * be empty) behind it. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_hkdf_expand(const uint8_t prk[TWS_HASH_LEN], const char *label,
                                     struct tws_span context, uint8_t out[TWS_HASH_LEN]);

#endif

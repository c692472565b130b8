/* x25519.h - Diffie-Hellman on Curve25519 (RFC 7748). */
#ifndef TWS_CRYPTO_X25519_H
#define TWS_CRYPTO_X25519_H

#include "tws/base/err.h"

#define TWS_X25519_LEN 32

/* The share that belongs to `secret`, any 32 random bytes. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_x25519_share(const uint8_t secret[TWS_X25519_LEN],
                                      uint8_t out[TWS_X25519_LEN]);

/* What both sides get from their secret and the other's share. TWS_E_PROTOCOL: the result is zero,
 * so the peer chose a share of small order (RFC 7748, 6.1). TWS_NOMEM. */
TWS_MUST_USE tws_err tws_x25519(const uint8_t secret[TWS_X25519_LEN],
                                const uint8_t share[TWS_X25519_LEN], uint8_t out[TWS_X25519_LEN]);

#endif

/*
 * passphrase.h - a pre-shared key from what a human can remember (scrypt, RFC 7914: N = 32768,
 * r = 8, p = 1). It takes 32 MiB and a tenth of a second: once at start, never per handshake.
 */
#ifndef TWS_CRYPTO_PASSPHRASE_H
#define TWS_CRYPTO_PASSPHRASE_H

#include "tws/base/bytes.h"

#define TWS_PSK_LEN    32
#define TWS_KEY_ID_LEN 8

/* The salt is "tws/2 passphrase" and the key id, zeros unless one is given. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_passphrase_to_psk(struct tws_span passphrase,
                                           const uint8_t key_id[TWS_KEY_ID_LEN],
                                           uint8_t psk[TWS_PSK_LEN]);

/* Whether a thief who recorded one HELLO could guess the passphrase at home: shorter than 16 bytes
 * or made of few different ones. A long one may still be weak; this cannot know. */
bool tws_passphrase_is_weak(struct tws_span passphrase);

#endif

/*
 * aead.h - sealed records: one message is one AEAD record with empty associated data, whose nonce
 * is four zero bytes and a u64 counter from 0, per link and direction.
 *
 * The key is set once; a record costs no allocation. Records must be opened in the order they were
 * sealed in: the counter is not on the wire.
 */
#ifndef TWS_CRYPTO_AEAD_H
#define TWS_CRYPTO_AEAD_H

#include "tws/base/bytes.h"

#define TWS_AEAD_KEY 32
#define TWS_AEAD_TAG 16

/* The numbers are those of HELLO's suite field; CHALLENGE has bit (suite - 1) for each. */
enum tws_suite { TWS_SUITE_AES_256_GCM = 1, TWS_SUITE_CHACHA20_POLY1305 = 2 };

#define TWS_SUITE_BIT(suite) (1u << ((suite)-1))
#define TWS_SUITES_ALL       3u

enum tws_aead_use { TWS_AEAD_SEAL, TWS_AEAD_OPEN };

/* One direction of one link. */
struct tws_aead {
    struct evp_cipher_ctx_st *cipher; /* NULL before init and after fini */
    uint64_t counter;                 /* records sealed or opened so far */
    enum tws_aead_use use;
};

/* `key` is copied. TWS_NOMEM; TWS_E_PROTOCOL: no such suite. */
TWS_MUST_USE tws_err tws_aead_init(struct tws_aead *a, uint8_t suite,
                                   const uint8_t key[TWS_AEAD_KEY], enum tws_aead_use use);
/* Wipes the key. Zeroed storage is fine. */
void tws_aead_fini(struct tws_aead *a);

/*
 * Seals `in` to `out`, in.n + TWS_AEAD_TAG bytes; `out` is in.p itself or does not overlap it.
 * TWS_BUG: the counter is used up or OpenSSL failed; the record must not be sent.
 */
TWS_MUST_USE tws_err tws_aead_seal(struct tws_aead *a, struct tws_span in, uint8_t *out);

/*
 * Opens the record `in` to `out` and sets *n to in.n - TWS_AEAD_TAG; `out` is in.p itself or does
 * not overlap it. TWS_E_AUTH: too short or not the record that comes next; `out` is zeroed as far
 * as it was written, and the link must be closed.
 */
TWS_MUST_USE tws_err tws_aead_open(struct tws_aead *a, struct tws_span in, uint8_t *out, size_t *n);

#endif

/* passphrase.c - see passphrase.h. */
#include "tws/crypto/passphrase.h"

#include "algs_priv.h"

#include <string.h>

#define SCRYPT_N         32768
#define SCRYPT_R         8
#define SCRYPT_P         1
#define SCRYPT_MAX_BYTES (64u << 20) /* 128 N r and some more */

#define STRONG_BYTES    16
#define STRONG_DISTINCT 8

tws_err tws_passphrase_to_psk(struct tws_span passphrase, const uint8_t key_id[TWS_KEY_ID_LEN],
                              uint8_t psk[TWS_PSK_LEN])
{
    static const char label[] = "tws/2 passphrase";
    uint8_t salt[sizeof label - 1 + TWS_KEY_ID_LEN];

    memcpy(salt, label, sizeof label - 1);
    memcpy(salt + sizeof label - 1, key_id, TWS_KEY_ID_LEN);
    if (EVP_PBE_scrypt((const char *)passphrase.p, passphrase.n, salt, sizeof salt, SCRYPT_N,
                       SCRYPT_R, SCRYPT_P, SCRYPT_MAX_BYTES, psk, TWS_PSK_LEN) != 1)
        return tws_openssl_failed(TWS_NOMEM);
    return TWS_OK;
}

bool tws_passphrase_is_weak(struct tws_span passphrase)
{
    bool seen[256] = {false};
    size_t distinct = 0;

    for (size_t i = 0; i < passphrase.n; i++) {
        distinct += !seen[passphrase.p[i]];
        seen[passphrase.p[i]] = true;
    }
    return passphrase.n < STRONG_BYTES || distinct < STRONG_DISTINCT;
}

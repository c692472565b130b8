/* aead.c - see aead.h. The key schedule is made once; a record only sets the nonce. */
#include "tws/crypto/aead.h"

#include "algs_priv.h"

#include "tws/base/secret.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#define NONCE_LEN 12

static const EVP_CIPHER *cipher_of(uint8_t suite)
{
    switch (suite) {
    case TWS_SUITE_AES_256_GCM:
        return tws_algs()->aes_256_gcm;
    case TWS_SUITE_CHACHA20_POLY1305:
        return tws_algs()->chacha20_poly1305;
    default:
        return NULL;
    }
}

tws_err tws_aead_init(struct tws_aead *a, uint8_t suite, const uint8_t key[TWS_AEAD_KEY],
                      enum tws_aead_use use)
{
    const EVP_CIPHER *cipher = cipher_of(suite);

    *a = (struct tws_aead){.use = use};
    if (cipher == NULL)
        return TWS_E_PROTOCOL;
    a->cipher = EVP_CIPHER_CTX_new();
    if (a->cipher == NULL ||
        EVP_CipherInit_ex2(a->cipher, cipher, key, NULL, use == TWS_AEAD_SEAL, NULL) != 1) {
        tws_aead_fini(a);
        return tws_openssl_failed(TWS_NOMEM);
    }
    return TWS_OK;
}

void tws_aead_fini(struct tws_aead *a)
{
    EVP_CIPHER_CTX_free(a->cipher); /* wipes */
    a->cipher = NULL;
}

static bool set_nonce(struct tws_aead *a)
{
    uint8_t nonce[NONCE_LEN] = {0};

    if (a->counter == UINT64_MAX)
        return false;
    tws_put64(nonce + 4, a->counter);
    return EVP_CipherInit_ex2(a->cipher, NULL, NULL, nonce, -1, NULL) == 1;
}

/* The body of a record, either way. Both suites are stream ciphers: the length stays. */
static bool transform(struct tws_aead *a, struct tws_span in, uint8_t *out)
{
    int len = 0;

    assert(in.n <= INT_MAX);
    if (in.n == 0)
        return true;
    return EVP_CipherUpdate(a->cipher, out, &len, in.p, (int)in.n) == 1 && (size_t)len == in.n;
}

static bool finish(struct tws_aead *a)
{
    uint8_t none[TWS_AEAD_TAG];
    int len = 0;

    return EVP_CipherFinal_ex(a->cipher, none, &len) == 1 && len == 0;
}

tws_err tws_aead_seal(struct tws_aead *a, struct tws_span in, uint8_t *out)
{
    assert(a->use == TWS_AEAD_SEAL);
    if (!set_nonce(a) || !transform(a, in, out) || !finish(a) ||
        EVP_CIPHER_CTX_ctrl(a->cipher, EVP_CTRL_AEAD_GET_TAG, TWS_AEAD_TAG, out + in.n) != 1)
        return tws_openssl_failed(TWS_BUG);
    a->counter++;
    return TWS_OK;
}

tws_err tws_aead_open(struct tws_aead *a, struct tws_span in, uint8_t *out, size_t *n)
{
    uint8_t tag[TWS_AEAD_TAG];

    assert(a->use == TWS_AEAD_OPEN);
    if (in.n < TWS_AEAD_TAG)
        return TWS_E_AUTH;
    struct tws_span body = {in.p, in.n - TWS_AEAD_TAG};
    memcpy(tag, in.p + body.n, TWS_AEAD_TAG);
    if (!set_nonce(a) ||
        EVP_CIPHER_CTX_ctrl(a->cipher, EVP_CTRL_AEAD_SET_TAG, TWS_AEAD_TAG, tag) != 1 ||
        !transform(a, body, out) || !finish(a)) {
        tws_wipe(out, body.n);
        return tws_openssl_failed(TWS_E_AUTH);
    }
    a->counter++;
    *n = body.n;
    return TWS_OK;
}

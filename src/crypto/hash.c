/* hash.c - see hash.h. */
#include "tws/crypto/hash.h"

#include "algs_priv.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

tws_err tws_sha256(const struct tws_span *parts, size_t n, uint8_t out[TWS_HASH_LEN])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestInit_ex2(ctx, tws_algs()->sha256, NULL) == 1;

    for (size_t i = 0; i < n && good; i++)
        good = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    good = good && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? TWS_OK : tws_openssl_failed(TWS_NOMEM);
}

tws_err tws_hmac(struct tws_span key, const struct tws_span *parts, size_t n,
                 uint8_t out[TWS_HASH_LEN])
{
    static char digest[] = "SHA2-256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof digest - 1),
        OSSL_PARAM_construct_end(),
    };
    static const uint8_t none[1] = {0};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(tws_algs()->hmac);
    size_t len = 0;
    bool good = ctx != NULL && EVP_MAC_init(ctx, key.p != NULL ? key.p : none, key.n, params) == 1;

    for (size_t i = 0; i < n && good; i++)
        good = EVP_MAC_update(ctx, parts[i].p, parts[i].n) == 1;
    good = good && EVP_MAC_final(ctx, out, &len, TWS_HASH_LEN) == 1 && len == TWS_HASH_LEN;
    EVP_MAC_CTX_free(ctx);
    return good ? TWS_OK : tws_openssl_failed(TWS_NOMEM);
}

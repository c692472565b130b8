/* x25519.c - see x25519.h. */
#include "tws/crypto/x25519.h"

#include "algs_priv.h"

#include "tws/base/secret.h"

#include <stddef.h>

tws_err tws_x25519_share(const uint8_t secret[TWS_X25519_LEN], uint8_t out[TWS_X25519_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret, TWS_X25519_LEN);
    size_t len = TWS_X25519_LEN;
    bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, out, &len) == 1;

    EVP_PKEY_free(key);
    return good ? TWS_OK : tws_openssl_failed(TWS_NOMEM);
}

/* OpenSSL itself refuses a result of zero, and any other failure came before: what is left of
 * `derive` failing is the peer's fault. */
static tws_err derive(EVP_PKEY_CTX *ctx, uint8_t out[TWS_X25519_LEN])
{
    static const uint8_t zero[TWS_X25519_LEN];
    size_t len = TWS_X25519_LEN;

    if (EVP_PKEY_derive(ctx, out, &len) != 1 || tws_equal_secret(out, zero, TWS_X25519_LEN))
        return TWS_E_PROTOCOL;
    return TWS_OK;
}

tws_err tws_x25519(const uint8_t secret[TWS_X25519_LEN], const uint8_t share[TWS_X25519_LEN],
                   uint8_t out[TWS_X25519_LEN])
{
    EVP_PKEY *ours = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret, TWS_X25519_LEN);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, share, TWS_X25519_LEN);
    EVP_PKEY_CTX *ctx = NULL;
    tws_err err = TWS_NOMEM;

    if (ours == NULL || theirs == NULL)
        goto out;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL);
    if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
        EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) != 1)
        goto out;
    err = derive(ctx, out);

out:
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(ours);
    return err == TWS_OK ? TWS_OK : tws_openssl_failed(err);
}

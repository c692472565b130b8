/* algs.c - see algs_priv.h. */
#include "algs_priv.h"

#include <openssl/err.h>
#include <threads.h>

static struct tws_algs the;
static once_flag fetched = ONCE_FLAG_INIT;

static void fetch(void)
{
    the.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    the.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    the.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    the.chacha20_poly1305 = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    ERR_clear_error();
}

const struct tws_algs *tws_algs(void)
{
    call_once(&fetched, fetch);
    return &the;
}

tws_err tws_openssl_failed(tws_err err)
{
    ERR_clear_error();
    return err;
}

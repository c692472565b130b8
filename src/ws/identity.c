/* identity.c - see identity.h. */
#include "identity_priv.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL would ask on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    *(bool *)arg = true;
    return 0;
}

static BIO *open_file(const char *path, char *why)
{
    BIO *bio;

    ERR_clear_error();
    errno = 0;
    bio = BIO_new_file(path, "r");
    if (bio == NULL)
        (void)snprintf(why, TWS_IDENTITY_WHY, "%s: %s", path,
                       errno != 0 ? strerror(errno) : "cannot be read");
    return bio;
}

/* ---- the certificate and its chain ---- */

static tws_err read_chain(struct tws_identity *id, BIO *bio)
{
    X509 *next;

    while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(id->chain, next) <= 0) {
            X509_free(next);
            return TWS_NOMEM;
        }
    ERR_clear_error();
    return TWS_OK;
}

static tws_err read_certificates(struct tws_identity *id, const char *path, char *why)
{
    BIO *bio = open_file(path, why);
    tws_err err = TWS_CONFIG;

    if (bio == NULL)
        return TWS_CONFIG;
    id->cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (id->cert == NULL)
        (void)snprintf(why, TWS_IDENTITY_WHY, "%s: no certificate in PEM form", path);
    else
        err = read_chain(id, bio);
    BIO_free(bio);
    return err;
}

/* ---- the key ---- */

static tws_err read_key(struct tws_identity *id, const char *path, char *why)
{
    BIO *bio = open_file(path, why);
    bool asked = false;

    if (bio == NULL)
        return TWS_CONFIG;
    id->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    BIO_free(bio);
    ERR_clear_error();
    if (id->key != NULL)
        return TWS_OK;
    (void)snprintf(why, TWS_IDENTITY_WHY, "%s: %s", path,
                   asked ? "the key needs a passphrase; do: openssl pkey -in OLD -out NEW"
                         : "no private key in PEM form");
    return TWS_CONFIG;
}

static tws_err check_pair(const struct tws_identity *id, const char *cert_file,
                          const char *key_file, char *why)
{
    if (X509_check_private_key(id->cert, id->key) == 1)
        return TWS_OK;
    ERR_clear_error();
    (void)snprintf(why, TWS_IDENTITY_WHY, "the key in %s is not that of the certificate in %s",
                   key_file, cert_file);
    return TWS_CONFIG;
}

/* ---- life ---- */

tws_err tws_identity_load(const char *cert_file, const char *key_file, struct tws_identity **out,
                          char *why)
{
    struct tws_identity *id = calloc(1, sizeof(*id));
    tws_err err = TWS_NOMEM;

    if (key_file == NULL)
        key_file = cert_file;
    if (id != NULL)
        id->chain = sk_X509_new_null();
    if (id != NULL && id->chain != NULL)
        err = read_certificates(id, cert_file, why);
    if (err == TWS_OK)
        err = read_key(id, key_file, why);
    if (err == TWS_OK)
        err = check_pair(id, cert_file, key_file, why);
    if (err == TWS_OK)
        *out = id;
    else
        tws_identity_free(id);
    return err;
}

void tws_identity_free(struct tws_identity *id)
{
    if (id == NULL)
        return;
    X509_free(id->cert);
    sk_X509_pop_free(id->chain, X509_free);
    EVP_PKEY_free(id->key);
    free(id);
}

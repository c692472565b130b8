/* tls_server.c - see tls_server.h. */
#include "identity_priv.h"
#include "tls_control_priv.h"
#include "tls_server_priv.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char alpn[] = "\010http/1.1";

/* A client that offers protocols must offer ours; one that offers none is taken at its word. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                   const unsigned char *in, unsigned inlen, void *arg)
{
    (void)ssl;
    (void)arg;
    for (unsigned i = 0; i < inlen; i += in[i] + 1u)
        if (in[i] == alpn[0] && i + in[i] < inlen && memcmp(in + i, alpn, sizeof(alpn) - 1) == 0) {
            *out = in + i + 1;
            *outlen = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static tws_err set_identity(struct tws_tls_server *t, const struct tws_tls_files *files, char *why)
{
    struct tws_identity *id = NULL;
    tws_err err = tws_identity_load(files->cert_file, files->cert_key_file, &id, why);
    int seconds = 0;

    if (err != TWS_OK)
        return err;
    if (SSL_CTX_use_cert_and_key(t->ctx, id->cert, id->key, id->chain, 1) != 1) {
        (void)snprintf(why, TWS_TLS_SERVER_WHY, "%s: %s", files->cert_file,
                       ERR_reason_error_string(ERR_peek_last_error()));
        ERR_clear_error();
        err = TWS_CONFIG;
    }
    if (ASN1_TIME_diff(&t->days, &seconds, NULL, X509_get0_notAfter(id->cert)) == 1 && seconds < 0)
        t->days--;
    tws_identity_free(id);
    return err;
}

static tws_err set_clients(struct tws_tls_server *t, const char *path, char *why)
{
    STACK_OF(X509_NAME) *names = path != NULL ? SSL_load_client_CA_file(path) : NULL;

    if (path == NULL)
        return TWS_OK;
    if (names == NULL || SSL_CTX_load_verify_file(t->ctx, path) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        ERR_clear_error();
        (void)snprintf(why, TWS_TLS_SERVER_WHY, "client_ca_file %s: no certificates in PEM form",
                       path);
        return TWS_CONFIG;
    }
    SSL_CTX_set_client_CA_list(t->ctx, names); /* takes them */
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return TWS_OK;
}

/* False: out of memory. */
static bool set_rules(SSL_CTX *ctx, bool tls13)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    tws_tls_limit_control(ctx);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
           SSL_CTX_set_min_proto_version(ctx, tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1;
}

tws_err tws_tls_server_load(const struct tws_tls_files *files, struct tws_tls_server **out,
                            char *why)
{
    struct tws_tls_server *t = calloc(1, sizeof(*t));
    tws_err err = TWS_NOMEM;

    if (t == NULL)
        return TWS_NOMEM;
    t->ctx = SSL_CTX_new(TLS_server_method());
    if (t->ctx != NULL && set_rules(t->ctx, files->tls13))
        err = set_identity(t, files, why);
    if (err == TWS_OK)
        err = set_clients(t, files->client_ca_file, why);
    if (err == TWS_OK)
        *out = t;
    else
        tws_tls_server_free(t);
    return err;
}

void tws_tls_server_free(struct tws_tls_server *t)
{
    if (t == NULL)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

int tws_tls_server_days(const struct tws_tls_server *t)
{
    return t->days;
}

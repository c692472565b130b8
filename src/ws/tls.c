/*
 * tls.c - see tls_priv.h.
 *
 * If the connection behind an SSL is not found, libwebsockets' own callback and an empty store
 * stay in force, which accept nothing.
 */
#include "advice_priv.h"
#include "lws_priv.h"
#include "tls_control_priv.h"
#include "tls_priv.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tws_tls {
    SSL_CTX *ctx;
};

static int upgrade_index = -1; /* of ex data: the struct tws_upgrade of an SSL */
static int ws_index = -1;      /* the struct tws_ws of an SSL_CTX */

/* ---- the store ---- */

static const char *const files[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch, Gentoo */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL 6 */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL 7 and later */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine, BSDs, macOS */
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",  /* Arch */
};

static const char *const dirs[] = {
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
};

static bool exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

static bool load_file(X509_STORE *store, const char *path)
{
    return X509_STORE_load_file(store, path) == 1;
}

static bool load_system(X509_STORE *store)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (exists(files[i]) && load_file(store, files[i]))
            return true;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        if (exists(dirs[i]) && X509_STORE_load_path(store, dirs[i]) == 1)
            return true;
    return false;
}

/* SSL_CERT_FILE and SSL_CERT_DIR; false if neither is set. */
static bool load_environment(X509_STORE *store, bool *good, char *why, size_t cap)
{
    const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
    bool have_file = file != NULL && *file != '\0', have_dir = dir != NULL && *dir != '\0';

    if (!have_file && !have_dir)
        return false;
    *good = true;
    if (have_file && !load_file(store, file)) {
        (void)snprintf(why, cap, "no certificates in SSL_CERT_FILE %s", file);
        *good = have_dir;
    }
    if (have_dir)
        (void)X509_STORE_load_path(store, dir);
    return true;
}

X509_STORE *tws_tls_store(const char *ca_file, char *why, size_t cap)
{
    X509_STORE *store = X509_STORE_new();
    bool good = false;

    if (store == NULL) {
        (void)snprintf(why, cap, "out of memory");
        return NULL;
    }
    ERR_clear_error();
    if (ca_file != NULL) {
        good = load_file(store, ca_file);
        if (!good)
            (void)snprintf(why, cap, "no certificates in ca_file %s", ca_file);
    } else if (!load_environment(store, &good, why, cap)) {
        good = load_system(store);
        if (!good)
            (void)snprintf(why, cap, "no certificate store found: set ca_file or SSL_CERT_FILE");
    }
    ERR_clear_error();
    if (good)
        return store;
    X509_STORE_free(store);
    return NULL;
}

/* ---- verification ---- */

static void append(char *out, size_t cap, const char *text, size_t n)
{
    size_t len = strlen(out);

    if (len + n + 3 > cap)
        return;
    if (len > 0 && out[len - 1] != ' ') {
        out[len++] = ',';
        out[len++] = ' ';
    }
    for (size_t i = 0; i < n; i++) /* nothing a stranger wrote goes into the log as it is */
        out[len + i] = text[i] > ' ' && text[i] < 127 ? text[i] : '?';
    out[len + n] = '\0';
}

static void append_ip(char *out, size_t cap, const ASN1_OCTET_STRING *ip)
{
    struct tws_ip v = {.family = ip->length == 4 ? 4 : 6};
    char text[TWS_IP_TEXT];

    if (ip->length != 4 && ip->length != 16)
        return;
    memcpy(v.bytes, ip->data, (size_t)ip->length);
    tws_ip_format(&v, text, sizeof(text));
    append(out, cap, text, strlen(text));
}

/* The names and addresses a certificate is for, to show beside the one that was wanted. */
static void append_names(char *out, size_t cap, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

        if (n->type == GEN_DNS)
            append(out, cap, (const char *)n->d.dNSName->data, (size_t)n->d.dNSName->length);
        else if (n->type == GEN_IPADD)
            append_ip(out, cap, n->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
}

static void note(struct tws_upgrade *u, X509_STORE_CTX *ctx, const char *host)
{
    int err = X509_STORE_CTX_get_error(ctx);
    X509 *cert = X509_STORE_CTX_get_current_cert(ctx);

    if (err != X509_V_ERR_HOSTNAME_MISMATCH && err != X509_V_ERR_IP_ADDRESS_MISMATCH) {
        (void)snprintf(u->tls_why, sizeof(u->tls_why), "certificate: %s%s",
                       X509_verify_cert_error_string(err), tws_advice_certificate(err));
        return;
    }
    (void)snprintf(u->tls_why, sizeof(u->tls_why), "certificate is not for %s but for ", host);
    if (cert != NULL)
        append_names(u->tls_why, sizeof(u->tls_why), cert);
}

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tws_upgrade *u = SSL_get_ex_data(ssl, upgrade_index);
    struct tws_tls_demand demand;

    if (u == NULL || tws_tls_find(u->ws, SSL_get_fd(ssl), &demand) != u)
        return 0;
    if (demand.store == NULL) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    }
    if (!ok)
        note(u, ctx, demand.host);
    return ok;
}

/* NULL: no SNI. The macro for it casts const away. */
static bool set_sni(SSL *ssl, const char *name)
{
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)name) == 1;
}

static bool set_peer(SSL *ssl, const struct tws_tls_demand *demand)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    struct tws_ip ip;

    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (!set_sni(ssl, demand->sni != NULL && tws_ip_parse(demand->sni, &ip) != TWS_OK ? demand->sni
                                                                                      : NULL))
        return false;
    if (tws_ip_parse(demand->host, &ip) == TWS_OK)
        return X509_VERIFY_PARAM_set1_host(param, NULL, 0) == 1 &&
               X509_VERIFY_PARAM_set1_ip(param, ip.bytes, ip.family == 4 ? 4 : 16) == 1;
    return X509_VERIFY_PARAM_set1_host(param, demand->host, 0) == 1;
}

static bool set_own(SSL *ssl, const struct tws_tls_demand *demand)
{
    const struct tws_identity *id = demand->identity;

    return (!demand->tls13 || SSL_set_min_proto_version(ssl, TLS1_3_VERSION) == 1) &&
           (id == NULL || SSL_use_cert_and_key(ssl, id->cert, id->key, id->chain, 1) == 1);
}

bool tws_tls_check_pin(SSL *ssl, const struct tws_pins *pins, char *why, size_t cap)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    uint8_t pin[EVP_MAX_MD_SIZE];
    char text[TWS_PIN_TEXT];
    unsigned n = sizeof(pin);

    if (pins->n == 0)
        return true;
    /* Of the key with its algorithm, SubjectPublicKeyInfo, not of the bare bits. */
    unsigned char *spki = NULL;
    int len = cert != NULL ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki) : 0;
    bool good = len > 0 && EVP_Digest(spki, (size_t)len, pin, &n, EVP_sha256(), NULL) == 1;
    OPENSSL_free(spki);
    if (good && tws_pins_have(pins, pin))
        return true;
    if (good)
        tws_pin_format(pin, text);
    (void)snprintf(why, cap,
                   "the server's key is %s, which is not pinned; another key, or another "
                   "server",
                   good ? text : "unreadable");
    return false;
}

/* What ends a handshake: the peer's alert, or our own error. */
static bool note_failure(struct tws_upgrade *u, int where, int ret)
{
    unsigned long e = ERR_peek_last_error();

    if (u == NULL || u->tls_why[0] != '\0')
        return u != NULL;
    if (where == SSL_CB_READ_ALERT && ret >> 8 == SSL3_AL_FATAL)
        (void)snprintf(u->tls_why, sizeof(u->tls_why), "the server answers: %s%s",
                       tws_advice_alert_name(ret & 0xff), tws_advice_alert(ret & 0xff));
    else if (where == SSL_CB_CONNECT_EXIT && ret <= 0 && e != 0 &&
             ERR_GET_REASON(e) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        (void)snprintf(u->tls_why, sizeof(u->tls_why), "%s%s", ERR_reason_error_string(e),
                       tws_advice_tls(ERR_GET_REASON(e)));
    return true;
}

static void on_info(const SSL *cssl, int where, int ret)
{
    SSL *ssl = (SSL *)(uintptr_t)cssl;
    struct tws_ws *ws;
    struct tws_tls_demand demand;
    struct tws_upgrade *u;

    if (note_failure(SSL_get_ex_data(ssl, upgrade_index), where, ret))
        return;
    if ((where & SSL_CB_HANDSHAKE_START) == 0 || SSL_get_ex_data(ssl, upgrade_index) != NULL)
        return;
    ws = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ws_index);
    u = tws_tls_find(ws, SSL_get_fd(ssl), &demand);
    if (u == NULL || !set_peer(ssl, &demand) || !set_own(ssl, &demand))
        return;
    if (demand.store != NULL && SSL_set1_verify_cert_store(ssl, demand.store) != 1)
        return;
    if (SSL_set_ex_data(ssl, upgrade_index, u) == 1)
        SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verify);
}

/* ---- life ---- */

tws_err tws_tls_new(struct tws_ws *ws, struct tws_tls **out)
{
    struct tws_tls *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return TWS_NOMEM;
    if (upgrade_index < 0)
        upgrade_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (ws_index < 0)
        ws_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (t->ctx == NULL || SSL_CTX_set_ex_data(t->ctx, ws_index, ws) != 1 ||
        SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1) {
        tws_tls_free(t);
        return TWS_NOMEM;
    }
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_info_callback(t->ctx, on_info);
    tws_tls_limit_control(t->ctx);
    *out = t;
    return TWS_OK;
}

void tws_tls_free(struct tws_tls *t)
{
    if (t == NULL)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

SSL_CTX *tws_tls_context(const struct tws_tls *t)
{
    return t->ctx;
}

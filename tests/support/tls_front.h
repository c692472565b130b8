/*
 * tls_front.h - what nginx is in production: ends TLS in front of the server, in a thread; and the
 * certificates it shows.
 */
#ifndef TWS_TESTS_TLS_FRONT_H
#define TWS_TESTS_TLS_FRONT_H

#include <arpa/inet.h>
#include <check.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- certificates ---- */

struct cert {
    X509 *x509;
    EVP_PKEY *key;
};

static inline void cert_extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(ext);
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
}

/* `san` as in openssl.cnf, "DNS:a,IP:::1"; NULL: a CA. `issuer` NULL: signs itself. Valid from
 * now - `age` seconds for a day. */
static inline struct cert cert_make(const char *san, const struct cert *issuer, long age)
{
    struct cert c = {X509_new(), EVP_EC_gen("P-256")};
    const struct cert *by = issuer != NULL ? issuer : &c;
    static unsigned count;
    char name[32];

    snprintf(name, sizeof(name), "test %u", ++count);

    X509_set_version(c.x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), rand() % 1000000 + 1);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), -age);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), 86400 - age);
    X509_set_pubkey(c.x509, c.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x509), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(c.x509, X509_get_subject_name(by->x509));
    cert_extend(c.x509, by->x509, NID_basic_constraints,
                san != NULL ? "CA:FALSE" : "critical,CA:TRUE");
    if (san != NULL)
        cert_extend(c.x509, by->x509, NID_subject_alt_name, san);
    ck_assert_int_gt(X509_sign(c.x509, by->key, EVP_sha256()), 0);
    return c;
}

static inline void cert_free(struct cert *c)
{
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
}

static inline void cert_write(const struct cert *c, const char *path)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(PEM_write_X509(f, c->x509), 1);
    fclose(f);
}

/* ---- records without data ---- */

/* Until the other side has enough of it. */
static inline void tls_update_key(SSL *ssl, int times)
{
    for (int i = 0; i < times; i++)
        if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1)
            return;
}

/* ---- the front ---- */

struct tls_front {
    SSL_CTX *ctx;
    int listener;
    uint16_t port, backend;
    pthread_t thread;
    char sni[256];    /* of the last client; "-": none */
    char alpn[64];    /* offered by the last client, first entry */
    bool drop;        /* closes instead of shaking hands */
    bool half_record; /* sends part of a record, then closes */
    int max_version;  /* 0: any */
    int updates;      /* of its key, before it relays */
};

static inline void front_write_all(SSL *ssl, int fd, const uint8_t *p, int n)
{
    while (n > 0) {
        int k = ssl != NULL ? SSL_write(ssl, p, n) : (int)send(fd, p, (size_t)n, MSG_NOSIGNAL);

        if (k <= 0)
            return;
        p += k;
        n -= k;
    }
}

static inline void front_relay(SSL *ssl, int tls_fd, int back)
{
    static __thread uint8_t buf[65536];
    struct pollfd p[2] = {{.fd = tls_fd, .events = POLLIN}, {.fd = back, .events = POLLIN}};

    for (;;) {
        int n;

        if (SSL_pending(ssl) == 0)
            poll(p, 2, -1);
        if (SSL_pending(ssl) > 0 || p[0].revents != 0) {
            n = SSL_read(ssl, buf, sizeof(buf));
            if (n <= 0)
                break;
            front_write_all(NULL, back, buf, n);
        }
        if (p[1].revents != 0) {
            n = (int)recv(back, buf, sizeof(buf), MSG_DONTWAIT);
            if (n == 0)
                break;
            if (n > 0)
                front_write_all(ssl, -1, buf, n);
        }
    }
    SSL_shutdown(ssl);
}

static inline void front_serve(struct tls_front *f, int fd)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    SSL *ssl = SSL_new(f->ctx);
    int back = socket(AF_INET, SOCK_STREAM, 0);
    char scrap[1024];

    sin.sin_port = htons(f->backend);
    SSL_set_fd(ssl, fd);
    if (!f->drop && SSL_accept(ssl) == 1) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

        snprintf(f->sni, sizeof(f->sni), "%s", name != NULL ? name : "-");
        tls_update_key(ssl, f->updates);
        if (connect(back, (struct sockaddr *)&sin, sizeof(sin)) == 0)
            front_relay(ssl, fd, back);
    }
    SSL_free(ssl);
    close(back);
    /* An alert is not lost to a reset. */
    shutdown(fd, SHUT_WR);
    while (!f->drop && recv(fd, scrap, sizeof(scrap), 0) > 0)
        ;
    close(fd);
}

static inline void *front_main(void *arg)
{
    struct tls_front *f = arg;

    for (;;) {
        int fd = accept(f->listener, NULL, NULL);

        if (fd < 0)
            return NULL;
        front_serve(f, fd);
    }
}

static inline int front_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                                const unsigned char *in, unsigned inlen, void *arg)
{
    struct tls_front *f = arg;

    (void)ssl;
    snprintf(f->alpn, sizeof(f->alpn), "%.*s", (int)inlen - 1, (const char *)in + 1);
    *out = in + 1;
    *outlen = in[0];
    return SSL_TLSEXT_ERR_OK;
}

/* Listens on `ip` ("127.0.0.1", "::1") and passes on to 127.0.0.1:backend. */
static inline struct tls_front *front_new(const char *ip, const struct cert *cert, uint16_t backend)
{
    struct tls_front *f = calloc(1, sizeof(*f));
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
    struct sockaddr_in sin = {.sin_family = AF_INET};
    bool v6 = strchr(ip, ':') != NULL;
    struct sockaddr *sa = v6 ? (struct sockaddr *)&sin6 : (struct sockaddr *)&sin;
    socklen_t len = v6 ? sizeof(sin6) : sizeof(sin);

    inet_pton(v6 ? AF_INET6 : AF_INET, ip, v6 ? (void *)&sin6.sin6_addr : (void *)&sin.sin_addr);
    f->backend = backend;
    f->ctx = SSL_CTX_new(TLS_server_method());
    ck_assert_int_eq(SSL_CTX_use_certificate(f->ctx, cert->x509), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(f->ctx, cert->key), 1);
    SSL_CTX_set_alpn_select_cb(f->ctx, front_on_alpn, f);
    f->listener = socket(sa->sa_family, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(f->listener, sa, len), 0);
    ck_assert_int_eq(listen(f->listener, 8), 0);
    ck_assert_int_eq(getsockname(f->listener, sa, &len), 0);
    f->port = ntohs(v6 ? sin6.sin6_port : sin.sin_port);
    return f;
}

static inline void front_start(struct tls_front *f)
{
    ck_assert_int_eq(pthread_create(&f->thread, NULL, front_main, f), 0);
}

/* After the client's connection is gone. */
static inline void front_free(struct tls_front *f)
{
    shutdown(f->listener, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->listener);
    SSL_CTX_free(f->ctx);
    free(f);
}

#endif

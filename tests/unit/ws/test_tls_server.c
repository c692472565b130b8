/* test_tls_server.c - a listener that ends TLS itself: the data path, whom it lets in, what a
 * stranger meets, its limits, and another certificate while links are there. */
#include "peers.h"
#include "suite.h"
#include "tls_front.h"

#include "tws/ws/tls_server.h"

#include <sys/stat.h>

static struct peers *p;
static struct cert ca, leaf;
static char folder[] = "/tmp/tws-test-XXXXXX", ca_path[64], cert_path[64], key_path[64];

static void write_identity(const struct cert *c)
{
    FILE *file = fopen(key_path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PrivateKey(file, c->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    cert_write(c, cert_path);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(ca_path, sizeof(ca_path), "%s/ca", folder);
    snprintf(cert_path, sizeof(cert_path), "%s/cert", folder);
    snprintf(key_path, sizeof(key_path), "%s/key", folder);
    ca = cert_make(NULL, NULL, 3600);
    leaf = cert_make("DNS:localhost", &ca, 60);
    cert_write(&ca, ca_path);
    write_identity(&leaf);
    p = peers_new();
}

static void teardown(void)
{
    peers_free(p);
    cert_free(&ca);
    cert_free(&leaf);
    unlink(ca_path);
    unlink(cert_path);
    unlink(key_path);
    rmdir(folder);
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
}

static struct tws_tls_server *load(const char *client_ca)
{
    struct tws_tls_files files = {cert_path, key_path, (char *)(uintptr_t)client_ca, false};
    struct tws_tls_server *tls = NULL;
    char why[TWS_TLS_SERVER_WHY] = "";

    ck_assert_msg(tws_tls_server_load(&files, &tls, why) == TWS_OK, "%s", why);
    return tls;
}

static void listen_tls(struct tws_upgrade_server *s, const char *client_ca)
{
    peers_listen_as(p, s);
    tws_ws_listener_set_tls(p->listener, load(client_ca));
}

static struct tws_upgrade_client request(void)
{
    struct tws_upgrade_client c = peers_client(p);

    c.tls = true;
    c.host = "localhost";
    c.ca_file = ca_path;
    return c;
}

static void up(void)
{
    struct tws_upgrade_client c = request();

    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_msg(p->wires == 2, "%s", p->client.why);
}

START_TEST(bytes_pass_both_ways)
{
    struct tws_upgrade_server s = {.path = NULL};

    listen_tls(&s, NULL);
    up();
    end_transfer(p->client.end, p->server.end, 32 << 20, false);
    end_transfer(p->server.end, p->client.end, 32 << 20, _i != 0);
    ck_assert_uint_eq(p->client.end->overs + p->server.end->overs, 0);
}
END_TEST

START_TEST(a_close_code_reaches_the_other_side)
{
    struct tws_upgrade_server s = {.path = NULL};

    listen_tls(&s, NULL);
    up();
    tws_wire_close(p->server.end->wire, 4416);
    p->server.end->wire = NULL;
    pair_run(p->loop);
    ck_assert_uint_eq(p->client.end->over_code, 4416);
}
END_TEST

START_TEST(the_wire_outlives_the_context)
{
    struct tws_upgrade_server s = {.path = NULL};

    listen_tls(&s, NULL);
    up();
    tws_ws_free(p->ws);
    p->ws = NULL;
    while (p->client.end->overs == 0)
        pair_run(p->loop);
    ck_assert_uint_eq(p->client.end->overs, 1);
}
END_TEST

/* ---- strangers, with plain blocking OpenSSL in this thread's place of a browser ---- */

struct browser {
    uint16_t port;
    const char *alpn; /* with its length byte; NULL: none */
    int max_version;
    const char *request;
    int updates; /* of its key, before the request */
    char answer[2048], chosen[16];
    size_t n;
    bool connected, shook;
    struct tws_loop *loop;
    int wake[2];
    pthread_t thread;
    struct tws_io io;
};

static void talk(struct browser *b, SSL *ssl)
{
    const unsigned char *chosen = NULL;
    unsigned nchosen = 0;
    int k;

    SSL_get0_alpn_selected(ssl, &chosen, &nchosen);
    snprintf(b->chosen, sizeof(b->chosen), "%.*s", (int)nchosen, (const char *)chosen);
    if (b->request == NULL)
        return;
    tls_update_key(ssl, b->updates);
    (void)!SSL_write(ssl, b->request, (int)strlen(b->request));
    while (b->n < sizeof(b->answer) - 1 &&
           (k = SSL_read(ssl, b->answer + b->n, (int)(sizeof(b->answer) - 1 - b->n))) > 0)
        b->n += (size_t)k;
}

static void *browser_main(void *arg)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct browser *b = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    sin.sin_port = htons(b->port);
    SSL_set_security_level(ssl, 0);
    if (b->max_version != 0) {
        SSL_set_min_proto_version(ssl, TLS1_VERSION);
        SSL_set_max_proto_version(ssl, b->max_version);
    }
    if (b->alpn != NULL)
        SSL_set_alpn_protos(ssl, (const unsigned char *)b->alpn, (unsigned)strlen(b->alpn));
    SSL_set_fd(ssl, fd);
    b->connected = connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;
    b->shook = SSL_connect(ssl) == 1;
    if (b->shook)
        talk(b, ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    (void)!write(b->wake[1], "", 1);
    return NULL;
}

static void on_browser(struct tws_io *io, unsigned events)
{
    (void)events;
    tws_loop_stop(io->loop);
}

static void browse(struct browser *b)
{
    b->loop = p->loop;
    b->port = p->port;
    ck_assert_int_eq(pipe(b->wake), 0);
    pair_nonblocking(b->wake[0]);
    ck_assert_int_eq(tws_io_start(p->loop, &b->io, b->wake[0], on_browser), TWS_OK);
    ck_assert_int_eq(pthread_create(&b->thread, NULL, browser_main, b), 0);
    pair_run(p->loop);
    pthread_join(b->thread, NULL);
    tws_io_stop(&b->io);
    close(b->wake[0]);
    close(b->wake[1]);
}

#define GET "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"

static const struct {
    const char *alpn;
    int max_version;
    bool good;
    const char *chosen;
} hellos[] = {
    {NULL, 0, true, ""},
    {"\010http/1.1", 0, true, "http/1.1"},
    {"\002h2\010http/1.1", 0, true, "http/1.1"},
    {"\002h2", 0, false, ""},
    {NULL, TLS1_2_VERSION, true, ""},
    {NULL, TLS1_1_VERSION, false, ""},
};

START_TEST(a_stranger_meets_the_decoy_over_https)
{
    struct tws_upgrade_server s = {.decoy = folder};
    struct browser b = {
        .alpn = hellos[_i].alpn, .max_version = hellos[_i].max_version, .request = GET};

    listen_tls(&s, NULL);
    browse(&b);
    ck_assert(b.connected);
    ck_assert_int_eq(b.shook, hellos[_i].good);
    if (!hellos[_i].good)
        return;
    ck_assert_str_eq(b.chosen, hellos[_i].chosen);
    ck_assert_msg(strncmp(b.answer, "HTTP/1.1 404 Not Found\r\n", 24) == 0, "%s", b.answer);
    ck_assert_ptr_nonnull(strstr(b.answer, "</html>"));
}
END_TEST

START_TEST(who_talks_of_nothing_but_tls_is_ended)
{
    struct tws_upgrade_server s = {.decoy = folder};
    struct browser b = {.request = GET, .updates = _i == 0 ? 900 : 2000};

    listen_tls(&s, NULL);
    browse(&b);
    ck_assert(b.shook);
    ck_assert_int_eq(b.n > 0, _i == 0);
}
END_TEST

START_TEST(a_page_that_is_larger_than_all_buffers_comes_whole)
{
    struct tws_upgrade_server s = {.decoy = folder};
    struct browser b = {.request = "GET /key HTTP/1.0\r\n\r\n"};
    FILE *file;

    listen_tls(&s, NULL);
    file = fopen(key_path, "w");
    for (int i = 0; i < 4 << 20; i++)
        fputc('x', file);
    fclose(file);
    browse(&b);
    /* The browser takes no more than its buffer and goes: nothing is left over. */
    ck_assert_uint_eq(b.n, sizeof(b.answer) - 1);
    pair_run_for(p->loop, 20000);
}
END_TEST

START_TEST(plain_http_at_a_tls_port_is_not_answered)
{
    struct tws_upgrade_server s = {.path = NULL};
    struct tws_upgrade_client c;

    listen_tls(&s, NULL);
    c = peers_client(p);
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_uint_eq(p->client.failures, 1);
    ck_assert_uint_eq(p->server.opens, 0);
}
END_TEST

START_TEST(a_client_shows_its_certificate_or_is_not_let_in)
{
    struct tws_upgrade_server s = {.path = NULL};
    struct tws_upgrade_client c;

    listen_tls(&s, ca_path);
    c = request();
    if (_i == 0) {
        c.cert_file = cert_path;
        c.cert_key_file = key_path;
    }
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_msg((p->wires == 2) == (_i == 0), "%s", p->client.why);
    if (_i != 0)
        ck_assert_str_eq(p->client.why, "TLS: the server answers: certificate required; it wants a "
                                        "client certificate: set cert_file");
    ck_assert_uint_eq(p->server.opens, _i == 0);
}
END_TEST

/* ---- limits ---- */

static int knock(void)
{
    return pair_connect(p->port);
}

static bool is_closed(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Of `n`, those from `most` on, as soon as the server has seen them. */
static void are_closed(int *fds, int n, int most)
{
    for (int i = most; i < n; i++)
        while (!is_closed(fds[i]))
            pair_run_for(p->loop, 10000);
    for (int i = 0; i < most; i++)
        ck_assert(!is_closed(fds[i]));
    for (int i = 0; i < n; i++)
        close(fds[i]);
}

START_TEST(one_source_has_so_many_handshakes_at_once)
{
    struct tws_prefix nobody = {.ip = {.family = 4, .bytes = {192, 0, 2, 1}}, .bits = 32};
    struct tws_upgrade_server s = {
        .max_pending_per_source = 4, .trusted = &nobody, .ntrusted = 1, .max_pending = 8};
    int fds[6];

    listen_tls(&s, NULL);
    for (int i = 0; i < 6; i++)
        fds[i] = knock();
    are_closed(fds, 6, 4);
    pair_run_for(p->loop, 20000);
    up(); /* their places are free again */
}
END_TEST

START_TEST(all_sources_have_so_many_handshakes_at_once)
{
    struct tws_upgrade_server s = {.max_pending = 3};
    int fds[5];

    listen_tls(&s, NULL);
    for (int i = 0; i < 5; i++)
        fds[i] = knock();
    are_closed(fds, 5, 3);
    pair_run_for(p->loop, 20000);
    up();
}
END_TEST

START_TEST(a_slow_handshake_is_ended)
{
    struct tws_upgrade_server s = {.handshake_timeout_us = 100000};

    listen_tls(&s, NULL);
    int fd = knock();
    uint64_t since = tws_loop_now_fresh(p->loop);
    (void)!send(fd, "\26\3\1", 3, 0); /* the beginning of a hello */
    while (!is_closed(fd))
        pair_run_for(p->loop, 10000);
    ck_assert_uint_ge(tws_loop_now_fresh(p->loop) - since, 100000);
    close(fd);
}
END_TEST

START_TEST(a_slow_request_behind_the_handshake_is_ended)
{
    struct tws_upgrade_server s = {.handshake_timeout_us = 200000};
    struct browser b = {.request = "GET / HT"};

    listen_tls(&s, NULL);
    browse(&b); /* until the server closes */
    ck_assert(b.shook);
    ck_assert_uint_eq(b.n, 0);
}
END_TEST

/* ---- another certificate ---- */

START_TEST(a_new_certificate_is_for_those_who_come_then)
{
    struct tws_upgrade_server s = {.path = NULL};
    struct cert other_ca = cert_make(NULL, NULL, 60);
    struct cert other = cert_make("DNS:localhost", &other_ca, 60);

    listen_tls(&s, NULL);
    up();
    write_identity(&other);
    tws_ws_listener_set_tls(p->listener, load(NULL));
    end_transfer(p->client.end, p->server.end, 1 << 20, false);
    ck_assert_uint_eq(p->client.end->overs, 0);
    struct tws_upgrade_client c = request();
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_ptr_nonnull(strstr(p->client.why, "TLS: certificate: "));
    cert_free(&other_ca);
    cert_free(&other);
}
END_TEST

static const struct {
    const char *cert, *key, *client_ca, *why;
} bad[] = {
    {"/nowhere", NULL, NULL, "/nowhere: No such file or directory"},
    {NULL, "/dev/null", NULL, "/dev/null: no private key in PEM form"},
    {NULL, NULL, "/dev/null", "client_ca_file /dev/null: no certificates in PEM form"},
    {NULL, NULL, "/nowhere", "client_ca_file /nowhere: no certificates in PEM form"},
};

START_TEST(files_of_no_use_are_named)
{
    struct tws_tls_files files = {(char *)(uintptr_t)bad[_i].cert, (char *)(uintptr_t)bad[_i].key,
                                  (char *)(uintptr_t)bad[_i].client_ca, false};
    struct tws_tls_server *tls = NULL;
    char why[TWS_TLS_SERVER_WHY] = "";

    if (files.cert_file == NULL)
        files.cert_file = cert_path;
    if (files.cert_key_file == NULL)
        files.cert_key_file = key_path;
    ck_assert_int_eq(tws_tls_server_load(&files, &tls, why), TWS_CONFIG);
    ck_assert_str_eq(why, bad[_i].why);
    ck_assert_ptr_null(tls);
}
END_TEST

START_TEST(the_days_of_a_certificate_are_counted)
{
    struct cert old = cert_make("DNS:localhost", &ca, 2 * 86400);
    struct tws_tls_server *tls = load(NULL);

    ck_assert_int_eq(tws_tls_server_days(tls), 0);
    tws_tls_server_free(tls);
    write_identity(&old);
    tls = load(NULL);
    ck_assert_int_lt(tws_tls_server_days(tls), 0);
    tws_tls_server_free(tls);
    cert_free(&old);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("tls_server");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, bytes_pass_both_ways, 0, 2);
    tcase_add_test(t, a_close_code_reaches_the_other_side);
    tcase_add_test(t, the_wire_outlives_the_context);
    tcase_add_loop_test(t, a_stranger_meets_the_decoy_over_https, 0,
                        sizeof(hellos) / sizeof(hellos[0]));
    tcase_add_loop_test(t, who_talks_of_nothing_but_tls_is_ended, 0, 2);
    tcase_add_test(t, a_page_that_is_larger_than_all_buffers_comes_whole);
    tcase_add_test(t, plain_http_at_a_tls_port_is_not_answered);
    tcase_add_loop_test(t, a_client_shows_its_certificate_or_is_not_let_in, 0, 2);
    tcase_add_test(t, one_source_has_so_many_handshakes_at_once);
    tcase_add_test(t, all_sources_have_so_many_handshakes_at_once);
    tcase_add_test(t, a_slow_handshake_is_ended);
    tcase_add_test(t, a_slow_request_behind_the_handshake_is_ended);
    tcase_add_test(t, a_new_certificate_is_for_those_who_come_then);
    tcase_add_loop_test(t, files_of_no_use_are_named, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(t, the_days_of_a_certificate_are_counted);
    return run_suite("ws/tls_server", t);
}

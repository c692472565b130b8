/* test_tls.c - the client in front of a TLS server: whom it believes, what it sends, what it says
 * when something is wrong, and the data path through an SSL. */
#include "peers.h"
#include "suite.h"
#include "tls_front.h"

static struct peers *p;
static struct cert ca, other_ca;
static char ca_path[] = "/tmp/tws-test-ca-XXXXXX";

static void setup(void)
{
    int fd = mkstemp(ca_path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ca = cert_make(NULL, NULL, 3600);
    other_ca = cert_make(NULL, NULL, 3600);
    cert_write(&ca, ca_path);
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    p = peers_new();
}

static void teardown(void)
{
    cert_free(&ca);
    cert_free(&other_ca);
    unlink(ca_path);
    memcpy(ca_path + strlen(ca_path) - 6, "XXXXXX", 6);
}

/* ---- who is believed ---- */

struct case_ {
    const char *host; /* as in the URL */
    const char *ip;   /* the server listens here */
    const char *san;
    long age;      /* of the certificate, in seconds; it is valid for a day */
    bool stranger; /* signed by a CA nobody trusts */
    bool insecure;
    const char *why; /* NULL: it works */
    const char *sni; /* "-": none */
};

static const struct case_ cases[] = {
    {"localhost", "127.0.0.1", "DNS:localhost", 60, false, false, NULL, "localhost"},
    {"127.0.0.1", "127.0.0.1", "IP:127.0.0.1", 60, false, false, NULL, "-"},
    {"::1", "::1", "IP:::1", 60, false, false, NULL, "-"},
    {"localhost", "127.0.0.1", "DNS:*.example.com,DNS:example.com", 60, false, false,
     "TLS: certificate is not for localhost but for *.example.com, example.com", NULL},
    {"127.0.0.1", "127.0.0.1", "IP:127.0.0.2,DNS:localhost", 60, false, false,
     "TLS: certificate is not for 127.0.0.1 but for 127.0.0.2, localhost", NULL},
    {"::1", "::1", "DNS:localhost", 60, false, false,
     "TLS: certificate is not for ::1 but for localhost", NULL},
    {"::1", "::1", "IP:::2", 60, false, false, "TLS: certificate is not for ::1 but for ::2", NULL},
    {"localhost", "127.0.0.1", "DNS:localhost", 2 * 86400, false, false,
     "TLS: certificate: certificate has expired; renew it on the server (or is the clock here "
     "wrong?)",
     NULL},
    {"localhost", "127.0.0.1", "DNS:localhost", -7200, false, false,
     "TLS: certificate: certificate is not yet valid; is the clock of this machine right?", NULL},
    {"localhost", "127.0.0.1", "DNS:localhost", 60, true, false,
     "TLS: certificate: unable to get local issuer certificate; no trusted authority: the server "
     "must send its "
     "whole chain, or give ca_file",
     NULL},
    {"::1", "::1", "DNS:elsewhere", 60, true, false,
     "TLS: certificate: unable to get local issuer certificate; no trusted authority: the server "
     "must send its "
     "whole chain, or give ca_file",
     NULL},
    {"localhost", "127.0.0.1", "DNS:elsewhere", 2 * 86400, true, true, NULL, "localhost"},
    {"::1", "::1", "DNS:elsewhere", 60, true, true, NULL, "-"},
};

START_TEST(a_server_is_believed_only_with_a_certificate_for_what_was_dialled)
{
    const struct case_ *k = &cases[_i];
    struct cert leaf = cert_make(k->san, k->stranger ? &other_ca : &ca, k->age);
    struct tws_upgrade_client c;
    struct tls_front *f;

    peers_listen(p);
    f = front_new(k->ip, &leaf, p->port);
    front_start(f);
    c = peers_client(p);
    c.tls = true;
    c.host = k->host;
    c.port = f->port;
    c.ca_file = ca_path;
    c.insecure = k->insecure;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_str_eq(p->client.why, k->why != NULL ? k->why : "");
    ck_assert_uint_eq(p->wires, k->why != NULL ? 0 : 2);
    /* Nothing of HTTP went to a server that is not believed. */
    ck_assert_uint_eq(p->server.opens, k->why != NULL ? 0 : 1);
    if (k->sni != NULL) {
        ck_assert_str_eq(f->sni, k->sni);
        ck_assert_str_eq(f->alpn, "http/1.1");
    }
    peers_free(p);
    front_free(f);
    cert_free(&leaf);
}
END_TEST

/* ---- the data path ---- */

static struct tls_front *up(struct cert *leaf)
{
    struct tws_upgrade_client c;
    struct tls_front *f;

    *leaf = cert_make("DNS:localhost", &ca, 60);
    peers_listen(p);
    f = front_new("127.0.0.1", leaf, p->port);
    front_start(f);
    c = peers_client(p);
    c.tls = true;
    c.host = "localhost";
    c.port = f->port;
    setenv("SSL_CERT_FILE", ca_path, 1); /* as good as ca_file */
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_str_eq(p->client.why, "");
    return f;
}

START_TEST(bytes_pass_both_ways_through_tls)
{
    struct cert leaf;
    struct tls_front *f = up(&leaf);

    end_transfer(p->client.end, p->server.end, 64 << 20, false);
    end_transfer(p->server.end, p->client.end, 64 << 20, true);
    ck_assert_uint_eq(p->client.end->overs + p->server.end->overs, 0);
    peers_free(p);
    front_free(f);
    cert_free(&leaf);
}
END_TEST

START_TEST(everything_before_the_end_is_read_through_tls)
{
    struct cert leaf;
    struct tls_front *f = up(&leaf);
    struct end *e = p->client.end;

    tws_wire_set_reading(e->wire, false);
    end_transfer(p->server.end, p->server.end, 0, false);
    p->server.end->to_send = 100 * 1000;
    p->server.end->message = 1000;
    ck_assert_int_eq(end_pump(p->server.end), TWS_OK);
    tws_wire_close(p->server.end->wire, 4416);
    p->server.end->wire = NULL;
    pair_run_for(p->loop, 50000);
    tws_wire_set_reading(e->wire, true);
    pair_run(p->loop);
    ck_assert_uint_eq(e->received, 100 * 1000);
    ck_assert_uint_eq(e->overs, 1);
    ck_assert_uint_eq(e->over_code, 4416);
    peers_free(p);
    front_free(f);
    cert_free(&leaf);
}
END_TEST

START_TEST(a_context_freed_under_a_wire_ends_the_wire)
{
    struct cert leaf;
    struct tls_front *f = up(&leaf);

    tws_ws_free(p->ws);
    p->ws = NULL;
    while (p->client.end->overs + p->server.end->overs < 2)
        pair_run(p->loop);
    ck_assert_uint_eq(p->client.end->over_code, 1006);
    peers_free(p);
    front_free(f);
    cert_free(&leaf);
}
END_TEST

/* ---- what is said ---- */

START_TEST(a_server_that_drops_tls_is_named)
{
    struct cert leaf = cert_make("DNS:localhost", &ca, 60);
    struct tls_front *f = front_new("127.0.0.1", &leaf, 1);
    struct tws_upgrade_client c = peers_client(p);

    f->drop = true;
    front_start(f);
    c.tls = true;
    c.port = f->port;
    c.ca_file = ca_path;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_str_eq(p->client.why,
                     "TLS: connection closed during the TLS handshake; is the port right?");
    peers_free(p);
    front_free(f);
    cert_free(&leaf);
}
END_TEST

static void connect_to_localhost(const struct tls_front *f)
{
    struct tws_upgrade_client c = peers_client(p);

    c.tls = true;
    c.host = "localhost";
    c.port = f->port;
    c.ca_file = ca_path;
    peers_connect_as(p, &c);
    pair_run(p->loop);
}

START_TEST(a_server_that_talks_of_nothing_but_tls_is_left)
{
    struct cert leaf = cert_make("DNS:localhost", &ca, 60);
    struct tls_front *f;

    peers_listen(p);
    f = front_new("127.0.0.1", &leaf, p->port);
    f->updates = 2000;
    front_start(f);
    connect_to_localhost(f);
    ck_assert_uint_eq(p->client.failures, 1);
    peers_free(p);
    front_free(f);
    cert_free(&leaf);
}
END_TEST

START_TEST(tls_below_1_2_is_refused)
{
    struct cert leaf = cert_make("DNS:localhost", &ca, 60);
    struct tls_front *f = front_new("127.0.0.1", &leaf, 1);

    SSL_CTX_set_security_level(f->ctx, 0);
    SSL_CTX_set_min_proto_version(f->ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(f->ctx, TLS1_1_VERSION);
    front_start(f);
    connect_to_localhost(f);
    ck_assert_msg(strstr(p->client.why, "protocol version") != NULL, "%s", p->client.why);
    peers_free(p);
    front_free(f);
    cert_free(&leaf);
}
END_TEST

START_TEST(tls_to_a_plain_server_is_named)
{
    struct tws_upgrade_client c;

    peers_listen(p);
    c = peers_client(p);
    c.tls = true;
    c.ca_file = ca_path;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_str_eq(
        p->client.why,
        "TLS: wrong version number: no TLS at this port; another port, or ws:// if it is meant");
    peers_free(p);
}
END_TEST

START_TEST(a_ca_file_that_is_none_is_named)
{
    struct tws_upgrade_client c;

    peers_listen(p);
    c = peers_client(p);
    c.tls = true;
    c.ca_file = "/nonexistent";
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_str_eq(p->client.why, "TLS: no certificates in ca_file /nonexistent");
    peers_free(p);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("tls");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_server_is_believed_only_with_a_certificate_for_what_was_dialled, 0,
                        sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(t, bytes_pass_both_ways_through_tls);
    tcase_add_test(t, everything_before_the_end_is_read_through_tls);
    tcase_add_test(t, a_context_freed_under_a_wire_ends_the_wire);
    tcase_add_test(t, a_server_that_drops_tls_is_named);
    tcase_add_test(t, a_server_that_talks_of_nothing_but_tls_is_left);
    tcase_add_test(t, tls_below_1_2_is_refused);
    tcase_add_test(t, tls_to_a_plain_server_is_named);
    tcase_add_test(t, a_ca_file_that_is_none_is_named);
    return run_suite("ws/tls", t);
}

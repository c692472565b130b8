/* test_client.c - the client against servers and proxies that refuse: each reason is named. */
#include "peers.h"
#include "suite.h"

#include <pthread.h>

static struct peers *p;

/* A server in a thread that hears a request head and says one thing. */
struct script {
    int listener;
    uint16_t port;
    const char *answer;
    bool relay_after; /* a proxy: then passes bytes to `backend` */
    uint16_t backend;
    char request[4096];
    pthread_t thread;
};

static void *script_main(void *arg)
{
    struct script *s = arg;
    int fd = accept(s->listener, NULL, NULL);
    size_t n = 0;

    while (strstr(s->request, "\r\n\r\n") == NULL && n < sizeof(s->request) - 1) {
        ssize_t k = recv(fd, s->request + n, 1, 0);

        if (k <= 0)
            break;
        n += (size_t)k;
    }
    (void)!send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
    if (s->relay_after) {
        int backend = pair_connect(s->backend);
        pair_relay(fd, backend);
        close(backend);
    }
    close(fd);
    return NULL;
}

static void script_start(struct script *s)
{
    s->listener = pair_listen(&s->port);
    pthread_create(&s->thread, NULL, script_main, s);
}

static void script_end(struct script *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

static void setup(void)
{
    p = peers_new();
}

struct answer {
    const char *text, *why;
};

static const struct answer answers[] = {
    {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "upgrade: HTTP 502 from the server"},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "upgrade: HTTP 404 from the server"},
    {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "upgrade: HTTP 401 from the server"},
    {"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
     "upgrade: HTTP 301 from the server"},
    {"", "upgrade: "},
    {"SSH-2.0-x\r\n", "upgrade: "},
};

START_TEST(an_answer_that_is_no_upgrade_is_named)
{
    struct script s = {.answer = answers[_i].text};
    struct tws_upgrade_client c = peers_client(p);

    script_start(&s);
    c.port = s.port;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_msg(strncmp(p->client.why, answers[_i].why, strlen(answers[_i].why)) == 0, "%s",
                  p->client.why);
    ck_assert_uint_eq(p->client.failures, 1);
    peers_free(p);
    script_end(&s);
    ck_assert_ptr_nonnull(strstr(s.request, "Tws-Session: " PEERS_SESSION "\r\n"));
    ck_assert_ptr_nonnull(strstr(s.request, "GET /tws HTTP/1.1\r\n"));
    ck_assert_ptr_null(strcasestr(s.request, "Sec-WebSocket-Extensions"));
}
END_TEST

START_TEST(a_refused_connection_is_named_with_its_address)
{
    struct tws_upgrade_client c = peers_client(p);

    c.port = 1;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_ptr_nonnull(strstr(p->client.why, "connect: 127.0.0.1:1: Connection refused; "));
    peers_free(p);
}
END_TEST

START_TEST(a_server_that_says_nothing_times_out)
{
    struct script s = {.answer = ""};
    struct tws_upgrade_client c = peers_client(p);

    s.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(listen(s.listener, 1), 0);
    {
        struct sockaddr_in sin;
        socklen_t len = sizeof(sin);

        getsockname(s.listener, (struct sockaddr *)&sin, &len);
        c.port = ntohs(sin.sin_port);
    }
    c.tls = _i == 1;
    c.insecure = true;
    c.handshake_timeout_us = 50000;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_ptr_nonnull(
        strstr(p->client.why, _i == 1 ? "TLS: timed out: " : "upgrade: timed out: "));
    peers_free(p);
    close(s.listener);
}
END_TEST

START_TEST(the_environments_proxy_is_not_libwebsockets_to_obey)
{
    peers_free(p);
    setenv("http_proxy", "127.0.0.1:1", 1);
    p = peers_new();
    peers_listen(p);
    peers_connect(p);
    pair_run(p->loop);
    ck_assert_uint_eq(p->wires, 2);
    peers_free(p);
}
END_TEST

START_TEST(a_proxy_is_asked_for_a_tunnel_with_user_and_password)
{
    struct script s = {.answer = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n",
                       .relay_after = true};
    struct tws_upgrade_client c;
    char url[80], expect[100];

    peers_listen(p);
    s.backend = p->port;
    script_start(&s);
    c = peers_client(p);
    snprintf(url, sizeof(url), "http://us%%65r:pass@127.0.0.1:%u", s.port);
    c.proxy = url;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_str_eq(p->client.why, "");
    ck_assert_uint_eq(p->wires, 2);
    snprintf(expect, sizeof(expect), "CONNECT 127.0.0.1:%u HTTP/1.1\r\n", p->port);
    ck_assert_ptr_nonnull(strstr(s.request, expect));
    ck_assert_ptr_nonnull(strstr(s.request, "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"));
    peers_free(p);
    script_end(&s);
}
END_TEST

START_TEST(a_proxy_that_refuses_is_named)
{
    struct script s = {.answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"};
    struct tws_upgrade_client c = peers_client(p);
    char url[80], why[128];

    script_start(&s);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", s.port);
    c.proxy = url;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    snprintf(why, sizeof(why), "proxy: 127.0.0.1:%u: HTTP 407 (user or password refused)", s.port);
    ck_assert_str_eq(p->client.why, why);
    peers_free(p);
    script_end(&s);
}
END_TEST

START_TEST(closing_before_the_end_of_dialling_is_silent)
{
    peers_listen(p);
    peers_connect(p);
    tws_upgrade_close(p->client.u, 1000);
    pair_run_for(p->loop, 20000);
    ck_assert_uint_eq(p->client.failures + p->client.opens, 0);
    peers_free(p);
}
END_TEST

START_TEST(the_servers_refusal_reaches_the_client_with_its_code)
{
    p->server.no_takeover = p->client.no_takeover = true;
    p->server.silent = true;
    peers_listen(p);
    peers_connect(p);
    while (p->server.opens == 0 || p->client.opens == 0)
        pair_run_for(p->loop, 1000);
    tws_upgrade_close(p->server.u, 4419);
    pair_run(p->loop);
    ck_assert_uint_eq(p->client.close_code, 4419);
    ck_assert_uint_eq(p->server.failures, 0);
    peers_free(p);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("client");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, an_answer_that_is_no_upgrade_is_named, 0,
                        sizeof(answers) / sizeof(answers[0]));
    tcase_add_test(t, a_refused_connection_is_named_with_its_address);
    tcase_add_loop_test(t, a_server_that_says_nothing_times_out, 0, 2);
    tcase_add_test(t, the_environments_proxy_is_not_libwebsockets_to_obey);
    tcase_add_test(t, a_proxy_is_asked_for_a_tunnel_with_user_and_password);
    tcase_add_test(t, a_proxy_that_refuses_is_named);
    tcase_add_test(t, closing_before_the_end_of_dialling_is_silent);
    tcase_add_test(t, the_servers_refusal_reaches_the_client_with_its_code);
    return run_suite("ws/client", t);
}

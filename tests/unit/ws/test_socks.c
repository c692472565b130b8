/* test_socks.c - the client through a SOCKS5 proxy: a script in a thread that speaks bytes. */
#include "peers.h"
#include "suite.h"

#include <pthread.h>

/* Hears `expect` bytes, says `answer`; then, if `backend`, passes bytes both ways. */
struct step {
    size_t expect;
    const char *answer;
    size_t n;
};

struct proxy {
    const struct step *steps;
    size_t nsteps;
    int listener;
    uint16_t port, backend; /* backend 0: closes behind the last step */
    uint8_t heard[1024];
    size_t nheard;
    pthread_t thread;
};

static struct peers *p;

static void *proxy_main(void *arg)
{
    struct proxy *x = arg;
    int fd = accept(x->listener, NULL, NULL);

    for (size_t i = 0; i < x->nsteps; i++) {
        ssize_t n = recv(fd, x->heard + x->nheard, x->steps[i].expect, MSG_WAITALL);

        x->nheard += n > 0 ? (size_t)n : 0;
        for (size_t k = 0; k < x->steps[i].n; k++) /* byte by byte */
            (void)!send(fd, x->steps[i].answer + k, 1, MSG_NOSIGNAL);
    }
    if (x->backend != 0) {
        int backend = pair_connect(x->backend);
        pair_relay(fd, backend);
        close(backend);
    }
    close(fd);
    return NULL;
}

static void proxy_start(struct proxy *x)
{
    x->listener = pair_listen(&x->port);
    pthread_create(&x->thread, NULL, proxy_main, x);
}

static void proxy_end(struct proxy *x)
{
    shutdown(x->listener, SHUT_RDWR);
    pthread_join(x->thread, NULL);
    close(x->listener);
}

static void setup(void)
{
    p = peers_new();
}

static void connect_through(const char *scheme, const char *host, const struct proxy *x)
{
    struct tws_upgrade_client c = peers_client(p);
    char url[64];

    snprintf(url, sizeof(url), "%s127.0.0.1:%u", scheme, x->port);
    c.host = host;
    c.port = p->port != 0 ? p->port : 443;
    c.proxy = url;
    peers_connect_as(p, &c);
    pair_run(p->loop);
}

#define STEP(expect, answer)                                                                       \
    {                                                                                              \
        expect, answer, sizeof(answer) - 1                                                         \
    }

static const struct step granted[] = {STEP(4, "\5\2"), STEP(5, "\1\0"),
                                      STEP(7 + 9, "\5\0\0\1\0\0\0\0\0\0")};

START_TEST(the_tunnel_leads_to_the_server_by_the_name_it_has)
{
    struct proxy x = {.steps = granted, .nsteps = 3};

    peers_listen(p);
    x.backend = p->port;
    proxy_start(&x);
    connect_through("socks5h://u:p@", "localhost", &x);
    ck_assert_msg(p->wires == 2, "%s", p->client.why);
    ck_assert_mem_eq(x.heard, "\5\2\0\2\1\1u\1p\5\1\0\3\011localhost", 23);
    peers_free(p);
    proxy_end(&x);
}
END_TEST

static const struct step granted_ip[] = {STEP(3, "\5\0"), STEP(10, "\5\0\0\1\0\0\0\0\0\0")};

START_TEST(socks5_resolves_the_name_itself)
{
    struct proxy x = {.steps = granted_ip, .nsteps = 2};

    peers_listen(p);
    x.backend = p->port;
    proxy_start(&x);
    connect_through("socks5://", "localhost", &x);
    ck_assert_msg(p->wires == 2, "%s", p->client.why);
    ck_assert_mem_eq(x.heard, "\5\1\0\5\1\0\1\177\0\0\1", 11);
    peers_free(p);
    proxy_end(&x);
}
END_TEST

static const struct {
    struct step steps[2];
    size_t n;
    const char *why;
} refusals[] = {
    {{STEP(3, "\5\xff")}, 1, "the proxy wants a login: socks5://user:password@host:port"},
    {{STEP(3, "HTTP/1.1 400 Bad Request\r\n\r\n")}, 1, "does not speak SOCKS5"},
    {{STEP(3, "\5\0"), STEP(16, "\5\5\0\1")}, 2, "connection refused at the proxy's other side"},
    {{STEP(3, "\5\0"), STEP(16, "\5\2\0\1\0\0\0\0\0\0")}, 2, "forbidden by the proxy's rules"},
    {{STEP(3, "\5\0"), STEP(16, "\5\0\0\1\0")}, 2, "connection closed by the proxy"},
    {{STEP(3, "\5")}, 1, "connection closed by the proxy"},
};

START_TEST(a_proxy_that_refuses_is_named)
{
    struct proxy x = {.steps = refusals[_i].steps, .nsteps = refusals[_i].n};
    char why[128];

    proxy_start(&x);
    connect_through("socks5h://", "localhost", &x);
    snprintf(why, sizeof(why), "proxy: 127.0.0.1:%u: %s", x.port, refusals[_i].why);
    ck_assert_str_eq(p->client.why, why);
    ck_assert_uint_eq(p->client.failures, 1);
    peers_free(p);
    proxy_end(&x);
}
END_TEST

static void *closing_main(void *arg)
{
    int fd;

    while ((fd = accept((int)(intptr_t)arg, NULL, NULL)) >= 0)
        close(fd);
    return NULL;
}

START_TEST(the_proxys_other_address_is_taken_when_one_closes)
{
    struct proxy x = {.steps = granted_ip, .nsteps = 2};
    struct tws_upgrade_client c;
    struct tws_ip ips[2];
    struct sockaddr_in sa = {.sin_family = AF_INET};
    int bad = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t closing;
    char url[64];

    peers_listen(p);
    x.backend = p->port;
    proxy_start(&x);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    sa.sin_port = htons(x.port);
    ck_assert_int_eq(bind(bad, (struct sockaddr *)&sa, sizeof(sa)), 0);
    ck_assert_int_eq(listen(bad, 8), 0);
    pthread_create(&closing, NULL, closing_main, (void *)(intptr_t)bad);
    ck_assert_int_eq(tws_ip_parse("127.0.0.2", &ips[0]), TWS_OK);
    ck_assert_int_eq(tws_ip_parse("127.0.0.1", &ips[1]), TWS_OK);
    c = peers_client(p);
    snprintf(url, sizeof(url), "socks5://proxy.test:%u", x.port);
    c.host = "localhost";
    c.port = p->port;
    c.proxy = url;
    c.proxy_ips = ips;
    c.nproxy_ips = 2;
    peers_connect_as(p, &c);
    pair_run(p->loop);
    ck_assert_msg(p->wires == 2, "%s", p->client.why);
    peers_free(p);
    proxy_end(&x);
    shutdown(bad, SHUT_RDWR);
    pthread_join(closing, NULL);
    close(bad);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("socks");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, the_tunnel_leads_to_the_server_by_the_name_it_has);
    tcase_add_test(t, socks5_resolves_the_name_itself);
    tcase_add_test(t, the_proxys_other_address_is_taken_when_one_closes);
    tcase_add_loop_test(t, a_proxy_that_refuses_is_named, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    return run_suite("ws/socks", t);
}

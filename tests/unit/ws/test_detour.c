/* test_detour.c - through a proxy of several addresses to a target of several: what is tried next,
 * and when it ends. The proxies are threads that speak bytes. */
#include "pair.h"
#include "suite.h"

#include "tws/net/resolver.h"
#include "tws/proto/code.h"
#include "tws/ws/detour.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#define MOST 4 /* addresses */
#define SOON 100000
#define LATE 5000000

/* What a proxy says to a connection: behind the n-th thing it hears the n-th answer. Then it goes
 * on in silence, or closes. */
struct talk {
    const char *says[3];
    size_t n[3];
    bool closes;
};

#define NONE                                                                                       \
    {NULL, NULL, NULL},                                                                            \
    {                                                                                              \
        0, 0, 0                                                                                    \
    }
#define ONE(a)                                                                                     \
    {a, NULL, NULL},                                                                               \
    {                                                                                              \
        sizeof(a) - 1, 0, 0                                                                        \
    }
#define TWO(a, b)                                                                                  \
    {a, b, NULL},                                                                                  \
    {                                                                                              \
        sizeof(a) - 1, sizeof(b) - 1, 0                                                            \
    }
#define SOCKS(r) TWO("\5\0", "\5" r "\0\1\0\0\0\0\0\0")

static const struct talk silent = {NONE, false}, closing = {NONE, true},
                         granting = {SOCKS("\0"), false},
                         /* it waits for the target */
    half = {ONE("\5\0"), false}, half_closing = {TWO("\5\0", ""), true},
                         failing = {SOCKS("\1"), true}, forbidding = {SOCKS("\2"), true},
                         no_net = {SOCKS("\3"), true}, no_host = {SOCKS("\4"), true},
                         refusing = {SOCKS("\5"), true}, expiring = {SOCKS("\6"), true},
                         no_command = {SOCKS("\7"), true}, no_family = {SOCKS("\10"), true},
                         unheard_of = {SOCKS("\11"), true}, no_login = {ONE("\5\xff"), true},
                         other_login = {TWO("\5\2", "\1\1"), true},
                         banner = {ONE("SSH-2.0-x\r\n"), false},
                         ok = {ONE("HTTP/1.1 200 OK\r\n\r\nearly"), false},
                         bad_gateway = {ONE("HTTP/1.1 502 Bad Gateway\r\n\r\n"), false},
                         too_late = {ONE("HTTP/1.1 504 Gateway Timeout\r\n\r\n"), true},
                         unauthorized = {ONE("HTTP/1.1 407 Who\r\n\r\n"), true},
                         not_allowed = {ONE("HTTP/1.0 403 No\r\n\r\n"), true},
                         not_implemented = {ONE("HTTP/1.0 501 No\r\n\r\n"), true},
                         half_an_answer = {ONE("HTTP/1.1 200 OK\r\nServer: "), true};

/* One address of the proxy: what it says to its first connection, its second, ... */
struct place {
    const struct talk *talks[MOST];
    int listener;
    size_t heard; /* connections that said something */
    pthread_t thread;
    char asked[256]; /* for which targets, in order */
};

struct world {
    struct tws_loop *loop;
    struct place places[MOST];
    size_t nplaces;
    uint16_t port;
    enum tws_proxy_kind kind;
    bool has_login;
    struct tws_detour_memory memory;
    struct tws_detour *detour;
    /* the end */
    int calls;
    struct tws_detour_result r;
    char why[128], proxy[TWS_HOSTPORT_TEXT], given_up[TWS_HOSTPORT_TEXT], ip[TWS_IP_TEXT];
    char filtered[128];
    const char *refused_ip;
};

/* ---- the proxies ---- */

static void note_target(struct place *p, const uint8_t *b, size_t n)
{
    size_t have = strlen(p->asked);
    char ip[64] = "?";

    if (n >= 10 && b[0] == 5 && b[3] == 1)
        inet_ntop(AF_INET, b + 4, ip, sizeof(ip));
    else if (n >= 22 && b[0] == 5 && b[3] == 4)
        inet_ntop(AF_INET6, b + 4, ip, sizeof(ip));
    else if (n >= 5 && b[0] == 5 && b[3] == 3)
        snprintf(ip, sizeof(ip), "%.*s", b[4], (const char *)b + 5);
    else if (strncmp((const char *)b, "CONNECT ", 8) == 0)
        snprintf(ip, sizeof(ip), "%.*s", (int)strcspn((const char *)b + 8, ": "),
                 (const char *)b + 8);
    else
        return;
    snprintf(p->asked + have, sizeof(p->asked) - have, "%s ", ip);
}

static void hold_talk(struct place *p, int fd, const struct talk *t)
{
    uint8_t b[2048] = {0};

    for (size_t i = 0; i < 3; i++) {
        ssize_t n = recv(fd, b, sizeof(b) - 1, 0);
        if (n > 0)
            note_target(p, b, (size_t)n);
        if (n <= 0 || t->says[i] == NULL)
            return;
        for (size_t k = 0; k < t->n[i]; k++) /* byte by byte */
            (void)!send(fd, t->says[i] + k, 1, MSG_NOSIGNAL);
        if (i == 2 || t->says[i + 1] == NULL)
            return;
    }
}

static void *serve(void *arg)
{
    struct place *p = arg;
    int open[16], nopen = 0, fd;

    while (nopen < 16 && (fd = accept(p->listener, NULL, NULL)) >= 0) {
        char byte;
        /* A second one may have been dialled before the first was seen to stand. */
        if (recv(fd, &byte, 1, MSG_PEEK) <= 0) {
            close(fd);
            continue;
        }
        const struct talk *t = p->heard < MOST ? p->talks[p->heard] : NULL;
        p->heard++;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        if (t != NULL)
            hold_talk(p, fd, t);
        if (t == NULL || t->closes)
            close(fd);
        else
            open[nopen++] = fd;
    }
    while (nopen > 0)
        close(open[--nopen]);
    return NULL;
}

/* All at one port, each at its address: 127.0.0.1 and on. */
static int listen_at(size_t i, uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static size_t heard(const struct world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->nplaces; i++)
        n += w->places[i].heard;
    return n;
}

/* ---- a world ---- */

static struct world *world_new(enum tws_proxy_kind kind)
{
    struct world *w = calloc(1, sizeof(*w));

    ck_assert_int_eq(tws_loop_new(&w->loop), TWS_OK);
    w->kind = kind;
    return w;
}

static void add_place(struct world *w, const struct talk *first, const struct talk *second,
                      const struct talk *third)
{
    struct place *p = &w->places[w->nplaces];

    p->talks[0] = first;
    p->talks[1] = second;
    p->talks[2] = third;
    p->listener = listen_at(w->nplaces++, &w->port);
    ck_assert_int_eq(pthread_create(&p->thread, NULL, serve, p), 0);
}

/* The threads have ended: what they heard may be looked at. */
static void stop_places(struct world *w)
{
    for (size_t i = 0; i < w->nplaces; i++) {
        if (w->places[i].listener < 0)
            continue;
        shutdown(w->places[i].listener, SHUT_RDWR);
        pthread_join(w->places[i].thread, NULL);
        close(w->places[i].listener);
        w->places[i].listener = -1;
    }
}

static void world_free(struct world *w)
{
    tws_socket_close(w->calls > 0 ? w->r.fd : -1);
    stop_places(w);
    tws_loop_free(w->loop);
    free(w);
}

static void on_end(void *arg, const struct tws_detour_result *r)
{
    struct world *w = arg;

    w->calls++;
    w->r = *r;
    w->detour = NULL;
    snprintf(w->why, sizeof(w->why), "%s", r->why);
    if (r->proxy.len > 0)
        tws_sockaddr_format(&r->proxy, w->proxy, sizeof(w->proxy));
    if (r->given_up.len > 0)
        tws_sockaddr_format(&r->given_up, w->given_up, sizeof(w->given_up));
    if (r->ip.family != 0)
        tws_ip_format(&r->ip, w->ip, sizeof(w->ip));
    tws_loop_stop(w->loop);
}

static bool filter(void *arg, const struct tws_ip *ip, uint16_t port)
{
    struct world *w = arg;
    char text[TWS_IP_TEXT];
    size_t n = strlen(w->filtered);

    ck_assert_uint_eq(port, 443);
    tws_ip_format(ip, text, sizeof(text));
    snprintf(w->filtered + n, sizeof(w->filtered) - n, "%s ", text);
    return w->refused_ip == NULL || strcmp(w->refused_ip, text) != 0;
}

/* Begins; `targets` are addresses, or one name. */
static void begin(struct world *w, const char *const *targets, uint64_t timeout_us)
{
    struct tws_proxy_url url = {.kind = w->kind, .address = {"proxy.test", w->port}};
    struct tws_hostport target = {"target.test", 443};
    struct tws_ip proxies[MOST], ips[MOST];
    struct tws_detour_options o = {.url = &url,
                                   .proxy_ips = proxies,
                                   .nproxy_ips = w->nplaces,
                                   .target = &target,
                                   .ips = ips,
                                   .filter = filter,
                                   .memory = &w->memory,
                                   .timeout_us = timeout_us};

    if (w->has_login) {
        url.has_login = true;
        snprintf(url.user, sizeof(url.user), "me");
    }
    for (size_t i = 0; i < w->nplaces; i++) {
        char text[32];
        snprintf(text, sizeof(text), "127.0.0.%zu", i + 1);
        ck_assert_int_eq(tws_ip_parse(text, &proxies[i]), TWS_OK);
    }
    for (; targets[o.nips] != NULL; o.nips++)
        ck_assert_int_eq(tws_ip_parse(targets[o.nips], &ips[o.nips]), TWS_OK);
    ck_assert_int_eq(tws_detour_start(w->loop, &o, on_end, w, &w->detour), TWS_OK);
    ck_assert_int_eq(w->calls, 0);
}

/* One detour; the places go on. */
static void go_once(struct world *w, const char *const *targets, uint64_t timeout_us)
{
    w->calls = 0;
    w->given_up[0] = w->proxy[0] = w->ip[0] = '\0';
    begin(w, targets, timeout_us);
    pair_run(w->loop);
    ck_assert_int_eq(w->calls, 1);
    ck_assert_int_eq(w->r.fd >= 0, w->r.code == TWS_CODE_NONE);
}

static void run(struct world *w, const char *const *targets, uint64_t timeout_us)
{
    go_once(w, targets, timeout_us);
    stop_places(w);
}

static bool is_blamed(const struct world *w, const char *proxy)
{
    struct tws_detour_place p = {.port = w->port};

    ck_assert_int_eq(tws_ip_parse(proxy, &p.ip), TWS_OK);
    return tws_detour_memory_rank(&w->memory, &p, tws_loop_now(w->loop)) > 0;
}

static const char *const three[] = {"192.0.2.1", "2001:db8::2", "192.0.2.3", NULL};
static const char *const one[] = {"192.0.2.1", NULL};
static const char *const name[] = {NULL};

/* ---- what the proxy says of an address ---- */

static const struct {
    enum tws_proxy_kind kind;
    const struct talk *first, *second;
    const char *asked;
    uint16_t code;
} answers[] = {
    /* about the address: another may do */
    {TWS_PROXY_SOCKS5, &no_net, &granting, "192.0.2.1 2001:db8::2 ", 0},
    {TWS_PROXY_SOCKS5, &no_host, &granting, "192.0.2.1 2001:db8::2 ", 0},
    {TWS_PROXY_SOCKS5, &refusing, &granting, "192.0.2.1 2001:db8::2 ", 0},
    {TWS_PROXY_SOCKS5, &expiring, &granting, "192.0.2.1 2001:db8::2 ", 0},
    {TWS_PROXY_SOCKS5, &no_family, &granting, "192.0.2.1 2001:db8::2 ", 0},
    {TWS_PROXY_SOCKS5, &failing, &granting, "192.0.2.1 2001:db8::2 ", 0},
    {TWS_PROXY_SOCKS5, &half_closing, &granting, "192.0.2.1 2001:db8::2 ", 0},
    {TWS_PROXY_HTTP, &bad_gateway, &ok, "192.0.2.1 [2001 ", 0},
    {TWS_PROXY_HTTP, &too_late, &ok, "192.0.2.1 [2001 ", 0},
    {TWS_PROXY_HTTP, &closing, &ok, "192.0.2.1 [2001 ", 0},
    {TWS_PROXY_HTTP, &half_an_answer, &ok, "192.0.2.1 [2001 ", 0},
    /* about us, or about the proxy */
    {TWS_PROXY_SOCKS5, &forbidding, &granting, "192.0.2.1 ", TWS_CODE_FORBIDDEN},
    {TWS_PROXY_SOCKS5, &no_command, &granting, "192.0.2.1 ", TWS_CODE_INTERNAL},
    {TWS_PROXY_SOCKS5, &unheard_of, &granting, "192.0.2.1 ", TWS_CODE_INTERNAL},
    {TWS_PROXY_SOCKS5, &no_login, &granting, "", TWS_CODE_UNREACHABLE},
    {TWS_PROXY_SOCKS5, &banner, &granting, "", TWS_CODE_INTERNAL},
    {TWS_PROXY_SOCKS5, &closing, &granting, "", TWS_CODE_UNREACHABLE},
    {TWS_PROXY_HTTP, &unauthorized, &ok, "192.0.2.1 ", TWS_CODE_UNREACHABLE},
    {TWS_PROXY_HTTP, &not_allowed, &ok, "192.0.2.1 ", TWS_CODE_FORBIDDEN},
    {TWS_PROXY_HTTP, &not_implemented, &ok, "192.0.2.1 ", TWS_CODE_UNREACHABLE},
};

START_TEST(another_address_is_asked_for_if_the_answer_is_about_the_first)
{
    struct world *w = world_new(answers[_i].kind);

    add_place(w, answers[_i].first, answers[_i].second, NULL);
    run(w, three, LATE);
    ck_assert_str_eq(w->places[0].asked, answers[_i].asked);
    ck_assert_msg(w->r.code == answers[_i].code, "%u %s", w->r.code, w->why);
    ck_assert_str_eq(w->ip, answers[_i].code == 0 ? "2001:db8::2" : "");
    ck_assert_int_eq(w->r.verdict == TWS_PROXY_UP, answers[_i].code == 0);
    world_free(w);
}
END_TEST

START_TEST(a_login_that_is_refused_is_not_tried_again)
{
    struct world *w = world_new(TWS_PROXY_SOCKS5);

    w->has_login = true;
    add_place(w, &other_login, &granting, NULL);
    add_place(w, &granting, NULL, NULL);
    run(w, three, LATE);
    ck_assert_str_eq(w->why, "user or password refused");
    ck_assert_int_eq(w->r.verdict, TWS_PROXY_REFUSES);
    ck_assert_uint_eq(w->r.code, TWS_CODE_UNREACHABLE);
    ck_assert_uint_eq(heard(w), 1);
    world_free(w);
}
END_TEST

START_TEST(of_several_failures_the_most_telling_is_told)
{
    struct world *w = world_new(TWS_PROXY_SOCKS5);

    add_place(w, &no_net, &refusing, &failing);
    run(w, three, LATE);
    ck_assert_str_eq(w->places[0].asked, "192.0.2.1 2001:db8::2 192.0.2.3 ");
    ck_assert_uint_eq(w->r.code, TWS_CODE_REFUSED);
    ck_assert_int_eq(w->r.verdict, TWS_PROXY_NO_TARGET);
    ck_assert_int_eq(w->r.unconnected, TWS_CONNECT_OK);
    world_free(w);
}
END_TEST

START_TEST(the_proxys_address_that_works_is_asked_for_the_next)
{
    struct world *w = world_new(TWS_PROXY_SOCKS5);

    add_place(w, &no_net, &refusing, &granting);
    add_place(w, &forbidding, NULL, NULL);
    run(w, three, LATE);
    ck_assert_str_eq(w->ip, "192.0.2.3");
    ck_assert_uint_eq(w->places[1].heard, 0);
    ck_assert_str_eq(w->given_up, "");
    world_free(w);
}
END_TEST

START_TEST(an_address_that_may_not_be_asked_for_is_not)
{
    struct world *w = world_new(TWS_PROXY_SOCKS5);

    w->refused_ip = "2001:db8::2";
    add_place(w, &no_net, &granting, NULL);
    run(w, three, LATE);
    ck_assert_str_eq(w->filtered, "192.0.2.1 2001:db8::2 192.0.2.3 ");
    ck_assert_str_eq(w->places[0].asked, "192.0.2.1 192.0.2.3 ");
    world_free(w);

    w = world_new(TWS_PROXY_SOCKS5);
    w->refused_ip = "192.0.2.1";
    add_place(w, &granting, NULL, NULL);
    run(w, one, LATE);
    ck_assert_int_eq(w->r.unconnected, TWS_CONNECT_FORBIDDEN);
    ck_assert_uint_eq(w->r.code, TWS_CODE_FORBIDDEN);
    ck_assert_uint_eq(heard(w), 0);
    world_free(w);
}
END_TEST

START_TEST(a_name_is_asked_for_as_it_is)
{
    struct world *w = world_new(_i == 0 ? TWS_PROXY_SOCKS5H : TWS_PROXY_HTTP);

    add_place(w, _i == 0 ? &granting : &ok, NULL, NULL);
    run(w, name, LATE);
    ck_assert_str_eq(w->places[0].asked, "target.test ");
    ck_assert_str_eq(w->filtered, "");
    ck_assert_uint_eq(w->r.code, TWS_CODE_NONE);
    ck_assert_str_eq(w->ip, "");
    world_free(w);
}
END_TEST

START_TEST(what_the_target_says_at_once_is_left_to_the_tunnel)
{
    struct world *w = world_new(TWS_PROXY_HTTP);
    char early[8] = "";

    add_place(w, &ok, NULL, NULL);
    begin(w, one, LATE);
    pair_run(w->loop);
    ck_assert_int_eq(w->calls, 1);
    for (size_t n = 0; n < 5;) {
        struct pollfd p = {.fd = w->r.fd, .events = POLLIN};
        ck_assert_int_eq(poll(&p, 1, 10000), 1);
        ssize_t k = recv(w->r.fd, early + n, 5 - n, 0);
        ck_assert_int_gt(k, 0);
        n += (size_t)k;
    }
    ck_assert_str_eq(early, "early");
    world_free(w);
}
END_TEST

/* ---- a proxy that does not work ---- */

static const struct {
    enum tws_proxy_kind kind;
    const struct talk *bad, *good;
    uint64_t timeout_us;
    const char *why;
} bad_ones[] = {
    {TWS_PROXY_SOCKS5, &silent, &granting, 800000, "the proxy gave no answer in time"},
    {TWS_PROXY_HTTP, &silent, &ok, 800000, "the proxy gave no answer in time"},
    {TWS_PROXY_SOCKS5, &half, &granting, 800000, "the proxy gave no answer in time"},
    {TWS_PROXY_SOCKS5, &closing, &granting, LATE, "connection closed by the proxy"},
    {TWS_PROXY_HTTP, &closing, &ok, LATE, "connection closed by the proxy"},
    {TWS_PROXY_HTTP, &half_an_answer, &ok, LATE, "connection closed by the proxy"},
    {TWS_PROXY_SOCKS5, &banner, &granting, LATE, "does not speak SOCKS5"},
    {TWS_PROXY_HTTP, &banner, &ok, LATE, "does not speak HTTP"},
};

/* Three that do: one may be too slow for the short time here. */
START_TEST(another_address_of_the_proxy_takes_the_place_of_one_that_fails)
{
    struct world *w = world_new(bad_ones[_i].kind);
    const struct talk *bad = bad_ones[_i].bad, *good = bad_ones[_i].good;

    add_place(w, bad, bad, NULL);
    for (size_t i = 1; i < MOST; i++)
        add_place(w, good, good, NULL);
    go_once(w, one, bad_ones[_i].timeout_us);
    ck_assert_msg(w->r.code == TWS_CODE_NONE, "%s", w->why);
    ck_assert_str_eq(w->why, bad_ones[_i].why);
    ck_assert_int_eq(strncmp(w->given_up, "127.0.0.1:", 10), 0);
    ck_assert_int_ne(strncmp(w->proxy, "127.0.0.1:", 10), 0);
    close(w->r.fd);
    go_once(w, one, LATE); /* from now on it goes last */
    ck_assert_str_eq(w->given_up, "");
    ck_assert_int_ne(strncmp(w->proxy, "127.0.0.1:", 10), 0);
    stop_places(w);
    ck_assert_uint_eq(w->places[0].heard, 1);
    world_free(w);
}
END_TEST

/* The proxy may be waiting for it. */
START_TEST(what_a_target_did_not_answer_is_not_the_proxys_fault)
{
    struct world *w = world_new(TWS_PROXY_SOCKS5);

    add_place(w, &half_closing, &half_closing, NULL);
    add_place(w, &half_closing, &granting, NULL);
    go_once(w, one, LATE);
    ck_assert_int_lt(w->r.fd, 0);
    ck_assert(!is_blamed(w, "127.0.0.1") && !is_blamed(w, "127.0.0.2"));
    go_once(w, one, LATE); /* another leads there: it was */
    ck_assert_int_eq(strncmp(w->given_up, "127.0.0.1:", 10), 0);
    ck_assert(is_blamed(w, "127.0.0.1") && !is_blamed(w, "127.0.0.2"));
    stop_places(w);
    world_free(w);
}
END_TEST

START_TEST(one_that_answers_again_is_forgiven)
{
    struct world *w = world_new(TWS_PROXY_SOCKS5);

    add_place(w, &closing, &no_net, NULL);
    add_place(w, &closing, NULL, NULL);
    go_once(w, one, LATE);
    ck_assert(is_blamed(w, "127.0.0.1") && is_blamed(w, "127.0.0.2"));
    go_once(w, one, LATE);
    ck_assert_uint_eq(w->r.code, TWS_CODE_UNREACHABLE);
    ck_assert_int_eq(w->r.verdict, TWS_PROXY_NO_TARGET);
    ck_assert(!is_blamed(w, "127.0.0.1") && is_blamed(w, "127.0.0.2"));
    stop_places(w);
    world_free(w);
}
END_TEST

START_TEST(one_that_nobody_is_at_goes_behind_one_that_is_there)
{
    struct world *w = world_new(TWS_PROXY_SOCKS5);

    close(listen_at(0, &w->port));
    w->places[w->nplaces++].listener = -1;
    add_place(w, &granting, NULL, NULL);
    go_once(w, one, LATE);
    ck_assert_int_eq(strncmp(w->proxy, "127.0.0.2:", 10), 0);
    ck_assert(is_blamed(w, "127.0.0.1"));
    stop_places(w);
    world_free(w);
}
END_TEST

START_TEST(one_that_stays_silent_ends_with_the_time)
{
    struct world *w = world_new(_i == 0 ? TWS_PROXY_SOCKS5 : TWS_PROXY_HTTP);

    add_place(w, &silent, &silent, &silent);
    run(w, three, SOON);
    ck_assert_uint_eq(w->r.code, TWS_CODE_TIMEOUT);
    ck_assert_int_eq(w->r.verdict, TWS_PROXY_BROKEN);
    ck_assert_str_eq(w->why, "the proxy gave no answer in time");
    world_free(w);
}
END_TEST

START_TEST(answers_that_never_end_are_ended)
{
    static char head[10000];
    struct talk endless = {{head}, {sizeof(head)}, false};
    struct world *w = world_new(TWS_PROXY_HTTP);

    memset(head, 'x', sizeof(head));
    memcpy(head, "HTTP/1.1 200 ", 13);
    add_place(w, &endless, NULL, NULL);
    run(w, one, LATE);
    ck_assert_str_eq(w->why, "answer too long");
    world_free(w);
}
END_TEST

/* Wherever it closes. */
START_TEST(one_that_closes_is_an_end_at_every_byte)
{
    static const char says[] = "\5\0\5\0\0\3\2ab\0\1";
    static const char http[] = "HTTP/1.1 200 OK\r\n\r\n";
    bool socks = _i < (int)sizeof(says) - 1;
    size_t n = socks ? (size_t)_i : 3 * ((size_t)_i - (sizeof(says) - 1));
    struct talk t = {{socks ? says : http}, {n}, true};
    struct world *w = world_new(socks ? TWS_PROXY_SOCKS5 : TWS_PROXY_HTTP);

    if (socks && n > 2)
        t = (struct talk){{says, says + 2}, {2, n - 2}, true};
    add_place(w, &t, NULL, NULL);
    run(w, one, LATE);
    ck_assert_str_eq(w->why, "connection closed by the proxy");
    ck_assert_uint_eq(w->r.code, TWS_CODE_UNREACHABLE);
    world_free(w);
}
END_TEST

/* ---- no proxy ---- */

static int no_such_name(const char *host, struct tws_ip ips[TWS_RESOLVED_MAX], size_t *count)
{
    (void)ips;
    *count = 0;
    return strcmp(host, "proxy.test") == 0 ? EAI_NONAME : EAI_AGAIN;
}

START_TEST(a_proxy_that_is_not_there_is_not_the_target)
{
    struct world *w = world_new(TWS_PROXY_SOCKS5);
    int fd = listen_at(0, &w->port);

    close(fd);
    w->nplaces = 1; /* which nobody is at */
    w->places[0].listener = -1;
    run(w, three, LATE);
    ck_assert_int_eq(w->r.unconnected, TWS_CONNECT_REFUSED);
    ck_assert_uint_eq(w->r.code, TWS_CODE_UNREACHABLE);
    ck_assert_str_eq(w->why, "Connection refused");
    world_free(w);

    w = world_new(TWS_PROXY_SOCKS5);
    ck_assert_int_eq(tws_resolver_replace(w->loop, no_such_name), TWS_OK);
    run(w, three, LATE);
    ck_assert_int_eq(w->r.unconnected, TWS_CONNECT_RESOLVE);
    ck_assert_uint_eq(w->r.code, TWS_CODE_UNREACHABLE);
    ck_assert_uint_eq(w->r.proxy.len, 0);
    world_free(w);
}
END_TEST

/* ---- giving it up ---- */

static void on_halt(struct tws_timer *t)
{
    tws_loop_stop(t->loop);
}

START_TEST(a_detour_that_is_cancelled_says_nothing_more)
{
    static const uint64_t after_us[] = {0, 1000, 20000};
    struct world *w = world_new(TWS_PROXY_SOCKS5);
    struct tws_timer halt;

    tws_timer_init(&halt, w->loop, on_halt);
    add_place(w, &half, &half, &half);
    begin(w, three, LATE);
    tws_timer_start(&halt, after_us[_i]);
    pair_run(w->loop);
    ck_assert_int_eq(w->calls, 0);
    tws_detour_cancel(w->detour);
    tws_timer_start(&halt, 1000);
    pair_run(w->loop);
    ck_assert_int_eq(w->calls, 0);
    tws_detour_cancel(NULL);
    world_free(w);
}
END_TEST

#define N(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
    TCase *t = tcase_create("detour");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, another_address_is_asked_for_if_the_answer_is_about_the_first, 0,
                        N(answers));
    tcase_add_test(t, a_login_that_is_refused_is_not_tried_again);
    tcase_add_test(t, of_several_failures_the_most_telling_is_told);
    tcase_add_test(t, the_proxys_address_that_works_is_asked_for_the_next);
    tcase_add_test(t, an_address_that_may_not_be_asked_for_is_not);
    tcase_add_loop_test(t, a_name_is_asked_for_as_it_is, 0, 2);
    tcase_add_test(t, what_the_target_says_at_once_is_left_to_the_tunnel);
    tcase_add_loop_test(t, another_address_of_the_proxy_takes_the_place_of_one_that_fails, 0,
                        N(bad_ones));
    tcase_add_test(t, what_a_target_did_not_answer_is_not_the_proxys_fault);
    tcase_add_test(t, one_that_answers_again_is_forgiven);
    tcase_add_test(t, one_that_nobody_is_at_goes_behind_one_that_is_there);
    tcase_add_loop_test(t, one_that_stays_silent_ends_with_the_time, 0, 2);
    tcase_add_test(t, answers_that_never_end_are_ended);
    tcase_add_loop_test(t, one_that_closes_is_an_end_at_every_byte, 0, 11 + 7);
    tcase_add_test(t, a_proxy_that_is_not_there_is_not_the_target);
    tcase_add_loop_test(t, a_detour_that_is_cancelled_says_nothing_more, 0, 3);
    return run_suite("ws/detour", t);
}

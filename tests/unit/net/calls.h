/* calls.h - connections that a test makes: names it invents, results it keeps, other sides. */
#ifndef TWS_TEST_NET_CALLS_H
#define TWS_TEST_NET_CALLS_H

#include "driver.h"

#include "tws/net/connector.h"
#include "tws/net/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- names, as a faked getaddrinfo knows them ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* "silent" waits for it */

static const struct {
    const char *name;
    const char *ips[6];
} names[] = {
    {"two", {"::1", "127.0.0.1"}},
    {"mapped", {"::ffff:127.0.0.1"}},
    {"same", {"127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1"}},
    /* A family comes first and is then alternated with the other. */
    {"mixed", {"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2", "192.0.2.3"}},
    {"others", {"127.0.0.2", "127.0.0.3", "127.0.0.1"}},
};

static inline int fake(const char *host, struct tws_ip ips[TWS_RESOLVED_MAX], size_t *count)
{
    if (strcmp(host, "silent") == 0) {
        pthread_mutex_lock(&gate);
        pthread_mutex_unlock(&gate);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t j = 0; strcmp(host, names[i].name) == 0 && names[i].ips[j] != NULL; j++)
            ck_assert_int_eq(tws_ip_parse(names[i].ips[j], &ips[(*count)++]), TWS_OK);
    return *count == 0 ? EAI_NONAME : 0;
}

/* ---- one connection ---- */

struct call {
    struct tws_loop *loop;
    struct tws_connector *c;
    struct tws_connect_options o;
    int calls, *left;
    struct tws_connect_result r;
    char detail[128], peer[TWS_HOSTPORT_TEXT];
    char asked[512];    /* of the filter, in order */
    const char *refuse; /* address the filter refuses; "*": all */
};

static inline void on_connect(void *arg, const struct tws_connect_result *r)
{
    struct call *k = arg;

    k->calls++;
    k->r = *r;
    snprintf(k->detail, sizeof k->detail, "%s", r->detail);
    tws_sockaddr_format(&r->peer, k->peer, sizeof k->peer);
    tws_connector_cancel(k->c); /* harmless here */
    if (k->left == NULL || --*k->left == 0)
        tws_loop_stop(k->loop);
}

static inline bool filter(void *arg, const struct tws_ip *ip, uint16_t port,
                          struct tws_connect_from *from)
{
    struct call *k = arg;
    char text[TWS_IP_TEXT];
    size_t n = strlen(k->asked);

    (void)from;
    ck_assert_uint_eq(port, k->o.port);
    tws_ip_format(ip, text, sizeof text);
    snprintf(k->asked + n, sizeof k->asked - n, "%s ", text);
    return k->refuse == NULL || (strcmp(k->refuse, "*") != 0 && strcmp(k->refuse, text) != 0);
}

static inline struct tws_loop *fake_loop(void)
{
    struct tws_loop *loop = driver_loop();

    ck_assert_int_eq(tws_resolver_replace(loop, fake), TWS_OK);
    return loop;
}

static inline void call_start(struct call *k, struct tws_loop *loop, const char *host,
                              uint16_t port)
{
    k->loop = loop;
    k->o.host = host;
    k->o.port = port;
    ck_assert_int_eq(tws_connector_start(loop, &k->o, on_connect, k, &k->c), TWS_OK);
    ck_assert_int_eq(k->calls, 0);
}

static inline void call_run(struct call *k, struct tws_loop *loop, const char *host, uint16_t port)
{
    call_start(k, loop, host, port);
    driver_run(loop);
    ck_assert_int_eq(k->calls, 1);
    ck_assert_int_eq(k->r.fd >= 0, k->r.failure == TWS_CONNECT_OK);
}

static inline void call_close(struct call *k)
{
    tws_socket_close(k->calls > 0 ? k->r.fd : -1);
}

/* ---- the other side ---- */

/* Listens on ip:*port; port 0 becomes the chosen one. -1 if the machine lacks the address. */
static inline int listen_at(const char *ip_text, uint16_t *port, int backlog)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    ck_assert_int_eq(tws_ip_parse(ip_text, &ip), TWS_OK);
    tws_sockaddr_set(&sa, &ip, *port);
    int fd = socket(sa.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && ip.family == 6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa.ss, sa.len) != 0 || listen(fd, backlog) != 0) {
        tws_socket_close(fd);
        return -1;
    }
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa.ss, &sa.len), 0);
    tws_sockaddr_get(&sa, &ip, port);
    return fd;
}

/* Listeners on the same port of two addresses; others, at the same time, take ports at random. */
static inline void listen_at_both(const char *a, const char *b, uint16_t *port, int fds[2])
{
    for (fds[1] = -1; fds[1] < 0;) {
        *port = 0;
        fds[0] = listen_at(a, port, 8);
        ck_assert_int_ge(fds[0], 0);
        fds[1] = listen_at(b, port, 8);
        if (fds[1] < 0)
            tws_socket_close(fds[0]);
    }
}

/* A port of 127.0.0.1 that is bound, so nobody else gets it, but refuses. */
static inline int refusing_port(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

/* A listener whose backlog is full: a SYN to it is dropped. */
struct blackhole {
    int listener, fill[8];
};

static inline void blackhole_open(struct blackhole *b, const char *ip_text, uint16_t *port)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    b->listener = listen_at(ip_text, port, 0);
    ck_assert_int_ge(b->listener, 0);
    ck_assert_int_eq(tws_ip_parse(ip_text, &ip), TWS_OK);
    tws_sockaddr_set(&sa, &ip, *port);
    for (int i = 0; i < 8; i++) {
        b->fill[i] = socket(sa.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(b->fill[i], (struct sockaddr *)&sa.ss, sa.len);
    }
}

static inline void blackhole_close(struct blackhole *b)
{
    for (int i = 0; i < 8; i++)
        tws_socket_close(b->fill[i]);
    tws_socket_close(b->listener);
}

#endif

/*
 * detour.c - see detour.h. A try is: connect to one of the proxy's addresses, ask it for one of the
 * target's. What a try came to is noted, and settle() decides on the next; finish() is the one way
 * to the end. Each further try uses up an address of the proxy or of the target, so they are few.
 */
#include "tws/ws/detour.h"

#include "tws/base/secret.h"
#include "tws/proto/code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_SHARE 4 /* of the whole: one part in so many */

struct tws_detour {
    struct tws_loop *loop;
    tws_detour_fn *fn;
    tws_detour_filter *filter;
    void *arg;
    struct tws_proxy_url url;
    struct tws_connect_from from;
    uint64_t connect_us, timeout_us, until_us;
    struct tws_ip proxies[TWS_DETOUR_ADDRESSES]; /* that may still do; the next to dial in front */
    size_t nproxies;                             /* 0: not known yet */
    struct tws_hostport target;
    struct tws_ip ips[TWS_DETOUR_ADDRESSES]; /* of the target */
    size_t nips, at;                         /* `at`: the one to ask for */
    struct tws_connector *connector;
    struct tws_sockaddr peer; /* the proxy's, of this try */
    int fd;
    struct tws_proxy proxy;
    struct tws_timer patience;
    struct tws_detour_memory *memory; /* may be NULL */
    struct {
        struct tws_ip ip; /* of the proxy */
        size_t at;        /* what it was asked for, and did not answer */
    } worn[TWS_DETOUR_ADDRESSES];
    size_t nworn;
    int telling; /* how much what is noted tells; 0: nothing is */
    struct tws_detour_result result;
    char why[128];
};

/* ---- the end ---- */

static void stop(struct tws_detour *d)
{
    tws_connector_cancel(d->connector);
    d->connector = NULL;
    tws_proxy_stop(&d->proxy);
    tws_timer_stop(&d->patience);
    tws_socket_close(d->fd);
    d->fd = -1;
}

void tws_detour_cancel(struct tws_detour *d)
{
    if (d == NULL)
        return;
    stop(d);
    tws_wipe(&d->url, sizeof(d->url));
    tws_loop_free_later(d->loop, d);
}

static void finish(struct tws_detour *d)
{
    d->result.why = d->why;
    tws_detour_cancel(d);
    d->fn(d->arg, &d->result);
}

/* ---- what went wrong ---- */

enum {
    TELLS_UNCONNECTED = 1,
    TELLS_BROKEN,
    TELLS_NO_TARGET, /* and more, by its code */
    TELLS_ALL = 9,
};

static void note(struct tws_detour *d, int telling, uint16_t code, const char *why)
{
    if (telling <= d->telling)
        return;
    d->telling = telling;
    d->result.code = code;
    d->result.unconnected = TWS_CONNECT_OK;
    d->result.verdict = TWS_PROXY_BROKEN;
    d->result.proxy = d->peer;
    (void)snprintf(d->why, sizeof(d->why), "%s", why);
}

static void note_unconnected(struct tws_detour *d, enum tws_connect_failure f, uint16_t code,
                             const char *why)
{
    if (d->telling >= TELLS_UNCONNECTED)
        return;
    note(d, TELLS_UNCONNECTED, code, why);
    d->result.unconnected = f;
}

static int telling_of(const struct tws_proxy_answer *a)
{
    if (a->verdict == TWS_PROXY_BROKEN)
        return TELLS_BROKEN;
    if (a->verdict == TWS_PROXY_REFUSES)
        return TELLS_ALL;
    switch (a->code) {
    case TWS_CODE_REFUSED:
        return TELLS_NO_TARGET + 3;
    case TWS_CODE_TIMEOUT:
        return TELLS_NO_TARGET + 2;
    case TWS_CODE_UNREACHABLE:
        return TELLS_NO_TARGET + 1;
    default:
        return TELLS_NO_TARGET;
    }
}

static void note_answer(struct tws_detour *d, const struct tws_proxy_answer *a)
{
    int telling = telling_of(a);

    if (telling <= d->telling)
        return;
    note(d, telling, a->code, a->why);
    d->result.verdict = a->verdict;
}

/* ---- what is remembered ---- */

static struct tws_detour_place place_of(const struct tws_detour *d, const struct tws_ip *ip)
{
    return (struct tws_detour_place){.ip = *ip, .port = d->url.address.port, .from = d->from};
}

static struct tws_detour_place this_place(const struct tws_detour *d)
{
    return place_of(d, &d->proxies[0]);
}

static uint64_t rank(void *arg, const struct tws_ip *ip, uint16_t port)
{
    const struct tws_detour *d = arg;
    struct tws_detour_place p = place_of(d, ip);

    (void)port;
    return d->memory != NULL ? tws_detour_memory_rank(d->memory, &p, tws_loop_now(d->loop)) : 0;
}

static void blame(struct tws_detour *d, const struct tws_ip *ip)
{
    struct tws_detour_place p = place_of(d, ip);

    if (d->memory != NULL)
        tws_detour_memory_blame(d->memory, &p, tws_loop_now(d->loop));
}

/* The proxy's address in front came to an answer. What is silent about a target may wait for it. */
static void judge(struct tws_detour *d, const struct tws_proxy_answer *a)
{
    struct tws_detour_place p = this_place(d);

    if (a->verdict == TWS_PROXY_BROKEN && !a->asked)
        blame(d, &d->proxies[0]);
    else if (a->verdict != TWS_PROXY_BROKEN && d->memory != NULL)
        tws_detour_memory_clear(d->memory, &p);
}

/* The target is reached: so it was they that did not answer. */
static void blame_worn(struct tws_detour *d)
{
    for (size_t i = 0; i < d->nworn; i++)
        if (d->worn[i].at == d->at)
            blame(d, &d->worn[i].ip);
}

/* ---- the next try ---- */

static bool next_target(struct tws_detour *d)
{
    if (d->at + 1 >= d->nips)
        return false;
    d->at++;
    return true;
}

/* The proxy's address in front is used up. */
static bool next_proxy(struct tws_detour *d)
{
    if (d->nproxies <= 1)
        return false;
    d->worn[d->nworn].at = d->at;
    d->worn[d->nworn++].ip = d->proxies[0];
    d->nproxies--;
    memmove(&d->proxies[0], &d->proxies[1], d->nproxies * sizeof(d->proxies[0]));
    return true;
}

static bool has_next(struct tws_detour *d, const struct tws_proxy_answer *a)
{
    if (a->verdict == TWS_PROXY_REFUSES)
        return false;
    if (a->verdict == TWS_PROXY_NO_TARGET)
        return next_target(d);
    /* An HTTP proxy is asked with the first byte: nothing was heard of it yet. */
    if (a->asked && d->url.kind != TWS_PROXY_HTTP)
        return next_target(d) || next_proxy(d);
    return next_proxy(d) || (a->asked && next_target(d));
}

static void begin_try(struct tws_detour *d);

/* The try came to an answer that is no tunnel, or to none. */
static void settle(struct tws_detour *d, const struct tws_proxy_answer *a)
{
    note_answer(d, a);
    judge(d, a);
    stop(d);
    if (tws_loop_now(d->loop) < d->until_us && has_next(d, a))
        begin_try(d);
    else
        finish(d);
}

/* ---- asking ---- */

static bool is_same(const struct tws_sockaddr *a, const struct tws_sockaddr *b)
{
    struct tws_ip left, right;
    uint16_t port;

    tws_sockaddr_get(a, &left, &port);
    tws_sockaddr_get(b, &right, &port);
    return tws_ip_equal(&left, &right);
}

static void on_answer(struct tws_proxy *p, const struct tws_proxy_answer *a)
{
    struct tws_detour *d = TWS_CONTAINER(p, struct tws_detour, proxy);

    if (a->verdict != TWS_PROXY_UP) {
        settle(d, a);
        return;
    }
    judge(d, a);
    blame_worn(d);
    struct tws_detour_result reached = {.fd = d->fd, .verdict = TWS_PROXY_UP, .proxy = d->peer};
    if (d->nips > 0)
        reached.ip = d->ips[d->at];
    if (d->telling == TELLS_BROKEN && !is_same(&d->result.proxy, &d->peer))
        reached.given_up = d->result.proxy;
    d->result = reached;
    d->fd = -1;
    finish(d);
}

static uint64_t share(const struct tws_detour *d)
{
    uint64_t now = tws_loop_now(d->loop), left = d->until_us > now ? d->until_us - now : 0;
    size_t others = d->nproxies - 1 + (d->nips > 0 ? d->nips - 1 - d->at : 0);
    uint64_t part = left / (others + 1), least = d->timeout_us / LEAST_SHARE;

    if (part < least)
        part = least;
    return part < left ? part : left;
}

static void on_patience(struct tws_timer *t)
{
    struct tws_detour *d = TWS_CONTAINER(t, struct tws_detour, patience);
    struct tws_proxy_answer a = {.verdict = TWS_PROXY_BROKEN,
                                 .asked = tws_proxy_asked(&d->proxy),
                                 .code = TWS_CODE_TIMEOUT,
                                 .why = "the proxy gave no answer in time"};

    settle(d, &a);
}

static bool may_ask(struct tws_detour *d)
{
    while (d->nips > 0 && d->filter != NULL && !d->filter(d->arg, &d->ips[d->at], d->target.port)) {
        if (!next_target(d)) {
            note_unconnected(d, TWS_CONNECT_FORBIDDEN, TWS_CODE_FORBIDDEN,
                             "the address is not allowed");
            return false;
        }
    }
    return true;
}

static void ask(struct tws_detour *d)
{
    struct tws_hostport target = d->target;

    if (!may_ask(d)) {
        finish(d);
        return;
    }
    if (d->nips > 0)
        tws_ip_format(&d->ips[d->at], target.host, sizeof(target.host));
    tws_err err = tws_proxy_start(d->loop, &d->proxy, d->fd, &d->url, &target, on_answer);
    if (err == TWS_OK) {
        tws_timer_start(&d->patience, share(d));
        return;
    }
    if (err == TWS_SYS)
        note(d, TELLS_ALL, TWS_CODE_RESOURCES, strerror(errno));
    else
        note(d, TELLS_ALL, TWS_CODE_UNREACHABLE, "no SOCKS5 request can name the target");
    finish(d);
}

/* ---- connecting ---- */

static uint16_t code_of(enum tws_connect_failure f)
{
    if (f == TWS_CONNECT_TIMEOUT)
        return TWS_CODE_TIMEOUT;
    return f == TWS_CONNECT_RESOURCES ? TWS_CODE_RESOURCES : TWS_CODE_UNREACHABLE;
}

/* All of them, in the order in which they are dialled: by their rank. */
static bool remember(void *arg, const struct tws_ip *ip, uint16_t port,
                     struct tws_connect_from *from)
{
    struct tws_detour *d = arg;
    size_t i = d->nproxies++;

    (void)from;
    for (; i > 0 && rank(d, &d->proxies[i - 1], port) > rank(d, ip, port); i--)
        d->proxies[i] = d->proxies[i - 1];
    d->proxies[i] = *ip;
    return true;
}

/* It is the one that the next tries dial first, and the one that is used up if it fails. Those in
 * front of it were dialled before it and have come to nothing, or will later. */
static void put_in_front(struct tws_detour *d, const struct tws_sockaddr *peer)
{
    struct tws_ip ip;
    uint16_t port;
    size_t i = 0;

    tws_sockaddr_get(peer, &ip, &port);
    while (i < d->nproxies && !tws_ip_equal(&d->proxies[i], &ip))
        blame(d, &d->proxies[i++]);
    if (i < d->nproxies)
        memmove(&d->proxies[1], &d->proxies[0], i * sizeof(ip));
    d->proxies[0] = ip;
}

static void give_chance(struct tws_detour *d)
{
    struct tws_detour_place p = this_place(d);

    if (d->memory != NULL)
        tws_detour_memory_retry(d->memory, &p, tws_loop_now(d->loop));
}

static void on_connected(void *arg, const struct tws_connect_result *r)
{
    struct tws_detour *d = arg;

    d->connector = NULL;
    d->peer = r->peer;
    if (r->failure != TWS_CONNECT_OK) {
        note_unconnected(d, r->failure, code_of(r->failure), r->detail);
        finish(d);
        return;
    }
    d->fd = r->fd;
    put_in_front(d, &r->peer);
    give_chance(d);
    ask(d);
}

static tws_err dial(struct tws_detour *d, const struct tws_ip *ips, size_t n)
{
    uint64_t now = tws_loop_now(d->loop), left = d->until_us > now ? d->until_us - now : 1;
    struct tws_connect_options o = {.host = d->url.address.host,
                                    .port = d->url.address.port,
                                    .ips = ips,
                                    .nips = n,
                                    .from = &d->from,
                                    .filter = d->nproxies == 0 ? remember : NULL,
                                    .rank = d->nproxies == 0 ? rank : NULL};

    o.timeout_us = d->connect_us > 0 && d->connect_us < left ? d->connect_us : left;
    return tws_connector_start(d->loop, &o, on_connected, d, &d->connector);
}

static void begin_try(struct tws_detour *d)
{
    tws_err err = dial(d, d->proxies, d->nproxies);

    if (err == TWS_OK)
        return;
    note_unconnected(d, TWS_CONNECT_RESOURCES, TWS_CODE_RESOURCES, tws_err_text(err));
    finish(d);
}

tws_err tws_detour_start(struct tws_loop *loop, const struct tws_detour_options *o,
                         tws_detour_fn *fn, void *arg, struct tws_detour **out)
{
    struct tws_detour *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return TWS_NOMEM;
    d->loop = loop;
    d->fn = fn;
    d->arg = arg;
    d->filter = o->filter;
    d->memory = o->memory;
    d->url = *o->url;
    d->target = *o->target;
    if (o->from != NULL)
        d->from = *o->from;
    for (; d->nips < o->nips && d->nips < TWS_DETOUR_ADDRESSES; d->nips++)
        d->ips[d->nips] = o->ips[d->nips];
    d->connect_us = o->connect_us;
    d->timeout_us = o->timeout_us;
    d->until_us = tws_loop_now(loop) + o->timeout_us;
    d->fd = d->result.fd = -1;
    tws_timer_init(&d->patience, loop, on_patience);
    tws_err err = dial(d, o->proxy_ips, o->nproxy_ips);
    if (err == TWS_OK)
        *out = d;
    else
        tws_detour_cancel(d);
    return err;
}

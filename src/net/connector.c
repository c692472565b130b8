/*
 * connector.c - see connector.h.
 *
 * A connector resolves, then tries its candidates in order; each try is an attempt that owns its
 * descriptor until it wins or fails. The next candidate is tried when an attempt fails or when the
 * stagger timer fires. finish() is the one way to the end: it stops everything and posts the task
 * that calls back, so that no callback comes out of start or of another's callback.
 */
#include "tws/net/connector.h"

#include "dial_priv.h"
#include "loop_priv.h"

#include "tws/net/resolver.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAGGER_US         250000   /* RFC 8305, 5 */
#define DEFAULT_TIMEOUT_US 10000000 /* of the whole */

struct attempt {
    struct tws_io io; /* running: the attempt is under way */
    struct tws_connector *c;
    struct tws_sockaddr to;
    struct tws_connect_from from;
};

struct tws_connector {
    struct tws_loop *loop;
    tws_connect_fn *fn; /* NULL: called or cancelled */
    void *arg;
    tws_connect_filter *filter;
    tws_connect_rank *rank;
    struct tws_connect_from from; /* as the options have it */
    const void *owner;
    uint16_t port;
    uint64_t timeout_us;
    bool keep_io;

    struct tws_resolve query;
    struct tws_timer deadline, stagger;
    struct tws_task finished;
    struct tws_connect_result result; /* the best failure so far, until something connects */
    char detail[128];

    unsigned count, next, under_way;
    struct attempt attempts[TWS_CONNECT_ADDRESSES];
};

/* Of the failures of several addresses the highest is reported. */
static const int telling[] = {
    [TWS_CONNECT_OK] = 0,      [TWS_CONNECT_FORBIDDEN] = 1, [TWS_CONNECT_UNREACHABLE] = 2,
    [TWS_CONNECT_OTHER] = 3,   [TWS_CONNECT_TIMEOUT] = 4,   [TWS_CONNECT_RESOURCES] = 5,
    [TWS_CONNECT_REFUSED] = 6, [TWS_CONNECT_RESOLVE] = 7,
};

/* ---- the end ---- */

static void note_failure(struct tws_connector *c, enum tws_connect_failure f,
                         const struct tws_sockaddr *to, const char *detail)
{
    if (telling[f] <= telling[c->result.failure])
        return;
    c->result.failure = f;
    c->result.peer = to != NULL ? *to : (struct tws_sockaddr){.len = 0};
    snprintf(c->detail, sizeof c->detail, "%s", detail);
}

/* Closes what is under way, but for the one that won. */
static void stop(struct tws_connector *c)
{
    tws_resolve_cancel(&c->query);
    tws_timer_stop(&c->deadline);
    tws_timer_stop(&c->stagger);
    for (unsigned i = 0; i < c->next; i++) {
        if (&c->attempts[i].io != c->result.io)
            tws_io_close(&c->attempts[i].io);
    }
    c->next = c->count;
    c->under_way = 0;
}

static void finish(struct tws_connector *c)
{
    stop(c);
    /* Who dials for the next in line when this one has failed must not make one turn of them all.
     */
    if (c->result.failure == TWS_CONNECT_OK)
        tws_task_post(c->loop, &c->finished);
    else
        tws_task_post_next(c->loop, &c->finished);
}

static void on_finished(struct tws_task *t)
{
    struct tws_connector *c = TWS_CONTAINER(t, struct tws_connector, finished);
    tws_connect_fn *fn = c->fn;

    c->fn = NULL;
    c->result.detail = c->detail;
    tws_loop_free_later(c->loop, c);
    fn(c->arg, &c->result);
}

void tws_connector_cancel(struct tws_connector *c)
{
    if (c == NULL || c->fn == NULL)
        return;
    c->fn = NULL;
    stop(c);
    tws_task_cancel(&c->finished);
    if (c->result.io != NULL)
        tws_io_stop(c->result.io);
    tws_socket_close(c->result.fd);
    tws_loop_free_later(c->loop, c);
}

static void on_deadline(struct tws_timer *t)
{
    struct tws_connector *c = TWS_CONTAINER(t, struct tws_connector, deadline);
    unsigned seconds = (unsigned)((c->timeout_us + 999999) / 1000000);
    char text[64];

    snprintf(text, sizeof text, "no answer within %u s", seconds);
    if (c->count == 0) {
        snprintf(text, sizeof text, "the resolver gave no answer within %u s", seconds);
        note_failure(c, TWS_CONNECT_RESOLVE, NULL, text);
    }
    for (unsigned i = 0; i < c->next; i++)
        if (tws_io_running(&c->attempts[i].io))
            note_failure(c, TWS_CONNECT_TIMEOUT, &c->attempts[i].to, text);
    finish(c);
}

/* ---- attempts ---- */

static void try_next(struct tws_connector *c);

static void fail_attempt(struct attempt *a, int error)
{
    note_failure(a->c, tws_dial_failure(error, &a->to), &a->to, strerror(error));
}

static void win(struct attempt *a, const struct tws_sockaddr *own, unsigned events)
{
    struct tws_connector *c = a->c;

    c->result = (struct tws_connect_result){.fd = a->io.fd, .peer = a->to, .own = *own};
    c->detail[0] = '\0';
    if (c->keep_io) {
        c->result.io = &a->io;
        if (events & ~TWS_IO_WRITE) /* the target spoke first: no edge will say so again */
            tws_io_again(&a->io, events & ~TWS_IO_WRITE);
    } else {
        tws_io_stop(&a->io);
    }
    finish(c);
}

static void on_attempt(struct tws_io *io, unsigned events)
{
    struct attempt *a = TWS_CONTAINER(io, struct attempt, io);
    struct tws_connector *c = a->c;
    struct tws_sockaddr own;
    int error = tws_dial_outcome(io->fd, events, &a->to, &own);

    if (error == EINPROGRESS)
        return;
    if (error == 0) {
        win(a, &own, events);
        return;
    }
    tws_io_close(io);
    c->under_way--;
    fail_attempt(a, error);
    try_next(c);
}

/* Whether the attempt is under way; if not, its failure is noted. */
static bool start_attempt(struct tws_connector *c, struct attempt *a)
{
    int fd = -1;
    int error = tws_dial(&a->to, &a->from, &fd);

    a->c = c;
    if (error == 0 && tws_io_start(c->loop, &a->io, fd, on_attempt) == TWS_OK)
        return true;
    if (error == 0)
        error = errno;
    tws_socket_close(fd);
    fail_attempt(a, error);
    return false;
}

static void try_next(struct tws_connector *c)
{
    tws_timer_stop(&c->stagger);
    while (c->next < c->count) {
        if (!start_attempt(c, &c->attempts[c->next++]))
            continue;
        c->under_way++;
        if (c->next < c->count)
            tws_timer_start(&c->stagger, STAGGER_US);
        return;
    }
    if (c->under_way == 0)
        finish(c);
}

static void on_stagger(struct tws_timer *t)
{
    try_next(TWS_CONTAINER(t, struct tws_connector, stagger));
}

/* ---- candidates ---- */

static bool has_candidate(const struct tws_connector *c, const struct tws_ip *ip)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct tws_ip other;
        uint16_t port;

        tws_sockaddr_get(&c->attempts[i].to, &other, &port);
        if (tws_ip_equal(&other, ip))
            return true;
    }
    return false;
}

static uint64_t rank_of(const struct tws_connector *c, const struct tws_sockaddr *to)
{
    struct tws_ip ip;
    uint16_t port;

    tws_sockaddr_get(to, &ip, &port);
    return c->rank(c->arg, &ip, port);
}

/* Behind those that do not go behind it. */
static void insert_candidate(struct tws_connector *c, const struct tws_sockaddr *to,
                             const struct tws_connect_from *from)
{
    unsigned i = c->count++;

    while (c->rank != NULL && i > 0 && rank_of(c, &c->attempts[i - 1].to) > rank_of(c, to)) {
        c->attempts[i] = c->attempts[i - 1];
        i--;
    }
    c->attempts[i] = (struct attempt){.to = *to, .from = *from};
}

static void add_candidate(struct tws_connector *c, struct tws_ip ip)
{
    struct tws_connect_from from = c->from;
    struct tws_sockaddr to;

    ip = tws_ip_unmap(ip);
    if (c->count == TWS_CONNECT_ADDRESSES || has_candidate(c, &ip))
        return;
    tws_sockaddr_set(&to, &ip, c->port);
    if (c->filter != NULL && !c->filter(c->arg, &ip, c->port, &from)) {
        note_failure(c, TWS_CONNECT_FORBIDDEN, &to, "the address is not allowed");
        return;
    }
    insert_candidate(c, &to, &from);
}

/* The first address at or behind `i` whose family is `family` (or is not, if `same` is false). */
static size_t find_family(const struct tws_resolved *r, size_t i, uint8_t family, bool same)
{
    while (i < r->count && (tws_ip_unmap(r->ips[i]).family == family) != same)
        i++;
    return i;
}

/* Takes turns between the families, beginning with the first answer's (RFC 8305, 4). */
static void add_interleaved(struct tws_connector *c, const struct tws_resolved *r)
{
    uint8_t family = tws_ip_unmap(r->ips[0]).family;
    size_t one = 0, other = find_family(r, 0, family, false);

    while (one < r->count || other < r->count) {
        if (one < r->count) {
            add_candidate(c, r->ips[one]);
            one = find_family(r, one + 1, family, true);
        }
        if (other < r->count) {
            add_candidate(c, r->ips[other]);
            other = find_family(r, other + 1, family, false);
        }
    }
}

static void on_resolved(struct tws_resolve *q, const struct tws_resolved *r)
{
    struct tws_connector *c = TWS_CONTAINER(q, struct tws_connector, query);

    if (r->error != NULL)
        note_failure(c, TWS_CONNECT_RESOLVE, NULL, r->error);
    else
        add_interleaved(c, r);
    try_next(c);
}

static void resolve(struct tws_connector *c, const char *host)
{
    const char *why = "too many lookups are waiting";

    if (strlen(host) > TWS_HOST_MAX) {
        note_failure(c, TWS_CONNECT_RESOLVE, NULL, "the name is too long");
        finish(c);
        return;
    }
    tws_err err = tws_resolve_start(c->loop, &c->query, host, c->owner);
    if (err == TWS_OK)
        return;
    if (err == TWS_SYS)
        why = strerror(errno);
    else if (err == TWS_NOMEM)
        why = strerror(ENOMEM);
    note_failure(c, TWS_CONNECT_RESOURCES, NULL, why);
    finish(c);
}

static void begin(struct tws_connector *c, const struct tws_connect_options *o)
{
    struct tws_ip ip;

    if (o->unix_path != NULL) {
        if (tws_sockaddr_set_unix(&c->attempts[0].to, o->unix_path) == TWS_OK)
            c->count = 1;
        else
            note_failure(c, TWS_CONNECT_OTHER, NULL, strerror(errno));
        try_next(c);
    } else if (o->nips > 0) {
        for (size_t i = 0; i < o->nips; i++)
            add_candidate(c, o->ips[i]);
        try_next(c);
    } else if (tws_ip_parse(o->host, &ip) == TWS_OK) {
        add_candidate(c, ip);
        try_next(c);
    } else {
        resolve(c, o->host);
    }
}

tws_err tws_connector_start(struct tws_loop *loop, const struct tws_connect_options *o,
                            tws_connect_fn *fn, void *arg, struct tws_connector **out)
{
    struct tws_connector *c = calloc(1, sizeof *c);

    if (c == NULL)
        return TWS_NOMEM;
    c->loop = loop;
    c->fn = fn;
    c->arg = arg;
    c->filter = o->filter;
    c->rank = o->rank;
    c->owner = o->owner;
    c->port = o->port;
    c->keep_io = o->keep_io;
    c->timeout_us = o->timeout_us == 0 ? DEFAULT_TIMEOUT_US : o->timeout_us;
    c->result.fd = -1;
    if (o->from != NULL)
        c->from = *o->from;
    if (o->source != NULL)
        c->from.ip = *o->source;
    if (o->interface != NULL)
        snprintf(c->from.interface, sizeof c->from.interface, "%s", o->interface);
    if (o->mark != 0)
        c->from.mark = o->mark;
    tws_resolve_init(&c->query, on_resolved);
    tws_timer_init(&c->deadline, loop, on_deadline);
    tws_timer_init(&c->stagger, loop, on_stagger);
    tws_task_init(&c->finished, on_finished);
    tws_timer_start(&c->deadline, c->timeout_us);
    begin(c, o);
    *out = c;
    return TWS_OK;
}

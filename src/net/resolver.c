/*
 * resolver.c - see resolver.h. The loop's side.
 *
 * A lookup belongs to the loop's side until it is given to the workers and from when it is taken
 * back; in between, the workers own all of it but what is marked as the loop's.
 *
 * Whoever has TWS_RESOLVER_SHARE lookups with the workers has the others held back here, in a line
 * of its own. Nobody joins a lookup that waits in somebody else's line.
 */
#include "resolver_priv.h"

#include "tws/net/socket.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

/* What one owner has of the workers; lives as long as one of its lookups. */
struct tws_share {
    struct tws_node share_node;
    const void *owner;
    unsigned known, working; /* lookups: in all, and those that the workers have */
    struct tws_node line;    /* the held ones */
};

struct tws_resolver {
    struct tws_loop *loop;
    struct tws_node shares;
    struct tws_node known; /* lookups that may be joined */
    size_t known_count;
    struct tws_io io; /* the workers' eventfd */
    struct tws_workers *workers;
};

static void add_address(const struct addrinfo *ai, struct tws_ip *ips, size_t *count)
{
    struct tws_sockaddr sa = {.len = ai->ai_addrlen};
    uint16_t port;

    if (*count == TWS_RESOLVED_MAX || ai->ai_addrlen > sizeof sa.ss)
        return;
    memcpy(&sa.ss, ai->ai_addr, ai->ai_addrlen);
    tws_sockaddr_get(&sa, &ips[*count], &port);
    if (ips[*count].family != 0)
        ++*count;
}

/* Without AI_ADDRCONFIG, which hides loopback addresses: an address that cannot be reached fails
 * at once and costs nothing. */
static int ask_system(const char *host, struct tws_ip ips[TWS_RESOLVED_MAX], size_t *count)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int error = getaddrinfo(host, NULL, &hints, &list);

    if (error != 0)
        return error;
    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
        add_address(ai, ips, count);
    freeaddrinfo(list);
    return 0;
}

static const char *error_text(const struct tws_lookup *l)
{
    if (l->error == EAI_SYSTEM)
        return strerror(l->saved_errno);
    if (l->error != 0)
        return gai_strerror(l->error);
    return l->count == 0 ? "no address of a known family" : NULL;
}

/* ---- shares ---- */

static struct tws_share *new_share(struct tws_resolver *r, const void *owner)
{
    struct tws_share *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->owner = owner;
    tws_list_init(&s->line);
    tws_list_init(&s->share_node);
    tws_list_push_back(&r->shares, &s->share_node);
    return s;
}

static struct tws_share *find_share(struct tws_resolver *r, const void *owner)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &r->shares)
    {
        struct tws_share *s = TWS_CONTAINER(it, struct tws_share, share_node);

        if (s->owner == owner)
            return s;
    }
    return NULL;
}

static void free_if_empty(struct tws_share *s)
{
    if (s == NULL || s->known > 0)
        return;
    tws_list_unlink(&s->share_node);
    free(s);
}

static tws_err give_to_workers(struct tws_resolver *r, struct tws_lookup *l)
{
    tws_err err = tws_workers_put(r->workers, l);

    if (err == TWS_OK && l->share != NULL)
        l->share->working++;
    return err;
}

/* Those in line go on. When there is no thread for them they wait for the share's next. */
static void feed(struct tws_resolver *r, struct tws_share *s)
{
    while (s->working < TWS_RESOLVER_SHARE && !tws_list_empty(&s->line)) {
        struct tws_lookup *l = TWS_CONTAINER(s->line.next, struct tws_lookup, work_node);

        tws_list_unlink(&l->work_node);
        l->held = false;
        if (give_to_workers(r, l) == TWS_OK)
            continue;
        l->held = true;
        tws_list_push_front(&s->line, &l->work_node);
        return;
    }
}

/* The first of its owner: at once, or in line behind the others. */
static tws_err enter(struct tws_resolver *r, struct tws_lookup *l)
{
    struct tws_share *s = l->share;

    if (s == NULL || s->working < TWS_RESOLVER_SHARE)
        return give_to_workers(r, l);
    l->held = true;
    tws_list_push_back(&s->line, &l->work_node);
    return TWS_OK;
}

static void forget(struct tws_resolver *r, struct tws_lookup *l)
{
    struct tws_share *s = l->share;

    tws_list_unlink(&l->known_node);
    r->known_count--;
    if (s == NULL)
        return;
    if (l->held)
        tws_list_unlink(&l->work_node);
    else
        s->working--;
    s->known--;
    feed(r, s);
    free_if_empty(s);
}

/* ---- answers ---- */

static void deliver(struct tws_lookup *l)
{
    struct tws_resolved answer = {.ips = l->ips, .count = l->count, .error = error_text(l)};

    while (!tws_list_empty(&l->waiters)) {
        struct tws_resolve *q = TWS_CONTAINER(l->waiters.next, struct tws_resolve, waiter_node);

        tws_list_unlink(&q->waiter_node);
        q->lookup = NULL;
        q->fn(q, &answer);
    }
}

static void on_answers(struct tws_io *io, unsigned events)
{
    struct tws_resolver *r = TWS_CONTAINER(io, struct tws_resolver, io);
    struct tws_lookup *l;

    (void)events;
    while ((l = tws_workers_take_done(r->workers)) != NULL) {
        forget(r, l);
        deliver(l);
        free(l);
    }
}

static tws_err resolver_new(struct tws_loop *loop, tws_lookup_fn *fn)
{
    struct tws_resolver *r = calloc(1, sizeof *r);
    tws_err err = TWS_OK;

    if (r == NULL)
        return TWS_NOMEM;
    r->loop = loop;
    tws_list_init(&r->known);
    tws_list_init(&r->shares);
    err = tws_workers_new(fn, &r->workers);
    if (err != TWS_OK)
        goto fail;
    err = tws_io_start(loop, &r->io, tws_workers_fd(r->workers), on_answers);
    if (err != TWS_OK)
        goto fail;
    loop->resolver = r;
    return TWS_OK;

fail:
    tws_resolver_free(r);
    return err;
}

/* What the workers have is theirs to free. */
static void free_held(struct tws_share *s)
{
    while (!tws_list_empty(&s->line)) {
        struct tws_lookup *l = TWS_CONTAINER(s->line.next, struct tws_lookup, work_node);

        tws_list_unlink(&l->work_node);
        free(l);
    }
}

void tws_resolver_free(struct tws_resolver *r)
{
    int saved = errno;
    struct tws_share *s;

    if (r == NULL)
        return;
    while ((s = TWS_LIST_FIRST(&r->shares, struct tws_share, share_node)) != NULL) {
        free_held(s);
        tws_list_unlink(&s->share_node);
        free(s);
    }
    tws_io_stop(&r->io);
    if (r->workers != NULL)
        tws_workers_abandon(r->workers);
    free(r);
    errno = saved;
}

tws_err tws_resolver_replace(struct tws_loop *loop, tws_lookup_fn *lookup)
{
    assert(loop->resolver == NULL);
    return resolver_new(loop, lookup);
}

/* ---- questions ---- */

static struct tws_lookup *find(struct tws_resolver *r, const char *host, const void *owner)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &r->known)
    {
        struct tws_lookup *l = TWS_CONTAINER(it, struct tws_lookup, known_node);

        if (strcmp(l->host, host) == 0 && (!l->held || l->share->owner == owner))
            return l;
    }
    return NULL;
}

static struct tws_lookup *new_lookup(const char *host)
{
    struct tws_lookup *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    memcpy(l->host, host, strlen(host) + 1);
    tws_list_init(&l->known_node);
    tws_list_init(&l->work_node);
    tws_list_init(&l->waiters);
    return l;
}

/* For `s`, or for nobody. */
static tws_err look_up(struct tws_resolver *r, struct tws_share *s, const char *host,
                       struct tws_lookup **out)
{
    if (strlen(host) > TWS_HOST_MAX || r->known_count == TWS_RESOLVER_WAITING ||
        (s != NULL && s->known == TWS_RESOLVER_LINE))
        return TWS_FULL;
    struct tws_lookup *l = new_lookup(host);
    if (l == NULL)
        return TWS_NOMEM;
    l->share = s;
    tws_err err = enter(r, l);
    if (err != TWS_OK) {
        free(l);
        return err;
    }
    tws_list_push_back(&r->known, &l->known_node);
    r->known_count++;
    if (s != NULL)
        s->known++;
    *out = l;
    return TWS_OK;
}

static tws_err look_up_for(struct tws_resolver *r, const void *owner, const char *host,
                           struct tws_lookup **out)
{
    struct tws_share *s = owner != NULL ? find_share(r, owner) : NULL;

    if (owner != NULL && s == NULL)
        s = new_share(r, owner);
    if (owner != NULL && s == NULL)
        return TWS_NOMEM;
    tws_err err = look_up(r, s, host, out);
    free_if_empty(s);
    return err;
}

void tws_resolve_init(struct tws_resolve *q, tws_resolve_fn *fn)
{
    *q = (struct tws_resolve){.fn = fn};
    tws_list_init(&q->waiter_node);
}

tws_err tws_resolve_start(struct tws_loop *loop, struct tws_resolve *q, const char *host,
                          const void *owner)
{
    tws_err err = loop->resolver == NULL ? resolver_new(loop, ask_system) : TWS_OK;
    struct tws_lookup *l = NULL;

    if (err != TWS_OK)
        return err;
    l = find(loop->resolver, host, owner);
    if (l == NULL)
        err = look_up_for(loop->resolver, owner, host, &l);
    if (err != TWS_OK)
        return err;
    q->lookup = l;
    l->resolver = loop->resolver;
    tws_list_push_back(&l->waiters, &q->waiter_node);
    return TWS_OK;
}

void tws_resolve_cancel(struct tws_resolve *q)
{
    struct tws_lookup *l = q->lookup;

    if (l == NULL)
        return;
    tws_list_unlink(&q->waiter_node);
    q->lookup = NULL;
    /* One that runs cannot be stopped: its answer will find nobody. */
    if (tws_list_empty(&l->waiters) && (l->held || tws_workers_remove(l->resolver->workers, l))) {
        forget(l->resolver, l);
        free(l);
    }
}

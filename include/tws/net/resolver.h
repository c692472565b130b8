/*
 * resolver.h - names to addresses without blocking the loop.
 *
 * getaddrinfo(3) runs in threads of our own: libuv's pool has four, lets lookups use two of them,
 * and cannot be left behind when the process ends. Here at most TWS_RESOLVER_THREADS lookups are
 * under way (threads come with demand and go after 10 s without); the others wait in order. One
 * name is looked up once at a time, however many ask: a thousand connections to a name whose
 * server is silent hold one thread. And one owner holds TWS_RESOLVER_SHARE threads at most, with
 * however many such names: the others' are still looked up. Nothing is cached. A thread stuck in a
 * lookup outlives the resolver without touching it.
 */
#ifndef TWS_NET_RESOLVER_H
#define TWS_NET_RESOLVER_H

#include "tws/base/addr.h"
#include "tws/net/loop.h"

#define TWS_RESOLVER_THREADS 64
#define TWS_RESOLVER_SHARE   16   /* lookups of one owner under way */
#define TWS_RESOLVER_WAITING 8192 /* lookups, each of a different name */
#define TWS_RESOLVER_LINE    1024 /* of one owner, those under way included */
#define TWS_RESOLVED_MAX     32   /* addresses kept of one answer */

struct tws_resolved {
    const struct tws_ip *ips; /* in the order of RFC 6724, as getaddrinfo gives them */
    size_t count;
    const char *error; /* the resolver's text; NULL: count > 0 */
};

struct tws_resolve;
/* `r` is valid during the callback. */
typedef void tws_resolve_fn(struct tws_resolve *q, const struct tws_resolved *r);

/* One who waits for an answer; embedded by the owner. */
struct tws_resolve {
    struct tws_node waiter_node; /* linked: waiting */
    struct tws_lookup *lookup;
    tws_resolve_fn *fn;
};

/* Before the first start or cancel. */
void tws_resolve_init(struct tws_resolve *q, tws_resolve_fn *fn);
/*
 * Looks `host` up; fn is called once, never before this returns. `owner` is on whose behalf: only
 * compared, never followed; NULL: our own, for which no share is kept. TWS_FULL: too many wait;
 * TWS_NOMEM; TWS_SYS (no thread, no descriptor).
 */
TWS_MUST_USE tws_err tws_resolve_start(struct tws_loop *loop, struct tws_resolve *q,
                                       const char *host, const void *owner);
/* No callback comes. */
void tws_resolve_cancel(struct tws_resolve *q);

/*
 * How a name is looked up; runs in a thread and may block. Fills ips, sets *count, returns 0 or an
 * EAI_ code, with errno if that is EAI_SYSTEM.
 */
typedef int tws_lookup_fn(const char *host, struct tws_ip ips[TWS_RESOLVED_MAX], size_t *count);
/* Replaces getaddrinfo(3), for tests; before the loop's first lookup. TWS_NOMEM, TWS_SYS. */
TWS_MUST_USE tws_err tws_resolver_replace(struct tws_loop *loop, tws_lookup_fn *lookup);

#endif

/*
 * resolver_priv.h - the threads behind the resolver, and what passes between them and the loop.
 */
#ifndef TWS_NET_RESOLVER_PRIV_H
#define TWS_NET_RESOLVER_PRIV_H

#include "loop_priv.h"

#include "tws/net/resolver.h"

struct tws_lookup {
    struct tws_node known_node; /* the loop's */
    struct tws_node waiters;    /* the loop's */
    struct tws_resolver *resolver;
    struct tws_share *share; /* the loop's; NULL: it counts for nobody */
    bool held;               /* the loop's: it waits for its share */

    struct tws_node work_node; /* of its share's line if held; the workers', from here on */
    bool queued;
    int error; /* EAI_ code */
    int saved_errno;
    size_t count;
    struct tws_ip ips[TWS_RESOLVED_MAX];
    char host[TWS_HOST_MAX + 1];
};

struct tws_workers;

/* No thread is started yet. TWS_NOMEM, TWS_SYS. */
TWS_MUST_USE tws_err tws_workers_new(tws_lookup_fn *fn, struct tws_workers **out);
/* Frees the lookups that wait; threads that still run one free that, and the last one the rest. */
void tws_workers_abandon(struct tws_workers *w);
/* An eventfd that becomes readable when lookups are done. */
int tws_workers_fd(const struct tws_workers *w);
/* The workers own `l` when this returns TWS_OK. TWS_SYS: there is no thread and none can be made.
 */
TWS_MUST_USE tws_err tws_workers_put(struct tws_workers *w, struct tws_lookup *l);
/* Whether `l` had not begun; then it is the caller's again. */
bool tws_workers_remove(struct tws_workers *w, struct tws_lookup *l);
/* The next that is done, which is the caller's from now on, or NULL. */
struct tws_lookup *tws_workers_take_done(struct tws_workers *w);

#endif

/*
 * loop_priv.h - what the files of this layer share of the loop.
 */
#ifndef TWS_NET_LOOP_PRIV_H
#define TWS_NET_LOOP_PRIV_H

#include "tws/net/loop.h"

#include <sys/epoll.h>
#include <time.h>
#include <uv.h>

#define TWS_LOOP_BATCH 256

struct tws_resolver;

/* A binary heap by at_us; heap[0] is the earliest. Each timer knows its place. */
struct tws_timers {
    struct tws_timer **heap;
    size_t count, cap;
    struct tws_io io;  /* a timerfd in the loop's epoll set */
    uint64_t armed_us; /* when the timerfd fires; UINT64_MAX: it does not */
    bool firing;
};

/* What watches a descriptor; NULL: nothing. */
struct tws_watched {
    struct tws_io *io;
};

struct tws_loop {
    uv_loop_t uv;
    uv_prepare_t anchor; /* keeps uv_backend_timeout() from saying that nothing is left to do */

    int epfd;
    struct tws_watched *watched; /* by descriptor */
    size_t watched_cap;
    struct epoll_event batch[TWS_LOOP_BATCH];
    int batch_next, batch_len; /* events of the batch that are still to be delivered */
    bool stopping;

    struct tws_node again_next; /* ios to call again in the next turn */
    struct tws_node again_now;  /* in this one */
    struct tws_node tasks, tasks_next;
    struct tws_timers timers;

    clockid_t clock;
    uint64_t now_us; /* 0: not read in this turn */

    void **garbage; /* to be freed when the turn ends */
    size_t garbage_count, garbage_cap;

    struct tws_resolver *resolver; /* made by the first lookup */
};

/* TWS_SYS. */
TWS_MUST_USE tws_err tws_timers_init(struct tws_loop *loop);
void tws_timers_fini(struct tws_loop *loop);
/* Fires what is due at tws_loop_now(). */
void tws_timers_fire(struct tws_loop *loop);
/* Makes sure that the loop wakes up for the earliest timer. */
void tws_timers_arm(struct tws_loop *loop);

/* NULL is fine. Nobody waits for an answer any more. */
void tws_resolver_free(struct tws_resolver *r);

#endif

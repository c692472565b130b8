/* throttle.c - see throttle_priv.h. */
#include "throttle_priv.h"

#include <assert.h>

/* All in line are resumed: who finds the bucket empty again queues up behind the others. */
static void on_timer(struct tws_timer *timer)
{
    struct tws_throttle *t = TWS_CONTAINER(timer, struct tws_throttle, timer);
    struct tws_node now;

    tws_list_init(&now);
    tws_list_append_all(&now, &t->waiters);
    while (!tws_list_empty(&now)) {
        struct tws_waiter *w = TWS_CONTAINER(now.next, struct tws_waiter, waiter_node);
        tws_list_unlink(&w->waiter_node);
        w->resume(w);
    }
}

void tws_throttle_init(struct tws_throttle *t, struct tws_loop *loop, uint64_t rate)
{
    t->loop = loop;
    tws_bucket_init(&t->bucket, rate, tws_loop_now(loop));
    tws_list_init(&t->waiters);
    tws_timer_init(&t->timer, loop, on_timer);
}

void tws_throttle_set_rate(struct tws_throttle *t, uint64_t rate)
{
    tws_bucket_set_rate(&t->bucket, rate, tws_loop_now(t->loop));
}

void tws_throttle_fini(struct tws_throttle *t)
{
    assert(tws_list_empty(&t->waiters));
    tws_timer_stop(&t->timer);
}

void tws_waiter_init(struct tws_waiter *w, tws_resume_fn *resume)
{
    tws_list_init(&w->waiter_node);
    w->resume = resume;
}

size_t tws_throttle_allows(struct tws_throttle *t, size_t want, struct tws_waiter *w)
{
    size_t n = tws_bucket_allows(&t->bucket, want, tws_loop_now(t->loop));

    if (n > 0)
        return n;
    if (!tws_list_linked(&w->waiter_node))
        tws_list_push_back(&t->waiters, &w->waiter_node);
    if (!tws_timer_running(&t->timer))
        tws_timer_start(&t->timer, tws_bucket_wait_us(&t->bucket));
    return 0;
}

void tws_throttle_take(struct tws_throttle *t, size_t n)
{
    tws_bucket_take(&t->bucket, n);
}

void tws_waiter_leave(struct tws_waiter *w)
{
    tws_list_unlink(&w->waiter_node);
}

/*
 * timers.c - timers in a binary heap, driven by one timerfd on the clock that counts time asleep.
 *
 * The timerfd is set lazily: at the end of a turn, and only if the earliest timer is due before it
 * fires. A timer that moves later costs no system call; the timerfd then fires once for nothing.
 * It is watched edge-triggered and never read: setting it clears it.
 */
#include "loop_priv.h"

#include "tws/net/socket.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/timerfd.h>

/* Ends of time that the kernel's nanoseconds can hold. */
#define FOREVER_US (UINT64_C(1) << 52)

static void place(struct tws_timers *ts, size_t i, struct tws_timer *t)
{
    ts->heap[i] = t;
    t->index = i + 1;
}

static void sift_up(struct tws_timers *ts, size_t i, struct tws_timer *t)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;

        if (ts->heap[parent]->at_us <= t->at_us)
            break;
        place(ts, i, ts->heap[parent]);
        i = parent;
    }
    place(ts, i, t);
}

static void sift_down(struct tws_timers *ts, size_t i, struct tws_timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= ts->count)
            break;
        if (child + 1 < ts->count && ts->heap[child + 1]->at_us < ts->heap[child]->at_us)
            child++;
        if (t->at_us <= ts->heap[child]->at_us)
            break;
        place(ts, i, ts->heap[child]);
        i = child;
    }
    place(ts, i, t);
}

/* Puts `t` where it belongs, starting at the free or changed place `i`. */
static void settle(struct tws_timers *ts, size_t i, struct tws_timer *t)
{
    if (i > 0 && t->at_us < ts->heap[(i - 1) / 2]->at_us)
        sift_up(ts, i, t);
    else
        sift_down(ts, i, t);
}

static void grow(struct tws_timers *ts)
{
    size_t cap = ts->cap == 0 ? 64 : ts->cap * 2;
    struct tws_timer **heap = realloc(ts->heap, cap * sizeof(struct tws_timer *));

    if (heap == NULL)
        abort();
    ts->heap = heap;
    ts->cap = cap;
}

static void on_timerfd(struct tws_io *io, unsigned events)
{
    struct tws_timers *ts = TWS_CONTAINER(io, struct tws_timers, io);

    (void)events; /* what is due fires behind the batch, in tws_timers_fire() */
    ts->armed_us = UINT64_MAX;
}

tws_err tws_timers_init(struct tws_loop *loop)
{
    struct tws_timers *ts = &loop->timers;
    int fd = timerfd_create(loop->clock, TFD_NONBLOCK | TFD_CLOEXEC);

    ts->armed_us = UINT64_MAX;
    if (fd < 0)
        return TWS_SYS;
    if (tws_io_start(loop, &ts->io, fd, on_timerfd) != TWS_OK) {
        tws_socket_close(fd);
        return TWS_SYS;
    }
    return TWS_OK;
}

void tws_timers_fini(struct tws_loop *loop)
{
    struct tws_timers *ts = &loop->timers;

    if (ts->io.loop != NULL) {
        int fd = ts->io.fd;

        tws_io_stop(&ts->io);
        tws_socket_close(fd);
    }
    free(ts->heap);
    ts->heap = NULL;
    ts->count = ts->cap = 0;
}

void tws_timers_fire(struct tws_loop *loop)
{
    struct tws_timers *ts = &loop->timers;

    ts->firing = true;
    while (ts->count > 0 && ts->heap[0]->at_us <= tws_loop_now(loop)) {
        struct tws_timer *t = ts->heap[0];

        tws_timer_stop(t);
        t->fn(t);
    }
    ts->firing = false;
}

void tws_timers_arm(struct tws_loop *loop)
{
    struct tws_timers *ts = &loop->timers;

    if (ts->count == 0 || ts->heap[0]->at_us >= ts->armed_us)
        return;

    uint64_t at = ts->heap[0]->at_us;
    if (at > FOREVER_US)
        at = FOREVER_US;
    if (at == 0)
        at = 1; /* zero would disarm */
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at / 1000000), .tv_nsec = (long)(at % 1000000) * 1000}};
    int failed = timerfd_settime(ts->io.fd, TFD_TIMER_ABSTIME, &when, NULL);
    assert(failed == 0);
    (void)failed;
    ts->armed_us = at;
}

void tws_timer_init(struct tws_timer *t, struct tws_loop *loop, tws_timer_fn *fn)
{
    *t = (struct tws_timer){.loop = loop, .fn = fn};
}

void tws_timer_start_at(struct tws_timer *t, uint64_t at_us)
{
    struct tws_timers *ts = &t->loop->timers;

    /* Else a timer that restarts itself for a time gone by would never let the turn end. */
    if (ts->firing && at_us <= tws_loop_now(t->loop))
        at_us = tws_loop_now(t->loop) + 1;

    t->at_us = at_us;
    if (t->index != 0) {
        settle(ts, t->index - 1, t);
        return;
    }
    if (ts->count == ts->cap)
        grow(ts);
    sift_up(ts, ts->count++, t);
}

void tws_timer_start(struct tws_timer *t, uint64_t delay_us)
{
    uint64_t now = tws_loop_now(t->loop);

    tws_timer_start_at(t, delay_us > UINT64_MAX - now ? UINT64_MAX : now + delay_us);
}

void tws_timer_stop(struct tws_timer *t)
{
    struct tws_timers *ts;
    size_t i = t->index;

    if (i == 0)
        return;
    ts = &t->loop->timers;
    t->index = 0;
    struct tws_timer *last = ts->heap[--ts->count];
    if (last != t)
        settle(ts, i - 1, last);
}

bool tws_timer_running(const struct tws_timer *t)
{
    return t->index != 0;
}

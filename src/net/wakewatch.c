/* wakewatch.c - see wakewatch.h. */
#include "tws/net/wakewatch.h"

#include <time.h>

#define EVERY_US 5000000u
#define LEAST_US 100000u

static uint64_t read_clock(clockid_t id)
{
    struct timespec ts = {0};

    (void)!clock_gettime(id, &ts); /* cannot fail for clocks that exist */
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

bool tws_wakewatch_slept(uint64_t *asleep_us, uint64_t boottime_us, uint64_t monotonic_us)
{
    uint64_t asleep = boottime_us - monotonic_us;
    bool was_asleep = asleep > *asleep_us && asleep - *asleep_us >= LEAST_US;

    if (was_asleep)
        *asleep_us = asleep;
    return was_asleep;
}

static bool look(struct tws_wakewatch *w)
{
    uint64_t monotonic = read_clock(CLOCK_MONOTONIC);

    return tws_wakewatch_slept(&w->asleep_us, read_clock(CLOCK_BOOTTIME), monotonic);
}

static void on_timer(struct tws_timer *t)
{
    struct tws_wakewatch *w = TWS_CONTAINER(t, struct tws_wakewatch, timer);

    tws_timer_start(t, EVERY_US);
    if (look(w))
        w->on_wake(w->arg);
}

void tws_wakewatch_start(struct tws_loop *loop, struct tws_wakewatch *w, tws_wakewatch_fn *on_wake,
                         void *arg)
{
    *w = (struct tws_wakewatch){.on_wake = on_wake, .arg = arg};
    (void)look(w); /* what it slept before is no news */
    tws_timer_init(&w->timer, loop, on_timer);
    tws_timer_start(&w->timer, EVERY_US);
}

void tws_wakewatch_stop(struct tws_wakewatch *w)
{
    tws_timer_stop(&w->timer);
}

/*
 * wakewatch.h - says when this machine comes back from suspend: connections made before may be
 * dead, and what failed before may work now.
 *
 * It is the clock that counts time asleep running away from the one that does not. A loop's timers
 * follow the first: one that fell due in the machine's sleep fires as soon as it wakes up.
 */
#ifndef TWS_NET_WAKEWATCH_H
#define TWS_NET_WAKEWATCH_H

#include "tws/net/loop.h"

typedef void tws_wakewatch_fn(void *arg);

struct tws_wakewatch {
    struct tws_timer timer;
    tws_wakewatch_fn *on_wake;
    void *arg;
    uint64_t asleep_us;
};

void tws_wakewatch_start(struct tws_loop *loop, struct tws_wakewatch *w, tws_wakewatch_fn *on_wake,
                         void *arg);
void tws_wakewatch_stop(struct tws_wakewatch *w);

/* Pure: whether the machine slept since the last call, by its two clocks; *asleep_us is the memory
 * between calls. Less than a tenth of a second is the time between reading the two. */
bool tws_wakewatch_slept(uint64_t *asleep_us, uint64_t boottime_us, uint64_t monotonic_us);

#endif

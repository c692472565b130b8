/*
 * flood.h - a token bucket for things a peer may do, but not in floods (docs/protocol.md,
 * "Hostile peers").
 */
#ifndef TWS_MUX_FLOOD_H
#define TWS_MUX_FLOOD_H

#include <stdint.h>

struct tws_flood {
    uint32_t burst, per_s;
    uint64_t spent_milli; /* what is owed, in thousandths; falls with time */
    uint64_t last_us;
};

enum tws_flood_verdict {
    TWS_FLOOD_FINE,
    TWS_FLOOD_WARN, /* three quarters of the burst are used: say GOAWAY */
    TWS_FLOOD_OVER, /* all of it: end the session */
};

static inline void tws_flood_init(struct tws_flood *f, uint32_t burst, uint32_t per_s)
{
    *f = (struct tws_flood){.burst = burst, .per_s = per_s};
}

/* Counts one event at `now` (microseconds). */
static inline enum tws_flood_verdict tws_flood_count(struct tws_flood *f, uint64_t now)
{
    uint64_t back = (now - f->last_us) / 1000 * f->per_s;

    if (back > 0) {
        f->spent_milli = f->spent_milli > back ? f->spent_milli - back : 0;
        f->last_us = now;
    }
    f->spent_milli += 1000;
    if (f->spent_milli >= (uint64_t)f->burst * 1000)
        return TWS_FLOOD_OVER;
    return f->spent_milli >= (uint64_t)f->burst * 750 ? TWS_FLOOD_WARN : TWS_FLOOD_FINE;
}

#endif

/*
 * backoff.h - how long to wait before the next try: full jitter, so that a thousand clients that
 * lost the same server do not come back in step. Pure: no clock, no memory.
 *
 * The n-th wait in a row is uniform between 0 and min(cap, 100 ms * 2^n).
 */
#ifndef TWS_TUNNEL_BACKOFF_H
#define TWS_TUNNEL_BACKOFF_H

#include <stdint.h>

#define TWS_BACKOFF_FIRST_US 100000u

/* While channels are open and no link lives, someone is waiting: a fresh try that often, ... */
#define TWS_URGENT_EVERY_US 1000000u
/* ... and all but one abandoned after that long. */
#define TWS_URGENT_ABANDON_US 3000000u

struct tws_backoff {
    uint64_t cap_us;
    uint64_t random;   /* xorshift state, never 0 */
    unsigned failures; /* in a row */
};

void tws_backoff_init(struct tws_backoff *b, uint64_t cap_us, uint64_t seed);
/* A try failed: the wait before the next, in microseconds. */
uint64_t tws_backoff_failed(struct tws_backoff *b);
/* A try succeeded: the next wait is a first one again. */
void tws_backoff_succeeded(struct tws_backoff *b);
/* `us` give or take a tenth: what is planned together shall not happen together. */
uint64_t tws_backoff_spread(struct tws_backoff *b, uint64_t us);

#endif

/*
 * net.h - the simulated network: links that carry whole messages both ways, in order, late, slowly,
 * until they are cut. Deterministic: time is a number, chance a seed.
 */
#ifndef TWS_SIM_NET_H
#define TWS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* splitmix64: small, seedable, good enough to be hostile. */
struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return n == 0 ? 0 : rng_next(r) % n;
}

static inline bool rng_chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

struct packet {
    struct packet *next;
    uint64_t at;
    size_t n;
    uint8_t bytes[];
};

/* One direction of a link. */
struct pipe {
    struct packet *first, **last;
    uint64_t free_at;        /* when the last byte given to it has left */
    uint64_t delay_us, rate; /* rate in bytes per second */
    uint64_t stalled_until;
    bool dead;          /* nothing comes out any more */
    size_t queued, cap; /* bytes it buffers before it says no */
};

void pipe_init(struct pipe *p, uint64_t delay_us, uint64_t rate, size_t cap);
void pipe_fini(struct pipe *p);
bool pipe_full(const struct pipe *p);
void pipe_put(struct pipe *p, const uint8_t *bytes, size_t n, uint64_t now);
/* The next message that has arrived at `now`, the caller's to free; or NULL. */
struct packet *pipe_take(struct pipe *p, uint64_t now);
/* When the next message arrives; UINT64_MAX: none on its way. */
uint64_t pipe_next_at(const struct pipe *p);

#endif

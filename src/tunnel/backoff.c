/* backoff.c - see backoff.h. */
#include "tws/tunnel/backoff.h"

#define MOST_DOUBLINGS 32u

void tws_backoff_init(struct tws_backoff *b, uint64_t cap_us, uint64_t seed)
{
    *b = (struct tws_backoff){.cap_us = cap_us, .random = seed != 0 ? seed : 1};
}

/* xorshift64 (Marsaglia 2003): spread, not secrecy, is what is needed here. */
static uint64_t draw(struct tws_backoff *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random;
}

uint64_t tws_backoff_failed(struct tws_backoff *b)
{
    uint64_t most = (uint64_t)TWS_BACKOFF_FIRST_US << b->failures;

    if (b->failures < MOST_DOUBLINGS)
        b->failures++;
    if (most > b->cap_us)
        most = b->cap_us;
    return draw(b) % (most + 1);
}

void tws_backoff_succeeded(struct tws_backoff *b)
{
    b->failures = 0;
}

uint64_t tws_backoff_spread(struct tws_backoff *b, uint64_t us)
{
    return us - us / 10 + draw(b) % (us / 5 + 1);
}

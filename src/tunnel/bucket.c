/* bucket.c - see bucket.h. */
#include "tws/tunnel/bucket.h"

#define LEAST_BRIM (64 * 1024)
#define WORTH_IT   (16 * 1024)
#define SECOND_US  1000000u
#define LEAST_WAIT 1000u
/* Above this no clock of ours tells a difference, and the products stay far from overflow. */
#define MOST_RATE (UINT64_C(1) << 40)
#define MOST_US   (UINT64_C(10) * SECOND_US)

static int64_t brim(const struct tws_bucket *b)
{
    uint64_t tenth = b->rate / 10;

    return tenth > LEAST_BRIM ? (int64_t)tenth : LEAST_BRIM;
}

void tws_bucket_init(struct tws_bucket *b, uint64_t rate, uint64_t now_us)
{
    *b = (struct tws_bucket){.rate = rate < MOST_RATE ? rate : MOST_RATE, .at_us = now_us};
    b->tokens = brim(b);
}

static void refill(struct tws_bucket *b, uint64_t now_us)
{
    uint64_t passed = now_us > b->at_us ? now_us - b->at_us : 0;

    if (passed > MOST_US)
        passed = MOST_US;
    uint64_t gained = passed * b->rate / SECOND_US;
    /* Only the time that became whole bytes is used up, so that a slow rate does not starve. */
    if (gained == 0)
        return;
    b->at_us = passed == MOST_US ? now_us : b->at_us + gained * SECOND_US / b->rate;
    b->tokens += (int64_t)gained;
    if (b->tokens > brim(b))
        b->tokens = brim(b);
}

void tws_bucket_set_rate(struct tws_bucket *b, uint64_t rate, uint64_t now_us)
{
    if (b->rate == 0) {
        tws_bucket_init(b, rate, now_us);
        return;
    }
    refill(b, now_us);
    b->rate = rate < MOST_RATE ? rate : MOST_RATE;
    if (b->tokens > brim(b))
        b->tokens = brim(b);
}

size_t tws_bucket_allows(struct tws_bucket *b, size_t want, uint64_t now_us)
{
    if (b->rate == 0)
        return want;
    refill(b, now_us);
    if (b->tokens <= 0)
        return 0;
    return (uint64_t)b->tokens < want ? (size_t)b->tokens : want;
}

void tws_bucket_take(struct tws_bucket *b, size_t n)
{
    if (b->rate != 0)
        b->tokens -= (int64_t)n;
}

uint64_t tws_bucket_wait_us(const struct tws_bucket *b)
{
    if (b->rate == 0 || b->tokens >= WORTH_IT)
        return LEAST_WAIT;
    uint64_t wait = (uint64_t)(WORTH_IT - b->tokens) * SECOND_US / b->rate;
    return wait > LEAST_WAIT ? wait : LEAST_WAIT;
}

/* backlog.c - see backlog_priv.h. */
#include "backlog_priv.h"

#include <string.h>

#define TICK_US 100u /* 32 bits of it last for five days */

static uint32_t ticks(uint64_t now)
{
    return (uint32_t)(now / TICK_US);
}

void tws_backlog_init(struct tws_backlog *b, uint32_t limit)
{
    *b = (struct tws_backlog){.dropped = 0};
    tws_dgramq_init(&b->queue, &tws_mem_default, limit);
}

void tws_backlog_fini(struct tws_backlog *b)
{
    if (b->queue.mem != NULL)
        tws_dgramq_fini(&b->queue);
}

bool tws_backlog_empty(const struct tws_backlog *b)
{
    return b->queue.count == 0;
}

static void drop_oldest(struct tws_backlog *b)
{
    tws_dgramq_pop(&b->queue);
    b->dropped++;
}

void tws_backlog_put(struct tws_backlog *b, struct tws_span in, uint64_t now)
{
    tws_err err = TWS_OK;

    while ((err = tws_dgramq_put(&b->queue, in, ticks(now))) != TWS_OK && !tws_backlog_empty(b))
        drop_oldest(b);
    if (err != TWS_OK)
        b->dropped++;
}

/* Whether the oldest is of no use; `at`: when it came. */
static bool is_waste(struct tws_backlog *b, const struct tws_span *oldest, uint32_t at,
                     uint64_t now)
{
    uint64_t waited_us = (uint64_t)(ticks(now) - at) * TICK_US;

    return waited_us > TWS_BACKLOG_OLD_MS * 1000u ||
           tws_codel_drops(&b->codel, waited_us, b->queue.used - oldest->n, now);
}

/* The next one to be sent, or false. */
static bool next(struct tws_backlog *b, size_t largest, uint64_t now, struct tws_span *out)
{
    uint32_t at;

    while (tws_dgramq_peek(&b->queue, out, &at)) {
        if (out->n > largest)
            b->too_large = out->n;
        else if (!is_waste(b, out, at, now))
            return true;
        drop_oldest(b);
    }
    return false;
}

static bool is_in_rate(struct tws_backlog_rate rate, size_t n)
{
    if (rate.throttle == NULL)
        return true;
    if (tws_throttle_allows(rate.throttle, n + 1, rate.wait) == 0)
        return false;
    tws_throttle_take(rate.throttle, n);
    return true;
}

void tws_backlog_pull(struct tws_backlog *b, struct tws_session *s, const struct tws_pull *p,
                      struct tws_backlog_rate rate, uint64_t now)
{
    struct tws_span out;
    bool any = next(b, p->largest, now, &out);

    if (any && out.n > p->cap) {
        tws_session_pulled(s, out.n, TWS_PULLED_LARGER);
    } else if (!any || !is_in_rate(rate, out.n)) {
        tws_session_pulled(s, 0, 0);
    } else {
        memcpy(p->buf, out.p, out.n);
        tws_dgramq_pop(&b->queue);
        tws_session_pulled(s, out.n,
                           TWS_PULLED_DATAGRAM | (tws_backlog_empty(b) ? 0 : TWS_PULLED_MORE));
    }
}

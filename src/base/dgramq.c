/*
 * dgramq.c - see dgramq.h.
 *
 * Records lie one behind the other, each whole: one that would cross the ring's end begins at its
 * start again, and a gap record fills the rest.
 */
#include "tws/base/dgramq.h"

#include <assert.h>
#include <string.h>

#define LEAST 4096u      /* of a ring */
#define KEEP  16384u     /* a ring up to that stays when it is empty */
#define GAP   UINT32_MAX /* length of what is only passed over */

struct record {
    uint32_t n, at;
};

static uint32_t space_of(uint32_t n)
{
    return (uint32_t)sizeof(struct record) + ((n + 7u) & ~7u);
}

void tws_dgramq_init(struct tws_dgramq *q, const struct tws_mem *mem, uint32_t limit)
{
    assert(limit >= LEAST && (limit & (limit - 1)) == 0);
    *q = (struct tws_dgramq){.mem = mem, .limit = limit};
}

void tws_dgramq_fini(struct tws_dgramq *q)
{
    tws_free(q->mem, q->ring);
    *q = (struct tws_dgramq){.mem = q->mem, .limit = q->limit};
}

static struct record record_at(const struct tws_dgramq *q, uint32_t at)
{
    struct record r;

    memcpy(&r, q->ring + at, sizeof r);
    return r;
}

static void advance(struct tws_dgramq *q, uint32_t n)
{
    q->head = (q->head + n) & (q->cap - 1);
    q->used -= n;
}

static void pass_gap(struct tws_dgramq *q)
{
    if (q->used > 0 && record_at(q, q->head).n == GAP)
        advance(q, q->cap - q->head);
}

/* Room for `space` bytes in one piece, a gap in front of it if need be: where, or GAP. */
static uint32_t find_room(struct tws_dgramq *q, uint32_t space)
{
    uint32_t tail = (q->head + q->used) & (q->cap - 1), to_end = q->cap - tail;

    if (space <= to_end || q->used == 0 || tail < q->head)
        return q->cap - q->used >= space && space <= to_end ? tail : GAP;
    if (q->cap - q->used < to_end + space)
        return GAP;
    struct record gap = {.n = GAP};
    memcpy(q->ring + tail, &gap, sizeof gap);
    q->used += to_end;
    return 0;
}

static void copy_record(struct tws_dgramq *q, uint32_t to, const struct record *r, const uint8_t *p)
{
    memcpy(q->ring + to, r, sizeof *r);
    if (r->n > 0)
        memcpy(q->ring + to + sizeof *r, p, r->n);
    q->used += space_of(r->n);
    q->count++;
}

/* A ring of twice the size, or more, that has room for `space`, with all that waits. */
static tws_err grow(struct tws_dgramq *q, uint32_t space)
{
    struct tws_dgramq bigger = *q;

    bigger.cap = q->cap == 0 ? LEAST : q->cap * 2;
    while (bigger.cap < q->used + space && bigger.cap < q->limit)
        bigger.cap *= 2;
    if (bigger.cap > q->limit || bigger.cap < q->used + space)
        return TWS_FULL;
    bigger.ring = tws_alloc(q->mem, bigger.cap);
    if (bigger.ring == NULL)
        return TWS_NOMEM;
    bigger.head = bigger.used = bigger.count = 0;
    for (; q->count > 0; tws_dgramq_pop(q)) {
        struct record r = record_at(q, q->head);
        copy_record(&bigger, bigger.used, &r, q->ring + q->head + sizeof r);
    }
    tws_free(q->mem, q->ring);
    *q = bigger;
    return TWS_OK;
}

tws_err tws_dgramq_put(struct tws_dgramq *q, struct tws_span in, uint32_t at)
{
    struct record r = {.n = (uint32_t)in.n, .at = at};
    uint32_t space = space_of(r.n), to = GAP;

    if (in.n > q->limit)
        return TWS_FULL;
    if (q->used == 0)
        q->head = 0;
    if (q->cap > 0)
        to = find_room(q, space);
    if (to == GAP) {
        tws_err err = grow(q, space);
        if (err != TWS_OK)
            return err;
        to = q->used;
    }
    copy_record(q, to, &r, in.p);
    return TWS_OK;
}

bool tws_dgramq_peek(const struct tws_dgramq *q, struct tws_span *out, uint32_t *at)
{
    if (q->count == 0)
        return false;
    struct record r = record_at(q, q->head);
    *out = (struct tws_span){q->ring + q->head + sizeof r, r.n};
    *at = r.at;
    return true;
}

void tws_dgramq_pop(struct tws_dgramq *q)
{
    assert(q->count > 0);
    advance(q, space_of(record_at(q, q->head).n));
    q->count--;
    pass_gap(q);
    if (q->count == 0 && q->cap > KEEP)
        tws_dgramq_fini(q);
}

/*
 * recvq.c - see recvq.h.
 *
 * One list of chunks sorted by offset. Those before `next` are contiguous from `consumed`; those
 * behind it have gaps in front of them. When a gap closes, `next` moves over the chunks behind it.
 */
#include "tws/mux/recvq.h"

#include <assert.h>

#define CHUNK_MIN 2048u
#define CHUNK_MAX 16384u

struct tws_recvq_chunk {
    struct tws_recvq_chunk *next;
    uint64_t offset; /* of data[start] */
    uint32_t start, len, cap;
    uint8_t data[];
};

static uint64_t end_of(const struct tws_recvq_chunk *c)
{
    return c->offset + c->len;
}

static void free_chunk(struct tws_recvq *q, const struct tws_mem *mem, struct tws_recvq_chunk *c)
{
    q->memory -= sizeof *c + c->cap;
    tws_free(mem, c);
}

void tws_recvq_fini(struct tws_recvq *q, const struct tws_mem *mem)
{
    while (q->first != NULL) {
        struct tws_recvq_chunk *c = q->first;
        q->first = c->next;
        free_chunk(q, mem, c);
    }
    *q = (struct tws_recvq){.consumed = q->consumed, .next = q->next};
}

void tws_recvq_drop(struct tws_recvq *q, const struct tws_mem *mem)
{
    tws_recvq_fini(q, mem);
    q->consumed = q->next;
}

/* A chunk for `n` bytes at `offset`, linked behind `prev` (NULL: at the front). */
static struct tws_recvq_chunk *add_chunk(struct tws_recvq *q, const struct tws_mem *mem,
                                         struct tws_recvq_chunk *prev, uint64_t offset, size_t n)
{
    size_t cap = n < CHUNK_MIN ? CHUNK_MIN : n;
    struct tws_recvq_chunk *c = tws_alloc(mem, sizeof *c + cap);

    if (c == NULL)
        return NULL;
    q->memory += sizeof *c + cap;
    c->offset = offset;
    c->start = c->len = 0;
    c->cap = (uint32_t)cap;
    c->next = prev != NULL ? prev->next : q->first;
    if (prev != NULL)
        prev->next = c;
    else
        q->first = c;
    if (c->next == NULL)
        q->last = c;
    return c;
}

/* Copies bytes that no chunk has, right behind `prev` in the list; fills up `prev` first. */
static tws_err store(struct tws_recvq *q, const struct tws_mem *mem, struct tws_recvq_chunk *prev,
                     uint64_t offset, struct tws_span bytes)
{
    while (bytes.n > 0) {
        struct tws_recvq_chunk *c = prev;
        if (c == NULL || end_of(c) != offset || c->start + c->len == c->cap) {
            c = add_chunk(q, mem, prev, offset, bytes.n < CHUNK_MAX ? bytes.n : CHUNK_MAX);
            if (c == NULL)
                return TWS_NOMEM;
        }
        size_t room = c->cap - c->start - c->len;
        size_t n = bytes.n < room ? bytes.n : room;
        memcpy(c->data + c->start + c->len, bytes.p, n);
        c->len += (uint32_t)n;
        offset += n;
        bytes.p += n;
        bytes.n -= n;
        prev = c;
    }
    return TWS_OK;
}

/* The last chunk that starts at or before `offset`. New bytes mostly belong at the end. */
static struct tws_recvq_chunk *chunk_before(const struct tws_recvq *q, uint64_t offset)
{
    struct tws_recvq_chunk *found = NULL;

    if (q->last != NULL && q->last->offset <= offset)
        return q->last;
    for (struct tws_recvq_chunk *c = q->first; c != NULL && c->offset <= offset; c = c->next)
        found = c;
    return found;
}

/* Moves `next` over chunks that have become contiguous and counts the pieces behind gaps anew. */
static void advance(struct tws_recvq *q)
{
    struct tws_recvq_chunk *c = q->first;

    /* Without gaps the last chunk is the end; no walk through a long queue. */
    if (q->pieces == 0 && q->last != NULL && q->last->offset <= q->next)
        c = q->last;
    for (; c != NULL && c->offset <= q->next; c = c->next)
        if (end_of(c) > q->next)
            q->next = end_of(c);
    q->pieces = 0;
    for (uint64_t end = q->next; c != NULL; c = c->next) {
        if (c->offset != end)
            q->pieces++;
        end = end_of(c);
    }
}

/* Takes in what follows `c` without a gap, as far as it has room: or bytes that come last first
 * would leave a chunk each. */
static void join(struct tws_recvq *q, const struct tws_mem *mem, struct tws_recvq_chunk *c)
{
    struct tws_recvq_chunk *next;

    while ((next = c->next) != NULL && end_of(c) == next->offset &&
           next->len <= c->cap - c->start - c->len) {
        memcpy(c->data + c->start + c->len, next->data + next->start, next->len);
        c->len += next->len;
        c->next = next->next;
        if (q->last == next)
            q->last = c;
        free_chunk(q, mem, next);
    }
}

/* Those that start in [c, end]. */
static void join_up_to(struct tws_recvq *q, const struct tws_mem *mem, struct tws_recvq_chunk *c,
                       uint64_t end)
{
    for (; c != NULL && c->offset <= end; c = c->next)
        join(q, mem, c);
}

/* Stores what of [offset, offset + bytes.n) no chunk has yet. */
static tws_err store_new(struct tws_recvq *q, const struct tws_mem *mem, uint64_t offset,
                         struct tws_span bytes)
{
    struct tws_recvq_chunk *before = chunk_before(q, offset), *prev = before;
    uint64_t stored = 0;
    tws_err err = TWS_OK;

    while (bytes.n > 0 && err == TWS_OK) {
        uint64_t skip = prev != NULL && end_of(prev) > offset ? end_of(prev) - offset : 0;
        if (skip >= bytes.n)
            break;
        bytes.p += skip;
        bytes.n -= skip;
        offset += skip;
        struct tws_recvq_chunk *after = prev != NULL ? prev->next : q->first;
        size_t n = bytes.n;
        if (after != NULL && after->offset - offset < n)
            n = (size_t)(after->offset - offset);
        err = store(q, mem, prev, offset, (struct tws_span){bytes.p, n});
        bytes.p += n;
        bytes.n -= n;
        offset += n;
        stored += n;
        prev = after;
    }
    if (stored == 0) /* a peer may repeat itself for ever: it costs no walk */
        return TWS_OK;
    join_up_to(q, mem, before != NULL ? before : q->first, offset);
    advance(q);
    return err;
}

tws_err tws_recvq_put(struct tws_recvq *q, const struct tws_mem *mem, uint64_t offset,
                      struct tws_span bytes)
{
    tws_err err = tws_recvq_settle(q, mem);

    if (err != TWS_OK)
        return err;
    if (offset < q->next) {
        uint64_t old = q->next - offset;
        if (old >= bytes.n)
            return TWS_OK;
        offset += old;
        bytes.p += old;
        bytes.n -= old;
    }
    if (bytes.n == 0)
        return TWS_OK;
    if (offset == q->next && q->first == NULL) {
        q->borrowed = bytes;
        q->next += bytes.n;
        return TWS_OK;
    }
    if (offset > q->next && q->pieces >= TWS_RECVQ_PIECES)
        return TWS_E_FRAGMENTED;
    return store_new(q, mem, offset, bytes);
}

tws_err tws_recvq_settle(struct tws_recvq *q, const struct tws_mem *mem)
{
    struct tws_span b = q->borrowed;

    if (b.n == 0)
        return TWS_OK;
    assert(q->first == NULL);
    q->borrowed = (struct tws_span){NULL, 0};
    q->next -= b.n;
    tws_err err = store(q, mem, NULL, q->next, b);
    if (q->last != NULL)
        q->next = end_of(q->last); /* all of it, unless memory ran out */
    return err;
}

struct tws_span tws_recvq_peek(const struct tws_recvq *q)
{
    if (!tws_recvq_readable(q))
        return (struct tws_span){NULL, 0};
    if (q->borrowed.n > 0)
        return q->borrowed;
    return (struct tws_span){q->first->data + q->first->start, q->first->len};
}

void tws_recvq_consume(struct tws_recvq *q, const struct tws_mem *mem, size_t n)
{
    struct tws_recvq_chunk *c = q->first;

    assert(n <= tws_recvq_peek(q).n);
    q->consumed += n;
    if (q->borrowed.n > 0) {
        q->borrowed.p += n;
        q->borrowed.n -= n;
        return;
    }
    if (c == NULL)
        return;
    c->start += (uint32_t)n;
    c->len -= (uint32_t)n;
    c->offset += n;
    if (c->len > 0)
        return;
    q->first = c->next;
    if (q->first == NULL)
        q->last = NULL;
    free_chunk(q, mem, c);
}

/*
 * packet_queue.c - see packet_queue.h. A ring of packets, each behind its length; none is split:
 * one that does not fit before the end begins at the start, and a length of SKIP says so.
 */
#include "tws/tunnel/packet_queue.h"

#include <stdlib.h>
#include <string.h>

#define LENGTH 4u
#define SKIP   UINT32_MAX

tws_err tws_packet_queue_init(struct tws_packet_queue *q, size_t cap)
{
    *q = (struct tws_packet_queue){.bytes = malloc(cap), .cap = cap};
    return q->bytes != NULL ? TWS_OK : TWS_NOMEM;
}

void tws_packet_queue_fini(struct tws_packet_queue *q)
{
    free(q->bytes);
    *q = (struct tws_packet_queue){.cap = 0};
}

/* Where `n` bytes fit; q->cap: nowhere. One byte stays free, or full would look like empty. */
static size_t place(const struct tws_packet_queue *q, size_t n)
{
    if (q->tail < q->head)
        return q->head - q->tail > n ? q->tail : q->cap;
    if (q->cap - q->tail > n || (q->cap - q->tail == n && q->head > 0))
        return q->tail;
    return q->head > n ? 0 : q->cap;
}

bool tws_packet_queue_push(struct tws_packet_queue *q, struct tws_span packet)
{
    size_t n = LENGTH + packet.n, at = place(q, n);

    if (at == q->cap)
        return false;
    if (at != q->tail && q->cap - q->tail >= LENGTH)
        tws_put32(q->bytes + q->tail, SKIP);
    tws_put32(q->bytes + at, (uint32_t)packet.n);
    if (packet.n > 0)
        memcpy(q->bytes + at + LENGTH, packet.p, packet.n);
    q->tail = at + n == q->cap ? 0 : at + n;
    return true;
}

/* Where the oldest is. */
static size_t oldest(const struct tws_packet_queue *q)
{
    if (q->cap - q->head < LENGTH || tws_get32(q->bytes + q->head) == SKIP)
        return 0;
    return q->head;
}

struct tws_span tws_packet_queue_front(const struct tws_packet_queue *q)
{
    if (q->head == q->tail)
        return (struct tws_span){NULL, 0};
    size_t at = oldest(q);
    return (struct tws_span){q->bytes + at + LENGTH, tws_get32(q->bytes + at)};
}

void tws_packet_queue_pop(struct tws_packet_queue *q)
{
    size_t at = oldest(q);

    q->head = at + LENGTH + tws_get32(q->bytes + at);
    if (q->head == q->cap)
        q->head = 0;
    if (q->head == q->tail)
        q->head = q->tail = 0;
}

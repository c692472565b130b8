/*
 * dgramq.h - datagrams that wait, in the order they came: whole, in one ring of bytes that grows
 * with need up to a limit and is given back when it is empty. Nothing is allocated per datagram.
 *
 * A zeroed struct with a limit is an empty queue.
 */
#ifndef TWS_BASE_DGRAMQ_H
#define TWS_BASE_DGRAMQ_H

#include "tws/base/bytes.h"
#include "tws/base/mem.h"

#include <stdbool.h>

struct tws_dgramq {
    const struct tws_mem *mem;
    uint32_t limit; /* bytes of the ring at most; a power of two from 4096 */
    uint8_t *ring;
    uint32_t cap, head, used; /* of the ring; a datagram takes 8 bytes more, and is rounded up */
    uint32_t count;
};

void tws_dgramq_init(struct tws_dgramq *q, const struct tws_mem *mem, uint32_t limit);
void tws_dgramq_fini(struct tws_dgramq *q);
/* Copies one that came at `at` (any clock; 32 bits of it). TWS_FULL: it does not fit, TWS_NOMEM:
 * nor can the ring grow; the queue is as it was. */
TWS_MUST_USE tws_err tws_dgramq_put(struct tws_dgramq *q, struct tws_span in, uint32_t at);
/* The oldest; false: none. Borrowed until the next put or pop. */
bool tws_dgramq_peek(const struct tws_dgramq *q, struct tws_span *out, uint32_t *at);
/* Takes the oldest away. */
void tws_dgramq_pop(struct tws_dgramq *q);

#endif

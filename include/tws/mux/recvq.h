/*
 * recvq.h - what one channel received and its local side has not taken: bytes in order, and pieces
 * behind gaps.
 *
 *      0        consumed            next
 *      |.........|====================|......[piece]....[piece]
 *                 readable              gaps
 *
 * Pieces never overlap; of bytes that come twice the first copy counts. In the usual case (in
 * order, nothing queued) the bytes are only borrowed from the message: peek hands them out, and
 * what was not consumed is copied by tws_recvq_settle() before the message goes away.
 *
 * Memory is bounded by the window the caller granted, and the pieces by TWS_RECVQ_PIECES.
 */
#ifndef TWS_MUX_RECVQ_H
#define TWS_MUX_RECVQ_H

#include "tws/base/bytes.h"
#include "tws/base/mem.h"

#define TWS_RECVQ_PIECES 1024u

struct tws_recvq_chunk;

struct tws_recvq {
    uint64_t consumed, next;
    struct tws_span borrowed; /* the last bytes before `next`, not copied yet */
    struct tws_recvq_chunk *first, *last;
    uint32_t pieces; /* runs of chunks behind a gap */
    size_t memory;   /* bytes allocated */
};

/* All zero is an empty queue. */
void tws_recvq_fini(struct tws_recvq *q, const struct tws_mem *mem);

/*
 * Bytes of the stream at `offset`. TWS_OK: taken as far as they are new. TWS_E_FRAGMENTED: one gap
 * too many; TWS_NOMEM. The bytes are borrowed until tws_recvq_settle().
 */
TWS_MUST_USE tws_err tws_recvq_put(struct tws_recvq *q, const struct tws_mem *mem, uint64_t offset,
                                   struct tws_span bytes);
/* Copies what is still borrowed. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_recvq_settle(struct tws_recvq *q, const struct tws_mem *mem);

static inline bool tws_recvq_readable(const struct tws_recvq *q)
{
    return q->next > q->consumed;
}

/* The next readable bytes; empty if none. Valid until the next call. */
struct tws_span tws_recvq_peek(const struct tws_recvq *q);
/* Takes `n` of the peeked bytes. */
void tws_recvq_consume(struct tws_recvq *q, const struct tws_mem *mem, size_t n);
/* Throws away all bytes and pieces: consumed becomes next. */
void tws_recvq_drop(struct tws_recvq *q, const struct tws_mem *mem);

#endif

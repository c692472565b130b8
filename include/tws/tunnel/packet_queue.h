/*
 * packet_queue.h - packets that wait, first in, first out, in a fixed number of bytes: what does
 * not fit is not taken. Nothing is allocated per packet.
 */
#ifndef TWS_TUNNEL_PACKET_QUEUE_H
#define TWS_TUNNEL_PACKET_QUEUE_H

#include "tws/base/bytes.h"
#include "tws/base/err.h"

struct tws_packet_queue {
    uint8_t *bytes;
    size_t cap, head, tail; /* equal: empty */
};

/* TWS_NOMEM. */
TWS_MUST_USE tws_err tws_packet_queue_init(struct tws_packet_queue *q, size_t cap);
/* Zeroed storage is fine. */
void tws_packet_queue_fini(struct tws_packet_queue *q);

/* False: there is no room for it now. */
bool tws_packet_queue_push(struct tws_packet_queue *q, struct tws_span packet);
/* The oldest packet; {NULL, 0} when none waits. Borrowed until the queue is changed. */
struct tws_span tws_packet_queue_front(const struct tws_packet_queue *q);
/* The oldest is gone; there is one. */
void tws_packet_queue_pop(struct tws_packet_queue *q);

#endif

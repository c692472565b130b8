/*
 * ip_join.h - the opposite of ip_cut.h: TCP packets that follow each other become one super packet,
 * which the kernel takes through its stack once.
 *
 * Only what the kernel would cut into the same packets again is joined: cut(join(packets)) gives
 * those packets, byte for byte. So they are data of one flow and nothing else (ACK and PSH are the
 * only flags, no fragments, no IP options or extension headers), their sequence numbers and IPv4
 * identifications are consecutive, all else in their headers is equal, they have the same size but
 * for the last, and their checksums were right: for whoever takes a super packet does not look.
 */
#ifndef TWS_PROTO_IP_JOIN_H
#define TWS_PROTO_IP_JOIN_H

#include "tws/proto/ip_cut.h"
#include "tws/proto/ip_packet.h"

#define TWS_IP_JOIN_FRAME (TWS_IP_FRAME_HEADER + 65535u)

struct tws_ip_join {
    uint8_t *frame;     /* borrowed, TWS_IP_JOIN_FRAME bytes: its header, and what was added */
    size_t n;           /* of the packet in it; 0: none */
    size_t header;      /* in front of the data */
    size_t transport;   /* where TCP begins */
    size_t segment;     /* bytes of data in each but the last */
    uint32_t sequence;  /* of the next */
    uint16_t id, count; /* of the next; packets in it */
    bool pushed, full;  /* the last one had PSH; nothing may follow it */
};

static inline struct tws_ip_join tws_ip_join(uint8_t *frame)
{
    return (struct tws_ip_join){.frame = frame};
}

/* Copies `in`, which was read into *p, into the frame. False: it does not go with what is there or,
 * if nothing is, with anything. */
bool tws_ip_join_add(struct tws_ip_join *j, struct tws_span in, const struct tws_ip_packet *p);
/* The frame, for the device; {NULL, 0}: there is none. It is valid until the next is added. */
struct tws_span tws_ip_join_end(struct tws_ip_join *j);

#endif

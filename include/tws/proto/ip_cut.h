/*
 * ip_cut.h - what a TUN device with a virtio_net_hdr gives, as packets that can be sent: checksums
 * that the kernel left to the device are finished, and a super packet, which is what TCP hands to
 * a network card that does segmentation, is cut as such a card would.
 *
 * The header's hints are not relied on: where things are is read from the packet itself.
 */
#ifndef TWS_PROTO_IP_CUT_H
#define TWS_PROTO_IP_CUT_H

#include "tws/base/bytes.h"

#define TWS_IP_FRAME_HEADER 10u  /* in front of the packet */
#define TWS_IP_CUT_HEADERS  256u /* network and TCP, with options; what has more is refused */

struct tws_ip_cut {
    uint8_t *packet; /* borrowed, and changed */
    size_t n;
    size_t header;    /* in front of the data; 0: it is one packet, as it is */
    size_t transport; /* where TCP begins */
    size_t segment;   /* bytes of data in each but the last */
    size_t at;        /* data that was handed out */
    uint16_t count;   /* packets that were */
    bool done;
    uint8_t headers[TWS_IP_CUT_HEADERS];
};

/* `frame` is borrowed until the last packet was taken. TWS_E_PROTOCOL: no packet, one whose
 * checksum lies outside of it, or a super packet that is none of TCP's. */
TWS_MUST_USE tws_err tws_ip_cut_begin(struct tws_ip_cut *c, uint8_t *frame, size_t n);
/* The next packet, which lies within the frame, may be changed, and is valid until the next call;
 * false: that was all. */
bool tws_ip_cut_next(struct tws_ip_cut *c, uint8_t **packet, size_t *n);

#endif

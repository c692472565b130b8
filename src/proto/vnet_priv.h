/*
 * vnet_priv.h - what stands in front of each packet of a device with IFF_VNET_HDR: the kernel's
 * struct virtio_net_hdr, in the machine's own byte order.
 */
#ifndef TWS_PROTO_VNET_PRIV_H
#define TWS_PROTO_VNET_PRIV_H

#include <stdint.h>
#include <string.h>

#define TWS_VNET_NEEDS_SUM 1u /* the checksum's field only has the sum of the pseudo header */

enum tws_vnet_type {
    TWS_VNET_WHOLE = 0, /* one packet */
    TWS_VNET_TCP4 = 1,  /* to be cut */
    TWS_VNET_TCP6 = 4,
    TWS_VNET_ECN = 0x80 /* beside them: CWR is the first one's */
};

struct tws_vnet {
    uint8_t flags, type;
    uint16_t header;     /* bytes in front of the data; only a hint */
    uint16_t segment;    /* bytes of data in each packet */
    uint16_t sum_start;  /* where the sum begins */
    uint16_t sum_offset; /* from there: the checksum's field */
};

_Static_assert(sizeof(struct tws_vnet) == 10, "as the kernel has it");

static inline struct tws_vnet tws_vnet_read(const uint8_t *p)
{
    struct tws_vnet h;

    memcpy(&h, p, sizeof h);
    return h;
}

static inline void tws_vnet_write(uint8_t *p, const struct tws_vnet *h)
{
    memcpy(p, h, sizeof *h);
}

#endif

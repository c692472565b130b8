/*
 * ip_cut.c - see ip_cut.h.
 *
 * Nothing is moved: a packet's headers are written over the end of the data of the one before,
 * which was taken by then.
 *
 *      headers | data 1 | data 2 | data 3            at 0: headers, data 1
 *                 headers' | data 2 | ...            at segment: headers', data 2
 */
#include "tws/proto/ip_cut.h"

#include "ip_sum_priv.h"
#include "vnet_priv.h"

#include "tws/proto/ip_packet.h"

enum { FIN = 1, PSH = 8, CWR = 0x80 };

_Static_assert(sizeof(struct tws_vnet) == TWS_IP_FRAME_HEADER, "one header, two names");

/* What skb_checksum_help() does; 0 would mean "none" in UDP. */
static bool finish_sum(const struct tws_ip_cut *c, const struct tws_vnet *h)
{
    size_t at = (size_t)h->sum_start + h->sum_offset;

    if (h->sum_start > c->n || at + 2 > c->n)
        return false;
    uint64_t sum = tws_ip_sum_add(0, c->packet + h->sum_start, c->n - h->sum_start);
    uint16_t folded = tws_ip_sum_fold(sum);
    tws_put16(c->packet + at, folded == 0xffffu ? folded : (uint16_t)~folded);
    return true;
}

static bool read_super(struct tws_ip_cut *c, uint8_t type)
{
    struct tws_ip_packet p;

    if (tws_ip_packet_read((struct tws_span){c->packet, c->n}, &p) != TWS_OK ||
        p.protocol != TWS_IP_TCP || p.fragment ||
        p.source.family != (type == TWS_VNET_TCP4 ? 4 : 6))
        return false;
    size_t tcp = (size_t)(c->packet[p.transport + 12] >> 4) * 4;
    c->transport = p.transport;
    c->header = p.transport + tcp;
    if (tcp < 20 || c->header > c->n || c->header > sizeof c->headers)
        return false;
    memcpy(c->headers, c->packet, c->header);
    return true;
}

tws_err tws_ip_cut_begin(struct tws_ip_cut *c, uint8_t *frame, size_t n)
{
    c->done = true;
    if (n <= TWS_IP_FRAME_HEADER)
        return TWS_E_PROTOCOL;
    const struct tws_vnet h = tws_vnet_read(frame);
    uint8_t type = h.type & (uint8_t)~TWS_VNET_ECN;
    bool good = false;

    c->packet = frame + TWS_IP_FRAME_HEADER;
    c->n = n - TWS_IP_FRAME_HEADER;
    c->header = 0;
    c->segment = c->n;
    c->at = 0;
    c->count = 0;
    if (type == TWS_VNET_WHOLE) {
        good = (h.flags & TWS_VNET_NEEDS_SUM) == 0 || finish_sum(c, &h);
    } else if (type == TWS_VNET_TCP4 || type == TWS_VNET_TCP6) {
        c->segment = h.segment;
        good = h.segment > 0 && read_super(c, type);
    }
    c->done = !good;
    return good ? TWS_OK : TWS_E_PROTOCOL;
}

static void write_network(const struct tws_ip_cut *c, uint8_t *p, size_t n)
{
    if (p[0] >> 4 == 6) {
        tws_put16(p + 4, (uint16_t)(n - 40));
        return;
    }
    tws_put16(p + 2, (uint16_t)n);
    tws_put16(p + 4, (uint16_t)(tws_get16(c->headers + 4) + c->count));
    tws_put16(p + 10, 0);
    tws_put16(p + 10, (uint16_t)~tws_ip_sum_fold(tws_ip_sum_add(0, p, (size_t)(p[0] & 15u) * 4)));
}

/* `at`: bytes of data in front of it; flags are as the kernel's own segmentation gives them. */
static void write_tcp(const struct tws_ip_cut *c, uint8_t *p, size_t n, size_t at)
{
    uint8_t *tcp = p + c->transport;

    tws_put32(tcp + 4, tws_get32(tcp + 4) + (uint32_t)at);
    if (!c->done)
        tcp[13] &= (uint8_t) ~(FIN | PSH);
    if (at > 0)
        tcp[13] &= (uint8_t)~CWR;
    tws_put16(tcp + 16, 0);
    tws_put16(tcp + 16,
              (uint16_t)~tws_ip_sum_fold(tws_ip_sum_transport(p, TWS_IP_TCP, c->transport, n)));
}

bool tws_ip_cut_next(struct tws_ip_cut *c, uint8_t **packet, size_t *n)
{
    size_t at = c->at, left = c->n - c->header - at;
    size_t data = left < c->segment ? left : c->segment;

    if (c->done)
        return false;
    *packet = c->packet + at;
    *n = c->header + data;
    c->done = data == left;
    if (c->header > 0) {
        memcpy(*packet, c->headers, c->header);
        write_network(c, *packet, *n);
        write_tcp(c, *packet, *n, at);
    }
    c->at += data;
    c->count++;
    return true;
}

/* ip_join.c - see ip_join.h. The headers in the frame are the first packet's until the end. */
#include "tws/proto/ip_join.h"

#include "ip_sum_priv.h"
#include "vnet_priv.h"

#define PACKET_MAX  65535u
#define HEADERS_MAX (40u + 60u)

enum { PSH = 8, ACK = 0x10, RIGHT = 0xffff };

/* ---- what can be joined at all ---- */

/* Of both headers, or 0: it is not plain data. */
static size_t header_of(struct tws_span in, const struct tws_ip_packet *p)
{
    size_t network = p->source.family == 4 ? 20 : 40;

    if (p->protocol != TWS_IP_TCP || p->fragment || p->transport != network || in.n > PACKET_MAX)
        return 0;
    const uint8_t *tcp = in.p + network;
    size_t header = network + (size_t)(tcp[12] >> 4) * 4;
    bool is_data =
        (tcp[12] & 15u) == 0 && (tcp[13] & ~(unsigned)PSH) == ACK && tws_get16(tcp + 18) == 0;
    return is_data && header >= network + 20 && header < in.n ? header : 0;
}

static bool has_right_sums(struct tws_span in, size_t transport)
{
    if (transport == 20 && tws_ip_sum_fold(tws_ip_sum_add(0, in.p, 20)) != RIGHT)
        return false;
    return tws_ip_sum_fold(tws_ip_sum_transport(in.p, TWS_IP_TCP, transport, in.n)) == RIGHT;
}

/* ---- what goes together ---- */

/* Headers are equal but for what the kernel counts up, or sets, when it cuts. */
static bool has_same_headers(const struct tws_ip_join *j, struct tws_span in)
{
    const uint8_t *mine = j->frame + TWS_IP_FRAME_HEADER;
    uint8_t other[HEADERS_MAX];
    size_t tcp = j->transport;

    memcpy(other, in.p, j->header);
    if (tcp == 20) {
        memcpy(other + 2, mine + 2, 4); /* length, identification */
        memcpy(other + 10, mine + 10, 2);
    } else {
        memcpy(other + 4, mine + 4, 2);
    }
    memcpy(other + tcp + 4, mine + tcp + 4, 4);
    other[tcp + 13] &= (uint8_t)~PSH;
    memcpy(other + tcp + 16, mine + tcp + 16, 2);
    return memcmp(other, mine, j->header) == 0;
}

static bool follows(const struct tws_ip_join *j, struct tws_span in, size_t header)
{
    if (j->full || header != j->header || in.n - header > j->segment ||
        j->n + (in.n - header) > PACKET_MAX)
        return false;
    if (tws_get32(in.p + j->transport + 4) != j->sequence ||
        (j->transport == 20 && tws_get16(in.p + 4) != j->id))
        return false;
    return has_same_headers(j, in);
}

/* ---- adding ---- */

static void begin(struct tws_ip_join *j, struct tws_span in, size_t header, size_t transport)
{
    j->header = header;
    j->transport = transport;
    j->segment = in.n - header;
    j->n = header;
    j->count = 0;
    j->sequence = tws_get32(in.p + transport + 4);
    j->id = tws_get16(in.p + 4); /* of IPv4 */
    memcpy(j->frame + TWS_IP_FRAME_HEADER, in.p, header);
}

static void append(struct tws_ip_join *j, struct tws_span in)
{
    size_t data = in.n - j->header;

    memcpy(j->frame + TWS_IP_FRAME_HEADER + j->n, in.p + j->header, data);
    j->n += data;
    j->sequence += (uint32_t)data;
    j->id++;
    j->count++;
    j->pushed = (in.p[j->transport + 13] & PSH) != 0;
    j->full = j->pushed || data < j->segment;
}

bool tws_ip_join_add(struct tws_ip_join *j, struct tws_span in, const struct tws_ip_packet *p)
{
    size_t header = header_of(in, p);

    if (header == 0 || (j->n > 0 && !follows(j, in, header)) || !has_right_sums(in, p->transport))
        return false;
    if (j->n == 0)
        begin(j, in, header, p->transport);
    append(j, in);
    return true;
}

/* ---- the end ---- */

static void write_headers(const struct tws_ip_join *j, uint8_t *p)
{
    uint8_t *tcp = p + j->transport;

    if (j->transport == 20) {
        tws_put16(p + 2, (uint16_t)j->n);
        tws_put16(p + 10, 0);
        tws_put16(p + 10, (uint16_t)~tws_ip_sum_fold(tws_ip_sum_add(0, p, 20)));
    } else {
        tws_put16(p + 4, (uint16_t)(j->n - 40));
    }
    if (j->pushed)
        tcp[13] |= PSH;
    tws_put16(tcp + 16, tws_ip_sum_fold(tws_ip_sum_pseudo(p, TWS_IP_TCP, j->n - j->transport)));
}

struct tws_span tws_ip_join_end(struct tws_ip_join *j)
{
    struct tws_vnet h = {.type = TWS_VNET_WHOLE};
    size_t n = j->n;

    if (n == 0)
        return (struct tws_span){NULL, 0};
    if (j->count > 1) {
        h = (struct tws_vnet){.flags = TWS_VNET_NEEDS_SUM,
                              .type = j->transport == 20 ? TWS_VNET_TCP4 : TWS_VNET_TCP6,
                              .header = (uint16_t)j->header,
                              .segment = (uint16_t)j->segment,
                              .sum_start = (uint16_t)j->transport,
                              .sum_offset = 16};
        write_headers(j, j->frame + TWS_IP_FRAME_HEADER);
    }
    tws_vnet_write(j->frame, &h);
    j->n = 0;
    j->full = false;
    return (struct tws_span){j->frame, TWS_IP_FRAME_HEADER + n};
}

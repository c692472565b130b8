/* packet.h - IP packets made for tests: headers with right lengths and checksums. */
#ifndef TWS_TEST_PACKET_H
#define TWS_TEST_PACKET_H

#include "tws/base/addr.h"
#include "tws/base/bytes.h"
#include "tws/proto/ip_packet.h"

#include <string.h>

#define PACKET_MAX 2048

struct packet {
    uint8_t bytes[PACKET_MAX];
    size_t n;
    size_t transport;
};

static inline uint32_t packet_sum(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    return sum;
}

static inline uint16_t packet_fold(uint32_t sum)
{
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Of the transport's bytes and the pseudo header; 0: the checksum in them is right. */
static inline uint16_t packet_transport_sum(const struct packet *p, uint8_t protocol)
{
    size_t n = p->n - p->transport;
    bool v4 = p->bytes[0] >> 4 == 4;
    uint32_t sum = packet_sum(0, p->bytes + (v4 ? 12 : 8), v4 ? 8 : 32);

    sum += protocol + (uint32_t)n;
    return packet_fold(packet_sum(sum, p->bytes + p->transport, n));
}

static inline struct tws_ip packet_ip(const char *text)
{
    struct tws_ip ip = {0};

    if (tws_ip_parse(text, &ip) != TWS_OK)
        ip.family = 0;
    return ip;
}

/* The network header for `body` of `n` bytes, of the addresses' family. */
static inline void packet_network(struct packet *p, const char *from, const char *to,
                                  uint8_t protocol, const void *body, size_t n)
{
    struct tws_ip a = packet_ip(from), b = packet_ip(to);

    memset(p, 0, sizeof *p);
    p->transport = a.family == 4 ? 20 : 40;
    p->n = p->transport + n;
    if (a.family == 4) {
        p->bytes[0] = 0x45;
        tws_put16(p->bytes + 2, (uint16_t)p->n);
        p->bytes[8] = 64;
        p->bytes[9] = protocol;
        memcpy(p->bytes + 12, a.bytes, 4);
        memcpy(p->bytes + 16, b.bytes, 4);
        tws_put16(p->bytes + 10, packet_fold(packet_sum(0, p->bytes, 20)));
    } else {
        p->bytes[0] = 0x60;
        tws_put16(p->bytes + 4, (uint16_t)n);
        p->bytes[6] = protocol;
        p->bytes[7] = 64;
        memcpy(p->bytes + 8, a.bytes, 16);
        memcpy(p->bytes + 24, b.bytes, 16);
    }
    if (n > 0)
        memcpy(p->bytes + p->transport, body, n);
}

static inline void packet_udp(struct packet *p, const char *from, uint16_t from_port,
                              const char *to, uint16_t to_port)
{
    uint8_t udp[12] = {0};

    tws_put16(udp, from_port);
    tws_put16(udp + 2, to_port);
    tws_put16(udp + 4, sizeof udp);
    packet_network(p, from, to, TWS_IP_UDP, udp, sizeof udp);
    tws_put16(p->bytes + p->transport + 6, packet_transport_sum(p, TWS_IP_UDP));
}

/* A segment from port 40000, with these flags (2: SYN) and options, a multiple of 4 bytes. */
static inline void packet_tcp(struct packet *p, const char *from, const char *to, uint16_t to_port,
                              uint8_t flags, struct tws_span options)
{
    uint8_t tcp[60] = {0};

    tws_put16(tcp, 40000);
    tws_put16(tcp + 2, to_port);
    tcp[12] = (uint8_t)((20 + options.n) / 4 << 4);
    tcp[13] = flags;
    if (options.n > 0)
        memcpy(tcp + 20, options.p, options.n);
    packet_network(p, from, to, TWS_IP_TCP, tcp, 20 + options.n);
    tws_put16(p->bytes + p->transport + 16, packet_transport_sum(p, TWS_IP_TCP));
}

static inline struct tws_span packet_span(const struct packet *p)
{
    return (struct tws_span){p->bytes, p->n};
}

#endif

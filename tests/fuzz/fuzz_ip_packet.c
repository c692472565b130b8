/*
 * fuzz_ip_packet.c - properties of packets, for any bytes at all:
 *   1. a packet that is read is no packet when it is cut or has a byte more;
 *   2. its addresses are of one family, its transport header lies within it, and only TCP and UDP
 *      have ports;
 *   3. what is shown in a log is printable;
 *   4. a clamp changes two numbers at most, keeps the sum of all words (mod 0xffff), has nothing to
 *      do a second time, and never makes another packet of it.
 *   5. an error quotes a whole header of its own family and is no redirect; what quotes none
 * reaches nothing by a quote.
 */
#include "fuzz.h"

#include "tws/proto/ip_packet.h"

#include <string.h>

#define CLAMP_MAX 65535u

static uint32_t sum_of(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (sum + (i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i])) % 0xffffu;
    return sum;
}

static void check_clamp(const uint8_t *data, size_t size, const struct tws_ip_packet *p,
                        uint32_t mtu)
{
    static uint8_t copy[CLAMP_MAX];
    struct tws_ip_packet again;
    size_t changed = 0;

    memcpy(copy, data, size);
    if (!tws_ip_packet_clamp(copy, size, p, mtu)) {
        REQUIRE(memcmp(copy, data, size) == 0);
        return;
    }
    for (size_t i = 0; i < size; i++)
        changed += copy[i] != data[i];
    REQUIRE(changed >= 1 && changed <= 4);
    REQUIRE(p->transport % 2 != 0 || sum_of(copy, size) == sum_of(data, size));
    REQUIRE(!tws_ip_packet_clamp(copy, size, p, mtu));
    REQUIRE(tws_ip_packet_read((struct tws_span){copy, size}, &again) == TWS_OK);
    REQUIRE(again.flow == p->flow && again.transport == p->transport);
}

static void check_error(struct tws_span in, const struct tws_ip_packet *p)
{
    struct tws_ip to;

    if (!tws_ip_packet_is_error(in, p, &to)) {
        REQUIRE(p->service == 0 || p->protocol == p->service);
        return;
    }
    REQUIRE(p->protocol == TWS_IP_ICMP || p->protocol == TWS_IP_ICMPV6);
    REQUIRE(to.family == p->source.family && !tws_ip_packet_is_neighbourly(in, p));
    REQUIRE(p->transport + 8u + (to.family == 4 ? 20u : 40u) <= in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TWS_IP_PACKET_TEXT];
    struct tws_ip_packet p, other;

    if (tws_ip_packet_read((struct tws_span){data, size}, &p) != TWS_OK)
        return 0;
    REQUIRE(size <= CLAMP_MAX + 40u);
    REQUIRE(p.source.family == p.destination.family);
    REQUIRE(p.source.family == 4 || p.source.family == 6);
    REQUIRE(p.transport <= size);
    if (p.protocol != TWS_IP_TCP && p.protocol != TWS_IP_UDP)
        REQUIRE(p.source_port == 0 && p.destination_port == 0);
    if (p.service == 0)
        REQUIRE(p.service_port == 0);
    REQUIRE(tws_ip_packet_read((struct tws_span){data, size - 1}, &other) != TWS_OK);
    if (tws_ip_packet_is_neighbourly((struct tws_span){data, size}, &p))
        REQUIRE(p.service == 0 && !tws_ip_packet_is_syn((struct tws_span){data, size}, &p));
    check_error((struct tws_span){data, size}, &p);
    tws_ip_packet_format(&p, text, sizeof text);
    for (const char *s = text; *s != '\0'; s++)
        REQUIRE((unsigned char)*s >= 0x20 && *s != 0x7f);
    if (size <= CLAMP_MAX) {
        check_clamp(data, size, &p, 1500);
        check_clamp(data, size, &p, 576);
        check_clamp(data, size, &p, 61);
    }
    return 0;
}

/* ip_packet.c - see ip_packet.h. */
#include "tws/proto/ip_packet.h"

#include <stdio.h>
#include <string.h>

#define V4_HEADER   20u
#define V6_HEADER   40u
#define TCP_HEADER  20u
#define UDP_HEADER  8u
#define ICMP_HEADER 8u
#define EXTENSIONS  8 /* headers before the transport's; nobody sends as many */

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60 };

/* ---- the network header: where the transport's begins ---- */

/* `rest` is what follows the headers read so far. */
struct cursor {
    struct tws_span rest;
    size_t at;
    uint8_t protocol;
    bool later_fragment;
};

static bool move_on(struct cursor *c, size_t n)
{
    if (n > c->rest.n)
        return false;
    c->rest.p += n;
    c->rest.n -= n;
    c->at += n;
    return true;
}

/* Options that send the packet by way of others (loose and strict source route). */
static bool has_source_route(struct tws_span options)
{
    size_t i = 0;

    while (i < options.n && options.p[i] != 0) {
        if (options.p[i] == 1) {
            i++;
            continue;
        }
        if (options.p[i] == 131 || options.p[i] == 137)
            return true;
        if (i + 1 >= options.n || options.p[i + 1] < 2)
            return true; /* not options at all */
        i += options.p[i + 1];
    }
    return false;
}

static bool read_v4(struct tws_span in, struct tws_ip_packet *out, struct cursor *c)
{
    size_t header = in.n > 0 ? (size_t)(in.p[0] & 15u) * 4 : 0;

    if (in.n < V4_HEADER || header < V4_HEADER || header > in.n || tws_get16(in.p + 2) != in.n)
        return false;
    if (has_source_route((struct tws_span){in.p + V4_HEADER, header - V4_HEADER}))
        return false;
    out->source.family = out->destination.family = 4;
    memcpy(out->source.bytes, in.p + 12, 4);
    memcpy(out->destination.bytes, in.p + 16, 4);
    c->protocol = in.p[9];
    out->fragment = (tws_get16(in.p + 6) & 0x3fffu) != 0;
    c->later_fragment = (tws_get16(in.p + 6) & 0x1fffu) != 0;
    return move_on(c, header);
}

/* One extension header; false: it is cut short, or sends the packet elsewhere. */
static bool read_extension(struct cursor *c)
{
    const uint8_t *p = c->rest.p;
    size_t n = 8;

    if (c->rest.n < n)
        return false;
    if (c->protocol == FRAGMENT)
        c->later_fragment = (tws_get16(p + 2) & 0xfff8u) != 0;
    else
        n += (size_t)p[1] * 8;
    if (c->protocol == ROUTING && p[3] != 0)
        return false;
    c->protocol = p[0];
    return move_on(c, n);
}

static bool is_extension(uint8_t protocol)
{
    return protocol == HOP_BY_HOP || protocol == ROUTING || protocol == FRAGMENT ||
           protocol == DESTINATION;
}

static bool read_v6(struct tws_span in, struct tws_ip_packet *out, struct cursor *c)
{
    if (in.n < V6_HEADER || (size_t)tws_get16(in.p + 4) + V6_HEADER != in.n)
        return false;
    out->source.family = out->destination.family = 6;
    memcpy(out->source.bytes, in.p + 8, 16);
    memcpy(out->destination.bytes, in.p + 24, 16);
    c->protocol = in.p[6];
    if (!move_on(c, V6_HEADER))
        return false;
    for (int i = 0; is_extension(c->protocol) && !c->later_fragment; i++) {
        out->fragment = out->fragment || c->protocol == FRAGMENT;
        if (i == EXTENSIONS || !read_extension(c))
            return false;
    }
    return true;
}

/* `in` is at least its network header; false: not such a packet. */
static bool read_network(struct tws_span in, struct tws_ip_packet *out, struct cursor *c)
{
    unsigned version = in.n > 0 ? in.p[0] >> 4 : 0;

    *c = (struct cursor){.rest = in};
    *out = (struct tws_ip_packet){0};
    if (version == 4 ? !read_v4(in, out, c) : version != 6 || !read_v6(in, out, c))
        return false;
    out->protocol = c->protocol;
    return true;
}

/* ---- the transport header ---- */

static bool read_ports(const struct cursor *c, struct tws_ip_packet *out)
{
    if (c->rest.n < (c->protocol == TWS_IP_TCP ? TCP_HEADER : UDP_HEADER))
        return false;
    out->source_port = tws_get16(c->rest.p);
    out->destination_port = tws_get16(c->rest.p + 2);
    out->service = c->protocol;
    out->service_port = out->destination_port;
    return true;
}

static bool is_error_type(const struct tws_ip_packet *p, uint8_t type)
{
    if (p->protocol == TWS_IP_ICMP)
        return type == 3 || type == 11 || type == 12;
    return type >= 1 && type <= 4;
}

/* The packet that an ICMP error quotes is cut short, so it is read with less care: it only tells
 * what the error is about. */
static bool read_quoted(struct tws_span in, struct tws_ip_packet *out)
{
    size_t header = V6_HEADER;
    struct tws_ip from = {.family = 6};

    if (out->protocol == TWS_IP_ICMP) {
        header = in.n > 0 ? (size_t)(in.p[0] & 15u) * 4 : 0;
        from.family = 4;
    }
    size_t need = from.family == 4 ? V4_HEADER : V6_HEADER;
    if (in.n < need || header < need || in.n < header + 4 || in.p[0] >> 4 != from.family)
        return false;
    memcpy(from.bytes, in.p + (from.family == 4 ? 12 : 8), from.family == 4 ? 4 : 16);
    uint8_t protocol = in.p[from.family == 4 ? 9 : 6];
    if ((protocol != TWS_IP_TCP && protocol != TWS_IP_UDP) ||
        !tws_ip_equal(&from, &out->destination))
        return false;
    out->service = protocol;
    out->service_port = tws_get16(in.p + header);
    return true;
}

static bool read_icmp(const struct cursor *c, struct tws_ip_packet *out)
{
    if (c->rest.n < ICMP_HEADER)
        return false;
    if (is_error_type(out, c->rest.p[0]))
        (void)read_quoted((struct tws_span){c->rest.p + ICMP_HEADER, c->rest.n - ICMP_HEADER}, out);
    return true;
}

static bool read_transport(const struct cursor *c, struct tws_ip_packet *out)
{
    if (c->later_fragment)
        return true;
    out->transport = (uint16_t)c->at;
    if (c->protocol == TWS_IP_TCP || c->protocol == TWS_IP_UDP)
        return read_ports(c, out);
    if (c->protocol == (out->source.family == 4 ? TWS_IP_ICMP : TWS_IP_ICMPV6))
        return read_icmp(c, out);
    return true;
}

/* FNV-1a */
static uint32_t mix(uint32_t h, const void *p, size_t n)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 16777619u;
    return h;
}

static uint32_t flow_of(const struct tws_ip_packet *p)
{
    uint32_t h = mix(2166136261u, p->source.bytes, sizeof p->source.bytes);

    h = mix(h, p->destination.bytes, sizeof p->destination.bytes);
    h = mix(h, &p->protocol, 1);
    h = mix(h, &p->source_port, sizeof p->source_port);
    return mix(h, &p->destination_port, sizeof p->destination_port);
}

tws_err tws_ip_packet_read(struct tws_span in, struct tws_ip_packet *out)
{
    struct cursor c;

    if (!read_network(in, out, &c) || !read_transport(&c, out))
        return TWS_E_PROTOCOL;
    out->flow = flow_of(out);
    return TWS_OK;
}

/* ---- what does not belong on a link ---- */

enum {
    REDIRECT = 5,              /* of ICMP */
    ROUTER_SOLICITATION = 133, /* of ICMPv6, and those up to: */
    REDIRECT_V6 = 137
};

bool tws_ip_packet_is_neighbourly(struct tws_span in, const struct tws_ip_packet *p)
{
    if (p->transport == 0)
        return false; /* of the first fragment it is known */
    uint8_t type = p->transport < in.n ? in.p[p->transport] : 0;
    if (p->protocol == TWS_IP_ICMP && p->source.family == 4)
        return type == REDIRECT;
    return p->protocol == TWS_IP_ICMPV6 && type >= ROUTER_SOLICITATION && type <= REDIRECT_V6;
}

bool tws_ip_packet_is_error(struct tws_span in, const struct tws_ip_packet *p, struct tws_ip *to)
{
    bool v4 = p->source.family == 4;
    size_t quoted = p->transport + ICMP_HEADER, size = v4 ? 4 : 16, from = v4 ? 12 : 8;

    if (p->transport == 0 || p->protocol != (v4 ? TWS_IP_ICMP : TWS_IP_ICMPV6) ||
        in.n < quoted + (v4 ? V4_HEADER : V6_HEADER) || !is_error_type(p, in.p[p->transport]))
        return false;
    const uint8_t *q = in.p + quoted;
    if (q[0] >> 4 != p->source.family || memcmp(q + from, p->destination.bytes, size) != 0)
        return false;
    *to = (struct tws_ip){.family = p->source.family};
    memcpy(to->bytes, q + from + size, size);
    return true;
}

static bool is_host(const struct tws_ip *ip)
{
    return !tws_ip_is_multicast(ip) && !tws_ip_is_link_local(ip) && !tws_ip_is_loopback(ip) &&
           !tws_ip_is_unspecified(ip);
}

bool tws_ip_packet_is_routable(const struct tws_ip_packet *p)
{
    return is_host(&p->source) && is_host(&p->destination);
}

/* ---- the maximum segment size ---- */

/* Of the option's value in a SYN's header of `n` bytes; 0: it has none. */
static size_t find_mss(const uint8_t *tcp, size_t n)
{
    size_t i = TCP_HEADER;

    while (i < n && tcp[i] != 0) {
        if (tcp[i] == 1) {
            i++;
            continue;
        }
        if (i + 1 >= n || tcp[i + 1] < 2 || i + tcp[i + 1] > n)
            return 0;
        if (tcp[i] == 2)
            return tcp[i + 1] == 4 ? i + 2 : 0;
        i += tcp[i + 1];
    }
    return 0;
}

/* What a byte at `at` adds to the sum of 16-bit words. */
static uint32_t weight(size_t at, uint8_t byte)
{
    return at % 2 == 0 ? (uint32_t)byte << 8 : byte;
}

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). */
static void set_mss(uint8_t *tcp, size_t at, uint16_t mss)
{
    uint8_t next[2] = {(uint8_t)(mss >> 8), (uint8_t)mss};
    uint32_t sum = (uint16_t)~tws_get16(tcp + 16);

    for (size_t i = 0; i < 2; i++) {
        sum += 0xffffu - weight(at + i, tcp[at + i]) + weight(at + i, next[i]);
        tcp[at + i] = next[i];
    }
    while (sum > 0xffffu)
        sum = (sum & 0xffffu) + (sum >> 16);
    tws_put16(tcp + 16, (uint16_t)~sum);
}

bool tws_ip_packet_is_syn(struct tws_span in, const struct tws_ip_packet *p)
{
    return p->protocol == TWS_IP_TCP && p->transport != 0 && (in.p[p->transport + 13] & 2u) != 0;
}

bool tws_ip_packet_clamp(uint8_t *packet, size_t n, const struct tws_ip_packet *p, uint32_t mtu)
{
    uint32_t headers = (p->source.family == 4 ? V4_HEADER : V6_HEADER) + TCP_HEADER;

    if (!tws_ip_packet_is_syn((struct tws_span){packet, n}, p) || mtu <= headers || mtu > 65535u)
        return false;
    uint8_t *tcp = packet + p->transport;
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    if (header > n - p->transport)
        return false;
    size_t at = find_mss(tcp, header);
    if (at == 0 || tws_get16(tcp + at) <= mtu - headers)
        return false;
    set_mss(tcp, at, (uint16_t)(mtu - headers));
    return true;
}

/* ---- for logs ---- */

static const char *name_of(const struct tws_ip_packet *p, char *number, size_t cap)
{
    if (p->protocol == TWS_IP_TCP)
        return "tcp";
    if (p->protocol == TWS_IP_UDP)
        return "udp";
    if (p->protocol == TWS_IP_ICMP || p->protocol == TWS_IP_ICMPV6)
        return "icmp";
    snprintf(number, cap, "protocol %u", p->protocol);
    return number;
}

void tws_ip_packet_format(const struct tws_ip_packet *p, char *out, size_t cap)
{
    char from[TWS_IP_TEXT], to[TWS_IP_TEXT], number[16], ports[2][8] = {"", ""};

    tws_ip_format(&p->source, from, sizeof from);
    tws_ip_format(&p->destination, to, sizeof to);
    if (p->transport != 0 && (p->protocol == TWS_IP_TCP || p->protocol == TWS_IP_UDP)) {
        snprintf(ports[0], sizeof ports[0], ".%u", p->source_port);
        snprintf(ports[1], sizeof ports[1], ".%u", p->destination_port);
    }
    snprintf(out, cap, "%s %s%s > %s%s", name_of(p, number, sizeof number), from, ports[0], to,
             ports[1]);
}

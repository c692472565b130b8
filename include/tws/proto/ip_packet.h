/*
 * ip_packet.h - an IPv4 or IPv6 packet as a TUN device has it: who sends it, to whom, and what a
 * rule would have to allow for it to get there.
 *
 * Strict, because a firewall that reads a packet otherwise than the host behind it is none: a
 * packet is exactly as long as it says, has its transport header whole in its first fragment, and
 * has no source route, by which it would go elsewhere than its destination says. Checksums are not
 * verified; whoever takes the packet does that.
 */
#ifndef TWS_PROTO_IP_PACKET_H
#define TWS_PROTO_IP_PACKET_H

#include "tws/base/addr.h"
#include "tws/base/bytes.h"

#define TWS_IP_TCP    6u
#define TWS_IP_UDP    17u
#define TWS_IP_ICMP   1u
#define TWS_IP_ICMPV6 58u

struct tws_ip_packet {
    struct tws_ip source, destination;
    uint8_t protocol;          /* of what it carries: TWS_IP_TCP, ... */
    uint16_t source_port;      /* of TCP and UDP; 0 in a later fragment */
    uint16_t destination_port; /* likewise */
    /* What it reaches at its destination: TWS_IP_TCP or TWS_IP_UDP and a port, or 0 and 0. An ICMP
     * error is about a packet that the destination sent, and reaches that one's source port. */
    uint8_t service;
    uint16_t service_port;
    uint16_t transport; /* where its transport header begins; 0 in a later fragment */
    bool fragment;      /* the first one, or a later one */
    uint32_t flow;      /* the same for all packets of a flow, fragments aside */
};

/* TWS_E_PROTOCOL: not such a packet. *out holds copies; nothing is borrowed. */
TWS_MUST_USE tws_err tws_ip_packet_read(struct tws_span in, struct tws_ip_packet *out);

/*
 * Lets a TCP connection know what fits into `mtu`: lowers the maximum segment size that a SYN
 * announces, and mends the checksum (RFC 1624). `packet` is the one that was read into *p. False:
 * nothing to change.
 */
bool tws_ip_packet_clamp(uint8_t *packet, size_t n, const struct tws_ip_packet *p, uint32_t mtu);

/* Whether it opens a TCP connection: the only packets that a clamp changes. */
bool tws_ip_packet_is_syn(struct tws_span in, const struct tws_ip_packet *p);

/*
 * Whether it says what only neighbours on one wire have to say, and kernels believe: ICMP
 * redirects, IPv6 router and neighbour discovery. An IP link has no neighbours, and whoever sends
 * such on it wants to change its other end's routes. `in` was read into *p.
 */
bool tws_ip_packet_is_neighbourly(struct tws_span in, const struct tws_ip_packet *p);

/*
 * Whether it is an ICMP error about a packet that its destination sent: then *to is where that one
 * went. Whichever router is on the way sends such, from an address of its own.
 */
bool tws_ip_packet_is_error(struct tws_span in, const struct tws_ip_packet *p, struct tws_ip *to);

/* Whether both ends are addresses of hosts: not link-local, multicast, loopback or unspecified. */
bool tws_ip_packet_is_routable(const struct tws_ip_packet *p);

/* "tcp 10.0.0.2.40000 > 10.1.0.1.80", as tcpdump has it, for logs; `cap` at least
 * TWS_IP_PACKET_TEXT. */
#define TWS_IP_PACKET_TEXT 120
void tws_ip_packet_format(const struct tws_ip_packet *p, char *out, size_t cap);

#endif

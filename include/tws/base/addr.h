/*
 * addr.h - addresses as values: IPs, prefixes, host:port. No resolving (net/resolver.h).
 *
 * Text forms are those of RFC 3986 and RFC 4291: "127.0.0.1:80", "[::1]:80", "example.com:80".
 */
#ifndef TWS_BASE_ADDR_H
#define TWS_BASE_ADDR_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWS_HOST_MAX 255 /* a DNS name (RFC 1035, 2.3.4) */
/* "[" IPv6 "]:65535" or a name and a port, with NUL */
#define TWS_HOSTPORT_TEXT (TWS_HOST_MAX + 10)
#define TWS_IP_TEXT       46
#define TWS_PREFIX_TEXT   (TWS_IP_TEXT + 4)

/* An IPv4 (4) or IPv6 (6) address; family 0 is none. IPv4 fills the first four bytes. */
struct tws_ip {
    uint8_t family;
    uint8_t bytes[16];
};

/* Addresses that share the first `bits` bits. */
struct tws_prefix {
    struct tws_ip ip;
    uint8_t bits;
};

struct tws_hostport {
    char host[TWS_HOST_MAX + 1]; /* without brackets; may be empty where the caller allows it */
    uint16_t port;
};

/* TWS_ABSENT: `text` is not an IP address (no brackets, no zone). */
TWS_MUST_USE tws_err tws_ip_parse(const char *text, struct tws_ip *out);
/* Writes the canonical text (RFC 5952) with NUL; `cap` at least TWS_IP_TEXT. */
void tws_ip_format(const struct tws_ip *ip, char *out, size_t cap);
bool tws_ip_equal(const struct tws_ip *a, const struct tws_ip *b);
/* ::ffff:a.b.c.d (RFC 4291, 2.5.5.2) becomes a.b.c.d, so that no rule is evaded by spelling. */
struct tws_ip tws_ip_unmap(struct tws_ip ip);
bool tws_ip_is_loopback(const struct tws_ip *ip);
bool tws_ip_is_link_local(const struct tws_ip *ip);
bool tws_ip_is_multicast(const struct tws_ip *ip);   /* and IPv4 broadcast */
bool tws_ip_is_unspecified(const struct tws_ip *ip); /* and 0.0.0.0/8 */

/* "10.0.0.0/8", "::1"; a bare address is its whole length. One inside ::ffff:0:0/96 becomes IPv4.
 * TWS_ABSENT: not a prefix, or host bits are set. */
TWS_MUST_USE tws_err tws_prefix_parse(const char *text, struct tws_prefix *out);
bool tws_prefix_equal(const struct tws_prefix *a, const struct tws_prefix *b);
/* Its first and its last address; host bits may be set in these two. */
struct tws_ip tws_prefix_first(const struct tws_prefix *p);
struct tws_ip tws_prefix_last(const struct tws_prefix *p);
/* `ip` is unmapped first; host bits may be set. */
bool tws_prefix_contains(const struct tws_prefix *p, const struct tws_ip *ip);
/* Every address of `q` is in `p` too; two prefixes that share an address are so, one way round. */
bool tws_prefix_covers(const struct tws_prefix *p, const struct tws_prefix *q);
/* "10.0.0.0/8"; `cap` at least TWS_PREFIX_TEXT. */
void tws_prefix_format(const struct tws_prefix *p, char *out, size_t cap);

/* Whether it is only letters, digits, '-', '.' and '_': what every program reads as the same name.
 */
bool tws_host_is_plain(const char *host);
/* "host:port", "[v6]:port", ":port" and "*:port" (empty host); port 0 is allowed. TWS_ABSENT: not
 * of that form, or a character in the host that no name has. */
TWS_MUST_USE tws_err tws_hostport_parse(const char *text, struct tws_hostport *out);
/* Brackets an IPv6 host; an empty one is "*". `cap` at least TWS_HOSTPORT_TEXT. */
void tws_hostport_format(const struct tws_hostport *hp, char *out, size_t cap);

#endif

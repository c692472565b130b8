/*
 * target.h - where a channel goes, encoded as in SOCKS5 (RFC 1928, 5):
 * u8 type (1 IPv4, 3 name with u8 length, 4 IPv6, 5 unix path with u8 length), address, u16 port.
 */
#ifndef TWS_PROTO_TARGET_H
#define TWS_PROTO_TARGET_H

#include "tws/base/addr.h"
#include "tws/base/bytes.h"
#include "tws/proto/spot.h"

#define TWS_TARGET_MAX (1 + 1 + 255 + 2) /* encoded bytes */

enum tws_target_type {
    TWS_TARGET_IPV4 = 1,
    TWS_TARGET_NAME = 3,
    TWS_TARGET_IPV6 = 4,
    TWS_TARGET_UNIX = 5,
};

struct tws_target {
    uint8_t type;
    struct tws_ip ip;            /* TWS_TARGET_IPV4, TWS_TARGET_IPV6 */
    char name[TWS_HOST_MAX + 1]; /* TWS_TARGET_NAME, TWS_TARGET_UNIX; NUL-terminated */
    uint16_t port;               /* 0 for TWS_TARGET_UNIX */
};

/* An address; of family 0: type 0, which is none. */
struct tws_target tws_target_from_ip(const struct tws_ip *ip, uint16_t port);

/* An IP literal becomes an address, anything else a name. */
void tws_target_from_hostport(const struct tws_hostport *hp, struct tws_target *out);

/* The same of one port of an INET spot, or a UNIX spot's path. */
void tws_target_from_spot(const struct tws_spot *s, struct tws_target *out);

/* Fails in the writer if there is no room (TWS_TARGET_MAX is always enough), or if *t is not one
 * that tws_target_read() would take (an empty name). */
void tws_target_write(struct tws_writer *w, const struct tws_target *t);

/*
 * Reads one target. TWS_SHORT: the bytes end inside it. TWS_E_PROTOCOL: unknown type, an empty
 * name, a NUL or control byte in a name or path, or a unix path with a port.
 */
TWS_MUST_USE tws_err tws_target_read(struct tws_reader *r, struct tws_target *out);

/* "host:port", "[v6]:port" or "unix:/path", as one word for logs. `cap` at least TWS_HOSTPORT_TEXT.
 */
void tws_target_format(const struct tws_target *t, char *out, size_t cap);

/*
 * The payload of OPEN: u8 kind, target, then parameters { u8 type, u8 flags (bit 7 critical),
 * u16 length, value }: 1 source address, 2 original destination, both encoded as a target;
 * 3 u8, of TWS_KIND_LISTEN: the kind of what is accepted there; 4 u32, of what was accepted: the
 * listening channel; 5 u8, of TWS_KIND_LISTEN: the protocol in which who connects says where to;
 * 6 and 7, of TWS_KIND_TUN: the IPv4 and the IPv6 address that the opener would like to have.
 */
enum tws_speaks { TWS_SPEAKS_SOCKS = 1, TWS_SPEAKS_HTTP = 2, TWS_SPEAKS_PROXY = 3 /* either */ };

struct tws_open {
    uint8_t kind; /* enum tws_kind */
    struct tws_target target;
    struct tws_target source;       /* type 0: not given */
    struct tws_target original;     /* type 0: not given */
    uint8_t accepts;                /* enum tws_kind; 0: not given */
    uint32_t listener;              /* a channel's id; 0: not given */
    uint8_t speaks;                 /* enum tws_speaks; 0: nothing, all go to one place */
    struct tws_ip wanted4, wanted6; /* family 0: not given */
};

#define TWS_OPEN_MAX (1 + 3 * TWS_TARGET_MAX + 7 * 4 + 1 + 4 + 1 + 4 + 16) /* encoded bytes */

void tws_open_write(struct tws_writer *w, const struct tws_open *o);
/* Reads a whole payload. TWS_E_PROTOCOL: as tws_target_read(), cut short, an unknown kind, a
 * parameter given twice, or an unknown critical one. */
TWS_MUST_USE tws_err tws_open_read(struct tws_span payload, struct tws_open *out);

#endif

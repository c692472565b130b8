/*
 * tun_terms.h - what a server says in OPENED of a TUN channel: the addresses of the client's end of
 * the IP link, and what fits through it. A list of parameters:
 *
 *      1  IPv4 address[4], u8 length of its network      2  IPv6 address[16], u8 length
 *      3  u16 MTU
 */
#ifndef TWS_PROTO_TUN_TERMS_H
#define TWS_PROTO_TUN_TERMS_H

#include "tws/base/addr.h"
#include "tws/base/bytes.h"

#define TWS_TUN_TERMS_MAX 48  /* encoded bytes */
#define TWS_TUN_MTU_MIN   576 /* of IPv4; IPv6 needs 1280 */

enum { TWS_TUN_V4, TWS_TUN_V6, TWS_TUN_FAMILIES };

struct tws_tun_terms {
    struct tws_prefix address[TWS_TUN_FAMILIES]; /* host bits set; family 0: none */
    uint16_t mtu;                                /* 0: not said */
};

/* Never fails with room for TWS_TUN_TERMS_MAX. */
void tws_tun_terms_write(struct tws_writer *w, const struct tws_tun_terms *t);
/* TWS_E_PROTOCOL: no such list, no address in it, one that no host has, or a wrong length or MTU.
 */
TWS_MUST_USE tws_err tws_tun_terms_read(struct tws_span in, struct tws_tun_terms *out);

#endif

/*
 * ip_device_priv.h - a TUN device as the configuration wants it: open, up, with its addresses, MTU
 * and routes; and as it was when it is closed.
 *
 * What is as it should be is left alone, so that a device that was prepared needs no capability.
 * What cannot be done is logged here, with what to do about it.
 *
 * Where the kernel lets us (tun.h: offload), TCP comes out of it in super packets, which are cut
 * here, and what goes in within one turn of the loop is joined again (ip_cut.h, ip_join.h): nobody
 * else knows. Packets go in in the order in which they are written.
 */
#ifndef TWS_TUNNEL_IP_DEVICE_PRIV_H
#define TWS_TUNNEL_IP_DEVICE_PRIV_H

#include "tws/base/addr.h"
#include "tws/base/bytes.h"
#include "tws/net/loop.h"
#include "tws/net/rtnetlink.h"
#include "tws/net/tun.h"
#include "tws/proto/ip_join.h"

#define TWS_IP_DEVICE_ADDRESSES 16

struct tws_ip_device {
    struct tws_tun tun;
    struct tws_rtnl rtnl;
    uint32_t mtu;             /* what it has */
    struct tws_netdev before; /* how a prepared one was */
    struct tws_prefix added[TWS_IP_DEVICE_ADDRESSES];
    size_t nadded;
    uint8_t *buffers; /* what the two below are in */
    uint8_t *packet;  /* room for one, for whoever reads or changes one */
    /* Goes in at the end of the turn, or before what does not go with it. */
    struct tws_ip_join join;
    struct tws_loop *loop;
    struct tws_task turn_task;
};

#define TWS_IP_PACKET_MAX 65575u /* IPv6 header and 65,535 bytes */

/* `name` NULL: numbered. TWS_SYS (logged), TWS_NOMEM. */
TWS_MUST_USE tws_err tws_ip_device_open(struct tws_ip_device *d, struct tws_loop *loop,
                                        const char *name, uint32_t mtu);
/* As it was before. Fine for one that is not open (zeroed). */
void tws_ip_device_close(struct tws_ip_device *d);

/* Lowers or raises the MTU. TWS_SYS (logged). */
TWS_MUST_USE tws_err tws_ip_device_set_mtu(struct tws_ip_device *d, uint32_t mtu);
/* Makes its addresses these, but for those that somebody else gave it. TWS_SYS (logged). */
TWS_MUST_USE tws_err tws_ip_device_set_addresses(struct tws_ip_device *d,
                                                 const struct tws_prefix *list, size_t n);
/* A route to `to` leads there, in the main table. One that is there already is fine. TWS_SYS
 * (logged). */
TWS_MUST_USE tws_err tws_ip_device_add_route(struct tws_ip_device *d, const struct tws_prefix *to);
/* No more. */
void tws_ip_device_remove_route(struct tws_ip_device *d, const struct tws_prefix *to);

/* The first character of a setting of the kernel's, a file in /proc/sys; 0: not known. */
char tws_ip_setting(const char *path);

/* Bytes of packets that wait for their channel, of one device. */
#define TWS_IP_BACKLOG (1u << 22)

/* One that came out of the device; it may be changed, and is gone when this returns. */
typedef void tws_ip_take_fn(void *arg, uint8_t *packet, size_t n);
/* Hands those that wait to `take`, as many as a turn has room for; then `io`, which watches the
 * device, is called again. */
void tws_ip_device_drain(struct tws_ip_device *d, struct tws_io *io, tws_ip_take_fn *take,
                         void *arg);
/* One packet into it, which was read into *p and is copied; a SYN's segment size is lowered to what
 * fits. What the kernel does not take is lost. */
void tws_ip_device_write(struct tws_ip_device *d, struct tws_span packet,
                         const struct tws_ip_packet *p);

#endif

/*
 * rtnetlink.h - addresses, routes and routing rules of this machine, by rtnetlink(7) and no
 * program. Requests are answered by the kernel at once; nothing waits for a network.
 *
 * Everything made here bears the mark TWS_NET_MARK (ip-route's `proto`), by which it is found again
 * after the process that made it was killed: tws_rtnl_sweep_stale().
 */
#ifndef TWS_NET_RTNETLINK_H
#define TWS_NET_RTNETLINK_H

#include "tws/base/addr.h"
#include "tws/base/err.h"

#define TWS_NET_MARK   120
#define TWS_NET_TABLE  29815u /* our own routing table */
#define TWS_NET_RULES  7470u  /* the first priority of our rules, of as many as follow */
#define TWS_NET_NRULES 10u
#define TWS_TABLE_MAIN 254u

struct tws_rtnl {
    int fd;
    uint32_t seq;
};

/* TWS_SYS. */
TWS_MUST_USE tws_err tws_rtnl_open(struct tws_rtnl *r);
void tws_rtnl_close(struct tws_rtnl *r);

/* All that follow: TWS_SYS with the kernel's errno; TWS_NOMEM. Adding what is there is EEXIST. */

struct tws_netdev {
    uint32_t mtu;
    bool up;
    bool in_use; /* something is attached: a TUN device has a process, a card its cable */
};
TWS_MUST_USE tws_err tws_rtnl_device(struct tws_rtnl *r, unsigned index, struct tws_netdev *out);
TWS_MUST_USE tws_err tws_rtnl_set_mtu(struct tws_rtnl *r, unsigned index, uint32_t mtu);
TWS_MUST_USE tws_err tws_rtnl_set_up(struct tws_rtnl *r, unsigned index, bool up);

enum tws_rtnl_change { TWS_RTNL_ADD, TWS_RTNL_DELETE };

/* `a` is an address and the length of its network, host bits set. */
TWS_MUST_USE tws_err tws_rtnl_address(struct tws_rtnl *r, enum tws_rtnl_change change,
                                      unsigned index, const struct tws_prefix *a);
/* One that a device has, and the network that it is in or that its other end is. */
struct tws_rtnl_address {
    unsigned device;
    struct tws_ip ip;
    struct tws_prefix network; /* host bits set */
};
typedef void tws_rtnl_address_fn(void *arg, const struct tws_rtnl_address *a);
/* Tells of all addresses of the family (4, 6) that this machine has. */
TWS_MUST_USE tws_err tws_rtnl_addresses(struct tws_rtnl *r, uint8_t family, tws_rtnl_address_fn *fn,
                                        void *arg);
/* Whether the device has the address, with whatever length. */
TWS_MUST_USE tws_err tws_rtnl_has_address(struct tws_rtnl *r, unsigned index,
                                          const struct tws_ip *ip, bool *out);

struct tws_ip_route {
    struct tws_prefix to;
    uint32_t table;
    unsigned device; /* 0: whoever asks is told that it is unreachable */
};
TWS_MUST_USE tws_err tws_rtnl_route(struct tws_rtnl *r, enum tws_rtnl_change change,
                                    const struct tws_ip_route *route);
/* Whether that route is there, whoever made it. */
TWS_MUST_USE tws_err tws_rtnl_has_route(struct tws_rtnl *r, const struct tws_ip_route *route,
                                        bool *out);

/* What the kernel would do with a packet. TWS_SYS: it would drop it. */
struct tws_route_question {
    struct tws_ip from, to; /* from.family 0: from here, whatever address */
    uint32_t mark;
    unsigned device; /* it came in by; 0: it begins here */
};
struct tws_route_answer {
    bool local; /* it is for a process of this machine */
    unsigned device;
};
TWS_MUST_USE tws_err tws_rtnl_ask_route(struct tws_rtnl *r, const struct tws_route_question *q,
                                        struct tws_route_answer *out);

/* Who matches looks up `table`, or goes on at the rule `go_to`, or (neither) just goes on. */
struct tws_ip_rule {
    uint8_t family; /* 4 or 6 */
    uint32_t priority;
    struct tws_prefix to; /* family 0: any destination */
    uint8_t protocol;     /* 0: any */
    uint16_t port;        /* destination's, 0: any */
    uint32_t mark;        /* of the packet or its socket, 0: any */
    uint32_t table, go_to;
    bool no_default; /* a default route of the table does not count */
};
TWS_MUST_USE tws_err tws_rtnl_rule(struct tws_rtnl *r, enum tws_rtnl_change change,
                                   const struct tws_ip_rule *rule);

/* These delete what bears our mark, and add to *count how much it was: */

/* addresses and routes of a device; */
TWS_MUST_USE tws_err tws_rtnl_sweep_device(struct tws_rtnl *r, unsigned device, unsigned *count);
/* the rules of our priorities, and the table TWS_NET_TABLE; */
TWS_MUST_USE tws_err tws_rtnl_sweep_table(struct tws_rtnl *r, unsigned *count);
/* what a killed process left: addresses and routes of devices that are not in use, and the rules
 * and the table if no device that is in use has a route there. `devices` are those of the first
 * kind; NULL: nobody asks. */
struct tws_rtnl_devices {
    unsigned index[8]; /* more are not told */
    size_t n;
};
TWS_MUST_USE tws_err tws_rtnl_sweep_stale(struct tws_rtnl *r, unsigned *count,
                                          struct tws_rtnl_devices *devices);

#endif

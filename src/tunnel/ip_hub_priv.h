/*
 * ip_hub_priv.h - the server's end of all IP links: one TUN device, and a routing table that says
 * which client's port a packet from it goes to.
 *
 *      device -> table -> port's backlog -> channel          (ip_hub.c)
 *      channel -> source, rules, rate -> device              (egress_tun.c)
 *
 * A packet is never stored but in its port's backlog; what that drops, and what belongs to nobody,
 * is counted.
 */
#ifndef TWS_TUNNEL_IP_HUB_PRIV_H
#define TWS_TUNNEL_IP_HUB_PRIV_H

#include "backlog_priv.h"
#include "carrier_priv.h"
#include "ip_device_priv.h"
#include "judge_priv.h"

#include "tws/proto/ip_packet.h"
#include "tws/proto/tun_terms.h"
#include "tws/tunnel/ip_table.h"

struct tws_ip_hub {
    struct tws_loop *loop;
    const struct tws_server_config *cfg;             /* the server's, for its users */
    struct tws_prefix nets[TWS_IP_DEVICE_ADDRESSES]; /* the device's addresses and networks */
    size_t nnets;
    struct tws_ip_device device;
    struct tws_io io;
    struct tws_ip_table table; /* of struct tws_tun_port */
    struct tws_node ports;
    struct tws_ip next[TWS_IP_DEVICE_ADDRESSES]; /* where the search of each network goes on */
    uint64_t unrouted;                           /* packets that belong to nobody */
};

/* One network or address that leads to a port. */
struct tws_ip_way {
    struct tws_ip_entry entry;
    bool has_route; /* in the kernel, made for it */
};

/* A client's end, as seen from here. */
struct tws_tun_port {
    struct tws_node port_node; /* the hub's */
    struct tws_ip_hub *hub;    /* NULL: it is cut off, its channel is ending */
    struct tws_local local;
    struct tws_judge *judge;
    struct tws_tun_terms terms;
    struct tws_ip_way *ways; /* sources it may use, and destinations that it gets */
    size_t nways;
    struct tws_backlog backlog; /* on its way to the client */
    struct tws_waiter up_wait, down_wait;
    uint64_t opened_us;
    uint64_t dropped_source, dropped_rules, dropped_malformed, dropped_rate;
    struct tws_log_limit limit;
    uint16_t code; /* why it ended; 0: it did not */
};

/* Opens the device that `cfg` names. TWS_SYS (logged), TWS_NOMEM. */
TWS_MUST_USE tws_err tws_ip_hub_new(struct tws_loop *loop, const struct tws_server_config *cfg,
                                    struct tws_ip_hub **out);
/* No port's channel is left. NULL is fine. */
void tws_ip_hub_free(struct tws_ip_hub *hub);
/* The next configuration: ports whose addresses it does not grant any more are reset. */
void tws_ip_hub_set(struct tws_ip_hub *hub, const struct tws_server_config *cfg);

/* ---- ip_grant.c: which addresses a port has ---- */

/* Chooses port->terms, and leads them and the user's networks to the port. 0, or the code to refuse
 * it with. `port` is not in the hub's list yet. */
uint16_t tws_ip_grant(struct tws_tun_port *port, const struct tws_user *u,
                      const struct tws_open *open, const char **why);
/* Gives them back. */
void tws_ip_ungrant(struct tws_tun_port *port);
/* Whether `u` may still have what the port has. */
bool tws_ip_granted(const struct tws_tun_port *port, const struct tws_user *u);

/* ---- egress_tun.c ---- */

/* Ends the port's channel; it has no addresses any more. */
void tws_tun_port_cut(struct tws_tun_port *port, uint16_t code, const char *why);

#endif

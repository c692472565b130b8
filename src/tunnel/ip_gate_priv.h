/*
 * ip_gate_priv.h - which packets out of a tunnel a client's kernel gets to see. What it sees it
 * believes, whoever the server is; so a packet must come from where this client sends packets into
 * the tunnel, and go to the client itself or to a network behind it.
 *
 *      here      the device's own addresses, `behind`
 *      there     the networks of its addresses, `routes`, `sources`, and everything with `all`
 *      nowhere   `exclude`, and what is in neither
 *
 * The longest prefix counts. An ICMP error comes from whichever router is on the way: it is about a
 * packet, and passes if that one went from here to there.
 */
#ifndef TWS_TUNNEL_IP_GATE_PRIV_H
#define TWS_TUNNEL_IP_GATE_PRIV_H

#include "tws/proto/ip_packet.h"
#include "tws/proto/tun_terms.h"
#include "tws/tunnel/config.h"
#include "tws/tunnel/ip_table.h"

/* Zeroed: it lets nothing pass. */
struct tws_ip_gate {
    struct tws_ip_table table; /* of struct side */
    struct tws_ip_entry *entries;
    size_t nentries;
    uint64_t dropped_source, dropped_destination;
};

/* What is in force from now on. TWS_NOMEM: nothing has changed. */
TWS_MUST_USE tws_err tws_ip_gate_set(struct tws_ip_gate *g, const struct tws_tun_config *conf,
                                     const struct tws_tun_terms *terms);
void tws_ip_gate_fini(struct tws_ip_gate *g);

/* Why `in`, which was read into *p, is not let through, and it is counted; NULL: it is. */
const char *tws_ip_gate_refuses(struct tws_ip_gate *g, struct tws_span in,
                                const struct tws_ip_packet *p);

#endif

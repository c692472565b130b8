/*
 * ip_terms_priv.h - whether a client takes what its server says about its end of an IP link. A
 * server may serve a client well and yet have no say in where its other packets go: an address
 * comes with the length of its network, and the network's packets go to the server.
 */
#ifndef TWS_TUNNEL_IP_TERMS_PRIV_H
#define TWS_TUNNEL_IP_TERMS_PRIV_H

#include "ip_device_priv.h"

#include "tws/proto/tun_terms.h"

/*
 * Why an address is not taken from a server, whatever the machine; NULL: it may be. A network must
 * be of those for private use, of at most 65,536 addresses (IPv6: a site's, /48), unless it is the
 * address alone. Pure.
 */
const char *tws_ip_terms_doubt(const struct tws_prefix *address);

/*
 * Whether they are taken for that device: nothing doubtful is among them, and nothing that shares
 * addresses with a network that the machine is in already. What the device has already is the
 * administrator's word. False is logged, with the remedy.
 */
bool tws_ip_terms_taken(struct tws_ip_device *d, const struct tws_tun_terms *t);

#endif

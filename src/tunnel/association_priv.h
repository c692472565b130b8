/*
 * association_priv.h - SOCKS5's UDP ASSOCIATE: a UDP socket of its own for one client, as long as
 * the client's TCP connection stays. Each target that the client sends to is a flow.
 *
 *      client -> | header with the target | bytes |  -> flow -> channel
 *      channel -> flow ->  | the same header | bytes |  -> client
 *
 * Only the address that the connection came from is listened to, and of it the first port that
 * sends; what comes from elsewhere, and fragments, falls away.
 */
#ifndef TWS_TUNNEL_ASSOCIATION_PRIV_H
#define TWS_TUNNEL_ASSOCIATION_PRIV_H

#include "arrival_priv.h"
#include "ingress_priv.h"

#define TWS_ASSOCIATIONS_MAX  1024u /* of one ingress */
#define TWS_ASSOCIATION_FLOWS 256u

struct tws_inlet;

/* Takes the arrival's connection and answers its request. */
void tws_associate(struct tws_inlet *l, const struct tws_arrival *a);
/* Channels can be opened (again). */
void tws_associations_ready(struct tws_ingress *in);
/* Ends those of an inlet; NULL: all. */
void tws_associations_drop(struct tws_ingress *in, const struct tws_inlet *l);

#endif

/*
 * egress_priv.h - the server's way out: a channel that a client opened -> the user's rules and
 * limits -> a connection to the target -> a relay.
 *
 * At most TWS_DIALS_MAX dials of a session are in progress; the rest waits in line.
 */
#ifndef TWS_TUNNEL_EGRESS_PRIV_H
#define TWS_TUNNEL_EGRESS_PRIV_H

#include "account_priv.h"
#include "carrier_priv.h"

#define TWS_DIALS_MAX 1024u

struct tws_egress {
    struct tws_carrier *carrier;
    struct tws_account *account;
    const uint32_t *connect_timeout_ms; /* of the server's configuration */
    struct tws_node waiting;            /* struct dial */
    uint32_t dialling;
};

void tws_egress_init(struct tws_egress *e, struct tws_carrier *carrier, struct tws_account *account,
                     const uint32_t *connect_timeout_ms);
/* The client opened `ch`: connects it, or resets it with the reason. */
void tws_egress_open(struct tws_egress *e, struct tws_channel *ch, struct tws_span payload);

#endif

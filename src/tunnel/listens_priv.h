/*
 * listens_priv.h - what a session listens on for its peer (OPEN of kind listen), on the server.
 *
 *      OPEN(listen, address) -> the judge's rules -> an inlet -> OPENED with the address
 *      accepted -> OPEN of an even channel, which names the listening channel
 *
 * A listening channel stands for its socket and ends with it; nothing flows on it. An address that
 * another session of the same user has is taken over from one that began to listen earlier or has
 * no live link, so that a client that comes back never meets its own ghost, and two clients that
 * want the same do not take it from each other in turns.
 */
#ifndef TWS_TUNNEL_LISTENS_PRIV_H
#define TWS_TUNNEL_LISTENS_PRIV_H

#include "egress_priv.h"
#include "ingress_priv.h"

#include "tws/proto/frame.h"

/* Made by the first OPEN of its kind in a session. */
struct tws_listens {
    struct tws_node listens_node; /* the judge's, in the order of their first listening */
    struct tws_egress *egress;
    struct tws_ingress ingress;
    struct tws_node list; /* struct listening */
    struct tws_log_limit limit;
};

/* What an OPEN of kind listen wants to be accepted. */
static inline uint8_t tws_listens_kind(const struct tws_open *open)
{
    return open->accepts != 0 ? open->accepts : TWS_KIND_TCP;
}

/* All of these take NULL: the session listens on nothing. */

/* Channels can be opened (again). */
void tws_listens_ready(struct tws_listens *ls);
/* The configuration may have changed: ends what the rules allow no more. */
void tws_listens_recheck(struct tws_listens *ls);
/* Ends all of it, with this reason. */
void tws_listens_end(struct tws_listens *ls, uint16_t code, const char *why);
/* No channel of the session is left. */
void tws_listens_free(struct tws_listens *ls);

#endif

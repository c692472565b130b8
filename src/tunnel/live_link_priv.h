/*
 * live_link_priv.h - one link at work: a wire, the keys of its records, and the session's idea of
 * it. Owned by a carrier.
 */
#ifndef TWS_TUNNEL_LIVE_LINK_PRIV_H
#define TWS_TUNNEL_LIVE_LINK_PRIV_H

#include "carrier_priv.h"

/* After that much a sealed link is replaced by a fresh one; this is the rekeying. */
#define TWS_RECORD_BYTES_MAX  (UINT64_C(1) << 40)
#define TWS_RECORD_AGE_MAX_US (UINT64_C(24) * 3600 * 1000000)

struct tws_live_link {
    struct tws_node live_node; /* its carrier's links */
    struct tws_carrier *carrier;
    struct tws_wire *wire;
    struct tws_link *link; /* NULL once the session forgot it */
    struct tws_aead seal, open;
    bool sealed;
    bool unsent;   /* the wire is still writing the last message: sent() is due when it is done */
    bool draining; /* it is replaced as soon as another link is up */
    uint64_t close_at_us; /* it was replaced; 0: not yet */
    uint32_t id;
    struct tws_link_terms terms;
    uint64_t since_us;
    uint64_t bytes; /* under these keys, both ways */
};

/* Takes `wire`, also on failure. TWS_NOMEM, TWS_FULL, TWS_E_STATE. */
TWS_MUST_USE tws_err tws_live_link_new(struct tws_carrier *c, const struct tws_hs_result *hs,
                                       const struct tws_link_terms *terms, struct tws_wire *wire,
                                       struct tws_live_link **out);
/* Closes the wire and forgets the link; the session is told only if it still has it. */
void tws_live_link_free(struct tws_live_link *l, uint16_t code);
/* Sends what the session has for it and the wire takes; true: more is left for the next turn. */
bool tws_live_link_flush(struct tws_live_link *l);
/* Whether it is too old, or its keys are used up. */
bool tws_live_link_worn(const struct tws_live_link *l, uint64_t now);

#endif

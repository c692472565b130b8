/*
 * egress_priv.h - the way out: a channel that the peer opened -> its judge -> its kind, which makes
 * a local side of it (a connection to a target, ...).
 *
 * egress.c has what all kinds share; egress_<kind>.c is one kind, with one row in the table there.
 * At most TWS_DIALS_MAX dials of a session are in progress; the rest waits in line.
 */
#ifndef TWS_TUNNEL_EGRESS_PRIV_H
#define TWS_TUNNEL_EGRESS_PRIV_H

#include "carrier_priv.h"
#include "judge_priv.h"

#define TWS_DIALS_MAX 1024u

struct tws_detour_memory;
struct tws_ip_hub;
struct tws_own_addresses;

/* What the configuration says about the way out. Owned by whoever has the egress, and may change.
 */
struct tws_egress_config {
    uint32_t connect_timeout_ms;
    uint32_t udp_timeout_ms;
    bool no_udp;
    const struct tws_outlet *outlets; /* how; none: directly */
    size_t noutlets;
    struct tws_own_addresses *own;     /* borrowed; needed with outlets */
    struct tws_detour_memory *proxies; /* of `via`, borrowed; NULL: nothing is remembered */
    struct tws_ip_hub *tun;            /* NULL: no IP links */
};

struct tws_egress {
    struct tws_carrier *carrier;
    struct tws_judge *judge; /* borrowed */
    const struct tws_egress_config *cfg;
    struct tws_listens *listens; /* NULL: the peer never asked */
    struct tws_node waiting;     /* struct tws_place */
    uint32_t dialling;
    struct tws_log_limit limit; /* of lines about what the configuration's ways out do */
};

void tws_egress_init(struct tws_egress *e, struct tws_carrier *carrier, struct tws_judge *judge,
                     const struct tws_egress_config *cfg);
/* Its carrier was freed. */
void tws_egress_fini(struct tws_egress *e);
/* The peer opened `ch`: connects it, or resets it with the reason. */
void tws_egress_open(struct tws_egress *e, struct tws_channel *ch, struct tws_span payload);
/* The same of a payload that was read, and perhaps changed. */
void tws_egress_serve(struct tws_egress *e, struct tws_channel *ch, const struct tws_open *open);

/* ---- for the kinds ---- */

/* An opening that the judge allowed. All of it is borrowed until the kind returns. */
struct tws_request {
    struct tws_channel *channel;
    const struct tws_open *open;
    struct tws_permit permit;
    const char *source, *target; /* as text; the source may be "-" */
};

/* Attaches a local side to the channel; it takes the channel off the judge's count when it is over.
 * TWS_NOMEM: it did not, and the channel is reset. */
typedef tws_err tws_egress_kind(struct tws_egress *e, const struct tws_request *rq);

tws_egress_kind tws_egress_stream;
tws_egress_kind tws_egress_listen;
tws_egress_kind tws_egress_udp;
tws_egress_kind tws_egress_tun;

/* Instead of attaching something: refuses with `code`, and `why` for the peer (copied; may be
 * NULL). */
TWS_MUST_USE tws_err tws_egress_refuse(struct tws_egress *e, const struct tws_request *rq,
                                       uint16_t code, const char *why);

struct tws_outlet;
struct tws_connect_from;

/* Where it starts by the outlet (NULL: by none); else why it cannot be, which is FORBIDDEN, and is
 * said in the log. */
const char *tws_egress_from(struct tws_egress *e, const struct tws_outlet *o,
                            const struct tws_ip_port *source, struct tws_connect_from *from);
/* The same of what starts there and goes to `to`; NULL: it may. */
const char *tws_egress_may_go(struct tws_egress *e, const struct tws_connect_from *from,
                              const struct tws_ip *to);

struct tws_place;

/* False: it does not dial after all; whoever has the place may be resetting its channel. */
typedef bool tws_turn_fn(struct tws_place *p);

/* A place in the line of dials. */
struct tws_place {
    struct tws_node place_node; /* waiting, or not linked */
    bool taken;                 /* its turn came: it counts as dialling until it leaves */
    tws_turn_fn *on_turn;
};

void tws_place_init(struct tws_place *p, tws_turn_fn *on_turn);
/* on_turn() comes when it may dial, which may be now. */
void tws_place_enter(struct tws_egress *e, struct tws_place *p);
/* Waits or dials no more; fine for one that never entered. The next in line has its turn. */
void tws_place_leave(struct tws_egress *e, struct tws_place *p);

#endif

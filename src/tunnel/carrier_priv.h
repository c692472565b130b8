/*
 * carrier_priv.h - one session at work: the engine, its live links, the local sides of its
 * channels, and the timer between them.
 *
 *      wire -> live link -> session -> events -> local sides
 *      local sides -> set_ready, kick -> (end of turn) flush: pull, seal, send
 *
 * Whoever calls the session does so through the carrier's loop: any call that may make it want to
 * send or tell something is followed by tws_carrier_kick(). At the end of the turn the carrier
 * hands out the events, flushes every link once, and sets its timer. This is the only place that
 * turns the end of a link or a session into deaths: links are closed here, and local sides are
 * told here.
 */
#ifndef TWS_TUNNEL_CARRIER_PRIV_H
#define TWS_TUNNEL_CARRIER_PRIV_H

#include "local_priv.h"

#include "tws/base/log.h"
#include "tws/net/loop.h"
#include "tws/proto/code.h"
#include "tws/proto/handshake.h"
#include "tws/tunnel/config.h"
#include "tws/ws/wire.h"

struct tws_live_link;
struct tws_partings;

/* What a link is there for. */
struct tws_link_terms {
    void *owner;  /* only carried */
    uint8_t role; /* enum tws_link_role */
    uint16_t weight;
    uint64_t retire_at_us; /* replace it then; 0: when its keys are worn */
};

/* Whether a session that ended like this lets streams that came in full be handed on. */
static inline bool tws_carrier_ended_in_peace(uint16_t code)
{
    return code == TWS_CODE_SHUTDOWN || code == TWS_CODE_TIMEOUT;
}

#define TWS_SESSION_TAG 9 /* the first four bytes of a session's id in hex, with NUL */

/* All of them may free nothing but what they are told is over. NULL: not wanted. */
struct tws_carrier_events {
    /* The peer opened a channel: attach a local side to it, or reset it. */
    void (*on_open)(void *arg, struct tws_channel *ch, struct tws_span payload);
    void (*on_openable)(void *arg);
    /* A link is gone; it was up for `up_us`. `owner` is that of its terms. */
    void (*on_link_down)(void *arg, void *owner, uint32_t link_id, uint64_t up_us, const char *why);
    void (*on_goaway)(void *arg, uint16_t code, uint32_t deadline_ms);
    /* Links live, but none of them answers. */
    void (*on_stalled)(void *arg);
    /* No channel is left. */
    void (*on_idle)(void *arg);
    /* The session is over, and everything of it but the carrier: free it now. */
    void (*on_over)(void *arg, uint16_t code, const char *text);
};

struct tws_carrier {
    struct tws_loop *loop;
    struct tws_session *session;
    struct tws_task turn_task;
    struct tws_timer tick_timer;
    struct tws_node links;  /* struct tws_live_link */
    struct tws_node locals; /* struct tws_local */
    uint32_t nlinks, nlocals, nlingering;
    const struct tws_carrier_events *events;
    void *arg;
    const struct tws_link_limits *limits; /* borrowed; may change */
    struct tws_partings *partings;        /* borrowed: takes what outlives the session */
    enum tws_log_level audit_level;       /* of the line at a channel's end */
    const char *user;                     /* for the log; borrowed */
    char tag[TWS_SESSION_TAG];
    bool client, handing_out, suspended, over, peer_drains;
    struct tws_log_limit unreached_limit; /* of lines about targets that were not reached */
    uint16_t over_code;
    char over_text[129];
};

struct tws_carrier_config {
    bool client;
    const struct tws_link_limits *limits; /* borrowed; values may change */
    struct tws_partings *partings;        /* borrowed: outlives the carrier */
    const struct tws_hs_params *peer;     /* what the peer said of itself */
    const uint8_t *session_id;
    const char *user;
    enum tws_schedule schedule; /* client only */
    enum tws_log_level audit_level;
    const struct tws_carrier_events *events;
    void *arg;
};

/* TWS_NOMEM. */
TWS_MUST_USE tws_err tws_carrier_new(struct tws_loop *loop, const struct tws_carrier_config *cfg,
                                     struct tws_carrier **out);
/* Closes what is left: CLOSE on every link if the session still lives, RST to local sides. No
 * event comes. NULL is fine. */
void tws_carrier_free(struct tws_carrier *c);

static inline uint64_t tws_carrier_now(const struct tws_carrier *c)
{
    return tws_loop_now(c->loop);
}

/* The session was called: hand out, flush and set the timer before the loop sleeps. */
void tws_carrier_kick(struct tws_carrier *c);
/* Hands out the session's events now. */
void tws_carrier_hand_out(struct tws_carrier *c);

/* A handshake made a link: takes the wire, also on failure. TWS_NOMEM, TWS_FULL, TWS_E_STATE. */
TWS_MUST_USE tws_err tws_carrier_add_link(struct tws_carrier *c, const struct tws_hs_result *hs,
                                          const struct tws_link_terms *terms,
                                          struct tws_wire *wire);
/* A link's transport is over: it goes, and on_link_down() is called. */
void tws_carrier_link_over(struct tws_carrier *c, struct tws_live_link *l, uint16_t code,
                           const char *why);

/* Ends the session as soon as the turn ends; on_over() follows. */
void tws_carrier_close(struct tws_carrier *c, uint16_t code, const char *text);
/* Something happened to the network: asks every link whether it lives. */
void tws_carrier_probe(struct tws_carrier *c);
/* Opens and accepts no more, and tells the peer. */
void tws_carrier_drain(struct tws_carrier *c, uint16_t code);

/* No channel is left, and neither side owes the other anything. */
bool tws_carrier_settled(const struct tws_carrier *c);

/* What the peer is told of us in a handshake. */
void tws_carrier_params(const struct tws_link_limits *limits, struct tws_hs_params *out);

#endif

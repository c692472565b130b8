/*
 * pool_priv.h - the client's session with a server and its links: keeps each uplink's number of
 * them up for ever.
 *
 * The first link makes the session, the others join it. A lost link is dialled again at once, then
 * with back-off, over each uplink by itself (lane_priv.h); while channels are open and no link
 * lives, every second. A pool that retires
 * (the server goes down, another route was configured, the ids run out) opens nothing more, keeps
 * what it has alive, and ends with its last channel.
 */
#ifndef TWS_TUNNEL_POOL_PRIV_H
#define TWS_TUNNEL_POOL_PRIV_H

#include "carrier_priv.h"
#include "client_handshake_priv.h"
#include "lane_priv.h"
#include "reverse_priv.h"

struct tws_pool;

struct tws_pool_events {
    /* tws_pool_ready() may have become true. */
    void (*on_ready)(void *arg);
    /* It opens nothing more: make another. */
    void (*on_retiring)(void *arg, struct tws_pool *p);
    /* It retired and nothing of it is left: free it. */
    void (*on_over)(void *arg, struct tws_pool *p);
};

struct tws_pool {
    struct tws_node pool_node; /* the client's */
    struct tws_loop *loop;
    struct tws_ws *ws;
    const struct tws_pool_events *events;
    void *arg;
    struct tws_route route;
    const struct tws_link_limits *limits; /* the client's copy */
    struct tws_partings *partings;        /* the client's */
    uint32_t retry_timeout_ms;
    uint32_t max_age_ms;        /* of links to come */
    enum tws_schedule schedule; /* of the next session */

    struct tws_carrier *carrier; /* NULL: no session */
    uint8_t session_id[TWS_HS_SESSION_ID_LEN];
    uint8_t join_secret[TWS_HASH_LEN];
    char session_text[TWS_SESSION_TEXT + 1];

    struct tws_node lanes;  /* struct tws_lane */
    uint32_t connections;   /* of all lanes */
    uint32_t ndials;        /* likewise: attempts in progress */
    uint64_t dialled_at_us; /* the last one */
    struct tws_timer timer;
    struct tws_reverse reverse;
    unsigned unknown_joins; /* in a row refused because the session is unknown */
    bool retiring;

    uint64_t links_lost, dials_failed, channels_opened, sessions_cut;
    uint64_t ended_sent, ended_received; /* bytes of sessions that are over */
};

struct tws_pool_config {
    const struct tws_client_config *client; /* borrowed for the call */
    const struct tws_endpoint *server;      /* one of client->servers */
    const struct tws_link_limits *limits;   /* outlive the pool */
    struct tws_partings *partings;          /* likewise */
    const struct tws_pool_events *events;
    void *arg;
};

/* Starts to dial. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_pool_new(struct tws_loop *loop, struct tws_ws *ws,
                                  const struct tws_pool_config *cfg, struct tws_pool **out);
void tws_pool_free(struct tws_pool *p);

/* Whether it is worth trying to open a channel: the session is there and a link lives. */
bool tws_pool_ready(const struct tws_pool *p);
/* Links that carry traffic: all but those that have a successor already. */
uint32_t tws_pool_links(const struct tws_pool *p);
/* A link lives. */
bool tws_pool_linked(const struct tws_pool *p);
/* Channels that are open in its session. */
uint32_t tws_pool_channels(const struct tws_pool *p);
/* Opens a channel of a ready pool; attach a local side at once. As tws_session_open(); after
 * TWS_FULL on_ready() tells when to try again. */
TWS_MUST_USE tws_err tws_pool_open(struct tws_pool *p, struct tws_span payload,
                                   struct tws_channel **out);

/* What may change of a pool: uplinks, back-off, the schedule of its next session. Links of an
 * uplink that is gone go when others are up. */
void tws_pool_set(struct tws_pool *p, const struct tws_client_config *cfg);
/* The network may be another: dials what is missing now, asks what is there whether it lives. */
void tws_pool_redial(struct tws_pool *p);
/* on_over() follows, perhaps much later; not on_retiring(). */
void tws_pool_retire(struct tws_pool *p);
/* What keeps a link from coming up, "" when nothing does. */
const char *tws_pool_failure(const struct tws_pool *p);

/* ---- for its lanes ---- */

/* One link in all is enough: there is no session yet, or only its last channels. */
bool tws_pool_is_sparse(const struct tws_pool *p);
/* Someone is waiting: channels are open and no link lives. */
bool tws_pool_is_urgent(const struct tws_pool *p);
/* Another link fits into the session. */
bool tws_pool_has_room(const struct tws_pool *p);
/* Links that are not being replaced; how many there should be. */
uint32_t tws_pool_fresh(const struct tws_pool *p);
uint32_t tws_pool_wanted(const struct tws_pool *p);
void tws_pool_look_at(struct tws_pool *p, uint64_t at_us);
/* `status` is the code the server refused with, or 0. */
void tws_pool_dial_failed(struct tws_pool *p, uint16_t status);
/* A handshake over `lane` made a link: takes the wire. */
void tws_pool_take_link(struct tws_pool *p, struct tws_lane *lane, const struct tws_hs_result *hs,
                        struct tws_wire *wire);

#endif

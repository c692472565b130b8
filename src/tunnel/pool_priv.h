/*
 * pool_priv.h - the client's session with a server and its links: keeps `connections` of them up
 * for ever.
 *
 * The first link makes the session, the others join it. A lost link is dialled again at once, then
 * with back-off; while channels are open and no link lives, every second. A pool that retires
 * (the server goes down, another route was configured, the ids run out) opens nothing more, keeps
 * what it has alive, and ends with its last channel.
 */
#ifndef TWS_TUNNEL_POOL_PRIV_H
#define TWS_TUNNEL_POOL_PRIV_H

#include "carrier_priv.h"
#include "client_handshake_priv.h"

#include "tws/tunnel/backoff.h"

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
    uint32_t connections;

    struct tws_carrier *carrier; /* NULL: no session */
    uint8_t session_id[TWS_HS_SESSION_ID_LEN];
    uint8_t join_secret[TWS_HASH_LEN];
    char session_text[TWS_SESSION_TEXT + 1];

    struct tws_node dials; /* struct dial: attempts in progress */
    uint32_t ndials;
    struct tws_backoff backoff;
    uint64_t dial_at_us, dialled_at_us; /* the next one not before; the last one */
    struct tws_timer timer;
    unsigned unknown_joins; /* in a row refused because the session is unknown */
    bool retiring;
    char failure[256]; /* what was logged last; "" while links come up */

    uint64_t links_lost, dials_failed, channels_opened;
    uint64_t ended_sent, ended_received; /* bytes of sessions that are over */
};

/* Starts to dial. `limits` outlives the pool. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_pool_new(struct tws_loop *loop, struct tws_ws *ws,
                                  const struct tws_client_config *cfg,
                                  const struct tws_link_limits *limits,
                                  const struct tws_pool_events *ev, void *arg,
                                  struct tws_pool **out);
void tws_pool_free(struct tws_pool *p);

/* Whether it is worth trying to open a channel: the session is there and a link lives. */
bool tws_pool_ready(const struct tws_pool *p);
/* A link lives. */
bool tws_pool_linked(const struct tws_pool *p);
/* Opens a channel of a ready pool; attach a local side at once. As tws_session_open(); after
 * TWS_FULL on_ready() tells when to try again. */
TWS_MUST_USE tws_err tws_pool_open(struct tws_pool *p, struct tws_span payload,
                                   struct tws_channel **out);

void tws_pool_set_connections(struct tws_pool *p, uint32_t connections);
void tws_pool_set_retry(struct tws_pool *p, uint32_t retry_timeout_ms);
/* Dials what is missing now. */
void tws_pool_redial(struct tws_pool *p);
/* on_over() follows, perhaps much later; not on_retiring(). */
void tws_pool_retire(struct tws_pool *p);

#endif

/*
 * reverse_priv.h - a client's reverse forwards at one server: the server listens, this client
 * connects.
 *
 * In each session a listening channel is asked for each of them; what is refused, and what ends, is
 * asked for again with back-off. What the server accepted comes as a channel that names its
 * listening channel, and goes to that forward's remote: where this client connects to is said by
 * its configuration and by nothing that a server sends.
 */
#ifndef TWS_TUNNEL_REVERSE_PRIV_H
#define TWS_TUNNEL_REVERSE_PRIV_H

#include "egress_priv.h"

#include "tws/tunnel/backoff.h"

struct tws_pool;

struct tws_reverse {
    struct tws_pool *pool;
    struct tws_node wishes; /* struct wish, one for each reverse forward */
    struct tws_judge judge;
    struct tws_egress_config egress_cfg;
    struct tws_egress egress; /* the session's; its carrier is NULL between sessions */
    struct tws_timer timer;   /* until something is asked for again */
    struct tws_backoff backoff;
    struct tws_log_limit limit;
};

void tws_reverse_init(struct tws_reverse *r, struct tws_pool *p, uint64_t seed);
/* No session is left. */
void tws_reverse_fini(struct tws_reverse *r);

/* The forwards are these from now on, borrowed until the next call: what is there stays, also with
 * another remote. TWS_NOMEM: some are missing. */
TWS_MUST_USE tws_err tws_reverse_set(struct tws_reverse *r, const struct tws_client_config *cfg);

/* A session begins, and ended (its carrier was freed). */
void tws_reverse_begin(struct tws_reverse *r, struct tws_carrier *c);
void tws_reverse_forget(struct tws_reverse *r);
/* Channels can be opened (again): asks for what is missing. */
void tws_reverse_ready(struct tws_reverse *r);
/* The server opened `ch`. */
void tws_reverse_open(struct tws_reverse *r, struct tws_channel *ch, struct tws_span payload);
/* The session drains: tells the server to listen no more, and asks for nothing again. */
void tws_reverse_end(struct tws_reverse *r);

#endif

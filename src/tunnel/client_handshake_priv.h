/*
 * client_handshake_priv.h - one attempt at a link: upgrade, handshake, take-over; ends with a wire
 * and keys, or with a reason.
 */
#ifndef TWS_TUNNEL_CLIENT_HANDSHAKE_PRIV_H
#define TWS_TUNNEL_CLIENT_HANDSHAKE_PRIV_H

#include "tws/proto/handshake.h"
#include "tws/tunnel/config.h"
#include "tws/ws/upgrade.h"

/* Where the server is, and how one gets there: a copy that outlives a reload. */
struct tws_route {
    bool tls;
    struct tws_hostport server;
    char *path, *proxy;
    struct tws_addresses at, proxy_at;
    struct tws_outbound outbound;
    char *name;
    struct tws_key key;
};

/* To `e`, one of cfg's servers. TWS_NOMEM: *out is empty. */
TWS_MUST_USE tws_err tws_route_copy(const struct tws_client_config *cfg,
                                    const struct tws_endpoint *e, struct tws_route *out);
bool tws_route_is(const struct tws_route *r, const struct tws_client_config *cfg,
                  const struct tws_endpoint *e);
/* Wipes the key. Zeroed storage is fine. */
void tws_route_fini(struct tws_route *r);

struct tws_attempt;

/* Each exactly once, and never before tws_attempt_new() has returned; the attempt is invalid
 * afterwards. */
struct tws_attempt_events {
    /* The wire is the callee's; *hs is borrowed. */
    void (*on_link)(void *arg, const struct tws_hs_result *hs, struct tws_wire *wire);
    /* `status` is the code the server refused with (enum tws_code), 0: it did not get that far.
     * `why` is one line that names the step and the remedy. */
    void (*on_failed)(void *arg, uint16_t status, const char *why);
};

struct tws_attempt_config {
    const struct tws_route *route; /* borrowed for the attempt's life */
    const struct tws_link_limits *limits;
    const char *session_text;  /* of the Tws-Session header; copied */
    const uint8_t *session_id; /* with join_secret: a join; NULL: a new session */
    const uint8_t *join_secret;
    uint64_t abandon_us; /* for all of it; 0: the upgrade's own time-outs */
    /* The way out of this machine: its name ("": none), as the others copied or used at once. */
    const char *uplink;
    const char *interface;       /* NULL: any */
    const struct tws_ip *source; /* NULL: any */
    uint16_t weight;
};

/* TWS_NOMEM. */
TWS_MUST_USE tws_err tws_attempt_new(struct tws_loop *loop, struct tws_ws *ws,
                                     const struct tws_attempt_config *cfg,
                                     const struct tws_attempt_events *ev, void *arg,
                                     struct tws_attempt **out);
/* No callback comes. */
void tws_attempt_cancel(struct tws_attempt *a);

#endif

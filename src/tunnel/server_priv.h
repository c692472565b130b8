/*
 * server_priv.h - the server's insides, shared by server.c (life, reload, drain), held.c (one
 * session) and server_handshake.c (one upgrade).
 */
#ifndef TWS_TUNNEL_SERVER_PRIV_H
#define TWS_TUNNEL_SERVER_PRIV_H

#include "account_priv.h"
#include "carrier_priv.h"
#include "egress_priv.h"
#include "entrance_priv.h"
#include "parting_priv.h"

#include "tws/net/own_address.h"
#include "tws/proto/handshake.h"
#include "tws/tunnel/registry.h"
#include "tws/tunnel/server.h"
#include "tws/ws/detour_memory.h"

struct tws_server {
    struct tws_loop *loop;
    struct tws_ws *ws;
    const struct tws_server_config *cfg;
    struct tws_ws_listener *listener; /* closed when it drains */
    struct tws_unix_socket file;      /* of the listener, if that is a unix socket */
    struct tws_node accounts;         /* struct tws_account */
    struct tws_registry sessions;     /* struct tws_held */
    struct tws_node visits;           /* struct visit: handshakes in progress */
    struct tws_partings partings;     /* of local sides that outlive their sessions */
    uint8_t boot_id[TWS_HS_BOOT_ID_LEN];
    struct tws_link_limits limits;       /* a copy: sessions point here whatever is reloaded */
    struct tws_egress_config egress_cfg; /* likewise */
    struct tws_own_addresses own;
    struct tws_detour_memory proxies;
    struct tws_log_limit refused_limit;
    uint64_t channels_opened, handshakes_refused;
    uint64_t ended_sent, ended_received; /* bytes of sessions that are over */

    tws_drained_fn *on_drained; /* NULL: not draining */
    void *drained_arg;
    uint64_t drain_until_us;
    struct tws_timer drain_timer;
};

/* ---- held.c: a session the server holds while its links come and go ---- */

struct tws_held {
    struct tws_registered registered; /* its id; in the server's sessions */
    struct tws_node held_node;        /* its account's sessions */
    struct tws_server *server;
    struct tws_account *account;
    struct tws_carrier *carrier;
    struct tws_egress egress;
    uint8_t join_secret[TWS_HASH_LEN];
    uint32_t last_link_id;
    bool linked; /* a link came up at least once */
    char client_name[TWS_HS_NAME_MAX + 1];
};

/* Of a handshake that made a new session. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_held_new(struct tws_server *s, struct tws_account *a,
                                  const struct tws_hs_result *hs, struct tws_held **out);
/* Ends it at once (CLOSE goes out if it still lives). */
void tws_held_free(struct tws_held *h);
/* The session of that id, or NULL. */
struct tws_held *tws_held_find(const struct tws_server *s, const uint8_t *session_id);
/* A handshake's wire: it becomes a link. */
void tws_held_link(struct tws_held *h, const struct tws_hs_result *hs, struct tws_wire *wire,
                   const struct tws_sockaddr *peer);
/* Ends the user's sessions of that client name that no link keeps. */
void tws_held_end_older(struct tws_account *a, const char *client_name);

/* ---- server_handshake.c: one upgrade until it is a link ---- */

extern const struct tws_upgrade_events tws_server_upgrade_events; /* arg: the server */
/* Ends all handshakes in progress. */
void tws_server_end_visits(struct tws_server *s);

/* ---- server.c ---- */

/* The account of a key that is in the configuration, or NULL. */
struct tws_account *tws_server_account(const struct tws_server *s, const uint8_t *key_id);

#endif

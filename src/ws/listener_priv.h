/*
 * listener_priv.h - a listener of the server's, shared by upgrade_server.c and tls_guest.c.
 */
#ifndef TWS_WS_LISTENER_PRIV_H
#define TWS_WS_LISTENER_PRIV_H

#include "decoy_priv.h"
#include "lws_priv.h"

#include "tws/base/log.h"
#include "tws/ws/tls_server.h"

struct tws_ws_listener {
    struct tws_node listeners_node;
    struct tws_ws *ws;
    struct tws_listener *net; /* NULL: closed */
    struct tws_sockaddr address;
    struct tws_upgrade_events ev;
    void *arg;
    char *path;
    struct tws_decoy *decoy;
    struct tws_prefix *trusted;
    size_t ntrusted;
    uint64_t handshake_us;
    unsigned max_pending, max_per_source;
    struct tws_node guests;     /* heads are being read */
    struct tws_node pending;    /* upgrades before take-over */
    unsigned npending;          /* in both, and in TLS handshakes */
    struct tws_tls_server *tls; /* NULL: plain; owned */
    struct tws_node tls_guests;
    unsigned ntls_guests;
    struct tws_log_limit full_log;
};

/* ---- upgrade_server.c ---- */

/* Looks at the request on `fd`, which it owns now; `tls` NULL: without. `since_us`: accepted. */
void tws_guest_begin(struct tws_ws_listener *l, int fd, const struct tws_sockaddr *peer,
                     uint64_t since_us, struct tws_tls_guest *tls);
/* Whether the peer is a proxy that is believed. */
bool tws_ws_listener_trusts(const struct tws_ws_listener *l, const struct tws_sockaddr *peer);
/* Closes `fd`: a limit is reached, which is said, but not for each. */
void tws_ws_listener_turn_away(struct tws_ws_listener *l, int fd, const struct tws_sockaddr *peer,
                               const char *limit);

/* ---- tls_guest.c ---- */

/* A connection to a listener with TLS; owns `fd`. tws_guest_begin() follows if it comes to that. */
void tws_tls_guest_accept(struct tws_ws_listener *l, int fd, const struct tws_sockaddr *peer);
/* Those in the middle of a TLS handshake go. */
void tws_tls_guests_end_shaking(struct tws_ws_listener *l);
void tws_tls_guests_free(struct tws_ws_listener *l);

#endif

/*
 * lws_priv.h - what the files that talk to libwebsockets share: the context, and one connection
 * from dialling or accepting until libwebsockets lets go of it.
 *
 * Life of a struct tws_upgrade: it exists as long as its wsi, and longer than what its owner may
 * know of it. `reported` says that the owner knows the end (on_failed, on_wire, or it closed);
 * after that no callback comes and only libwebsockets' part is wound up. It is freed in
 * upgrade_end(), when neither a wsi nor a dial remains.
 */
#ifndef TWS_WS_LWS_PRIV_H
#define TWS_WS_LWS_PRIV_H

#include "tws/base/list.h"
#include "tws/base/log.h"
#include "tws/net/connector.h"
#include "tws/ws/detour_memory.h"
#include "tws/ws/upgrade.h"

#include <libwebsockets.h>
#include <openssl/ssl.h>

#define TWS_WHY_MAX 256

struct tws_tls; /* tls_priv.h */

struct tws_ws {
    struct tws_loop *loop;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct tws_tls *tls;
    struct tws_node upgrades; /* all, also those whose owner knows the end */
    struct tws_node listeners;
    struct tws_detour_memory proxies; /* on the way to servers */
    struct tws_log_limit proxy_limit;
};

enum tws_upgrade_state {
    TWS_UPGRADE_DIALLING, /* no wsi yet */
    TWS_UPGRADE_OPENING,  /* libwebsockets does TLS and HTTP */
    TWS_UPGRADE_OPEN,     /* handshake messages */
    TWS_UPGRADE_TAKING,   /* take-over asked for: no message may come any more */
    TWS_UPGRADE_TAKEN,    /* the wire reads and writes */
    TWS_UPGRADE_CLOSING,  /* the owner closed it; the close frame is to leave */
    TWS_UPGRADE_DYING,    /* libwebsockets is winding up */
};

/* Messages on their way; not needed any more once taken over. */
struct tws_upgrade_buffers {
    uint8_t out[LWS_PRE + TWS_UPGRADE_MESSAGE];
    uint8_t in[TWS_UPGRADE_MESSAGE];
    size_t nout, nin;
};

struct tws_dial; /* dial_priv.h */
struct tws_tls_guest;

struct tws_upgrade {
    struct tws_node upgrades_node;
    struct tws_ws *ws;
    struct tws_upgrade_events ev;
    void *arg;
    bool client;
    enum tws_upgrade_state state;
    bool reported;
    bool in_callback; /* libwebsockets is on the stack with this wsi */
    bool in_connect;  /* the same, before it has told us of the wsi */
    const char *step; /* of the handshake, for `why` */
    struct lws *wsi;
    int fd; /* of the wsi */
    struct tws_timer deadline;
    struct tws_task wire_task;
    struct tws_wire *wire;
    struct tws_upgrade_buffers *buffers;
    uint16_t close_code; /* to send (CLOSING), or the peer's */
    char session[TWS_SESSION_TEXT + 1];
    struct tws_sockaddr peer;
    char tls_why[TWS_WHY_MAX];        /* what will go wrong, when libwebsockets comes to tell it */
    struct tws_dial *dial;            /* client, until OPEN */
    struct tws_tls_guest *tls_guest;  /* server, before take-over, if TLS is ours to end */
    bool detached;                    /* the wire needs nothing of libwebsockets */
    struct tws_ws_listener *listener; /* server, while pending */
    struct tws_node pending_node;     /* in the listener */
};

/* ---- upgrade.c ---- */

/* TWS_NOMEM. */
TWS_MUST_USE tws_err tws_upgrade_make(struct tws_ws *ws, const struct tws_upgrade_events *ev,
                                      void *arg, bool client, struct tws_upgrade **out);
/* Tells the owner once, then winds up. `step` NULL: the current one. */
__attribute__((format(printf, 4, 5))) void tws_upgrade_fail(struct tws_upgrade *u, uint16_t code,
                                                            const char *step, const char *fmt, ...);
/* Winds up without a word: for the owner's close and for tws_ws_free(). */
void tws_upgrade_kill(struct tws_upgrade *u);
/* One event of libwebsockets; the result is its callback's. */
int tws_upgrade_event(struct tws_upgrade *u, struct lws *wsi, enum lws_callback_reasons reason,
                      void *in, size_t len);

/* ---- context.c ---- */

/* No validity pings and no end for want of them: our heartbeat decides. */
extern const lws_retry_bo_t tws_lws_no_pings;

/* ---- upgrade_client.c ---- */

/* LWS_CALLBACK_WSI_CREATE. */
void tws_client_created(struct tws_upgrade *u, struct lws *wsi);
int tws_client_event(struct tws_upgrade *u, enum lws_callback_reasons reason, void *in, size_t len);

/* ---- dial.c ---- */

/* Cancels and frees what dials; NULL is fine. */
void tws_dial_free(struct tws_dial *d);

/* ---- tls_guest.c ---- */

/* *holder is `g` from now on, and NULL when `g` is gone or somebody else holds it. Both may be
 * NULL.
 */
void tws_tls_guest_hold(struct tws_tls_guest *g, struct tws_tls_guest **holder);
/* At the quiet point: the socket and the SSL behind u->tls_guest, which is gone then. TWS_SYS: it
 * is no quiet point. */
TWS_MUST_USE tws_err tws_tls_guest_take(struct tws_upgrade *u, int *fd, SSL **ssl);

/* ---- upgrade_server.c ---- */

int tws_server_event(struct tws_upgrade *u, enum lws_callback_reasons reason, void *in, size_t len);
/* The upgrade is pending no more. */
void tws_server_settled(struct tws_upgrade *u);
void tws_server_free_all(struct tws_ws *ws);

#endif

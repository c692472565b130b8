/*
 * upgrade.h - what libwebsockets does for us: HTTP, TLS and the upgrade, on both sides; then a few
 * handshake messages, then the hand-over to a wire at the quiet point.
 *
 *      client: tws_upgrade_connect -> on_open -> on_message / tws_upgrade_send ... -> take_over
 *      server: tws_upgrade_listen  -> on_open -> ...the same
 *
 * The quiet point: neither side may have sent what the other has not read when it takes over
 * (docs/protocol.md). A message that came too early, or a send still buffered, ends the connection.
 *
 * This layer is the only user of libwebsockets. Its deadlines are timers of the loop.
 */
#ifndef TWS_WS_UPGRADE_H
#define TWS_WS_UPGRADE_H

#include "tws/base/addr.h"
#include "tws/base/bytes.h"
#include "tws/net/loop.h"
#include "tws/net/socket.h"
#include "tws/ws/pin.h"
#include "tws/ws/tls_server.h"
#include "tws/ws/wire.h"

#define TWS_SUBPROTOCOL     "tws.2"
#define TWS_SESSION_HEADER  "Tws-Session"
#define TWS_SESSION_TEXT    22   /* base64url characters of 16 bytes */
#define TWS_UPGRADE_MESSAGE 1024 /* the most a handshake message may have */
#define TWS_UPGRADE_IPS     8
#define TWS_UPGRADE_HEADERS 2048 /* bytes of all added headers together */

struct tws_ws;      /* the process's libwebsockets context */
struct tws_upgrade; /* one connection before take-over */
struct tws_ws_listener;

struct tws_upgrade_events {
    /* The upgrade is done; the server may send now. `session` is the Tws-Session header (server)
     * or "" (client); `peer` the address the connection came from (server: X-Forwarded-For's last
     * when the peer is a trusted proxy). Server: `*arg` may be set to the connection's own. */
    void (*on_open)(void **arg, struct tws_upgrade *u, const char *session,
                    const struct tws_sockaddr *peer);
    /* One whole binary message, at most TWS_UPGRADE_MESSAGE bytes. */
    void (*on_message)(void *arg, struct tws_upgrade *u, struct tws_span msg);
    /* It did not come to a wire: once, also for time-outs; the upgrade is invalid afterwards. Not
     * after tws_upgrade_close(). `why` is one line for the log: names the step (resolve, connect,
     * proxy, TLS, HTTP status, upgrade, handshake) and the reason. `close_code` is the peer's ws
     * close code, or 0. */
    void (*on_failed)(void *arg, struct tws_upgrade *u, uint16_t close_code, const char *why);
    /* After tws_upgrade_take_over(): the wire is the callee's; the upgrade is invalid. */
    void (*on_wire)(void *arg, struct tws_wire *w);
};

/* One per process. The loop outlives it. TWS_NOMEM; TWS_SYS (ELIBACC) when libwebsockets does not
 * start, for the reason in the log. */
TWS_MUST_USE tws_err tws_ws_new(struct tws_loop *loop, struct tws_ws **out);
/* Ends all that is left, runs the loop until libwebsockets let go of it. */
void tws_ws_free(struct tws_ws *ws);

struct tws_upgrade_client {
    /* ws[s]://host[:port]/path */
    bool tls;
    const char *host; /* name or IP literal without brackets */
    uint16_t port;
    const char *path;        /* "/..." */
    const char *session;     /* TWS_SESSION_TEXT characters */
    const char *host_header; /* of the request, and nothing else; NULL: the URL's host and port */
    const char *headers;     /* more of them, each "Name: value\r\n"; NULL: none */
    bool insecure;           /* no verification of the certificate */
    const char *ca_file;     /* PEM; NULL: SSL_CERT_FILE, SSL_CERT_DIR, else the system's store */
    /* The name sent in the TLS handshake, for which the certificate must then be; NULL: `host`; "":
     * none is sent, and the certificate must be for `host`. */
    const char *sni;
    const char *cert_file, *cert_key_file; /* PEM, to show when asked; read anew for each */
    const struct tws_pins *pins; /* keys the server may have, beside all else; NULL: any; copied */
    bool tls13;                  /* nothing older; else TLS 1.2 */
    const char *proxy; /* as in proto/proxy_url.h; NULL: none, whatever the environment says */
    const struct tws_ip *ips, *proxy_ips; /* of host, of the proxy's; not resolved then; copied */
    size_t nips, nproxy_ips;              /* at most TWS_UPGRADE_IPS; 0: resolve */
    uint64_t connect_timeout_us;          /* TCP, all addresses; 0: 3 s */
    uint64_t handshake_timeout_us;        /* from connected to take-over; 0: 5 s */
    const struct tws_ip *source;          /* uplink: bind to this address, may be NULL */
    const char *interface;                /* uplink: bind to this device, may be NULL */
    uint32_t mark;                        /* SO_MARK; 0: none */
};

/* Never calls back before it returns. All strings are copied. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_upgrade_connect(struct tws_ws *ws, const struct tws_upgrade_client *c,
                                         const struct tws_upgrade_events *ev, void *arg,
                                         struct tws_upgrade **out);

struct tws_upgrade_server {
    struct tws_hostport listen; /* if there are no `fds` */
    const int *fds;             /* listen already; taken, also on failure */
    size_t nfds;
    const char *path;  /* NULL: any */
    const char *decoy; /* NULL: 404; "/dir": files below it; "http://host:port": proxied */
    const struct tws_prefix *trusted;             /* proxies whose X-Forwarded-For counts */
    size_t ntrusted;                              /* 0: loopback is trusted */
    uint64_t handshake_timeout_us;                /* 0: 5 s */
    unsigned max_pending, max_pending_per_source; /* 0: 1024, 64 */
};

/* TWS_SYS (errno: EADDRINUSE ...), TWS_NOMEM. All strings are copied. */
TWS_MUST_USE tws_err tws_upgrade_listen(struct tws_ws *ws, const struct tws_upgrade_server *s,
                                        const struct tws_upgrade_events *ev, void *arg,
                                        struct tws_ws_listener **out);
/* Accepts no more; what is open goes on. */
void tws_ws_listener_close(struct tws_ws_listener *l);
/* The same, and whoever on_open has not told of is cut off: `arg` may go. NULL is fine. */
void tws_ws_listener_end(struct tws_ws_listener *l);
/* TLS for those who come from now on, owned; NULL: none. Right behind tws_upgrade_listen() nobody
 * has come yet. */
void tws_ws_listener_set_tls(struct tws_ws_listener *l, struct tws_tls_server *tls);
void tws_ws_listener_address(const struct tws_ws_listener *l, struct tws_sockaddr *out);

/* Queues one handshake message (copied). TWS_FULL above TWS_UPGRADE_MESSAGE or one a second time
 * before the first left. */
TWS_MUST_USE tws_err tws_upgrade_send(struct tws_upgrade *u, struct tws_span msg);
/* When all that was queued has left: hands the connection to a wire (on_wire), or on_failed. */
void tws_upgrade_take_over(struct tws_upgrade *u);
/* Closes with a ws close code, after what is queued; no callback comes. */
void tws_upgrade_close(struct tws_upgrade *u, uint16_t close_code);

#endif

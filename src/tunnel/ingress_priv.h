/*
 * ingress_priv.h - the ways in: what is open for each forward of the configuration (or, on a
 * server, for what a client asked it to listen on), and the line of those that wait for a channel.
 *
 *      accepted -> (greeting) -> arrival -> channel, relay
 *
 * Nothing is refused: while no channel can be opened, connections wait here, then in the kernel's
 * backlog. One that has waited `connect_timeout` without a link is closed.
 */
#ifndef TWS_TUNNEL_INGRESS_PRIV_H
#define TWS_TUNNEL_INGRESS_PRIV_H

#include "catcher_priv.h"
#include "greeting_priv.h"
#include "judge_priv.h"
#include "parting_priv.h"

#include "tws/base/list.h"
#include "tws/base/log.h"
#include "tws/mux/session.h"
#include "tws/net/loop.h"
#include "tws/net/socket.h"
#include "tws/proto/target.h"
#include "tws/tunnel/config.h"

struct tws_carrier;
struct tws_inlet;

/* Where channels are opened. */
struct tws_ingress_events {
    /* TWS_OK: the channel wants a local side before this turn ends. TWS_BLOCKED: not now,
     * tws_ingress_ready() will tell. Anything else: never, the connection is turned away. */
    tws_err (*open)(void *arg, const struct tws_open *open, struct tws_carrier **carrier,
                    struct tws_channel **ch);
    bool (*is_linked)(void *arg);
    /* The session opens nothing more; what is for long goes on in another. */
    bool (*is_leaving)(void *arg, const struct tws_carrier *carrier);
};

struct tws_ingress {
    struct tws_loop *loop;
    const struct tws_ingress_events *events;
    void *arg;
    uint32_t wait_ms;
    const struct tws_activation *activation; /* NULL: the service manager gave no sockets */
    struct tws_judge *judge; /* whose terms hold for what comes in; NULL: nobody's */
    bool no_udp;             /* set by the owner, before the forwards */
    uint32_t udp_timeout_ms; /* set by the owner, before the forwards */
    struct tws_node inlets;  /* struct tws_inlet */
    struct tws_node waiting; /* struct waiting, oldest first */
    uint32_t nwaiting;
    bool paused;
    struct tws_timer timer;
    struct tws_log_limit limit;
    struct tws_greetings greetings;
    struct tws_partings partings; /* relays use it too */
    struct tws_node associations; /* struct association */
    uint32_t nassociations;
    struct tws_catcher catcher; /* of transparent ones */
};

void tws_ingress_init(struct tws_ingress *in, struct tws_loop *loop,
                      const struct tws_ingress_events *ev, void *arg, uint32_t wait_ms);
/* Closes what is open and what waits. Afterwards no relay of its arrivals is left to say goodbye:
 * carriers are freed first. */
void tws_ingress_fini(struct tws_ingress *in);

/* Makes the forwards these: what is there stays, also with another remote. Nothing changes unless
 * all new ones opened. The records are borrowed until the next call. `name` is the
 * client's, for what the kernel keeps. TWS_SYS (logged), TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_ingress_set(struct tws_ingress *in, const char *name,
                                     const struct tws_forward *forwards, size_t n);
/* One more way in, which the peer asked for over its channel `asked_by`; `conf` is borrowed until
 * it is removed. TWS_SYS with errno, TWS_NOMEM; nothing is logged. Not together with
 * tws_ingress_set(). */
TWS_MUST_USE tws_err tws_ingress_add(struct tws_ingress *in, const struct tws_forward *conf,
                                     uint32_t asked_by, struct tws_inlet **out);
/* Closes it, and what waits of it. */
void tws_ingress_remove(struct tws_inlet *l);
/* Its record says something else. */
void tws_ingress_changed(struct tws_inlet *l);
/* Its unix socket's file gets the access that its record has now. */
void tws_ingress_renew_access(struct tws_inlet *l);
/* Where it listens; len 0: nowhere. */
void tws_ingress_inlet_address(const struct tws_inlet *l, struct tws_sockaddr *out);
/* Channels can be opened (again). */
void tws_ingress_ready(struct tws_ingress *in);
/* Accepts nothing more; what waits goes on waiting. */
void tws_ingress_stop(struct tws_ingress *in);
/* The address the i-th forward of the last tws_ingress_set() listens on. */
void tws_ingress_address(const struct tws_ingress *in, size_t i, struct tws_sockaddr *out);

#endif

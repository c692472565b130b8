/*
 * inlet_priv.h - one way in at work: a record of `forwards:` and what is open for it.
 *
 * A kind of way in is a set of operations in a file of its own (ingress_KIND.c) and a row in
 * ingress.c. A kind that accepts streams takes those of ingress_tcp.c, opens its listener
 * differently if it must, and says with `greeter` or `aim` where they go.
 */
#ifndef TWS_TUNNEL_INLET_PRIV_H
#define TWS_TUNNEL_INLET_PRIV_H

#include "arrival_priv.h"
#include "entrance_priv.h"
#include "greeting_priv.h"
#include "ingress_priv.h"

#include "tws/net/listener.h"

struct tws_inlet;

struct tws_inlet_ops {
    /* Opens what in->conf says. TWS_SYS with errno, TWS_NOMEM: nothing is open; the caller says
     * so in the log. */
    tws_err (*open)(struct tws_inlet *l);
    /* Nothing of it comes any more; called once or more. */
    void (*close)(struct tws_inlet *l);
    void (*pause)(struct tws_inlet *l, bool paused);
    /* Channels can be opened (again). NULL: what waits is in the ingress's line. */
    void (*ready)(struct tws_inlet *l);
    /* Where it listens; len 0: nowhere. */
    void (*address)(const struct tws_inlet *l, struct tws_sockaddr *out);
    /* l->conf is another record of the same address, and of a kind that opens the same. NULL: it
     * is read when it is needed. */
    void (*changed)(struct tws_inlet *l);
    /* Of streams: reads where they go from their first bytes. NULL: nothing is read. */
    const struct tws_greeter *greeter;
    /* Of streams without a greeter: where they go. False: nowhere, and errno says why. NULL: to
     * the remote of the record. */
    bool (*aim)(const struct tws_inlet *l, struct tws_arrival *a);
};

struct tws_inlet {
    struct tws_node inlet_node; /* the ingress's, in the order of the configuration */
    struct tws_ingress *ingress;
    const struct tws_inlet_ops *ops;
    const struct tws_forward *conf;
    struct tws_spot listen;        /* its own copy: what is open */
    struct tws_listener *listener; /* of kinds that accept streams */
    struct tws_unix_socket file;   /* of the listener, if that is a unix socket */
    void *state;                   /* of others; freed by `close` */
    uint32_t asked_by;             /* the peer's listening channel; 0: the configuration wants it */
};

/* A stream wants a channel: opens one, or waits in line. Takes the descriptor; everything else is
 * copied where it has to last. */
void tws_inlet_arrive(struct tws_inlet *l, const struct tws_arrival *a);

/* ---- ingress_tcp.c: what kinds of streams share ---- */

tws_err tws_inlet_open_stream(struct tws_inlet *l);
void tws_inlet_close_stream(struct tws_inlet *l);
void tws_inlet_pause_stream(struct tws_inlet *l, bool paused);
void tws_inlet_stream_address(const struct tws_inlet *l, struct tws_sockaddr *out);
/* A listener's on_accept; `arg` is the inlet. */
void tws_inlet_accepted(void *arg, int fd, const struct tws_sockaddr *peer);

/* ---- ingress_transparent.c ---- */

/* What an open inlet of the kind catches by `conf`, which it borrows. */
void tws_inlet_catch(const struct tws_inlet *l, const struct tws_forward *conf,
                     struct tws_catch *out);
/* Whether it is one of the networks' addresses, and not excluded. */
bool tws_inlet_is_for(const struct tws_forward *conf, const struct tws_ip *ip);

extern const struct tws_inlet_ops tws_inlet_tcp;
extern const struct tws_inlet_ops tws_inlet_socks;
extern const struct tws_inlet_ops tws_inlet_http;
extern const struct tws_inlet_ops tws_inlet_udp;
extern const struct tws_inlet_ops tws_inlet_proxy; /* SOCKS and HTTP, told apart */
extern const struct tws_inlet_ops tws_inlet_transparent;
extern const struct tws_inlet_ops tws_inlet_tun;

extern const struct tws_greeter tws_greeter_socks;

#endif

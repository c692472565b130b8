/*
 * ingress_udp.c - the kind `udp`: what comes to a UDP port goes to the record's remote, each sender
 * as a flow of its own, and what comes back goes back to it.
 */
#include "address_priv.h"
#include "flow_table_priv.h"
#include "inlet_priv.h"

#include "tws/net/udp.h"
#include "tws/proto/frame.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MS        1000u
#define FLOWS_MAX 4096u /* of one forward */

struct doors;

struct door {
    struct tws_udp_watch udp;
    struct doors *doors;
};

/* What is open for one forward. */
struct doors {
    struct tws_inlet *inlet;
    struct tws_flows *flows;
    struct door door[TWS_ACTIVATION_MAX];
    unsigned n;
    struct tws_open open; /* but for the source */
};

/* What tells one flow from another, and where its answers go. No padding: it is compared. */
struct key {
    uint32_t scope; /* of link-local addresses */
    uint16_t port;
    uint8_t door, family, local_family, none[3];
    uint8_t peer[16], local[16];
};

/* ---- keys ---- */

static struct key key_of(unsigned door, const struct tws_udp_datagram *d)
{
    struct key k = {.door = (uint8_t)door, .local_family = d->local.family};
    struct tws_ip ip;

    tws_sockaddr_get(&d->peer, &ip, &k.port);
    k.family = ip.family;
    memcpy(k.peer, ip.bytes, ip.family == 4 ? 4 : 16);
    memcpy(k.local, d->local.bytes, d->local.family == 4 ? 4 : 16);
    if (d->peer.ss.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &d->peer.ss, sizeof in6);
        k.scope = in6.sin6_scope_id;
    }
    return k;
}

static struct tws_udp_datagram answer_to(const struct key *k, struct tws_span in)
{
    struct tws_udp_datagram d = {.data = in, .local.family = k->local_family};
    struct tws_ip ip = {.family = k->family};

    memcpy(ip.bytes, k->peer, sizeof k->peer);
    memcpy(d.local.bytes, k->local, sizeof k->local);
    tws_sockaddr_set(&d.peer, &ip, k->port);
    if (k->scope != 0) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &d.peer.ss, sizeof in6);
        in6.sin6_scope_id = k->scope;
        memcpy(&d.peer.ss, &in6, sizeof in6);
    }
    return d;
}

/* ---- datagrams ---- */

static void deliver(void *owner, struct tws_span key, struct tws_span in)
{
    struct doors *ds = owner;
    struct key k;

    memcpy(&k, key.p, sizeof k);
    if (k.door >= ds->n)
        return; /* it was closed: the client stops */
    const struct tws_udp_datagram d = answer_to(&k, in);
    tws_udp_send(&ds->door[k.door].udp.sender, &d);
}

static void take(struct tws_udp_watch *w, const struct tws_udp_datagram *d)
{
    const struct door *door = TWS_CONTAINER(w, struct door, udp);
    struct doors *ds = door->doors;
    struct key k = key_of((unsigned)(door - ds->door), d);

    ds->open.listener = ds->inlet->asked_by;
    ds->open.source = tws_address_target(&d->peer);
    tws_flows_send(ds->flows, (struct tws_span){(const uint8_t *)&k, sizeof k}, &ds->open, d->data);
}

/* ---- what the ingress asks for ---- */

static void close_doors(struct doors *ds)
{
    for (unsigned i = 0; i < ds->n; i++)
        tws_udp_watch_stop(&ds->door[i].udp);
    ds->n = 0;
}

static void close_udp(struct tws_inlet *l)
{
    struct doors *ds = l->state;

    if (ds == NULL)
        return;
    l->state = NULL;
    tws_flows_free(ds->flows);
    close_doors(ds);
    tws_loop_free_later(l->ingress->loop, ds);
}

/* Takes the descriptors, also on failure. */
static tws_err watch(struct doors *ds, struct tws_loop *loop, const struct tws_inherited *in)
{
    for (size_t i = 0; i < in->n; i++) {
        struct door *d = &ds->door[i];
        d->doors = ds;
        if (tws_udp_watch_start(loop, &d->udp, in->fds[i], take) != TWS_OK) {
            while (++i < in->n)
                tws_socket_close(in->fds[i]);
            close_doors(ds);
            return TWS_SYS;
        }
        ds->n++;
    }
    return TWS_OK;
}

static void set_target(struct doors *ds, const struct tws_spot *remote)
{
    ds->open = (struct tws_open){.kind = TWS_KIND_UDP};
    tws_target_from_spot(remote, &ds->open.target);
}

static tws_err open_udp(struct tws_inlet *l)
{
    struct doors *ds = calloc(1, sizeof *ds);
    const struct tws_entrance e = {.at = &l->listen, .activation = l->ingress->activation};
    struct tws_inherited sockets;

    if (ds == NULL)
        return TWS_NOMEM;
    ds->inlet = l;
    set_target(ds, &l->conf->remote);
    tws_err err = tws_flows_of_ingress(l->ingress, FLOWS_MAX, deliver, ds, &ds->flows);
    if (err == TWS_OK)
        err = tws_entrance_datagrams(&e, &sockets);
    if (err == TWS_OK)
        err = watch(ds, l->ingress->loop, &sockets);
    if (err != TWS_OK) {
        int saved = errno;
        tws_flows_free(ds->flows);
        free(ds);
        errno = saved;
        return err;
    }
    l->state = ds;
    return TWS_OK;
}

/* While no channel can be opened the first datagrams of new flows wait, and grow old. */
static void pause_udp(struct tws_inlet *l, bool paused)
{
    (void)l;
    (void)paused;
}

static void ready_udp(struct tws_inlet *l)
{
    const struct doors *ds = l->state;

    if (ds != NULL)
        tws_flows_ready(ds->flows);
}

static bool same_target(const struct tws_target *a, const struct tws_target *b)
{
    return a->type == b->type && a->port == b->port && strcmp(a->name, b->name) == 0 &&
           memcmp(&a->ip, &b->ip, sizeof a->ip) == 0;
}

/* Flows go on, unless they lead elsewhere now: a flow has no end that would end them. */
static void changed_udp(struct tws_inlet *l)
{
    struct doors *ds = l->state;
    struct tws_target was;

    if (ds == NULL)
        return;
    was = ds->open.target;
    set_target(ds, &l->conf->remote);
    tws_flows_set_idle(ds->flows, (uint64_t)l->ingress->udp_timeout_ms * MS);
    if (!same_target(&was, &ds->open.target))
        tws_flows_clear(ds->flows);
}

static void address_udp(const struct tws_inlet *l, struct tws_sockaddr *out)
{
    const struct doors *ds = l->state;

    out->len = 0;
    if (ds != NULL && ds->n > 0)
        *out = tws_socket_address(ds->door[0].udp.io.fd);
}

const struct tws_inlet_ops tws_inlet_udp = {
    .open = open_udp,
    .close = close_udp,
    .pause = pause_udp,
    .ready = ready_udp,
    .address = address_udp,
    .changed = changed_udp,
};

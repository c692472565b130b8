/* caught_udp.c - see caught_udp_priv.h. */
#include "answerers_priv.h"
#include "caught_udp_priv.h"
#include "flow_table_priv.h"

#include "tws/net/socket.h"
#include "tws/net/udp.h"
#include "tws/proto/frame.h"
#include "tws/tunnel/footprint.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MS        1000u
#define FLOWS_MAX 16384u

struct door {
    struct tws_udp_watch udp;
    struct tws_caught_udp *caught;
};

struct tws_caught_udp {
    struct tws_inlet *inlet;
    struct tws_flows *flows;
    struct tws_answerers *answerers;
    struct door door[TWS_UDP_SOCKETS];
    unsigned n;
    uint16_t port;
    struct tws_log_limit limit;
};

/* What tells one flow from another. No padding: it is compared. */
struct key {
    uint16_t port, local_port;
    uint8_t family, none[3];
    uint8_t peer[16], local[16];
};

/* ---- there ---- */

static bool is_caught(struct tws_caught_udp *u, const struct tws_udp_datagram *d)
{
    if (d->local_port == 0 || (d->local_port == u->port && tws_ip_is_loopback(&d->local)))
        return false; /* sent to this socket itself */
    return tws_inlet_is_for(u->inlet->conf, &d->local);
}

static void take(struct tws_udp_watch *w, const struct tws_udp_datagram *d)
{
    struct tws_caught_udp *u = TWS_CONTAINER(w, struct door, udp)->caught;
    struct tws_open open = {.kind = TWS_KIND_UDP};
    struct key k = {.local_port = d->local_port, .family = d->local.family};
    struct tws_ip peer;

    if (!is_caught(u, d))
        return;
    tws_sockaddr_get(&d->peer, &peer, &k.port);
    memcpy(k.peer, peer.bytes, peer.family == 4 ? 4 : 16);
    memcpy(k.local, d->local.bytes, d->local.family == 4 ? 4 : 16);
    open.target = tws_target_from_ip(&d->local, d->local_port);
    open.source = tws_target_from_ip(&peer, k.port);
    tws_flows_send(u->flows, (struct tws_span){(const uint8_t *)&k, sizeof k}, &open, d->data);
}

/* ---- and back ---- */

static void deliver(void *owner, struct tws_span key, struct tws_span in)
{
    struct tws_caught_udp *u = owner;
    struct tws_udp_datagram d = {.data = in};
    struct key k;

    memcpy(&k, key.p, sizeof k);
    struct tws_ip peer = {.family = k.family}, local = {.family = k.family};
    memcpy(peer.bytes, k.peer, sizeof k.peer);
    memcpy(local.bytes, k.local, sizeof k.local);
    tws_sockaddr_set(&d.peer, &peer, k.port);
    if (!tws_answerers_send(u->answerers, &local, k.local_port, &d) &&
        tws_log_allow(&u->limit, tws_loop_now(u->inlet->ingress->loop)))
        tws_log(TWS_LOG_WARN, "datagram dropped", "reason=\"cannot answer from its address: %s\"",
                strerror(errno));
}

/* ---- life ---- */

static tws_err make_catching(int fd)
{
    struct tws_sockaddr at = tws_socket_address(fd);
    uint32_t mark = TWS_MARK_OWN;
    int on = 1, error = 0;

    if (at.len == 0)
        return TWS_SYS;
    if (at.ss.ss_family == AF_INET6)
        error = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &on, sizeof on);
    else
        error = setsockopt(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, &on, sizeof on);
    if (error != 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
        return TWS_SYS;
    return tws_socket_set_transparent(fd, at.ss.ss_family);
}

/* Takes the descriptor, also on failure. */
static tws_err watch(struct tws_caught_udp *u, int fd)
{
    struct door *d = &u->door[u->n];
    tws_err err = make_catching(fd);

    d->caught = u;
    if (err != TWS_OK)
        tws_socket_close(fd);
    else
        err = tws_udp_watch_start(u->inlet->ingress->loop, &d->udp, fd, take);
    u->n += err == TWS_OK;
    return err;
}

static tws_err open_doors(struct tws_caught_udp *u, uint16_t port)
{
    const struct tws_hostport at = {.host = "localhost", .port = port};
    int fds[TWS_UDP_SOCKETS];
    unsigned n = 0;
    tws_err err = tws_udp_bind(&at, fds, &n);

    for (unsigned i = 0; err == TWS_OK && i < n; i++) {
        err = watch(u, fds[i]);
        while (err != TWS_OK && ++i < n)
            tws_socket_close(fds[i]);
    }
    if (err == TWS_OK)
        u->port = tws_socket_port(u->door[0].udp.io.fd);
    return err;
}

tws_err tws_caught_udp_new(struct tws_inlet *l, uint16_t port, struct tws_caught_udp **out)
{
    struct tws_caught_udp *u = calloc(1, sizeof *u);
    tws_err err = TWS_NOMEM;

    if (u == NULL)
        return TWS_NOMEM;
    u->inlet = l;
    u->answerers = tws_answerers_new();
    if (u->answerers != NULL)
        err = tws_flows_of_ingress(l->ingress, FLOWS_MAX, deliver, u, &u->flows);
    if (err == TWS_OK)
        err = open_doors(u, port);
    if (err != TWS_OK) {
        int saved = errno;
        tws_caught_udp_free(u);
        errno = saved;
        return err;
    }
    *out = u;
    return TWS_OK;
}

void tws_caught_udp_free(struct tws_caught_udp *u)
{
    if (u == NULL)
        return;
    for (unsigned i = 0; i < u->n; i++)
        tws_udp_watch_stop(&u->door[i].udp);
    tws_flows_free(u->flows);
    tws_answerers_free(u->answerers);
    tws_loop_free_later(u->inlet->ingress->loop, u);
}

void tws_caught_udp_ready(struct tws_caught_udp *u)
{
    tws_flows_ready(u->flows);
}

void tws_caught_udp_changed(struct tws_caught_udp *u)
{
    tws_flows_set_idle(u->flows, (uint64_t)u->inlet->ingress->udp_timeout_ms * MS);
}

uint16_t tws_caught_udp_port(const struct tws_caught_udp *u)
{
    return u->port;
}

/*
 * ingress_transparent.c - the kind `transparent`: the kernel brings connections here that were made
 * to somebody else; the server connects them to where they were going.
 *
 * The listener is on every address where REDIRECT brings others' connections to, and on loopback
 * where it can be. Whoever comes by himself is refused: he would be connected to himself.
 */
#include "caught_udp_priv.h"
#include "inlet_priv.h"

#include "tws/net/capability.h"
#include "tws/net/origdst.h"
#include "tws/tunnel/footprint.h"

#include <errno.h>

static void close_transparent(struct tws_inlet *l)
{
    tws_inlet_close_stream(l);
    tws_caught_udp_free(l->state);
    l->state = NULL;
}

static tws_err open_stream(struct tws_inlet *l)
{
    struct tws_hostport at = {.host = "localhost", .port = l->listen.port};

    if (!l->conf->tproxy && !l->conf->local)
        at.host[0] = '\0';
    tws_err err = tws_listener_open(l->ingress->loop, &at, tws_inlet_accepted, l, &l->listener);
    if (err == TWS_OK)
        tws_listener_leave_some(l->listener);
    return err;
}

static tws_err open_transparent(struct tws_inlet *l)
{
    struct tws_caught_udp *u = NULL;
    tws_err err = TWS_OK;

    if (!tws_net_admin()) {
        errno = EPERM;
        return TWS_SYS;
    }
    err = open_stream(l);
    if (err != TWS_OK || !l->conf->tproxy)
        return err;
    /* The mark keeps what we answer out of the rules' hands. */
    err = tws_listener_set_transparent(l->listener, TWS_MARK_OWN);
    if (err == TWS_OK && !l->ingress->no_udp)
        err = tws_caught_udp_new(l, l->listen.port, &u);
    l->state = u;
    if (err != TWS_OK) {
        int saved = errno;
        close_transparent(l);
        errno = saved;
    }
    return err;
}

static void ready(struct tws_inlet *l)
{
    if (l->state != NULL)
        tws_caught_udp_ready(l->state);
}

static void changed(struct tws_inlet *l)
{
    if (l->state != NULL)
        tws_caught_udp_changed(l->state);
}

void tws_inlet_catch(const struct tws_inlet *l, const struct tws_forward *conf,
                     struct tws_catch *out)
{
    struct tws_sockaddr at;
    struct tws_ip ip;

    *out = (struct tws_catch){.networks = conf->networks,
                              .nnetworks = conf->nnetworks,
                              .exclude = conf->exclude,
                              .nexclude = conf->nexclude,
                              .tproxy = conf->tproxy,
                              .only_own = conf->local};
    tws_listener_address(l->listener, &at);
    tws_sockaddr_get(&at, &ip, &out->port);
    if (l->state != NULL && !l->ingress->no_udp)
        out->udp_port = tws_caught_udp_port(l->state);
}

/* ---- where a connection goes ---- */

/* Nothing was changed about it, and it came: it was made to this socket. */
static bool was_made_to_us(const struct tws_inlet *l, int fd, const struct tws_sockaddr *to)
{
    struct tws_sockaddr own;
    struct tws_ip ip;
    uint16_t port, own_port;

    if (!l->conf->tproxy)
        return tws_origdst_own(fd, &own) != TWS_OK || tws_sockaddr_equal(&own, to);
    tws_listener_address(l->listener, &own);
    tws_sockaddr_get(&own, &ip, &own_port);
    tws_sockaddr_get(to, &ip, &port);
    return port == own_port && tws_ip_is_loopback(&ip);
}

static bool is_in(const struct tws_prefix *list, size_t n, const struct tws_ip *ip)
{
    for (size_t i = 0; i < n; i++)
        if (tws_prefix_contains(&list[i], ip))
            return true;
    return false;
}

bool tws_inlet_is_for(const struct tws_forward *conf, const struct tws_ip *ip)
{
    return is_in(conf->networks, conf->nnetworks, ip) && !is_in(conf->exclude, conf->nexclude, ip);
}

static bool refuse(const struct tws_inlet *l, const struct tws_arrival *a, const char *why)
{
    struct tws_ingress *in = l->ingress;
    char source[TWS_HOSTPORT_TEXT];

    if (!tws_source_limit_allow(&in->greetings.limit, &a->source, tws_loop_now(in->loop)))
        return false;
    tws_sockaddr_format(&a->source, source, sizeof source);
    tws_log(TWS_LOG_WARN, "connection refused", "source=%s reason=\"%s\"", source, why);
    return false;
}

static bool aim(const struct tws_inlet *l, struct tws_arrival *a)
{
    const struct tws_forward *conf = l->conf;
    struct tws_sockaddr to;
    struct tws_ip ip;
    uint16_t port;
    tws_err err = conf->tproxy ? tws_origdst_own(a->fd, &to) : tws_origdst_redirected(a->fd, &to);

    if (err != TWS_OK)
        return refuse(l, a, "the kernel does not tell where it was going");
    if (was_made_to_us(l, a->fd, &to))
        return refuse(l, a, "it was made to this listener itself, which is for caught connections");
    tws_sockaddr_get(&to, &ip, &port);
    if (!tws_inlet_is_for(conf, &ip))
        return refuse(l, a, "some other rule brought it here: it goes to none of the networks");
    a->target = tws_target_from_ip(&ip, port);
    a->count = &l->ingress->catcher.live;
    return true;
}

const struct tws_inlet_ops tws_inlet_transparent = {
    .open = open_transparent,
    .close = close_transparent,
    .pause = tws_inlet_pause_stream,
    .ready = ready,
    .changed = changed,
    .address = tws_inlet_stream_address,
    .aim = aim,
};

/*
 * dial.c - see dial_priv.h.
 *
 *      connector (all addresses, errno known)
 *      [the server's name, for socks5://] -> detour (all addresses of the proxy)
 */
#include "advice_priv.h"
#include "dial_priv.h"

#include "tws/base/log.h"
#include "tws/base/secret.h"
#include "tws/proto/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_US   3000000
#define HANDSHAKE_US 5000000

static void arrived(struct tws_dial *d, int fd, const struct tws_sockaddr *peer)
{
    d->fd = fd;
    d->u->peer = *peer;
    tws_timer_start(&d->u->deadline, d->handshake_us);
    tws_client_dialled(d->u);
}

static void not_connected(struct tws_dial *d, enum tws_connect_failure failure, const char *detail,
                          const struct tws_sockaddr *at)
{
    const char *step = failure == TWS_CONNECT_RESOLVE ? "resolve"
                       : d->via_proxy                 ? "connect to proxy"
                                                      : "connect";
    const char *host = d->via_proxy ? d->proxy_url.address.host : d->target.host;
    char peer[TWS_HOSTPORT_TEXT] = "";

    if (at->len > 0)
        tws_sockaddr_format(at, peer, sizeof(peer));
    tws_upgrade_fail(d->u, 0, step, "%s%s: %s%s", peer[0] != '\0' ? peer : host, d->uplink, detail,
                     d->via_proxy && failure == TWS_CONNECT_RESOLVE
                         ? "; is the host in proxy right, and DNS up?"
                         : tws_advice_connect(failure));
}

/* ---- through a proxy ---- */

static void tell_passed_over(struct tws_dial *d, const struct tws_detour_result *r)
{
    struct tws_ws *ws = d->u->ws;
    char proxy[TWS_HOSTPORT_TEXT], at[TWS_HOSTPORT_TEXT], used[TWS_HOSTPORT_TEXT];

    if (!tws_log_allow(&ws->proxy_limit, tws_loop_now(ws->loop)))
        return;
    tws_hostport_format(&d->proxy_url.address, proxy, sizeof(proxy));
    tws_sockaddr_format(&r->given_up, at, sizeof(at));
    tws_sockaddr_format(&r->proxy, used, sizeof(used));
    tws_log(TWS_LOG_WARN, "proxy address passed over", "proxy=%s address=%s used=%s reason=\"%s\"",
            proxy, at, used, r->why);
}

static void on_detour(void *arg, const struct tws_detour_result *r)
{
    struct tws_upgrade *u = arg;
    struct tws_dial *d = u->dial;
    char at[TWS_HOSTPORT_TEXT];

    d->detour = NULL;
    if (r->code == TWS_CODE_NONE) {
        if (r->given_up.len > 0)
            tell_passed_over(d, r);
        arrived(d, r->fd, &r->proxy);
    } else if (r->unconnected != TWS_CONNECT_OK) {
        not_connected(d, r->unconnected, r->why, &r->proxy);
    } else {
        tws_sockaddr_format(&r->proxy, at, sizeof(at));
        tws_upgrade_fail(u, 0, "proxy", "%s: %s", at, r->why);
    }
}

/* To the server by one of its addresses, or by its name if there are none. */
static tws_err go_round(struct tws_dial *d, const struct tws_ip *ips, size_t n)
{
    struct tws_detour_options o = {.url = &d->proxy_url,
                                   .proxy_ips = d->proxy_ips,
                                   .nproxy_ips = d->nproxy_ips,
                                   .from = &d->from,
                                   .target = &d->target,
                                   .ips = ips,
                                   .nips = n,
                                   .memory = &d->u->ws->proxies,
                                   .connect_us = d->connect_us,
                                   .timeout_us = d->connect_us + d->handshake_us};

    return tws_detour_start(d->u->ws->loop, &o, on_detour, d->u, &d->detour);
}

/* As curl does, but with IPv4 in front: many proxies have nothing else. */
static size_t put_ipv4_first(const struct tws_ip *ips, size_t n,
                             struct tws_ip out[TWS_DETOUR_ADDRESSES])
{
    size_t have = 0;

    for (int four = 1; four >= 0; four--)
        for (size_t i = 0; i < n && have < TWS_DETOUR_ADDRESSES; i++)
            if ((ips[i].family == 4) == four)
                out[have++] = ips[i];
    return have;
}

static tws_err go_round_to(struct tws_dial *d, const struct tws_ip *ips, size_t n)
{
    struct tws_ip sorted[TWS_DETOUR_ADDRESSES];

    return go_round(d, sorted, put_ipv4_first(ips, n, sorted));
}

static void on_resolved(struct tws_resolve *q, const struct tws_resolved *r)
{
    struct tws_dial *d = TWS_CONTAINER(q, struct tws_dial, query);

    tws_timer_stop(&d->u->deadline);
    d->u->tls_why[0] = '\0';
    d->u->step = "proxy";
    if (r->error != NULL)
        tws_upgrade_fail(d->u, 0, "resolve", "%s: %s%s; or let the proxy resolve it: socks5h://",
                         d->target.host, r->error, tws_advice_connect(TWS_CONNECT_RESOLVE));
    else if (go_round_to(d, r->ips, r->count) != TWS_OK)
        tws_upgrade_fail(d->u, 0, NULL, "%s", tws_err_text(TWS_NOMEM));
}

/* What does not begin is told by the deadline, for nothing is told before the start returns. */
static tws_err resolve(struct tws_dial *d)
{
    struct tws_upgrade *u = d->u;
    tws_err err = tws_resolve_start(u->ws->loop, &d->query, d->target.host, NULL);
    const char *why = "the resolver gave no answer";

    u->step = "resolve";
    if (err != TWS_OK)
        why = err == TWS_SYS ? strerror(errno) : tws_err_text(err);
    (void)snprintf(u->tls_why, sizeof(u->tls_why), "%.110s: %.120s", d->target.host, why);
    tws_timer_start(&u->deadline, err == TWS_OK ? d->handshake_us : 0);
    return TWS_OK;
}

static tws_err go_through(struct tws_dial *d, const struct tws_upgrade_client *c)
{
    struct tws_ip ip;

    if (d->proxy_url.kind != TWS_PROXY_SOCKS5 || tws_ip_parse(c->host, &ip) == TWS_OK)
        return go_round(d, NULL, 0);
    return c->nips > 0 ? go_round_to(d, c->ips, c->nips) : resolve(d);
}

/* ---- straight ---- */

static void on_connected(void *arg, const struct tws_connect_result *r)
{
    struct tws_upgrade *u = arg;
    struct tws_dial *d = u->dial;

    d->connector = NULL;
    if (r->failure == TWS_CONNECT_OK)
        arrived(d, r->fd, &r->peer);
    else
        not_connected(d, r->failure, r->detail, &r->peer);
}

tws_err tws_dial_start(struct tws_dial *d, const struct tws_upgrade_client *c)
{
    struct tws_connect_options o = {.host = c->host,
                                    .port = c->port,
                                    .ips = c->ips,
                                    .nips = c->nips,
                                    .timeout_us = d->connect_us,
                                    .from = &d->from};

    if (d->via_proxy)
        return go_through(d, c);
    return tws_connector_start(d->u->ws->loop, &o, on_connected, d->u, &d->connector);
}

/* ---- life ---- */

/* A missing device or address is otherwise hard to tell from a fault of the server's. */
static void name_uplink(struct tws_dial *d, const struct tws_upgrade_client *c)
{
    char source[TWS_IP_TEXT];

    if (c->source != NULL) {
        tws_ip_format(c->source, source, sizeof(source));
        (void)snprintf(d->uplink, sizeof(d->uplink), " from %s", source);
    } else if (c->interface != NULL) {
        (void)snprintf(d->uplink, sizeof(d->uplink), " over %s", c->interface);
    }
}

void tws_dial_init(struct tws_dial *d, struct tws_upgrade *u, const struct tws_upgrade_client *c)
{
    d->u = u;
    d->fd = -1;
    d->connect_us = c->connect_timeout_us > 0 ? c->connect_timeout_us : CONNECT_US;
    d->handshake_us = c->handshake_timeout_us > 0 ? c->handshake_timeout_us : HANDSHAKE_US;
    (void)snprintf(d->target.host, sizeof(d->target.host), "%s", c->host);
    d->target.port = c->port;
    for (; d->nproxy_ips < c->nproxy_ips && d->nproxy_ips < TWS_UPGRADE_IPS; d->nproxy_ips++)
        d->proxy_ips[d->nproxy_ips] = c->proxy_ips[d->nproxy_ips];
    if (c->source != NULL)
        d->from.ip = *c->source;
    if (c->interface != NULL)
        (void)snprintf(d->from.interface, sizeof(d->from.interface), "%s", c->interface);
    d->from.mark = c->mark;
    tws_resolve_init(&d->query, on_resolved);
    name_uplink(d, c);
}

void tws_dial_free(struct tws_dial *d)
{
    if (d == NULL)
        return;
    if (d->connector != NULL)
        tws_connector_cancel(d->connector);
    tws_resolve_cancel(&d->query);
    tws_detour_cancel(d->detour);
    tws_socket_close(d->fd);
    X509_STORE_free(d->store);
    tws_identity_free(d->identity);
    free(d->path);
    free(d->host_header);
    free(d->headers);
    free(d->ca_file);
    free(d->sni);
    free(d->cert_file);
    free(d->cert_key_file);
    tws_wipe(&d->proxy_url, sizeof(d->proxy_url));
    tws_loop_free_later(d->u->ws->loop, d); /* the proxy may be calling */
}

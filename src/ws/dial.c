/*
 * dial.c - see dial_priv.h.
 *
 *      connector (all addresses, errno known) -> [the server's name, for socks5://] -> [proxy]
 */
#include "advice_priv.h"
#include "dial_priv.h"

#include "tws/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_US   3000000
#define HANDSHAKE_US 5000000

/* ---- through a proxy ---- */

static void on_proxy(struct tws_proxy *p, uint16_t code, const char *why)
{
    struct tws_dial *d = TWS_CONTAINER(p, struct tws_dial, proxy);

    (void)code;
    if (why != NULL)
        tws_upgrade_fail(d->u, 0, NULL, "%s", why);
    else
        tws_client_dialled(d->u);
}

static void ask_proxy(struct tws_dial *d, const struct tws_hostport *target)
{
    tws_err err =
        tws_proxy_start(d->u->ws->loop, &d->proxy, d->fd, &d->proxy_url, target, on_proxy);

    if (err != TWS_OK)
        tws_upgrade_fail(d->u, 0, NULL, "%s",
                         err == TWS_SYS ? strerror(errno)
                                        : "no SOCKS5 request can name the server");
}

/* As curl does, but with IPv4 first: many proxies have nothing else. */
static const struct tws_ip *choose(const struct tws_ip *ips, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ips[i].family == 4)
            return &ips[i];
    return &ips[0];
}

static void ask_proxy_for(struct tws_dial *d, const struct tws_ip *ip)
{
    struct tws_hostport target = {.port = d->target.port};

    tws_ip_format(ip, target.host, sizeof(target.host));
    ask_proxy(d, &target);
}

static void on_resolved(struct tws_resolve *q, const struct tws_resolved *r)
{
    struct tws_dial *d = TWS_CONTAINER(q, struct tws_dial, query);

    if (r->error != NULL) {
        tws_upgrade_fail(d->u, 0, "resolve", "%s: %s%s; or let the proxy resolve it: socks5h://",
                         d->target.host, r->error, tws_advice_connect(TWS_CONNECT_RESOLVE));
        return;
    }
    ask_proxy_for(d, choose(r->ips, r->count));
}

static void resolve(struct tws_dial *d)
{
    tws_err err = tws_resolve_start(d->u->ws->loop, &d->query, d->target.host);

    if (err != TWS_OK)
        tws_upgrade_fail(d->u, 0, "resolve", "%s: %s", d->target.host,
                         err == TWS_SYS ? strerror(errno) : tws_err_text(err));
}

static void go_through(struct tws_dial *d)
{
    struct tws_ip ip;

    d->u->step = "proxy";
    if (d->proxy_url.kind != TWS_PROXY_SOCKS5 || tws_ip_parse(d->target.host, &ip) == TWS_OK)
        ask_proxy(d, &d->target);
    else if (d->nips > 0)
        ask_proxy_for(d, choose(d->ips, d->nips));
    else
        resolve(d);
}

/* ---- connecting ---- */

static void not_connected(struct tws_dial *d, const struct tws_connect_result *r)
{
    const char *step = r->failure == TWS_CONNECT_RESOLVE ? "resolve"
                       : d->via_proxy                    ? "connect to proxy"
                                                         : "connect";
    const char *host = d->via_proxy ? d->proxy_url.address.host : d->target.host;
    char peer[TWS_HOSTPORT_TEXT] = "";

    if (r->peer.len > 0)
        tws_sockaddr_format(&r->peer, peer, sizeof(peer));
    tws_upgrade_fail(d->u, 0, step, "%s%s: %s%s", peer[0] != '\0' ? peer : host, d->uplink,
                     r->detail, tws_advice_connect(r->failure));
}

static void on_connected(void *arg, const struct tws_connect_result *r)
{
    struct tws_upgrade *u = arg;
    struct tws_dial *d = u->dial;

    d->connector = NULL;
    if (r->failure != TWS_CONNECT_OK) {
        not_connected(d, r);
        return;
    }
    d->fd = r->fd;
    u->peer = r->peer;
    tws_timer_start(&u->deadline, d->handshake_us);
    if (d->via_proxy)
        go_through(d);
    else
        tws_client_dialled(u);
}

tws_err tws_dial_start(struct tws_dial *d, const struct tws_upgrade_client *c)
{
    struct tws_connect_options o = {.host = c->host,
                                    .port = c->port,
                                    .ips = c->ips,
                                    .nips = c->nips,
                                    .timeout_us = c->connect_timeout_us,
                                    .source = c->source,
                                    .interface = c->interface,
                                    .mark = c->mark};

    if (o.timeout_us == 0)
        o.timeout_us = CONNECT_US;
    if (d->via_proxy) {
        o.host = d->proxy_url.address.host;
        o.port = d->proxy_url.address.port;
        o.ips = c->proxy_ips;
        o.nips = c->nproxy_ips;
    }
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
    d->handshake_us = c->handshake_timeout_us > 0 ? c->handshake_timeout_us : HANDSHAKE_US;
    (void)snprintf(d->target.host, sizeof(d->target.host), "%s", c->host);
    d->target.port = c->port;
    for (; d->nips < c->nips && d->nips < TWS_UPGRADE_IPS; d->nips++)
        d->ips[d->nips] = c->ips[d->nips];
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
    tws_proxy_stop(&d->proxy);
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

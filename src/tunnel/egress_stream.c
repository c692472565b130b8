/*
 * egress_stream.c - see egress_priv.h: channels that are byte streams, to TCP targets and unix
 * sockets.
 *
 * A dial is the local side of its channel until the target answered; then a relay takes its place.
 * Early data waits in the engine meanwhile.
 *
 * How it goes out is the outlet's to say. If that depends on what a name resolves to, the connector
 * resolves, and each address chooses. When the first that is allowed does not lead straight to the
 * target (but through a proxy, or to another address), none is dialled, and the dial begins again
 * with that address, and the allowed ones behind it that go out by the same outlet: everything is
 * resolved once, and checked as it is used.
 */
#include "address_priv.h"
#include "egress_priv.h"
#include "outlet_priv.h"
#include "relay_priv.h"

#include "tws/base/log.h"
#include "tws/net/connector.h"
#include "tws/net/socket.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"
#include "tws/proto/proxy_header.h"
#include "tws/ws/detour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000u

/* The addresses that chose a way round, by one outlet. */
struct round {
    const struct tws_outlet *outlet; /* only while they choose: a reload replaces it */
    size_t n;
    struct tws_ip ips[TWS_CONNECT_ADDRESSES];
};

struct dial {
    struct tws_local local;
    struct tws_place place;
    struct tws_egress *egress;
    struct tws_connector *connector; /* NULL: not dialling */
    struct tws_detour *detour;       /* going through a proxy */
    char *proxy;                     /* its host and port, for the log; NULL: none */
    struct round *round;             /* NULL: no address has to choose */
    struct tws_permit permit;
    struct tws_ip_port source;
    uint64_t since_us, until_us;
    uint16_t code; /* why it failed */
    uint16_t port;
    uint8_t send_proxy;                      /* enum tws_send_proxy */
    bool choosing;                           /* each address chooses its outlet */
    bool straight;                           /* one of them leads straight to the target */
    const char *why_not;                     /* an outlet could not be used; static */
    const char *source_text, *target, *host; /* in `text` */
    char text[]; /* only as long as it is: thousands of these come and go between the relays */
};

static struct dial *from_local(struct tws_local *l)
{
    return TWS_CONTAINER(l, struct dial, local);
}

/* ---- ending ---- */

static void stop_dialling(struct dial *d)
{
    tws_connector_cancel(d->connector);
    d->connector = NULL;
    tws_detour_cancel(d->detour);
    d->detour = NULL;
    tws_place_leave(d->egress, &d->place);
}

static void free_dial(struct dial *d)
{
    free(d->proxy);
    free(d->round);
    tws_loop_free_later(d->egress->carrier->loop, d);
}

static void refuse(struct dial *d, uint16_t code, const char *text)
{
    struct tws_carrier *c = d->local.carrier;

    d->code = code;
    tws_channel_reset(d->local.channel, code, text, tws_carrier_now(c));
    tws_carrier_kick(c);
}

/* ---- what the carrier tells ---- */

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    struct dial *d = from_local(l);

    (void)text;
    stop_dialling(d);
    refuse(d, code, NULL);
}

static void on_over(struct tws_local *l, uint16_t code)
{
    struct dial *d = from_local(l);

    stop_dialling(d);
    d->egress->judge->nchannels--;
    tws_local_audit(l, d->source_text, d->target, d->since_us,
                    tws_code_text(d->code != TWS_CODE_NONE ? d->code : code));
    free_dial(d);
}

/* What comes meanwhile waits for the relay; a client that reads no more may still send. */
static const struct tws_local_ops dial_ops = {
    .on_reset = on_reset,
    .on_over = on_over,
};

/* ---- the target answered ---- */

/* False: the socket did not take it, so it is as good as closed. */
static bool send_header(const struct dial *d, int fd, const struct tws_sockaddr *peer)
{
    uint8_t bytes[TWS_PROXY_V1_MAX];
    struct tws_writer w = tws_writer(bytes, sizeof bytes);
    struct tws_target from = tws_target_from_ip(&d->source.ip, d->source.port), to;
    struct tws_proxy_header h;
    struct tws_ip_port at;

    if (d->send_proxy == TWS_SEND_PROXY_NO)
        return true;
    tws_sockaddr_get(peer, &at.ip, &at.port);
    to = tws_target_from_ip(&at.ip, at.port);
    tws_proxy_header_make(&from, &to, &h);
    if (d->send_proxy == TWS_SEND_PROXY_V1)
        tws_proxy_header_write_v1(&w, &h);
    else
        tws_proxy_header_write_v2(&w, &h);
    return send(fd, bytes, w.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)w.len;
}

/* What was reached. */
struct way {
    int fd;
    struct tws_io *io; /* watches it; NULL: nobody does */
    const struct tws_sockaddr *own, *peer;
};

static bool is_unix(const struct dial *d)
{
    return d->permit.kind == TWS_KIND_UNIX;
}

static void close_way(const struct way *w)
{
    if (w->io != NULL)
        tws_io_stop(w->io);
    tws_socket_close(w->fd);
}

/* A relay takes the dial's place. */
static void hand_over(struct dial *d, const struct way *w, const struct tws_judge_terms *terms)
{
    struct tws_carrier *c = d->local.carrier;
    struct tws_channel *ch = d->local.channel;
    uint8_t bound[TWS_TARGET_MAX];
    struct tws_relay_config cfg = {
        .carrier = c,
        .channel = ch,
        .fd = w->fd,
        .io = w->io,
        .dialled = true,
        .is_unix = is_unix(d),
        .source = d->source_text,
        .target = d->target,
        .up = terms->up,
        .down = terms->down,
        .count = &d->egress->judge->nchannels,
    };

    tws_channel_accept(ch, tws_address_encode(w->own, bound), tws_carrier_now(c));
    tws_local_detach(&d->local);
    tws_err err = tws_relay_new(&cfg);
    if (err == TWS_OK) {
        free_dial(d);
        return;
    }
    tws_local_attach(&d->local, &dial_ops, c, ch);
    refuse(d, TWS_CODE_RESOURCES, tws_err_text(err));
}

/* The way leads to the target; takes it. */
static void reached(struct dial *d, const struct way *w)
{
    struct tws_egress *e = d->egress;
    struct tws_judge_terms terms = {0};

    tws_place_leave(e, &d->place);
    if (!e->judge->ops->terms(e->judge, &terms)) {
        close_way(w); /* revoked this very moment; its session is ending */
    } else if (!send_header(d, w->fd, w->peer)) {
        close_way(w);
        refuse(d, TWS_CODE_TARGET_RESET, "the target closed before the PROXY header");
    } else {
        hand_over(d, w, &terms);
    }
}

/* ---- which way ---- */

static void target_of(const struct dial *d, struct tws_target *out)
{
    struct tws_hostport hp = {.port = d->port};

    (void)snprintf(hp.host, sizeof hp.host, "%s", d->host);
    tws_target_from_hostport(&hp, out);
    if (is_unix(d))
        out->type = TWS_TARGET_UNIX;
}

static const struct tws_outlet *outlet_of(const struct dial *d, const struct tws_ip *resolved,
                                          bool *unsure)
{
    const struct tws_egress_config *cfg = d->egress->cfg;
    struct tws_target t;
    struct tws_outward o = {
        .kind = d->permit.kind, .target = &t, .resolved = resolved, .source = d->source};

    *unsure = false;
    if (cfg->noutlets == 0)
        return NULL;
    target_of(d, &t);
    return tws_outlet_find(cfg->outlets, cfg->noutlets, &o, unsure);
}

static bool is_allowed(const struct dial *d, const struct tws_ip *ip, uint16_t port)
{
    struct tws_judge *j = d->egress->judge;

    return j->ops->address(j, &d->permit, ip, port);
}

static bool may_dial(void *arg, const struct tws_ip *ip, uint16_t port,
                     struct tws_connect_from *from)
{
    struct dial *d = arg;

    if (!is_allowed(d, ip, port))
        return false;
    /* `from` is as the options have it */
    const char *why = tws_egress_may_go(d->egress, from, ip);
    if (why != NULL)
        d->why_not = why;
    return why == NULL;
}

static uint8_t header_by(const struct tws_outlet *o)
{
    return o != NULL ? (uint8_t)o->send_proxy : TWS_SEND_PROXY_NO;
}

static bool leads_round(const struct dial *d, const struct tws_outlet *o)
{
    return o != NULL && (o->via != NULL || tws_outlet_redirect(o, &d->source) != NULL);
}

/* The first address that is allowed decides whether it is a way round; others follow on the same.
 */
static void go_round(struct dial *d, const struct tws_outlet *o, const struct tws_ip *ip)
{
    struct round *r = d->round;

    if (d->straight || r->n == TWS_CONNECT_ADDRESSES || (r->n > 0 && r->outlet != o))
        return;
    for (size_t i = 0; i < r->n; i++)
        if (tws_ip_equal(&r->ips[i], ip))
            return;
    r->outlet = o;
    r->ips[r->n++] = *ip;
}

static const struct tws_ip *first_round(const struct dial *d)
{
    return d->round != NULL && d->round->n > 0 ? &d->round->ips[0] : NULL;
}

/* An address of the name: it is dialled if its outlet leads straight to it. */
static bool choose(void *arg, const struct tws_ip *ip, uint16_t port, struct tws_connect_from *from)
{
    struct dial *d = arg;
    bool unsure;

    if (!is_allowed(d, ip, port))
        return false;
    const struct tws_outlet *o = outlet_of(d, ip, &unsure);
    if (leads_round(d, o))
        go_round(d, o, ip);
    if (leads_round(d, o) || first_round(d) != NULL)
        return false;
    const char *why = tws_egress_from(d->egress, o, &d->source, from);
    if (why == NULL)
        why = tws_egress_may_go(d->egress, from, ip);
    if (why != NULL)
        d->why_not = why;
    else
        d->straight = true;
    return why == NULL;
}

/* ---- failing ---- */

static uint16_t code_of(enum tws_connect_failure f)
{
    switch (f) {
    case TWS_CONNECT_RESOLVE:
        return TWS_CODE_RESOLVE;
    case TWS_CONNECT_FORBIDDEN:
        return TWS_CODE_FORBIDDEN;
    case TWS_CONNECT_REFUSED:
        return TWS_CODE_REFUSED;
    case TWS_CONNECT_TIMEOUT:
        return TWS_CODE_TIMEOUT;
    case TWS_CONNECT_RESOURCES:
        return TWS_CODE_RESOURCES;
    case TWS_CONNECT_OK:
    case TWS_CONNECT_UNREACHABLE:
    case TWS_CONNECT_OTHER:
    default:
        return TWS_CODE_UNREACHABLE;
    }
}

static void fail(struct dial *d, uint16_t code, const char *text)
{
    tws_place_leave(d->egress, &d->place);
    refuse(d, code, text);
}

/* ---- through a proxy ---- */

static bool may_ask(void *arg, const struct tws_ip *ip, uint16_t port)
{
    return is_allowed(arg, ip, port);
}

/* What is wrong, before the reason for it. */
static const char *what_failed(enum tws_connect_failure f)
{
    if (f == TWS_CONNECT_OK)
        return "";
    return f == TWS_CONNECT_RESOLVE ? "cannot resolve its name: " : "cannot connect to it: ";
}

static void log_proxy(struct dial *d, enum tws_log_level level, const char *message,
                      const struct tws_detour_result *r, const struct tws_sockaddr *at)
{
    struct tws_egress *e = d->egress;
    char address[TWS_HOSTPORT_TEXT] = "-", used[TWS_HOSTPORT_TEXT + 6] = "";

    if (!tws_log_allow(&e->limit, tws_carrier_now(e->carrier)))
        return;
    if (at->len > 0)
        tws_sockaddr_format(at, address, sizeof address);
    if (r->fd >= 0) {
        memcpy(used, " used=", sizeof " used=");
        tws_sockaddr_format(&r->proxy, used + 6, sizeof used - 6);
    }
    tws_log(level, message, "via=%s address=%s%s target=%s reason=\"%s%s\"", d->proxy, address,
            used, d->target, what_failed(r->unconnected), r->why);
}

/* The proxy is the administrator's: who uses it is told no more than that it failed, or that it
 * works and the target does not. */
static void fail_via(struct dial *d, const struct tws_detour_result *r)
{
    if (r->unconnected == TWS_CONNECT_FORBIDDEN) {
        fail(d, TWS_CODE_FORBIDDEN, r->why);
        return;
    }
    if (r->unconnected == TWS_CONNECT_OK && r->verdict == TWS_PROXY_NO_TARGET) {
        log_proxy(d, TWS_LOG_INFO, "upstream proxy reached no target", r, &r->proxy);
        fail(d, r->code, "the upstream proxy could not reach it");
        return;
    }
    log_proxy(d, TWS_LOG_WARN, "upstream proxy failed", r, &r->proxy);
    fail(d, r->code, "the upstream proxy failed");
}

static void on_detour(void *arg, const struct tws_detour_result *r)
{
    struct dial *d = arg;
    struct tws_sockaddr own = {.len = 0}, peer = {.len = 0};

    d->detour = NULL;
    if (r->code != TWS_CODE_NONE) {
        fail_via(d, r);
        return;
    }
    if (r->given_up.len > 0)
        log_proxy(d, TWS_LOG_WARN, "upstream proxy address passed over", r, &r->given_up);
    if (r->ip.family != 0)
        tws_sockaddr_set(&peer, &r->ip, d->port);
    reached(d, &(struct way){.fd = r->fd, .own = &own, .peer = &peer});
}

/* False: out of memory. */
static bool name_proxy(struct dial *d, const struct tws_hostport *address)
{
    char text[TWS_HOSTPORT_TEXT];

    tws_hostport_format(address, text, sizeof text);
    d->proxy = strdup(text);
    return d->proxy != NULL;
}

static uint64_t time_left(const struct dial *d)
{
    uint64_t now = tws_carrier_now(d->egress->carrier);

    return d->until_us > now ? d->until_us - now : 1;
}

/* ---- dialling ---- */

static bool go(struct dial *d);

static void not_connected(struct dial *d, const struct tws_connect_result *r)
{
    if (r->failure == TWS_CONNECT_FORBIDDEN && d->why_not != NULL)
        fail(d, TWS_CODE_FORBIDDEN, d->why_not);
    else
        fail(d, code_of(r->failure), r->detail);
}

static void on_connected(void *arg, const struct tws_connect_result *r)
{
    struct dial *d = arg;
    bool unsure;

    d->connector = NULL;
    if (r->failure == TWS_CONNECT_FORBIDDEN && d->choosing && first_round(d) != NULL) {
        d->choosing = false;
        if (!go(d))
            tws_place_leave(d->egress, &d->place);
    } else if (r->failure != TWS_CONNECT_OK) {
        not_connected(d, r);
    } else {
        if (d->choosing) {
            struct tws_ip_port at;
            tws_sockaddr_get(&r->peer, &at.ip, &at.port);
            const struct tws_outlet *o = outlet_of(d, &at.ip, &unsure);
            d->send_proxy = header_by(o);
        }
        reached(d, &(struct way){r->fd, r->io, &r->own, &r->peer});
    }
}

static bool start(struct dial *d, struct tws_connect_options *o)
{
    o->keep_io = true;
    o->owner = d->egress->judge;
    o->timeout_us = time_left(d);
    tws_err err = tws_connector_start(d->egress->carrier->loop, o, on_connected, d, &d->connector);
    if (err != TWS_OK)
        refuse(d, TWS_CODE_RESOURCES, tws_err_text(err));
    return err == TWS_OK;
}

static bool go_choosing(struct dial *d)
{
    struct tws_connect_options o = {.host = d->host, .port = d->port, .filter = choose};

    d->round = calloc(1, sizeof *d->round);
    if (d->round == NULL) {
        refuse(d, TWS_CODE_RESOURCES, NULL);
        return false;
    }
    d->choosing = true;
    return start(d, &o);
}

/* To the target, or where the outlet leads instead. */
static bool go_straight(struct dial *d, const struct tws_outlet *outlet)
{
    struct tws_connect_from from = {.leaves_some = true};
    struct tws_connect_options o = {
        .host = d->host, .port = d->port, .from = &from, .filter = may_dial};
    const struct tws_ip_port *instead = NULL;
    char ip[TWS_IP_TEXT];

    d->send_proxy = header_by(outlet);
    if (is_unix(d)) {
        o.unix_path = d->host;
        return start(d, &o);
    }
    const char *why = tws_egress_from(d->egress, outlet, &d->source, &from);
    if (why != NULL) {
        refuse(d, TWS_CODE_FORBIDDEN, why);
        return false;
    }
    if (outlet != NULL)
        instead = tws_outlet_redirect(outlet, &d->source);
    if (instead != NULL) {
        tws_ip_format(&instead->ip, ip, sizeof ip);
        o.host = ip;
        o.port = instead->port;
    } else if (first_round(d) != NULL) {
        o.ips = d->round->ips;
        o.nips = d->round->n;
    }
    return start(d, &o);
}

static bool is_name(const struct dial *d)
{
    struct tws_ip ip;

    return first_round(d) == NULL && tws_ip_parse(d->host, &ip) != TWS_OK;
}

/* Whether a name may be left to the proxy: a rule of the user names it, and no proxy can read it as
 * anything else. */
static bool may_pass_name(const struct dial *d, const struct tws_outlet *o)
{
    return d->permit.verdict == TWS_ACL_BY_NAME && o->via->kind != TWS_PROXY_SOCKS5 &&
           tws_host_is_plain(d->host);
}

/* None: the proxy is asked for the name. */
static void addresses_to_ask_for(const struct dial *d, struct tws_ip *literal,
                                 struct tws_detour_options *o)
{
    if (first_round(d) != NULL) {
        o->ips = d->round->ips;
        o->nips = d->round->n;
    } else if (tws_ip_parse(d->host, literal) == TWS_OK) {
        *literal = tws_ip_unmap(*literal);
        o->ips = literal;
        o->nips = 1;
    }
}

static bool go_via(struct dial *d, const struct tws_outlet *outlet)
{
    struct tws_connect_from from;
    struct tws_hostport target = {.port = d->port};
    struct tws_ip ip;
    struct tws_detour_options o = {.url = outlet->via,
                                   .from = &from,
                                   .target = &target,
                                   .filter = may_ask,
                                   .memory = d->egress->cfg->proxies,
                                   .timeout_us = time_left(d)};
    const char *why = tws_egress_from(d->egress, outlet, &d->source, &from);

    if (why != NULL) {
        refuse(d, TWS_CODE_FORBIDDEN, why);
        return false;
    }
    d->send_proxy = header_by(outlet);
    (void)snprintf(target.host, sizeof target.host, "%s", d->host);
    addresses_to_ask_for(d, &ip, &o);
    if (name_proxy(d, &outlet->via->address) &&
        tws_detour_start(d->egress->carrier->loop, &o, on_detour, d, &d->detour) == TWS_OK)
        return true;
    refuse(d, TWS_CODE_RESOURCES, NULL);
    return false;
}

/* Sets out by the outlet for what is known; false: it was refused. */
static bool go(struct dial *d)
{
    bool unsure;
    const struct tws_outlet *o = outlet_of(d, first_round(d), &unsure);

    if (unsure)
        return go_choosing(d);
    if (o == NULL || o->via == NULL || is_unix(d))
        return go_straight(d, o);
    return is_name(d) && !may_pass_name(d, o) ? go_choosing(d) : go_via(d, o);
}

static bool on_turn(struct tws_place *p)
{
    struct dial *d = TWS_CONTAINER(p, struct dial, place);
    struct tws_egress *e = d->egress;

    d->until_us = tws_carrier_now(e->carrier) + (uint64_t)e->cfg->connect_timeout_ms * MS;
    return go(d);
}

/* ---- opening ---- */

static const char *append(char **at, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = *at;

    memcpy(copy, text, n);
    *at += n;
    return copy;
}

static struct dial *allocate(const char *source, const char *target, const char *host)
{
    struct dial *d = calloc(1, sizeof *d + strlen(source) + strlen(target) + strlen(host) + 3);

    if (d == NULL)
        return NULL;
    char *at = d->text;
    d->source_text = append(&at, source);
    d->target = append(&at, target);
    d->host = append(&at, host);
    return d;
}

static struct dial *new_dial(struct tws_egress *e, const struct tws_request *rq)
{
    const struct tws_target *t = &rq->open->target;
    char ip[TWS_IP_TEXT];
    const char *host = t->name;

    if (t->type == TWS_TARGET_IPV4 || t->type == TWS_TARGET_IPV6) {
        tws_ip_format(&t->ip, ip, sizeof ip);
        host = ip;
    }
    struct dial *d = allocate(rq->source, rq->target, host);
    if (d == NULL)
        return NULL;
    d->egress = e;
    d->source = tws_outlet_source(&rq->open->source);
    d->permit = rq->permit;
    d->port = t->port;
    d->since_us = tws_carrier_now(e->carrier);
    tws_place_init(&d->place, on_turn);
    tws_local_attach(&d->local, &dial_ops, e->carrier, rq->channel);
    return d;
}

tws_err tws_egress_stream(struct tws_egress *e, const struct tws_request *rq)
{
    struct dial *d = new_dial(e, rq);

    if (d == NULL)
        return TWS_NOMEM;
    tws_place_enter(e, &d->place);
    return TWS_OK;
}

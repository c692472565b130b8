/*
 * egress_stream.c - see egress_priv.h: channels that are byte streams, to TCP targets and unix
 * sockets.
 *
 * A dial is the local side of its channel until the target answered; then a relay takes its place.
 * Early data waits in the engine meanwhile.
 */
#include "egress_priv.h"
#include "relay_priv.h"

#include "tws/net/connector.h"
#include "tws/net/socket.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000u

struct dial {
    struct tws_local local;
    struct tws_place place;
    struct tws_egress *egress;
    struct tws_connector *connector; /* NULL: not dialling */
    struct tws_permit permit;
    uint64_t since_us;
    uint16_t code; /* why it failed */
    uint16_t port;
    const char *source, *target, *host; /* in `text` */
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
    tws_place_leave(d->egress, &d->place);
}

static void refuse(struct dial *d, uint16_t code, const char *text)
{
    struct tws_carrier *c = d->local.carrier;

    d->code = code;
    tws_channel_reset(d->local.channel, code, text, tws_carrier_now(c));
    tws_carrier_kick(c);
}

/* ---- what the carrier tells ---- */

static void on_opened(struct tws_local *l, struct tws_span bound)
{
    (void)l;
    (void)bound; /* only the peer's opening is answered with it */
}

static void pull(struct tws_local *l, const struct tws_pull *p)
{
    (void)p; /* it is never ready */
    tws_session_pulled(l->carrier->session, 0, 0);
}

static void on_readable(struct tws_local *l)
{
    (void)l; /* the relay asks for it */
}

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    struct dial *d = from_local(l);

    (void)text;
    stop_dialling(d);
    refuse(d, code, NULL);
}

static void on_stopped(struct tws_local *l, uint16_t code)
{
    (void)l;
    (void)code; /* the client may still send to the target */
}

static void on_over(struct tws_local *l, uint16_t code)
{
    struct dial *d = from_local(l);

    stop_dialling(d);
    d->egress->judge->nchannels--;
    tws_audit(l->carrier, l->channel, d->source, d->target, d->since_us,
              tws_code_text(code != TWS_CODE_NONE ? code : d->code));
    tws_loop_free_later(l->carrier->loop, d);
}

static const struct tws_local_ops dial_ops = {
    .on_opened = on_opened,
    .pull = pull,
    .on_readable = on_readable,
    .on_reset = on_reset,
    .on_stopped = on_stopped,
    .on_over = on_over,
};

/* ---- dialling ---- */

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

static bool may_dial(void *arg, const struct tws_ip *ip, uint16_t port)
{
    const struct dial *d = arg;
    struct tws_judge *j = d->egress->judge;

    return j->ops->address(j, &d->permit, ip, port);
}

static struct tws_span bound_address(const struct tws_sockaddr *own, uint8_t buf[TWS_TARGET_MAX])
{
    struct tws_target t = {0};
    struct tws_writer w = tws_writer(buf, TWS_TARGET_MAX);

    tws_sockaddr_get(own, &t.ip, &t.port);
    if (t.ip.family == 0)
        return (struct tws_span){buf, 0};
    t.type = t.ip.family == 4 ? TWS_TARGET_IPV4 : TWS_TARGET_IPV6;
    tws_target_write(&w, &t);
    return (struct tws_span){buf, w.failed ? 0 : w.len};
}

/* The target answered: a relay takes the dial's place. */
static void hand_over(struct dial *d, const struct tws_connect_result *r,
                      const struct tws_judge_terms *terms)
{
    struct tws_carrier *c = d->local.carrier;
    struct tws_channel *ch = d->local.channel;
    uint8_t bound[TWS_TARGET_MAX];
    struct tws_relay_config cfg = {
        .carrier = c,
        .channel = ch,
        .fd = r->fd,
        .dialled = true,
        .source = d->source,
        .target = d->target,
        .up = terms->up,
        .down = terms->down,
        .count = &d->egress->judge->nchannels,
    };

    tws_channel_accept(ch, bound_address(&r->own, bound), tws_carrier_now(c));
    tws_local_detach(&d->local);
    tws_err err = tws_relay_new(&cfg);
    if (err == TWS_OK) {
        tws_loop_free_later(c->loop, d);
        return;
    }
    tws_local_attach(&d->local, &dial_ops, c, ch);
    refuse(d, TWS_CODE_RESOURCES, tws_err_text(err));
}

static void on_connected(void *arg, const struct tws_connect_result *r)
{
    struct dial *d = arg;
    struct tws_egress *e = d->egress;
    struct tws_judge_terms terms = {0};

    d->connector = NULL;
    tws_place_leave(e, &d->place);
    if (r->failure != TWS_CONNECT_OK)
        refuse(d, code_of(r->failure), r->detail);
    else if (!e->judge->ops->terms(e->judge, &terms))
        tws_socket_close(r->fd); /* revoked this very moment; its session is ending */
    else
        hand_over(d, r, &terms);
}

static bool start_dialling(struct tws_place *p)
{
    struct dial *d = TWS_CONTAINER(p, struct dial, place);
    struct tws_egress *e = d->egress;
    const struct tws_connect_options o = {
        .host = d->host,
        .port = d->port,
        .unix_path = d->permit.kind == TWS_KIND_UNIX ? d->host : NULL,
        .timeout_us = (uint64_t)e->cfg->connect_timeout_ms * MS,
        .filter = may_dial,
    };

    tws_err err = tws_connector_start(e->carrier->loop, &o, on_connected, d, &d->connector);
    if (err != TWS_OK)
        refuse(d, TWS_CODE_RESOURCES, tws_err_text(err));
    return err == TWS_OK;
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
    d->source = append(&at, source);
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
    d->permit = rq->permit;
    d->port = t->port;
    d->since_us = tws_carrier_now(e->carrier);
    tws_place_init(&d->place, start_dialling);
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

/*
 * egress.c - see egress_priv.h.
 *
 * A dial is the local side of its channel until the target answered; then a relay takes its place.
 * Early data waits in the engine meanwhile.
 */
#include "egress_priv.h"
#include "relay_priv.h"

#include "tws/base/log.h"
#include "tws/net/connector.h"
#include "tws/net/socket.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"
#include "tws/tunnel/acl.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000u

struct dial {
    struct tws_local local;
    struct tws_node wait_node; /* waiting in line, or not linked */
    struct tws_egress *egress;
    struct tws_connector *connector; /* NULL: not dialling */
    enum tws_acl_verdict verdict;
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

static void next_in_line(struct tws_egress *e);

static void stop_dialling(struct dial *d)
{
    tws_list_unlink(&d->wait_node);
    if (d->connector == NULL)
        return;
    tws_connector_cancel(d->connector);
    d->connector = NULL;
    d->egress->dialling--;
    next_in_line(d->egress);
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
    d->egress->account->nchannels--;
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
    const struct tws_user *u = d->egress->account->user;

    return u != NULL && tws_acl_address(u, d->verdict, ip, port);
}

static struct tws_span bound_address(int fd, uint8_t buf[TWS_TARGET_MAX])
{
    struct tws_sockaddr sa = {.len = sizeof sa.ss};
    struct tws_target t = {0};
    struct tws_writer w = tws_writer(buf, TWS_TARGET_MAX);

    if (getsockname(fd, (struct sockaddr *)&sa.ss, &sa.len) != 0)
        return (struct tws_span){buf, 0};
    tws_sockaddr_get(&sa, &t.ip, &t.port);
    t.type = t.ip.family == 4 ? TWS_TARGET_IPV4 : TWS_TARGET_IPV6;
    tws_target_write(&w, &t);
    return (struct tws_span){buf, w.failed ? 0 : w.len};
}

/* The target answered: a relay takes the dial's place. */
static void hand_over(struct dial *d, int fd)
{
    struct tws_carrier *c = d->local.carrier;
    struct tws_channel *ch = d->local.channel;
    uint8_t bound[TWS_TARGET_MAX];
    struct tws_relay_config cfg = {
        .carrier = c,
        .channel = ch,
        .fd = fd,
        .source = d->source,
        .target = d->target,
        .up = d->egress->account->user->rate != 0 ? &d->egress->account->up : NULL,
        .down = d->egress->account->user->rate != 0 ? &d->egress->account->down : NULL,
        .count = &d->egress->account->nchannels,
    };

    tws_socket_set_keepalive(fd);
    tws_channel_accept(ch, bound_address(fd, bound), tws_carrier_now(c));
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

    d->connector = NULL;
    e->dialling--;
    if (r->failure != TWS_CONNECT_OK)
        refuse(d, code_of(r->failure), r->detail);
    else if (e->account->user == NULL)
        tws_socket_close(r->fd); /* revoked this very moment; its session is ending */
    else
        hand_over(d, r->fd);
    next_in_line(e);
}

static void start_dialling(struct dial *d)
{
    struct tws_egress *e = d->egress;
    const struct tws_connect_options o = {
        .host = d->host,
        .port = d->port,
        .timeout_us = (uint64_t)*e->connect_timeout_ms * MS,
        .filter = may_dial,
    };

    tws_err err = tws_connector_start(e->carrier->loop, &o, on_connected, d, &d->connector);
    if (err != TWS_OK)
        refuse(d, TWS_CODE_RESOURCES, tws_err_text(err));
    else
        e->dialling++;
}

static void next_in_line(struct tws_egress *e)
{
    while (e->dialling < TWS_DIALS_MAX && !tws_list_empty(&e->waiting)) {
        struct dial *d = TWS_CONTAINER(e->waiting.next, struct dial, wait_node);
        tws_list_unlink(&d->wait_node);
        start_dialling(d);
    }
}

/* ---- opening ---- */

/* The code to refuse the opening with, or 0. */
static uint16_t judge(struct dial *d, const struct tws_open *open, const char **text)
{
    const struct tws_account *a = d->egress->account;

    *text = NULL;
    if (a->user == NULL)
        return TWS_CODE_REVOKED;
    if (a->user->max_channels != 0 && a->nchannels > a->user->max_channels) {
        *text = "the user's max_channels is reached";
        return TWS_CODE_RESOURCES;
    }
    if (open->kind != TWS_KIND_TCP) {
        *text = "only TCP is served";
        return TWS_CODE_FORBIDDEN;
    }
    d->verdict = tws_acl_target(a->user, &open->target);
    if (d->verdict == TWS_ACL_DENY) {
        *text = "no rule of the user allows the target";
        return TWS_CODE_FORBIDDEN;
    }
    return TWS_CODE_NONE;
}

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

static struct dial *new_dial(struct tws_egress *e, struct tws_channel *ch,
                             const struct tws_open *open)
{
    char source[TWS_HOSTPORT_TEXT] = "-", target[TWS_HOSTPORT_TEXT], ip[TWS_IP_TEXT];
    const char *host = open->target.name;

    if (open->source.type != 0)
        tws_target_format(&open->source, source, sizeof source);
    tws_target_format(&open->target, target, sizeof target);
    if (open->target.type == TWS_TARGET_IPV4 || open->target.type == TWS_TARGET_IPV6) {
        tws_ip_format(&open->target.ip, ip, sizeof ip);
        host = ip;
    }
    struct dial *d = allocate(source, target, host);
    if (d == NULL)
        return NULL;
    d->egress = e;
    d->port = open->target.port;
    d->since_us = tws_carrier_now(e->carrier);
    tws_list_init(&d->wait_node);
    tws_local_attach(&d->local, &dial_ops, e->carrier, ch);
    e->account->nchannels++;
    return d;
}

void tws_egress_open(struct tws_egress *e, struct tws_channel *ch, struct tws_span payload)
{
    struct tws_open open;
    struct dial *d = NULL;
    const char *text = NULL;
    uint64_t now = tws_carrier_now(e->carrier);

    if (tws_open_read(payload, &open) != TWS_OK) {
        tws_channel_reset(ch, TWS_CODE_PROTOCOL, "not a target", now);
        return;
    }
    d = new_dial(e, ch, &open);
    if (d == NULL) {
        tws_channel_reset(ch, TWS_CODE_RESOURCES, NULL, now);
        return;
    }
    uint16_t code = judge(d, &open, &text);
    if (code != TWS_CODE_NONE) {
        refuse(d, code, text);
        return;
    }
    tws_list_push_back(&e->waiting, &d->wait_node);
    next_in_line(e);
}

void tws_egress_init(struct tws_egress *e, struct tws_carrier *carrier, struct tws_account *account,
                     const uint32_t *connect_timeout_ms)
{
    *e = (struct tws_egress){
        .carrier = carrier, .account = account, .connect_timeout_ms = connect_timeout_ms};
    tws_list_init(&e->waiting);
}

/*
 * egress_udp.c - see egress_priv.h: flows of datagrams. Each has a socket of its own, connected to
 * the one address that its judge allowed: nothing else is sent to or heard from. Where the socket
 * starts, and whether a PROXY header goes in front of each datagram, is the outlet's to say.
 *
 * A name is resolved in the line of dials; what comes meanwhile waits, within the limits that
 * handshakes announce. An ICMP error ends the flow with its reason.
 */
#include "address_priv.h"
#include "egress_priv.h"
#include "flow_priv.h"
#include "outlet_priv.h"

#include "tws/net/resolver.h"
#include "tws/net/udp.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"
#include "tws/proto/proxy_header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_ALLOWED "no rule of the user allows the address"
#define MS          1000u
#define EARLY_MAX   16384u /* bytes that wait for an address, of a flow; carrier.c says so */
#define EARLY_ALL   (16u * 1024u * 1024u) /* memory of all flows' */

static uint32_t early_memory; /* of all flows that wait, a ring for each; one thread */

struct exit {
    struct tws_flow flow;
    struct tws_egress *egress;
    struct tws_place place;
    struct tws_resolve resolve;
    struct tws_timer timer;   /* of resolving */
    struct tws_dgramq early;  /* came before there was a socket */
    struct tws_udp_watch udp; /* watched: there is a socket */
    struct tws_permit permit;
    struct tws_ip_port source; /* the client's; family 0: not known */
    uint8_t *head;             /* in front of each datagram to the target; NULL: nothing */
    size_t nhead;
    struct tws_throttle *down;
    struct tws_waiter down_wait;
    uint16_t port;
    char text[]; /* source NUL target NUL host NUL */
};

static struct exit *from_flow(struct tws_flow *f)
{
    return TWS_CONTAINER(f, struct exit, flow);
}

static uint64_t now_of(const struct exit *x)
{
    return tws_carrier_now(x->egress->carrier);
}

/* ---- ending ---- */

static void drop_early(struct exit *x)
{
    early_memory -= x->early.cap;
    tws_dgramq_fini(&x->early);
}

/* Whatever it waits for, and its socket. */
static void stop(struct exit *x)
{
    tws_resolve_cancel(&x->resolve);
    tws_timer_stop(&x->timer);
    tws_place_leave(x->egress, &x->place);
    tws_waiter_leave(&x->down_wait);
    drop_early(x);
    tws_udp_watch_stop(&x->udp);
}

static void ended(struct tws_flow *f, uint16_t code, bool by_peer)
{
    (void)code;
    (void)by_peer;
    stop(from_flow(f));
}

static void over(struct tws_flow *f, uint16_t code)
{
    struct exit *x = from_flow(f);

    (void)code;
    stop(x);
    free(x->head);
    x->egress->judge->nchannels--;
    tws_loop_free_later(x->egress->carrier->loop, x);
}

static uint16_t code_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return TWS_CODE_REFUSED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return TWS_CODE_RESOURCES;
    default:
        return TWS_CODE_UNREACHABLE;
    }
}

static void fail(struct exit *x, int error)
{
    tws_flow_end(&x->flow, code_of(error), strerror(error));
}

/* An error that an ICMP message brought, or that is the datagram's own. */
static void on_error(struct tws_udp_sender *s, int error)
{
    struct exit *x = TWS_CONTAINER(s, struct exit, udp.sender);

    if (error == EAGAIN || error == EMSGSIZE || error == EINVAL)
        x->flow.backlog.dropped++;
    else
        fail(x, error);
}

/* ---- target -> peer ---- */

static void take(struct tws_udp_watch *w, const struct tws_udp_datagram *d)
{
    tws_flow_put(&TWS_CONTAINER(w, struct exit, udp)->flow, d->data);
}

/* ---- peer -> target ---- */

static void send_one(struct exit *x, struct tws_span in)
{
    if (x->down != NULL) {
        if (tws_throttle_allows(x->down, in.n + 1, &x->down_wait) == 0) {
            x->flow.backlog.dropped++; /* too fast: a queue here would only be late */
            return;
        }
        tws_throttle_take(x->down, in.n);
    }
    tws_udp_send(&x->udp.sender,
                 &(struct tws_udp_datagram){.data = in, .head = {x->head, x->nhead}});
}

static void keep_early(struct exit *x, struct tws_span in)
{
    uint32_t before = x->early.cap;

    if (early_memory >= EARLY_ALL || x->early.used + in.n > EARLY_MAX ||
        tws_dgramq_put(&x->early, in, 0) != TWS_OK) {
        x->flow.backlog.dropped++;
        return;
    }
    early_memory += x->early.cap - before;
}

static void deliver(struct tws_flow *f, struct tws_span in)
{
    struct exit *x = from_flow(f);

    if (tws_udp_watched(&x->udp))
        send_one(x, in);
    else
        keep_early(x, in);
}

/* One that cannot be sent may end the flow, and what it keeps with it. */
static void send_early(struct exit *x)
{
    struct tws_dgramq early = x->early;
    struct tws_span in;
    uint32_t at;

    early_memory -= early.cap;
    tws_dgramq_init(&x->early, &tws_mem_default, 2 * EARLY_MAX);
    while (tws_udp_watched(&x->udp) && tws_dgramq_peek(&early, &in, &at)) {
        send_one(x, in);
        tws_udp_flush(); /* it lies in the queue */
        tws_dgramq_pop(&early);
    }
    tws_dgramq_fini(&early);
}

static void nothing(struct tws_waiter *w)
{
    (void)w; /* what was too fast is gone */
}

static const struct tws_flow_ops exit_ops = {.deliver = deliver, .ended = ended, .over = over};

/* ---- opening ---- */

static struct tws_span bound_address(int fd, uint8_t buf[TWS_TARGET_MAX])
{
    struct tws_sockaddr sa = tws_socket_address(fd);

    if (sa.len == 0)
        return (struct tws_span){buf, 0};
    return tws_address_encode(&sa, buf);
}

/* The socket is the flow's from now on. */
static void begin(struct exit *x, int fd)
{
    struct tws_carrier *c = x->egress->carrier;
    struct tws_judge *j = x->egress->judge;
    struct tws_judge_terms terms = {0};
    uint8_t bound[TWS_TARGET_MAX];

    tws_udp_prepare(fd, AF_UNSPEC);
    if (!j->ops->terms(j, &terms)) {
        tws_socket_close(fd);
        tws_flow_end(&x->flow, TWS_CODE_REVOKED, NULL);
        return;
    }
    if (tws_udp_watch_start(c->loop, &x->udp, fd, take) != TWS_OK) {
        fail(x, errno);
        return;
    }
    x->udp.sender.on_error = on_error;
    x->flow.up = terms.up;
    x->down = terms.down;
    tws_channel_accept(x->flow.local.channel, bound_address(fd, bound), now_of(x));
    tws_carrier_kick(c);
    send_early(x);
}

static const char *host_of(const struct exit *x)
{
    return x->flow.target + strlen(x->flow.target) + 1;
}

/* ---- the way out ---- */

/* `ip` NULL: a name that was not resolved. */
static struct tws_target target_of(const struct exit *x, const struct tws_ip *ip)
{
    struct tws_hostport named = {.port = x->port};
    struct tws_target t;

    if (host_of(x)[0] == '\0' && ip != NULL)
        return tws_target_from_ip(ip, x->port);
    (void)snprintf(named.host, sizeof named.host, "%s", host_of(x));
    tws_target_from_hostport(&named, &t);
    return t;
}

static const struct tws_outlet *outlet_of(const struct exit *x, const struct tws_ip *ip)
{
    const struct tws_egress_config *cfg = x->egress->cfg;
    struct tws_target t = target_of(x, ip);
    const struct tws_outward o = {
        .kind = TWS_KIND_UDP, .target = &t, .resolved = ip, .source = x->source};
    bool unsure;

    return cfg->noutlets == 0 ? NULL : tws_outlet_find(cfg->outlets, cfg->noutlets, &o, &unsure);
}

#define DGRAM 2 /* the low half of byte 13 of a PROXY header says how it travels */

/* Version 2 of the PROXY protocol, once for the flow. False: no memory. */
static bool make_head(struct exit *x, const struct tws_ip_port *to)
{
    struct tws_target source = tws_target_from_ip(&x->source.ip, x->source.port);
    struct tws_target target = tws_target_from_ip(&to->ip, to->port);
    struct tws_proxy_header h;
    uint8_t bytes[TWS_PROXY_V2_MAX];
    struct tws_writer w = tws_writer(bytes, sizeof bytes);

    tws_proxy_header_make(&source, &target, &h);
    tws_proxy_header_write_v2(&w, &h);
    if (h.known)
        bytes[13] = (uint8_t)((bytes[13] & 0xf0) | DGRAM);
    x->head = malloc(w.len);
    if (x->head == NULL)
        return false;
    memcpy(x->head, bytes, w.len);
    x->nhead = w.len;
    return true;
}

/* Why datagrams cannot go out by it, or NULL. */
static const char *unfit(const struct tws_outlet *o)
{
    if (o != NULL && o->via != NULL)
        return "via: the upstream proxy is asked for no datagrams";
    if (o != NULL && o->send_proxy == TWS_SEND_PROXY_V1)
        return "send_proxy: version 1 has no datagrams";
    return NULL;
}

struct attempt {
    int fd;          /* -1: it failed */
    uint16_t code;   /* then why */
    const char *why; /* static or of the kernel */
};

static int failed(struct attempt *a, uint16_t code, const char *why)
{
    a->code = code;
    a->why = why;
    return -1;
}

static bool is_allowed(const struct exit *x, const struct tws_ip_port *at)
{
    struct tws_judge *j = x->egress->judge;

    return j->ops->address(j, &x->permit, &at->ip, at->port);
}

/* A socket to what the outlet makes of the address (family 0: of the name); -1: none. */
static int open_way(struct exit *x, const struct tws_outlet *o, struct tws_ip_port at,
                    struct attempt *a)
{
    const struct tws_ip_port *instead = o == NULL ? NULL : tws_outlet_redirect(o, &x->source);
    struct tws_connect_from from;
    struct tws_sockaddr to;
    const char *why = unfit(o);
    int fd = -1;

    if (instead != NULL)
        at = *instead;
    if (why != NULL)
        return failed(a, TWS_CODE_UNREACHABLE, why);
    why = tws_egress_from(x->egress, o, &x->source, &from);
    if (why == NULL)
        why = tws_egress_may_go(x->egress, &from, &at.ip);
    if (why != NULL)
        return failed(a, TWS_CODE_FORBIDDEN, why);
    if (!is_allowed(x, &at))
        return failed(a, TWS_CODE_FORBIDDEN, NOT_ALLOWED);
    tws_sockaddr_set(&to, &at.ip, at.port);
    if (tws_udp_connect(&from, &to, &fd) != TWS_OK)
        return failed(a, code_of(errno), strerror(errno));
    if (o == NULL || o->send_proxy == TWS_SEND_PROXY_NO || make_head(x, &at))
        return fd;
    tws_socket_close(fd);
    return failed(a, TWS_CODE_RESOURCES, strerror(ENOMEM));
}

static void use(struct exit *x, const struct attempt *a)
{
    if (a->fd >= 0)
        begin(x, a->fd);
    else
        tws_flow_end(&x->flow, a->code, a->why);
}

/* Connects to the first of the addresses that may be sent to and that there is a way to. */
static void connect_to(struct exit *x, const struct tws_ip *ips, size_t n)
{
    struct attempt a = {-1, TWS_CODE_FORBIDDEN, NOT_ALLOWED};

    for (size_t i = 0; i < n && a.fd < 0; i++) {
        const struct tws_ip_port at = {tws_ip_unmap(ips[i]), x->port};
        if (is_allowed(x, &at))
            a.fd = open_way(x, outlet_of(x, &at.ip), at, &a);
    }
    use(x, &a);
}

/* By the name, if that is led elsewhere and so need not mean anything. */
static bool connect_elsewhere(struct exit *x)
{
    const struct tws_outlet *o = outlet_of(x, NULL);
    struct attempt a = {.fd = -1};

    if (o == NULL || tws_outlet_redirect(o, &x->source) == NULL)
        return false;
    a.fd = open_way(x, o, (struct tws_ip_port){.port = 0}, &a);
    use(x, &a);
    return true;
}

static void on_resolved(struct tws_resolve *q, const struct tws_resolved *r)
{
    struct exit *x = TWS_CONTAINER(q, struct exit, resolve);

    tws_timer_stop(&x->timer);
    tws_place_leave(x->egress, &x->place);
    if (r->count == 0)
        tws_flow_end(&x->flow, TWS_CODE_RESOLVE, r->error);
    else
        connect_to(x, r->ips, r->count);
}

static void on_timer(struct tws_timer *t)
{
    struct exit *x = TWS_CONTAINER(t, struct exit, timer);

    tws_flow_end(&x->flow, TWS_CODE_RESOLVE, "the name was not resolved in time");
}

static bool start_resolving(struct tws_place *p)
{
    struct exit *x = TWS_CONTAINER(p, struct exit, place);
    struct tws_egress *e = x->egress;
    tws_err err = tws_resolve_start(e->carrier->loop, &x->resolve, host_of(x), e->judge);

    if (err != TWS_OK)
        tws_flow_end(&x->flow, TWS_CODE_RESOURCES, tws_err_text(err));
    else
        tws_timer_start(&x->timer, (uint64_t)e->cfg->connect_timeout_ms * MS);
    return err == TWS_OK;
}

static char *append(char *at, const char *text)
{
    size_t n = strlen(text) + 1;

    memcpy(at, text, n);
    return at + n;
}

static struct exit *new_exit(struct tws_egress *e, const struct tws_request *rq)
{
    const char *host = rq->open->target.name;
    struct exit *x =
        calloc(1, sizeof *x + strlen(rq->source) + strlen(rq->target) + strlen(host) + 3);

    if (x == NULL)
        return NULL;
    x->egress = e;
    x->permit = rq->permit;
    x->port = rq->open->target.port;
    x->source = tws_outlet_source(&rq->open->source);
    tws_place_init(&x->place, start_resolving);
    tws_resolve_init(&x->resolve, on_resolved);
    tws_waiter_init(&x->down_wait, nothing);
    tws_timer_init(&x->timer, e->carrier->loop, on_timer);
    tws_dgramq_init(&x->early, &tws_mem_default, 2 * EARLY_MAX);
    tws_flow_init(&x->flow, e->carrier->loop, &exit_ops, (uint64_t)e->cfg->udp_timeout_ms * MS);
    x->flow.source = x->text;
    x->flow.target = append(x->text, rq->source);
    (void)append(append(x->text + strlen(rq->source) + 1, rq->target), host);
    tws_flow_attach(&x->flow, e->carrier, rq->channel);
    return x;
}

tws_err tws_egress_udp(struct tws_egress *e, const struct tws_request *rq)
{
    const struct tws_target *t = &rq->open->target;
    struct exit *x = new_exit(e, rq);

    if (x == NULL)
        return TWS_NOMEM;
    if (e->cfg->no_udp)
        tws_flow_end(&x->flow, TWS_CODE_FORBIDDEN, "no_udp is set");
    else if (t->type != TWS_TARGET_NAME)
        connect_to(x, &t->ip, 1);
    else if (!connect_elsewhere(x))
        tws_place_enter(e, &x->place);
    return TWS_OK;
}

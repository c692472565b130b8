/*
 * egress.c - see egress_priv.h.
 *
 * A refused opening has a local side too, until the peer knows of the refusal: it counts against
 * the user's limit so long, and has its line in the log.
 */
#include "carrier_priv.h"
#include "egress_priv.h"
#include "listens_priv.h"
#include "outlet_priv.h"

#include "tws/base/log.h"
#include "tws/net/own_address.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <stdlib.h>
#include <string.h>

static tws_egress_kind *const kinds[] = {
    [TWS_KIND_TCP] = tws_egress_stream,  [TWS_KIND_UDP] = tws_egress_udp,
    [TWS_KIND_UNIX] = tws_egress_stream, [TWS_KIND_LISTEN] = tws_egress_listen,
    [TWS_KIND_TUN] = tws_egress_tun,
};

#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- the line of dials ---- */

void tws_place_init(struct tws_place *p, tws_turn_fn *on_turn)
{
    *p = (struct tws_place){.on_turn = on_turn};
    tws_list_init(&p->place_node);
}

static void next_in_line(struct tws_egress *e)
{
    while (e->dialling < TWS_DIALS_MAX && !tws_list_empty(&e->waiting)) {
        struct tws_place *p = TWS_CONTAINER(e->waiting.next, struct tws_place, place_node);
        tws_list_unlink(&p->place_node);
        p->taken = p->on_turn(p);
        e->dialling += p->taken;
    }
}

void tws_place_enter(struct tws_egress *e, struct tws_place *p)
{
    tws_list_push_back(&e->waiting, &p->place_node);
    next_in_line(e);
}

void tws_place_leave(struct tws_egress *e, struct tws_place *p)
{
    tws_list_unlink(&p->place_node);
    if (!p->taken)
        return;
    p->taken = false;
    e->dialling--;
    next_in_line(e);
}

/* ---- refusing ---- */

struct refusal {
    struct tws_local local;
    struct tws_judge *judge;
    uint64_t since_us;
    uint16_t code;
    uint16_t target_at; /* in `text` */
    char text[];        /* source NUL target NUL */
};

static void on_over(struct tws_local *l, uint16_t code)
{
    struct refusal *r = TWS_CONTAINER(l, struct refusal, local);

    (void)code; /* it was refused, whether or not the session lived until the peer knew */
    r->judge->nchannels--;
    tws_local_audit(l, r->text, r->text + r->target_at, r->since_us, tws_code_text(r->code));
    tws_loop_free_later(l->carrier->loop, r);
}

static const struct tws_local_ops refusal_ops = {.on_over = on_over};

tws_err tws_egress_refuse(struct tws_egress *e, const struct tws_request *rq, uint16_t code,
                          const char *why)
{
    size_t source = strlen(rq->source) + 1, target = strlen(rq->target) + 1;
    struct refusal *r = calloc(1, sizeof *r + source + target);

    if (r == NULL)
        return TWS_NOMEM;
    memcpy(r->text, rq->source, source);
    memcpy(r->text + source, rq->target, target);
    r->target_at = (uint16_t)source;
    r->judge = e->judge;
    r->code = code;
    r->since_us = tws_carrier_now(e->carrier);
    tws_local_attach(&r->local, &refusal_ops, e->carrier, rq->channel);
    tws_channel_reset(rq->channel, code, why, r->since_us);
    tws_carrier_kick(e->carrier);
    return TWS_OK;
}

/* ---- where it starts ---- */

/* A client that says so is wrong or lies; the administrator should know which one. */
static const char *disbelieve(struct tws_egress *e, const struct tws_ip *claimed, const char *why)
{
    char text[TWS_IP_TEXT] = "-";

    if (why == NULL || !tws_log_allow(&e->limit, tws_carrier_now(e->carrier)))
        return why;
    if (claimed->family != 0)
        tws_ip_format(claimed, text, sizeof text);
    tws_log(TWS_LOG_WARN, "client's address not believed",
            "session=%s user=%s source=%s reason=\"%s\"", e->carrier->tag, e->carrier->user, text,
            why);
    return why;
}

static bool is_own(void *arg, const struct tws_ip *ip)
{
    struct tws_egress *e = arg;

    return tws_own_addresses_have(e->cfg->own, ip, tws_carrier_now(e->carrier));
}

const char *tws_egress_from(struct tws_egress *e, const struct tws_outlet *o,
                            const struct tws_ip_port *source, struct tws_connect_from *from)
{
    return disbelieve(e, &source->ip, tws_outlet_from(o, source, is_own, e, from));
}

const char *tws_egress_may_go(struct tws_egress *e, const struct tws_connect_from *from,
                              const struct tws_ip *to)
{
    return disbelieve(e, &from->ip, tws_outlet_meets_itself(from, to));
}

/* ---- opening ---- */

static tws_err settle(struct tws_egress *e, struct tws_request *rq)
{
    const char *why = NULL;
    uint8_t kind = rq->open->kind;

    if (kind >= KINDS || kinds[kind] == NULL)
        return tws_egress_refuse(e, rq, TWS_CODE_FORBIDDEN, "this kind of channel is not served");
    uint16_t code = e->judge->ops->opening(e->judge, rq->open, &rq->permit, &why);
    if (code != TWS_CODE_NONE)
        return tws_egress_refuse(e, rq, code, why);
    return kinds[kind](e, rq);
}

void tws_egress_serve(struct tws_egress *e, struct tws_channel *ch, const struct tws_open *open)
{
    char source[TWS_HOSTPORT_TEXT] = "-", target[TWS_HOSTPORT_TEXT];

    if (open->source.type != 0)
        tws_target_format(&open->source, source, sizeof source);
    tws_target_format(&open->target, target, sizeof target);
    struct tws_request rq = {.channel = ch,
                             .open = open,
                             .permit = {.kind = open->kind, .listener = open->listener},
                             .source = source,
                             .target = target};
    e->judge->nchannels++;
    if (settle(e, &rq) != TWS_OK) {
        e->judge->nchannels--;
        tws_channel_reset(ch, TWS_CODE_RESOURCES, NULL, tws_carrier_now(e->carrier));
    }
}

void tws_egress_open(struct tws_egress *e, struct tws_channel *ch, struct tws_span payload)
{
    struct tws_open open;

    if (tws_open_read(payload, &open) == TWS_OK)
        tws_egress_serve(e, ch, &open);
    else
        tws_channel_reset(ch, TWS_CODE_PROTOCOL, "not a target", tws_carrier_now(e->carrier));
}

void tws_egress_init(struct tws_egress *e, struct tws_carrier *carrier, struct tws_judge *judge,
                     const struct tws_egress_config *cfg)
{
    *e = (struct tws_egress){.carrier = carrier, .judge = judge, .cfg = cfg};
    tws_list_init(&e->waiting);
}

void tws_egress_fini(struct tws_egress *e)
{
    tws_listens_free(e->listens);
    e->listens = NULL;
}

/*
 * egress_tun.c - the kind `tun`: a client's IP packets, each judged by itself, and those that the
 * hub has for it. See ip_hub_priv.h.
 *
 * A packet from a client goes out only if its source is one of the client's own and the user's
 * rules allow its destination: its port for TCP and UDP, any port for what has none (ICMP, other
 * protocols, and later fragments, which may belong to anything).
 */
#include "carrier_priv.h"
#include "egress_priv.h"
#include "ip_hub_priv.h"

#include "tws/base/log.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <stdio.h>
#include <stdlib.h>

static struct tws_tun_port *from_local(struct tws_local *l)
{
    return TWS_CONTAINER(l, struct tws_tun_port, local);
}

static uint64_t now_of(const struct tws_tun_port *port)
{
    return tws_carrier_now(port->local.carrier);
}

/* ---- client -> device ---- */

static void drop(struct tws_tun_port *port, uint64_t *count, const struct tws_ip_packet *p,
                 const char *why)
{
    char text[TWS_IP_PACKET_TEXT] = "?";

    ++*count;
    if (!tws_log_allow(&port->limit, now_of(port)))
        return;
    if (p != NULL)
        tws_ip_packet_format(p, text, sizeof text);
    tws_log(TWS_LOG_WARN, "packet dropped", "session=%s user=%s packet=\"%s\" reason=\"%s\"",
            port->local.carrier->tag, port->local.carrier->user, text, why);
}

static bool is_allowed(const struct tws_tun_port *port, const struct tws_ip_packet *p)
{
    const struct tws_permit permit = {
        .kind = p->service == TWS_IP_TCP   ? TWS_KIND_TCP
                : p->service == TWS_IP_UDP ? TWS_KIND_UDP
                                           : TWS_KIND_TUN,
        .verdict = TWS_ACL_BY_ADDRESS,
    };

    return port->judge->ops->address(port->judge, &permit, &p->destination, p->service_port);
}

/* A client that sends faster than its user's rate loses what is too much, as on any slow link. */
static bool is_in_rate(struct tws_tun_port *port, size_t n)
{
    struct tws_judge_terms terms;

    if (!port->judge->ops->terms(port->judge, &terms))
        return false;
    if (terms.down == NULL)
        return true;
    if (tws_throttle_allows(terms.down, n, &port->down_wait) < n)
        return false;
    tws_throttle_take(terms.down, n);
    return true;
}

static void on_datagram(struct tws_local *l, struct tws_span in)
{
    struct tws_tun_port *port = from_local(l);
    struct tws_ip_packet p;

    if (port->hub == NULL)
        return;
    if (tws_ip_packet_read(in, &p) != TWS_OK)
        drop(port, &port->dropped_malformed, NULL, "not a whole IP packet");
    else if (tws_ip_table_find(&port->hub->table, &p.source) != port)
        drop(port, &port->dropped_source, &p, "the source is not the client's");
    else if (tws_ip_packet_is_neighbourly(in, &p))
        drop(port, &port->dropped_rules, &p, "a redirect or neighbour discovery");
    else if (!is_allowed(port, &p))
        drop(port, &port->dropped_rules, &p, "no rule of the user allows the destination");
    else if (!is_in_rate(port, in.n))
        port->dropped_rate++;
    else
        tws_ip_device_write(&port->hub->device, in, &p);
}

/* ---- device -> client ---- */

static void pull(struct tws_local *l, const struct tws_pull *p)
{
    struct tws_tun_port *port = from_local(l);
    struct tws_judge_terms terms;

    if (!port->judge->ops->terms(port->judge, &terms))
        tws_session_pulled(l->carrier->session, 0, 0); /* a removed key: its session is ending */
    else
        tws_backlog_pull(&port->backlog, l->carrier->session, p,
                         (struct tws_backlog_rate){terms.up, &port->up_wait}, now_of(port));
}

static void resume_up(struct tws_waiter *w)
{
    struct tws_tun_port *port = TWS_CONTAINER(w, struct tws_tun_port, up_wait);

    tws_channel_set_ready(port->local.channel, true, now_of(port));
    tws_carrier_kick(port->local.carrier);
}

static void resume_down(struct tws_waiter *w)
{
    (void)w; /* the packet is gone; the next one is asked for itself */
}

/* ---- life ---- */

static void on_opened(struct tws_local *l, struct tws_span bound)
{
    (void)l;
    (void)bound; /* only the opener hears it */
}

static void on_readable(struct tws_local *l)
{
    (void)l; /* there is no stream */
}

void tws_tun_port_cut(struct tws_tun_port *port, uint16_t code, const char *why)
{
    port->code = code;
    tws_ip_ungrant(port);
    tws_waiter_leave(&port->up_wait);
    tws_waiter_leave(&port->down_wait);
    tws_channel_reset(port->local.channel, code, why, now_of(port));
    tws_local_linger(&port->local);
    tws_carrier_kick(port->local.carrier);
}

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    (void)text;
    tws_tun_port_cut(from_local(l), code, NULL);
}

static void on_stopped(struct tws_local *l, uint16_t code)
{
    tws_tun_port_cut(from_local(l), code, NULL);
}

/* Nobody knows when an IP link is done. */
static void on_drain(struct tws_local *l)
{
    tws_tun_port_cut(from_local(l), TWS_CODE_SHUTDOWN, NULL);
}

static void addresses_text(const struct tws_tun_port *port, char *out, size_t cap)
{
    size_t at = 0;

    out[0] = '\0';
    for (int i = 0; i < TWS_TUN_FAMILIES; i++) {
        char text[TWS_IP_TEXT];
        if (port->terms.address[i].ip.family == 0)
            continue;
        tws_ip_format(&port->terms.address[i].ip, text, sizeof text);
        at += (size_t)snprintf(out + at, cap - at, "%s%s", at > 0 ? "," : "", text);
    }
}

static void on_over(struct tws_local *l, uint16_t code)
{
    struct tws_tun_port *port = from_local(l);
    char source[2 * TWS_IP_TEXT + 2];

    tws_ip_ungrant(port);
    tws_waiter_leave(&port->up_wait);
    tws_waiter_leave(&port->down_wait);
    tws_backlog_fini(&port->backlog);
    port->judge->nchannels--;
    addresses_text(port, source, sizeof source);
    if (port->code == TWS_CODE_NONE)
        port->code = code;
    tws_local_audit(l, source[0] != '\0' ? source : "-", "tun", port->opened_us,
                    port->code == TWS_CODE_NONE ? "closed" : tws_code_text(port->code));
    if (port->dropped_source + port->dropped_rules + port->dropped_malformed + port->dropped_rate +
            port->backlog.dropped >
        0)
        tws_log(TWS_LOG_INFO, "packets dropped",
                "session=%s user=%s source=%llu rules=%llu malformed=%llu rate=%llu queue=%llu",
                l->carrier->tag, l->carrier->user, (unsigned long long)port->dropped_source,
                (unsigned long long)port->dropped_rules,
                (unsigned long long)port->dropped_malformed, (unsigned long long)port->dropped_rate,
                (unsigned long long)port->backlog.dropped);
    tws_loop_free_later(l->carrier->loop, port);
}

static const struct tws_local_ops port_ops = {
    .on_opened = on_opened,
    .pull = pull,
    .on_readable = on_readable,
    .on_datagram = on_datagram,
    .on_reset = on_reset,
    .on_stopped = on_stopped,
    .on_drain = on_drain,
    .on_over = on_over,
};

static void accept_port(struct tws_tun_port *port)
{
    uint8_t bound[TWS_TUN_TERMS_MAX];
    struct tws_writer w = tws_writer(bound, sizeof bound);
    char addresses[2 * TWS_IP_TEXT + 2];

    tws_list_push_back(&port->hub->ports, &port->port_node);
    tws_tun_terms_write(&w, &port->terms);
    tws_channel_accept(port->local.channel, (struct tws_span){bound, w.len}, now_of(port));
    addresses_text(port, addresses, sizeof addresses);
    tws_log(TWS_LOG_INFO, "tun open", "session=%s user=%s ch=%u address=%s",
            port->local.carrier->tag, port->local.carrier->user,
            (unsigned)tws_channel_id(port->local.channel), addresses);
}

static struct tws_tun_port *new_port(struct tws_egress *e, const struct tws_request *rq)
{
    struct tws_tun_port *port = calloc(1, sizeof *port);

    if (port == NULL)
        return NULL;
    tws_backlog_init(&port->backlog, TWS_IP_BACKLOG);
    port->hub = e->cfg->tun;
    port->judge = e->judge;
    port->opened_us = tws_carrier_now(e->carrier);
    tws_list_init(&port->port_node);
    tws_waiter_init(&port->up_wait, resume_up);
    tws_waiter_init(&port->down_wait, resume_down);
    tws_local_attach(&port->local, &port_ops, e->carrier, rq->channel);
    return port;
}

tws_err tws_egress_tun(struct tws_egress *e, const struct tws_request *rq)
{
    struct tws_tun_port *port = new_port(e, rq);
    struct tws_judge_terms terms = {0};
    const char *why = "this server has no tun";
    uint16_t code = TWS_CODE_FORBIDDEN;

    if (port == NULL)
        return TWS_NOMEM;
    if (port->hub != NULL && e->judge->ops->terms(e->judge, &terms) && terms.user != NULL)
        code = tws_ip_grant(port, terms.user, rq->open, &why);
    if (code == TWS_CODE_NONE)
        accept_port(port);
    else
        tws_tun_port_cut(port, code, why);
    return TWS_OK;
}

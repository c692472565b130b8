/*
 * ingress_tun.c - the kind `tun`: a device of this machine whose packets go to the server, over one
 * channel that is opened again whenever it ends.
 *
 * The device, its addresses and its routes stay while there is no channel, so that nothing takes
 * another way meanwhile; packets wait in the kernel's queue of the device, or are lost there.
 */
#include "backlog_priv.h"
#include "carrier_priv.h"
#include "inlet_priv.h"
#include "ip_detour_priv.h"
#include "ip_gate_priv.h"
#include "ip_terms_priv.h"

#include "tws/base/log.h"
#include "tws/net/capability.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"
#include "tws/proto/ip_packet.h"
#include "tws/proto/tun_terms.h"
#include "tws/tunnel/footprint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PAUSE_US 1000000u
#define LAST_PAUSE_US  30000000u

struct way;

/* One channel of a way. */
struct end {
    struct tws_local local;
    struct way *way; /* NULL: it is not used any more, its channel is ending */
    uint64_t opened_us;
    uint16_t reason;
};

struct way {
    struct tws_inlet *inlet;
    struct tws_tun_config conf; /* what is in force; strings and lists are the record's */
    struct tws_ip_device device;
    struct tws_ip_detour detour;
    struct tws_ip_gate gate;
    uint64_t dropped_unfit;
    struct tws_io io;
    struct tws_backlog backlog; /* read while there is an end */
    struct tws_timer retry;
    uint64_t pause_us;
    struct end *end;  /* carries packets; NULL: none does */
    struct end *next; /* was opened, and is not answered yet */
    struct tws_tun_terms terms;
    bool is_set; /* the device has its addresses and routes */
    struct tws_log_limit limit;
};

static struct end *from_local(struct tws_local *l)
{
    return TWS_CONTAINER(l, struct end, local);
}

static uint64_t now_of(const struct end *e)
{
    return tws_carrier_now(e->local.carrier);
}

/* ---- packets ---- */

static void take(void *arg, uint8_t *bytes, size_t n)
{
    struct way *w = arg;
    struct tws_ip_packet p;

    /* What only means the machine itself and its neighbours is not worth a way to the server. */
    if (tws_ip_packet_read((struct tws_span){bytes, n}, &p) != TWS_OK ||
        !tws_ip_packet_is_routable(&p))
        return;
    tws_ip_packet_clamp(bytes, n, &p, w->device.mtu);
    tws_backlog_put(&w->backlog, (struct tws_span){bytes, n}, now_of(w->end));
    tws_channel_set_ready(w->end->local.channel, true, now_of(w->end));
}

static void on_device(struct tws_io *io, unsigned events)
{
    struct way *w = TWS_CONTAINER(io, struct way, io);

    if (w->end == NULL || !(events & (TWS_IO_READ | TWS_IO_HUP)))
        return;
    tws_ip_device_drain(&w->device, io, take, w);
    tws_carrier_kick(w->end->local.carrier);
}

static void tell_too_large(struct way *w, const struct tws_pull *p)
{
    size_t n = w->backlog.too_large;

    w->backlog.too_large = 0;
    if (n > 0 && tws_log_allow(&w->limit, now_of(w->end)))
        tws_log(
            TWS_LOG_WARN, "packet dropped",
            "device=%s bytes=%zu reason=\"no more than %zu fit into a message: lower the mtu, or "
            "raise the server's max_message\"",
            w->device.tun.name, n, p->largest);
}

static void pull(struct tws_local *l, const struct tws_pull *p)
{
    struct way *w = from_local(l)->way;

    if (w == NULL || w->end != from_local(l)) {
        tws_session_pulled(l->carrier->session, 0, 0);
        return;
    }
    tws_backlog_pull(&w->backlog, l->carrier->session, p, (struct tws_backlog_rate){NULL, NULL},
                     now_of(w->end));
    tell_too_large(w, p);
}

static bool is_ours(const struct way *w, const struct tws_ip *ip)
{
    for (int i = 0; i < TWS_TUN_FAMILIES; i++)
        if (tws_ip_equal(&w->terms.address[i].ip, ip))
            return true;
    return false;
}

/* What nobody may have sent on such a link; NULL: it is none of that. */
static const char *unfit(const struct way *w, struct tws_span in, const struct tws_ip_packet *p)
{
    if (!tws_ip_packet_is_routable(p))
        return "an address that no host has on such a link";
    if (tws_ip_packet_is_neighbourly(in, p))
        return "a redirect or neighbour discovery";
    return is_ours(w, &p->source) ? "the source is our own address" : NULL;
}

static void tell_dropped(struct way *w, const struct tws_ip_packet *p, const char *why)
{
    char text[TWS_IP_PACKET_TEXT];

    if (!tws_log_allow(&w->limit, tws_loop_now(w->inlet->ingress->loop)))
        return;
    tws_ip_packet_format(p, text, sizeof text);
    tws_log(TWS_LOG_WARN, "packet dropped", "device=%s packet=\"%s\" reason=\"%s\"",
            w->device.tun.name, text, why);
}

static void on_datagram(struct tws_local *l, struct tws_span in)
{
    struct way *w = from_local(l)->way;
    struct tws_ip_packet p;

    if (w == NULL || tws_ip_packet_read(in, &p) != TWS_OK)
        return;
    const char *why = unfit(w, in, &p);
    if (why != NULL)
        w->dropped_unfit++;
    else
        why = tws_ip_gate_refuses(&w->gate, in, &p);
    if (why == NULL)
        tws_ip_device_write(&w->device, in, &p);
    else
        tell_dropped(w, &p, why);
}

/* ---- addresses and routes ---- */

static bool has_family(const struct way *w, uint8_t family)
{
    for (int i = 0; i < TWS_TUN_FAMILIES; i++)
        if (w->terms.address[i].ip.family == family)
            return true;
    return false;
}

static tws_err set_addresses(struct way *w)
{
    struct tws_prefix list[TWS_TUN_FAMILIES];
    size_t n = 0;

    if (w->conf.naddresses > 0)
        return tws_ip_device_set_addresses(&w->device, w->conf.addresses, w->conf.naddresses);
    for (int i = 0; i < TWS_TUN_FAMILIES; i++)
        if (w->terms.address[i].ip.family != 0)
            list[n++] = w->terms.address[i];
    return tws_ip_device_set_addresses(&w->device, list, n);
}

static tws_err set_routes(struct way *w)
{
    tws_err err = TWS_OK;

    for (size_t i = 0; i < w->conf.nroutes && err == TWS_OK; i++)
        err = tws_ip_device_add_route(&w->device, &w->conf.routes[i]);
    if (err == TWS_OK && w->conf.all && w->detour.device[0] == '\0')
        err = tws_ip_detour_start(&w->detour, &w->device, &w->conf, TWS_MARK_OWN, has_family(w, 4),
                                  has_family(w, 6));
    return err;
}

/* What the server said, and the configuration, become the machine's. */
static tws_err apply(struct way *w)
{
    uint32_t mtu = w->conf.mtu;
    tws_err err = TWS_OK;

    if (w->conf.naddresses == 0 && !tws_ip_terms_taken(&w->device, &w->terms)) {
        w->terms = (struct tws_tun_terms){.mtu = 0}; /* it is not asked for again */
        return TWS_SYS;
    }
    if (w->terms.mtu != 0 && w->terms.mtu < mtu)
        mtu = w->terms.mtu;
    /* A device that was prepared with another MTU works all the same. */
    (void)!tws_ip_device_set_mtu(&w->device, mtu);
    err = tws_ip_gate_set(&w->gate, &w->conf, &w->terms);
    if (err == TWS_OK)
        err = set_addresses(w);
    if (err == TWS_OK)
        err = set_routes(w);
    w->is_set = err == TWS_OK;
    return err;
}

/* ---- the channel ---- */

static void try_open(struct way *w);

static void pause_and_retry(struct way *w)
{
    tws_timer_start(&w->retry, w->pause_us);
    w->pause_us = w->pause_us >= LAST_PAUSE_US / 2 ? LAST_PAUSE_US : 2 * w->pause_us;
}

/* Of what the server sent, and forgets it. */
static void tell_all_dropped(struct way *w)
{
    uint64_t source = w->gate.dropped_source, destination = w->gate.dropped_destination;

    if (source + destination + w->dropped_unfit > 0)
        tws_log(TWS_LOG_INFO, "packets dropped",
                "device=%s source=%llu destination=%llu unfit=%llu", w->device.tun.name,
                (unsigned long long)source, (unsigned long long)destination,
                (unsigned long long)w->dropped_unfit);
    w->gate.dropped_source = w->gate.dropped_destination = w->dropped_unfit = 0;
}

/* The way uses it no more. */
static void let_go(struct end *e, uint16_t code)
{
    struct way *w = e->way;

    e->way = NULL;
    if (e->reason == TWS_CODE_NONE)
        e->reason = code;
    if (w->end == e) {
        w->end = NULL;
        tell_all_dropped(w);
    }
    if (w->next == e)
        w->next = NULL;
}

static void hang_up(struct end *e, uint16_t code)
{
    if (e == NULL)
        return;
    let_go(e, code);
    tws_channel_reset(e->local.channel, code, NULL, now_of(e));
    tws_local_linger(&e->local);
    tws_carrier_kick(e->local.carrier);
}

/* What it would like to have: what is configured, or what it had. */
static struct tws_ip wanted(const struct way *w, int family)
{
    uint8_t number = family == TWS_TUN_V4 ? 4 : 6;

    for (size_t i = 0; i < w->conf.naddresses; i++)
        if (w->conf.addresses[i].ip.family == number)
            return w->conf.addresses[i].ip;
    if (w->conf.naddresses > 0)
        return (struct tws_ip){.family = 0};
    return w->terms.address[family].ip;
}

/* Configured addresses are the server's to allow: from others it takes nothing. */
static bool has_what_it_wants(const struct way *w)
{
    for (int i = 0; i < TWS_TUN_FAMILIES; i++) {
        struct tws_ip ip = wanted(w, i);
        if (ip.family != 0 && !tws_ip_equal(&ip, &w->terms.address[i].ip))
            return false;
    }
    return true;
}

static void tell_open(const struct way *w)
{
    char text[TWS_TUN_FAMILIES][TWS_IP_TEXT] = {"-", "-"};

    for (int i = 0; i < TWS_TUN_FAMILIES; i++)
        if (w->terms.address[i].ip.family != 0)
            tws_ip_format(&w->terms.address[i].ip, text[i], sizeof text[i]);
    tws_log(TWS_LOG_INFO, "tun open", "session=%s device=%s ipv4=%s ipv6=%s mtu=%u",
            w->end->local.carrier->tag, w->device.tun.name, text[TWS_TUN_V4], text[TWS_TUN_V6],
            (unsigned)w->device.mtu);
}

static void on_opened(struct tws_local *l, struct tws_span bound)
{
    struct end *e = from_local(l);
    struct way *w = e->way;
    struct tws_tun_terms terms;

    if (w == NULL)
        return;
    if (tws_tun_terms_read(bound, &terms) != TWS_OK) {
        tws_log(TWS_LOG_WARN, "tun failed", "device=%s reason=\"the server gave no addresses\"",
                w->device.tun.name);
        hang_up(e, TWS_CODE_PROTOCOL);
        pause_and_retry(w);
        return;
    }
    hang_up(w->end, TWS_CODE_NONE);
    w->next = NULL;
    w->end = e;
    w->terms = terms;
    if (!has_what_it_wants(w))
        tws_log(TWS_LOG_ERROR, "tun failed",
                "device=%s reason=\"the server does not allow the address: see the user's tun in "
                "its keys file\"",
                w->device.tun.name);
    if (!has_what_it_wants(w) || apply(w) != TWS_OK) {
        hang_up(e, TWS_CODE_INTERNAL);
        pause_and_retry(w);
        return;
    }
    w->pause_us = FIRST_PAUSE_US;
    tell_open(w);
    tws_channel_set_ready(l->channel, true, now_of(e));
    tws_io_again(&w->io, TWS_IO_READ);
}

static void on_readable(struct tws_local *l)
{
    (void)l; /* there is no stream */
}

static void tell_reset(struct end *e, uint16_t code, struct tws_span text)
{
    const struct way *w = e->way;
    const char *words = text.n > 0 ? (const char *)text.p : "";

    if (!tws_log_allow(&e->way->limit, now_of(e)))
        return;
    if (w->end == e)
        tws_log(TWS_LOG_WARN, "tun closed", "device=%s code=%u reason=\"%s\" text=\"%.*s\"",
                w->device.tun.name, (unsigned)code, tws_code_text(code), (int)text.n, words);
    else
        tws_log(TWS_LOG_WARN, "tun refused", "device=%s code=%u reason=\"%s\" text=\"%.*s\"",
                w->device.tun.name, (unsigned)code, tws_code_text(code), (int)text.n, words);
}

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    struct end *e = from_local(l);
    struct way *w = e->way;

    if (w != NULL) {
        tell_reset(e, code, text);
        let_go(e, code);
        pause_and_retry(w);
    }
    tws_channel_reset(l->channel, code, NULL, now_of(e));
}

static void on_stopped(struct tws_local *l, uint16_t code)
{
    on_reset(l, code, (struct tws_span){NULL, 0});
}

/* Of a session that is over; what was reset is let go already. */
static void on_over(struct tws_local *l, uint16_t code)
{
    struct end *e = from_local(l);
    struct way *w = e->way;

    if (w != NULL) {
        let_go(e, code);
        tws_timer_start(&w->retry, 0);
    }
    tws_local_audit(l, "tun", "tun", e->opened_us,
                    e->reason == TWS_CODE_NONE ? "closed" : tws_code_text(e->reason));
    tws_loop_free_later(l->carrier->loop, e);
}

static const struct tws_local_ops end_ops = {
    .on_opened = on_opened,
    .pull = pull,
    .on_readable = on_readable,
    .on_datagram = on_datagram,
    .on_reset = on_reset,
    .on_stopped = on_stopped,
    .on_over = on_over,
};

static void try_open(struct way *w)
{
    struct tws_ingress *in = w->inlet->ingress;
    const struct tws_open open = {
        .kind = TWS_KIND_TUN,
        .target = {.type = TWS_TARGET_IPV4, .ip = {.family = 4}},
        .wanted4 = wanted(w, TWS_TUN_V4),
        .wanted6 = wanted(w, TWS_TUN_V6),
    };
    struct tws_carrier *carrier = NULL;
    struct tws_channel *ch = NULL;

    if (w->next != NULL || tws_timer_running(&w->retry))
        return;
    struct end *e = calloc(1, sizeof *e);
    tws_err err = e == NULL ? TWS_NOMEM : in->events->open(in->arg, &open, &carrier, &ch);
    if (err != TWS_OK) {
        free(e); /* tun_ready() comes when it is worth another try, unless memory is missing */
        if (err == TWS_NOMEM)
            pause_and_retry(w);
        return;
    }
    e->way = w;
    e->opened_us = tws_carrier_now(carrier);
    tws_local_attach(&e->local, &end_ops, carrier, ch);
    w->next = e;
    tws_carrier_kick(carrier);
}

static void on_retry(struct tws_timer *t)
{
    try_open(TWS_CONTAINER(t, struct way, retry));
}

/* ---- what the ingress asks ---- */

static tws_err start(struct way *w)
{
    const struct tws_tun_config *c = &w->conf;
    tws_err err = TWS_OK;

    if (c->all && !tws_net_admin()) {
        tws_log(TWS_LOG_ERROR, "cannot lead everything into the device",
                "device=%s reason=\"all needs CAP_NET_ADMIN\"",
                c->device != NULL ? c->device : "tws0");
        errno = EPERM;
        return TWS_SYS;
    }
    err = tws_ip_device_open(&w->device, w->inlet->ingress->loop, c->device, c->mtu);
    if (err == TWS_OK && c->naddresses > 0)
        err = tws_ip_device_set_addresses(&w->device, c->addresses, c->naddresses);
    if (err == TWS_OK)
        err = tws_io_start(w->inlet->ingress->loop, &w->io, w->device.tun.fd, on_device);
    return err;
}

static tws_err tun_open(struct tws_inlet *l)
{
    struct way *w = calloc(1, sizeof *w);

    if (w == NULL)
        return TWS_NOMEM;
    w->inlet = l;
    w->conf = *l->conf->tun;
    w->pause_us = FIRST_PAUSE_US;
    tws_backlog_init(&w->backlog, TWS_IP_BACKLOG);
    tws_timer_init(&w->retry, l->ingress->loop, on_retry);
    tws_err err = start(w);
    if (err != TWS_OK) {
        int saved = errno;
        tws_ip_device_close(&w->device);
        free(w);
        errno = saved;
        return err;
    }
    tws_log(TWS_LOG_INFO, "device ready", "device=%s mtu=%u", w->device.tun.name,
            (unsigned)w->device.mtu);
    l->state = w;
    tws_timer_start(&w->retry, 0);
    return TWS_OK;
}

static void tun_close(struct tws_inlet *l)
{
    struct way *w = l->state;

    if (w == NULL)
        return;
    l->state = NULL;
    tws_timer_stop(&w->retry);
    tws_io_stop(&w->io);
    hang_up(w->next, TWS_CODE_NONE);
    hang_up(w->end, TWS_CODE_NONE);
    tws_ip_detour_stop(&w->detour);
    tws_ip_device_close(&w->device);
    tws_backlog_fini(&w->backlog);
    tws_ip_gate_fini(&w->gate);
    tws_loop_free_later(l->ingress->loop, w);
}

static void tun_pause(struct tws_inlet *l, bool paused)
{
    (void)l;
    (void)paused; /* packets wait in the kernel, or are lost */
}

static void tun_address(const struct tws_inlet *l, struct tws_sockaddr *out)
{
    (void)l;
    *out = (struct tws_sockaddr){.len = 0};
}

static bool is_listed(const struct tws_prefix *p, const struct tws_prefix *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].bits == p->bits && tws_ip_equal(&list[i].ip, &p->ip))
            return true;
    return false;
}

/* The next configuration of the same device; routes that stay are not touched. */
static void tun_changed(struct tws_inlet *l)
{
    struct way *w = l->state;
    const struct tws_tun_config *next = l->conf->tun;

    for (size_t i = 0; i < w->conf.nroutes; i++)
        if (!is_listed(&w->conf.routes[i], next->routes, next->nroutes))
            tws_ip_device_remove_route(&w->device, &w->conf.routes[i]);
    w->conf = *next;
    tws_ip_detour_stop(&w->detour); /* starts again with what it is now */
    if (!w->is_set)
        return;
    (void)!apply(w);
    if (!has_what_it_wants(w)) {
        hang_up(w->end, TWS_CODE_NONE);
        tws_timer_start(&w->retry, 0);
    }
}

static void tun_ready(struct tws_inlet *l)
{
    struct way *w = l->state;

    if (w == NULL)
        return;
    if (w->end == NULL || l->ingress->events->is_leaving(l->ingress->arg, w->end->local.carrier))
        try_open(w);
}

const struct tws_inlet_ops tws_inlet_tun = {
    .open = tun_open,
    .close = tun_close,
    .pause = tun_pause,
    .address = tun_address,
    .changed = tun_changed,
    .ready = tun_ready,
};

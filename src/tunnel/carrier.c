/*
 * carrier.c - see carrier_priv.h.
 *
 * Invariants: events are handed out by one loop, never from within itself; a carrier is freed by
 * its owner only in on_over(), which comes at the end of a turn, or from outside of its callbacks.
 */
#include "carrier_priv.h"
#include "live_link_priv.h"

#include "tws/base/log.h"
#include "tws/base/text.h"
#include "tws/crypto/random.h"
#include "tws/net/udp.h"
#include "tws/proto/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS              1000u
#define EARLY_DATA      16384u
#define EARLY_DATAGRAMS 16384u
#define RESET_TEXT_MAX  128u /* as the protocol has it */

/* ---- local sides ---- */

static void end_local(struct tws_carrier *c, struct tws_local *l, uint16_t code)
{
    tws_local_detach(l);
    l->ops->on_over(l, code);
    if (c->nlocals == 0 && c->events->on_idle != NULL && !c->over)
        c->events->on_idle(c->arg);
}

/* ---- events ---- */

/* The peer's text goes to logs, in quotes. */
static void on_reset(struct tws_local *l, const struct tws_event *ev)
{
    char text[RESET_TEXT_MAX + 1] = "";

    if (ev->payload.n > 0)
        snprintf(text, sizeof text, "%.*s", (int)ev->payload.n, (const char *)ev->payload.p);
    size_t n = strlen(text);
    tws_log_quoted(text, n);
    l->ops->on_reset(l, ev->code, (struct tws_span){(const uint8_t *)text, n});
}

static void channel_event(struct tws_carrier *c, const struct tws_event *ev)
{
    struct tws_local *l = ev->user;

    if (ev->type == TWS_EVENT_OPEN) {
        c->events->on_open(c->arg, ev->channel, ev->payload);
        return;
    }
    if (l == NULL) /* it was refused before anything local came of it */
        return;
    if (ev->type == TWS_EVENT_OPENED && l->ops->on_opened != NULL)
        l->ops->on_opened(l, ev->payload);
    else if (ev->type == TWS_EVENT_READABLE && l->ops->on_readable != NULL)
        l->ops->on_readable(l);
    else if (ev->type == TWS_EVENT_DATAGRAM && l->ops->on_datagram != NULL)
        l->ops->on_datagram(l, ev->payload);
    else if (ev->type == TWS_EVENT_RESET && l->ops->on_reset != NULL)
        on_reset(l, ev);
    else if (ev->type == TWS_EVENT_STOPPED && l->ops->on_stopped != NULL)
        l->ops->on_stopped(l, ev->code);
    else if (ev->type == TWS_EVENT_RELEASED)
        end_local(c, l, TWS_CODE_NONE);
}

/* The engine gave the link up: it is silent, or the peer said so. */
static void link_lost(struct tws_carrier *c, struct tws_live_link *l, uint16_t code)
{
    l->link = NULL;
    tws_carrier_link_over(c, l, code, tws_code_text(code));
}

static void drain_locals(struct tws_carrier *c)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &c->locals)
    {
        struct tws_local *l = TWS_CONTAINER(it, struct tws_local, local_node);
        if (l->ops->on_drain != NULL)
            l->ops->on_drain(l);
    }
}

static void session_event(struct tws_carrier *c, const struct tws_event *ev)
{
    if (ev->type == TWS_EVENT_CLOSED) {
        c->over = true;
        c->over_code = ev->code;
        snprintf(c->over_text, sizeof c->over_text, "%.*s", (int)ev->payload.n,
                 (const char *)ev->payload.p);
        tws_log_quoted(c->over_text, strlen(c->over_text));
    } else if (ev->type == TWS_EVENT_LINK_LOST) {
        link_lost(c, ev->user, ev->code);
    } else if (ev->type == TWS_EVENT_OPENABLE && c->events->on_openable != NULL) {
        c->events->on_openable(c->arg);
    } else if (ev->type == TWS_EVENT_GOAWAY) {
        if (!c->peer_drains) /* all of them are asked once, however often the peer says it */
            drain_locals(c);
        c->peer_drains = true;
        if (c->events->on_goaway != NULL)
            c->events->on_goaway(c->arg, ev->code, ev->deadline_ms);
    } else if (ev->type == TWS_EVENT_STALLED && c->events->on_stalled != NULL) {
        c->events->on_stalled(c->arg);
    } else if (ev->type == TWS_EVENT_SUSPENDED) {
        c->suspended = true;
        tws_log(TWS_LOG_INFO, "session suspended", "session=%s user=%s channels=%u", c->tag,
                c->user, (unsigned)c->nlocals);
    } else if (ev->type == TWS_EVENT_RESUMED && c->suspended) {
        c->suspended = false;
        tws_log(TWS_LOG_INFO, "session resumed", "session=%s user=%s channels=%u", c->tag, c->user,
                (unsigned)c->nlocals);
    }
}

void tws_carrier_hand_out(struct tws_carrier *c)
{
    struct tws_event ev;

    if (c->handing_out || c->over)
        return;
    c->handing_out = true;
    while (tws_session_next_event(c->session, &ev)) {
        if (ev.channel != NULL)
            channel_event(c, &ev);
        else
            session_event(c, &ev);
    }
    tws_udp_flush(); /* what is borrowed from the message that was handed out */
    c->handing_out = false;
}

/* ---- turns ---- */

/* False: a link has more to send, in the next turn. */
static bool flush_links(struct tws_carrier *c)
{
    struct tws_node *it, *next;
    bool all = true;

    TWS_LIST_EACH(it, next, &c->links)
    all = !tws_live_link_flush(TWS_CONTAINER(it, struct tws_live_link, live_node)) && all;
    return !tws_session_flush_again(c->session) && all;
}

/* A timer that is early only costs a look; so it is moved only when it would be late. */
static void set_timer(struct tws_carrier *c)
{
    uint64_t at = tws_session_deadline(c->session);

    if (at == UINT64_MAX)
        return;
    if (!tws_timer_running(&c->tick_timer) || at < c->tick_timer.at_us)
        tws_timer_start_at(&c->tick_timer, at);
}

static void close_links(struct tws_carrier *c, uint16_t code)
{
    struct tws_live_link *l;

    while ((l = TWS_LIST_FIRST(&c->links, struct tws_live_link, live_node)) != NULL) {
        c->nlinks--;
        tws_live_link_free(l, code);
    }
}

static void end_locals(struct tws_carrier *c, uint16_t code)
{
    struct tws_local *l;

    while ((l = TWS_LIST_FIRST(&c->locals, struct tws_local, local_node)) != NULL)
        end_local(c, l, code);
}

/* CLOSE has been flushed; nothing of the session is left but the carrier itself. */
static void finish(struct tws_carrier *c)
{
    end_locals(c, c->over_code != 0 ? c->over_code : TWS_CODE_SHUTDOWN);
    close_links(c, c->over_code);
    tws_timer_stop(&c->tick_timer);
    c->events->on_over(c->arg, c->over_code, c->over_text);
}

static void on_turn_end(struct tws_task *t)
{
    struct tws_carrier *c = TWS_CONTAINER(t, struct tws_carrier, turn_task);

    tws_carrier_hand_out(c);
    tws_task_cancel(t); /* what was posted meanwhile is flushed now */
    bool flushed = flush_links(c);
    tws_carrier_hand_out(c);
    if (c->over) {
        finish(c);
        return;
    }
    set_timer(c);
    if (!flushed)
        tws_task_post_next(c->loop, &c->turn_task);
}

static void on_tick(struct tws_timer *t)
{
    struct tws_carrier *c = TWS_CONTAINER(t, struct tws_carrier, tick_timer);

    tws_session_tick(c->session, tws_carrier_now(c));
    tws_carrier_hand_out(c);
    tws_carrier_kick(c);
}

void tws_carrier_kick(struct tws_carrier *c)
{
    tws_task_post(c->loop, &c->turn_task);
}

/* ---- links ---- */

tws_err tws_carrier_add_link(struct tws_carrier *c, const struct tws_hs_result *hs,
                             const struct tws_link_terms *terms, struct tws_wire *wire)
{
    struct tws_live_link *l = NULL;
    tws_err err = tws_live_link_new(c, hs, terms, wire, &l);

    if (err != TWS_OK)
        return err;
    tws_list_push_back(&c->links, &l->live_node);
    c->nlinks++;
    tws_carrier_hand_out(c);
    tws_carrier_kick(c);
    return TWS_OK;
}

void tws_carrier_link_over(struct tws_carrier *c, struct tws_live_link *l, uint16_t code,
                           const char *why)
{
    void *owner = l->terms.owner;
    uint32_t id = l->id;
    uint64_t up = tws_carrier_now(c) - l->since_us;

    c->nlinks--;
    tws_live_link_free(l, code);
    tws_carrier_kick(c);
    c->events->on_link_down(c->arg, owner, id, up, why);
}

/* ---- end ---- */

void tws_carrier_close(struct tws_carrier *c, uint16_t code, const char *text)
{
    tws_session_close(c->session, code, text, tws_carrier_now(c));
    tws_carrier_kick(c);
}

void tws_carrier_probe(struct tws_carrier *c)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &c->links)
    tws_session_probe(c->session, TWS_CONTAINER(it, struct tws_live_link, live_node)->link,
                      tws_carrier_now(c));
    tws_carrier_kick(c);
}

void tws_carrier_drain(struct tws_carrier *c, uint16_t code)
{
    tws_session_drain(c->session, code, c->limits->drain_ms, tws_carrier_now(c));
    drain_locals(c);
    tws_carrier_kick(c);
}

void tws_carrier_free(struct tws_carrier *c)
{
    if (c == NULL)
        return;
    if (!c->over) {
        c->over = true;
        tws_session_close(c->session, TWS_CODE_SHUTDOWN, NULL, tws_carrier_now(c));
        (void)flush_links(c);
    }
    end_locals(c, TWS_CODE_SHUTDOWN);
    close_links(c, TWS_CODE_SHUTDOWN);
    tws_task_cancel(&c->turn_task);
    tws_timer_stop(&c->tick_timer);
    tws_session_free(c->session);
    tws_loop_free_later(c->loop, c);
}

bool tws_carrier_settled(const struct tws_carrier *c)
{
    struct tws_node *it, *next;

    if (c->nlocals > c->nlingering)
        return false;
    TWS_LIST_EACH(it, next, &c->links)
    {
        if (tws_wire_blocked(TWS_CONTAINER(it, struct tws_live_link, live_node)->wire))
            return false;
    }
    return tws_session_settled(c->session, tws_loop_now(c->loop));
}

/* ---- beginning ---- */

static uint64_t shorter(uint32_t a_ms, uint32_t b_ms)
{
    return (uint64_t)(a_ms < b_ms ? a_ms : b_ms) * MS;
}

static struct tws_session_config engine_config(const struct tws_carrier_config *cfg)
{
    const struct tws_link_limits *l = cfg->limits;

    return (struct tws_session_config){
        .client = cfg->client,
        .schedule = cfg->schedule,
        .max_message = cfg->peer->max_message,
        /* Links of one session may be sealed or not (a reload between two joins). */
        .message_overhead = TWS_AEAD_TAG,
        .heartbeat_us = (uint64_t)l->heartbeat_ms * MS,
        .grace_us = shorter(l->grace_ms, cfg->peer->grace_ms),
        .give_up_us = (uint64_t)l->give_up_ms * MS,
        .suspect_us = (uint64_t)l->suspect_ms * MS,
        .memory = (size_t)l->memory,
        .max_channels = l->max_channels,
        .peer_max_channels = cfg->peer->max_channels,
        .early_data = EARLY_DATA,
        .peer_early_data = cfg->peer->early_data,
        .peer_early_datagrams = cfg->peer->early_datagrams,
        .padding = l->padding > cfg->peer->padding ? l->padding : cfg->peer->padding,
    };
}

void tws_carrier_params(const struct tws_link_limits *limits, struct tws_hs_params *out)
{
    tws_hs_params_init(out);
    out->max_message = limits->max_message;
    out->grace_ms = limits->grace_ms;
    out->heartbeat_ms = limits->heartbeat_ms;
    out->early_data = EARLY_DATA;
    out->early_datagrams = EARLY_DATAGRAMS;
    out->max_channels = limits->max_channels;
    out->seal = limits->encrypt == TWS_ENCRYPT_REQUIRE ? TWS_HS_SEAL_REQUIRE
                : limits->encrypt == TWS_ENCRYPT_OFF   ? TWS_HS_SEAL_OFF
                                                       : TWS_HS_SEAL_ALLOW;
    out->given = TWS_HS_GIVEN(TWS_HS_MAX_MESSAGE) | TWS_HS_GIVEN(TWS_HS_GRACE) |
                 TWS_HS_GIVEN(TWS_HS_HEARTBEAT) | TWS_HS_GIVEN(TWS_HS_EARLY_DATA) |
                 TWS_HS_GIVEN(TWS_HS_EARLY_DATAGRAMS) | TWS_HS_GIVEN(TWS_HS_MAX_CHANNELS) |
                 TWS_HS_GIVEN(TWS_HS_SEAL);
    out->padding = limits->padding;
    if (limits->padding > 0)
        out->given |= TWS_HS_GIVEN(TWS_HS_PADDING);
}

static tws_err make_engine(struct tws_carrier *c, const struct tws_carrier_config *cfg)
{
    struct tws_session_config engine = engine_config(cfg);
    uint64_t seed = 0;
    tws_err err = tws_random_bytes(NULL, &seed, sizeof seed);

    if (err != TWS_OK)
        return err;
    return tws_session_new(&engine, &tws_mem_default, seed, tws_carrier_now(c), &c->session);
}

tws_err tws_carrier_new(struct tws_loop *loop, const struct tws_carrier_config *cfg,
                        struct tws_carrier **out)
{
    struct tws_carrier *c = calloc(1, sizeof *c);

    if (c == NULL)
        return TWS_NOMEM;
    *c = (struct tws_carrier){
        .loop = loop,
        .events = cfg->events,
        .arg = cfg->arg,
        .limits = cfg->limits,
        .partings = cfg->partings,
        .audit_level = cfg->audit_level,
        .user = cfg->user,
        .client = cfg->client,
    };
    tws_list_init(&c->links);
    tws_list_init(&c->locals);
    tws_task_init(&c->turn_task, on_turn_end);
    tws_timer_init(&c->tick_timer, loop, on_tick);
    tws_err err = tws_hex_encode(cfg->session_id, (TWS_SESSION_TAG - 1) / 2, c->tag, sizeof c->tag);
    if (err == TWS_OK)
        err = make_engine(c, cfg);
    if (err != TWS_OK) {
        free(c);
        return err;
    }
    *out = c;
    return TWS_OK;
}

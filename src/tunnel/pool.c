/*
 * pool.c - see pool_priv.h.
 *
 * One timer drives it: at each look it dials what is missing and due, replaces links whose keys
 * are worn, and ends a retired session that has become empty. Everything that happens to the pool
 * asks for a look; nothing else dials.
 */
#include "live_link_priv.h"
#include "pool_priv.h"

#include "tws/base/log.h"
#include "tws/base/secret.h"
#include "tws/base/text.h"
#include "tws/crypto/random.h"
#include "tws/proto/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS               1000u
#define SECOND_US        1000000u
#define STABLE_US        SECOND_US        /* a link that lived shorter counts as a failed try */
#define CARE_US          (60 * SECOND_US) /* how often the age of links is looked at */
#define OVERLAP_US       (5 * SECOND_US)  /* a replaced link goes on that long */
#define SETTLE_US        10000u
#define UNKNOWN_JOINS    3u
#define URGENT_DIALS_MAX 4u
#define IDS_MAX          (UINT32_MAX / 4u * 3u - 65536u) /* a little before the engine says no */

struct dial {
    struct tws_node dial_node; /* its pool's */
    struct tws_pool *pool;
    struct tws_attempt *attempt;
};

static void look_at(struct tws_pool *p, uint64_t at_us)
{
    if (!tws_timer_running(&p->timer) || at_us < p->timer.at_us)
        tws_timer_start_at(&p->timer, at_us);
}

static void look_now(struct tws_pool *p)
{
    look_at(p, tws_loop_now(p->loop));
}

/* ---- what is missing ---- */

/* Links that are not being replaced. */
static uint32_t fresh_links(const struct tws_pool *p)
{
    struct tws_node *it, *next;
    uint32_t n = 0;

    if (p->carrier == NULL)
        return 0;
    TWS_LIST_EACH(it, next, &p->carrier->links)
    n += !TWS_CONTAINER(it, struct tws_live_link, live_node)->draining;
    return n;
}

/* The first link makes the session; what retires needs a link only for its channels. */
static uint32_t wanted_links(const struct tws_pool *p)
{
    if (p->retiring)
        return p->carrier != NULL && p->carrier->nlocals > 0 ? 1 : 0;
    return p->carrier == NULL ? 1 : p->connections;
}

/* Someone is waiting: channels are open and no link lives. */
static bool urgent(const struct tws_pool *p)
{
    return p->carrier != NULL && p->carrier->nlinks == 0 && p->carrier->nlocals > 0;
}

/* ---- dialling ---- */

static void end_dial(struct dial *d)
{
    tws_list_unlink(&d->dial_node);
    d->pool->ndials--;
    tws_loop_free_later(d->pool->loop, d);
}

static void cancel_dials(struct tws_pool *p)
{
    struct dial *d;

    while ((d = TWS_LIST_FIRST(&p->dials, struct dial, dial_node)) != NULL) {
        tws_attempt_cancel(d->attempt);
        end_dial(d);
    }
}

/* Attempts in a hurry may be more than are needed once one of them got through. */
static void cancel_surplus(struct tws_pool *p)
{
    while (p->ndials > 0 && fresh_links(p) + p->ndials > wanted_links(p)) {
        struct dial *d = TWS_LIST_FIRST(&p->dials, struct dial, dial_node);
        tws_attempt_cancel(d->attempt);
        end_dial(d);
    }
}

/* Once per change, not once per try. */
static void log_failure(struct tws_pool *p, const char *why)
{
    char server[TWS_HOSTPORT_TEXT];

    if (strcmp(p->failure, why) == 0)
        return;
    snprintf(p->failure, sizeof p->failure, "%s", why);
    tws_hostport_format(&p->route.server, server, sizeof server);
    tws_log(TWS_LOG_WARN, "cannot connect", "server=%s links=%u reason=\"%s\"", server,
            (unsigned)fresh_links(p), why);
}

/* One wait for all that fail together. */
static void wait_longer(struct tws_pool *p)
{
    uint64_t now = tws_loop_now(p->loop);

    if (p->dial_at_us <= now)
        p->dial_at_us = now + tws_backoff_failed(&p->backoff);
}

/* Another instance behind a balancer may have said it; so it counts only in a row, and only when
 * no link proves that the session lives. */
static void join_unknown(struct tws_pool *p)
{
    if (p->carrier == NULL || p->carrier->nlinks > 0 || ++p->unknown_joins < UNKNOWN_JOINS)
        return;
    tws_carrier_close(p->carrier, TWS_CODE_SERVER_RESTARTED, "the server forgot the session");
}

static void on_dial_failed(void *arg, uint16_t status, const char *why)
{
    struct dial *d = arg;
    struct tws_pool *p = d->pool;

    end_dial(d);
    p->dials_failed++;
    log_failure(p, why);
    wait_longer(p);
    if (status == TWS_CODE_SERVER_RESTARTED)
        join_unknown(p);
    look_now(p);
}

static tws_err begin_session(struct tws_pool *p, const struct tws_hs_result *hs);

/* Fresh keys have come: the worn links go, after the peer was told. */
static void drain_worn(struct tws_pool *p)
{
    struct tws_carrier *c = p->carrier;
    uint64_t now = tws_loop_now(p->loop);
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &c->links)
    {
        struct tws_live_link *l = TWS_CONTAINER(it, struct tws_live_link, live_node);
        if (!l->draining || l->close_at_us != 0)
            continue;
        l->close_at_us = now + OVERLAP_US;
        tws_session_link_set_role(c->session, l->link, TWS_ROLE_DRAINING, 1, now);
        look_at(p, l->close_at_us);
    }
}

static void log_link_up(struct tws_pool *p, const struct tws_hs_result *hs)
{
    char server[TWS_HOSTPORT_TEXT];

    p->failure[0] = '\0';
    tws_hostport_format(&p->route.server, server, sizeof server);
    tws_log(TWS_LOG_INFO, "link up", "session=%s link=%u server=%s links=%u/%u sealed=%d",
            p->carrier->tag, (unsigned)hs->link_id, server, (unsigned)fresh_links(p),
            (unsigned)wanted_links(p), hs->sealed);
}

static void on_dial_link(void *arg, const struct tws_hs_result *hs, struct tws_wire *wire)
{
    struct dial *d = arg;
    struct tws_pool *p = d->pool;
    bool joined = p->carrier != NULL;
    tws_err err = TWS_OK;

    end_dial(d);
    if (!joined)
        err = begin_session(p, hs);
    if (err == TWS_OK)
        err = tws_carrier_add_link(p->carrier, hs, joined, wire);
    else
        tws_wire_close(wire, TWS_WS_CLOSE_BASE + TWS_CODE_RESOURCES);
    if (err != TWS_OK) {
        log_failure(p, tws_err_text(err));
        wait_longer(p);
        look_now(p);
        return;
    }
    p->unknown_joins = 0;
    p->dial_at_us = tws_loop_now(p->loop); /* the others may follow at once */
    log_link_up(p, hs);
    drain_worn(p);
    cancel_surplus(p);
    look_now(p);
    p->events->on_ready(p->arg);
}

static const struct tws_attempt_events attempt_events = {
    .on_link = on_dial_link,
    .on_failed = on_dial_failed,
};

static void dial(struct tws_pool *p)
{
    bool join = p->carrier != NULL;
    const struct tws_attempt_config cfg = {
        .route = &p->route,
        .limits = p->limits,
        .session_text = p->session_text,
        .session_id = join ? p->session_id : NULL,
        .join_secret = join ? p->join_secret : NULL,
        .abandon_us = urgent(p) ? TWS_URGENT_ABANDON_US : 0,
    };
    struct dial *d = calloc(1, sizeof *d);
    tws_err err = TWS_NOMEM;

    p->dialled_at_us = tws_loop_now(p->loop);
    if (d != NULL)
        err = tws_attempt_new(p->loop, p->ws, &cfg, &attempt_events, d, &d->attempt);
    if (err != TWS_OK) {
        free(d);
        log_failure(p, tws_err_text(err));
        wait_longer(p);
        return;
    }
    d->pool = p;
    tws_list_init(&d->dial_node);
    tws_list_push_back(&p->dials, &d->dial_node);
    p->ndials++;
}

/* A fresh attempt every second, beside those that have not been answered yet. */
static void dial_urgently(struct tws_pool *p, uint64_t now)
{
    uint64_t due = p->dialled_at_us + TWS_URGENT_EVERY_US;

    if (p->dial_at_us < due)
        due = p->dial_at_us;
    if (now >= due && p->ndials < URGENT_DIALS_MAX) {
        dial(p);
        due = now + TWS_URGENT_EVERY_US;
        if (p->dial_at_us <= now)
            p->dial_at_us = due;
    }
    look_at(p, due > now ? due : now + TWS_URGENT_EVERY_US);
}

static void dial_missing(struct tws_pool *p, uint64_t now)
{
    while (fresh_links(p) + p->ndials < wanted_links(p)) {
        if (now < p->dial_at_us) {
            look_at(p, p->dial_at_us);
            return;
        }
        dial(p);
    }
}

/* ---- the timer ---- */

/* Marks links whose keys are used up (the next look dials their successors), and closes those
 * that were replaced long enough ago. */
static void care_for_links(struct tws_pool *p, uint64_t now)
{
    struct tws_node *it, *next;

    if (p->carrier == NULL)
        return;
    TWS_LIST_EACH(it, next, &p->carrier->links)
    {
        struct tws_live_link *l = TWS_CONTAINER(it, struct tws_live_link, live_node);
        if (l->close_at_us != 0 && now >= l->close_at_us)
            tws_carrier_link_over(p->carrier, l, TWS_CODE_NONE, "replaced by one with fresh keys");
        else if (!l->draining && tws_live_link_worn(l, now))
            l->draining = true;
        else if (l->close_at_us != 0)
            look_at(p, l->close_at_us);
    }
    look_at(p, now + CARE_US);
}

/* False: the pool is over and gone. */
static bool end_if_retired(struct tws_pool *p, uint64_t now)
{
    if (!p->retiring)
        return true;
    if (p->carrier == NULL) {
        p->events->on_over(p->arg, p);
        return false;
    }
    if (tws_carrier_settled(p->carrier))
        tws_carrier_close(p->carrier, TWS_CODE_NONE, NULL);
    else if (p->carrier->nlocals == 0)
        look_at(p, now + SETTLE_US);
    return true;
}

static void on_timer(struct tws_timer *t)
{
    struct tws_pool *p = TWS_CONTAINER(t, struct tws_pool, timer);
    uint64_t now = tws_loop_now(p->loop);

    if (!end_if_retired(p, now) || (p->carrier != NULL && p->carrier->over))
        return;
    care_for_links(p, now);
    if (urgent(p))
        dial_urgently(p, now);
    else
        dial_missing(p, now);
}

/* ---- what the carrier tells ---- */

static void on_open(void *arg, struct tws_channel *ch, struct tws_span payload)
{
    struct tws_pool *p = arg;

    (void)payload;
    tws_channel_reset(ch, TWS_CODE_FORBIDDEN, "the client opens nothing for the server",
                      tws_loop_now(p->loop));
}

static void on_openable(void *arg)
{
    struct tws_pool *p = arg;

    p->events->on_ready(p->arg);
}

static void on_link_down(void *arg, uint32_t link_id, uint64_t up_us, const char *why)
{
    struct tws_pool *p = arg;

    p->links_lost++;
    tws_log(TWS_LOG_INFO, "link down", "session=%s link=%u links=%u up_s=%llu reason=\"%s\"",
            p->carrier->tag, (unsigned)link_id, (unsigned)fresh_links(p),
            (unsigned long long)(up_us / SECOND_US), why);
    if (up_us >= STABLE_US) {
        tws_backoff_succeeded(&p->backoff);
        p->dial_at_us = tws_loop_now(p->loop);
    } else {
        wait_longer(p);
    }
    look_now(p);
}

static void retire(struct tws_pool *p, const char *why)
{
    if (p->retiring)
        return;
    tws_log(TWS_LOG_INFO, "session drains", "session=%s channels=%u reason=\"%s\"",
            p->carrier != NULL ? p->carrier->tag : "-",
            p->carrier != NULL ? (unsigned)p->carrier->nlocals : 0u, why);
    p->retiring = true;
    if (p->carrier == NULL)
        cancel_dials(p);
    look_now(p);
}

static void on_goaway(void *arg, uint16_t code, uint32_t deadline_ms)
{
    struct tws_pool *p = arg;

    (void)deadline_ms; /* the server ends the session when it is over */
    if (p->retiring)
        return;
    retire(p, tws_code_text(code));
    p->events->on_retiring(p->arg, p);
}

static void on_idle(void *arg)
{
    struct tws_pool *p = arg;

    if (p->retiring)
        look_now(p);
}

static tws_err new_session_text(struct tws_pool *p)
{
    uint8_t random[16];
    tws_err err = tws_random_bytes(NULL, random, sizeof random);

    if (err != TWS_OK)
        return err;
    return tws_base64url_encode(random, sizeof random, p->session_text, sizeof p->session_text);
}

static void forget_session(struct tws_pool *p)
{
    if (p->carrier == NULL)
        return;
    struct tws_session_stats st = tws_session_stats(p->carrier->session);
    p->ended_sent += st.bytes_sent;
    p->ended_received += st.bytes_received;
    tws_carrier_free(p->carrier);
    p->carrier = NULL;
    tws_wipe(p->join_secret, sizeof p->join_secret);
}

static void on_over(void *arg, uint16_t code, const char *text)
{
    struct tws_pool *p = arg;

    tws_log(TWS_LOG_INFO, "session over", "session=%s code=%u reason=\"%s\"", p->carrier->tag,
            (unsigned)code, text[0] != '\0' ? text : tws_code_text(code));
    cancel_dials(p); /* they would join what is no more */
    forget_session(p);
    p->unknown_joins = 0;
    if (new_session_text(p) != TWS_OK)
        p->session_text[0] = '\0';
    look_now(p);
}

static const struct tws_carrier_events pool_events = {
    .on_open = on_open,
    .on_openable = on_openable,
    .on_link_down = on_link_down,
    .on_goaway = on_goaway,
    .on_idle = on_idle,
    .on_over = on_over,
};

static tws_err begin_session(struct tws_pool *p, const struct tws_hs_result *hs)
{
    const struct tws_carrier_config cfg = {
        .client = true,
        .limits = p->limits,
        .peer = &hs->peer,
        .session_id = hs->session_id,
        .user = p->route.name,
        .audit_level = TWS_LOG_DEBUG,
        .events = &pool_events,
        .arg = p,
    };
    tws_err err = tws_carrier_new(p->loop, &cfg, &p->carrier);

    if (err != TWS_OK)
        return err;
    memcpy(p->session_id, hs->session_id, sizeof p->session_id);
    memcpy(p->join_secret, hs->join_secret, sizeof p->join_secret);
    return TWS_OK;
}

/* ---- what the client asks ---- */

bool tws_pool_linked(const struct tws_pool *p)
{
    return p->carrier != NULL && !p->carrier->over && p->carrier->nlinks > 0;
}

bool tws_pool_ready(const struct tws_pool *p)
{
    return tws_pool_linked(p) && !p->retiring;
}

tws_err tws_pool_open(struct tws_pool *p, struct tws_span payload, struct tws_channel **out)
{
    tws_err err = tws_session_open(p->carrier->session, payload, NULL, tws_loop_now(p->loop), out);

    if (err != TWS_OK)
        return err;
    p->channels_opened++;
    tws_carrier_kick(p->carrier);
    if (tws_channel_id(*out) >= IDS_MAX && !p->retiring) {
        retire(p, "the session's channel ids run out");
        p->events->on_retiring(p->arg, p);
    }
    return TWS_OK;
}

void tws_pool_set_connections(struct tws_pool *p, uint32_t connections)
{
    p->connections = connections;
    look_now(p);
}

void tws_pool_set_retry(struct tws_pool *p, uint32_t retry_timeout_ms)
{
    p->backoff.cap_us = (uint64_t)retry_timeout_ms * MS;
}

void tws_pool_redial(struct tws_pool *p)
{
    tws_backoff_succeeded(&p->backoff);
    p->dial_at_us = tws_loop_now(p->loop);
    look_now(p);
}

void tws_pool_retire(struct tws_pool *p)
{
    retire(p, "another configuration");
}

/* ---- life ---- */

tws_err tws_pool_new(struct tws_loop *loop, struct tws_ws *ws, const struct tws_client_config *cfg,
                     const struct tws_link_limits *limits, const struct tws_pool_events *ev,
                     void *arg, struct tws_pool **out)
{
    struct tws_pool *p = calloc(1, sizeof *p);
    uint64_t seed = 0;
    tws_err err = TWS_NOMEM;

    if (p == NULL)
        return TWS_NOMEM;
    p->loop = loop;
    p->ws = ws;
    p->events = ev;
    p->arg = arg;
    p->limits = limits;
    p->connections = cfg->connections;
    tws_list_init(&p->pool_node);
    tws_list_init(&p->dials);
    tws_timer_init(&p->timer, loop, on_timer);
    err = tws_route_copy(cfg, &p->route);
    if (err == TWS_OK)
        err = tws_random_bytes(NULL, &seed, sizeof seed);
    if (err == TWS_OK)
        err = new_session_text(p);
    if (err != TWS_OK) {
        tws_pool_free(p);
        return err;
    }
    tws_backoff_init(&p->backoff, (uint64_t)cfg->retry_timeout_ms * MS, seed);
    look_now(p);
    *out = p;
    return TWS_OK;
}

void tws_pool_free(struct tws_pool *p)
{
    if (p == NULL)
        return;
    tws_timer_stop(&p->timer);
    cancel_dials(p);
    forget_session(p);
    tws_list_unlink(&p->pool_node);
    tws_route_fini(&p->route);
    tws_loop_free_later(p->loop, p);
}

/*
 * pool.c - see pool_priv.h.
 *
 * One timer drives it: at each look its lanes dial what is missing and due (lane.c), worn links are
 * replaced (rotation.c), and a retired session that has become empty ends. Everything that happens
 * to the pool asks for a look; nothing else dials.
 */
#include "live_link_priv.h"
#include "pool_priv.h"
#include "rotation_priv.h"

#include "tws/base/log.h"
#include "tws/base/secret.h"
#include "tws/base/text.h"
#include "tws/crypto/random.h"
#include "tws/proto/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS            1000u
#define SECOND_US     1000000u
#define STABLE_US     SECOND_US /* a link that lived shorter counts as a failed try */
#define SETTLE_US     10000u
#define UNKNOWN_JOINS 3u
#define IDS_MAX       (UINT32_MAX / 4u * 3u - 65536u) /* a little before the engine says no */

/* ---- looking ---- */

void tws_pool_look_at(struct tws_pool *p, uint64_t at_us)
{
    if (!tws_timer_running(&p->timer) || at_us < p->timer.at_us)
        tws_timer_start_at(&p->timer, at_us);
}

static void look_now(struct tws_pool *p)
{
    tws_pool_look_at(p, tws_loop_now(p->loop));
}

uint32_t tws_pool_fresh(const struct tws_pool *p)
{
    struct tws_node *it, *next;
    uint32_t n = 0;

    if (p->carrier == NULL)
        return 0;
    TWS_LIST_EACH(it, next, &p->carrier->links)
    n += !TWS_CONTAINER(it, struct tws_live_link, live_node)->draining;
    return n;
}

uint32_t tws_pool_links(const struct tws_pool *p)
{
    struct tws_node *it, *next;
    uint32_t n = 0;

    if (p->carrier == NULL)
        return 0;
    TWS_LIST_EACH(it, next, &p->carrier->links)
    n += TWS_CONTAINER(it, struct tws_live_link, live_node)->close_at_us == 0;
    return n;
}

/* A channel that is over here may have left bytes that the server never got. */
static bool needs_link(const struct tws_pool *p)
{
    const struct tws_carrier *c = p->carrier;

    return c != NULL && (c->nlocals > 0 || !tws_session_acknowledged(c->session));
}

uint32_t tws_pool_wanted(const struct tws_pool *p)
{
    if (p->retiring)
        return needs_link(p) ? 1 : 0;
    return p->carrier == NULL ? 1 : p->connections;
}

bool tws_pool_is_sparse(const struct tws_pool *p)
{
    return p->retiring || p->carrier == NULL;
}

bool tws_pool_is_urgent(const struct tws_pool *p)
{
    const struct tws_carrier *c = p->carrier;

    return needs_link(p) && (c->nlinks == 0 || tws_session_stalled(c->session));
}

bool tws_pool_has_room(const struct tws_pool *p)
{
    return p->carrier == NULL || p->carrier->nlinks + p->ndials < TWS_UPLINK_LINKS;
}

/* ---- dialling ---- */

static void cancel_dials(struct tws_pool *p)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &p->lanes)
    tws_lane_cancel_all(TWS_CONTAINER(it, struct tws_lane, lane_node));
}

static void cancel_surplus(struct tws_pool *p)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &p->lanes)
    tws_lane_cancel_surplus(TWS_CONTAINER(it, struct tws_lane, lane_node));
}

/* Another instance behind a balancer may have said it; so it counts only in a row, and only when
 * no link proves that the session lives. */
static void join_unknown(struct tws_pool *p)
{
    if (p->carrier == NULL || p->carrier->nlinks > 0 || ++p->unknown_joins < UNKNOWN_JOINS)
        return;
    tws_carrier_close(p->carrier, TWS_CODE_SERVER_RESTARTED, "the server forgot the session");
}

void tws_pool_dial_failed(struct tws_pool *p, uint16_t status)
{
    p->dials_failed++;
    if (status == TWS_CODE_SERVER_RESTARTED)
        join_unknown(p);
    look_now(p);
}

static void log_link_up(struct tws_pool *p, const struct tws_lane *lane,
                        const struct tws_hs_result *hs)
{
    char server[TWS_HOSTPORT_TEXT], tag[TWS_LANE_TAG];

    tws_hostport_format(&p->route.server, server, sizeof server);
    tws_log(TWS_LOG_INFO, "link up", "session=%s link=%u server=%s%s links=%u/%u sealed=%d",
            p->carrier->tag, (unsigned)hs->link_id, server, tws_lane_tag(lane, tag),
            (unsigned)tws_pool_links(p), (unsigned)tws_pool_wanted(p), hs->sealed);
}

static tws_err begin_session(struct tws_pool *p, const struct tws_hs_result *hs);

static tws_err add_link(struct tws_pool *p, struct tws_lane *lane, const struct tws_hs_result *hs,
                        struct tws_wire *wire)
{
    const struct tws_link_terms terms = {.owner = lane,
                                         .role =
                                             lane->backup ? TWS_ROLE_BACKUP : TWS_ROLE_AVAILABLE,
                                         .weight = lane->weight,
                                         .retire_at_us = tws_rotation_due(p, lane)};

    if (p->carrier == NULL) {
        tws_err err = begin_session(p, hs);
        if (err != TWS_OK) {
            tws_wire_close(wire, TWS_WS_CLOSE_BASE + TWS_CODE_RESOURCES);
            return err;
        }
        cancel_dials(p); /* they would make sessions of their own */
    }
    return tws_carrier_add_link(p->carrier, hs, &terms, wire);
}

static void openable(struct tws_pool *p)
{
    tws_reverse_ready(&p->reverse);
    p->events->on_ready(p->arg);
}

void tws_pool_take_link(struct tws_pool *p, struct tws_lane *lane, const struct tws_hs_result *hs,
                        struct tws_wire *wire)
{
    tws_err err = add_link(p, lane, hs, wire);

    if (err != TWS_OK) {
        tws_lane_log_failure(lane, tws_err_text(err));
        tws_lane_wait_longer(lane);
        look_now(p);
        return;
    }
    p->unknown_joins = 0;
    lane->failure[0] = '\0';
    lane->dial_at_us = tws_loop_now(p->loop); /* the others may follow at once */
    log_link_up(p, lane, hs);
    tws_rotation_make_place(p, lane);
    cancel_surplus(p);
    look_now(p);
    openable(p);
}

/* ---- the timer ---- */

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
        tws_pool_look_at(p, now + SETTLE_US);
    return true;
}

static void on_timer(struct tws_timer *t)
{
    struct tws_pool *p = TWS_CONTAINER(t, struct tws_pool, timer);
    uint64_t now = tws_loop_now(p->loop);
    struct tws_node *it, *next;

    if (!end_if_retired(p, now) || (p->carrier != NULL && p->carrier->over))
        return;
    tws_rotation_turn(p, now);
    TWS_LIST_EACH(it, next, &p->lanes)
    tws_lane_dial(TWS_CONTAINER(it, struct tws_lane, lane_node), now);
}

static void retire(struct tws_pool *p, const char *why)
{
    if (p->retiring)
        return;
    tws_log(TWS_LOG_INFO, "session drains", "session=%s channels=%u reason=\"%s\"",
            p->carrier != NULL ? p->carrier->tag : "-",
            p->carrier != NULL ? (unsigned)p->carrier->nlocals : 0u, why);
    p->retiring = true;
    tws_reverse_end(&p->reverse);
    if (p->carrier == NULL)
        cancel_dials(p);
    look_now(p);
}

/* ---- what the carrier tells ---- */

/* Either side's ids. */
static void mind_ids(struct tws_pool *p, const struct tws_channel *ch)
{
    if (tws_channel_id(ch) < IDS_MAX || p->retiring)
        return;
    retire(p, "the session's channel ids run out");
    p->events->on_retiring(p->arg, p);
}

static void on_open(void *arg, struct tws_channel *ch, struct tws_span payload)
{
    struct tws_pool *p = arg;

    tws_reverse_open(&p->reverse, ch, payload);
    mind_ids(p, ch);
}

static void on_openable(void *arg)
{
    openable(arg);
}

static void on_link_down(void *arg, void *owner, uint32_t link_id, uint64_t up_us, const char *why)
{
    struct tws_pool *p = arg;
    struct tws_lane *lane = owner; /* NULL: its uplink is no longer configured */
    char tag[TWS_LANE_TAG];

    p->links_lost++;
    tws_log(TWS_LOG_INFO, "link down", "session=%s link=%u%s links=%u up_s=%llu reason=\"%s\"",
            p->carrier->tag, (unsigned)link_id, lane != NULL ? tws_lane_tag(lane, tag) : "",
            (unsigned)tws_pool_links(p), (unsigned long long)(up_us / SECOND_US), why);
    if (lane != NULL && up_us >= STABLE_US)
        tws_lane_forgive(lane);
    else if (lane != NULL)
        tws_lane_wait_longer(lane);
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

/* TCP on a way that was dead for seconds tries again only seconds later: another link may be
 * through at once. */
static void on_stalled(void *arg)
{
    look_now(arg);
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
    tws_reverse_forget(&p->reverse);
    p->carrier = NULL;
    tws_wipe(p->join_secret, sizeof p->join_secret);
}

static void log_over(const struct tws_pool *p, uint16_t code, const char *text)
{
    struct tws_session_stats st = tws_session_stats(p->carrier->session);

    tws_log(TWS_LOG_INFO, "session over",
            "session=%s links_lost=%llu resent=%llu code=%u reason=\"%s\"", p->carrier->tag,
            (unsigned long long)st.links_lost, (unsigned long long)st.resent_messages,
            (unsigned)code, text[0] != '\0' ? text : tws_code_text(code));
}

static void on_over(void *arg, uint16_t code, const char *text)
{
    struct tws_pool *p = arg;

    log_over(p, code, text);
    p->sessions_cut += !tws_session_acknowledged(p->carrier->session);
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
    .on_stalled = on_stalled,
    .on_idle = on_idle,
    .on_over = on_over,
};

/* Links of one uplink take the same way; those of several may be missed by bulk. */
static void tell_ways(struct tws_pool *p)
{
    const struct tws_node *first = p->lanes.next;

    if (p->carrier == NULL)
        return;
    tws_session_set_one_way(p->carrier->session, first != &p->lanes && first->next == &p->lanes,
                            tws_carrier_now(p->carrier));
    tws_carrier_kick(p->carrier);
}

static tws_err begin_session(struct tws_pool *p, const struct tws_hs_result *hs)
{
    const struct tws_carrier_config cfg = {
        .client = true,
        .limits = p->limits,
        .partings = p->partings,
        .peer = &hs->peer,
        .session_id = hs->session_id,
        .user = p->route.name,
        .schedule = p->schedule,
        .audit_level = TWS_LOG_DEBUG,
        .events = &pool_events,
        .arg = p,
    };
    tws_err err = tws_carrier_new(p->loop, &cfg, &p->carrier);

    if (err != TWS_OK)
        return err;
    tell_ways(p);
    tws_reverse_begin(&p->reverse, p->carrier);
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

uint32_t tws_pool_channels(const struct tws_pool *p)
{
    return p->carrier != NULL ? p->carrier->nlocals : 0;
}

tws_err tws_pool_open(struct tws_pool *p, struct tws_span payload, struct tws_channel **out)
{
    tws_err err = tws_session_open(p->carrier->session, payload, NULL, tws_loop_now(p->loop), out);

    if (err != TWS_OK)
        return err;
    p->channels_opened++;
    tws_carrier_kick(p->carrier);
    mind_ids(p, *out);
    return TWS_OK;
}

void tws_pool_redial(struct tws_pool *p)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &p->lanes)
    tws_lane_redial(TWS_CONTAINER(it, struct tws_lane, lane_node));
    if (p->carrier != NULL && !p->carrier->over)
        tws_carrier_probe(p->carrier);
    look_now(p);
}

void tws_pool_retire(struct tws_pool *p)
{
    retire(p, "another configuration");
}

const char *tws_pool_failure(const struct tws_pool *p)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &p->lanes)
    {
        const struct tws_lane *l = TWS_CONTAINER(it, struct tws_lane, lane_node);
        if (l->failure[0] != '\0')
            return l->failure;
    }
    return "";
}

/* ---- configuration ---- */

static struct tws_lane *find_lane(struct tws_node *lanes, const struct tws_uplink *u)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, lanes)
    {
        struct tws_lane *l = TWS_CONTAINER(it, struct tws_lane, lane_node);
        if (tws_lane_is(l, u))
            return l;
    }
    return NULL;
}

/* Moves the lane of `u` from `old` to the pool, or makes one. */
static tws_err take_lane(struct tws_pool *p, const struct tws_uplink *u, struct tws_node *old)
{
    struct tws_lane *l = find_lane(old, u);

    if (l == NULL) {
        tws_err err = tws_lane_new(p, u, &l);
        if (err != TWS_OK)
            return err;
    } else {
        tws_list_unlink(&l->lane_node);
        tws_lane_set(l, u);
    }
    l->backoff.cap_us = (uint64_t)p->retry_timeout_ms * MS;
    tws_list_push_back(&p->lanes, &l->lane_node);
    p->connections += l->connections;
    return TWS_OK;
}

/* Its links go as soon as others are up. */
static void drop_lane(struct tws_pool *p, struct tws_lane *l)
{
    struct tws_node *it, *next;

    if (p->carrier != NULL)
        TWS_LIST_EACH(it, next, &p->carrier->links)
        {
            struct tws_live_link *ll = TWS_CONTAINER(it, struct tws_live_link, live_node);
            if (ll->terms.owner == l)
                ll->terms.owner = NULL;
        }
    tws_lane_free(l);
}

static tws_err set_lanes(struct tws_pool *p, const struct tws_client_config *cfg)
{
    struct tws_node old;
    struct tws_lane *l;
    tws_err err = TWS_OK;

    tws_list_init(&old);
    tws_list_append_all(&old, &p->lanes);
    p->connections = 0;
    for (int backup = 0; backup < 2; backup++)
        for (size_t i = 0; i < cfg->nuplinks && err == TWS_OK; i++)
            if (cfg->uplinks[i].backup == (backup == 1))
                err = take_lane(p, &cfg->uplinks[i], &old);
    while ((l = TWS_LIST_FIRST(&old, struct tws_lane, lane_node)) != NULL)
        drop_lane(p, l);
    return err;
}

void tws_pool_set(struct tws_pool *p, const struct tws_client_config *cfg)
{
    p->retry_timeout_ms = cfg->retry_timeout_ms;
    p->max_age_ms = cfg->max_age_ms;
    p->schedule = cfg->schedule;
    if (set_lanes(p, cfg) != TWS_OK)
        tws_log(TWS_LOG_ERROR, "uplinks missing", "reason=\"out of memory\"");
    tell_ways(p);
    if (tws_reverse_set(&p->reverse, cfg) != TWS_OK)
        tws_log(TWS_LOG_ERROR, "reverse forwards missing", "reason=\"out of memory\"");
    cancel_surplus(p);
    look_now(p);
}

/* ---- life ---- */

tws_err tws_pool_new(struct tws_loop *loop, struct tws_ws *ws, const struct tws_pool_config *cfg,
                     struct tws_pool **out)
{
    struct tws_pool *p = calloc(1, sizeof *p);
    tws_err err = TWS_NOMEM;

    if (p == NULL)
        return TWS_NOMEM;
    p->loop = loop;
    p->ws = ws;
    p->events = cfg->events;
    p->arg = cfg->arg;
    p->limits = cfg->limits;
    p->partings = cfg->partings;
    p->retry_timeout_ms = cfg->client->retry_timeout_ms;
    p->max_age_ms = cfg->client->max_age_ms;
    p->schedule = cfg->client->schedule;
    tws_list_init(&p->pool_node);
    tws_list_init(&p->lanes);
    tws_timer_init(&p->timer, loop, on_timer);
    tws_reverse_init(&p->reverse, p, (uintptr_t)p ^ tws_loop_now(loop));
    err = tws_route_copy(cfg->client, cfg->server, &p->route);
    if (err == TWS_OK)
        err = set_lanes(p, cfg->client);
    if (err == TWS_OK)
        err = new_session_text(p);
    if (err == TWS_OK)
        err = tws_reverse_set(&p->reverse, cfg->client);
    if (err != TWS_OK) {
        tws_pool_free(p);
        return err;
    }
    look_now(p);
    *out = p;
    return TWS_OK;
}

void tws_pool_free(struct tws_pool *p)
{
    struct tws_lane *l;

    if (p == NULL)
        return;
    tws_timer_stop(&p->timer);
    cancel_dials(p);
    if (p->carrier != NULL)
        log_over(p, TWS_CODE_SHUTDOWN, "");
    forget_session(p);
    tws_reverse_fini(&p->reverse);
    while ((l = TWS_LIST_FIRST(&p->lanes, struct tws_lane, lane_node)) != NULL)
        tws_lane_free(l);
    tws_list_unlink(&p->pool_node);
    tws_route_fini(&p->route);
    tws_loop_free_later(p->loop, p);
}

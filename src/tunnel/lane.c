/* lane.c - see lane_priv.h. */
#include "client_handshake_priv.h"
#include "lane_priv.h"
#include "pool_priv.h"

#include "tws/base/log.h"
#include "tws/base/text.h"
#include "tws/crypto/random.h"
#include "tws/proto/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A patient one, and those of three seconds, one of which may just end. */
#define URGENT_DIALS_MAX 5u
#define STALE_US         500000u /* an attempt that old may hang in a network that is gone */
#define HEAD_START_US    500000u /* of a lane over the next, when one link in all is enough */

struct dial {
    struct tws_node dial_node; /* its lane's */
    struct tws_lane *lane;
    struct tws_attempt *attempt;
    uint64_t since_us;
    bool patient; /* has all the time that a handshake may take */
};

/* ---- what is missing ---- */

static bool counts(const struct tws_live_link *ll, bool worn)
{
    return ll->draining == worn && ll->close_at_us == 0;
}

static uint32_t count_links(const struct tws_lane *l, bool worn)
{
    const struct tws_carrier *c = l->pool->carrier;
    struct tws_node *it, *next;
    uint32_t n = 0;

    if (c == NULL)
        return 0;
    TWS_LIST_EACH(it, next, &c->links)
    {
        const struct tws_live_link *ll = TWS_CONTAINER(it, struct tws_live_link, live_node);
        n += ll->terms.owner == l && counts(ll, worn);
    }
    return n;
}

uint32_t tws_lane_fresh(const struct tws_lane *l)
{
    return count_links(l, false);
}

uint32_t tws_lane_worn(const struct tws_lane *l)
{
    return count_links(l, true);
}

uint32_t tws_lane_wanted(const struct tws_lane *l)
{
    const struct tws_pool *p = l->pool;

    if (!tws_pool_is_sparse(p))
        return l->connections;
    return tws_pool_fresh(p) < tws_pool_wanted(p) ? 1 : 0;
}

static uint32_t missing(const struct tws_lane *l)
{
    uint32_t have = tws_lane_fresh(l) + l->ndials, wanted = tws_lane_wanted(l);

    return have < wanted ? wanted - have : 0;
}

/* ---- attempts ---- */

const char *tws_lane_tag(const struct tws_lane *l, char out[TWS_LANE_TAG])
{
    if (l->name[0] == '\0')
        return "";
    snprintf(out, TWS_LANE_TAG, " uplink=%s", l->name);
    return out;
}

void tws_lane_log_failure(struct tws_lane *l, const char *why)
{
    char server[TWS_HOSTPORT_TEXT], tag[TWS_LANE_TAG];

    /* What was kept may be cut short. */
    if (l->failure[0] != '\0' && strncmp(l->failure, why, sizeof l->failure - 1) == 0)
        return;
    snprintf(l->failure, sizeof l->failure, "%s", why);
    tws_hostport_format(&l->pool->route.server, server, sizeof server);
    tws_log(TWS_LOG_WARN, "cannot connect", "server=%s%s links=%u reason=\"%s\"", server,
            tws_lane_tag(l, tag), (unsigned)tws_lane_fresh(l), why);
}

void tws_lane_wait_longer(struct tws_lane *l)
{
    uint64_t now = tws_loop_now(l->pool->loop);

    if (l->dial_at_us <= now)
        l->dial_at_us = now + tws_backoff_failed(&l->backoff);
}

void tws_lane_forgive(struct tws_lane *l)
{
    tws_backoff_succeeded(&l->backoff);
    l->dial_at_us = tws_loop_now(l->pool->loop);
}

static void end_dial(struct dial *d)
{
    tws_list_unlink(&d->dial_node);
    d->lane->ndials--;
    d->lane->pool->ndials--;
    tws_loop_free_later(d->lane->pool->loop, d);
}

static void cancel(struct dial *d)
{
    tws_attempt_cancel(d->attempt);
    end_dial(d);
}

static void cancel_one(struct tws_lane *l)
{
    cancel(TWS_LIST_FIRST(&l->dials, struct dial, dial_node));
}

void tws_lane_cancel_surplus(struct tws_lane *l)
{
    while (l->ndials > 0 && tws_lane_fresh(l) + l->ndials > tws_lane_wanted(l))
        cancel_one(l);
}

void tws_lane_cancel_all(struct tws_lane *l)
{
    while (l->ndials > 0)
        cancel_one(l);
}

void tws_lane_redial(struct tws_lane *l)
{
    uint64_t now = tws_loop_now(l->pool->loop);
    struct tws_node *it, *next;

    tws_lane_forgive(l);
    TWS_LIST_EACH(it, next, &l->dials)
    {
        struct dial *d = TWS_CONTAINER(it, struct dial, dial_node);
        if (now - d->since_us >= STALE_US)
            cancel(d);
    }
}

static void on_dial_failed(void *arg, uint16_t status, const char *why)
{
    struct dial *d = arg;
    struct tws_lane *l = d->lane;

    end_dial(d);
    tws_lane_log_failure(l, why);
    tws_lane_wait_longer(l);
    tws_pool_dial_failed(l->pool, status);
}

static void on_dial_link(void *arg, const struct tws_hs_result *hs, struct tws_wire *wire)
{
    struct dial *d = arg;
    struct tws_lane *l = d->lane;

    end_dial(d);
    tws_pool_take_link(l->pool, l, hs, wire);
}

static const struct tws_attempt_events attempt_events = {
    .on_link = on_dial_link,
    .on_failed = on_dial_failed,
};

static bool any_patient(const struct tws_lane *l)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &l->dials)
    {
        if (TWS_CONTAINER(it, const struct dial, dial_node)->patient)
            return true;
    }
    return false;
}

/* Of urgent ones too one is patient: over a long way no other would ever come to its end. */
static void dial(struct tws_lane *l)
{
    struct tws_pool *p = l->pool;
    bool join = p->carrier != NULL, patient = !tws_pool_is_urgent(p) || !any_patient(l);
    const struct tws_attempt_config cfg = {
        .route = &p->route,
        .limits = p->limits,
        .session_text = p->session_text,
        .session_id = join ? p->session_id : NULL,
        .join_secret = join ? p->join_secret : NULL,
        .abandon_us = patient ? 0 : TWS_URGENT_ABANDON_US,
        .uplink = l->name,
        .interface = l->interface,
        .source = l->source.family != 0 ? &l->source : NULL,
        .weight = l->weight,
    };
    struct dial *d = calloc(1, sizeof *d);
    tws_err err = TWS_NOMEM;

    l->dialled_at_us = p->dialled_at_us = tws_loop_now(p->loop);
    if (d != NULL)
        err = tws_attempt_new(p->loop, p->ws, &cfg, &attempt_events, d, &d->attempt);
    if (err != TWS_OK) {
        free(d);
        tws_lane_log_failure(l, tws_err_text(err));
        tws_lane_wait_longer(l);
        return;
    }
    d->lane = l;
    d->since_us = l->dialled_at_us;
    d->patient = patient;
    tws_list_init(&d->dial_node);
    tws_list_push_back(&l->dials, &d->dial_node);
    l->ndials++;
    p->ndials++;
}

/* ---- when ---- */

/* A fresh attempt every second, beside those that have not been answered yet. */
static void dial_urgently(struct tws_lane *l, uint64_t now)
{
    uint64_t due = l->dialled_at_us + TWS_URGENT_EVERY_US;

    if (l->dial_at_us < due)
        due = l->dial_at_us;
    if (now >= due && l->ndials < URGENT_DIALS_MAX) {
        dial(l);
        due = now + TWS_URGENT_EVERY_US;
        if (l->dial_at_us <= now)
            l->dial_at_us = due;
    }
    tws_pool_look_at(l->pool, due > now ? due : now + TWS_URGENT_EVERY_US);
}

/* The earliest moment for the next attempt. */
static uint64_t due_at(const struct tws_lane *l)
{
    const struct tws_pool *p = l->pool;
    uint64_t turn = p->dialled_at_us + HEAD_START_US;

    if (tws_pool_is_sparse(p) && p->ndials > 0 && turn > l->dial_at_us)
        return turn;
    return l->dial_at_us;
}

void tws_lane_dial(struct tws_lane *l, uint64_t now)
{
    if (tws_pool_is_urgent(l->pool)) {
        dial_urgently(l, now);
        return;
    }
    while (missing(l) > 0 && tws_pool_has_room(l->pool)) {
        uint64_t due = due_at(l);
        if (now < due) {
            tws_pool_look_at(l->pool, due);
            return;
        }
        dial(l);
    }
}

/* ---- configuration ---- */

bool tws_lane_is(const struct tws_lane *l, const struct tws_uplink *u)
{
    return strcmp(l->name, u->name != NULL ? u->name : "") == 0 &&
           tws_text_equal(l->interface, u->interface) && tws_ip_equal(&l->source, &u->source);
}

static void tell_role(const struct tws_lane *l, struct tws_live_link *ll)
{
    struct tws_carrier *c = ll->carrier;

    ll->terms.role = l->backup ? TWS_ROLE_BACKUP : TWS_ROLE_AVAILABLE;
    ll->terms.weight = l->weight;
    tws_session_link_set_role(c->session, ll->link, ll->terms.role, l->weight, tws_carrier_now(c));
    tws_carrier_kick(c);
}

void tws_lane_set(struct tws_lane *l, const struct tws_uplink *u)
{
    bool told = l->weight == u->weight && l->backup == u->backup;
    struct tws_node *it, *next;

    l->connections = u->connections;
    l->weight = u->weight;
    l->backup = u->backup;
    if (told || l->pool->carrier == NULL)
        return;
    TWS_LIST_EACH(it, next, &l->pool->carrier->links)
    {
        struct tws_live_link *ll = TWS_CONTAINER(it, struct tws_live_link, live_node);
        if (ll->terms.owner == l && ll->close_at_us == 0)
            tell_role(l, ll);
    }
}

/* ---- life ---- */

tws_err tws_lane_new(struct tws_pool *p, const struct tws_uplink *u, struct tws_lane **out)
{
    struct tws_lane *l = calloc(1, sizeof *l);
    uint64_t seed = 0;

    if (l == NULL)
        return TWS_NOMEM;
    l->pool = p;
    l->source = u->source;
    l->connections = u->connections;
    l->weight = u->weight;
    l->backup = u->backup;
    tws_list_init(&l->lane_node);
    tws_list_init(&l->dials);
    l->name = strdup(u->name != NULL ? u->name : "");
    l->interface = u->interface != NULL ? strdup(u->interface) : NULL;
    tws_err err = tws_random_bytes(NULL, &seed, sizeof seed);
    if (l->name == NULL || (u->interface != NULL && l->interface == NULL))
        err = TWS_NOMEM;
    if (err != TWS_OK) {
        tws_lane_free(l);
        return err;
    }
    tws_backoff_init(&l->backoff, (uint64_t)p->retry_timeout_ms * 1000u, seed);
    *out = l;
    return TWS_OK;
}

void tws_lane_free(struct tws_lane *l)
{
    tws_lane_cancel_all(l);
    tws_list_unlink(&l->lane_node);
    free(l->name);
    free(l->interface);
    tws_loop_free_later(l->pool->loop, l);
}

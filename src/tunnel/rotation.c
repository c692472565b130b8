/*
 * rotation.c - see rotation_priv.h.
 *
 * A link is worn (`draining`), then it has a successor and its peer is told (`close_at_us`), then
 * it goes. It never goes back; one that makes place has its successor already.
 */
#include "live_link_priv.h"
#include "pool_priv.h"
#include "rotation_priv.h"

#include "tws/proto/code.h"

#define MS         1000u
#define SECOND_US  1000000u
#define CARE_US    (60 * SECOND_US) /* how often the age of links is looked at */
#define OVERLAP_US (5 * SECOND_US)  /* a replaced link goes on that long */

uint64_t tws_rotation_due(struct tws_pool *p, struct tws_lane *lane)
{
    uint64_t age = tws_backoff_spread(&lane->backoff, (uint64_t)p->max_age_ms * MS);

    return age == 0 ? 0 : tws_loop_now(p->loop) + age;
}

static void start_draining(struct tws_pool *p, struct tws_live_link *l, uint64_t now)
{
    l->close_at_us = now + OVERLAP_US;
    tws_session_link_set_role(p->carrier->session, l->link, TWS_ROLE_DRAINING, 1, now);
    tws_carrier_kick(p->carrier);
}

static bool any_closing(const struct tws_pool *p)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &p->carrier->links)
    if (TWS_CONTAINER(it, struct tws_live_link, live_node)->close_at_us != 0)
        return true;
    return false;
}

/* A worn link goes when its lane has enough without it. A session that has as many links as it may
 * have gets its successor behind it. */
static bool may_go(const struct tws_pool *p, const struct tws_live_link *l)
{
    const struct tws_lane *lane = l->terms.owner;

    if (!tws_pool_has_room(p))
        return !any_closing(p);
    if (tws_pool_fresh(p) == 0)
        return false;
    return lane == NULL || tws_lane_fresh(lane) + tws_lane_worn(lane) > tws_lane_wanted(lane);
}

static bool is_surplus(const struct tws_pool *p, const struct tws_live_link *l)
{
    const struct tws_lane *lane = l->terms.owner;

    return lane == NULL || (!tws_pool_is_sparse(p) && tws_lane_fresh(lane) > lane->connections);
}

static void care_for_link(struct tws_pool *p, struct tws_live_link *l, uint64_t now)
{
    if (!l->draining && (tws_live_link_worn(l, now) || is_surplus(p, l)))
        l->draining = true;
    if (l->draining && l->close_at_us == 0 && may_go(p, l))
        start_draining(p, l, now);
    if (!l->draining && l->terms.retire_at_us != 0)
        tws_pool_look_at(p, l->terms.retire_at_us);
    if (l->close_at_us != 0 && now >= l->close_at_us)
        tws_carrier_link_over(p->carrier, l, TWS_CODE_NONE, "replaced by a fresh one");
    else if (l->close_at_us != 0)
        tws_pool_look_at(p, l->close_at_us);
}

void tws_rotation_turn(struct tws_pool *p, uint64_t now)
{
    struct tws_node *it, *next;

    if (p->carrier == NULL)
        return;
    TWS_LIST_EACH(it, next, &p->carrier->links)
    care_for_link(p, TWS_CONTAINER(it, struct tws_live_link, live_node), now);
    tws_pool_look_at(p, now + CARE_US);
}

void tws_rotation_make_place(struct tws_pool *p, struct tws_lane *lane)
{
    uint64_t now = tws_loop_now(p->loop);
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &p->carrier->links)
    {
        struct tws_live_link *l = TWS_CONTAINER(it, struct tws_live_link, live_node);
        if (tws_link_stats(l->link).suspect)
            tws_carrier_link_over(p->carrier, l, TWS_CODE_TIMEOUT, "silent, and another came");
        else if (l->terms.owner == lane && l->close_at_us == 0 &&
                 tws_lane_fresh(lane) > tws_lane_wanted(lane))
            start_draining(p, l, now);
    }
}

/* catcher.c - see catcher_priv.h. */
#include "catcher_priv.h"
#include "kernel_tables_priv.h"

#include "tws/base/log.h"
#include "tws/net/capability.h"
#include "tws/net/socket.h"

#include <errno.h>
#include <string.h>

#define LOOK_AGAIN_US 1000000u

/* ---- words ---- */

static void complain(const char *why)
{
    tws_log(TWS_LOG_ERROR, "cannot catch connections", "reason=\"%s\"", why);
}

/* It goes on without it: what is left does no harm but to catch, and a cleanup finds it. */
static void complain_left(const char *why)
{
    tws_log(TWS_LOG_ERROR, "rules were not removed",
            "reason=\"%s; tws cleanup removes them when this client has ended\"", why);
}

static void complain_held(const char *name)
{
    char why[TWS_COMPLAINT];

    if (errno == EADDRINUSE)
        snprintf(why, sizeof why,
                 "another tws client named %.64s catches connections on this machine: give one of "
                 "them another name:",
                 name);
    else
        snprintf(why, sizeof why, "%s", strerror(errno));
    complain(why);
    errno = EADDRINUSE;
}

/* ---- what is there ---- */

static void forget_route(struct tws_catcher *c, uint8_t family)
{
    bool *there = family == 4 ? &c->route4 : &c->route6;
    char why[TWS_COMPLAINT];

    if (*there && tws_routes_remove(&c->footprint, family, why) != TWS_OK)
        complain_left(why);
    *there = false;
}

/* Leaves nothing. */
static void clear(struct tws_catcher *c)
{
    char why[TWS_COMPLAINT];
    int saved = errno;

    tws_timer_stop(&c->timer);
    if (c->hold < 0)
        return;
    if (c->table && tws_tables_remove(&c->footprint, why) != TWS_OK)
        complain_left(why);
    c->table = false;
    forget_route(c, 4);
    forget_route(c, 6);
    tws_socket_close(c->hold);
    c->hold = -1;
    c->ending = false;
    errno = saved;
}

static tws_err need_route(struct tws_catcher *c, const struct tws_ruleset *r, uint8_t family,
                          char why[TWS_COMPLAINT])
{
    bool *there = family == 4 ? &c->route4 : &c->route6;

    if (*there || !tws_ruleset_needs_route(r, family))
        return TWS_OK;
    tws_err err = tws_routes_install(r->footprint, family, why);
    *there = err == TWS_OK;
    return err;
}

/* Routes first: packets that are caught without one would leave this machine. */
static tws_err install(struct tws_catcher *c, const struct tws_ruleset *r)
{
    char why[TWS_COMPLAINT];
    tws_err err = need_route(c, r, 4, why);

    if (err == TWS_OK)
        err = need_route(c, r, 6, why);
    if (err == TWS_OK)
        err = tws_tables_install(r, why);
    if (err != TWS_OK) {
        complain(why);
        return err;
    }
    c->table = true;
    if (!r->keep && !tws_ruleset_needs_route(r, 4))
        forget_route(c, 4);
    if (!r->keep && !tws_ruleset_needs_route(r, 6))
        forget_route(c, 6);
    return TWS_OK;
}

/* ---- catching ---- */

/* Under a name of which nothing is there yet. */
static tws_err set_new(struct tws_catcher *c, const struct tws_footprint *f, const char *name,
                       const struct tws_catch *catches, size_t n)
{
    struct tws_catcher fresh = *c;
    const struct tws_ruleset r = {&fresh.footprint, catches, n, false};

    fresh.footprint = *f;
    fresh.hold = -1;
    fresh.table = fresh.route4 = fresh.route6 = fresh.ending = false;
    tws_timer_init(&fresh.timer, c->loop, c->timer.fn);
    if (tws_footprint_hold(f, &fresh.hold) != TWS_OK) {
        complain_held(name);
        return TWS_SYS;
    }
    tws_err err = install(&fresh, &r);
    if (err != TWS_OK) {
        clear(&fresh);
        return err;
    }
    clear(c);
    *c = fresh;
    return TWS_OK;
}

static tws_err set_again(struct tws_catcher *c, const struct tws_catch *catches, size_t n)
{
    const struct tws_ruleset r = {&c->footprint, catches, n, c->live > 0};
    tws_err err = install(c, &r);

    if (err == TWS_OK) {
        tws_timer_stop(&c->timer);
        c->ending = false;
    }
    return err;
}

tws_err tws_catcher_set(struct tws_catcher *c, const char *name, const struct tws_catch *catches,
                        size_t n)
{
    struct tws_footprint f;

    if (n == 0) {
        tws_catcher_end(c);
        return TWS_OK;
    }
    if (!tws_net_admin()) {
        complain("CAP_NET_ADMIN is missing: start as root, or with "
                 "AmbientCapabilities=CAP_NET_ADMIN and PrivateUsers=no in the unit");
        errno = EPERM;
        return TWS_SYS;
    }
    tws_footprint_of(name, &f);
    if (c->hold >= 0 && strcmp(f.table, c->footprint.table) == 0)
        return set_again(c, catches, n);
    return set_new(c, &f, name, catches, n);
}

/* ---- ending ---- */

static void on_timer(struct tws_timer *t)
{
    struct tws_catcher *c = TWS_CONTAINER(t, struct tws_catcher, timer);

    if (c->live == 0)
        clear(c);
    else
        tws_timer_start(t, LOOK_AGAIN_US);
}

void tws_catcher_end(struct tws_catcher *c)
{
    const struct tws_ruleset r = {.footprint = &c->footprint, .keep = true};
    char why[TWS_COMPLAINT];

    if (c->hold < 0 || c->ending)
        return;
    if (c->live == 0) {
        clear(c);
        return;
    }
    c->ending = true;
    if (tws_tables_install(&r, why) != TWS_OK)
        complain_left(why);
    tws_timer_start(&c->timer, LOOK_AGAIN_US);
}

/* ---- life ---- */

void tws_catcher_init(struct tws_catcher *c, struct tws_loop *loop)
{
    *c = (struct tws_catcher){.loop = loop, .hold = -1};
    tws_timer_init(&c->timer, loop, on_timer);
}

void tws_catcher_fini(struct tws_catcher *c)
{
    clear(c);
}

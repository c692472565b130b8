/* client.c - see client.h: wires ingress and pools together; life, reload and drain. */
#include "client_priv.h"
#include "relay_priv.h"
#include "stdio_priv.h"

#include "tws/proto/code.h"
#include "tws/proto/frame.h"
#include "tws/tunnel/balance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS              1000u
#define REDIAL_EVERY_US 1000000u /* of changes in the network; some machines see them all day */
#define DRAIN_CHECK_US  10000u

/* ---- a channel is wanted ---- */

static tws_err open_in(struct tws_pool *p, const struct tws_open *open, struct tws_channel **ch)
{
    uint8_t payload[TWS_OPEN_MAX];
    struct tws_writer w = tws_writer(payload, sizeof payload);

    tws_open_write(&w, open);
    assert(!w.failed);
    return tws_pool_open(p, (struct tws_span){payload, w.len}, ch);
}

/* Where the configuration says; if that one takes no more channels, the next best. TWS_NOMEM, not
 * TWS_BLOCKED, when memory was all that was missing: nothing would say that it is there again. */
static tws_err open_channel(void *arg, const struct tws_open *open, struct tws_carrier **carrier,
                            struct tws_channel **ch)
{
    struct tws_client *c = arg;
    struct tws_candidate list[TWS_SERVERS_MAX];
    tws_err why = TWS_BLOCKED;

    for (size_t i = 0; i < c->ncurrent; i++)
        list[i] = (struct tws_candidate){.ready = tws_pool_ready(c->current[i]),
                                         .channels = tws_pool_channels(c->current[i])};
    for (;;) {
        size_t i = tws_balance_pick(c->cfg->balance, list, c->ncurrent, &c->turn);
        if (i == c->ncurrent)
            return why;
        *carrier = c->current[i]->carrier; /* opening may retire the pool */
        tws_err err = open_in(c->current[i], open, ch);
        if (err == TWS_OK)
            return TWS_OK;
        if (err == TWS_NOMEM)
            why = err;
        list[i].ready = false;
    }
}

static bool is_linked(void *arg)
{
    const struct tws_client *c = arg;

    for (size_t i = 0; i < c->ncurrent; i++)
        if (tws_pool_linked(c->current[i]))
            return true;
    return false;
}

static bool is_leaving(void *arg, const struct tws_carrier *carrier)
{
    const struct tws_client *c = arg;

    for (size_t i = 0; i < c->ncurrent; i++)
        if (c->current[i]->carrier == carrier)
            return c->current[i]->retiring;
    return true;
}

static const struct tws_ingress_events ingress_events = {
    .open = open_channel,
    .is_linked = is_linked,
    .is_leaving = is_leaving,
};

/* ---- pools ---- */

static void on_ready(void *arg)
{
    struct tws_client *c = arg;

    tws_ingress_ready(&c->ingress);
    tws_stdio_ready(c->stdio);
}

/* ncurrent: it is not, it retires. */
static size_t index_of(const struct tws_client *c, const struct tws_pool *p)
{
    size_t i = 0;

    while (i < c->ncurrent && c->current[i] != p)
        i++;
    return i;
}

static tws_err new_pool(struct tws_client *c, const struct tws_client_config *cfg, size_t server,
                        struct tws_pool **out);

static void on_retiring(void *arg, struct tws_pool *p)
{
    struct tws_client *c = arg;
    size_t i = index_of(c, p);

    /* Without memory for another pool the old one stays: it opens nothing, and the next try is
     * the next reload's. */
    if (i < c->ncurrent && c->on_drained == NULL)
        (void)!new_pool(c, c->cfg, i, &c->current[i]);
}

static void add_stats(struct tws_client_stats *st, const struct tws_pool *p)
{
    st->bytes_sent += p->ended_sent;
    st->bytes_received += p->ended_received;
    st->links_lost += p->links_lost;
    st->dials_failed += p->dials_failed;
    st->channels_opened += p->channels_opened;
    st->sessions_cut += p->sessions_cut;
}

static void free_pool(struct tws_client *c, struct tws_pool *p)
{
    add_stats(&c->ended, p);
    tws_pool_free(p);
}

static void on_over(void *arg, struct tws_pool *p)
{
    struct tws_client *c = arg;

    if (index_of(c, p) == c->ncurrent)
        free_pool(c, p);
}

static const struct tws_pool_events pool_events = {
    .on_ready = on_ready,
    .on_retiring = on_retiring,
    .on_over = on_over,
};

static tws_err new_pool(struct tws_client *c, const struct tws_client_config *cfg, size_t server,
                        struct tws_pool **out)
{
    const struct tws_pool_config pool = {.client = cfg,
                                         .server = &cfg->servers[server],
                                         .limits = &c->limits,
                                         .partings = &c->ingress.partings,
                                         .events = &pool_events,
                                         .arg = c};
    tws_err err = tws_pool_new(c->loop, c->ws, &pool, out);

    if (err == TWS_OK)
        tws_list_push_back(&c->pools, &(*out)->pool_node);
    return err;
}

/* ---- reload ---- */

/* The pool of that server which can go on, or NULL. */
static struct tws_pool *find_pool(const struct tws_client *c, const struct tws_client_config *cfg,
                                  const struct tws_endpoint *server)
{
    for (size_t i = 0; i < c->ncurrent; i++)
        if (!c->current[i]->retiring && tws_route_is(&c->current[i]->route, cfg, server))
            return c->current[i];
    return NULL;
}

static bool contains(struct tws_pool *const *list, size_t n, const struct tws_pool *p)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == p)
            return true;
    return false;
}

/* What is in one list of pools and not in the other. */
static void for_others(struct tws_pool *const *of, size_t nof, struct tws_pool *const *than,
                       size_t nthan, void (*fn)(struct tws_pool *p))
{
    for (size_t i = 0; i < nof; i++)
        if (!contains(than, nthan, of[i]))
            fn(of[i]);
}

/* One pool for each server of `cfg`: those that can go on, and new ones. On failure none is new. */
static tws_err gather_pools(struct tws_client *c, const struct tws_client_config *cfg,
                            struct tws_pool **out)
{
    for (size_t i = 0; i < cfg->nservers; i++) {
        out[i] = find_pool(c, cfg, &cfg->servers[i]);
        if (out[i] != NULL)
            continue;
        tws_err err = new_pool(c, cfg, i, &out[i]);
        if (err != TWS_OK) {
            for_others(out, i, c->current, c->ncurrent, tws_pool_free);
            return err;
        }
    }
    return TWS_OK;
}

static void take_pools(struct tws_client *c, struct tws_pool *const *pools, size_t n)
{
    struct tws_pool *old[TWS_SERVERS_MAX];
    size_t nold = c->ncurrent;

    memcpy(old, c->current, sizeof old);
    for (size_t i = 0; i < n; i++)
        c->current[i] = pools[i];
    c->ncurrent = n;
    for_others(old, nold, pools, n, tws_pool_retire);
}

static void set_udp(struct tws_client *c, const struct tws_link_limits *l)
{
    c->ingress.no_udp = l->no_udp;
    c->ingress.udp_timeout_ms = l->udp_timeout_ms;
}

tws_err tws_client_reload(struct tws_client *c, const struct tws_client_config *cfg)
{
    struct tws_pool *pools[TWS_SERVERS_MAX];
    tws_err err = gather_pools(c, cfg, pools);

    if (err != TWS_OK)
        return err;
    set_udp(c, &cfg->link);
    err = tws_ingress_set(&c->ingress, cfg->name, cfg->forwards, cfg->nforwards);
    if (err != TWS_OK) {
        int saved = errno;
        set_udp(c, &c->limits);
        for_others(pools, cfg->nservers, c->current, c->ncurrent, tws_pool_free);
        errno = saved;
        return err;
    }
    c->cfg = cfg;
    c->limits = cfg->link;
    c->ingress.wait_ms = cfg->connect_timeout_ms;
    take_pools(c, pools, cfg->nservers);
    for (size_t i = 0; i < c->ncurrent; i++)
        tws_pool_set(c->current[i], cfg);
    return TWS_OK;
}

void tws_client_redial(struct tws_client *c)
{
    struct tws_node *it, *next;

    c->redialled_at_us = tws_loop_now(c->loop);
    TWS_LIST_EACH(it, next, &c->pools)
    tws_pool_redial(TWS_CONTAINER(it, struct tws_pool, pool_node));
}

/* ---- the network changes ---- */

static void on_redial_timer(struct tws_timer *t)
{
    struct tws_client *c = TWS_CONTAINER(t, struct tws_client, redial_timer);

    tws_log(TWS_LOG_DEBUG, "network changed", "");
    tws_client_redial(c);
}

static void on_network_change(void *arg)
{
    struct tws_client *c = arg;

    if (!tws_timer_running(&c->redial_timer))
        tws_timer_start_at(&c->redial_timer, c->redialled_at_us + REDIAL_EVERY_US);
}

static void on_wake(void *arg)
{
    tws_log(TWS_LOG_INFO, "machine woke up", "");
    tws_client_redial(arg);
}

static void watch_network(struct tws_client *c)
{
    tws_err err = tws_netwatch_open(c->loop, on_network_change, c, &c->netwatch);

    if (err != TWS_OK)
        tws_log(TWS_LOG_INFO, "network changes are not seen", "reason=\"%s\"",
                err == TWS_SYS ? strerror(errno) : tws_err_text(err));
    tws_wakewatch_start(c->loop, &c->wakewatch, on_wake, c);
}

/* ---- what it shows ---- */

struct tws_client_stats tws_client_stats(const struct tws_client *c)
{
    struct tws_client_stats st = c->ended;
    struct tws_node *it, *next;

    for (size_t i = 0; i < c->ncurrent; i++)
        st.links_wanted += c->current[i]->connections;
    st.waiting = c->ingress.nwaiting;
    TWS_LIST_EACH(it, next, &c->pools)
    {
        const struct tws_pool *p = TWS_CONTAINER(it, struct tws_pool, pool_node);
        add_stats(&st, p);
        if (p->carrier == NULL)
            continue;
        struct tws_session_stats s = tws_session_stats(p->carrier->session);
        st.sessions++;
        st.links += tws_pool_links(p);
        st.channels += p->carrier->nlocals;
        st.bytes_sent += s.bytes_sent;
        st.bytes_received += s.bytes_received;
    }
    return st;
}

/* Of the first server that has one. */
static const char *link_failure(const struct tws_client *c)
{
    const char *failure = "";

    for (size_t i = 0; i < c->ncurrent && failure[0] == '\0'; i++)
        failure = tws_pool_failure(c->current[i]);
    return failure;
}

void tws_client_status(const struct tws_client *c, char *out, size_t cap)
{
    struct tws_client_stats st = tws_client_stats(c);
    const char *failure = link_failure(c);

    snprintf(out, cap, "%u of %u links up, %u channels%s%s", (unsigned)st.links,
             (unsigned)st.links_wanted, (unsigned)st.channels, failure[0] != '\0' ? ", " : "",
             failure);
}

void tws_client_forward_address(const struct tws_client *c, size_t i, struct tws_sockaddr *out)
{
    tws_ingress_address(&c->ingress, i, out);
}

/* ---- drain ---- */

static bool settled(const struct tws_client *c)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &c->pools)
    {
        const struct tws_pool *p = TWS_CONTAINER(it, struct tws_pool, pool_node);
        if (p->carrier != NULL && !tws_carrier_settled(p->carrier))
            return false;
    }
    return c->ingress.nwaiting == 0 && c->ingress.partings.unsaid == 0 &&
           !tws_stdio_lives(c->stdio);
}

/* Not while somebody waits for a channel: a session that says so opens none any more. */
static void drain_sessions(struct tws_client *c)
{
    struct tws_node *it, *next;

    if (c->ingress.nwaiting > 0 || tws_stdio_waiting(c->stdio) || c->sessions_drain)
        return;
    c->sessions_drain = true;
    TWS_LIST_EACH(it, next, &c->pools)
    {
        struct tws_pool *p = TWS_CONTAINER(it, struct tws_pool, pool_node);
        if (p->carrier != NULL && !p->carrier->over)
            tws_carrier_drain(p->carrier, TWS_CODE_SHUTDOWN);
    }
}

static void on_drain_timer(struct tws_timer *t)
{
    struct tws_client *c = TWS_CONTAINER(t, struct tws_client, drain_timer);

    drain_sessions(c);
    bool all = settled(c);
    struct tws_client_stats st = tws_client_stats(c);

    if (!all && tws_loop_now(c->loop) < c->drain_until_us) {
        tws_timer_start(t, DRAIN_CHECK_US);
        return;
    }
    if (!all)
        tws_log(TWS_LOG_WARN, "drain ended", "channels=%u reason=\"drain time is over\"",
                (unsigned)st.channels);
    c->on_drained(c->drained_arg, all && st.sessions_cut == c->cut_before_drain);
}

void tws_client_drain(struct tws_client *c, tws_drained_fn *on_done, void *arg)
{
    struct tws_node *it, *next;

    if (c->on_drained != NULL)
        return;
    c->on_drained = on_done;
    c->drained_arg = arg;
    c->cut_before_drain = tws_client_stats(c).sessions_cut;
    c->drain_until_us = tws_loop_now(c->loop) + (uint64_t)c->limits.drain_ms * MS;
    tws_ingress_stop(&c->ingress);
    TWS_LIST_EACH(it, next, &c->pools)
    tws_reverse_end(&TWS_CONTAINER(it, struct tws_pool, pool_node)->reverse);
    tws_timer_start(&c->drain_timer, 0);
}

/* ---- life ---- */

tws_err tws_client_new(struct tws_loop *loop, struct tws_ws *ws,
                       const struct tws_client_config *cfg, struct tws_client **out)
{
    struct tws_client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return TWS_NOMEM;
    c->loop = loop;
    c->ws = ws;
    c->cfg = cfg;
    c->limits = cfg->link;
    tws_list_init(&c->pools);
    tws_ingress_init(&c->ingress, loop, &ingress_events, c, cfg->connect_timeout_ms);
    set_udp(c, &cfg->link);
    tws_timer_init(&c->drain_timer, loop, on_drain_timer);
    tws_timer_init(&c->redial_timer, loop, on_redial_timer);
    c->ingress.activation = cfg->activation;
    watch_network(c);
    tws_err err = gather_pools(c, cfg, c->current);
    if (err == TWS_OK) {
        c->ncurrent = cfg->nservers;
        err = tws_ingress_set(&c->ingress, cfg->name, cfg->forwards, cfg->nforwards);
    }
    if (err != TWS_OK) {
        int saved = errno;
        tws_client_free(c);
        errno = saved;
        return err;
    }
    *out = c;
    return TWS_OK;
}

static const char *why_no_link(void *arg)
{
    return link_failure(arg);
}

tws_err tws_client_serve_stdio(struct tws_client *c, int in, int out, tws_client_end_fn *on_end,
                               void *arg)
{
    struct tws_stdio_config cfg = {
        .loop = c->loop,
        .in = in,
        .out = out,
        .wait_ms = c->cfg->connect_timeout_ms,
        .events = &ingress_events,
        .events_arg = c,
        .failure = why_no_link,
        .on_end = on_end,
        .arg = arg,
    };

    tws_target_from_spot(&c->cfg->stdio, &cfg.target);
    return tws_stdio_new(&cfg, &c->stdio);
}

void tws_client_free(struct tws_client *c)
{
    struct tws_pool *p;

    if (c == NULL)
        return;
    tws_stdio_free(c->stdio);
    tws_timer_stop(&c->drain_timer);
    tws_timer_stop(&c->redial_timer);
    tws_netwatch_close(c->netwatch);
    tws_wakewatch_stop(&c->wakewatch);
    while ((p = TWS_LIST_FIRST(&c->pools, struct tws_pool, pool_node)) != NULL)
        tws_pool_free(p);
    tws_ingress_fini(&c->ingress);
    tws_loop_free_later(c->loop, c);
}

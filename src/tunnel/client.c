/* client.c - see client.h: wires ingress and pools together; life, reload and drain. */
#include "tws/tunnel/client.h"

#include "ingress_priv.h"
#include "pool_priv.h"
#include "relay_priv.h"

#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MS             1000u
#define DRAIN_CHECK_US 10000u

struct tws_client {
    struct tws_loop *loop;
    struct tws_ws *ws;
    const struct tws_client_config *cfg;
    struct tws_link_limits limits; /* a copy: sessions point here whatever is reloaded */
    struct tws_ingress ingress;
    struct tws_node pools;         /* struct tws_pool */
    struct tws_pool *pool;         /* the one that opens channels */
    struct tws_client_stats ended; /* of pools that are over */

    tws_drained_fn *on_drained; /* NULL: not draining */
    void *drained_arg;
    uint64_t drain_until_us;
    struct tws_timer drain_timer;
};

/* ---- a connection arrives ---- */

static struct tws_target source_target(const struct tws_sockaddr *peer)
{
    struct tws_target t = {0};

    tws_sockaddr_get(peer, &t.ip, &t.port);
    if (t.ip.family != 0)
        t.type = t.ip.family == 4 ? TWS_TARGET_IPV4 : TWS_TARGET_IPV6;
    return t;
}

static tws_err open_channel(struct tws_client *c, const struct tws_arrival *a,
                            struct tws_channel **ch)
{
    const struct tws_open open = {
        .kind = TWS_KIND_TCP, .target = *a->target, .source = source_target(a->peer)};
    uint8_t payload[TWS_OPEN_MAX];
    struct tws_writer w = tws_writer(payload, sizeof payload);

    tws_open_write(&w, &open);
    assert(!w.failed);
    return tws_pool_open(c->pool, (struct tws_span){payload, w.len}, ch);
}

static tws_err on_arrival(void *arg, const struct tws_arrival *a)
{
    struct tws_client *c = arg;
    struct tws_channel *ch = NULL;
    struct tws_carrier *carrier = c->pool->carrier; /* opening may retire the pool */
    char source[TWS_HOSTPORT_TEXT];

    if (!tws_pool_ready(c->pool))
        return TWS_BLOCKED;
    if (open_channel(c, a, &ch) != TWS_OK)
        return TWS_BLOCKED;
    tws_sockaddr_format(a->peer, source, sizeof source);
    const struct tws_relay_config relay = {
        .carrier = carrier,
        .channel = ch,
        .fd = a->fd,
        .source = source,
        .target = a->target_text,
    };
    if (tws_relay_new(&relay) != TWS_OK)
        tws_channel_reset(ch, TWS_CODE_RESOURCES, NULL, tws_loop_now(c->loop));
    return TWS_OK;
}

static bool is_linked(void *arg)
{
    struct tws_client *c = arg;

    return tws_pool_linked(c->pool);
}

static const struct tws_ingress_events ingress_events = {
    .open = on_arrival,
    .is_linked = is_linked,
};

/* ---- pools ---- */

static void on_ready(void *arg)
{
    struct tws_client *c = arg;

    if (tws_pool_ready(c->pool))
        tws_ingress_ready(&c->ingress);
}

static tws_err add_pool(struct tws_client *c, const struct tws_client_config *cfg);

static void on_retiring(void *arg, struct tws_pool *p)
{
    struct tws_client *c = arg;

    /* Without memory for another pool the old one stays: it opens nothing, and the next try is
     * the next reload's. */
    if (c->pool == p && c->on_drained == NULL)
        (void)!add_pool(c, c->cfg);
}

static void add_stats(struct tws_client_stats *st, const struct tws_pool *p)
{
    st->bytes_sent += p->ended_sent;
    st->bytes_received += p->ended_received;
    st->links_lost += p->links_lost;
    st->dials_failed += p->dials_failed;
    st->channels_opened += p->channels_opened;
}

static void free_pool(struct tws_client *c, struct tws_pool *p)
{
    add_stats(&c->ended, p);
    tws_pool_free(p);
}

static void on_over(void *arg, struct tws_pool *p)
{
    struct tws_client *c = arg;

    if (c->pool != p)
        free_pool(c, p);
}

static const struct tws_pool_events pool_events = {
    .on_ready = on_ready,
    .on_retiring = on_retiring,
    .on_over = on_over,
};

static tws_err add_pool(struct tws_client *c, const struct tws_client_config *cfg)
{
    struct tws_pool *p = NULL;
    tws_err err = tws_pool_new(c->loop, c->ws, cfg, &c->limits, &pool_events, c, &p);

    if (err != TWS_OK)
        return err;
    tws_list_push_back(&c->pools, &p->pool_node);
    c->pool = p;
    return TWS_OK;
}

/* ---- reload ---- */

static bool needs_new_session(const struct tws_client *c, const struct tws_client_config *cfg)
{
    return c->pool->retiring || !tws_route_is(&c->pool->route, cfg);
}

tws_err tws_client_reload(struct tws_client *c, const struct tws_client_config *cfg)
{
    struct tws_pool *old = c->pool;
    bool replace = needs_new_session(c, cfg);

    if (replace) {
        tws_err err = add_pool(c, cfg);
        if (err != TWS_OK)
            return err;
    }
    tws_err err = tws_ingress_set(&c->ingress, cfg->forwards, cfg->nforwards);
    if (err != TWS_OK) {
        int saved = errno;
        if (replace) {
            tws_pool_free(c->pool);
            c->pool = old;
        }
        errno = saved;
        return err;
    }
    c->cfg = cfg;
    c->limits = cfg->link;
    c->ingress.wait_ms = cfg->connect_timeout_ms;
    tws_pool_set_retry(c->pool, cfg->retry_timeout_ms);
    tws_pool_set_connections(c->pool, cfg->connections);
    if (replace)
        tws_pool_retire(old);
    return TWS_OK;
}

void tws_client_redial(struct tws_client *c)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &c->pools)
    tws_pool_redial(TWS_CONTAINER(it, struct tws_pool, pool_node));
}

/* ---- what it shows ---- */

struct tws_client_stats tws_client_stats(const struct tws_client *c)
{
    struct tws_client_stats st = c->ended;
    struct tws_node *it, *next;

    st.links_wanted = c->pool->connections;
    st.waiting = c->ingress.nwaiting;
    TWS_LIST_EACH(it, next, &c->pools)
    {
        const struct tws_pool *p = TWS_CONTAINER(it, struct tws_pool, pool_node);
        add_stats(&st, p);
        if (p->carrier == NULL)
            continue;
        struct tws_session_stats s = tws_session_stats(p->carrier->session);
        st.sessions++;
        st.links += p->carrier->nlinks;
        st.channels += p->carrier->nlocals;
        st.bytes_sent += s.bytes_sent;
        st.bytes_received += s.bytes_received;
    }
    return st;
}

void tws_client_status(const struct tws_client *c, char *out, size_t cap)
{
    struct tws_client_stats st = tws_client_stats(c);

    snprintf(out, cap, "%u of %u links up, %u channels%s%s", (unsigned)st.links,
             (unsigned)st.links_wanted, (unsigned)st.channels,
             c->pool->failure[0] != '\0' ? ", " : "", c->pool->failure);
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
    return c->ingress.nwaiting == 0;
}

static void on_drain_timer(struct tws_timer *t)
{
    struct tws_client *c = TWS_CONTAINER(t, struct tws_client, drain_timer);

    if (!settled(c) && tws_loop_now(c->loop) < c->drain_until_us) {
        tws_timer_start(t, DRAIN_CHECK_US);
        return;
    }
    uint32_t left = tws_client_stats(c).channels;
    if (left > 0)
        tws_log(TWS_LOG_WARN, "drain ended", "channels=%u reason=\"drain time is over\"",
                (unsigned)left);
    c->on_drained(c->drained_arg);
}

static void drain_sessions(struct tws_client *c)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &c->pools)
    {
        struct tws_pool *p = TWS_CONTAINER(it, struct tws_pool, pool_node);
        if (p->carrier != NULL && !p->carrier->over)
            tws_carrier_drain(p->carrier, TWS_CODE_SHUTDOWN);
    }
}

void tws_client_drain(struct tws_client *c, tws_drained_fn *on_done, void *arg)
{
    if (c->on_drained != NULL)
        return;
    c->on_drained = on_done;
    c->drained_arg = arg;
    c->drain_until_us = tws_loop_now(c->loop) + (uint64_t)c->limits.drain_ms * MS;
    tws_ingress_stop(&c->ingress);
    if (c->ingress.nwaiting == 0)
        drain_sessions(c);
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
    tws_timer_init(&c->drain_timer, loop, on_drain_timer);
    tws_err err = add_pool(c, cfg);
    if (err == TWS_OK)
        err = tws_ingress_set(&c->ingress, cfg->forwards, cfg->nforwards);
    if (err != TWS_OK) {
        int saved = errno;
        tws_client_free(c);
        errno = saved;
        return err;
    }
    *out = c;
    return TWS_OK;
}

void tws_client_free(struct tws_client *c)
{
    struct tws_pool *p;

    if (c == NULL)
        return;
    tws_timer_stop(&c->drain_timer);
    tws_ingress_fini(&c->ingress);
    while ((p = TWS_LIST_FIRST(&c->pools, struct tws_pool, pool_node)) != NULL)
        tws_pool_free(p);
    tws_loop_free_later(c->loop, c);
}

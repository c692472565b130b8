/* server.c - see server.h: life, reload and drain; the rest is in held.c and server_handshake.c. */
#include "ip_hub_priv.h"
#include "listens_priv.h"
#include "server_priv.h"

#include "tws/base/log.h"
#include "tws/base/text.h"
#include "tws/crypto/random.h"
#include "tws/net/capability.h"
#include "tws/net/listener.h"
#include "tws/proto/code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MS                1000u
#define EXPIRES_SOON_DAYS 7
#define DRAIN_CHECK_US    10000u

/* ---- walking ---- */

typedef void held_fn(struct tws_held *h, void *ctx);

/* `fn` may free the session it is given, but nothing else. */
static void for_each_session(const struct tws_server *s, held_fn *fn, void *ctx)
{
    struct tws_node *a, *anext, *h, *hnext;

    TWS_LIST_EACH(a, anext, &s->accounts)
    {
        struct tws_account *account = TWS_CONTAINER(a, struct tws_account, account_node);
        TWS_LIST_EACH(h, hnext, &account->sessions)
        fn(TWS_CONTAINER(h, struct tws_held, held_node), ctx);
    }
}

struct tws_account *tws_server_account(const struct tws_server *s, const uint8_t *key_id)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &s->accounts)
    {
        struct tws_account *a = TWS_CONTAINER(it, struct tws_account, account_node);
        if (a->user != NULL && memcmp(a->key.id, key_id, sizeof a->key.id) == 0)
            return a;
    }
    return NULL;
}

/* ---- users ---- */

static struct tws_account *account_of(const struct tws_server *s, const struct tws_user *u)
{
    struct tws_account *a = tws_server_account(s, u->key.id);

    return a != NULL && tws_account_is(a, u) ? a : NULL;
}

static void free_accounts(struct tws_node *accounts)
{
    struct tws_account *a;

    while ((a = TWS_LIST_FIRST(accounts, struct tws_account, account_node)) != NULL)
        tws_account_free(a);
}

/* Accounts for the users of `cfg` that have none yet, on `fresh`. */
static tws_err make_accounts(struct tws_server *s, const struct tws_server_config *cfg,
                             struct tws_node *fresh)
{
    for (size_t i = 0; i < cfg->nusers; i++) {
        struct tws_account *a = NULL;
        if (account_of(s, &cfg->users[i]) != NULL)
            continue;
        tws_err err = tws_account_new(s->loop, &cfg->users[i], &a);
        if (err != TWS_OK) {
            free_accounts(fresh);
            return err;
        }
        tws_list_push_back(fresh, &a->account_node);
    }
    return TWS_OK;
}

static const struct tws_user *user_of(const struct tws_server_config *cfg,
                                      const struct tws_account *a)
{
    for (size_t i = 0; i < cfg->nusers; i++)
        if (tws_account_is(a, &cfg->users[i]))
            return &cfg->users[i];
    return NULL;
}

static void revoke(struct tws_account *a)
{
    struct tws_node *it, *next;

    tws_account_set_user(a, NULL);
    tws_log(TWS_LOG_INFO, "key removed", "user=%s sessions=%u", a->name, (unsigned)a->nsessions);
    TWS_LIST_EACH(it, next, &a->sessions)
    tws_carrier_close(TWS_CONTAINER(it, struct tws_held, held_node)->carrier, TWS_CODE_REVOKED,
                      "the key was removed");
    if (a->nsessions == 0)
        tws_account_free(a);
}

static void set_user(struct tws_account *a, const struct tws_user *u)
{
    struct tws_node *it, *next;

    tws_account_set_user(a, u);
    TWS_LIST_EACH(it, next, &a->sessions)
    tws_listens_recheck(TWS_CONTAINER(it, struct tws_held, held_node)->egress.listens);
}

static void update_accounts(struct tws_server *s, const struct tws_server_config *cfg)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &s->accounts)
    {
        struct tws_account *a = TWS_CONTAINER(it, struct tws_account, account_node);
        const struct tws_user *u = a->user != NULL ? user_of(cfg, a) : NULL;
        if (u != NULL)
            set_user(a, u);
        else if (a->user != NULL)
            revoke(a);
    }
}

/* ---- reload ---- */

static bool same_proxies(const struct tws_server_config *a, const struct tws_server_config *b)
{
    if (a->ntrusted_proxies != b->ntrusted_proxies)
        return false;
    for (size_t i = 0; i < a->ntrusted_proxies; i++)
        if (!tws_prefix_equal(&a->trusted_proxies[i], &b->trusted_proxies[i]))
            return false;
    return true;
}

static bool same_tun(const struct tws_tun_config *a, const struct tws_tun_config *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (!tws_text_equal(a->device, b->device) || a->mtu != b->mtu || a->naddresses != b->naddresses)
        return false;
    for (size_t i = 0; i < a->naddresses; i++)
        if (!tws_prefix_equal(&a->addresses[i], &b->addresses[i]))
            return false;
    return true;
}

static void warn_of_restart(const struct tws_server_config *old,
                            const struct tws_server_config *next)
{
    if (old->listen.type != next->listen.type || strcmp(old->listen.name, next->listen.name) != 0 ||
        old->listen.port != next->listen.port || !tws_text_equal(old->path, next->path) ||
        !tws_text_equal(old->decoy, next->decoy) || !same_proxies(old, next) ||
        !same_tun(old->tun, next->tun))
        tws_log(
            TWS_LOG_WARN, "reload incomplete",
            "reason=\"listen, path, decoy, trusted_proxies and tun change with a restart only\"");
}

static void warn_of_rights(const struct tws_server_config *cfg)
{
    for (size_t i = 0; i < cfg->noutlets && !tws_net_admin(); i++) {
        if (!cfg->outlets[i].spoof && cfg->outlets[i].mark == 0)
            continue;
        tws_log(TWS_LOG_WARN, "egress incomplete",
                "record=%zu reason=\"spoof and mark need CAP_NET_ADMIN (with systemd: "
                "AmbientCapabilities=CAP_NET_ADMIN and PrivateUsers=no): its connections will "
                "fail\"",
                i + 1);
        return;
    }
}

static void set_egress(struct tws_server *s, const struct tws_server_config *cfg)
{
    warn_of_rights(cfg);
    s->egress_cfg = (struct tws_egress_config){.tun = s->egress_cfg.tun,
                                               .connect_timeout_ms = cfg->connect_timeout_ms,
                                               .udp_timeout_ms = cfg->link.udp_timeout_ms,
                                               .no_udp = cfg->link.no_udp,
                                               .outlets = cfg->outlets,
                                               .own = &s->own,
                                               .proxies = &s->proxies,
                                               .noutlets = cfg->noutlets};
}

/* What the files hold now, also when their names are the old ones. NULL without TLS. */
static tws_err load_tls(const struct tws_server_config *cfg, struct tws_tls_server **out)
{
    char why[TWS_TLS_SERVER_WHY] = "";
    tws_err err = TWS_OK;

    *out = NULL;
    if (cfg->tls.cert_file != NULL)
        err = tws_tls_server_load(&cfg->tls, out, why);
    if (err == TWS_CONFIG)
        tws_log(TWS_LOG_ERROR, "no TLS", "reason=\"%s\"", why);
    return err;
}

static void tell_certificate(const struct tws_server_config *cfg, const struct tws_tls_server *tls)
{
    int days = tls != NULL ? tws_tls_server_days(tls) : 0;
    enum tws_log_level level = days < EXPIRES_SOON_DAYS ? TWS_LOG_WARN : TWS_LOG_INFO;

    if (tls != NULL)
        tws_log(level, "certificate", "file=%s valid_days=%d", cfg->tls.cert_file, days);
}

tws_err tws_server_reload(struct tws_server *s, const struct tws_server_config *cfg)
{
    struct tws_tls_server *tls = NULL;
    struct tws_node fresh;

    tws_list_init(&fresh);
    tws_err err = load_tls(cfg, &tls);
    if (err == TWS_OK)
        err = make_accounts(s, cfg, &fresh);
    if (err != TWS_OK) {
        tws_tls_server_free(tls);
        return err;
    }
    tell_certificate(cfg, tls);
    tws_ws_listener_set_tls(s->listener, tls);
    warn_of_restart(s->cfg, cfg);
    s->cfg = cfg;
    if (tws_unix_socket_set_access(&s->file, &cfg->access) != TWS_OK)
        tws_log(TWS_LOG_WARN, "access not changed", "listen=unix:%s reason=\"%s\"", s->file.path,
                strerror(errno));
    s->limits = cfg->link;
    set_egress(s, cfg);
    update_accounts(s, cfg);
    if (s->egress_cfg.tun != NULL)
        tws_ip_hub_set(s->egress_cfg.tun, cfg);
    tws_list_append_all(&s->accounts, &fresh);
    return TWS_OK;
}

/* ---- drain ---- */

/* The file first: whoever looks for it finds no socket that nobody serves. */
static void close_listener(struct tws_server *s)
{
    tws_unix_socket_remove(&s->file);
    tws_ws_listener_close(s->listener);
}

struct rest {
    uint32_t links, channels;
    bool settled;
};

static void count_rest(struct tws_held *h, void *ctx)
{
    struct rest *r = ctx;

    r->links += h->carrier->nlinks;
    r->channels += h->carrier->nlocals;
    r->settled = r->settled && tws_carrier_settled(h->carrier);
}

static struct rest rest_of(const struct tws_server *s)
{
    struct rest r = {.settled = s->partings.unsaid == 0};

    for_each_session(s, count_rest, &r);
    return r;
}

static void on_drain_timer(struct tws_timer *t)
{
    struct tws_server *s = TWS_CONTAINER(t, struct tws_server, drain_timer);
    struct rest r = rest_of(s);

    if (!r.settled && tws_loop_now(s->loop) < s->drain_until_us) {
        tws_timer_start(t, DRAIN_CHECK_US);
        return;
    }
    if (!r.settled)
        tws_log(TWS_LOG_WARN, "drain ended", "channels=%u reason=\"drain time is over\"",
                (unsigned)r.channels);
    s->on_drained(s->drained_arg, r.settled);
}

static void drain_session(struct tws_held *h, void *ctx)
{
    (void)ctx;
    tws_listens_end(h->egress.listens, TWS_CODE_SHUTDOWN, "the server goes down");
    tws_carrier_drain(h->carrier, TWS_CODE_SHUTDOWN);
}

void tws_server_drain(struct tws_server *s, tws_drained_fn *on_done, void *arg)
{
    if (s->on_drained != NULL)
        return;
    s->on_drained = on_done;
    s->drained_arg = arg;
    s->drain_until_us = tws_loop_now(s->loop) + (uint64_t)s->limits.drain_ms * MS;
    /* Not kept for joins, for a successor may want the port:
     * docs/operations.md, "Restarting a server". */
    close_listener(s);
    for_each_session(s, drain_session, NULL);
    tws_timer_start(&s->drain_timer, 0);
}

/* ---- what it shows ---- */

static void add_bytes(struct tws_held *h, void *ctx)
{
    struct tws_server_stats *st = ctx;
    struct tws_session_stats s = tws_session_stats(h->carrier->session);

    st->bytes_sent += s.bytes_sent;
    st->bytes_received += s.bytes_received;
}

struct tws_server_stats tws_server_stats(const struct tws_server *s)
{
    struct rest r = rest_of(s);
    struct tws_server_stats st = {
        .sessions = s->sessions.count,
        .links = r.links,
        .channels = r.channels,
        .bytes_sent = s->ended_sent,
        .bytes_received = s->ended_received,
        .channels_opened = s->channels_opened,
        .handshakes_refused = s->handshakes_refused,
    };

    for_each_session(s, add_bytes, &st);
    return st;
}

void tws_server_status(const struct tws_server *s, char *out, size_t cap)
{
    struct rest r = rest_of(s);

    snprintf(out, cap, "%u sessions, %u links, %u channels%s", (unsigned)s->sessions.count,
             (unsigned)r.links, (unsigned)r.channels, s->on_drained != NULL ? ", draining" : "");
}

/* ---- life ---- */

/* On the spot of the configuration. */
static tws_err listen_there(struct tws_server *s)
{
    const struct tws_server_config *cfg = s->cfg;
    const struct tws_entrance e = {
        .at = &cfg->listen, .access = &cfg->access, .activation = cfg->activation};
    struct tws_inherited sockets;
    tws_err err = tws_entrance_sockets(&e, &s->file, &sockets);
    struct tws_upgrade_server o = {
        .fds = sockets.fds,
        .nfds = sockets.n,
        .path = cfg->path,
        .decoy = cfg->decoy,
        .trusted = cfg->trusted_proxies,
        .ntrusted = cfg->ntrusted_proxies,
    };

    tws_spot_hostport(&cfg->listen, 0, &o.listen);
    if (err != TWS_OK)
        return err;
    err = tws_upgrade_listen(s->ws, &o, &tws_server_upgrade_events, s, &s->listener);
    if (err != TWS_OK)
        tws_unix_socket_remove(&s->file);
    return err;
}

static tws_err open_listener(struct tws_server *s, struct tws_tls_server *tls)
{
    const struct tws_server_config *cfg = s->cfg;
    char where[TWS_SPOT_TEXT];
    tws_err err = listen_there(s);
    int saved = errno;

    tws_spot_format(&cfg->listen, where, sizeof where);
    if (err != TWS_OK) {
        tws_log(TWS_LOG_ERROR, "cannot listen", "listen=%s reason=\"%s%s\"", where,
                err == TWS_SYS ? strerror(saved) : tws_err_text(err),
                err == TWS_SYS ? tws_entrance_advice(&cfg->listen, saved) : "");
        errno = saved;
        return err;
    }
    tws_ws_listener_set_tls(s->listener, tls);
    tws_log(TWS_LOG_INFO, "listening", "listen=%s path=%s tls=%s users=%zu", where,
            cfg->path != NULL ? cfg->path : "any", tls != NULL ? "on" : "off", cfg->nusers);
    tell_certificate(cfg, tls);
    return TWS_OK;
}

static tws_err start_listening(struct tws_server *s)
{
    struct tws_tls_server *tls = NULL;
    tws_err err = load_tls(s->cfg, &tls);

    if (err == TWS_OK)
        err = open_listener(s, tls);
    if (err != TWS_OK)
        tws_tls_server_free(tls);
    return err;
}

static tws_err open_tun(struct tws_server *s)
{
    return s->cfg->tun != NULL ? tws_ip_hub_new(s->loop, s->cfg, &s->egress_cfg.tun) : TWS_OK;
}

tws_err tws_server_new(struct tws_loop *loop, struct tws_ws *ws,
                       const struct tws_server_config *cfg, struct tws_server **out)
{
    struct tws_server *s = calloc(1, sizeof *s);
    tws_err err = TWS_NOMEM;

    if (s == NULL)
        return TWS_NOMEM;
    s->loop = loop;
    s->ws = ws;
    s->cfg = cfg;
    s->limits = cfg->link;
    set_egress(s, cfg);
    tws_list_init(&s->accounts);
    tws_list_init(&s->visits);
    tws_partings_init(&s->partings, loop);
    tws_timer_init(&s->drain_timer, loop, on_drain_timer);
    err = tws_registry_init(&s->sessions);
    if (err == TWS_OK)
        err = tws_random_bytes(NULL, s->boot_id, sizeof s->boot_id);
    if (err == TWS_OK)
        err = make_accounts(s, cfg, &s->accounts);
    if (err == TWS_OK)
        err = open_tun(s);
    if (err == TWS_OK)
        err = start_listening(s);
    if (err != TWS_OK) {
        tws_server_free(s);
        return err;
    }
    *out = s;
    return TWS_OK;
}

static void end_session(struct tws_held *h, void *ctx)
{
    (void)ctx;
    tws_held_free(h);
}

void tws_server_free(struct tws_server *s)
{
    int saved = errno;

    if (s == NULL)
        return;
    tws_timer_stop(&s->drain_timer);
    close_listener(s);
    tws_server_end_visits(s);
    tws_ws_listener_end(s->listener);
    for_each_session(s, end_session, NULL);
    tws_partings_fini(&s->partings);
    tws_own_addresses_fini(&s->own);
    tws_ip_hub_free(s->egress_cfg.tun);
    free_accounts(&s->accounts);
    tws_registry_fini(&s->sessions);
    tws_loop_free_later(s->loop, s);
    errno = saved;
}

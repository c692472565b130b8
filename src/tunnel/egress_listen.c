/* egress_listen.c - see listens_priv.h; as a kind of egress, see egress_priv.h. */
#include "entrance_priv.h"
#include "listens_priv.h"

#include "tws/base/log.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listening {
    struct tws_local local;
    struct tws_node listening_node;
    struct tws_listens *listens;
    struct tws_inlet *inlet;
    struct tws_forward conf; /* listen: as the rules have it; remote: what it is bound to */
    struct tws_target asked;
    uint8_t accepts; /* enum tws_kind */
    uint64_t since_us;
};

static struct listening *from_local(struct tws_local *l)
{
    return TWS_CONTAINER(l, struct listening, local);
}

static struct tws_judge *judge_of(const struct listening *g)
{
    return g->listens->egress->judge;
}

/* ---- ending ---- */

static void close_listening(struct listening *g, const char *why)
{
    struct tws_carrier *c = g->local.carrier;
    char where[TWS_SPOT_TEXT];

    tws_spot_format(&g->conf.remote, where, sizeof where);
    tws_log(c->audit_level, "reverse listening over",
            "session=%s user=%s ch=%u listen=%s s=%llu reason=\"%s\"", c->tag, c->user,
            (unsigned)tws_channel_id(g->local.channel), where,
            (unsigned long long)((tws_carrier_now(c) - g->since_us) / 1000000), why);
    tws_list_unlink(&g->listening_node);
    tws_ingress_remove(g->inlet);
    judge_of(g)->nlistens--;
    tws_loop_free_later(c->loop, g);
}

/* The channel may take a while to go; the socket is gone now. */
static void end_listening(struct listening *g, uint16_t code, const char *why)
{
    struct tws_carrier *c = g->local.carrier;
    struct tws_channel *ch = g->local.channel;

    close_listening(g, why);
    tws_local_detach(&g->local);
    tws_channel_set_user(ch, NULL);
    tws_channel_reset(ch, code, why, tws_carrier_now(c));
    tws_carrier_kick(c);
}

/* ---- what the carrier tells ---- */

static void on_readable(struct tws_local *l)
{
    struct tws_span in;

    if (tws_channel_peek(l->channel, &in) == TWS_ABSENT)
        end_listening(from_local(l), TWS_CODE_NONE, "the client ended it");
    else
        end_listening(from_local(l), TWS_CODE_PROTOCOL, "bytes on a listening channel");
}

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    (void)text;
    end_listening(from_local(l), code, "the client ended it");
}

static void on_stopped(struct tws_local *l, uint16_t code)
{
    end_listening(from_local(l), code, "the client ended it");
}

static void on_over(struct tws_local *l, uint16_t code)
{
    close_listening(from_local(l), code != TWS_CODE_NONE ? tws_code_text(code) : "closed");
}

static const struct tws_local_ops listening_ops = {
    .on_readable = on_readable,
    .on_reset = on_reset,
    .on_stopped = on_stopped,
    .on_over = on_over,
};

/* ---- what is accepted ---- */

static bool is_linked(void *arg)
{
    const struct tws_listens *ls = arg;

    return !ls->egress->carrier->over && ls->egress->carrier->nlinks > 0;
}

static tws_err tell_no_room(struct tws_listens *ls)
{
    const struct tws_carrier *c = ls->egress->carrier;

    if (tws_log_allow(&ls->limit, tws_carrier_now(c)))
        tws_log(TWS_LOG_WARN, "connection closed",
                "session=%s user=%s reason=\"the user's max_channels is reached\"", c->tag,
                c->user);
    return TWS_FULL;
}

static tws_err open_channel(void *arg, const struct tws_open *open, struct tws_carrier **carrier,
                            struct tws_channel **ch)
{
    struct tws_listens *ls = arg;
    struct tws_carrier *c = ls->egress->carrier;
    struct tws_judge *j = ls->egress->judge;
    uint8_t payload[TWS_OPEN_MAX];
    struct tws_writer w = tws_writer(payload, sizeof payload);

    if (!j->ops->room(j))
        return tell_no_room(ls);
    if (!is_linked(ls))
        return TWS_BLOCKED;
    tws_open_write(&w, open);
    assert(!w.failed);
    tws_err err = tws_session_open(c->session, (struct tws_span){payload, w.len}, NULL,
                                   tws_carrier_now(c), ch);
    if (err != TWS_OK)
        return err == TWS_FULL ? TWS_BLOCKED : err;
    tws_carrier_kick(c);
    *carrier = c;
    return TWS_OK;
}

static const struct tws_ingress_events ingress_events = {
    .open = open_channel,
    .is_linked = is_linked,
};

/* ---- taking over ---- */

struct place {
    uint8_t kind; /* of what is accepted there */
    struct tws_spot where;
};

static bool is(const struct tws_spot *s, const char *host)
{
    return strcmp(s->name, host) == 0;
}

/* Bit 0: IPv4, bit 1: IPv6. */
static unsigned families(const struct tws_spot *s)
{
    if (is(s, "") || is(s, "localhost"))
        return 3;
    return strchr(s->name, ':') != NULL ? 2 : 1;
}

static bool is_every(const struct tws_spot *s)
{
    return is(s, "") || is(s, "0.0.0.0");
}

static bool is_one_of_localhost(const struct tws_spot *s)
{
    return is(s, "localhost") || is(s, "127.0.0.1") || is(s, "::1");
}

/* Whether both cannot be listened on at once. */
static bool collide(const struct tws_spot *a, const struct tws_spot *b)
{
    if (a->type == TWS_SPOT_UNIX || b->type == TWS_SPOT_UNIX)
        return a->type == b->type && is(a, b->name);
    if (a->port != b->port || a->port == 0 || (families(a) & families(b)) == 0)
        return false;
    return is_every(a) || is_every(b) || is(a, b->name) ||
           (is_one_of_localhost(a) && is_one_of_localhost(b));
}

/* Who keeps `want` from listening, among those of `ls`. */
static struct listening *find_collision(const struct tws_listens *ls, const struct place *want)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &ls->list)
    {
        struct listening *g = TWS_CONTAINER(it, struct listening, listening_node);
        if (g->accepts == want->kind && collide(&g->conf.listen, &want->where))
            return g;
    }
    return NULL;
}

/* Why `want` cannot be taken over from who has it, or NULL. */
static const char *who_keeps_it(const struct tws_listens *ls, const struct place *want)
{
    struct tws_node *it, *next;
    bool older = true;

    TWS_LIST_EACH(it, next, &ls->egress->judge->listens)
    {
        struct tws_listens *other = TWS_CONTAINER(it, struct tws_listens, listens_node);
        if (other == ls)
            older = false;
        if (find_collision(other, want) == NULL)
            continue;
        if (other == ls)
            return "this session listens there already";
        if (!older && is_linked(other))
            return "a newer session of the same user listens there";
    }
    return NULL;
}

static void take_over(const struct tws_listens *ls, const struct place *want)
{
    struct tws_node *it, *next;
    struct listening *g;

    TWS_LIST_EACH(it, next, &ls->egress->judge->listens)
    {
        const struct tws_listens *other = TWS_CONTAINER(it, struct tws_listens, listens_node);
        while ((g = find_collision(other, want)) != NULL)
            end_listening(g, TWS_CODE_RESOURCES, "another session of the same user took it over");
    }
}

/* ---- listening ---- */

static void note_address(struct listening *g)
{
    struct tws_sockaddr sa;
    struct tws_hostport at;
    struct tws_ip ip;

    if (g->conf.listen.type == TWS_SPOT_UNIX)
        return;
    tws_ingress_inlet_address(g->inlet, &sa);
    tws_sockaddr_get(&sa, &ip, &at.port);
    tws_ip_format(&ip, at.host, sizeof at.host);
    g->conf.remote = tws_spot_of(&at);
    tws_ingress_changed(g->inlet);
}

static struct tws_span bound_address(const struct listening *g, uint8_t buf[TWS_TARGET_MAX])
{
    struct tws_writer w = tws_writer(buf, TWS_TARGET_MAX);
    struct tws_target t;

    tws_target_from_spot(&g->conf.remote, &t);
    tws_target_write(&w, &t);
    return (struct tws_span){buf, w.failed ? 0 : w.len};
}

static void start_listening(struct listening *g, struct tws_channel *ch)
{
    struct tws_listens *ls = g->listens;
    struct tws_carrier *c = ls->egress->carrier;
    uint8_t bound[TWS_TARGET_MAX];
    char where[TWS_SPOT_TEXT];

    note_address(g);
    g->since_us = tws_carrier_now(c);
    tws_list_init(&g->listening_node);
    tws_list_push_back(&ls->list, &g->listening_node);
    tws_local_attach(&g->local, &listening_ops, c, ch);
    ls->egress->judge->nlistens++;
    ls->egress->judge->nchannels--; /* it counts as a listener from now on */
    tws_channel_accept(ch, bound_address(g, bound), g->since_us);
    tws_carrier_kick(c);
    tws_spot_format(&g->conf.remote, where, sizeof where);
    tws_log(c->audit_level, "reverse listening", "session=%s user=%s ch=%u listen=%s", c->tag,
            c->user, (unsigned)tws_channel_id(ch), where);
}

/* Says it here too: the user of the port is not the client's to find. */
static tws_err refuse_busy(struct tws_listens *ls, const struct tws_request *rq,
                           const struct tws_spot *where, int error)
{
    const struct tws_carrier *c = ls->egress->carrier;
    char why[128];

    if (tws_log_allow(&ls->limit, tws_carrier_now(c)))
        tws_log(TWS_LOG_WARN, "cannot listen", "session=%s user=%s listen=%s reason=\"%s%s\"",
                c->tag, c->user, rq->target, strerror(error), tws_entrance_advice(where, error));
    (void)snprintf(why, sizeof why, "the server cannot listen on %.60s: %s", rq->target,
                   strerror(error));
    return tws_egress_refuse(ls->egress, rq, TWS_CODE_RESOURCES, why);
}

static enum tws_forward_kind kind_of(const struct tws_open *open)
{
    static const enum tws_forward_kind kinds[] = {
        [TWS_SPEAKS_SOCKS] = TWS_FORWARD_SOCKS,
        [TWS_SPEAKS_HTTP] = TWS_FORWARD_HTTP,
        [TWS_SPEAKS_PROXY] = TWS_FORWARD_PROXY,
    };

    if (tws_listens_kind(open) == TWS_KIND_UDP)
        return TWS_FORWARD_UDP;
    return open->speaks == 0 ? TWS_FORWARD_TCP : kinds[open->speaks];
}

/* Who may connect to a unix socket is said by the server's own configuration, not by its client. */
static struct tws_unix_access access_of(struct tws_judge *j)
{
    struct tws_judge_terms terms = {0};

    if (j->ops->terms(j, &terms) && terms.user != NULL)
        return terms.user->listen_access;
    return (struct tws_unix_access){.owner = (uid_t)-1, .group = (gid_t)-1}; /* nobody */
}

static tws_err listen_on(struct tws_listens *ls, const struct tws_request *rq,
                         const struct tws_spot *where)
{
    struct listening *g = calloc(1, sizeof *g);

    if (g == NULL)
        return TWS_NOMEM;
    g->listens = ls;
    g->conf.listen = *where;
    g->conf.remote = *where; /* and its port, as soon as it is known */
    if (where->name[0] == '\0')
        memcpy(g->conf.remote.name, "::", sizeof "::");
    g->conf.access = access_of(ls->egress->judge);
    g->conf.kind = kind_of(rq->open);
    g->accepts = tws_listens_kind(rq->open);
    g->asked = rq->open->target;
    tws_err err = tws_ingress_add(&ls->ingress, &g->conf, tws_channel_id(rq->channel), &g->inlet);
    if (err != TWS_OK) {
        int saved = errno;
        free(g);
        return err == TWS_SYS ? refuse_busy(ls, rq, where, saved) : err;
    }
    start_listening(g, rq->channel);
    return TWS_OK;
}

static bool is_room(struct tws_judge *j)
{
    struct tws_judge_terms terms = {0};

    return j->ops->terms(j, &terms) && (terms.max_listens == 0 || j->nlistens < terms.max_listens);
}

/* ---- the session's ---- */

static struct tws_listens *new_listens(struct tws_egress *e)
{
    struct tws_listens *ls = calloc(1, sizeof *ls);

    if (ls == NULL)
        return NULL;
    ls->egress = e;
    tws_list_init(&ls->list);
    tws_list_init(&ls->listens_node);
    tws_list_push_back(&e->judge->listens, &ls->listens_node);
    tws_ingress_init(&ls->ingress, e->carrier->loop, &ingress_events, ls,
                     e->cfg->connect_timeout_ms);
    ls->ingress.judge = e->judge;
    ls->ingress.udp_timeout_ms = e->cfg->udp_timeout_ms;
    ls->ingress.no_udp = true; /* a SOCKS client gets no port that no rule names */
    e->listens = ls;
    return ls;
}

tws_err tws_egress_listen(struct tws_egress *e, const struct tws_request *rq)
{
    struct tws_listens *ls = e->listens != NULL ? e->listens : new_listens(e);
    struct place want = {.kind = tws_listens_kind(rq->open)};

    if (ls == NULL)
        return TWS_NOMEM;
    if (want.kind == TWS_KIND_UDP && e->cfg->no_udp)
        return tws_egress_refuse(e, rq, TWS_CODE_FORBIDDEN, "no_udp is set on the server");
    if (!e->judge->ops->listen(e->judge, want.kind, &rq->open->target, &want.where))
        return tws_egress_refuse(e, rq, TWS_CODE_FORBIDDEN, NULL);
    const char *why = who_keeps_it(ls, &want);
    if (why != NULL)
        return tws_egress_refuse(e, rq, TWS_CODE_RESOURCES, why);
    take_over(ls, &want);
    if (!is_room(e->judge))
        return tws_egress_refuse(e, rq, TWS_CODE_RESOURCES, "the user's max_listens is reached");
    return listen_on(ls, rq, &want.where);
}

void tws_listens_ready(struct tws_listens *ls)
{
    if (ls != NULL)
        tws_ingress_ready(&ls->ingress);
}

static bool is_still_allowed(const struct listening *g)
{
    struct tws_judge *j = judge_of(g);
    struct tws_spot where;

    return j->ops->listen(j, g->accepts, &g->asked, &where) && is(&where, g->conf.listen.name);
}

static void renew_access(struct listening *g)
{
    g->conf.access = access_of(judge_of(g));
    tws_ingress_renew_access(g->inlet);
}

void tws_listens_recheck(struct tws_listens *ls)
{
    struct tws_node *it, *next;

    if (ls == NULL)
        return;
    ls->ingress.wait_ms = ls->egress->cfg->connect_timeout_ms;
    ls->ingress.udp_timeout_ms = ls->egress->cfg->udp_timeout_ms;
    TWS_LIST_EACH(it, next, &ls->list)
    {
        struct listening *g = TWS_CONTAINER(it, struct listening, listening_node);
        if (!is_still_allowed(g))
            end_listening(g, TWS_CODE_FORBIDDEN, "the user's rules allow it no more");
        else
            renew_access(g);
    }
}

void tws_listens_end(struct tws_listens *ls, uint16_t code, const char *why)
{
    struct listening *g;

    if (ls == NULL)
        return;
    while ((g = TWS_LIST_FIRST(&ls->list, struct listening, listening_node)) != NULL)
        end_listening(g, code, why);
}

void tws_listens_free(struct tws_listens *ls)
{
    if (ls == NULL)
        return;
    assert(tws_list_empty(&ls->list));
    tws_list_unlink(&ls->listens_node);
    tws_ingress_fini(&ls->ingress);
    tws_loop_free_later(ls->ingress.loop, ls);
}

/* reverse.c - see reverse_priv.h. */
#include "pool_priv.h"
#include "reverse_priv.h"

#include "tws/base/log.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ASK_AGAIN_CAP_US 30000000u

/* A listening channel that shall be there. */
struct wish {
    struct tws_local local; /* while `asked` */
    struct tws_node wish_node;
    struct tws_reverse *reverse;
    const struct tws_forward *conf;
    struct tws_spot listen; /* these are its own copies: conf changes with a reload */
    enum tws_forward_kind kind;
    uint64_t ask_at_us;
    uint16_t told; /* the code of the last refusal in the log, so that each is said once */
    bool asked;    /* its channel is there */
    bool listening;
};

static struct wish *from_local(struct tws_local *l)
{
    return TWS_CONTAINER(l, struct wish, local);
}

static uint64_t now_of(const struct tws_reverse *r)
{
    return tws_loop_now(r->pool->loop);
}

/* Every connection, or flow of datagrams, goes to one place. */
static bool has_remote(const struct wish *w)
{
    return w->kind == TWS_FORWARD_TCP || w->kind == TWS_FORWARD_UDP;
}

static const struct wish *find_listener(const struct tws_reverse *r, uint32_t channel)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &r->wishes)
    {
        const struct wish *w = TWS_CONTAINER(it, struct wish, wish_node);
        if (w->asked && tws_channel_id(w->local.channel) == channel)
            return w;
    }
    return NULL;
}

/* ---- who may be dialled: the forward's remote, or what its rules allow ---- */

static struct tws_reverse *from_judge(struct tws_judge *j)
{
    return TWS_CONTAINER(j, struct tws_reverse, judge);
}

/* The rules of a proxy, as acl.h wants them. */
static struct tws_user rules_of(const struct wish *w)
{
    return (struct tws_user){.allow = w->conf->allow, .nallow = w->conf->nallow};
}

static uint16_t judge_opening(struct tws_judge *j, const struct tws_open *open,
                              struct tws_permit *permit, const char **why)
{
    const struct wish *w = find_listener(from_judge(j), open->listener);

    if (w == NULL)
        return TWS_CODE_FORBIDDEN;
    if (has_remote(w)) {
        permit->verdict = TWS_ACL_BY_NAME; /* the target is our own */
        return TWS_CODE_NONE;
    }
    const struct tws_user rules = rules_of(w);
    if (open->kind == TWS_KIND_TCP) /* its proxy takes no datagrams */
        permit->verdict = tws_acl_target(&rules, open->kind, &open->target);
    if (permit->verdict != TWS_ACL_DENY)
        return TWS_CODE_NONE;
    *why = "no rule of the client's forward allows the target";
    return TWS_CODE_FORBIDDEN;
}

/* A forward that is no more, or was asked for anew, allows nothing that is still being dialled. */
static bool judge_address(struct tws_judge *j, const struct tws_permit *permit,
                          const struct tws_ip *ip, uint16_t port)
{
    const struct wish *w = find_listener(from_judge(j), permit->listener);

    if (w == NULL || has_remote(w))
        return w != NULL;
    const struct tws_user rules = rules_of(w);
    return tws_acl_address(&rules, permit->kind, permit->verdict, ip, port);
}

static bool judge_listen(struct tws_judge *j, uint8_t kind, const struct tws_target *t,
                         struct tws_spot *where)
{
    (void)j;
    (void)kind;
    (void)t;
    (void)where;
    return false;
}

static bool judge_room(struct tws_judge *j)
{
    (void)j;
    return true;
}

static bool judge_terms(struct tws_judge *j, struct tws_judge_terms *out)
{
    (void)j;
    *out = (struct tws_judge_terms){0};
    return true;
}

static const struct tws_judge_ops judge_ops = {
    .opening = judge_opening,
    .address = judge_address,
    .listen = judge_listen,
    .room = judge_room,
    .terms = judge_terms,
};

/* ---- a listening channel ends ---- */

/* Takes the wish off its channel, which may take a while to go. */
static void let_go(struct wish *w)
{
    struct tws_carrier *c = w->local.carrier;
    struct tws_channel *ch = w->local.channel;

    w->asked = w->listening = false;
    tws_local_detach(&w->local);
    tws_channel_set_user(ch, NULL);
    tws_channel_reset(ch, TWS_CODE_NONE, NULL, tws_carrier_now(c));
    tws_carrier_kick(c);
}

static void ask_again_later(struct wish *w)
{
    struct tws_reverse *r = w->reverse;

    w->ask_at_us = now_of(r) + tws_backoff_failed(&r->backoff);
    if (!tws_timer_running(&r->timer) || w->ask_at_us < r->timer.at_us)
        tws_timer_start_at(&r->timer, w->ask_at_us);
}

static const char *advice(uint16_t code)
{
    if (code == TWS_CODE_PROTOCOL)
        return "; the server may be too old for reverse forwards: update it";
    if (code == TWS_CODE_FORBIDDEN)
        return "; the server's administrator allows addresses in the keys file (listen)";
    return "";
}

/* Each refusal is said once, until it is another one. */
static void tell_refusal(struct wish *w, uint16_t code, struct tws_span text)
{
    enum tws_log_level level = code != w->told ? TWS_LOG_WARN : TWS_LOG_DEBUG;
    char listen[TWS_SPOT_TEXT];

    w->told = code;
    tws_spot_format(&w->conf->listen, listen, sizeof listen);
    tws_log(level, "reverse forward refused",
            "session=%s listen=%s code=%u reason=\"%s%s\" text=\"%.*s\"", w->local.carrier->tag,
            listen, (unsigned)code, tws_code_text(code), advice(code), (int)text.n,
            text.n > 0 ? (const char *)text.p : "");
}

static void tell_over(const struct wish *w, uint16_t code, struct tws_span text)
{
    char listen[TWS_SPOT_TEXT];

    tws_spot_format(&w->conf->listen, listen, sizeof listen);
    tws_log(TWS_LOG_WARN, "reverse listening over",
            "session=%s listen=%s code=%u reason=\"%s\" text=\"%.*s\"", w->local.carrier->tag,
            listen, (unsigned)code, tws_code_text(code), (int)text.n,
            text.n > 0 ? (const char *)text.p : "");
}

static void on_ended(struct wish *w, uint16_t code, struct tws_span text)
{
    if (w->listening)
        tell_over(w, code, text);
    else
        tell_refusal(w, code, text);
    let_go(w);
    ask_again_later(w);
}

/* ---- what the carrier tells ---- */

static const char *kind_name(enum tws_forward_kind kind)
{
    return kind == TWS_FORWARD_SOCKS ? "socks" : kind == TWS_FORWARD_HTTP ? "http" : "proxy";
}

static void on_opened(struct tws_local *l, struct tws_span bound)
{
    struct wish *w = from_local(l);
    struct tws_reader r = tws_reader(bound);
    char listen[TWS_SPOT_TEXT], remote[TWS_SPOT_TEXT];
    struct tws_target t;

    w->listening = true;
    w->told = TWS_CODE_NONE;
    tws_backoff_succeeded(&w->reverse->backoff);
    tws_spot_format(&w->conf->listen, listen, sizeof listen);
    if (tws_target_read(&r, &t) == TWS_OK)
        tws_target_format(&t, listen, sizeof listen);
    tws_spot_format(&w->conf->remote, remote, sizeof remote);
    tws_log(TWS_LOG_INFO, "reverse listening", "session=%s listen=%s %s=%s", l->carrier->tag,
            listen, has_remote(w) ? "remote" : "kind", has_remote(w) ? remote : kind_name(w->kind));
}

/* Its end, or bytes that have no meaning. */
static void on_readable(struct tws_local *l)
{
    on_ended(from_local(l), TWS_CODE_NONE, (struct tws_span){NULL, 0});
}

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    on_ended(from_local(l), code, text);
}

static void on_stopped(struct tws_local *l, uint16_t code)
{
    on_ended(from_local(l), code, (struct tws_span){NULL, 0});
}

/* The session is over: the next one is asked at once. */
static void on_over(struct tws_local *l, uint16_t code)
{
    struct wish *w = from_local(l);

    (void)code;
    w->asked = w->listening = false;
}

static const struct tws_local_ops wish_ops = {
    .on_opened = on_opened,
    .on_readable = on_readable,
    .on_reset = on_reset,
    .on_stopped = on_stopped,
    .on_over = on_over,
};

/* ---- asking ---- */

/* Every address is "::" on the wire. */
static struct tws_target place_of(const struct tws_spot *listen)
{
    struct tws_target t = {.type = TWS_TARGET_IPV6, .ip = {.family = 6}, .port = listen->port};

    if (listen->name[0] != '\0')
        tws_target_from_spot(listen, &t);
    return t;
}

static uint8_t protocol_of(enum tws_forward_kind kind)
{
    return kind == TWS_FORWARD_SOCKS   ? TWS_SPEAKS_SOCKS
           : kind == TWS_FORWARD_HTTP  ? TWS_SPEAKS_HTTP
           : kind == TWS_FORWARD_PROXY ? TWS_SPEAKS_PROXY
                                       : 0;
}

static void ask(struct wish *w)
{
    struct tws_reverse *r = w->reverse;
    bool udp = w->kind == TWS_FORWARD_UDP;
    const struct tws_open open = {.kind = TWS_KIND_LISTEN,
                                  .target = place_of(&w->conf->listen),
                                  .accepts = udp ? TWS_KIND_UDP : TWS_KIND_TCP,
                                  .speaks = protocol_of(w->kind)};
    uint8_t payload[TWS_OPEN_MAX];
    struct tws_writer out = tws_writer(payload, sizeof payload);
    struct tws_channel *ch = NULL;

    tws_open_write(&out, &open);
    assert(!out.failed);
    tws_err err = tws_pool_open(r->pool, (struct tws_span){payload, out.len}, &ch);
    if (err == TWS_NOMEM)
        ask_again_later(w);
    if (err != TWS_OK)
        return;              /* tws_reverse_ready() comes again */
    if (r->pool->retiring) { /* with this id; its wishes are gone */
        tws_channel_reset(ch, TWS_CODE_NONE, NULL, now_of(r));
        return;
    }
    w->asked = true;
    tws_local_attach(&w->local, &wish_ops, r->egress.carrier, ch);
}

void tws_reverse_ready(struct tws_reverse *r)
{
    uint64_t now = now_of(r), next_at = UINT64_MAX;
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &r->wishes)
    {
        struct wish *w = TWS_CONTAINER(it, struct wish, wish_node);
        if (!tws_pool_ready(r->pool))
            return;
        if (!w->asked && w->ask_at_us <= now)
            ask(w);
        else if (!w->asked && w->ask_at_us < next_at)
            next_at = w->ask_at_us;
    }
    if (next_at != UINT64_MAX)
        tws_timer_start_at(&r->timer, next_at);
}

static void on_timer(struct tws_timer *t)
{
    tws_reverse_ready(TWS_CONTAINER(t, struct tws_reverse, timer));
}

/* ---- what the server accepted ---- */

static void refuse(struct tws_reverse *r, struct tws_channel *ch, uint16_t code, const char *why)
{
    if (tws_log_allow(&r->limit, now_of(r)))
        tws_log(TWS_LOG_WARN, "channel refused", "session=%s ch=%u reason=\"%s\"",
                r->egress.carrier->tag, (unsigned)tws_channel_id(ch), why);
    tws_channel_reset(ch, code, why, now_of(r));
    tws_carrier_kick(r->egress.carrier);
}

/* Of the channels that go to its remote, whatever the server says. */
static uint8_t kind_of(const struct wish *w)
{
    if (w->kind == TWS_FORWARD_UDP)
        return TWS_KIND_UDP;
    return w->conf->remote.type == TWS_SPOT_UNIX ? TWS_KIND_UNIX : TWS_KIND_TCP;
}

void tws_reverse_open(struct tws_reverse *r, struct tws_channel *ch, struct tws_span payload)
{
    struct tws_open open;

    if (tws_open_read(payload, &open) != TWS_OK) {
        refuse(r, ch, TWS_CODE_PROTOCOL, "not a target");
        return;
    }
    const struct wish *w = find_listener(r, open.listener);
    if (w == NULL) {
        refuse(r, ch, TWS_CODE_FORBIDDEN, "no reverse forward of this client");
        return;
    }
    if (has_remote(w)) {
        open.kind = kind_of(w);
        tws_target_from_spot(&w->conf->remote, &open.target);
    }
    tws_egress_serve(&r->egress, ch, &open);
}

/* ---- the set of wishes ---- */

static void free_wish(struct wish *w)
{
    if (w->asked)
        let_go(w);
    tws_list_unlink(&w->wish_node);
    tws_loop_free_later(w->reverse->pool->loop, w);
}

static void free_wishes(struct tws_node *list)
{
    struct wish *w;

    while ((w = TWS_LIST_FIRST(list, struct wish, wish_node)) != NULL)
        free_wish(w);
}

static struct wish *find_wish(struct tws_node *list, const struct tws_forward *conf)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, list)
    {
        struct wish *w = TWS_CONTAINER(it, struct wish, wish_node);
        if (w->kind == conf->kind && w->listen.port == conf->listen.port &&
            strcmp(w->listen.name, conf->listen.name) == 0)
            return w;
    }
    return NULL;
}

static struct wish *new_wish(struct tws_reverse *r, const struct tws_forward *conf)
{
    struct wish *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->reverse = r;
    w->listen = conf->listen;
    w->kind = conf->kind;
    tws_list_init(&w->wish_node);
    return w;
}

tws_err tws_reverse_set(struct tws_reverse *r, const struct tws_client_config *cfg)
{
    struct tws_node old;

    tws_list_init(&old);
    tws_list_append_all(&old, &r->wishes);
    r->egress_cfg.connect_timeout_ms = cfg->connect_timeout_ms;
    r->egress_cfg.udp_timeout_ms = cfg->link.udp_timeout_ms;
    r->egress_cfg.no_udp = cfg->link.no_udp;
    for (size_t i = 0; i < cfg->nreverses; i++) {
        struct wish *w = find_wish(&old, &cfg->reverses[i]);
        if (w == NULL)
            w = new_wish(r, &cfg->reverses[i]);
        if (w == NULL) {
            free_wishes(&old);
            return TWS_NOMEM;
        }
        w->conf = &cfg->reverses[i];
        tws_list_unlink(&w->wish_node);
        tws_list_push_back(&r->wishes, &w->wish_node);
    }
    free_wishes(&old);
    tws_reverse_ready(r);
    return TWS_OK;
}

/* ---- sessions ---- */

void tws_reverse_begin(struct tws_reverse *r, struct tws_carrier *c)
{
    struct tws_node *it, *next;

    /* Another session may be another server, with other rules: what was refused is asked now. */
    TWS_LIST_EACH(it, next, &r->wishes)
    TWS_CONTAINER(it, struct wish, wish_node)->ask_at_us = 0;
    tws_egress_init(&r->egress, c, &r->judge, &r->egress_cfg);
}

void tws_reverse_forget(struct tws_reverse *r)
{
    tws_egress_fini(&r->egress);
    r->egress.carrier = NULL;
}

void tws_reverse_end(struct tws_reverse *r)
{
    tws_timer_stop(&r->timer);
    free_wishes(&r->wishes);
}

void tws_reverse_init(struct tws_reverse *r, struct tws_pool *p, uint64_t seed)
{
    r->pool = p;
    r->judge.ops = &judge_ops;
    tws_list_init(&r->judge.listens);
    tws_list_init(&r->wishes);
    tws_timer_init(&r->timer, p->loop, on_timer);
    tws_backoff_init(&r->backoff, ASK_AGAIN_CAP_US, seed);
}

void tws_reverse_fini(struct tws_reverse *r)
{
    tws_reverse_end(r);
}

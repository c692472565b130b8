/* ingress.c - see ingress_priv.h: the set of ways in, and the line of those that wait. */
#include "address_priv.h"
#include "association_priv.h"
#include "inlet_priv.h"
#include "relay_priv.h"

#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS            1000u
#define WAITING_MAX   1024u
#define LOOK_AGAIN_US 1000000u

/* In the order of enum tws_forward_kind. */
static const struct tws_inlet_ops *const kinds[] = {
    [TWS_FORWARD_TCP] = &tws_inlet_tcp,   [TWS_FORWARD_SOCKS] = &tws_inlet_socks,
    [TWS_FORWARD_HTTP] = &tws_inlet_http, [TWS_FORWARD_PROXY] = &tws_inlet_proxy,
    [TWS_FORWARD_UDP] = &tws_inlet_udp,   [TWS_FORWARD_TRANSPARENT] = &tws_inlet_transparent,
    [TWS_FORWARD_TUN] = &tws_inlet_tun,
};
_Static_assert(sizeof kinds == TWS_FORWARD_END * sizeof(void *), "each kind has its operations");

struct waiting {
    struct tws_node waiting_node;
    struct tws_inlet *inlet;
    uint64_t since_us;
    struct tws_arrival arrival;
    uint8_t early[]; /* the arrival's */
};

/* ---- a channel for an arrival ---- */

static tws_err new_front(struct tws_ingress *in, const struct tws_arrival *a,
                         struct tws_front **out)
{
    const struct tws_front_config cfg = {
        .early = a->early,
        .reply = a->reply,
        .partings = &in->partings,
        .body = a->is_request ? &a->body : NULL,
    };

    *out = NULL;
    if (a->early.n == 0 && a->reply == NULL && !a->is_request)
        return TWS_OK;
    *out = tws_front_new(&cfg);
    return *out == NULL ? TWS_NOMEM : TWS_OK;
}

static void unwatch(const struct tws_arrival *a)
{
    if (a->io != NULL)
        tws_io_stop(a->io);
}

static void count(const struct tws_arrival *a, int more)
{
    if (a->count != NULL)
        *a->count += (uint32_t)more;
}

static tws_err take_terms(const struct tws_ingress *in, struct tws_relay_config *cfg)
{
    struct tws_judge_terms terms = {0};

    if (in->judge == NULL)
        return TWS_OK;
    if (!in->judge->ops->terms(in->judge, &terms))
        return TWS_E_STATE;
    cfg->up = terms.up;
    cfg->down = terms.down;
    cfg->count = &in->judge->nchannels;
    return TWS_OK;
}

static tws_err start_relay(struct tws_ingress *in, const struct tws_arrival *a,
                           struct tws_carrier *carrier, struct tws_channel *ch)
{
    char source[TWS_HOSTPORT_TEXT], target[TWS_HOSTPORT_TEXT];
    struct tws_relay_config cfg = {.carrier = carrier,
                                   .channel = ch,
                                   .fd = a->fd,
                                   .io = a->io,
                                   .is_unix = a->source.ss.ss_family == AF_UNIX,
                                   .source = source,
                                   .target = target,
                                   .count = a->count};
    tws_err err = take_terms(in, &cfg);

    if (err == TWS_OK)
        err = new_front(in, a, &cfg.front);
    if (err != TWS_OK) {
        unwatch(a);
        tws_socket_close(a->fd);
        return err;
    }
    tws_sockaddr_format(&a->source, source, sizeof source);
    tws_target_format(&a->target, target, sizeof target);
    err = tws_relay_new(&cfg);
    if (err == TWS_OK && cfg.count != NULL)
        ++*cfg.count;
    return err;
}

static void tell_closed(struct tws_ingress *in, const struct tws_arrival *a, const char *why)
{
    char target[TWS_HOSTPORT_TEXT];

    if (!tws_log_allow(&in->limit, tws_loop_now(in->loop)))
        return;
    tws_target_format(&a->target, target, sizeof target);
    tws_log(TWS_LOG_WARN, "connection closed", "target=%s reason=\"%s\"", target, why);
}

/* Closes it, with the answer that its protocol has for `code`. */
static void turn_away(struct tws_ingress *in, const struct tws_arrival *a, uint16_t code)
{
    uint8_t words[TWS_REPLY_MAX];

    unwatch(a);
    if (a->reply != NULL) {
        size_t n = a->reply->refused(code, (struct tws_span){NULL, 0}, words);
        tws_part(&in->partings, a->fd, (struct tws_span){words, n});
        return;
    }
    tws_socket_set_abort(a->fd);
    tws_socket_close(a->fd);
}

/* TWS_BLOCKED: the descriptor stays. */
static tws_err open_now(struct tws_inlet *l, const struct tws_arrival *a)
{
    struct tws_ingress *in = l->ingress;
    bool is_unix = a->target.type == TWS_TARGET_UNIX;
    const struct tws_open open = {.kind = is_unix ? TWS_KIND_UNIX : TWS_KIND_TCP,
                                  .target = a->target,
                                  .source = tws_address_target(&a->source),
                                  .original = a->original,
                                  .listener = l->asked_by};
    struct tws_carrier *carrier = NULL;
    struct tws_channel *ch = NULL;

    tws_err err = in->events->open(in->arg, &open, &carrier, &ch);
    if (err == TWS_BLOCKED)
        return err;
    if (err != TWS_OK)
        turn_away(in, a, TWS_CODE_RESOURCES);
    else if ((err = start_relay(in, a, carrier, ch)) != TWS_OK)
        tws_channel_reset(ch, TWS_CODE_RESOURCES, NULL, tws_loop_now(in->loop));
    if (err == TWS_NOMEM)
        tell_closed(in, a, tws_err_text(err));
    return TWS_OK;
}

/* ---- waiting ---- */

static void pause_all(struct tws_ingress *in, bool paused)
{
    struct tws_node *it, *next;

    if (in->paused == paused)
        return;
    in->paused = paused;
    TWS_LIST_EACH(it, next, &in->inlets)
    {
        struct tws_inlet *l = TWS_CONTAINER(it, struct tws_inlet, inlet_node);
        l->ops->pause(l, paused);
    }
}

static void end_waiting(struct tws_ingress *in, struct waiting *w)
{
    tws_list_unlink(&w->waiting_node);
    in->nwaiting--;
    count(&w->arrival, -1);
    free(w);
}

static void drop(struct tws_ingress *in, struct waiting *w)
{
    turn_away(in, &w->arrival, TWS_CODE_RESOURCES);
    end_waiting(in, w);
}

static void wake_inlets(struct tws_ingress *in)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &in->inlets)
    {
        struct tws_inlet *l = TWS_CONTAINER(it, struct tws_inlet, inlet_node);
        if (l->ops->ready != NULL)
            l->ops->ready(l);
    }
}

void tws_ingress_ready(struct tws_ingress *in)
{
    struct waiting *w;

    while ((w = TWS_LIST_FIRST(&in->waiting, struct waiting, waiting_node)) != NULL) {
        if (open_now(w->inlet, &w->arrival) == TWS_BLOCKED)
            return;
        end_waiting(in, w);
    }
    pause_all(in, false);
    wake_inlets(in);
    tws_associations_ready(in);
}

static void tell_no_link(struct tws_ingress *in, const struct waiting *w)
{
    char why[64];

    (void)snprintf(why, sizeof why, "no link to the server for %u ms", (unsigned)in->wait_ms);
    tell_closed(in, &w->arrival, why);
}

/* Those at their time's end are closed, unless a link is there and only the peer's channel limit
 * keeps them waiting. */
static void on_timer(struct tws_timer *t)
{
    struct tws_ingress *in = TWS_CONTAINER(t, struct tws_ingress, timer);
    uint64_t now = tws_loop_now(in->loop), wait = (uint64_t)in->wait_ms * MS;
    bool linked = in->events->is_linked(in->arg);
    struct waiting *w;

    while ((w = TWS_LIST_FIRST(&in->waiting, struct waiting, waiting_node)) != NULL) {
        if (w->since_us + wait > now || linked) {
            uint64_t at = w->since_us + wait;
            tws_timer_start_at(t, at > now ? at : now + LOOK_AGAIN_US);
            return;
        }
        tell_no_link(in, w);
        drop(in, w);
    }
    pause_all(in, false);
}

static struct waiting *new_waiting(struct tws_inlet *l, const struct tws_arrival *a)
{
    struct waiting *w = malloc(sizeof *w + a->early.n);

    if (w == NULL)
        return NULL;
    *w = (struct waiting){.inlet = l, .since_us = tws_loop_now(l->ingress->loop), .arrival = *a};
    if (a->early.n > 0)
        memcpy(w->early, a->early.p, a->early.n);
    w->arrival.early.p = w->early;
    w->arrival.io = NULL;
    tws_list_init(&w->waiting_node);
    return w;
}

static void wait_in_line(struct tws_inlet *l, const struct tws_arrival *a)
{
    struct tws_ingress *in = l->ingress;

    unwatch(a);
    struct waiting *w = new_waiting(l, a);
    if (w == NULL) {
        tell_closed(in, a, tws_err_text(TWS_NOMEM));
        turn_away(in, a, TWS_CODE_RESOURCES);
        return;
    }
    tws_list_push_back(&in->waiting, &w->waiting_node);
    in->nwaiting++;
    count(a, 1);
    if (!tws_timer_running(&in->timer))
        tws_timer_start(&in->timer, (uint64_t)in->wait_ms * MS);
    if (in->nwaiting >= WAITING_MAX || in->events->is_linked(in->arg))
        pause_all(in, true);
}

void tws_inlet_arrive(struct tws_inlet *l, const struct tws_arrival *a)
{
    struct tws_ingress *in = l->ingress;

    /* First come, first served: nobody overtakes those who wait. */
    if (in->nwaiting > 0 || open_now(l, a) == TWS_BLOCKED)
        wait_in_line(l, a);
}

static void on_greeted(void *owner, const struct tws_arrival *a)
{
    if (!a->is_association) {
        tws_inlet_arrive(owner, a);
        return;
    }
    unwatch(a);
    tws_associate(owner, a);
}

/* ---- the set of ways in ---- */

static void free_inlet(struct tws_inlet *l)
{
    struct tws_ingress *in = l->ingress;
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &in->waiting)
    {
        struct waiting *w = TWS_CONTAINER(it, struct waiting, waiting_node);
        if (w->inlet == l)
            drop(in, w);
    }
    tws_greetings_drop(&in->greetings, l);
    tws_associations_drop(in, l);
    tws_list_unlink(&l->inlet_node);
    l->ops->close(l);
    tws_loop_free_later(in->loop, l);
}

static void free_inlets(struct tws_node *list)
{
    struct tws_inlet *l;

    while ((l = TWS_LIST_FIRST(list, struct tws_inlet, inlet_node)) != NULL)
        free_inlet(l);
}

static void tell_cannot_listen(const struct tws_forward *conf, tws_err err, int error)
{
    char where[TWS_SPOT_TEXT];

    if (conf->listen.type == TWS_SPOT_NONE) /* its kind has said so */
        return;
    tws_spot_format(&conf->listen, where, sizeof where);
    tws_log(TWS_LOG_ERROR, "cannot listen", "listen=%s reason=\"%s%s\"", where,
            err == TWS_SYS ? strerror(error) : tws_err_text(err),
            err == TWS_SYS ? tws_entrance_advice(&conf->listen, error) : "");
}

static void tell_listening(const struct tws_inlet *l)
{
    char where[TWS_SPOT_TEXT], remote[TWS_SPOT_TEXT];

    if (l->listen.type == TWS_SPOT_NONE)
        return;
    tws_spot_format(&l->listen, where, sizeof where);
    tws_spot_format(&l->conf->remote, remote, sizeof remote);
    if (l->ops->greeter != NULL)
        tws_log(TWS_LOG_INFO, "listening", "listen=%s kind=%s", where, l->ops->greeter->name);
    else if (l->conf->remote.type == TWS_SPOT_NONE)
        tws_log(TWS_LOG_INFO, "listening", "listen=%s", where);
    else
        tws_log(TWS_LOG_INFO, "listening", "listen=%s remote=%s", where, remote);
}

static tws_err new_inlet(struct tws_ingress *in, const struct tws_forward *conf,
                         struct tws_inlet **out)
{
    struct tws_inlet *l = calloc(1, sizeof *l);

    if (l == NULL)
        return TWS_NOMEM;
    l->ingress = in;
    l->ops = kinds[conf->kind];
    l->conf = conf;
    l->listen = conf->listen;
    tws_list_init(&l->inlet_node);
    tws_err err = l->ops->open(l);
    if (err != TWS_OK) {
        int saved = errno;
        free(l);
        errno = saved;
        return err;
    }
    *out = l;
    return TWS_OK;
}

tws_err tws_ingress_add(struct tws_ingress *in, const struct tws_forward *conf, uint32_t asked_by,
                        struct tws_inlet **out)
{
    tws_err err = new_inlet(in, conf, out);

    if (err != TWS_OK)
        return err;
    (*out)->asked_by = asked_by;
    tws_list_push_back(&in->inlets, &(*out)->inlet_node);
    (*out)->ops->pause(*out, in->paused);
    return TWS_OK;
}

void tws_ingress_remove(struct tws_inlet *l)
{
    free_inlet(l);
}

void tws_ingress_renew_access(struct tws_inlet *l)
{
    if (tws_unix_socket_set_access(&l->file, &l->conf->access) != TWS_OK)
        tws_log(TWS_LOG_WARN, "access not changed", "listen=unix:%s reason=\"%s\"", l->file.path,
                strerror(errno));
}

void tws_ingress_changed(struct tws_inlet *l)
{
    if (l->ops->changed != NULL)
        l->ops->changed(l);
}

void tws_ingress_inlet_address(const struct tws_inlet *l, struct tws_sockaddr *out)
{
    *out = (struct tws_sockaddr){.len = 0};
    l->ops->address(l, out);
}

/* What is open serves another kind too if that opens the same. */
static bool is_same(const struct tws_inlet *l, const struct tws_forward *conf)
{
    return l->ops->open == kinds[conf->kind]->open && l->conf->tproxy == conf->tproxy &&
           l->conf->local == conf->local && l->listen.type == conf->listen.type &&
           l->listen.port == conf->listen.port && strcmp(l->listen.name, conf->listen.name) == 0;
}

static struct tws_inlet *find(struct tws_node *list, const struct tws_forward *conf)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, list)
    {
        struct tws_inlet *l = TWS_CONTAINER(it, struct tws_inlet, inlet_node);
        if (is_same(l, conf))
            return l;
    }
    return NULL;
}

/* What has nothing open yet, on `fresh`. */
static tws_err open_fresh(struct tws_ingress *in, const struct tws_forward *forwards, size_t n,
                          struct tws_node *fresh)
{
    for (size_t i = 0; i < n; i++) {
        struct tws_inlet *l = NULL;
        if (find(&in->inlets, &forwards[i]) != NULL)
            continue;
        tws_err err = new_inlet(in, &forwards[i], &l);
        if (err != TWS_OK) {
            int saved = errno;
            tell_cannot_listen(&forwards[i], err, saved);
            free_inlets(fresh);
            errno = saved;
            return err;
        }
        tell_listening(l);
        tws_list_push_back(fresh, &l->inlet_node);
    }
    return TWS_OK;
}

/* The kernel's rules for what is transparent of these. */
static tws_err catch_all(struct tws_ingress *in, const char *name,
                         const struct tws_forward *forwards, size_t n, struct tws_node *fresh)
{
    struct tws_catch *catches = calloc(n + 1, sizeof *catches);
    size_t found = 0;

    if (catches == NULL)
        return TWS_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (forwards[i].kind != TWS_FORWARD_TRANSPARENT)
            continue;
        const struct tws_inlet *l = find(&in->inlets, &forwards[i]);
        if (l == NULL)
            l = find(fresh, &forwards[i]);
        tws_inlet_catch(l, &forwards[i], &catches[found++]);
    }
    tws_err err = tws_catcher_set(&in->catcher, name, catches, found);
    free(catches);
    return err;
}

static void set_conf(struct tws_inlet *l, const struct tws_forward *conf)
{
    if (l->conf == conf)
        return;
    l->conf = conf;
    l->ops = kinds[conf->kind];
    tws_ingress_renew_access(l);
    if (l->ops->changed != NULL)
        l->ops->changed(l);
}

tws_err tws_ingress_set(struct tws_ingress *in, const char *name,
                        const struct tws_forward *forwards, size_t n)
{
    struct tws_node next, fresh;

    tws_list_init(&next);
    tws_list_init(&fresh);
    tws_err err = open_fresh(in, forwards, n, &fresh);
    if (err != TWS_OK)
        return err;
    err = catch_all(in, name, forwards, n, &fresh);
    if (err != TWS_OK) {
        int saved = errno;
        free_inlets(&fresh);
        errno = saved;
        return err;
    }
    for (size_t i = 0; i < n; i++) {
        struct tws_inlet *l = find(&in->inlets, &forwards[i]);
        if (l == NULL)
            l = TWS_LIST_FIRST(&fresh, struct tws_inlet, inlet_node);
        tws_list_unlink(&l->inlet_node);
        tws_list_push_back(&next, &l->inlet_node);
        set_conf(l, &forwards[i]);
        l->ops->pause(l, in->paused);
    }
    free_inlets(&in->inlets);
    tws_list_append_all(&in->inlets, &next);
    return TWS_OK;
}

void tws_ingress_stop(struct tws_ingress *in)
{
    struct tws_node *it, *next;

    tws_catcher_end(&in->catcher);
    TWS_LIST_EACH(it, next, &in->inlets)
    {
        struct tws_inlet *l = TWS_CONTAINER(it, struct tws_inlet, inlet_node);
        l->ops->close(l);
    }
    tws_greetings_drop(&in->greetings, NULL);
    tws_associations_drop(in, NULL);
}

void tws_ingress_address(const struct tws_ingress *in, size_t i, struct tws_sockaddr *out)
{
    struct tws_node *it, *next;

    *out = (struct tws_sockaddr){.len = 0};
    TWS_LIST_EACH(it, next, &in->inlets)
    {
        const struct tws_inlet *l = TWS_CONTAINER(it, struct tws_inlet, inlet_node);
        if (i-- == 0) {
            l->ops->address(l, out);
            return;
        }
    }
}

/* ---- life ---- */

void tws_ingress_init(struct tws_ingress *in, struct tws_loop *loop,
                      const struct tws_ingress_events *ev, void *arg, uint32_t wait_ms)
{
    *in = (struct tws_ingress){.loop = loop, .events = ev, .arg = arg, .wait_ms = wait_ms};
    tws_list_init(&in->inlets);
    tws_list_init(&in->waiting);
    tws_list_init(&in->associations);
    tws_timer_init(&in->timer, loop, on_timer);
    tws_partings_init(&in->partings, loop);
    tws_catcher_init(&in->catcher, loop);
    tws_greetings_init(&in->greetings, loop, &in->partings, on_greeted);
}

void tws_ingress_fini(struct tws_ingress *in)
{
    tws_timer_stop(&in->timer);
    tws_catcher_fini(&in->catcher);
    free_inlets(&in->inlets);
    tws_partings_fini(&in->partings);
}

/* ingress_forward.c - see ingress_priv.h. */
#include "ingress_priv.h"

#include "tws/net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS            1000u
#define WAITING_MAX   1024u
#define LOOK_AGAIN_US 1000000u

struct forward {
    struct tws_node forward_node; /* the ingress's, in the order of the configuration */
    struct tws_ingress *ingress;
    struct tws_listener *listener;
    struct tws_hostport listen;
    struct tws_target target;
    char target_text[TWS_HOSTPORT_TEXT];
};

struct waiting {
    struct tws_node waiting_node;
    struct forward *forward;
    uint64_t since_us;
    struct tws_sockaddr peer;
    int fd;
};

/* ---- waiting ---- */

static void pause_all(struct tws_ingress *in, bool paused)
{
    struct tws_node *it, *next;

    if (in->paused == paused)
        return;
    in->paused = paused;
    TWS_LIST_EACH(it, next, &in->forwards)
    tws_listener_pause(TWS_CONTAINER(it, struct forward, forward_node)->listener, paused);
}

static void end_waiting(struct tws_ingress *in, struct waiting *w)
{
    tws_list_unlink(&w->waiting_node);
    in->nwaiting--;
    free(w);
}

static void drop(struct tws_ingress *in, struct waiting *w)
{
    tws_socket_set_abort(w->fd);
    tws_socket_close(w->fd);
    end_waiting(in, w);
}

static tws_err open_now(struct forward *f, int fd, const struct tws_sockaddr *peer)
{
    const struct tws_arrival a = {
        .fd = fd, .peer = peer, .target = &f->target, .target_text = f->target_text};

    return f->ingress->events->open(f->ingress->arg, &a);
}

void tws_ingress_ready(struct tws_ingress *in)
{
    struct waiting *w;

    while ((w = TWS_LIST_FIRST(&in->waiting, struct waiting, waiting_node)) != NULL) {
        if (open_now(w->forward, w->fd, &w->peer) == TWS_BLOCKED)
            return;
        end_waiting(in, w);
    }
    pause_all(in, false);
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
        if (tws_log_allow(&in->limit, now))
            tws_log(TWS_LOG_WARN, "connection closed",
                    "target=%s reason=\"no link to the server for %u ms\"", w->forward->target_text,
                    (unsigned)in->wait_ms);
        drop(in, w);
    }
    pause_all(in, false);
}

static void wait_in_line(struct forward *f, int fd, const struct tws_sockaddr *peer)
{
    struct tws_ingress *in = f->ingress;
    struct waiting *w = calloc(1, sizeof *w);

    if (w == NULL) {
        tws_socket_set_abort(fd);
        tws_socket_close(fd);
        return;
    }
    w->forward = f;
    w->fd = fd;
    w->peer = *peer;
    w->since_us = tws_loop_now(in->loop);
    tws_list_init(&w->waiting_node);
    tws_list_push_back(&in->waiting, &w->waiting_node);
    in->nwaiting++;
    if (!tws_timer_running(&in->timer))
        tws_timer_start(&in->timer, (uint64_t)in->wait_ms * MS);
    if (in->nwaiting >= WAITING_MAX || in->events->is_linked(in->arg))
        pause_all(in, true);
}

static void on_accept(void *arg, int fd, const struct tws_sockaddr *peer)
{
    struct forward *f = arg;

    /* First come, first served: nobody overtakes those who wait. */
    if (f->ingress->nwaiting > 0 || open_now(f, fd, peer) == TWS_BLOCKED)
        wait_in_line(f, fd, peer);
}

/* ---- forwards ---- */

static void set_remote(struct forward *f, const struct tws_hostport *remote)
{
    tws_target_from_hostport(remote, &f->target);
    tws_target_format(&f->target, f->target_text, sizeof f->target_text);
}

static void free_forward(struct forward *f)
{
    struct tws_ingress *in = f->ingress;
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &in->waiting)
    {
        struct waiting *w = TWS_CONTAINER(it, struct waiting, waiting_node);
        if (w->forward == f)
            drop(in, w);
    }
    tws_list_unlink(&f->forward_node);
    tws_listener_close(f->listener);
    tws_loop_free_later(in->loop, f);
}

static void free_forwards(struct tws_node *list)
{
    struct forward *f;

    while ((f = TWS_LIST_FIRST(list, struct forward, forward_node)) != NULL)
        free_forward(f);
}

static tws_err new_forward(struct tws_ingress *in, const struct tws_forward *conf,
                           struct forward **out)
{
    struct forward *f = calloc(1, sizeof *f);
    char where[TWS_HOSTPORT_TEXT];

    if (f == NULL)
        return TWS_NOMEM;
    f->ingress = in;
    f->listen = conf->listen;
    set_remote(f, &conf->remote);
    tws_list_init(&f->forward_node);
    tws_hostport_format(&conf->listen, where, sizeof where);
    tws_err err = tws_listener_open(in->loop, &conf->listen, on_accept, f, &f->listener);
    if (err != TWS_OK) {
        int saved = errno;
        tws_log(TWS_LOG_ERROR, "cannot listen", "listen=%s reason=\"%s%s\"", where,
                err == TWS_SYS ? strerror(saved) : tws_err_text(err),
                err == TWS_SYS ? tws_listener_advice(saved) : "");
        free(f);
        errno = saved;
        return err;
    }
    tws_log(TWS_LOG_INFO, "listening", "listen=%s remote=%s", where, f->target_text);
    *out = f;
    return TWS_OK;
}

static struct forward *find(struct tws_node *list, const struct tws_hostport *listen)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, list)
    {
        struct forward *f = TWS_CONTAINER(it, struct forward, forward_node);
        if (f->listen.port == listen->port && strcmp(f->listen.host, listen->host) == 0)
            return f;
    }
    return NULL;
}

/* Listeners for what has none yet, on `fresh`. */
static tws_err open_fresh(struct tws_ingress *in, const struct tws_forward *forwards, size_t n,
                          struct tws_node *fresh)
{
    for (size_t i = 0; i < n; i++) {
        struct forward *f = NULL;
        if (find(&in->forwards, &forwards[i].listen) != NULL)
            continue;
        tws_err err = new_forward(in, &forwards[i], &f);
        if (err != TWS_OK) {
            int saved = errno;
            free_forwards(fresh);
            errno = saved;
            return err;
        }
        tws_list_push_back(fresh, &f->forward_node);
    }
    return TWS_OK;
}

tws_err tws_ingress_set(struct tws_ingress *in, const struct tws_forward *forwards, size_t n)
{
    struct tws_node next, fresh;

    tws_list_init(&next);
    tws_list_init(&fresh);
    tws_err err = open_fresh(in, forwards, n, &fresh);
    if (err != TWS_OK)
        return err;
    for (size_t i = 0; i < n; i++) {
        struct forward *f = find(&in->forwards, &forwards[i].listen);
        if (f == NULL)
            f = TWS_LIST_FIRST(&fresh, struct forward, forward_node);
        tws_list_unlink(&f->forward_node);
        tws_list_push_back(&next, &f->forward_node);
        set_remote(f, &forwards[i].remote);
        tws_listener_pause(f->listener, in->paused);
    }
    free_forwards(&in->forwards);
    tws_list_append_all(&in->forwards, &next);
    return TWS_OK;
}

void tws_ingress_stop(struct tws_ingress *in)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &in->forwards)
    {
        struct forward *f = TWS_CONTAINER(it, struct forward, forward_node);
        tws_listener_close(f->listener);
        f->listener = NULL;
    }
}

void tws_ingress_address(const struct tws_ingress *in, size_t i, struct tws_sockaddr *out)
{
    struct tws_node *it, *next;

    *out = (struct tws_sockaddr){.len = 0};
    TWS_LIST_EACH(it, next, &in->forwards)
    {
        struct forward *f = TWS_CONTAINER(it, struct forward, forward_node);
        if (i-- == 0 && f->listener != NULL) {
            tws_listener_address(f->listener, out);
            return;
        }
    }
}

/* ---- life ---- */

void tws_ingress_init(struct tws_ingress *in, struct tws_loop *loop,
                      const struct tws_ingress_events *ev, void *arg, uint32_t wait_ms)
{
    *in = (struct tws_ingress){.loop = loop, .events = ev, .arg = arg, .wait_ms = wait_ms};
    tws_list_init(&in->forwards);
    tws_list_init(&in->waiting);
    tws_timer_init(&in->timer, loop, on_timer);
}

void tws_ingress_fini(struct tws_ingress *in)
{
    tws_timer_stop(&in->timer);
    free_forwards(&in->forwards);
}

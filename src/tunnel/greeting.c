/* greeting.c - see greeting_priv.h. */
#include "greeting_priv.h"

#include "tws/base/log.h"
#include "tws/base/secret.h"
#include "tws/proto/proxy_header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAP 512u /* enough for SOCKS and for most requests */

/* ---- ends ---- */

static void forget(struct tws_greeting *g)
{
    tws_list_unlink(&g->greeting_node);
    g->greetings->n--;
    tws_timer_stop(&g->timer);
    tws_loop_free_later(g->greetings->loop, g->buf);
    tws_loop_free_later(g->greetings->loop, g);
}

/* Nothing watches the descriptor afterwards; it is the caller's. */
static int let_go(struct tws_greeting *g)
{
    tws_io_stop(&g->io);
    forget(g);
    return g->io.fd;
}

static void tell(struct tws_greeting *g, const char *why)
{
    struct tws_greetings *all = g->greetings;
    char source[TWS_HOSTPORT_TEXT];

    if (!tws_source_limit_allow(&all->limit, &g->arrival.source, tws_loop_now(all->loop)))
        return;
    tws_sockaddr_format(&g->arrival.source, source, sizeof source);
    tws_log(TWS_LOG_WARN, "connection refused", "source=%s kind=%s reason=\"%s\"", source,
            g->greeter->name, why);
}

/* The last words were said. */
static void send_away(struct tws_greeting *g)
{
    struct tws_partings *partings = g->greetings->partings;

    tws_wipe(g->buf, g->n);
    tws_part(partings, let_go(g), (struct tws_span){NULL, 0});
}

static void fail(struct tws_greeting *g, const char *why)
{
    tell(g, why);
    send_away(g);
}

static void give_up(struct tws_greeting *g, tws_err why, const char *text)
{
    if (g->greeter->give_up != NULL)
        g->greeter->give_up(g, why);
    fail(g, text);
}

static void finish(struct tws_greeting *g)
{
    struct tws_greetings *all = g->greetings;

    if (!g->emptied)
        tws_io_stop(&g->io);
    forget(g); /* it and the bytes live on to the end of the turn */
    g->arrival.early = (struct tws_span){g->buf, g->n};
    g->arrival.io = tws_io_running(&g->io) ? &g->io : NULL;
    all->on_done(g->owner, &g->arrival);
}

void tws_greeting_say(struct tws_greeting *g, const void *words, size_t n)
{
    if (send(g->io.fd, words, n, MSG_NOSIGNAL) != (ssize_t)n)
        g->unheard = true;
}

bool tws_greeting_replace(struct tws_greeting *g, size_t used, struct tws_span by, size_t rest)
{
    uint8_t *p = malloc(by.n + rest);

    if (p == NULL)
        return false;
    memcpy(p, by.p, by.n);
    memcpy(p + by.n, g->buf + used, rest);
    tws_wipe(g->buf, g->n);
    free(g->buf);
    g->buf = p;
    g->n = g->cap = by.n + rest;
    return true;
}

/* ---- bytes ---- */

/* True: it goes on. */
static bool understand(struct tws_greeting *g)
{
    for (;;) {
        size_t used = 0;
        enum tws_greet r = g->greeter->read(g, (struct tws_span){g->buf, g->n}, &used);

        g->n -= used;
        memmove(g->buf, g->buf + used, g->n);
        tws_wipe(g->buf + g->n, used); /* there may have been a password */
        if (g->unheard) {
            send_away(g);
            return false;
        }
        if (r == TWS_GREET_MORE && used > 0)
            continue;
        if (r == TWS_GREET_MORE)
            return true;
        if (r == TWS_GREET_DONE)
            finish(g);
        else
            fail(g, g->why);
        return false;
    }
}

static bool make_room(struct tws_greeting *g)
{
    size_t cap = g->cap == 0 ? FIRST_CAP : g->cap * 2;
    uint8_t *p = NULL;

    if (g->n < g->cap)
        return true;
    if (g->n >= TWS_GREETING_MAX) {
        give_up(g, TWS_FULL, "too many bytes for a request");
        return false;
    }
    p = malloc(cap);
    if (p == NULL) {
        fail(g, "out of memory");
        return false;
    }
    if (g->n > 0) {
        memcpy(p, g->buf, g->n);
        tws_wipe(g->buf, g->n); /* realloc() would leave a password behind */
    }
    free(g->buf);
    g->buf = p;
    g->cap = cap;
    return true;
}

/* True: it goes on. A read that leaves room has emptied the socket, but for an end or urgent data
 * that was told of before. */
static bool read_on(struct tws_greeting *g, bool to_the_end)
{
    while (make_room(g)) {
        size_t room = g->cap - g->n;
        ssize_t n = read(g->io.fd, g->buf + g->n, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            send_away(g); /* it thought better of it */
            return false;
        }
        g->n += (size_t)n;
        g->emptied = (size_t)n < room && !to_the_end;
        if (!understand(g))
            return false;
        if (g->emptied)
            return true;
    }
    return false;
}

static void on_io(struct tws_io *io, unsigned events)
{
    struct tws_greeting *g = TWS_CONTAINER(io, struct tws_greeting, io);

    if (events & (TWS_IO_READ | TWS_IO_HUP))
        (void)read_on(g, (events & (TWS_IO_HUP | TWS_IO_URGENT)) != 0);
}

static void on_timer(struct tws_timer *t)
{
    give_up(TWS_CONTAINER(t, struct tws_greeting, timer), TWS_BLOCKED, "no request for 10 s");
}

/* ---- the header of a proxy in front ---- */

static enum tws_greet read_header(struct tws_greeting *g, struct tws_span in, size_t *used)
{
    struct tws_proxy_header h;
    tws_err err = tws_proxy_header_read(in, &h, used);

    if (err == TWS_SHORT)
        return TWS_GREET_MORE;
    if (err != TWS_OK) {
        g->why = "no PROXY protocol header from a trusted proxy";
        return TWS_GREET_FAIL;
    }
    if (h.known) {
        tws_sockaddr_set(&g->arrival.source, &h.source, h.source_port);
        g->arrival.original = tws_target_from_ip(&h.destination, h.destination_port);
    }
    if (g->next == NULL)
        return TWS_GREET_DONE;
    g->greeter = g->next;
    return TWS_GREET_MORE;
}

static const struct tws_greeter header_greeter = {.name = "proxy-protocol", .read = read_header};

/* ---- life ---- */

static void make_way(struct tws_greetings *all)
{
    struct tws_greeting *oldest = TWS_LIST_FIRST(&all->list, struct tws_greeting, greeting_node);

    if (all->n >= TWS_GREETINGS_MAX)
        give_up(oldest, TWS_BLOCKED, "too many connections without a request");
}

static struct tws_greeting *new_greeting(struct tws_greetings *all,
                                         const struct tws_greeting_config *cfg)
{
    struct tws_greeting *g = calloc(1, sizeof *g);

    if (g == NULL)
        return NULL;
    g->greetings = all;
    g->greeter = cfg->has_header ? &header_greeter : cfg->greeter;
    g->next = cfg->greeter;
    g->conf = cfg->conf;
    g->owner = cfg->owner;
    g->arrival = cfg->arrival;
    g->io.fd = cfg->arrival.fd;
    tws_timer_init(&g->timer, all->loop, on_timer);
    tws_list_init(&g->greeting_node);
    tws_list_push_back(&all->list, &g->greeting_node);
    all->n++;
    return g;
}

/* Mostly its first bytes are there already, and often all that it has to say. */
void tws_greeting_start(struct tws_greetings *all, const struct tws_greeting_config *cfg)
{
    make_way(all);
    struct tws_greeting *g = new_greeting(all, cfg);
    if (g == NULL) {
        tws_socket_close(cfg->arrival.fd);
        return;
    }
    if (!read_on(g, false))
        return;
    if (tws_io_start(all->loop, &g->io, cfg->arrival.fd, on_io) == TWS_OK)
        tws_timer_start(&g->timer, TWS_GREETING_US);
    else
        tws_socket_close(let_go(g));
}

void tws_greetings_drop(struct tws_greetings *all, const void *owner)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &all->list)
    {
        struct tws_greeting *g = TWS_CONTAINER(it, struct tws_greeting, greeting_node);
        if (owner == NULL || g->owner == owner)
            tws_socket_close(let_go(g));
    }
}

void tws_greetings_init(struct tws_greetings *all, struct tws_loop *loop,
                        struct tws_partings *partings,
                        void (*on_done)(void *owner, const struct tws_arrival *a))
{
    *all = (struct tws_greetings){.loop = loop, .partings = partings, .on_done = on_done};
    tws_list_init(&all->list);
}

/*
 * fuzz_session.c - two honest sessions, driven by a list of operations: links come and die,
 * messages are built, delivered, or lost with their link, channels open, send, stall, stop and end,
 * time passes.
 *
 * Whatever the list: no assertion, no session that ends by a protocol error, every byte once and in
 * order (pair.h checks each), a message whenever one was announced, no deadline in the past, and at
 * the end every channel released and no memory left.
 *
 * Input: pairs of bytes, an operation and its argument.
 */
#include "../support/wire.h"

#include "tws/mux/session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPS_MAX    400u
#define MEMORY     (8u << 20)
#define APPS_MAX   40u
#define LINKS_MAX  14u
#define GRACE_US   (3600 * SEC)
#define IDLE_BYTES 20000u

static struct pair p;
static unsigned links; /* used so far */

static struct side *side_of(uint8_t arg)
{
    return arg & 1 ? &p.s : &p.c;
}

static struct side *peer_of(const struct side *d)
{
    return d == &p.c ? &p.s : &p.c;
}

static unsigned link_of(uint8_t arg)
{
    return links == 0 ? 0 : (arg >> 1 & 15u) % links;
}

static struct app *app_of(struct side *d, uint8_t arg)
{
    unsigned n = arg >> 1 & 15u;
    struct app *a = d->apps;

    while (a != NULL && n-- > 0)
        a = a->next;
    return a != NULL && a->ch != NULL ? a : NULL;
}

static unsigned apps_of(const struct side *d)
{
    unsigned n = 0;

    for (const struct app *a = d->apps; a != NULL; a = a->next)
        n++;
    return n;
}

/* ---- operations ---- */

static void op_link(uint8_t arg)
{
    if (links >= LINKS_MAX)
        return;
    unsigned i = links++;
    if (side_link(&p.s, i) == TWS_OK && (arg & 7) != 0) /* 0: the WELCOME is lost */
        assert(side_link(&p.c, i) != TWS_NOMEM);
}

/* All that was announced comes, and nothing is announced that does not come. */
static void op_flush(uint8_t arg)
{
    struct side *d = side_of(arg);
    unsigned i = link_of(arg);

    if (d->link[i] == NULL)
        return;
    bool wanted = tws_session_wants_write(d->s, d->link[i], d->now);
    unsigned was = d->tail[i], room = 1 + (arg >> 5);
    d->cap = d->tail[i] - d->head[i] + room;
    side_flush(d, i);
    d->cap = 0;
    /* A datagram that must wait for OPENED shows only when it is pulled. */
    assert(!wanted || d->tail[i] != was || d->link[i] == NULL ||
           !tws_session_wants_write(d->s, d->link[i], d->now));
}

static void op_deliver(uint8_t arg)
{
    struct side *from = side_of(arg);

    for (unsigned n = 1 + (arg >> 5); n > 0; n--)
        deliver(from, peer_of(from), link_of(arg));
}

static void op_open(uint8_t arg)
{
    struct side *d = side_of(arg);

    if (apps_of(d) >= APPS_MAX)
        return;
    if ((arg & 14) != 14) {
        side_open(d, (arg >> 1) * 300u, arg > 200);
        return;
    }
    struct app *a = side_open_kind(d, TWS_KIND_UDP, arg >> 4, false);
    if (a != NULL)
        a->size = arg * 50u;
}

static void op_send(uint8_t arg)
{
    struct side *d = side_of(arg);
    struct app *a = app_of(d, arg);

    if (a == NULL)
        return;
    if (a->datagrams) {
        a->size = arg * 129u;
        side_send(d, a, arg >> 5, false);
    } else if (!a->fin)
        side_send(d, a, 1 + (arg >> 5) * 9000u, arg >> 5 == 7);
}

static void op_reset(uint8_t arg)
{
    struct side *d = side_of(arg);
    struct app *a = app_of(d, arg);

    if (a == NULL)
        return;
    a->reset = true;
    tws_channel_reset(a->ch, TWS_CODE_TARGET_RESET, arg > 100 ? "text" : NULL, d->now);
    side_events(d);
}

static void op_stop(uint8_t arg)
{
    struct side *d = side_of(arg);
    struct app *a = app_of(d, arg);

    if (a == NULL)
        return;
    a->stopped = true;
    tws_channel_stop(a->ch, TWS_CODE_NONE, d->now);
    side_events(d);
}

static void op_pause(uint8_t arg)
{
    struct side *d = side_of(arg);
    struct app *a = app_of(d, arg);

    d->pause_new = arg > 220;
    if (a == NULL)
        return;
    a->paused = !a->paused;
    if (!a->paused)
        app_read(d, a);
    side_events(d);
}

static void op_lose(uint8_t arg)
{
    side_lose(side_of(arg), link_of(arg));
}

static void op_tick(uint8_t arg)
{
    static const uint64_t steps[] = {1, 1000, 10 * MS, 100 * MS, SEC, 3 * SEC, 11 * SEC, 16 * SEC};

    pair_tick(&p, steps[arg & 7]);
}

static void op_role(uint8_t arg)
{
    unsigned i = link_of(arg);

    if (p.c.link[i] != NULL)
        tws_session_link_set_role(p.c.s, p.c.link[i], 1 + (arg >> 5) % 3, arg >> 6, p.c.now);
}

static void op_run(uint8_t arg)
{
    if (arg & 1)
        pair_pass(&p, 30 * MS, 10 * MS);
    else
        pair_run(&p);
}

static void op_drain(uint8_t arg)
{
    if (arg == 77)
        tws_session_drain(p.s.s, TWS_CODE_SHUTDOWN, 1000, p.s.now);
}

static void (*const ops[])(uint8_t) = {
    op_link, op_flush, op_flush, op_flush, op_deliver, op_deliver, op_deliver,
    op_open, op_send,  op_send,  op_reset, op_stop,    op_pause,   op_lose,
    op_tick, op_tick,  op_role,  op_run,   op_drain,
};

/* ---- what must hold ---- */

static void check_side(struct side *d)
{
    assert(!d->closed);
    assert(tws_session_stats(d->s).memory <= MEMORY + MEMORY / 8);
}

/* Each datagram arrived, or went with a link: both sides count all they know. */
static bool datagrams_are_accounted_for(void)
{
    struct side *sides[] = {&p.c, &p.s};
    uint64_t sent = 0, got = 0;

    for (int i = 0; i < 2; i++) {
        struct tws_session_stats st = tws_session_stats(sides[i]->s);
        sent += st.datagrams_sent - st.datagrams_lost;
        got += st.datagrams_received;
        for (struct app *a = sides[i]->apps; a != NULL; a = a->next)
            if (a->datagrams && (a->reset || a->stopped))
                return true; /* what came later was ignored */
    }
    return sent == got;
}

/* What `from` sent is what `to` got, unless one of them ended it early. */
static void check_streams(struct side *from, struct side *to)
{
    for (struct app *a = from->apps; a != NULL; a = a->next) {
        struct app *b = side_app(to, a->id);
        if (a->reset || a->stopped || a->datagrams)
            continue;
        assert(b != NULL);
        if (!b->reset && !b->stopped)
            assert(b->got == a->sent && (!a->fin || b->ended));
    }
}

/* Who says that all was acknowledged is right, although some of it went twice. */
static void check_acknowledged(struct side *from, struct side *to)
{
    if (!tws_session_acknowledged(from->s))
        return;
    for (struct app *a = from->apps; a != NULL; a = a->next) {
        struct app *b = side_app(to, a->id);
        bool early = a->reset || a->stopped || b == NULL || b->reset || b->stopped;
        assert(early || a->datagrams || b->paused || b->got == a->sent);
    }
}

static void end_channels(struct side *d)
{
    d->pause_new = false;
    for (struct app *a = d->apps; a != NULL; a = a->next) {
        a->paused = false;
        if (a->ch != NULL)
            app_read(d, a);
        if (a->ch != NULL && a->datagrams)
            tws_channel_reset(a->ch, TWS_CODE_IDLE, NULL, d->now);
        else if (a->ch != NULL && !a->fin)
            side_send(d, a, 0, true);
    }
    side_events(d);
}

static bool all_gone(const struct side *d)
{
    return tws_session_stats(d->s).channels == 0;
}

/* A fresh link, then everything comes to its end, also when each side has sent its DEAD over a link
 * that the other had given up without a word. */
static void wind_down(void)
{
    pair_link(&p, links++);
    pair_pass(&p, 600 * MS, 20 * MS);
    for (int i = 0; i < 50 && !datagrams_are_accounted_for(); i++)
        pair_pass(&p, 600 * MS, 20 * MS);
    assert(datagrams_are_accounted_for());
    for (int i = 0; i < 50 && !(all_gone(&p.c) && all_gone(&p.s)); i++) {
        pair_pass(&p, 600 * MS, 20 * MS);
        end_channels(&p.c);
        end_channels(&p.s);
    }
    assert(all_gone(&p.c) && all_gone(&p.s));
    check_streams(&p.c, &p.s);
    check_streams(&p.s, &p.c);
    pair_pass(&p, 60 * MS, 12 * MS); /* the last ACKs */
    pair_pass(&p, 70 * SEC, 5 * SEC);
    assert(tws_session_deadline(p.c.s) > p.c.now && tws_session_deadline(p.s.s) > p.s.now);
    assert(tws_session_stats(p.c.s).memory < IDLE_BYTES);
    assert(tws_session_stats(p.s.s).memory < IDLE_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    links = 0;
    pair_init_with(&p, (struct tws_session_config){.early_data = 2000,
                                                   .peer_early_data = 2000,
                                                   .peer_early_datagrams = 2000,
                                                   .padding = size % 2 != 0 ? 100 : 0,
                                                   .memory = MEMORY,
                                                   .grace_us = GRACE_US});
    op_link(1);
    for (size_t i = 0; i + 1 < size && i < 2 * OPS_MAX; i += 2) {
        ops[data[i] % (sizeof ops / sizeof *ops)](data[i + 1]);
        check_side(&p.c);
        check_side(&p.s);
        check_acknowledged(&p.c, &p.s);
        check_acknowledged(&p.s, &p.c);
    }
    wind_down();
    check_side(&p.c);
    check_side(&p.s);
    pair_fini(&p);
    return 0;
}

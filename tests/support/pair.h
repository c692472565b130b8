/*
 * pair.h - one or two sessions driven by hand: messages wait in the sender's queues until the test
 * delivers them, loses them, or looks into them; made-up messages can be delivered instead.
 *
 * Every channel has a small application that sends a stream of known bytes, or numbered datagrams,
 * and checks the other side's. Links are named by their index on both sides; their id is the
 * index + 1.
 */
#ifndef TWS_TEST_PAIR_H
#define TWS_TEST_PAIR_H

#include "fail_mem.h"

#include "tws/mux/session.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <assert.h>
#include <string.h>

#define PAIR_LINKS  18u
#define PAIR_QUEUE  1024u
#define PAIR_EVENTS 256u
#define MS          UINT64_C(1000)
#define SEC         UINT64_C(1000000)

struct app {
    struct app *next;
    struct tws_channel *ch; /* NULL: released */
    uint32_t id;
    uint64_t to_send, sent, got;
    bool fin, paused, opened, ended, reset, stopped;
    bool datagrams;     /* the counts above are of datagrams */
    uint32_t size;      /* of each */
    uint8_t came[1024]; /* the numbers that came, as bits */
};

struct seen {
    enum tws_event_type type;
    uint32_t channel, link, ms;
    uint16_t code;
    size_t n;
    uint8_t payload[160];
};

struct side {
    bool client, closed, refuse; /* refuse: leave TWS_EVENT_OPEN unanswered */
    uint16_t code;               /* of CLOSED */
    bool pause_new;              /* channels that the peer opens are not read */
    bool any_bytes;              /* a hostile peer: what it sends is not checked */
    uint64_t now;
    struct fail_mem mem;
    struct tws_session *s;
    struct tws_link *link[PAIR_LINKS];
    struct tws_span out[PAIR_LINKS][PAIR_QUEUE]; /* malloced */
    unsigned head[PAIR_LINKS], tail[PAIR_LINKS];
    unsigned cap; /* messages a transport takes; 0: all */
    struct app *apps;
    struct seen ev[PAIR_EVENTS]; /* the first ones since the last side_forget() */
    unsigned nev;
};

static inline uint8_t stream_byte(uint32_t id, bool from_client, uint64_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 17 + id * 7 + from_client);
}

/* ---- one side ---- */

static inline tws_err side_init(struct side *d, const struct tws_session_config *cfg,
                                size_t fail_at)
{
    memset(d, 0, sizeof *d);
    fail_mem_init(&d->mem, fail_at);
    d->client = cfg->client;
    d->now = SEC;
    return tws_session_new(cfg, &d->mem.mem, 1, d->now, &d->s);
}

static inline void side_drop_output(struct side *d, unsigned i)
{
    while (d->head[i] != d->tail[i])
        free((void *)(uintptr_t)d->out[i][d->head[i]++ % PAIR_QUEUE].p);
}

static inline void side_forget(struct side *d)
{
    d->nev = 0;
    for (unsigned i = 0; i < PAIR_LINKS; i++)
        side_drop_output(d, i);
}

static inline void side_fini(struct side *d)
{
    side_forget(d);
    tws_session_free(d->s);
    for (struct app *a = d->apps, *next; a != NULL; a = next) {
        next = a->next;
        free(a);
    }
    assert(d->mem.live == 0);
}

static inline struct app *side_app(struct side *d, uint32_t id)
{
    struct app *a = d->apps;

    while (a != NULL && a->id != id)
        a = a->next;
    return a;
}

static inline struct app *side_new_app(struct side *d, struct tws_channel *ch)
{
    struct app *a = calloc(1, sizeof *a);

    a->ch = ch;
    a->id = tws_channel_id(ch);
    a->next = d->apps;
    d->apps = a;
    tws_channel_set_user(ch, a);
    return a;
}

/* Takes what is there and checks it. */
static inline void app_read(struct side *d, struct app *a)
{
    struct tws_span s;
    tws_err err = TWS_BLOCKED;

    while (a->ch != NULL && (err = tws_channel_peek(a->ch, &s)) == TWS_OK) {
        for (size_t i = 0; i < s.n; i++)
            assert(d->any_bytes || s.p[i] == stream_byte(a->id, !d->client, a->got + i));
        a->got += s.n;
        tws_channel_consume(a->ch, s.n, d->now);
    }
    a->ended = a->ended || err == TWS_ABSENT;
}

/* A datagram of 8 bytes or more begins with its number, which comes once; the rest is known. */
static inline void app_datagram(struct side *d, struct app *a, struct tws_span in)
{
    a->got++;
    if (d->any_bytes || in.n < 8)
        return;
    uint64_t number = tws_get64(in.p), bit = number % (8 * sizeof a->came);
    assert((a->came[bit / 8] >> bit % 8 & 1) == 0);
    a->came[bit / 8] |= (uint8_t)(1u << bit % 8);
    for (size_t i = 8; i < in.n; i++)
        assert(in.p[i] == stream_byte(a->id, !d->client, number + i));
}

static inline void app_event(struct side *d, struct app *a, const struct tws_event *ev)
{
    if (ev->type == TWS_EVENT_OPENED)
        a->opened = true;
    if (ev->type == TWS_EVENT_STOPPED)
        a->stopped = true;
    if (ev->type == TWS_EVENT_RESET)
        a->reset = true;
    if (ev->type == TWS_EVENT_DATAGRAM)
        app_datagram(d, a, ev->payload);
    if ((ev->type == TWS_EVENT_READABLE || ev->type == TWS_EVENT_RESET) && !a->paused)
        app_read(d, a);
    if (ev->type == TWS_EVENT_RELEASED)
        a->ch = NULL;
}

static inline void side_note(struct side *d, const struct tws_event *ev)
{
    if (d->nev >= PAIR_EVENTS)
        return;
    struct seen *e = &d->ev[d->nev++];
    *e = (struct seen){
        .type = ev->type, .code = ev->code, .ms = ev->deadline_ms, .n = ev->payload.n};
    e->channel = ev->channel != NULL ? tws_channel_id(ev->channel) : 0;
    e->link = ev->link != NULL ? tws_link_id(ev->link) : 0;
    if (e->n > sizeof e->payload)
        e->n = sizeof e->payload;
    if (e->n > 0)
        memcpy(e->payload, ev->payload.p, e->n);
}

static inline void side_events(struct side *d)
{
    struct tws_event ev;

    while (tws_session_next_event(d->s, &ev)) {
        side_note(d, &ev);
        if (ev.type == TWS_EVENT_OPEN) {
            struct app *a = side_new_app(d, ev.channel);
            a->paused = d->pause_new;
            a->datagrams = ev.payload.n > 0 && tws_kind_has_datagrams(ev.payload.p[0]);
            if (!d->refuse)
                tws_channel_accept(ev.channel, (struct tws_span){NULL, 0}, d->now);
        } else if (ev.channel != NULL && ev.user != NULL) {
            app_event(d, ev.user, &ev);
        } else if (ev.type == TWS_EVENT_LINK_LOST) {
            uintptr_t i = (uintptr_t)ev.user;
            side_drop_output(d, (unsigned)i);
            d->link[i] = NULL;
        } else if (ev.type == TWS_EVENT_CLOSED) {
            d->closed = true;
            d->code = ev.code;
        }
    }
}

static inline tws_err side_link(struct side *d, unsigned i)
{
    struct tws_link_config cfg = {.id = i + 1, .user = (void *)(uintptr_t)i};
    tws_err err = tws_session_link_add(d->s, &cfg, d->now, &d->link[i]);

    side_events(d);
    return err;
}

static inline void side_lose(struct side *d, unsigned i)
{
    if (d->link[i] == NULL)
        return;
    tws_session_link_lost(d->s, d->link[i], TWS_CODE_TIMEOUT, d->now);
    d->link[i] = NULL;
    side_drop_output(d, i);
    side_events(d);
}

/* NULL: not now. */
static inline struct app *side_open_kind(struct side *d, uint8_t kind, uint64_t to_send, bool fin)
{
    const uint8_t target[] = {kind, 1, 127, 0, 0, 1, 0, 80};
    struct tws_channel *ch;

    if (tws_session_open(d->s, (struct tws_span){target, sizeof target}, NULL, d->now, &ch) !=
        TWS_OK)
        return NULL;
    struct app *a = side_new_app(d, ch);
    a->to_send = to_send;
    a->fin = fin;
    a->datagrams = tws_kind_has_datagrams(kind);
    tws_channel_set_ready(ch, to_send > 0 || fin, d->now);
    return a;
}

static inline struct app *side_open(struct side *d, uint64_t to_send, bool fin)
{
    return side_open_kind(d, TWS_KIND_TCP, to_send, fin);
}

static inline void side_send(struct side *d, struct app *a, uint64_t more, bool fin)
{
    a->to_send += more;
    a->fin = fin;
    tws_channel_set_ready(a->ch, true, d->now);
}

#endif

/*
 * wire.h - messages between the sides of pair.h: delivering them, making them up, looking for
 * frames in them.
 */
#ifndef TWS_TEST_WIRE_H
#define TWS_TEST_WIRE_H

#include "pair.h"

/* ---- one side's messages ---- */

static inline void app_give_datagram(struct side *d, struct app *a, const struct tws_pull *p)
{
    size_t n = a->size < p->largest ? a->size : p->largest;

    assert(p->largest > 0);
    if (n > p->cap) {
        tws_session_pulled(d->s, n, TWS_PULLED_LARGER);
        return;
    }
    for (size_t i = 0; i < n; i++)
        p->buf[i] = stream_byte(a->id, d->client, a->sent + i);
    if (n >= 8)
        tws_put64(p->buf, a->sent);
    a->sent++;
    tws_session_pulled(d->s, n, TWS_PULLED_DATAGRAM | (a->sent < a->to_send ? TWS_PULLED_MORE : 0));
}

static inline void app_give(struct side *d, const struct tws_pull *p)
{
    struct app *a = p->user;

    if (a->datagrams && a->sent < a->to_send) {
        app_give_datagram(d, a, p);
        return;
    }
    uint64_t left = a->to_send - a->sent;
    size_t n = left < p->cap ? (size_t)left : p->cap;

    for (size_t i = 0; i < n; i++)
        p->buf[i] = stream_byte(a->id, d->client, a->sent + i);
    a->sent += n;
    tws_session_pulled(d->s, n,
                       a->sent < a->to_send ? TWS_PULLED_MORE
                       : a->fin             ? TWS_PULLED_FIN
                                            : 0);
}

/* Everything the link has to send now goes into its queue. */
static inline void side_flush(struct side *d, unsigned i)
{
    struct tws_pull p;
    struct tws_span m;

    while (d->link[i] != NULL && (d->cap == 0 || d->tail[i] - d->head[i] < d->cap)) {
        assert(d->tail[i] - d->head[i] < PAIR_QUEUE);
        while (tws_session_pull(d->s, d->link[i], d->now, &p))
            app_give(d, &p);
        if (!tws_session_next_message(d->s, d->link[i], d->now, &m))
            break;
        uint8_t *copy = malloc(m.n);
        memcpy(copy, m.p, m.n);
        d->out[i][d->tail[i]++ % PAIR_QUEUE] = (struct tws_span){copy, m.n};
        tws_session_sent(d->s, d->link[i], d->now);
        side_events(d);
    }
    side_events(d);
}

static inline void side_recv(struct side *d, unsigned i, struct tws_span message)
{
    /* An exact copy, gone afterwards: reading too far or too late is seen. */
    uint8_t *copy = malloc(message.n > 0 ? message.n : 1);

    memcpy(copy, message.p, message.n);
    tws_session_recv(d->s, d->link[i], (struct tws_span){copy, message.n}, d->now);
    side_events(d);
    free(copy);
}

static inline void side_tick(struct side *d, uint64_t us)
{
    d->now += us;
    tws_session_tick(d->s, d->now);
    side_events(d);
}

/* ---- two sides ---- */

struct pair {
    struct side c, s; /* client, server */
};

static inline void pair_init_with(struct pair *p, struct tws_session_config cfg)
{
    cfg.client = true;
    assert(side_init(&p->c, &cfg, 0) == TWS_OK);
    cfg.client = false;
    assert(side_init(&p->s, &cfg, 0) == TWS_OK);
}

static inline void pair_init(struct pair *p)
{
    pair_init_with(p, (struct tws_session_config){.early_data = 4096, .peer_early_data = 4096});
}

static inline void pair_fini(struct pair *p)
{
    side_fini(&p->c);
    side_fini(&p->s);
}

/* The oldest message of link `i` arrives; false: none waits, or nobody takes it. */
static inline bool deliver(struct side *from, struct side *to, unsigned i)
{
    if (from->head[i] == from->tail[i] || to->link[i] == NULL)
        return false;
    struct tws_span m = from->out[i][from->head[i]++ % PAIR_QUEUE];
    side_recv(to, i, m);
    free((void *)(uintptr_t)m.p);
    return true;
}

static inline void pair_link(struct pair *p, unsigned i)
{
    assert(side_link(&p->s, i) == TWS_OK);
    assert(side_link(&p->c, i) == TWS_OK);
}

/* Flushes and delivers everything until nothing moves. */
static inline void pair_run(struct pair *p)
{
    bool moved = true;

    while (moved) {
        moved = false;
        for (unsigned i = 0; i < PAIR_LINKS; i++) {
            side_flush(&p->c, i);
            side_flush(&p->s, i);
            while (deliver(&p->c, &p->s, i) || deliver(&p->s, &p->c, i))
                moved = true;
        }
    }
}

static inline void pair_tick(struct pair *p, uint64_t us)
{
    side_tick(&p->c, us);
    side_tick(&p->s, us);
}

/* Time passes in steps of `step`, everything arrives at once. */
static inline void pair_pass(struct pair *p, uint64_t us, uint64_t step)
{
    for (uint64_t t = 0; t < us; t += step) {
        pair_run(p);
        pair_tick(p, step);
    }
    pair_run(p);
}

static inline void pair_cut(struct pair *p, unsigned i)
{
    side_lose(&p->c, i);
    side_lose(&p->s, i);
}

/* ---- frames made by hand ---- */

struct raw {
    uint8_t b[70000];
    size_t n;
};

static inline void raw_frame(struct raw *r, struct tws_frame f)
{
    assert(r->n + TWS_FRAME_HDR + f.len <= sizeof r->b);
    tws_frame_put_header(r->b + r->n, &f);
    if (f.len > 0 && f.payload != NULL)
        memcpy(r->b + r->n + TWS_FRAME_HDR, f.payload, f.len);
    else
        memset(r->b + r->n + TWS_FRAME_HDR, 0, f.len);
    r->n += TWS_FRAME_HDR + f.len;
}

static inline void raw_send(struct raw *r, struct side *to, unsigned i)
{
    struct tws_span m = {r->b, r->n};

    r->n = 0;
    side_recv(to, i, m);
}

/* One frame as a message. */
static inline void send_frame(struct side *to, unsigned i, struct tws_frame f)
{
    static struct raw r;

    raw_frame(&r, f);
    raw_send(&r, to, i);
}

static inline void send_link(struct side *to, unsigned i)
{
    static const uint8_t payload[] = {TWS_ROLE_AVAILABLE, 0, 0, 1};

    send_frame(
        to, i,
        (struct tws_frame){.type = TWS_FRAME_LINK, .channel = i + 1, .len = 4, .payload = payload});
}

/* ---- frames on their way ---- */

/* The `n`-th frame (from 0) of `type` and `channel` (UINT32_MAX: any) waiting on link `i`. */
static inline bool find_frame(const struct side *d, unsigned i, uint8_t type, uint32_t channel,
                              unsigned n, struct tws_frame *out)
{
    for (unsigned m = d->head[i]; m != d->tail[i]; m++) {
        struct tws_span left = d->out[i][m % PAIR_QUEUE];
        struct tws_frame f;
        size_t used;
        for (; left.n > 0; left.p += used, left.n -= used) {
            assert(tws_frame_decode(left, &f, &used) == TWS_OK);
            if (f.type != type || (channel != UINT32_MAX && f.channel != channel) || n-- > 0)
                continue;
            *out = f;
            return true;
        }
    }
    return false;
}

static inline unsigned count_frames(const struct side *d, unsigned i, uint8_t type,
                                    uint32_t channel)
{
    struct tws_frame f;
    unsigned n = 0;

    while (find_frame(d, i, type, channel, n, &f))
        n++;
    return n;
}

static inline bool has_event(const struct side *d, enum tws_event_type type)
{
    for (unsigned i = 0; i < d->nev; i++)
        if (d->ev[i].type == type)
            return true;
    return false;
}

/* The first event of that type, which must be there. */
static inline const struct seen *event(const struct side *d, enum tws_event_type type)
{
    unsigned i = 0;

    while (i < d->nev && d->ev[i].type != type)
        i++;
    assert(i < d->nev);
    return &d->ev[i];
}

#endif

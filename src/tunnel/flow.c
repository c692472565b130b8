/* flow.c - see flow_priv.h. */
#include "carrier_priv.h"
#include "flow_priv.h"

#include "tws/proto/code.h"

#define FLOW_QUEUE_LEAST 4096u
#define FLOW_QUEUE_EXTRA 16u /* what a datagram takes besides, at most */

static struct tws_flow *from_local(struct tws_local *l)
{
    return TWS_CONTAINER(l, struct tws_flow, local);
}

static uint64_t now_of(const struct tws_flow *f)
{
    return tws_loop_now(f->idle_timer.loop);
}

/* ---- time ---- */

/* Something passed, either way. */
static void touch(struct tws_flow *f)
{
    f->active_us = now_of(f);
}

/* Datagrams only note the time; the timer is moved when it fires. */
static void on_idle(struct tws_timer *t)
{
    struct tws_flow *f = TWS_CONTAINER(t, struct tws_flow, idle_timer);

    /* Without a link nothing can move; that is the session's time, not the flow's. */
    if (f->local.carrier->nlinks == 0)
        touch(f);
    if (f->active_us + f->idle_us > now_of(f))
        tws_timer_start_at(t, f->active_us + f->idle_us);
    else
        tws_flow_end(f, TWS_CODE_IDLE, NULL);
}

/* ---- to the peer ---- */

/* All of a session's flows together hold little more than a quarter of its budget, but each has
 * room for one datagram of `n` bytes. */
static uint32_t share(const struct tws_carrier *c, size_t n)
{
    uint32_t each = TWS_FLOW_QUEUE;

    while (each > FLOW_QUEUE_LEAST && each / 2 >= n + FLOW_QUEUE_EXTRA &&
           (uint64_t)each * c->nlocals > c->limits->memory / 4)
        each /= 2;
    return each;
}

void tws_flow_put(struct tws_flow *f, struct tws_span in)
{
    if (f->ending)
        return;
    touch(f);
    if (f->attached)
        f->backlog.queue.limit = share(f->local.carrier, in.n);
    tws_backlog_put(&f->backlog, in, f->active_us);
    if (!f->attached)
        return;
    tws_channel_set_ready(f->local.channel, true, f->active_us);
    tws_carrier_kick(f->local.carrier);
}

/* No message takes it: who sends such must be told, and there is nothing to tell it with. */
static void tell_too_large(struct tws_flow *f, size_t largest)
{
    struct tws_carrier *c = f->local.carrier;
    size_t n = f->backlog.too_large;

    f->backlog.too_large = 0;
    if (n > 0 && tws_log_allow(&c->unreached_limit, now_of(f)))
        tws_log(TWS_LOG_WARN, "datagram dropped",
                "session=%s source=%s target=%s bytes=%zu reason=\"no more than %zu fit into a "
                "message; the other side's max_message says so\"",
                c->tag, f->source, f->target, n, largest);
}

static void pull(struct tws_local *l, const struct tws_pull *p)
{
    struct tws_flow *f = from_local(l);

    tws_backlog_pull(&f->backlog, l->carrier->session, p,
                     (struct tws_backlog_rate){f->up, &f->up_wait}, now_of(f));
    tell_too_large(f, p->largest);
}

static void resume_up(struct tws_waiter *w)
{
    struct tws_flow *f = TWS_CONTAINER(w, struct tws_flow, up_wait);

    tws_channel_set_ready(f->local.channel, true, now_of(f));
    tws_carrier_kick(f->local.carrier);
}

/* ---- from the peer ---- */

static void on_datagram(struct tws_local *l, struct tws_span in)
{
    struct tws_flow *f = from_local(l);

    if (f->ending)
        return;
    touch(f);
    f->ops->deliver(f, in);
}

/* ---- the end ---- */

static void finish(struct tws_flow *f, uint16_t code, const char *text, bool by_peer)
{
    if (f->ending)
        return;
    f->ending = true;
    f->code = code;
    if (f->ops->ended != NULL)
        f->ops->ended(f, code, by_peer);
    tws_timer_stop(&f->idle_timer);
    tws_waiter_leave(&f->up_wait);
    tws_channel_reset(f->local.channel, code, text, now_of(f));
    tws_carrier_kick(f->local.carrier);
}

void tws_flow_end(struct tws_flow *f, uint16_t code, const char *text)
{
    finish(f, code, text, false);
}

/* There is no stream to read: the peer has ended it. */
static void on_readable(struct tws_local *l)
{
    tws_flow_end(from_local(l), TWS_CODE_NONE, NULL);
}

/* The local program sees nothing of it: its user looks here. */
static enum tws_log_level unreached_level(const struct tws_flow *f, uint16_t code)
{
    struct tws_carrier *c = f->local.carrier;

    if (c->client && code != TWS_CODE_IDLE && code != TWS_CODE_NONE &&
        tws_channel_stats(f->local.channel).datagrams_received == 0 &&
        tws_log_allow(&c->unreached_limit, now_of(f)))
        return TWS_LOG_WARN;
    return TWS_LOG_DEBUG;
}

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    struct tws_flow *f = from_local(l);
    enum tws_log_level level = unreached_level(f, code); /* tws_log() evaluates it twice */

    if (!f->ending)
        tws_log(level, "flow reset",
                "session=%s ch=%u target=%s code=%u reason=\"%s\" text=\"%.*s\"", l->carrier->tag,
                (unsigned)tws_channel_id(l->channel), f->target, (unsigned)code,
                tws_code_text(code), (int)text.n, text.n > 0 ? (const char *)text.p : "");
    finish(f, code, NULL, true);
}

static void on_stopped(struct tws_local *l, uint16_t code)
{
    tws_flow_end(from_local(l), code, NULL);
}

static void on_drain(struct tws_local *l)
{
    tws_flow_end(from_local(l), TWS_CODE_SHUTDOWN, NULL);
}

static void on_over(struct tws_local *l, uint16_t code)
{
    struct tws_flow *f = from_local(l);

    tws_flow_fini(f);
    tws_local_audit(l, f->source, f->target, f->since_us,
                    tws_code_text(f->code != TWS_CODE_NONE ? f->code : code));
    f->ops->over(f, code);
}

static const struct tws_local_ops flow_ops = {
    .pull = pull,
    .on_readable = on_readable,
    .on_datagram = on_datagram,
    .on_reset = on_reset,
    .on_stopped = on_stopped,
    .on_drain = on_drain,
    .on_over = on_over,
};

/* ---- life ---- */

void tws_flow_init(struct tws_flow *f, struct tws_loop *loop, const struct tws_flow_ops *ops,
                   uint64_t idle_us)
{
    *f = (struct tws_flow){.ops = ops, .idle_us = idle_us, .source = "-", .target = "-"};
    tws_backlog_init(&f->backlog, TWS_FLOW_QUEUE);
    tws_timer_init(&f->idle_timer, loop, on_idle);
    tws_waiter_init(&f->up_wait, resume_up);
    touch(f);
    f->since_us = f->active_us;
}

void tws_flow_attach(struct tws_flow *f, struct tws_carrier *c, struct tws_channel *ch)
{
    f->attached = true;
    tws_local_attach(&f->local, &flow_ops, c, ch);
    touch(f);
    tws_timer_start(&f->idle_timer, f->idle_us);
    if (!tws_backlog_empty(&f->backlog))
        tws_channel_set_ready(ch, true, f->active_us);
    tws_carrier_kick(c);
}

void tws_flow_fini(struct tws_flow *f)
{
    f->ending = true;
    tws_timer_stop(&f->idle_timer);
    tws_waiter_leave(&f->up_wait);
    tws_backlog_fini(&f->backlog);
}

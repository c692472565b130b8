/*
 * credit.c - how much the peer may send on a channel: windows within the session's budget.
 *
 * Half of the session's memory is the pool of credit given and not consumed, of all channels
 * together. New channels get 256 KiB, less as the pool empties, at least the floor; a window
 * doubles when more than half of it was consumed within two round trips, up to 8 MiB, and falls
 * back when its channel was slow for long. Credit is for consumed bytes, absolute, only growing.
 *
 * A floor for every channel means that very many stalled ones could be promised more than the
 * pool. The promise is kept up to what is really queued: channel.c resets the one that makes
 * the queues outgrow the budget.
 */
#include "session_priv.h"

#define SLOW_US   2000000u
#define ACTIVE_US 1000000u
#define CROWD     4u
#define PROOF     (8u << 20)

static uint64_t pool(const struct tws_session *s)
{
    return s->cfg.memory / 2;
}

/* What a channel starts with. Most of the pool stays for those that grow: even beside a thousand
 * readers that stall on their floor, a live channel finds its window. */
uint32_t tws_credit_first(const struct tws_session *s)
{
    uint64_t p = pool(s);

    if (s->granted < p / 8)
        return TWS_WINDOW_FIRST;
    if (s->granted < p / 4)
        return TWS_WINDOW_FIRST / 4;
    return TWS_WINDOW_FLOOR;
}

/* The longest round trip of any link, since a channel may use it; a guess before the first. */
static uint64_t round_trip(const struct tws_session *s)
{
    uint64_t longest = 0;
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        const struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (!l->suspect && l->path.srtt_us > longest)
            longest = l->path.srtt_us;
    }
    return longest == 0 ? 100000 : longest;
}

/* Counts the channels that consumed something in this second or the last. */
static void note_active(struct tws_channel *ch, uint64_t now)
{
    struct tws_session *s = ch->s;

    if (now - s->active_at >= ACTIVE_US) {
        s->active_before = now - s->active_at < 2 * ACTIVE_US ? s->active_now : 0;
        s->active_now = 0;
        s->active_at = now;
        s->active_epoch++;
    }
    if (ch->active_epoch != s->active_epoch) {
        ch->active_epoch = s->active_epoch;
        s->active_now++;
    }
}

/* It has consumed more than a kernel's socket buffers swallow (tcp_wmem) before a reader that never
 * reads is seen to stall. */
static bool proven(const struct tws_channel *ch)
{
    return ch->q.consumed >= PROOF;
}

/*
 * How much may be promised in all when `ch` grows. Any channel may stall next, and what it was
 * promised is then lost to the others; so those of which nothing is known yet, and those of a
 * crowd, leave the greater part of the pool. The few at work beside stalled ones may have it all,
 * and a little more, while memory is there.
 */
static uint64_t growth_limit(const struct tws_channel *ch)
{
    const struct tws_session *s = ch->s;
    uint64_t p = pool(s);

    if (!proven(ch))
        return p / 8 * 3;
    if (s->active_now > CROWD || s->active_before > CROWD)
        return p / 2;
    return s->allocated < s->cfg.memory / 2 ? p + p / 4 : p;
}

/* Up to the first window all that is left, beyond that half of it, so that later channels find some
 * too. A channel known to work may have four floors as long as all that is promised could still be
 * stored: promises are kept even if every reader stalls at once. */
static bool affordable(const struct tws_channel *ch, uint32_t window)
{
    const struct tws_session *s = ch->s;
    uint64_t limit = growth_limit(ch), more = window - ch->window;
    uint64_t left = s->granted < limit ? limit - s->granted : 0;

    if (more <= (window <= TWS_WINDOW_FIRST ? left : left / 2))
        return true;
    return proven(ch) && window <= 4 * TWS_WINDOW_FLOOR && s->allocated < s->cfg.memory / 2 &&
           s->granted < pool(s) + pool(s) / 2;
}

static void tune(struct tws_channel *ch, uint64_t now)
{
    uint64_t eaten = ch->q.consumed - ch->epoch_consumed, took = now - ch->epoch_at;
    uint64_t rtt = round_trip(ch->s);

    if (eaten > ch->window / 2) {
        if (took <= 2 * rtt && ch->window < TWS_WINDOW_MAX && affordable(ch, ch->window * 2))
            ch->window *= 2;
    } else if (took <= SLOW_US || took <= 8 * rtt) {
        return; /* too early to tell */
    } else if (ch->window > TWS_WINDOW_FIRST) {
        ch->window /= 2;
    }
    ch->epoch_at = now;
    ch->epoch_consumed = ch->q.consumed;
}

bool tws_credit_consumed(struct tws_channel *ch, uint64_t now)
{
    if (ch->rx_final != TWS_NEVER)
        return false; /* nothing more will come */
    note_active(ch, now);
    tune(ch, now);
    uint64_t target = ch->q.consumed + ch->window;
    return target > ch->rx_limit && target - ch->rx_limit >= ch->window / 4;
}

void tws_credit_grant(struct tws_channel *ch)
{
    uint64_t target = ch->q.consumed + ch->window;

    if (target <= ch->rx_limit)
        return;
    ch->charged += target - ch->rx_limit;
    ch->s->granted += target - ch->rx_limit;
    ch->rx_limit = target;
}

void tws_credit_release(struct tws_channel *ch, uint64_t n)
{
    if (n > ch->charged)
        n = ch->charged;
    ch->charged -= n;
    ch->s->granted -= n;
}

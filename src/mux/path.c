/* path.c - see path.h. */
#include "tws/mux/path.h"

#define MS             1000u
#define FIRST_BOUND    (1024u * 1024u)
#define SLACK_US       (8u * MS)    /* beyond the round trip: covers delayed ACKs and scheduling */
#define RATE_WINDOW_US (3000u * MS) /* two of them are remembered */
#define RTT_WINDOW_US  (10000u * MS)
#define PROBE_US       (20u * MS)
#define FULL_ROUNDS    3u
#define FILLED_MIN     16384u

void tws_path_init(struct tws_path *p)
{
    *p = (struct tws_path){0};
}

struct tws_path_mark tws_path_mark(struct tws_path *p, bool idle, uint64_t now)
{
    /* Time without anything in flight must not count as slow delivery. */
    if (idle || p->delivered_at == 0)
        p->delivered_at = p->sent_at = now;
    return (struct tws_path_mark){now, p->delivered, p->delivered_at, p->sent_at};
}

uint64_t tws_path_rate(const struct tws_path *p)
{
    return p->rate_now > p->rate_before ? p->rate_now : p->rate_before;
}

static void take_rate(struct tws_path *p, uint64_t rate, uint64_t now)
{
    if (now - p->rate_window_at > RATE_WINDOW_US) {
        p->rate_before = p->rate_now;
        p->rate_now = 0;
        p->rate_window_at = now;
    }
    if (rate > p->rate_now)
        p->rate_now = rate;
}

/* After each round trip while starting: has the rate grown by a quarter? */
static void judge_round(struct tws_path *p)
{
    uint64_t rate = tws_path_rate(p);

    if (p->started)
        return;
    if (rate >= p->full_rate + p->full_rate / 4) {
        p->full_rate = rate;
        p->full_rounds = 0;
    } else if (++p->full_rounds >= FULL_ROUNDS) {
        p->started = true;
    }
}

/* Looks for the true round trip again when the last least one is old. */
static void track_min(struct tws_path *p, uint64_t rtt_us, uint64_t now)
{
    if (p->min_rtt_us == 0 || rtt_us <= p->min_rtt_us) {
        p->min_rtt_us = rtt_us;
        p->min_rtt_at = now;
        p->probe_until = 0;
        return;
    }
    if (p->probe_until == 0) {
        if (now - p->min_rtt_at > RTT_WINDOW_US) {
            p->probe_until = now + rtt_us + PROBE_US;
            p->probe_rtt_us = rtt_us;
        }
        return;
    }
    if (rtt_us < p->probe_rtt_us)
        p->probe_rtt_us = rtt_us;
    if (now >= p->probe_until) {
        p->min_rtt_us = p->probe_rtt_us;
        p->min_rtt_at = now;
        p->probe_until = 0;
    }
}

void tws_path_round_trip(struct tws_path *p, uint64_t rtt_us, uint64_t now)
{
    if (rtt_us == 0)
        rtt_us = 1;
    p->srtt_us = p->srtt_us == 0 ? rtt_us : (7 * p->srtt_us + rtt_us) / 8;
    track_min(p, rtt_us, now);
}

void tws_path_delivered(struct tws_path *p, const struct tws_path_mark *mark, uint64_t bytes,
                        uint64_t rtt_us, uint64_t now)
{
    p->delivered += bytes;
    p->delivered_at = now;
    if (rtt_us > 0)
        tws_path_round_trip(p, rtt_us, now);
    /* Light traffic can show that the way is faster than believed, never that it is slower. */
    uint64_t got = p->delivered - mark->delivered, took = now - mark->delivered_at;
    /* ACKs that were held up and come in a bunch would show a rate at which nothing was sent. */
    if (mark->sent_at - mark->before_at > took)
        took = mark->sent_at - mark->before_at;
    p->sent_at = mark->sent_at;
    uint64_t rate = took > 0 ? got * 1000000u / took : 0;
    /* No time at all is no rate of zero: a clock that is too coarse for the way tells nothing. */
    bool filled = took > 0 && got >= FILLED_MIN && got >= tws_path_bound(p, 0, now) / 4;
    if (rate > tws_path_rate(p) || filled)
        take_rate(p, rate, now);
    p->estimated = p->estimated || filled;
    if (mark->delivered >= p->round_end) {
        p->round_end = p->delivered;
        if (filled)
            judge_round(p);
    }
}

uint64_t tws_path_bound(const struct tws_path *p, uint64_t max_message, uint64_t now)
{
    uint64_t rate = tws_path_rate(p), least = 2 * max_message, bound;

    if (!p->estimated || p->min_rtt_us == 0)
        return FIRST_BOUND;
    if (!p->started)
        bound = rate * (2 * p->min_rtt_us + SLACK_US) / 1000000u;
    else if (now < p->probe_until)
        bound = rate * p->min_rtt_us / 2000000u;
    else
        bound = rate * (p->min_rtt_us + SLACK_US) / 1000000u;
    return bound > least ? bound : least;
}

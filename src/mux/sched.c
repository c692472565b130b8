/*
 * sched.c - whose turn it is, and over which link.
 *
 * On a link: control frames first (compose.c), then channels in deficit round robin (Shreedhar and
 * Varghese, 1995), those that were quiet before those that are busy, as FQ-CoDel does (RFC 8290).
 * While quiet ones are active, the busy ones send smaller pieces.
 *
 * Over the links: a channel has a home; the schedule says which link that is and when it moves.
 * Under round-robin and bond a channel that the peer knows is served by any link instead: it waits
 * on the session's lists. Bond lets a slower link take bytes only where they arrive in time.
 *
 * When all links take the same way and it is slow, bulk keeps off one of them while something small
 * is sent now and then: what is written to the kernel's socket waits behind what is there, and a
 * congestion control may hold that back for 200 ms (BBR's look for the round trip).
 */
#include "session_priv.h"

#define INTERACTIVE_US 50000u
#define MESSAGE_US     2000u
#define MESSAGE_LEAST  4096u
#define MOVE_US        50000u    /* a busy channel stays while its link queues less than that */
#define MOVE_QUIET_US  1000u     /* a quiet one has nothing to lose by moving */
#define RANK_US        128u      /* delays that differ by less are equal */
#define FRESH_EXTRA    65536u    /* in-flight bytes that quiet channels may add to the bound */
#define SLOW_RATE      64000000u /* bytes/s of all links together; on faster ways nothing waits */
#define UNTRIED_RATE   12500000u /* what a link may have that has shown nothing yet */
#define NEAR_US        2000u     /* likewise with a round trip of less */
#define TYPED_US       5000000u  /* bulk keeps off a link that long after something small */
#define BULK_US        1000000u  /* a link has bulk that long after the last of it */
#define BACK_US        5000000u  /* and then may come back for as long, */
#define TURN_US        1000u /* while one has room, others take datagrams that come so much later */
#define LATE_US        10000u  /* a datagram may be overtaken by those sent that long after it */
#define BACK_EACH_US   100000u /* a channel at a time */

/* How long a byte waits on the link, in microseconds, before it starts on its way. */
static uint64_t queue_delay(const struct tws_link *l)
{
    uint64_t rate = tws_path_rate(&l->path);

    if (rate == 0)
        return l->log.in_flight / 1000; /* as if at 1 GB/s: orders links that have no estimate */
    uint64_t drain = l->log.in_flight * 1000000u / rate;
    return drain > l->path.min_rtt_us ? drain - l->path.min_rtt_us : 0;
}

/* What a schedule prefers; lower is better. */
static uint64_t preference(const struct tws_link *l)
{
    uint32_t weight = l->weight == 0 ? 1 : l->weight;

    switch (l->s->schedule) {
    case TWS_SCHEDULE_ACTIVE_BACKUP:
        return l->id;
    case TWS_SCHEDULE_MIN_RTT:
        return l->path.min_rtt_us;
    case TWS_SCHEDULE_WEIGHTED:
        return (uint64_t)l->nmembers * 65536u / weight;
    case TWS_SCHEDULE_AUTO:
    case TWS_SCHEDULE_ONE_WAY:
    case TWS_SCHEDULE_ROUND_ROBIN:
    case TWS_SCHEDULE_REDUNDANT:
    case TWS_SCHEDULE_BOND:
    case TWS_SCHEDULE_END:
        break;
    }
    return queue_delay(l) / RANK_US * 65536 + l->nmembers / weight;
}

/* Worse than any preference: a link that is on its way out, does not answer, or is a reserve. */
static uint64_t penalty(const struct tws_link *l)
{
    return (uint64_t)(l->role == TWS_ROLE_DRAINING) << 62 | (uint64_t)l->suspect << 61 |
           (uint64_t)(l->role == TWS_ROLE_BACKUP) << 60;
}

struct tws_link *tws_sched_other(struct tws_session *s, const struct tws_link *not_this)
{
    struct tws_link *best = NULL;
    uint64_t best_rank = 0;
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (!tws_link_usable(l) || l == not_this)
            continue;
        uint64_t rank = penalty(l) + preference(l);
        if (best == NULL || rank < best_rank) {
            best = l;
            best_rank = rank;
        }
    }
    return best;
}

struct tws_link *tws_sched_link(struct tws_session *s)
{
    return tws_sched_other(s, NULL);
}

bool tws_sched_shares(const struct tws_channel *ch)
{
    enum tws_schedule how = ch->s->schedule;

    return (how == TWS_SCHEDULE_BOND || how == TWS_SCHEDULE_ROUND_ROBIN) &&
           !tws_list_linked(&ch->unknown_node);
}

void tws_sched_home(struct tws_channel *ch, struct tws_link *l)
{
    tws_channel_unqueue(ch);
    if (tws_list_linked(&ch->member_node)) {
        tws_list_unlink(&ch->member_node);
        if (ch->link != NULL)
            ch->link->nmembers--;
    }
    ch->link = l;
    if (l == NULL) {
        tws_list_push_back(&ch->s->orphans, &ch->member_node);
        return;
    }
    tws_list_push_back(&l->members, &ch->member_node);
    l->nmembers++;
    tws_channel_queue(ch);
}

/* Whether `best` is so much better than `l` that a channel should move there. */
static bool worth_moving(const struct tws_link *l, const struct tws_link *best, bool quiet)
{
    if (penalty(l) != penalty(best))
        return penalty(l) > penalty(best);
    switch (l->s->schedule) {
    case TWS_SCHEDULE_ACTIVE_BACKUP:
        return true;
    case TWS_SCHEDULE_MIN_RTT:
        return best->path.min_rtt_us * 4 < l->path.min_rtt_us * 3;
    case TWS_SCHEDULE_WEIGHTED:
        return false;
    case TWS_SCHEDULE_AUTO:
    case TWS_SCHEDULE_ONE_WAY:
    case TWS_SCHEDULE_ROUND_ROBIN:
    case TWS_SCHEDULE_REDUNDANT:
    case TWS_SCHEDULE_BOND:
    case TWS_SCHEDULE_END:
        break;
    }
    uint64_t here = queue_delay(l), there = queue_delay(best);
    return here > (quiet ? MOVE_QUIET_US : MOVE_US) && here > 2 * there;
}

/* ---- one way: a link that is clear of bulk ---- */

static bool takes_part(const struct tws_link *l)
{
    return tws_link_usable(l) && penalty(l) == 0;
}

/* Whether bulk has another link to go to, and the way is so long and slow that a queue is felt. */
static bool worth_clearing(struct tws_session *s)
{
    struct tws_node *it, *tmp;
    unsigned links = 0;
    uint64_t rate = 0;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        const struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (!takes_part(l))
            continue;
        if (l->path.min_rtt_us != 0 && l->path.min_rtt_us < NEAR_US)
            return false;
        links++;
        rate += l->path.estimated ? tws_path_rate(&l->path) : 0;
    }
    return links > 1 && rate > 0 && rate <= SLOW_RATE;
}

static struct tws_link *emptiest(struct tws_session *s)
{
    struct tws_link *best = NULL;
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (takes_part(l) && (best == NULL || l->log.in_flight < best->log.in_flight))
            best = l;
    }
    return best;
}

/* Where what has to leave `clear` is shared out; there is one (worth_clearing()). */
static struct tws_link *least_used(struct tws_session *s, const struct tws_link *clear)
{
    struct tws_link *best = NULL;
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (l != clear && takes_part(l) && (best == NULL || l->nmembers < best->nmembers))
            best = l;
    }
    return best;
}

/* The link that bulk keeps off now, or NULL. */
static struct tws_link *clear_link(struct tws_session *s, uint64_t now)
{
    if (s->schedule != TWS_SCHEDULE_ONE_WAY || s->typed_at == 0 || now - s->typed_at >= TYPED_US ||
        !worth_clearing(s))
        return NULL;
    if (s->clear == NULL || !takes_part(s->clear))
        s->clear = emptiest(s);
    return s->clear;
}

/* By two or more, so that the move of one helps. */
static bool longer(const struct tws_node *list, const struct tws_node *other)
{
    const struct tws_node *a = list->next, *b = other->next;

    for (; b != other; a = a->next, b = b->next)
        if (a == list)
            return false;
    return a != list && a->next != list;
}

/* The link that was kept clear, if a busy channel of `l` had better go back to it; or NULL. */
static struct tws_link *go_back(const struct tws_link *l, uint64_t now)
{
    struct tws_session *s = l->s;

    if (s->clear == NULL)
        return NULL;
    if (now - s->typed_at >= TYPED_US + BACK_US || !takes_part(s->clear))
        s->clear = NULL;
    if (s->clear == NULL || s->clear == l || now - s->back_at < BACK_EACH_US)
        return NULL;
    s->back_at = now; /* now and then also because lists are walked */
    return longer(&l->bulk, &s->clear->bulk) ? s->clear : NULL;
}

/* ---- moving ---- */

static struct tws_link *better_for_busy(struct tws_link *l, uint64_t now)
{
    struct tws_link *clear = clear_link(l->s, now), *to = clear == NULL ? go_back(l, now) : NULL;

    if (to != NULL)
        return to;
    if (l == clear)
        return least_used(l->s, clear);
    to = tws_sched_other(l->s, clear);
    return to != NULL && to != l && worth_moving(l, to, false) ? to : NULL;
}

/* Beside bulk the clear link is the best, whatever its rate says: that comes from a few bytes. */
static struct tws_link *better_for_quiet(struct tws_link *l, uint64_t now)
{
    bool beside = l->bulk_at != 0 && now - l->bulk_at < BULK_US;
    struct tws_link *clear = beside || l == l->s->clear ? clear_link(l->s, now) : NULL, *to;

    if (clear != NULL)
        return clear == l ? NULL : clear;
    to = tws_sched_link(l->s);
    return to != NULL && to != l && worth_moving(l, to, true) ? to : NULL;
}

/* A link that this channel had better move to, or NULL. */
static struct tws_link *better(struct tws_link *l, const struct tws_channel *ch, uint64_t now)
{
    if (l->s->nlinks < 2 || tws_list_linked(&ch->unknown_node) || tws_sched_shares(ch))
        return NULL;
    return ch->burst < TWS_QUANTUM ? better_for_quiet(l, now) : better_for_busy(l, now);
}

/* A message is processed when all of it has come, and what is urgent waits behind it: on a slow way
 * it holds no more than the way carries in a moment. */
static size_t message_size(const struct tws_link *l)
{
    uint64_t rate = tws_path_rate(&l->path), bytes;

    /* Nearly always; and a division for each message is more than it is worth. */
    if (!l->path.estimated || rate > l->s->cfg.max_message * (UINT64_C(1000000) / MESSAGE_US))
        return l->s->cfg.max_message;
    bytes = rate * MESSAGE_US / 1000000u;
    return bytes < MESSAGE_LEAST ? MESSAGE_LEAST : (size_t)bytes;
}

/* ---- bond: earliest expected delivery ---- */

/* When bytes given to the link now are expected at the peer, from now. */
static uint64_t eta(const struct tws_link *l)
{
    uint64_t rate = tws_path_rate(&l->path);
    uint64_t send = rate == 0 ? 0 : l->s->cfg.max_message * UINT64_C(1000000) / rate;

    return queue_delay(l) + l->path.min_rtt_us / 2 + send;
}

/*
 * The same for a datagram, behind all that is on its way: links that are equal are used alike.
 * Light traffic never tells a link's rate, but round trips tell of a queue on the way.
 */
static uint64_t datagram_eta(const struct tws_link *l)
{
    const struct tws_path *path = &l->path;
    uint64_t rate = path->estimated ? tws_path_rate(path) : 0, queue = 0;

    if (rate == 0)
        rate = UNTRIED_RATE;
    if (l->log.in_flight > 0 && path->srtt_us > path->min_rtt_us)
        queue = path->srtt_us - path->min_rtt_us;
    return path->min_rtt_us / 2 + queue + (l->log.in_flight + message_size(l)) * 1000000u / rate;
}

/*
 * Nothing waits for a datagram that comes late, but who sent it may take it for lost. Among links
 * that have room the earliest takes it, and does not fill its queue first: a congestion control
 * inside, which keeps queues short, would never come to need the others.
 */
static bool datagram_in_time(const struct tws_link *l, uint64_t now)
{
    uint64_t mine = datagram_eta(l);
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &l->s->links)
    {
        const struct tws_link *o = TWS_CONTAINER(it, struct tws_link, link_node);
        if (!tws_link_usable(o) || penalty(o) > penalty(l))
            continue;
        bool room = o->log.in_flight < tws_link_bound(o, now);
        if (datagram_eta(o) + (room ? TURN_US : LATE_US) >= mine)
            continue;
        l->s->turn_waits = l->s->turn_waits || room;
        return false;
    }
    return true;
}

/*
 * Bytes on a slow link come late: all that the faster ones deliver meanwhile waits for them at the
 * receiver. Worth it only if the credit left covers that, or the fast would stop and wait.
 */
static bool in_time(const struct tws_link *l, const struct tws_channel *ch)
{
    uint64_t mine = eta(l), best = mine, faster = 0;
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &l->s->links)
    {
        const struct tws_link *o = TWS_CONTAINER(it, struct tws_link, link_node);
        uint64_t theirs = eta(o);
        if (o == l || !tws_link_usable(o) || penalty(o) > penalty(l))
            continue;
        if (theirs < best)
            best = theirs;
        if (theirs < mine)
            faster += tws_path_rate(&o->path);
    }
    if (mine <= best + best / 4)
        return true;
    uint64_t wait_us = mine - best + l->path.min_rtt_us;
    return ch->tx_limit - ch->tx_next >= faster / 1000 * wait_us / 1000 + l->s->cfg.max_message;
}

/* Whether `l` may serve what is on the session's lists. */
static bool may_share(const struct tws_link *l, const struct tws_channel *ch, uint64_t now)
{
    const struct tws_link *best;

    if (l->role == TWS_ROLE_AVAILABLE && !l->suspect) {
        if (l->s->schedule != TWS_SCHEDULE_BOND)
            return true;
        return ch->dg.carried ? datagram_in_time(l, now) : in_time(l, ch);
    }
    best = tws_sched_link(l->s);
    return best != NULL && penalty(l) <= penalty(best);
}

/* ---- turns ---- */

static struct tws_channel *first_of(struct tws_node *list)
{
    return TWS_LIST_FIRST(list, struct tws_channel, ready_node);
}

/* The head of the link's list, or of the session's if the link may serve that. */
static struct tws_channel *head(struct tws_link *l, struct tws_node *own, struct tws_node *shared,
                                uint64_t now)
{
    struct tws_channel *ch = first_of(own);

    if (ch != NULL)
        return ch;
    ch = first_of(shared);
    return ch != NULL && may_share(l, ch, now) ? ch : NULL;
}

/* A busy channel whose turn is over goes to the end with a new quantum. */
static void next_turn(struct tws_link *l, struct tws_channel *ch)
{
    ch->deficit += TWS_QUANTUM;
    tws_list_unlink(&ch->ready_node);
    tws_list_push_back(tws_sched_shares(ch) ? &l->s->bulk : &l->bulk, &ch->ready_node);
}

struct tws_channel *tws_sched_next(struct tws_link *l, uint64_t now)
{
    struct tws_session *s = l->s;
    uint64_t bound = tws_link_bound(l, now);

    for (;;) {
        struct tws_channel *ch = head(l, &l->fresh, &s->fresh, now);
        bool fresh = ch != NULL;
        if (ch == NULL)
            ch = head(l, &l->bulk, &s->bulk, now);
        if (ch == NULL || l->log.in_flight >= bound + (fresh ? FRESH_EXTRA : 0))
            return NULL;
        struct tws_link *to = better(l, ch, now);
        if (to != NULL) {
            tws_sched_home(ch, to);
            s->flush_again = true;
        } else if (ch->deficit <= 0) {
            next_turn(l, ch);
        } else {
            if (fresh)
                l->fresh_at = now;
            return ch;
        }
    }
}

static bool single(const struct tws_node *a, const struct tws_node *b)
{
    return (tws_list_empty(a) || a->next->next == a) && (tws_list_empty(b) || b->next->next == b);
}

size_t tws_sched_allow(const struct tws_link *l, size_t filled, size_t room, uint64_t now)
{
    const struct tws_session *s = l->s;
    bool alone = single(&l->fresh, &l->bulk) && single(&s->fresh, &s->bulk);
    size_t most = message_size(l);

    if (filled >= most)
        return 0;
    if ((!alone || now - l->fresh_at < INTERACTIVE_US) && room > TWS_QUANTUM)
        room = TWS_QUANTUM;
    return room < most - filled ? room : most - filled;
}

void tws_sched_charge(struct tws_channel *ch, size_t n, uint64_t now)
{
    ch->s->flush_again = ch->s->flush_again || ch->s->turn_waits;
    ch->s->turn_waits = false;
    ch->deficit -= (int32_t)n;
    ch->burst += (uint32_t)n;
    if (ch->burst > 4 * TWS_QUANTUM)
        ch->burst = 4 * TWS_QUANTUM;
    if (ch->burst < TWS_QUANTUM)
        ch->s->typed_at = now;
    else if (ch->link != NULL)
        ch->link->bulk_at = now;
    ch->pulled_at = now;
}

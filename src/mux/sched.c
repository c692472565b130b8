/*
 * sched.c - whose turn it is, and over which link.
 *
 * On a link: control frames first (compose.c), then channels in deficit round robin (Shreedhar and
 * Varghese, 1995), those that were quiet before those that are busy, as FQ-CoDel does (RFC 8290).
 * While quiet ones are active, the busy ones send smaller pieces.
 *
 * Over the links: a channel has a home, the link with the least delay when it came, and keeps it
 * while that link's queue is not much worse than the best one's.
 */
#include "session_priv.h"

#define INTERACTIVE_US 50000u
#define MOVE_US        50000u
#define FRESH_EXTRA    65536u /* in-flight bytes that quiet channels may add to the bound */

/* How long a byte waits on the link, in microseconds, before it starts on its way. */
static uint64_t queue_delay(const struct tws_link *l)
{
    uint64_t rate = tws_path_rate(&l->path);

    if (rate == 0)
        return l->log.in_flight / 1000; /* as if at 1 GB/s: orders links that have no estimate */
    uint64_t drain = l->log.in_flight * 1000000u / rate;
    return drain > l->path.min_rtt_us ? drain - l->path.min_rtt_us : 0;
}

/* Ranks links for new work; lower is better. */
static uint64_t rank(const struct tws_link *l)
{
    uint64_t penalty = 0;

    if (l->role == TWS_ROLE_DRAINING)
        penalty += UINT64_C(1) << 62;
    if (l->suspect)
        penalty += UINT64_C(1) << 61;
    if (l->role == TWS_ROLE_BACKUP)
        penalty += UINT64_C(1) << 60;
    return penalty + queue_delay(l) / 1000 * 65536 + l->nmembers / (l->weight == 0 ? 1 : l->weight);
}

struct tws_link *tws_sched_link(struct tws_session *s)
{
    struct tws_link *best = NULL;
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (tws_link_usable(l) && (best == NULL || rank(l) < rank(best)))
            best = l;
    }
    return best;
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
    if (l != NULL) {
        tws_list_push_back(&l->members, &ch->member_node);
        l->nmembers++;
    } else {
        tws_list_push_back(&ch->s->orphans, &ch->member_node);
    }
    if (l != NULL)
        tws_channel_queue(ch);
}

/* A link that this channel had better move to, or NULL. */
static struct tws_link *better(struct tws_link *l, const struct tws_channel *ch)
{
    if (l->s->nlinks < 2 || tws_list_linked(&ch->unknown_node))
        return NULL;
    struct tws_link *best = tws_sched_link(l->s);
    if (best == l || best == NULL)
        return NULL;
    if (l->suspect || l->role == TWS_ROLE_DRAINING)
        return best;
    if (l->role == TWS_ROLE_BACKUP && best->role == TWS_ROLE_AVAILABLE && !best->suspect)
        return best;
    uint64_t here = queue_delay(l), there = queue_delay(best);
    return here > MOVE_US && here > 2 * there ? best : NULL;
}

static struct tws_channel *first_of(struct tws_node *list)
{
    return TWS_LIST_FIRST(list, struct tws_channel, ready_node);
}

/* A busy channel whose turn is over goes to the end with a new quantum. */
static void next_turn(struct tws_link *l, struct tws_channel *ch)
{
    ch->deficit += TWS_QUANTUM;
    tws_list_unlink(&ch->ready_node);
    tws_list_push_back(&l->bulk, &ch->ready_node);
}

struct tws_channel *tws_sched_next(struct tws_link *l, uint64_t now)
{
    uint64_t bound = tws_link_bound(l, now);
    struct tws_channel *ch;

    while ((ch = first_of(&l->fresh)) != NULL || (ch = first_of(&l->bulk)) != NULL) {
        bool fresh = !tws_list_empty(&l->fresh);
        struct tws_link *to = better(l, ch);
        if (to != NULL) {
            tws_sched_home(ch, to);
            continue;
        }
        if (l->log.in_flight >= bound + (fresh ? FRESH_EXTRA : 0))
            return NULL;
        if (ch->deficit <= 0) {
            next_turn(l, ch);
            continue;
        }
        if (fresh)
            l->fresh_at = now;
        return ch;
    }
    return NULL;
}

size_t tws_sched_allow(const struct tws_link *l, size_t room, uint64_t now)
{
    bool alone = l->fresh.next->next == &l->fresh && tws_list_empty(&l->bulk);

    alone = alone || (tws_list_empty(&l->fresh) && l->bulk.next->next == &l->bulk);
    if ((!alone || now - l->fresh_at < INTERACTIVE_US) && room > TWS_QUANTUM)
        room = TWS_QUANTUM;
    return room;
}

void tws_sched_charge(struct tws_channel *ch, size_t n, uint64_t now)
{
    ch->deficit -= (int32_t)n;
    ch->burst += (uint32_t)n;
    if (ch->burst > 4 * TWS_QUANTUM)
        ch->burst = 4 * TWS_QUANTUM;
    ch->pulled_at = now;
}

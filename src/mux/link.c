/*
 * link.c - links come, are given up, and are settled.
 *
 * A link that is given up becomes a grave: its log waits for the peer's DEAD, and our own DEAD is
 * owed until an ACK covers it. When both are done the grave is freed; only its id is remembered.
 * docs/protocol.md, "When a link dies", has the rules and what breaks without each.
 */
#include "session_priv.h"

#include <assert.h>

#define MS           1000u
#define ACK_DELAY_US (10u * MS)
#define ACK_BYTES    65536u
#define ACK_MESSAGES 32u
#define SUSPECT_US   (1000u * MS) /* without ACK progress, at least, under auto */
#define QUICK_US     (200u * MS)  /* the same under bond and redundant, at least */
#define QUIET_US     (10000u * MS)
#define PROBE_US     (3000u * MS)
#define MISSED_MAX   3u /* the ping, and two more intervals */

static struct tws_link *find_in(struct tws_node *list, uint32_t id)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, list)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (l->id == id)
            return l;
    }
    return NULL;
}

struct tws_link *tws_link_find(struct tws_session *s, uint32_t id)
{
    return find_in(&s->links, id);
}

struct tws_link *tws_grave_find(struct tws_session *s, uint32_t id)
{
    return find_in(&s->graves, id);
}

/* ---- coming ---- */

static struct tws_link *new_link(struct tws_session *s, uint32_t id)
{
    struct tws_link *l = tws_alloc_zero(&s->mem, sizeof *l);

    if (l == NULL)
        return NULL;
    l->s = s;
    l->id = id;
    l->weight = 1;
    l->role = TWS_ROLE_AVAILABLE;
    l->heard_at = l->progress_at = s->now;
    tws_list_init(&l->link_node);
    tws_list_init(&l->members);
    tws_list_init(&l->fresh);
    tws_list_init(&l->bulk);
    tws_list_init(&l->control);
    tws_list_init(&l->unknown);
    tws_msglog_init(&l->log);
    tws_path_init(&l->path);
    return l;
}

/* Remembers the id. TWS_E_STATE: it was used before. */
static tws_err take_id(struct tws_session *s, uint32_t id)
{
    if (tws_ranges_has(&s->link_ids, id))
        return TWS_E_STATE;
    tws_err err = tws_ranges_add(&s->link_ids, id);
    return err == TWS_FULL ? TWS_E_EXCESS : err;
}

tws_err tws_session_link_add(struct tws_session *s, const struct tws_link_config *cfg, uint64_t now,
                             struct tws_link **out)
{
    s->now = now;
    if (s->nlinks >= TWS_LINKS_MAX)
        return TWS_FULL;
    struct tws_link *l = new_link(s, cfg->id);
    if (l == NULL)
        return TWS_NOMEM;
    tws_err err = take_id(s, cfg->id);
    if (err != TWS_OK) {
        tws_free(&s->mem, l);
        return err;
    }
    l->user = cfg->user;
    l->role = cfg->role == 0 ? TWS_ROLE_AVAILABLE : cfg->role;
    l->weight = cfg->weight == 0 ? 1 : cfg->weight;
    l->role_due = s->cfg.client;
    if (s->cfg.client && !tws_compose_first(l)) {
        tws_free(&s->mem, l);
        return TWS_NOMEM;
    }
    l->live = true;
    l->quiet = !s->cfg.client;
    tws_list_push_back(&s->links, &l->link_node);
    s->nlinks++;
    s->stats.links++;
    *out = l;
    if (s->cfg.client)
        tws_link_use(l);
    return TWS_OK;
}

static void settle_waiting(struct tws_session *s)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->graves)
    {
        struct tws_link *g = TWS_CONTAINER(it, struct tws_link, link_node);
        if (g->settle_waits && tws_link_settle(g, g->settle_number) != TWS_OK)
            tws_session_fail(s, TWS_CODE_INTERNAL, "a waiting link could not be settled");
    }
}

void tws_link_use(struct tws_link *l)
{
    struct tws_session *s = l->s;
    struct tws_node *it, *tmp;

    if (s->suspended_at != TWS_NEVER) {
        s->suspended_at = TWS_NEVER;
        if (s->was_linked) /* the first link begins the session, it does not resume it */
            tws_event_session(s, TWS_EVENT_RESUMED);
        s->was_linked = true;
    }
    settle_waiting(s);
    TWS_LIST_EACH(it, tmp, &s->orphans)
    tws_sched_home(TWS_CONTAINER(it, struct tws_channel, member_node), l);
    tws_resend_all_suspects(s);
}

/* ---- going ---- */

/* The members go elsewhere; those the peer may not know wait here to be settled. */
static void scatter(struct tws_link *l)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &l->members)
    {
        struct tws_channel *ch = TWS_CONTAINER(it, struct tws_channel, member_node);
        if (!tws_list_linked(&ch->unknown_node)) {
            tws_sched_home(ch, tws_sched_link(l->s));
            continue;
        }
        tws_channel_unqueue(ch);
        tws_list_unlink(&ch->member_node);
        ch->link = NULL;
    }
    l->nmembers = 0;
}

void tws_link_owe_deads(const struct tws_link *via)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &via->s->graves)
    {
        struct tws_link *g = TWS_CONTAINER(it, struct tws_link, link_node);
        if (g->dead_via == via) {
            g->dead_via = NULL;
            g->dead_due = true;
        }
    }
}

static void make_grave(struct tws_link *l)
{
    struct tws_session *s = l->s;

    tws_list_push_back(&s->graves, &l->link_node);
    l->dead_due = true;
    if (++s->ngraves > TWS_GRAVES_MAX)
        tws_session_fail(s, TWS_CODE_EXCESS, "too many links died unsettled");
}

void tws_link_give_up(struct tws_link *l, uint16_t code, bool report)
{
    struct tws_session *s = l->s;

    if (!l->live)
        return;
    tws_compose_abandon(l);
    l->live = false;
    if (s->clear == l)
        s->clear = NULL;
    l->lost_code = code;
    l->report = report;
    l->told = !report;
    tws_list_unlink(&l->link_node);
    s->nlinks--;
    s->stats.links--;
    s->stats.links_lost++;
    scatter(l);
    tws_link_owe_deads(l);
    make_grave(l);
    if (report)
        tws_event_session(s, TWS_EVENT_LINK_LOST);
    /* A link that never spoke ended no suspension, so its end begins none. */
    if (s->nlinks == 0 && s->suspended_at == TWS_NEVER) {
        s->suspended_at = s->now;
        tws_event_session(s, TWS_EVENT_SUSPENDED);
    }
}

void tws_session_link_lost(struct tws_session *s, struct tws_link *l, uint16_t code, uint64_t now)
{
    s->now = now;
    l->report = false;
    l->told = true;
    tws_link_give_up(l, code, false);
}

/* ---- settling ---- */

void tws_link_covered(struct tws_link *l, uint64_t n)
{
    struct tws_session *s = l->s;
    struct tws_channel *ch;
    struct tws_node *it, *tmp;

    l->acked = n;
    while ((ch = TWS_LIST_FIRST(&l->unknown, struct tws_channel, unknown_node)) != NULL &&
           ch->unknown_until <= n)
        tws_channel_settle_known(ch);
    TWS_LIST_EACH(it, tmp, &s->graves)
    {
        struct tws_link *g = TWS_CONTAINER(it, struct tws_link, link_node);
        if (g->dead_via == l && g->dead_number <= n)
            g->dead_via = NULL;
    }
    tws_link_bury(s);
}

void tws_link_bury(struct tws_session *s)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->graves)
    {
        struct tws_link *g = TWS_CONTAINER(it, struct tws_link, link_node);
        if (!g->settled || g->dead_due || g->dead_via != NULL || !g->told || s->rx.link == g)
            continue;
        tws_list_unlink(&g->link_node);
        s->ngraves--;
        tws_msglog_fini(&g->log, &s->blocks);
        tws_free(&s->mem, g);
    }
}

/*
 * Frames of the dead link itself mean nothing on another, DATA that was copied is safe there, and
 * datagrams are lost: they become PADDING, in place. False: nothing else is left.
 */
static bool strip(struct tws_session *s, struct tws_record *r)
{
    struct tws_span left = {r->data, r->len};
    struct tws_frame f;
    bool useful = false;
    size_t used;

    while (left.n > 0 && tws_frame_decode(left, &f, &used) == TWS_OK) {
        uint8_t *header = r->data + (r->len - left.n);
        bool twice = r->copied && f.type == TWS_FRAME_DATA;
        bool lost = f.type == TWS_FRAME_DATAGRAM;
        s->stats.datagrams_lost += lost;
        if (twice || lost || (f.type >= TWS_FRAME_ACK && f.type <= TWS_FRAME_LINK)) {
            header[0] = TWS_FRAME_PADDING;
            header[1] = 0;
        }
        useful = useful || header[0] != TWS_FRAME_PADDING;
        left.p += used;
        left.n -= used;
    }
    return useful;
}

/* What the peer has not processed goes to `to`, in order, before anything new there. */
static void move_rest(struct tws_link *from, struct tws_link *to)
{
    struct tws_session *s = from->s;
    struct tws_record *r;

    while ((r = tws_msglog_oldest(&from->log)) != NULL) {
        uint64_t old = r->number;
        struct tws_channel *ch;
        if (!r->logged || !strip(s, r)) {
            tws_msglog_drop(&from->log, r, &s->blocks);
            continue;
        }
        s->stats.resent_messages += r->sent;
        s->stats.resent_bytes += r->sent ? r->len : 0;
        tws_msglog_move(&from->log, r, &to->log);
        /* Stickiness follows the frame. */
        while ((ch = TWS_LIST_FIRST(&from->unknown, struct tws_channel, unknown_node)) != NULL &&
               ch->unknown_until <= old) {
            tws_list_unlink(&ch->unknown_node);
            tws_list_push_back(&to->unknown, &ch->unknown_node);
            ch->unknown_until = r->number;
            tws_sched_home(ch, to);
        }
    }
    assert(tws_list_empty(&from->unknown));
}

tws_err tws_link_settle(struct tws_link *grave, uint64_t n)
{
    struct tws_session *s = grave->s;
    struct tws_link *to = tws_sched_link(s);

    if (n > grave->sent || n < grave->acked)
        return TWS_E_PROTOCOL;
    grave->settle_waits = to == NULL;
    grave->settle_number = n;
    if (to == NULL)
        return TWS_OK;
    tws_msglog_acknowledge(&grave->log, n, &s->blocks);
    tws_link_covered(grave, n);
    move_rest(grave, to);
    tws_msglog_fini(&grave->log, &s->blocks);
    grave->settled = true;
    tws_link_bury(s);
    return TWS_OK;
}

tws_err tws_link_unknown(struct tws_session *s, uint32_t id)
{
    tws_err err = take_id(s, id);

    if (err != TWS_OK)
        return err;
    struct tws_link *g = new_link(s, id);
    if (g == NULL)
        return TWS_NOMEM;
    g->told = g->settled = true;
    make_grave(g);
    return TWS_OK;
}

/* ---- time ---- */

bool tws_link_ack_due(const struct tws_link *l, uint64_t now)
{
    if (l->ack_now)
        return true;
    return l->uncovered > 0 && (l->uncovered_bytes >= ACK_BYTES || l->uncovered >= ACK_MESSAGES ||
                                now - l->uncovered_at >= ACK_DELAY_US);
}

void tws_session_link_heard(struct tws_link *l, uint64_t now)
{
    l->heard_at = now;
    l->missed = 0;
    l->probed_at = 0;
    if (!l->suspect || l->log.in_flight > 0)
        return;
    l->s->now = now;
    l->suspect = false;
    tws_resend_all_suspects(l->s);
}

/* How long in-flight bytes may go without progress before the link is suspect. */
static uint64_t patience(const struct tws_link *l)
{
    enum tws_schedule how = l->s->schedule;
    uint64_t least = l->s->cfg.suspect_us, trips = 2 * l->path.srtt_us;

    if (least == 0)
        least = how == TWS_SCHEDULE_BOND || how == TWS_SCHEDULE_REDUNDANT ? QUICK_US : SUSPECT_US;
    return trips > least ? trips : least;
}

/* When a link that was probed and says nothing is given up. */
static uint64_t probe_ends(const struct tws_link *l)
{
    uint64_t trips = 4 * l->path.srtt_us;

    return l->probed_at + (trips > PROBE_US ? trips : PROBE_US);
}

/* Data came, then nothing: it may have ended, or the way is dead. Only a question tells, and a side
 * that sends nothing has no other way to notice. Once for each time that data came. */
static bool fell_silent(const struct tws_link *l)
{
    return l->s->cfg.client && l->busy_count != l->asked_count && l->s->stats.channels > 0 &&
           l->ping_at == 0;
}

/* A question that waits for its answer: until when that is no reason to worry. */
static uint64_t answer_due(const struct tws_link *l)
{
    if (l->ping_at == 0 || l->heard_at >= l->ping_at || l->suspect)
        return TWS_NEVER;
    return l->ping_at + patience(l);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t tws_link_deadline(const struct tws_link *l)
{
    uint64_t heartbeat = l->s->cfg.heartbeat_us;
    uint64_t at = l->quiet ? l->heard_at + QUIET_US : l->heard_at + (l->missed + 1) * heartbeat;

    /* Once it is due only the transport can help; the caller flushes after every call. */
    if (l->uncovered > 0 && l->uncovered_at + ACK_DELAY_US > l->s->now)
        at = earlier(at, l->uncovered_at + ACK_DELAY_US);
    if (l->probed_at != 0)
        at = earlier(at, probe_ends(l));
    if (fell_silent(l))
        at = earlier(at, l->heard_at + patience(l));
    at = earlier(at, answer_due(l));
    if (l->log.in_flight > 0)
        at = earlier(at, l->progress_at + (l->suspect ? l->s->cfg.give_up_us : patience(l)));
    return at;
}

void tws_link_rest(struct tws_link *l, uint64_t now)
{
    uint64_t heartbeat = l->s->cfg.heartbeat_us;

    if (l->log.kept > 0 || l->s->tx.link == l || now - l->progress_at < heartbeat ||
        now - l->uncovered_at < heartbeat)
        return;
    tws_msglog_fini(&l->log, &l->s->blocks);
    tws_blocks_trim(&l->s->blocks);
}

static void suspect(struct tws_link *l)
{
    if (l->suspect)
        return;
    l->suspect = true;
    tws_resend_suspect(l);
    if (tws_session_stalled(l->s))
        tws_event_session(l->s, TWS_EVENT_STALLED);
}

bool tws_session_stalled(const struct tws_session *s)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        const struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (tws_link_usable(l) && !l->suspect)
            return false;
    }
    return s->nlinks > 0;
}

void tws_link_tick(struct tws_link *l, uint64_t now)
{
    const struct tws_session_config *cfg = &l->s->cfg;

    if (l->quiet) {
        if (now - l->heard_at >= QUIET_US)
            tws_link_give_up(l, TWS_CODE_TIMEOUT, true);
        return;
    }
    if (l->probed_at != 0 && now >= probe_ends(l)) {
        tws_link_give_up(l, TWS_CODE_TIMEOUT, true);
        return;
    }
    if (now - l->heard_at >= (l->missed + 1) * cfg->heartbeat_us) {
        l->ping_due = true;
        if (++l->missed >= MISSED_MAX) {
            tws_link_give_up(l, TWS_CODE_TIMEOUT, true);
            return;
        }
    }
    if (fell_silent(l) && now - l->heard_at >= patience(l)) {
        l->ping_due = true;
        l->asked_count = l->busy_count;
    }
    if (now >= answer_due(l) || (l->log.in_flight > 0 && now - l->progress_at >= patience(l)))
        suspect(l);
    if (l->log.in_flight > 0 && now - l->progress_at >= cfg->give_up_us)
        tws_link_give_up(l, TWS_CODE_TIMEOUT, true);
}

uint64_t tws_link_bound(const struct tws_link *l, uint64_t now)
{
    return tws_path_bound(&l->path, l->s->cfg.max_message, now);
}

/* ---- for the caller ---- */

void tws_session_link_set_role(struct tws_session *s, struct tws_link *l, uint8_t role,
                               uint16_t weight, uint64_t now)
{
    s->now = now;
    l->role = role;
    l->weight = weight == 0 ? 1 : weight;
    l->role_due = true;
}

void tws_session_set_one_way(struct tws_session *s, bool one_way, uint64_t now)
{
    enum tws_schedule is = s->schedule, to = one_way ? TWS_SCHEDULE_ONE_WAY : TWS_SCHEDULE_AUTO;
    struct tws_node *it, *tmp;

    s->now = now;
    if (is == to || (is != TWS_SCHEDULE_AUTO && is != TWS_SCHEDULE_ONE_WAY))
        return;
    s->schedule = to;
    TWS_LIST_EACH(it, tmp, &s->links)
    TWS_CONTAINER(it, struct tws_link, link_node)->role_due = true;
}

void tws_session_probe(struct tws_session *s, struct tws_link *l, uint64_t now)
{
    s->now = now;
    if (!tws_link_usable(l))
        return;
    if (l->ping_at == 0)
        l->ping_due = l->ping_ack = true;
    if (l->probed_at == 0)
        l->probed_at = now;
}

uint32_t tws_link_id(const struct tws_link *l)
{
    return l->id;
}

struct tws_link_stats tws_link_stats(const struct tws_link *l)
{
    return (struct tws_link_stats){
        .role = l->role,
        .suspect = l->suspect,
        .srtt_us = l->path.srtt_us,
        .min_rtt_us = l->path.min_rtt_us,
        .rate = tws_path_rate(&l->path),
        .in_flight = l->log.in_flight,
        .bound = tws_link_bound(l, l->s->now),
        .messages_sent = l->sent,
        .messages_received = l->processed,
    };
}

/*
 * resend.c - DATA may travel twice: when its link is suspect, or when the schedule is redundant.
 * The receiver keeps the first copy of every byte. Of what is logged, nothing else may.
 *
 * A copy is an ordinary logged message of the other link, so it alone guarantees delivery; when the
 * suspect link is given up later, what was copied does not go a third time (link.c strips it).
 * Credit that is stuck in the suspect link is announced again: it is absolute, the greatest counts.
 * So are DEADs: the number in them never changes, and the peer ignores the second.
 */
#include "session_priv.h"

#define INTERACTIVE_MESSAGE 4096u

typedef bool frame_fn(struct tws_session *s, const struct tws_frame *f);

/* Whether `fn` holds for all frames of the record. */
static bool all_frames(struct tws_session *s, const struct tws_record *r, frame_fn *fn)
{
    struct tws_span left = {r->data, r->len};
    struct tws_frame f;
    size_t used;

    while (left.n > 0 && tws_frame_decode(left, &f, &used) == TWS_OK) {
        if (!fn(s, &f))
            return false;
        left.p += used;
        left.n -= used;
    }
    return true;
}

/* DATA of a channel that the peer may not know must not leave the link of its OPEN. */
static bool may_travel(struct tws_session *s, const struct tws_frame *f)
{
    const struct tws_channel *ch = tws_map_get(&s->channels, f->channel);

    if (f->type == TWS_FRAME_OPEN || f->type == TWS_FRAME_OPENED)
        return false;
    return f->type != TWS_FRAME_DATA || ch == NULL || !tws_list_linked(&ch->unknown_node);
}

/* Frames of the link itself end with it, and credit for a channel that is over here, whose every
 * byte has come, is nothing to anyone. */
static bool is_moot(struct tws_session *s, const struct tws_frame *f)
{
    if (f->type == TWS_FRAME_WINDOW)
        return tws_map_get(&s->channels, f->channel) == NULL;
    return f->type == TWS_FRAME_PADDING || (f->type >= TWS_FRAME_ACK && f->type <= TWS_FRAME_LINK);
}

static bool is_moot_or_data(struct tws_session *s, const struct tws_frame *f)
{
    return f->type == TWS_FRAME_DATA || is_moot(s, f);
}

/* A copy's record stays in a log until it is acknowledged, or superseded in turn. */
bool tws_resend_superseded(struct tws_session *s, const struct tws_record *r)
{
    return all_frames(s, r, r->copied ? is_moot_or_data : is_moot);
}

static bool owe_window(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_channel *ch = tws_map_get(&s->channels, f->channel);

    if (f->type == TWS_FRAME_WINDOW && ch != NULL && ch->rx_final == TWS_NEVER &&
        tws_halves_delivering(&ch->halves))
        tws_channel_owe(ch, DUE_WINDOW);
    return true;
}

static uint32_t copy_data(const struct tws_record *from, struct tws_record *to)
{
    struct tws_span left = {from->data, from->len};
    struct tws_frame f;
    uint32_t len = 0;
    size_t used;

    while (left.n > 0 && tws_frame_decode(left, &f, &used) == TWS_OK) {
        if (f.type == TWS_FRAME_DATA && len + used <= to->cap) {
            memcpy(to->data + len, left.p, used);
            len += (uint32_t)used;
        }
        left.p += used;
        left.n -= used;
    }
    return len;
}

/* Puts the record's DATA into a message of `to`. */
static void copy(struct tws_record *r, struct tws_link *to)
{
    struct tws_session *s = to->s;
    struct tws_record *c;
    uint32_t len;

    if (r->copied || !r->logged || !all_frames(s, r, may_travel))
        return;
    /* As for new data: the rest of the budget is for control, without which nothing moves on. */
    if (s->blocks.used >= s->cfg.memory / 2)
        return;
    c = tws_msglog_begin(&to->log, &s->blocks);
    if (c == NULL)
        return; /* the original is still in its log */
    len = copy_data(r, c);
    if (len == 0) {
        tws_msglog_cancel(&to->log, c, &s->blocks);
        return;
    }
    c->again = true;
    tws_msglog_end(&to->log, c, len, true);
    r->copied = true;
    s->stats.resent_messages++;
    s->stats.resent_bytes += len;
}

static void move_members(struct tws_link *l)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &l->members)
    {
        struct tws_channel *ch = TWS_CONTAINER(it, struct tws_channel, member_node);
        struct tws_link *to = tws_sched_other(l->s, l);
        if (to != NULL && !tws_list_linked(&ch->unknown_node))
            tws_sched_home(ch, to);
    }
}

void tws_resend_suspect(struct tws_link *l)
{
    struct tws_session *s = l->s;
    struct tws_link *to = tws_sched_other(s, l);
    struct tws_node *it, *tmp;

    /* The peer may have given this link up long ago, and its own DEAD may be just as stuck. */
    if (!tws_session_stalled(s))
        tws_link_owe_deads(l);
    if (to == NULL || to->suspect)
        return;
    move_members(l);
    TWS_LIST_EACH(it, tmp, &l->log.records)
    {
        struct tws_record *r = TWS_CONTAINER(it, struct tws_record, log_node);
        (void)all_frames(s, r, owe_window);
        copy(r, tws_sched_other(s, l));
    }
}

void tws_resend_all_suspects(struct tws_session *s)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (l->suspect)
            tws_resend_suspect(l);
    }
}

void tws_resend_redundant(struct tws_link *l, struct tws_record *r)
{
    struct tws_link *to = tws_sched_other(l->s, l);

    if (r->len <= INTERACTIVE_MESSAGE && to != NULL && !to->suspect &&
        to->role != TWS_ROLE_DRAINING)
        copy(r, to);
    if (r->copied)
        l->s->flush_again = true;
}

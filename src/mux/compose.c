/*
 * compose.c - what goes into a message: the link's own frames, control frames, then channel data
 * that the caller pulls straight into the log.
 *
 * A message is built between the first pull (or next_message) and next_message. Nothing is built
 * while messages moved from a dead link wait: those go first, before anything new.
 */
#include "session_priv.h"

#include <assert.h>
#include <string.h>

#define LEAST_DATA 512u /* not worth a frame header with less room, unless it is all there is */

static uint32_t room(const struct tx *tx)
{
    if (tx->frames >= TWS_MESSAGE_FRAMES)
        return 0;
    return tx->limit - tx->len < TWS_FRAME_HDR ? 0 : tx->limit - tx->len - TWS_FRAME_HDR;
}

/* All but the frames that belong to the link they travel on, or are repeated otherwise;
 * protocol.md. Datagrams are in the log so that they count as in flight; they never move. */
static bool is_logged(uint8_t type)
{
    return type != TWS_FRAME_PADDING && type != TWS_FRAME_ACK && type != TWS_FRAME_DEAD &&
           type != TWS_FRAME_PING && type != TWS_FRAME_PONG && type != TWS_FRAME_LINK &&
           type != TWS_FRAME_CLOSE;
}

/* Adds a frame whose payload (f->len bytes) is copied, unless it is there already (NULL). */
static void add(struct tx *tx, const struct tws_frame *f)
{
    uint8_t *to = tx->r->data + tx->len;

    assert(room(tx) >= f->len);
    tws_frame_put_header(to, f);
    if (f->payload != NULL && f->len > 0)
        memcpy(to + TWS_FRAME_HDR, f->payload, f->len);
    tx->len += TWS_FRAME_HDR + f->len;
    tx->frames++;
    tx->logged = tx->logged || is_logged(f->type);
}

static bool begin(struct tws_link *l, uint64_t now)
{
    struct tws_session *s = l->s;

    if (s->tx.r != NULL) {
        assert(s->tx.link == l);
        return true;
    }
    /* Data stops at half of the budget; control for a peer that acknowledges nothing, here. */
    if (s->blocks.used > s->cfg.memory / 4 * 3 && !s->closed)
        tws_session_fail(s, TWS_CODE_RESOURCES, "the peer acknowledges nothing");
    struct tws_record *r = tws_msglog_begin(&l->log, &s->blocks);
    if (r == NULL)
        return false;
    s->tx = (struct tx){
        .link = l, .r = r, .now = now, .limit = s->cfg.max_message - s->cfg.message_overhead};
    return true;
}

/* ---- the link's own frames ---- */

static void add_link(struct tws_link *l, struct tx *tx)
{
    uint8_t payload[4] = {l->role, (uint8_t)l->s->schedule};

    if (!l->role_due)
        return;
    tws_put16(payload + 2, l->weight);
    add(tx,
        &(struct tws_frame){
            .type = TWS_FRAME_LINK, .len = sizeof payload, .channel = l->id, .payload = payload});
    l->role_due = false;
}

/* A link that does not answer is no place for what others wait for, while another does. */
static bool takes_deads(const struct tws_link *l)
{
    return !l->suspect || tws_session_stalled(l->s);
}

static void add_deads(struct tws_link *l, struct tx *tx)
{
    struct tws_node *it, *tmp;

    if (!takes_deads(l))
        return;
    TWS_LIST_EACH(it, tmp, &l->s->graves)
    {
        struct tws_link *g = TWS_CONTAINER(it, struct tws_link, link_node);
        uint8_t code[2];
        if (!g->dead_due || g == l->s->rx.link || room(tx) < sizeof code)
            continue;
        tws_put16(code, g->lost_code);
        add(tx, &(struct tws_frame){.type = TWS_FRAME_DEAD,
                                    .len = sizeof code,
                                    .channel = g->id,
                                    .offset = g->processed,
                                    .payload = code});
        g->dead_due = false;
        g->dead_via = l;
        g->dead_number = l->log.next;
        /* DEAD obliges nobody to an ACK, and idle links would keep their graves for ever. */
        l->ping_due = l->ping_ack = true;
    }
}

static void add_ack(struct tws_link *l, struct tx *tx)
{
    uint8_t delay[4];

    /* Full of what was added before: the ACK stays due. */
    if ((l->uncovered == 0 && !l->ack_now) || room(tx) < sizeof delay)
        return;
    tws_put32(delay, (uint32_t)(tx->now - l->processed_at));
    add(tx, &(struct tws_frame){.type = TWS_FRAME_ACK,
                                .len = sizeof delay,
                                .channel = l->id,
                                .offset = l->processed,
                                .payload = delay});
    l->uncovered = 0;
    l->uncovered_bytes = 0;
    l->ack_now = false;
}

static void add_pings(struct tws_link *l, struct tx *tx)
{
    if (l->pong_due && room(tx) >= 4) {
        uint8_t delay[4];
        tws_put32(delay, (uint32_t)(tx->now - l->pong_at));
        add(tx, &(struct tws_frame){.type = TWS_FRAME_PONG,
                                    .len = sizeof delay,
                                    .offset = l->pong_opaque,
                                    .payload = delay});
        l->pong_due = false;
    }
    if (l->ping_due && room(tx) > 0) {
        add(tx, &(struct tws_frame){.type = TWS_FRAME_PING,
                                    .flags = l->ping_ack ? TWS_FLAG_ACK_NOW : 0,
                                    .offset = tx->now});
        l->ping_due = l->ping_ack = false;
        l->ping_at = tx->now;
    }
}

/* ---- the session's frames ---- */

static void add_session(struct tws_link *l, struct tx *tx)
{
    struct tws_session *s = l->s;

    if (s->channels_due && room(tx) > 0) {
        s->peer_limit = s->peer_gone + s->cfg.max_channels;
        add(tx, &(struct tws_frame){.type = TWS_FRAME_CHANNELS, .offset = s->peer_limit});
        s->channels_due = false;
    }
    if (s->goaway_due && room(tx) >= 6) {
        uint8_t payload[6];
        tws_put16(payload, s->drain_code);
        tws_put32(payload + 2, s->drain_ms);
        add(tx, &(struct tws_frame){
                    .type = TWS_FRAME_GOAWAY, .len = sizeof payload, .payload = payload});
        s->goaway_due = false;
    }
}

/* Nothing matters behind CLOSE; it needs no log. */
static void add_close(struct tws_link *l, struct tx *tx)
{
    const struct tws_session *s = l->s;

    if (l->close_due && room(tx) >= 2 + sizeof s->close_text) {
        uint8_t payload[2 + sizeof s->close_text];
        size_t n = strlen(s->close_text);
        tws_put16(payload, s->close_code);
        memcpy(payload + 2, s->close_text, n);
        add(tx, &(struct tws_frame){
                    .type = TWS_FRAME_CLOSE, .len = (uint16_t)(2 + n), .payload = payload});
        l->close_due = false;
    }
}

/* ---- a channel's control frames ---- */

/* From here on the peer can know the channel once this message is covered. */
static void now_unknown(struct tws_channel *ch, struct tx *tx)
{
    ch->unknown_until = tx->link->log.next;
    if (!tws_list_linked(&ch->unknown_node))
        tws_list_push_back(&tx->link->unknown, &ch->unknown_node);
}

static bool add_hello(struct tws_channel *ch, struct tx *tx, uint8_t type)
{
    if (room(tx) < ch->hello_len)
        return false;
    if (type == TWS_FRAME_OPENED)
        tws_credit_grant(ch);
    add(tx, &(struct tws_frame){.type = type,
                                .len = ch->hello_len,
                                .channel = ch->id,
                                .offset = ch->rx_limit,
                                .payload = ch->hello});
    tws_free(&ch->s->mem, ch->hello);
    ch->hello = NULL;
    ch->hello_len = 0;
    now_unknown(ch, tx);
    return true;
}

static bool add_stop(struct tws_channel *ch, struct tx *tx)
{
    uint8_t code[2];

    if (room(tx) < sizeof code)
        return false;
    tws_put16(code, ch->stop_code);
    add(tx, &(struct tws_frame){.type = TWS_FRAME_STOP,
                                .len = sizeof code,
                                .channel = ch->id,
                                .offset = ch->q.consumed,
                                .payload = code});
    return true;
}

static bool add_window(struct tws_channel *ch, struct tx *tx)
{
    if (room(tx) == 0)
        return false;
    tws_credit_grant(ch);
    add(tx,
        &(struct tws_frame){.type = TWS_FRAME_WINDOW, .channel = ch->id, .offset = ch->rx_limit});
    return true;
}

static bool add_fin(struct tws_channel *ch, struct tx *tx)
{
    if (room(tx) == 0)
        return false;
    add(tx, &(struct tws_frame){.type = TWS_FRAME_DATA,
                                .flags = TWS_FLAG_FIN,
                                .channel = ch->id,
                                .offset = ch->tx_next});
    return true;
}

static bool add_reset(struct tws_channel *ch, struct tx *tx)
{
    uint8_t payload[2 + 128];
    size_t n = ch->reset_text == NULL ? 0 : strlen(ch->reset_text);

    if (room(tx) < sizeof payload)
        return false;
    tws_put16(payload, ch->reset_code);
    if (n > 0)
        memcpy(payload + 2, ch->reset_text, n);
    add(tx, &(struct tws_frame){.type = TWS_FRAME_RESET,
                                .len = (uint16_t)(2 + n),
                                .channel = ch->id,
                                .offset = ch->tx_next,
                                .payload = payload});
    return true;
}

/* Adds one due frame of `ch`; false: no room. */
static bool add_due(struct tws_channel *ch, struct tx *tx, unsigned due)
{
    switch (due) {
    case DUE_OPEN:
        return add_hello(ch, tx, TWS_FRAME_OPEN);
    case DUE_OPENED:
        return add_hello(ch, tx, TWS_FRAME_OPENED);
    case DUE_STOP:
        return add_stop(ch, tx);
    case DUE_WINDOW:
        return add_window(ch, tx);
    case DUE_FIN:
        return add_fin(ch, tx);
    default:
        return add_reset(ch, tx);
    }
}

/* All due frames of the channel at the head of the control list; false: no room. */
static bool add_control(struct tws_channel *ch, struct tx *tx)
{
    while (ch->due != 0) {
        unsigned due = ch->due & (unsigned)-(int)ch->due;
        if (!add_due(ch, tx, due))
            return false;
        ch->due &= (uint8_t)~due;
        if (due == DUE_FIN || due == DUE_RESET)
            tws_channel_step(ch, TWS_HALVES_DUE_SENT);
    }
    tws_channel_queue(ch);
    return true;
}

static void add_channels(struct tws_link *l, struct tx *tx)
{
    struct tws_channel *ch;

    while (room(tx) > 0 &&
           (ch = TWS_LIST_FIRST(&l->control, struct tws_channel, control_node)) != NULL)
        if (!add_control(ch, tx))
            return;
}

static bool has_deads(const struct tws_link *l)
{
    const struct tws_session *s = l->s;
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->graves)
    {
        const struct tws_link *g = TWS_CONTAINER(it, struct tws_link, link_node);
        if (g->dead_due && g != s->rx.link)
            return takes_deads(l);
    }
    return false;
}

/* Frames of the link itself: they may go before messages that wait. */
static bool has_own(const struct tws_link *l, uint64_t now)
{
    return l->role_due || l->close_due || l->pong_due || l->ping_due || tws_link_ack_due(l, now) ||
           has_deads(l);
}

/* Whether the link has anything but data to send. */
static bool has_control(const struct tws_link *l, uint64_t now)
{
    const struct tws_session *s = l->s;

    return has_own(l, now) || s->channels_due || s->goaway_due ||
           (!tws_list_empty(&l->control) && !s->closed);
}

static void add_own(struct tws_link *l, struct tx *tx)
{
    add_link(l, tx);
    add_deads(l, tx);
    add_ack(l, tx);
    add_pings(l, tx);
    add_close(l, tx);
}

static void add_all_control(struct tws_link *l, struct tx *tx)
{
    add_own(l, tx);
    add_session(l, tx);
    if (!l->s->closed)
        add_channels(l, tx);
}

/* ---- data ---- */

/* Nothing may be added to what waits; and a log that fills its half takes no more data. */
static bool takes_data(const struct tws_link *l)
{
    const struct tws_session *s = l->s;

    return tws_link_usable(l) && !s->closed && l->log.unsent == NULL && !l->close_due &&
           !(l->suspect && s->nlinks > 1) && s->blocks.used < s->cfg.memory / 2;
}

/* Begins a message for data, control in front. */
static bool begin_data(struct tws_link *l, uint64_t now)
{
    if (!has_control(l, now) && tws_sched_next(l, now) == NULL)
        return false;
    if (!begin(l, now))
        return false;
    add_all_control(l, &l->s->tx);
    return true;
}

/* False: the message holds enough. */
static bool offer_stream(const struct tws_link *l, const struct tws_channel *ch, uint64_t now,
                         struct tws_pull *out)
{
    const struct tx *tx = &l->s->tx;

    out->cap = tws_sched_allow(l, tx->len, room(tx), now);
    if (out->cap > ch->tx_limit - ch->tx_next)
        out->cap = (size_t)(ch->tx_limit - ch->tx_next);
    return out->cap > 0 || ch->tx_limit == ch->tx_next;
}

static void offer_datagram(const struct tws_channel *ch, const struct tx *tx, struct tws_pull *out)
{
    out->cap = room(tx);
    out->largest = tx->limit - TWS_FRAME_HDR;
    if (!ch->accepted && out->cap > ch->dg.early_left)
        out->cap = ch->dg.early_left;
}

bool tws_session_pull(struct tws_session *s, struct tws_link *l, uint64_t now, struct tws_pull *out)
{
    s->now = now;
    assert(s->tx.pulling == NULL);
    if (!takes_data(l) || s->tx.full)
        return false;
    if (s->tx.r == NULL && !begin_data(l, now))
        return false;
    if (room(&s->tx) < LEAST_DATA)
        return false;
    struct tws_channel *ch = tws_sched_next(l, now);
    if (ch == NULL)
        return false;
    *out = (struct tws_pull){
        .channel = ch, .user = ch->user, .buf = s->tx.r->data + s->tx.len + TWS_FRAME_HDR};
    if (ch->dg.carried)
        offer_datagram(ch, &s->tx, out);
    else if (!offer_stream(l, ch, now, out))
        return false;
    s->tx.pulling = ch;
    return true;
}

static void pulled_datagram(struct tws_channel *ch, struct tx *tx, size_t n, unsigned flags)
{
    if (flags & TWS_PULLED_LARGER) {
        assert(n <= tx->limit - TWS_FRAME_HDR);
        tx->full = tws_datagram_wait(ch, n);
    } else if (flags & TWS_PULLED_DATAGRAM) {
        add(tx, &(struct tws_frame){.type = TWS_FRAME_DATAGRAM,
                                    .len = (uint16_t)n,
                                    .channel = ch->id,
                                    .offset = tws_datagram_count(ch, n)});
        tws_sched_charge(ch, n + TWS_FRAME_HDR, tx->now);
    }
    if ((flags & (TWS_PULLED_MORE | TWS_PULLED_LARGER)) == 0)
        ch->ready = false;
    tws_channel_queue(ch);
}

void tws_session_pulled(struct tws_session *s, size_t n, unsigned flags)
{
    struct tx *tx = &s->tx;
    struct tws_channel *ch = tx->pulling;
    bool fin = (flags & TWS_PULLED_FIN) != 0;

    assert(ch != NULL);
    tx->pulling = NULL;
    /* The relay may have reset it in the middle of its read: those bytes are not sent. */
    if (!tws_halves_sending(&ch->halves))
        return;
    if (ch->dg.carried) {
        pulled_datagram(ch, tx, n, flags);
        return;
    }
    if (n > 0 || fin) {
        add(tx, &(struct tws_frame){.type = TWS_FRAME_DATA,
                                    .flags = fin ? TWS_FLAG_FIN : 0,
                                    .len = (uint16_t)n,
                                    .channel = ch->id,
                                    .offset = ch->tx_next});
        ch->tx_next += n;
        s->stats.bytes_sent += n;
        tws_sched_charge(ch, n, tx->now);
    }
    if ((flags & TWS_PULLED_MORE) == 0)
        ch->ready = false;
    if (fin)
        tws_channel_step(ch, TWS_HALVES_LOCAL_FIN);
    else
        tws_channel_queue(ch);
}

/* ---- messages ---- */

/* Behind everything else; a message that is full already has no room, and none is made for it. */
static void pad(struct tws_session *s, struct tx *tx)
{
    uint32_t n;

    if (s->padding.max == 0 || tx->frames == 0 || room(tx) == 0)
        return;
    n = tws_padding_next(&s->padding);
    if (n > room(tx))
        n = room(tx);
    memset(tx->r->data + tx->len + TWS_FRAME_HDR, 0, n);
    add(tx, &(struct tws_frame){.type = TWS_FRAME_PADDING, .len = (uint16_t)n});
    s->stats.padding += TWS_FRAME_HDR + n;
}

/* Ends the message being built; its number was promised as log.next. */
static void end_message(struct tws_session *s)
{
    struct tx tx = s->tx;

    s->tx = (struct tx){.link = NULL};
    if (tx.r == NULL)
        return;
    pad(s, &tx);
    if (tx.frames == 0)
        tws_msglog_cancel(&tx.link->log, tx.r, &s->blocks);
    else
        tws_msglog_end(&tx.link->log, tx.r, tx.len, tx.logged && !s->cfg.no_log);
    if (tx.frames > 0 && s->schedule == TWS_SCHEDULE_REDUNDANT)
        tws_resend_redundant(tx.link, tx.r);
}

void tws_compose_abandon(struct tws_link *l)
{
    if (l->s->tx.link != l)
        return;
    l->s->tx.pulling = NULL;
    end_message(l->s);
}

/* The first message of a client's link: LINK, then the DEADs. */
bool tws_compose_first(struct tws_link *l)
{
    if (!begin(l, l->s->now))
        return false;
    add_link(l, &l->s->tx);
    add_deads(l, &l->s->tx);
    end_message(l->s);
    return true;
}

/* Only the link's own frames, in front of what waits; numbers are those of the order of sending. */
static void insert_own(struct tws_link *l, uint64_t now)
{
    struct tws_session *s = l->s;
    struct tws_node *it, *tmp;

    if (!begin(l, now))
        return;
    uint64_t number = l->log.unsent->number, next = l->log.next;
    l->log.next = number; /* DEAD remembers it */
    add_own(l, &s->tx);
    l->log.next = next;
    struct tx tx = s->tx;
    s->tx = (struct tx){.link = NULL};
    if (tx.frames == 0) {
        tws_msglog_cancel(&l->log, tx.r, &s->blocks);
        return;
    }
    pad(s, &tx);
    tws_msglog_insert(&l->log, tx.r, tx.len);
    TWS_LIST_EACH(it, tmp, &l->unknown)
    {
        struct tws_channel *ch = TWS_CONTAINER(it, struct tws_channel, unknown_node);
        if (ch->unknown_until >= number)
            ch->unknown_until++;
    }
}

bool tws_session_next_message(struct tws_session *s, struct tws_link *l, uint64_t now,
                              struct tws_span *out)
{
    s->now = now;
    assert(s->tx.pulling == NULL);
    if (!tws_link_usable(l))
        return false;
    if (l->log.unsent != NULL && l->sent > 0 && has_own(l, now))
        insert_own(l, now);
    else if (l->log.unsent == NULL && s->tx.r == NULL && has_control(l, now) && begin(l, now))
        add_all_control(l, &s->tx);
    end_message(s);
    struct tws_record *r = l->log.unsent;
    if (r == NULL || (r->again && r->logged && l->log.in_flight > tws_link_bound(l, now)))
        return false;
    *out = (struct tws_span){r->data, r->len};
    return true;
}

bool tws_session_flush_again(struct tws_session *s)
{
    bool again = s->flush_again;

    s->flush_again = false;
    return again;
}

/* With a small bound an ACK may be late for the next bytes: ask for one. */
static void ask_for_ack(struct tws_link *l, uint64_t now)
{
    uint64_t bound;

    if (l->ping_at != 0 || l->log.in_flight < l->s->cfg.max_message) /* never half of the bound */
        return;
    bound = tws_link_bound(l, now);
    if (bound > 256u * 1024u || l->log.in_flight < bound / 2)
        return;
    l->ping_due = l->ping_ack = true;
}

void tws_session_sent(struct tws_session *s, struct tws_link *l, uint64_t now)
{
    struct tws_record *r = l->log.unsent;

    assert(r != NULL);
    if (r->logged && l->log.in_flight == 0)
        l->progress_at = now;
    r->mark = tws_path_mark(&l->path, l->log.in_flight == 0, now);
    l->sent = r->number;
    bool logged = r->logged;
    tws_msglog_sent(&l->log, &s->blocks);
    if (logged)
        ask_for_ack(l, now);
    else
        tws_link_rest(l, now);
}

bool tws_session_wants_write(struct tws_session *s, struct tws_link *l, uint64_t now)
{
    if (!tws_link_usable(l))
        return false;
    if (s->tx.r != NULL || has_control(l, now))
        return true;
    if (l->log.unsent != NULL)
        return !l->log.unsent->again || l->log.in_flight <= tws_link_bound(l, now);
    return takes_data(l) && tws_sched_next(l, now) != NULL;
}

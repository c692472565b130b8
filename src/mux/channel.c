/* channel.c - one channel: the relay's side of it, and its place on the lists. */
#include "session_priv.h"

#include <assert.h>
#include <string.h>

#define TEXT_MAX 128u

struct tws_channel *tws_channel_new(struct tws_session *s, uint32_t id)
{
    struct tws_channel *ch = tws_alloc_zero(&s->mem, sizeof *ch);

    if (ch == NULL)
        return NULL;
    ch->s = s;
    ch->id = id;
    ch->rx_final = TWS_NEVER;
    ch->window = tws_credit_first(s);
    ch->epoch_at = s->now;
    tws_list_init(&ch->member_node);
    tws_list_init(&ch->ready_node);
    tws_list_init(&ch->control_node);
    tws_list_init(&ch->event_node);
    tws_list_init(&ch->unknown_node);
    if (tws_map_add(&s->channels, id, ch) != TWS_OK) {
        tws_free(&s->mem, ch);
        return NULL;
    }
    tws_sched_home(ch, tws_sched_link(s));
    return ch;
}

void tws_channel_destroy(struct tws_channel *ch)
{
    struct tws_session *s = ch->s;

    if (s->borrower == ch)
        s->borrower = NULL;
    tws_credit_release(ch, TWS_NEVER);
    tws_map_remove(&s->channels, ch->id);
    tws_sched_home(ch, NULL);
    tws_list_unlink(&ch->member_node);
    tws_list_unlink(&ch->event_node);
    tws_list_unlink(&ch->unknown_node);
    tws_recvq_fini(&ch->q, &s->mem);
    tws_free(&s->mem, ch->reset_text);
    tws_free(&s->mem, ch->hello);
    tws_free(&s->mem, ch);
}

/* While the peer may not know it, everything of a channel keeps to one link; once that link is
 * given up, it waits until the peer has said what it processed. */
static bool waits_for_settling(const struct tws_channel *ch)
{
    return tws_list_linked(&ch->unknown_node) && ch->link == NULL;
}

static bool has_data(const struct tws_channel *ch)
{
    if (!ch->ready || !tws_halves_sending(&ch->halves) || (ch->due & (DUE_OPEN | DUE_OPENED)) != 0)
        return false;
    if (ch->dg.carried)
        return tws_datagram_may_send(ch);
    if (ch->tx_next >= ch->tx_limit)
        return false;
    /* The accepting side answers first: nothing overtakes OPENED. */
    return ch->accepted || ch->id % 2 == (ch->s->cfg.client ? 1 : 0);
}

void tws_channel_unqueue(struct tws_channel *ch)
{
    tws_list_unlink(&ch->ready_node);
    tws_list_unlink(&ch->control_node);
}

void tws_channel_queue(struct tws_channel *ch)
{
    struct tws_link *l = ch->link;

    if (l == NULL || waits_for_settling(ch)) {
        tws_channel_unqueue(ch);
        return;
    }
    if (ch->due == 0)
        tws_list_unlink(&ch->control_node);
    else if (!tws_list_linked(&ch->control_node))
        tws_list_push_back(&l->control, &ch->control_node);
    if (!has_data(ch)) {
        tws_list_unlink(&ch->ready_node);
    } else if (!tws_list_linked(&ch->ready_node)) {
        bool quiet = ch->burst < TWS_QUANTUM, shared = tws_sched_shares(ch);
        struct tws_node *fresh = shared ? &ch->s->fresh : &l->fresh;
        struct tws_node *bulk = shared ? &ch->s->bulk : &l->bulk;
        ch->deficit = TWS_QUANTUM;
        tws_list_push_back(quiet ? fresh : bulk, &ch->ready_node);
    }
}

void tws_channel_owe(struct tws_channel *ch, unsigned due)
{
    ch->due |= (uint8_t)due;
    tws_channel_queue(ch);
}

void tws_channel_settle_known(struct tws_channel *ch)
{
    tws_list_unlink(&ch->unknown_node);
    if (ch->link == NULL) {
        tws_sched_home(ch, tws_sched_link(ch->s));
    } else if (tws_sched_shares(ch)) {
        tws_channel_unqueue(ch);
        tws_channel_queue(ch);
    }
}

/* What may never come is not granted; what is queued is nobody's. */
static void drop_received(struct tws_channel *ch)
{
    tws_recvq_drop(&ch->q, &ch->s->mem);
    tws_credit_release(ch, TWS_NEVER);
    ch->due &= (uint8_t)~DUE_WINDOW;
    ch->events &= (uint16_t) ~(1u << TWS_EVENT_READABLE);
}

static void count_gone(struct tws_session *s, const struct tws_channel *ch)
{
    bool ours = ch->id % 2 == (s->cfg.client ? 1 : 0);

    s->stats.channels--;
    if (ours)
        return;
    s->peer_gone++;
    uint64_t limit = s->peer_gone + s->cfg.max_channels;
    /* In steps, so that short connections do not cost a frame each; at once if the peer waits. */
    if (limit - s->peer_limit >= s->cfg.max_channels / 8 + 1 || s->peer_opened == s->peer_limit)
        s->channels_due = true;
}

void tws_channel_step(struct tws_channel *ch, enum tws_halves_event ev)
{
    unsigned todo = tws_halves_step(&ch->halves, ev);

    if (todo & TWS_HALVES_DROP_RECEIVED)
        drop_received(ch);
    if (todo & TWS_HALVES_SEND_FIN)
        ch->due |= DUE_FIN;
    if (todo & TWS_HALVES_SEND_STOP)
        ch->due |= DUE_STOP;
    if (todo & TWS_HALVES_SEND_RESET)
        ch->due =
            (uint8_t)((ch->due & ~(DUE_FIN | DUE_STOP | DUE_WINDOW | DUE_OPENED)) | DUE_RESET);
    if (todo & TWS_HALVES_RELEASE) {
        tws_channel_unqueue(ch);
        count_gone(ch->s, ch);
        tws_event_channel(ch, TWS_EVENT_RELEASED);
        return;
    }
    tws_channel_queue(ch);
}

void tws_channel_check_end(struct tws_channel *ch)
{
    if (ch->rx_final == TWS_NEVER || ch->q.consumed < ch->rx_final)
        return;
    tws_credit_release(ch, TWS_NEVER);
    tws_channel_step(ch, TWS_HALVES_ALL_CONSUMED);
}

/* ---- the relay's calls ---- */

void tws_channel_set_user(struct tws_channel *ch, void *user)
{
    ch->user = user;
}

uint32_t tws_channel_id(const struct tws_channel *ch)
{
    return ch->id;
}

void tws_channel_accept(struct tws_channel *ch, struct tws_span bound, uint64_t now)
{
    ch->s->now = now;
    if (ch->accepted || !tws_halves_sending(&ch->halves))
        return; /* the peer reset it meanwhile */
    assert(ch->hello == NULL && bound.n <= TWS_FRAME_MAX_PAYLOAD);
    if (bound.n > 0) {
        ch->hello = tws_alloc(&ch->s->mem, bound.n);
        if (ch->hello == NULL) {
            tws_channel_reset(ch, TWS_CODE_RESOURCES, NULL, now);
            return;
        }
        memcpy(ch->hello, bound.p, bound.n);
        ch->hello_len = (uint16_t)bound.n;
    }
    ch->accepted = true;
    tws_credit_grant(ch);
    tws_channel_owe(ch, DUE_OPENED);
}

void tws_channel_set_ready(struct tws_channel *ch, bool ready, uint64_t now)
{
    if (ch->ready == ready)
        return;
    ch->ready = ready;
    /* Silent for a while: it counts as interactive again. */
    if (ready && now - ch->pulled_at > 5000)
        ch->burst = 0;
    tws_channel_queue(ch);
}

tws_err tws_channel_peek(struct tws_channel *ch, struct tws_span *out)
{
    if (ch->halves.rx == TWS_RX_DISCARDING || ch->halves.rx == TWS_RX_ENDED)
        return TWS_ABSENT;
    *out = tws_recvq_peek(&ch->q);
    return out->n > 0 ? TWS_OK : TWS_BLOCKED;
}

bool tws_channel_complete(const struct tws_channel *ch, uint64_t *left)
{
    *left = ch->q.next - ch->q.consumed;
    return ch->halves.rx == TWS_RX_DRAINING && ch->q.next == ch->rx_final;
}

void tws_channel_consume(struct tws_channel *ch, size_t n, uint64_t now)
{
    ch->s->now = now;
    tws_recvq_consume(&ch->q, &ch->s->mem, n);
    tws_credit_release(ch, n);
    ch->s->stats.bytes_received += n;
    if (tws_credit_consumed(ch, now))
        tws_channel_owe(ch, DUE_WINDOW);
    tws_channel_check_end(ch);
}

static void keep_text(struct tws_channel *ch, const char *text)
{
    size_t n = text == NULL ? 0 : strlen(text);

    if (n == 0 || ch->reset_text != NULL)
        return;
    if (n > TEXT_MAX)
        n = TEXT_MAX;
    ch->reset_text = tws_alloc_zero(&ch->s->mem, n + 1);
    if (ch->reset_text != NULL)
        memcpy(ch->reset_text, text, n); /* without memory the code alone must do */
}

void tws_channel_reset(struct tws_channel *ch, uint16_t code, const char *text, uint64_t now)
{
    ch->s->now = now;
    if (ch->halves.tx < TWS_TX_RESET_DUE) {
        ch->reset_code = code;
        keep_text(ch, text);
    }
    tws_channel_step(ch, TWS_HALVES_LOCAL_RESET);
}

void tws_channel_starve(struct tws_channel *ch)
{
    tws_channel_reset(ch, TWS_CODE_RESOURCES, "memory budget of the session is used up",
                      ch->s->now);
    ch->peer_code = TWS_CODE_RESOURCES;
    tws_event_channel(ch, TWS_EVENT_RESET);
}

void tws_channel_stop(struct tws_channel *ch, uint16_t code, uint64_t now)
{
    ch->s->now = now;
    ch->stop_code = code;
    tws_channel_step(ch, TWS_HALVES_LOCAL_STOP);
}

struct tws_channel_stats tws_channel_stats(const struct tws_channel *ch)
{
    return (struct tws_channel_stats){
        .sent = ch->tx_next + ch->dg.tx_bytes,
        .received = ch->q.consumed + ch->dg.rx_bytes,
        .datagrams_sent = ch->dg.tx,
        .datagrams_received = ch->dg.got,
        .datagrams_missing = ch->dg.rx > ch->dg.got ? ch->dg.rx - ch->dg.got : 0,
    };
}

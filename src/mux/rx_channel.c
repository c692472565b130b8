/* rx_channel.c - handlers of the frames that belong to channels: check everything, then commit. */
#include "session_priv.h"

static bool is_ours(const struct tws_session *s, uint32_t id)
{
    return id % 2 == (s->cfg.client ? 1 : 0);
}

static bool was_seen(const struct tws_session *s, uint32_t id)
{
    return is_ours(s, id) ? id < s->next_id : tws_ranges_has(&s->peer_ids, id / 2);
}

tws_err tws_rx_find(struct tws_session *s, uint32_t id, struct tws_channel **out)
{
    struct tws_channel *ch = tws_map_get(&s->channels, id);

    if (ch == NULL || (ch->events & 1u << TWS_EVENT_RELEASED) != 0)
        return id != 0 && was_seen(s, id) ? TWS_ABSENT : TWS_E_STATE;
    /* Whatever comes for a channel that we opened shows that the peer knows it. */
    if (is_ours(s, id) && tws_list_linked(&ch->unknown_node))
        tws_channel_settle_known(ch);
    *out = ch;
    return TWS_OK;
}

static tws_err ignore_absent(tws_err err)
{
    return err == TWS_ABSENT ? TWS_OK : err;
}

/* ---- DATA ---- */

static tws_err check_data(const struct tws_channel *ch, const struct tws_frame *f)
{
    bool fin = (f->flags & TWS_FLAG_FIN) != 0;
    uint64_t end = f->offset + f->len;

    if (f->offset > TWS_OFFSET_MAX)
        return TWS_E_PROTOCOL;
    if (ch->rx_final != TWS_NEVER && (end > ch->rx_final || (fin && end != ch->rx_final)))
        return TWS_E_FINAL_SIZE;
    if (fin && end < ch->rx_highest)
        return TWS_E_FINAL_SIZE;
    return end > ch->rx_limit ? TWS_E_FLOW : TWS_OK;
}

/* Bytes that the local side cannot take now must be stored; the budget is the session's. A channel
 * that would outgrow it is reset, so that the others live. */
static bool outgrows(const struct tws_channel *ch, const struct tws_frame *f)
{
    bool stored = ch->q.first != NULL || f->offset > ch->q.next;

    return stored && ch->s->allocated + f->len > ch->s->cfg.memory;
}

static bool reached_end(const struct tws_channel *ch)
{
    return ch->rx_final != TWS_NEVER && ch->q.next >= ch->rx_final;
}

tws_err tws_rx_data(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_channel *ch = NULL;
    tws_err err = tws_rx_find(s, f->channel, &ch);

    if (f->len == 0 && f->flags == 0)
        tws_receive_useless(s);
    if (err == TWS_OK)
        err = check_data(ch, f);
    if (err != TWS_OK)
        return ignore_absent(err);
    bool told = tws_recvq_readable(&ch->q) || reached_end(ch);
    if (f->offset + f->len > ch->rx_highest)
        ch->rx_highest = f->offset + f->len;
    if (tws_halves_delivering(&ch->halves) && outgrows(ch, f))
        tws_channel_starve(ch);
    if (tws_halves_delivering(&ch->halves)) {
        err = tws_recvq_put(&ch->q, &s->mem, f->offset, (struct tws_span){f->payload, f->len});
        if (err != TWS_OK)
            return err;
        s->borrower = ch;
    }
    if (f->flags & TWS_FLAG_FIN) {
        ch->rx_final = f->offset + f->len;
        tws_channel_step(ch, TWS_HALVES_PEER_FIN);
    }
    if (!told && (tws_recvq_readable(&ch->q) || reached_end(ch)) &&
        tws_halves_delivering(&ch->halves))
        tws_event_channel(ch, TWS_EVENT_READABLE);
    tws_channel_check_end(ch);
    return TWS_OK;
}

/* ---- OPEN, OPENED ---- */

static tws_err check_open(const struct tws_session *s, const struct tws_frame *f)
{
    if (f->channel == 0 || is_ours(s, f->channel) || f->offset > TWS_OFFSET_MAX)
        return TWS_E_PROTOCOL;
    if (was_seen(s, f->channel))
        return TWS_E_STATE;
    return s->peer_opened >= s->peer_limit ? TWS_E_FLOW : TWS_OK;
}

tws_err tws_rx_open(struct tws_session *s, const struct tws_frame *f)
{
    tws_err err = check_open(s, f);

    if (err == TWS_OK)
        err = tws_ranges_add(&s->peer_ids, f->channel / 2);
    if (err != TWS_OK)
        return err == TWS_FULL ? TWS_E_EXCESS : err;
    struct tws_channel *ch = tws_channel_new(s, f->channel);
    if (ch == NULL)
        return TWS_NOMEM;
    s->peer_opened++;
    s->stats.channels++;
    ch->tx_limit = f->offset;
    tws_datagram_begin(ch, (struct tws_span){f->payload, f->len});
    if (!ch->dg.carried) {
        ch->rx_limit = ch->charged = s->cfg.early_data;
        s->granted += s->cfg.early_data;
    }
    if (s->draining) {
        tws_channel_reset(ch, TWS_CODE_SHUTDOWN, NULL, s->now);
        return TWS_OK;
    }
    s->ev_payload = (struct tws_span){f->payload, f->len};
    tws_event_channel(ch, TWS_EVENT_OPEN);
    return TWS_OK;
}

tws_err tws_rx_opened(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_channel *ch = NULL;
    tws_err err = tws_rx_find(s, f->channel, &ch);

    if (!is_ours(s, f->channel) || f->offset > TWS_OFFSET_MAX)
        return TWS_E_PROTOCOL;
    if (err == TWS_OK && ch->accepted)
        err = TWS_E_STATE;
    if (err != TWS_OK)
        return ignore_absent(err);
    ch->accepted = true;
    if (f->offset > ch->tx_limit)
        ch->tx_limit = f->offset;
    s->ev_payload = (struct tws_span){f->payload, f->len};
    tws_event_channel(ch, TWS_EVENT_OPENED);
    tws_channel_queue(ch);
    return TWS_OK;
}

/* ---- RESET, STOP ---- */

static tws_err check_reset(const struct tws_channel *ch, uint64_t final)
{
    if (final > TWS_OFFSET_MAX)
        return TWS_E_PROTOCOL;
    if (final < ch->rx_highest || (ch->rx_final != TWS_NEVER && final != ch->rx_final))
        return TWS_E_FINAL_SIZE;
    return final > ch->rx_limit ? TWS_E_FLOW : TWS_OK;
}

/* Opening and giving up in a loop costs us dials (the "rapid reset" of HTTP/2): counted once, at
 * STOP or RESET, unless it is the peer's answer to our own RESET. */
static void count_early_end(struct tws_session *s, const struct tws_channel *ch)
{
    bool sending = tws_halves_sending(&ch->halves) || ch->halves.tx == TWS_TX_RESET_DUE;

    if (is_ours(s, ch->id) || ch->accepted || !sending)
        return;
    enum tws_flood_verdict v = tws_flood_count(&s->early_resets, s->now);
    if (v == TWS_FLOOD_WARN)
        tws_session_goaway(s, TWS_CODE_EXCESS, 0);
    if (v == TWS_FLOOD_OVER)
        tws_session_fail(s, TWS_CODE_EXCESS, "too many channels given up before they were opened");
}

tws_err tws_rx_reset(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_channel *ch = NULL;
    tws_err err = tws_rx_find(s, f->channel, &ch);

    if (err == TWS_OK)
        err = check_reset(ch, f->offset);
    if (err != TWS_OK)
        return ignore_absent(err);
    count_early_end(s, ch);
    bool tell = ch->halves.tx < TWS_TX_RESET_DUE;
    ch->rx_final = ch->rx_highest = f->offset;
    ch->peer_code = tws_get16(f->payload);
    if (tell) {
        ch->reset_code = ch->peer_code;
        s->ev_payload = (struct tws_span){f->payload + 2, (size_t)f->len - 2};
        tws_event_channel(ch, TWS_EVENT_RESET);
    }
    tws_channel_step(ch, TWS_HALVES_PEER_RESET);
    tws_channel_check_end(ch);
    return TWS_OK;
}

tws_err tws_rx_stop(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_channel *ch = NULL;
    tws_err err = tws_rx_find(s, f->channel, &ch);

    if (err == TWS_OK && f->offset > ch->tx_next)
        err = TWS_E_PROTOCOL;
    if (err != TWS_OK)
        return ignore_absent(err);
    if (tws_halves_sending(&ch->halves)) {
        count_early_end(s, ch);
        ch->peer_code = tws_get16(f->payload);
        tws_event_channel(ch, TWS_EVENT_STOPPED);
    }
    tws_channel_step(ch, TWS_HALVES_PEER_STOP);
    return TWS_OK;
}

/* ---- credit ---- */

tws_err tws_rx_window(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_channel *ch = NULL;
    tws_err err = tws_rx_find(s, f->channel, &ch);

    if (f->offset > TWS_OFFSET_MAX)
        return TWS_E_PROTOCOL;
    if (err != TWS_OK)
        return ignore_absent(err);
    /* A window frame may come late, sent again; a flood of small raises is a waste of our time. */
    if (f->offset <= ch->tx_limit || f->offset - ch->tx_limit < (f->offset - ch->tx_next) / 16)
        tws_receive_useless(s);
    if (f->offset > ch->tx_limit)
        ch->tx_limit = f->offset;
    tws_channel_queue(ch);
    return TWS_OK;
}

tws_err tws_rx_channels(struct tws_session *s, const struct tws_frame *f)
{
    if (f->channel != 0)
        return TWS_E_PROTOCOL;
    if (f->offset <= s->open_limit) {
        tws_receive_useless(s);
        return TWS_OK;
    }
    if (s->opened >= s->open_limit)
        tws_event_session(s, TWS_EVENT_OPENABLE);
    s->open_limit = f->offset;
    return TWS_OK;
}

/* rx_link.c - handlers of the frames that belong to links and to the session. */
#include "session_priv.h"

#include <string.h>

tws_err tws_rx_padding(struct tws_session *s, const struct tws_frame *f)
{
    (void)s;
    (void)f;
    return TWS_OK;
}

tws_err tws_rx_ack(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_link *l = tws_link_find(s, f->channel);
    struct tws_acked acked;

    if (l == NULL) /* a link that was given up: its DEAD settles it */
        return tws_ranges_has(&s->link_ids, f->channel) ? TWS_OK : TWS_E_PROTOCOL;
    if (f->offset > l->sent)
        return TWS_E_PROTOCOL;
    if (f->offset <= l->acked) {
        tws_receive_useless(s);
        return TWS_OK;
    }
    acked = tws_msglog_acknowledge(&l->log, f->offset, &s->blocks);
    if (acked.bytes > 0) {
        uint64_t took = s->now - acked.mark.sent_at, delay = tws_get32(f->payload);
        /* Only the message that the delay was measured from tells the round trip. */
        bool exact = acked.last == f->offset && took > delay;
        tws_path_delivered(&l->path, &acked.mark, acked.bytes, exact ? took - delay : 0, s->now);
    }
    l->progress_at = s->now;
    tws_link_covered(l, f->offset);
    if (l->suspect) {
        l->suspect = false;
        tws_resend_all_suspects(s);
    }
    return TWS_OK;
}

tws_err tws_rx_dead(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_link *l = tws_link_find(s, f->channel), *grave;

    if (l == s->rx.link) /* who gave it up would not send over it */
        return TWS_E_PROTOCOL;
    if (l != NULL)
        tws_link_give_up(l, tws_get16(f->payload), true);
    grave = tws_grave_find(s, f->channel);
    if (grave != NULL && !grave->settled)
        return tws_link_settle(grave, f->offset);
    if (tws_ranges_has(&s->link_ids, f->channel))
        return TWS_OK;
    /* Nothing was ever sent over a link that we do not know. */
    return f->offset == 0 ? tws_link_unknown(s, f->channel) : TWS_E_PROTOCOL;
}

tws_err tws_rx_ping(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_link *l = s->rx.link;

    if (l->pong_due)
        tws_receive_useless(s);
    l->pong_due = true;
    l->pong_opaque = f->offset;
    l->pong_at = s->now;
    if (f->flags & TWS_FLAG_ACK_NOW)
        l->ack_now = true;
    return TWS_OK;
}

tws_err tws_rx_pong(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_link *l = s->rx.link;
    uint64_t delay = tws_get32(f->payload);

    if (l->ping_at == 0 || f->offset != l->ping_at) {
        tws_receive_useless(s);
        return TWS_OK;
    }
    if (s->now > l->ping_at + delay)
        tws_path_round_trip(&l->path, s->now - l->ping_at - delay, s->now);
    l->ping_at = 0;
    return TWS_OK;
}

tws_err tws_rx_link(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_link *l = s->rx.link;
    uint8_t role = f->payload[0];

    if (f->channel != l->id || role < TWS_ROLE_AVAILABLE || role > TWS_ROLE_DRAINING)
        return TWS_E_PROTOCOL;
    /* A schedule we do not know falls back to auto: it is the sender's own business. */
    if (!s->cfg.client)
        s->schedule =
            f->payload[1] < TWS_SCHEDULE_END ? (enum tws_schedule)f->payload[1] : TWS_SCHEDULE_AUTO;
    if (!l->quiet && role == l->role)
        tws_receive_useless(s);
    l->role = role;
    l->weight = tws_get16(f->payload + 2);
    l->role_changed = true;
    tws_event_session(s, TWS_EVENT_LINK_ROLE);
    if (l->quiet) {
        l->quiet = false;
        tws_link_use(l);
    }
    return TWS_OK;
}

tws_err tws_rx_goaway(struct tws_session *s, const struct tws_frame *f)
{
    uint32_t ms = tws_get32(f->payload + 2);

    if (f->channel != 0)
        return TWS_E_PROTOCOL;
    if (s->peer_draining)
        tws_receive_useless(s); /* one says it; deadlines that creep are a flood */
    if (s->peer_draining && ms >= s->goaway_ms)
        return TWS_OK;
    s->peer_draining = true;
    s->goaway_code = tws_get16(f->payload);
    s->goaway_ms = ms;
    tws_event_session(s, TWS_EVENT_GOAWAY);
    return TWS_OK;
}

tws_err tws_rx_close(struct tws_session *s, const struct tws_frame *f)
{
    size_t n = (size_t)f->len - 2;

    if (f->channel != 0)
        return TWS_E_PROTOCOL;
    if (n >= sizeof s->close_text)
        n = sizeof s->close_text - 1;
    memcpy(s->close_text, f->payload + 2, n);
    s->close_text[n] = '\0';
    s->close_code = tws_get16(f->payload);
    s->closed = true;
    tws_event_session(s, TWS_EVENT_CLOSED);
    return TWS_OK;
}

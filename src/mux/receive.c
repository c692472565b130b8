/*
 * receive.c - messages come in: one frame after the other, each checked, then handed to its
 * handler.
 *
 * A message counts as processed when its last frame was applied. If the caller gives its link up
 * between two events of it, the rest of the message is applied all the same: a message is processed
 * wholly or not at all, since the peer sends it again when it was not.
 */
#include "session_priv.h"

#include <assert.h>

struct row {
    tws_frame_handler *handle;
    uint16_t len_min, len_max;
    uint8_t flags; /* allowed */
    bool asks;     /* obliges us to acknowledge */
};

#define ANY TWS_FRAME_MAX_PAYLOAD

static const struct row rows[TWS_FRAME_TYPE_END] = {
    [TWS_FRAME_PADDING] = {tws_rx_padding, 0, ANY, 0, false},
    [TWS_FRAME_DATA] = {tws_rx_data, 0, ANY, TWS_FLAG_FIN, true},
    [TWS_FRAME_OPEN] = {tws_rx_open, 1, ANY, 0, true},
    [TWS_FRAME_OPENED] = {tws_rx_opened, 0, ANY, 0, true},
    [TWS_FRAME_RESET] = {tws_rx_reset, 2, 2 + 128, 0, true},
    [TWS_FRAME_STOP] = {tws_rx_stop, 2, 2, 0, true},
    [TWS_FRAME_WINDOW] = {tws_rx_window, 0, 0, 0, true},
    [TWS_FRAME_CHANNELS] = {tws_rx_channels, 0, 0, 0, true},
    [TWS_FRAME_ACK] = {tws_rx_ack, 4, 4, 0, false},
    [TWS_FRAME_DEAD] = {tws_rx_dead, 2, 2, 0, false},
    [TWS_FRAME_PING] = {tws_rx_ping, 0, 0, TWS_FLAG_ACK_NOW, false},
    [TWS_FRAME_PONG] = {tws_rx_pong, 4, 4, 0, false},
    [TWS_FRAME_LINK] = {tws_rx_link, 4, 4, 0, false},
    [TWS_FRAME_GOAWAY] = {tws_rx_goaway, 6, 6, 0, true},
    [TWS_FRAME_CLOSE] = {tws_rx_close, 2, ANY, 0, false},
    [TWS_FRAME_DATAGRAM] = {tws_rx_datagram, 0, ANY, 0, true},
};

void tws_receive_useless(struct tws_session *s)
{
    enum tws_flood_verdict v = tws_flood_count(&s->useless, s->now);

    if (v == TWS_FLOOD_WARN)
        tws_session_goaway(s, TWS_CODE_EXCESS, 0);
    if (v == TWS_FLOOD_OVER)
        tws_session_fail(s, TWS_CODE_EXCESS, "too many useless frames");
}

void tws_session_recv(struct tws_session *s, struct tws_link *l, struct tws_span message,
                      uint64_t now)
{
    assert(s->rx.link == NULL);
    s->now = now;
    if (s->closed || !l->live)
        return;
    tws_session_link_heard(l, now);
    if (message.n > TWS_MESSAGE_MAX || message.n == 0) {
        tws_session_fail(s, TWS_CODE_TOO_BIG, "message of a wrong size");
        return;
    }
    s->rx = (struct rx){.link = l, .left = message, .size = message.n, .now = now};
}

/* The whole message was applied. */
static void finish(struct tws_session *s)
{
    struct rx rx = s->rx;
    struct tws_link *l = rx.link;

    s->rx = (struct rx){.link = NULL};
    l->processed++;
    l->processed_at = rx.now;
    if (rx.asks) {
        l->busy_count++;
        if (l->uncovered++ == 0)
            l->uncovered_at = rx.now;
        l->uncovered_bytes += rx.size;
    }
    if (!rx.useful)
        tws_receive_useless(s);
}

static tws_err apply(struct tws_session *s, const struct tws_frame *f)
{
    struct rx *rx = &s->rx;

    if (++rx->frames > TWS_MESSAGE_FRAMES)
        return TWS_E_TOO_BIG;
    if (f->type >= TWS_FRAME_TYPE_END)
        return f->flags & TWS_FLAG_SKIP ? TWS_OK : TWS_E_PROTOCOL;
    const struct row *row = &rows[f->type];
    if ((f->flags & ~row->flags) != 0 || f->len < row->len_min || f->len > row->len_max)
        return TWS_E_PROTOCOL;
    /* The client's first frame on a link says which link it is. */
    if (rx->link->quiet && f->type != TWS_FRAME_LINK)
        return TWS_E_STATE;
    rx->asks = rx->asks || row->asks;
    rx->useful = rx->useful || f->type != TWS_FRAME_PADDING;
    return row->handle(s, f);
}

/* What the relay did not take of the last DATA is copied before the message goes on; memory that
 * the budget does not have costs that channel its life (*starved), not the session. */
static tws_err settle_borrowed(struct tws_session *s, bool *starved)
{
    struct tws_channel *ch = s->borrower;

    s->borrower = NULL;
    if (ch == NULL || ch->q.borrowed.n == 0)
        return TWS_OK;
    if (s->allocated + ch->q.borrowed.n > s->cfg.memory) {
        tws_channel_starve(ch);
        *starved = true;
        return TWS_OK;
    }
    return tws_recvq_settle(&ch->q, &s->mem);
}

static tws_err apply_next(struct tws_session *s)
{
    struct tws_frame f;
    size_t used;

    if (tws_frame_decode(s->rx.left, &f, &used) != TWS_OK)
        return TWS_E_PROTOCOL;
    s->rx.left.p += used;
    s->rx.left.n -= used;
    return apply(s, &f);
}

bool tws_receive_next(struct tws_session *s)
{
    if (s->rx.link == NULL)
        return false;
    if (s->closed) {
        s->rx = (struct rx){.link = NULL};
        return true;
    }
    bool starved = false;
    tws_err err = settle_borrowed(s, &starved);
    if (starved) /* its event is taken before the next frame has one with bytes */
        return true;
    if (err == TWS_OK && s->rx.left.n == 0)
        finish(s);
    else if (err == TWS_OK)
        err = apply_next(s);
    if (err != TWS_OK)
        tws_session_fail(s, tws_err_code(err), tws_err_text(err));
    return true;
}

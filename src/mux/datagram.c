/*
 * datagram.c - channels without a stream: numbers instead of offsets, no credit, no order.
 *
 * What waits to be sent waits with the local side, whose turn comes by sched.c as for streams. What
 * was sent is in its link's log until it is acknowledged, so that it counts as in flight; when the
 * link dies it is not moved (link.c) but counted as lost. So each datagram of a session that lives
 * on is either with the peer, or counted.
 */
#include "session_priv.h"

void tws_datagram_begin(struct tws_channel *ch, struct tws_span open)
{
    ch->dg.carried = open.n > 0 && tws_kind_has_datagrams(open.p[0]);
    if (!ch->dg.carried)
        return;
    ch->window = 0; /* not one byte of a stream is granted */
    ch->dg.early_left = ch->s->cfg.peer_early_datagrams;
}

bool tws_datagram_may_send(const struct tws_channel *ch)
{
    bool ours = ch->id % 2 == (ch->s->cfg.client ? 1 : 0);

    return ch->accepted || (ours && ch->dg.early_left > 0);
}

bool tws_datagram_wait(struct tws_channel *ch, size_t n)
{
    if (!ch->accepted && n > ch->dg.early_left) {
        ch->dg.early_left = 0;
        return false;
    }
    return true;
}

uint64_t tws_datagram_count(struct tws_channel *ch, size_t n)
{
    uint32_t cost = (uint32_t)n + TWS_FRAME_HDR;

    ch->dg.early_left -= ch->dg.early_left < cost ? ch->dg.early_left : cost;
    ch->dg.tx_bytes += n;
    ch->s->stats.bytes_sent += n;
    ch->s->stats.datagrams_sent++;
    return ch->dg.tx++;
}

tws_err tws_rx_datagram(struct tws_session *s, const struct tws_frame *f)
{
    struct tws_channel *ch = NULL;
    tws_err err = tws_rx_find(s, f->channel, &ch);

    if (f->offset > TWS_OFFSET_MAX)
        return TWS_E_PROTOCOL;
    if (err != TWS_OK)
        return err == TWS_ABSENT ? TWS_OK : err;
    if (!ch->dg.carried)
        return TWS_E_STATE;
    if (!tws_halves_delivering(&ch->halves))
        return TWS_OK;
    if (f->offset >= ch->dg.rx)
        ch->dg.rx = f->offset + 1;
    ch->dg.got++;
    ch->dg.rx_bytes += f->len;
    s->stats.bytes_received += f->len;
    s->stats.datagrams_received++;
    s->ev_payload = (struct tws_span){f->payload, f->len};
    tws_event_channel(ch, TWS_EVENT_DATAGRAM);
    return TWS_OK;
}

/* halves.c - see halves.h; the two tables below are the whole machine. */
#include "tws/mux/halves.h"

#include <stddef.h>
#include <stdint.h>

struct rule {
    uint8_t ev, from, to;
    uint8_t todo;
};

static const struct rule rx_rules[] = {
    {TWS_HALVES_LOCAL_RESET, TWS_RX_OPEN, TWS_RX_DISCARDING, TWS_HALVES_DROP_RECEIVED},
    {TWS_HALVES_LOCAL_RESET, TWS_RX_DRAINING, TWS_RX_ENDED, TWS_HALVES_DROP_RECEIVED},
    {TWS_HALVES_LOCAL_RESET, TWS_RX_ABORTED, TWS_RX_ENDED, TWS_HALVES_DROP_RECEIVED},
    {TWS_HALVES_LOCAL_STOP, TWS_RX_OPEN, TWS_RX_DISCARDING,
     TWS_HALVES_SEND_STOP | TWS_HALVES_DROP_RECEIVED},
    {TWS_HALVES_LOCAL_STOP, TWS_RX_DRAINING, TWS_RX_ENDED, TWS_HALVES_DROP_RECEIVED},
    {TWS_HALVES_LOCAL_STOP, TWS_RX_ABORTED, TWS_RX_ENDED, TWS_HALVES_DROP_RECEIVED},
    {TWS_HALVES_PEER_FIN, TWS_RX_OPEN, TWS_RX_DRAINING, 0},
    {TWS_HALVES_PEER_FIN, TWS_RX_DISCARDING, TWS_RX_ENDED, 0},
    {TWS_HALVES_PEER_RESET, TWS_RX_OPEN, TWS_RX_ABORTED, 0},
    {TWS_HALVES_PEER_RESET, TWS_RX_DRAINING, TWS_RX_ABORTED, 0},
    {TWS_HALVES_PEER_RESET, TWS_RX_DISCARDING, TWS_RX_ENDED, 0},
    {TWS_HALVES_ALL_CONSUMED, TWS_RX_DRAINING, TWS_RX_ENDED, 0},
    {TWS_HALVES_ALL_CONSUMED, TWS_RX_ABORTED, TWS_RX_ENDED, 0},
};

static const struct rule tx_rules[] = {
    {TWS_HALVES_LOCAL_FIN, TWS_TX_OPEN, TWS_TX_FIN_SENT, 0},
    {TWS_HALVES_LOCAL_RESET, TWS_TX_OPEN, TWS_TX_RESET_DUE, TWS_HALVES_SEND_RESET},
    {TWS_HALVES_LOCAL_RESET, TWS_TX_FIN_DUE, TWS_TX_RESET_DUE, TWS_HALVES_SEND_RESET},
    {TWS_HALVES_PEER_STOP, TWS_TX_OPEN, TWS_TX_FIN_DUE, TWS_HALVES_SEND_FIN},
    {TWS_HALVES_PEER_RESET, TWS_TX_OPEN, TWS_TX_RESET_DUE, TWS_HALVES_SEND_RESET},
    {TWS_HALVES_PEER_RESET, TWS_TX_FIN_DUE, TWS_TX_RESET_DUE, TWS_HALVES_SEND_RESET},
    {TWS_HALVES_DUE_SENT, TWS_TX_FIN_DUE, TWS_TX_FIN_SENT, 0},
    {TWS_HALVES_DUE_SENT, TWS_TX_RESET_DUE, TWS_TX_RESET_SENT, 0},
};

static const struct rule *find(const struct rule *r, size_t n, enum tws_halves_event ev,
                               unsigned from)
{
    for (size_t i = 0; i < n; i++)
        if (r[i].ev == ev && r[i].from == from)
            return &r[i];
    return NULL;
}

/* A RESET of ours behind our FIN only makes sense while the peer still sends. */
static unsigned reset_after_fin(struct tws_halves *h, enum tws_halves_event ev,
                                enum tws_rx_half rx_before)
{
    if (ev != TWS_HALVES_LOCAL_RESET || h->tx != TWS_TX_FIN_SENT || rx_before != TWS_RX_OPEN)
        return 0;
    h->tx = TWS_TX_RESET_DUE;
    return TWS_HALVES_SEND_RESET;
}

unsigned tws_halves_step(struct tws_halves *h, enum tws_halves_event ev)
{
    bool was_over = tws_halves_over(h);
    enum tws_rx_half rx_before = h->rx;
    unsigned todo = 0;
    const struct rule *r = find(rx_rules, sizeof rx_rules / sizeof *rx_rules, ev, h->rx);

    if (r != NULL) {
        h->rx = (enum tws_rx_half)r->to;
        todo |= r->todo;
    }
    r = find(tx_rules, sizeof tx_rules / sizeof *tx_rules, ev, h->tx);
    if (r != NULL) {
        h->tx = (enum tws_tx_half)r->to;
        todo |= r->todo;
    }
    todo |= reset_after_fin(h, ev, rx_before);
    if (tws_halves_over(h) && !was_over)
        todo |= TWS_HALVES_RELEASE;
    return todo;
}

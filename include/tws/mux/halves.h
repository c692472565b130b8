/*
 * halves.h - how a channel ends.
 *
 * A channel is two one-way streams. Each half has its own small machine that only moves to the
 * right; the channel is over when both have ended. "Half closed" and the like are names for cells
 * of the product, never states of their own.
 *
 *   tx:  OPEN -> FIN_DUE -> FIN_SENT         we end the stream; "due" waits for a link
 *        OPEN, FIN_DUE, FIN_SENT -> RESET_DUE -> RESET_SENT
 *   rx:  OPEN -> DRAINING -> ENDED           the peer's FIN came; bytes are still to be consumed
 *        OPEN, DRAINING -> ABORTED -> ENDED  the peer's RESET came; what was sent is handed on
 *        OPEN -> DISCARDING -> ENDED         we want no more; the final size is still unknown
 *
 * Events move halves and yield actions; carrying out an action never moves a half. RESET ends both
 * halves and is answered once by RESET, unless FIN or RESET was sent already; STOP is answered by
 * FIN. The whole machine is two tables, and every cell of them is tested.
 */
#ifndef TWS_MUX_HALVES_H
#define TWS_MUX_HALVES_H

#include <stdbool.h>

enum tws_tx_half {
    TWS_TX_OPEN,
    TWS_TX_FIN_DUE,
    TWS_TX_FIN_SENT,
    TWS_TX_RESET_DUE,
    TWS_TX_RESET_SENT
};
enum tws_rx_half { TWS_RX_OPEN, TWS_RX_DRAINING, TWS_RX_ABORTED, TWS_RX_DISCARDING, TWS_RX_ENDED };

enum tws_halves_event {
    TWS_HALVES_LOCAL_FIN,    /* the local end of file was sent with the last bytes     */
    TWS_HALVES_LOCAL_RESET,  /* the local side gives up both ways                       */
    TWS_HALVES_LOCAL_STOP,   /* the local side reads no more                            */
    TWS_HALVES_DUE_SENT,     /* the FIN or RESET that was due is in a message           */
    TWS_HALVES_PEER_FIN,     /* the final size is known                                 */
    TWS_HALVES_PEER_RESET,   /* the final size is known, and nothing more is wanted     */
    TWS_HALVES_PEER_STOP,    /* the peer reads no more                                  */
    TWS_HALVES_ALL_CONSUMED, /* every byte up to the final size was consumed            */
    TWS_HALVES_EVENT_END,
};

/* Bits. */
enum tws_halves_action {
    TWS_HALVES_SEND_FIN = 1 << 0,
    TWS_HALVES_SEND_RESET = 1 << 1,
    TWS_HALVES_SEND_STOP = 1 << 2,
    TWS_HALVES_DROP_RECEIVED = 1 << 3, /* throw away what is queued for the local side */
    TWS_HALVES_RELEASE = 1 << 4,       /* both halves are over: the channel is gone; once */
};

struct tws_halves {
    enum tws_tx_half tx;
    enum tws_rx_half rx;
};

/* Applies `ev` and returns the actions. Events that mean nothing in a state move nothing. */
unsigned tws_halves_step(struct tws_halves *h, enum tws_halves_event ev);

/* Whether local bytes may still be sent. */
static inline bool tws_halves_sending(const struct tws_halves *h)
{
    return h->tx == TWS_TX_OPEN;
}

/* Whether received bytes go to the local side. */
static inline bool tws_halves_delivering(const struct tws_halves *h)
{
    return h->rx <= TWS_RX_ABORTED;
}

static inline bool tws_halves_over(const struct tws_halves *h)
{
    return (h->tx == TWS_TX_FIN_SENT || h->tx == TWS_TX_RESET_SENT) && h->rx == TWS_RX_ENDED;
}

#endif

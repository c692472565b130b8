/*
 * balance.h - which of several servers gets the next channel. Pure.
 */
#ifndef TWS_TUNNEL_BALANCE_H
#define TWS_TUNNEL_BALANCE_H

#include "tws/tunnel/config.h"

struct tws_candidate {
    bool ready; /* a channel can be opened there now */
    uint32_t channels;
};

/* The index of the one that is chosen of `n`; `n`: none is ready. `turn` is the caller's memory of
 * whose turn it is, zero at first. */
size_t tws_balance_pick(enum tws_balance how, const struct tws_candidate *c, size_t n,
                        size_t *turn);

#endif

/* datagram_priv.h - what a channel without a stream has instead; see datagram.c. */
#ifndef TWS_MUX_DATAGRAM_PRIV_H
#define TWS_MUX_DATAGRAM_PRIV_H

#include "tws/base/bytes.h"

struct tws_channel;

struct tws_datagrams {
    bool carried;        /* no stream */
    uint32_t early_left; /* bytes of them that may be sent before OPENED */
    uint64_t tx, rx;     /* the next number; one past the highest that came */
    uint64_t got;        /* how many came */
    uint64_t tx_bytes, rx_bytes;
};

/* OPEN with this payload begins the channel: no stream if its kind says so. */
void tws_datagram_begin(struct tws_channel *ch, struct tws_span open);
/* Whether they may be sent now, as far as OPENED is concerned. */
bool tws_datagram_may_send(const struct tws_channel *ch);
/* The next one has `n` bytes and did not fit; false: it waits for OPENED. */
bool tws_datagram_wait(struct tws_channel *ch, size_t n);
/* One of `n` bytes goes out: its number. */
uint64_t tws_datagram_count(struct tws_channel *ch, size_t n);

#endif

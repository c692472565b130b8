/*
 * local_priv.h - the local side of a channel: what a carrier tells it, whatever it is (a relay of
 * a TCP connection, a target that is being dialled).
 *
 * The channel's `user` pointer is its struct tws_local. A new kind of ingress or egress is a new
 * set of these operations; the carrier does not change.
 */
#ifndef TWS_TUNNEL_LOCAL_PRIV_H
#define TWS_TUNNEL_LOCAL_PRIV_H

#include "tws/base/list.h"
#include "tws/mux/session.h"

struct tws_carrier;
struct tws_local;

/* All but on_over may be NULL, for what has nothing to do then. */
struct tws_local_ops {
    /* The peer accepted what this side opened. */
    void (*on_opened)(struct tws_local *l, struct tws_span bound);
    /* Puts bytes into p->buf and calls tws_session_pulled(), exactly once. NULL: never ready. */
    void (*pull)(struct tws_local *l, const struct tws_pull *p);
    void (*on_readable)(struct tws_local *l);
    /* One datagram, borrowed until all events of this turn were handed out. */
    void (*on_datagram)(struct tws_local *l, struct tws_span in);
    void (*on_reset)(struct tws_local *l, uint16_t code, struct tws_span text);
    void (*on_stopped)(struct tws_local *l, uint16_t code);
    /* The session drains: what has no end of its own ends now. */
    void (*on_drain)(struct tws_local *l);
    /* The channel is over; `code` is not 0 if its session is over too. Its statistics can still
     * be asked for. Frees the local side. */
    void (*on_over)(struct tws_local *l, uint16_t code);
};

struct tws_local {
    const struct tws_local_ops *ops;
    struct tws_node local_node; /* its carrier's locals */
    struct tws_carrier *carrier;
    struct tws_channel *channel;
    bool lingers; /* it only waits for the peer to agree with its end */
};

/* Makes `l` the local side of `ch`, in place of whatever was. */
void tws_local_attach(struct tws_local *l, const struct tws_local_ops *ops,
                      struct tws_carrier *carrier, struct tws_channel *ch);
/* What peek has still to give, `n` bytes, to be freed with free(). NULL: out of memory, or it is
 * not that much. */
uint8_t *tws_local_take_rest(struct tws_local *l, size_t n);
/* It was reset, and nothing of it is worth waiting for when the process ends. */
void tws_local_linger(struct tws_local *l);
/* Takes it off its carrier's list. */
void tws_local_detach(struct tws_local *l);
/* The line at a channel's end. */
void tws_local_audit(const struct tws_local *l, const char *source, const char *target,
                     uint64_t opened_us, const char *reason);

#endif

/*
 * flow_priv.h - one flow of datagrams <-> one channel.
 *
 *      tws_flow_put() -> backlog -> ready -> pull: copied into the message
 *      channel's datagram -> deliver(): borrowed from the message, passed on or dropped
 *
 * What waits is bounded in bytes and in time (backlog_priv.h). A flow without datagrams for its
 * idle time ends by itself, with RESET; so does one whose peer ended it.
 *
 * Embedded by its owner: a socket of its own (egress_udp.c), or a table of many flows behind one
 * socket (flow_table.c).
 */
#ifndef TWS_TUNNEL_FLOW_PRIV_H
#define TWS_TUNNEL_FLOW_PRIV_H

#include "backlog_priv.h"
#include "carrier_priv.h"

#define TWS_FLOW_QUEUE                                                                             \
    (256u * 1024u) /* bytes that wait, with 8 more for each; of many flows less */

struct tws_flow;

struct tws_flow_ops {
    /* One from the peer; borrowed until its message is handed out: tws_udp_send() may have it. */
    void (*deliver)(struct tws_flow *f, struct tws_span in);
    /* It ends, for `code`: nothing is delivered any more, and over() follows. NULL: not wanted. */
    void (*ended)(struct tws_flow *f, uint16_t code, bool by_peer);
    /* The channel is over; `code` is not 0 if its session is over too. Frees the owner; the
     * flow's own things are gone. */
    void (*over)(struct tws_flow *f, uint16_t code);
};

struct tws_flow {
    struct tws_local local;
    const struct tws_flow_ops *ops;
    struct tws_backlog backlog; /* to the peer; owners count here what they drop */
    struct tws_timer idle_timer;
    struct tws_waiter up_wait;
    struct tws_throttle *up; /* of what it sends to the peer; NULL: no limit */
    uint64_t idle_us, active_us;
    const char *source, *target; /* for the log; the owner's */
    uint64_t since_us;
    uint16_t code; /* why it ended */
    bool attached, ending;
};

void tws_flow_init(struct tws_flow *f, struct tws_loop *loop, const struct tws_flow_ops *ops,
                   uint64_t idle_us);
/* The channel is there: it is the flow's from now on, until over(). */
void tws_flow_attach(struct tws_flow *f, struct tws_carrier *c, struct tws_channel *ch);
/* Frees what the flow has; for one that has no channel. */
void tws_flow_fini(struct tws_flow *f);

/* A datagram for the peer; copied. */
void tws_flow_put(struct tws_flow *f, struct tws_span in);
/* Ends the channel; over() follows. */
void tws_flow_end(struct tws_flow *f, uint16_t code, const char *text);

#endif

/*
 * flow_table_priv.h - the flows behind one local socket (or association): each is found by its
 * key, whatever bytes tell one from another (who sends, and where to), and has one channel.
 *
 *      owner reads a datagram -> tws_flows_send(key, open, bytes) -> flow -> channel
 *      channel -> flow -> deliver(key, bytes) -> owner sends it
 *
 * Bounded: when the table is full, the flow that has been silent longest gives way, those that were
 * never answered first, unless all were busy just now; then the new one is dropped. A flow that was
 * refused stays for a moment and swallows what comes for it, so that a sender who does not listen
 * opens no channel for each datagram. Flows wait for a link like connections do, their first
 * datagrams with them.
 */
#ifndef TWS_TUNNEL_FLOW_TABLE_PRIV_H
#define TWS_TUNNEL_FLOW_TABLE_PRIV_H

#include "flow_priv.h"
#include "ingress_priv.h"

#define TWS_FLOW_KEY_MAX 300u

struct tws_flows;
struct tws_flow_entry;

/* A datagram came back for a flow; borrowed until the end of the turn: tws_udp_send() may keep it.
 */
typedef void tws_flows_deliver_fn(void *owner, struct tws_span key, struct tws_span in);

struct tws_flows_config {
    struct tws_loop *loop;
    const struct tws_ingress_events *events; /* where channels are opened */
    void *events_arg;
    struct tws_judge *judge; /* whose terms hold for them; NULL: nobody's */
    uint32_t max;            /* flows at once */
    uint64_t idle_us;
    tws_flows_deliver_fn *deliver;
    void *owner;
};

struct tws_flows_stats {
    uint32_t flows;
    uint64_t opened, refused; /* channels */
    uint64_t dropped;         /* datagrams, of flows that are over too */
};

/* TWS_NOMEM. */
TWS_MUST_USE tws_err tws_flows_new(const struct tws_flows_config *cfg, struct tws_flows **out);
/* For what comes in by an ingress: its terms, its channels. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_flows_of_ingress(const struct tws_ingress *in, uint32_t max,
                                          tws_flows_deliver_fn *fn, void *owner,
                                          struct tws_flows **out);
/* Ends all flows; their channels go on to their end without it. NULL is fine. */
void tws_flows_free(struct tws_flows *t);

/* A datagram of the flow with that key (at most TWS_FLOW_KEY_MAX bytes); if there is none yet, a
 * channel is opened with *open. All is copied. */
void tws_flows_send(struct tws_flows *t, struct tws_span key, const struct tws_open *open,
                    struct tws_span datagram);
/* Channels can be opened (again). */
void tws_flows_ready(struct tws_flows *t);
/* Ends them all (a target changed, the association is over). */
void tws_flows_clear(struct tws_flows *t);
void tws_flows_set_idle(struct tws_flows *t, uint64_t idle_us);
struct tws_flows_stats tws_flows_stats(const struct tws_flows *t);

#endif

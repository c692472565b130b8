/*
 * lane_priv.h - one uplink at work: the links that it lacks are dialled over it, with a back-off of
 * its own, so that a dead uplink never slows a good one.
 *
 * Owned by a pool. How many links a lane wants depends on the pool: while there is no session, or
 * only the last channels of one are left, one link in all is enough. Then the lanes compete: a
 * lane that gets no answer for a while lets the next one try.
 */
#ifndef TWS_TUNNEL_LANE_PRIV_H
#define TWS_TUNNEL_LANE_PRIV_H

#include "live_link_priv.h"

#include "tws/tunnel/backoff.h"

struct tws_pool;

struct tws_lane {
    struct tws_node lane_node; /* its pool's: those that are available, then the backups */
    struct tws_pool *pool;
    char *name;           /* "": the uplinks are not configured */
    char *interface;      /* NULL: any */
    struct tws_ip source; /* family 0: any */
    uint32_t connections;
    uint16_t weight;
    bool backup;

    struct tws_node dials; /* struct dial: attempts in progress */
    uint32_t ndials;
    struct tws_backoff backoff;
    uint64_t dial_at_us, dialled_at_us; /* the next one not before; the last one */
    char failure[256];                  /* what was logged last; "" while links come up */
};

/* TWS_NOMEM, or no randomness. */
TWS_MUST_USE tws_err tws_lane_new(struct tws_pool *p, const struct tws_uplink *u,
                                  struct tws_lane **out);
/* Cancels what it dials; its links must know no more of it. */
void tws_lane_free(struct tws_lane *l);

/* Whether it is that way out of the machine. */
bool tws_lane_is(const struct tws_lane *l, const struct tws_uplink *u);
/* The same way, used differently: links that are up are told. */
void tws_lane_set(struct tws_lane *l, const struct tws_uplink *u);

/* Links that go on; those that wait for a successor. */
uint32_t tws_lane_fresh(const struct tws_lane *l);
uint32_t tws_lane_worn(const struct tws_lane *l);
uint32_t tws_lane_wanted(const struct tws_lane *l);

/* Dials what is missing and due; asks the pool to look again when the rest is. */
void tws_lane_dial(struct tws_lane *l, uint64_t now);
/* Attempts in a hurry may be more than are needed once one of them got through. */
void tws_lane_cancel_surplus(struct tws_lane *l);
void tws_lane_cancel_all(struct tws_lane *l);
/* The next attempt may be made at once. */
void tws_lane_forgive(struct tws_lane *l);
/* The network may be another: the same, and attempts that hang are made anew. */
void tws_lane_redial(struct tws_lane *l);
/* One wait for all attempts that fail together. */
void tws_lane_wait_longer(struct tws_lane *l);
/* Once per change, not once per try. */
void tws_lane_log_failure(struct tws_lane *l, const char *why);

/* " uplink=NAME" for a line of the log, "" without a name. */
#define TWS_LANE_TAG 80
const char *tws_lane_tag(const struct tws_lane *l, char out[TWS_LANE_TAG]);

#endif

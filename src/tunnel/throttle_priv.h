/*
 * throttle_priv.h - a user's rate in one direction, shared by all channels of all the user's
 * sessions: who may not go on waits in line and is called when the bucket has filled up.
 */
#ifndef TWS_TUNNEL_THROTTLE_PRIV_H
#define TWS_TUNNEL_THROTTLE_PRIV_H

#include "tws/base/list.h"
#include "tws/net/loop.h"
#include "tws/tunnel/bucket.h"

struct tws_throttle {
    struct tws_loop *loop;
    struct tws_bucket bucket;
    struct tws_node waiters; /* struct tws_waiter, first come first served */
    struct tws_timer timer;
};

struct tws_waiter;
typedef void tws_resume_fn(struct tws_waiter *w);

/* One who may have to wait; embedded in its owner. */
struct tws_waiter {
    struct tws_node waiter_node;
    tws_resume_fn *resume;
};

void tws_throttle_init(struct tws_throttle *t, struct tws_loop *loop, uint64_t rate);
void tws_throttle_set_rate(struct tws_throttle *t, uint64_t rate);
/* Nobody may wait any more. */
void tws_throttle_fini(struct tws_throttle *t);

void tws_waiter_init(struct tws_waiter *w, tws_resume_fn *resume);

/* How many of `want` bytes may go now; if none, `w` is put in line and resumed later. */
size_t tws_throttle_allows(struct tws_throttle *t, size_t want, struct tws_waiter *w);
/* `n` bytes went. */
void tws_throttle_take(struct tws_throttle *t, size_t n);
/* It waits no more. */
void tws_waiter_leave(struct tws_waiter *w);

#endif

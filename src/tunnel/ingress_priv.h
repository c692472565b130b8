/*
 * ingress_priv.h - the client's way in: accepts on each forward's address and opens a channel to
 * the forward's remote.
 *
 * Nothing is refused: while no channel can be opened, connections wait here, then in the kernel's
 * backlog. One that has waited `connect_timeout` without a link is closed.
 */
#ifndef TWS_TUNNEL_INGRESS_PRIV_H
#define TWS_TUNNEL_INGRESS_PRIV_H

#include "tws/base/list.h"
#include "tws/base/log.h"
#include "tws/net/loop.h"
#include "tws/net/socket.h"
#include "tws/proto/target.h"
#include "tws/tunnel/config.h"

struct tws_arrival {
    int fd;
    const struct tws_sockaddr *peer;
    const struct tws_target *target;
    const char *target_text;
};

/* Where channels are opened. */
struct tws_ingress_events {
    /* TWS_OK: taken, the descriptor is the callee's. TWS_BLOCKED: not now, on_ready will tell;
     * the descriptor stays. */
    tws_err (*open)(void *arg, const struct tws_arrival *a);
    bool (*is_linked)(void *arg);
};

struct tws_ingress {
    struct tws_loop *loop;
    const struct tws_ingress_events *events;
    void *arg;
    uint32_t wait_ms;
    struct tws_node forwards; /* struct forward */
    struct tws_node waiting;  /* struct waiting, oldest first */
    uint32_t nwaiting;
    bool paused;
    struct tws_timer timer;
    struct tws_log_limit limit;
};

void tws_ingress_init(struct tws_ingress *in, struct tws_loop *loop,
                      const struct tws_ingress_events *ev, void *arg, uint32_t wait_ms);
/* Closes listeners and what waits. */
void tws_ingress_fini(struct tws_ingress *in);

/* Makes the forwards these: what is there stays, also with another remote. Nothing changes unless
 * all new listeners opened. TWS_SYS (logged), TWS_NOMEM. */
TWS_MUST_USE tws_err tws_ingress_set(struct tws_ingress *in, const struct tws_forward *forwards,
                                     size_t n);
/* Channels can be opened (again). */
void tws_ingress_ready(struct tws_ingress *in);
/* Accepts nothing more; what waits goes on waiting. */
void tws_ingress_stop(struct tws_ingress *in);
/* The address the i-th forward of the last tws_ingress_set() listens on. */
void tws_ingress_address(const struct tws_ingress *in, size_t i, struct tws_sockaddr *out);

#endif

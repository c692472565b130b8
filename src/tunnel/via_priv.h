/*
 * via_priv.h - asks an upstream proxy for a connection to a target, on a descriptor that is
 * connected to the proxy, within a time.
 */
#ifndef TWS_TUNNEL_VIA_PRIV_H
#define TWS_TUNNEL_VIA_PRIV_H

#include "tws/ws/proxy.h"

struct tws_via;

/* `why` NULL: the connection leads to the target from now on. Else it and `code` (enum tws_code)
 * say what went wrong; valid during the call. */
typedef void tws_via_fn(void *arg, uint16_t code, const char *why);

struct tws_via_request {
    int fd; /* stays the caller's, and out of its hands until fn() or tws_via_cancel() */
    const struct tws_proxy_url *url;
    const struct tws_hostport *target;
    uint64_t until_us;
};

/* fn comes once, later; nothing of *rq is kept but the descriptor. TWS_NOMEM, TWS_SYS, TWS_ABSENT:
 * the proxy's protocol has no form for it. */
TWS_MUST_USE tws_err tws_via_start(struct tws_loop *loop, const struct tws_via_request *rq,
                                   tws_via_fn *fn, void *arg, struct tws_via **out);
/* No callback comes. NULL is fine. The pointer is invalid after this, and from the callback on. */
void tws_via_cancel(struct tws_via *v);

#endif

/*
 * netwatch.h - says when this machine's links, addresses or routes change: a moment to try again
 * at once what failed before (rtnetlink(7)).
 *
 * A call is a hint. Changes within 200 ms are one call, at the end of them; the kernel also tells
 * of changes that matter to nobody, such as an address whose lifetime was extended.
 */
#ifndef TWS_NET_NETWATCH_H
#define TWS_NET_NETWATCH_H

#include "tws/net/loop.h"

struct tws_netwatch;
typedef void tws_netwatch_fn(void *arg);

/* TWS_NOMEM; TWS_SYS where netlink is not allowed: EAFNOSUPPORT, EPERM. One can do without. */
TWS_MUST_USE tws_err tws_netwatch_open(struct tws_loop *loop, tws_netwatch_fn *on_change, void *arg,
                                       struct tws_netwatch **out);
/* No callback comes after it; allowed in the callback. NULL is fine. */
void tws_netwatch_close(struct tws_netwatch *w);

#endif

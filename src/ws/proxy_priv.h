/*
 * proxy_priv.h - a tunnel through an HTTP proxy (CONNECT, RFC 9110, 9.3.6) on a connected
 * descriptor, with Basic authentication if the URL has a user.
 *
 * Reads nothing behind the proxy's answer: what follows belongs to the tunnel.
 */
#ifndef TWS_WS_PROXY_PRIV_H
#define TWS_WS_PROXY_PRIV_H

#include "tws/base/addr.h"
#include "tws/net/loop.h"

struct tws_proxy_url {
    struct tws_hostport address;
    char auth[512]; /* base64 of user:password, or "" */
};

/* http://[user:password@]host[:port][/], percent-encoding undone. TWS_ABSENT: not of that form. */
TWS_MUST_USE tws_err tws_proxy_parse(const char *url, struct tws_proxy_url *out);

struct tws_proxy;
/* `why` NULL: the tunnel is up. */
typedef void tws_proxy_fn(struct tws_proxy *p, const char *why);

struct tws_proxy {
    struct tws_io io;
    tws_proxy_fn *fn;
    size_t sent, nrequest;
    char request[1400];
};

/* Asks for a tunnel to `target` on `fd` (borrowed); fn comes once, later. TWS_SYS. */
TWS_MUST_USE tws_err tws_proxy_start(struct tws_loop *loop, struct tws_proxy *p, int fd,
                                     const struct tws_proxy_url *url,
                                     const struct tws_hostport *target, tws_proxy_fn *fn);
/* No callback comes. Does nothing to one that is zeroed or done. */
void tws_proxy_stop(struct tws_proxy *p);

#endif

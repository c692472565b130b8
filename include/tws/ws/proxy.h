/*
 * proxy.h - a tunnel through a proxy on a connected descriptor: HTTP CONNECT (RFC 9110, 9.3.6) with
 * Basic authentication, or SOCKS5 (RFC 1928) with user and password.
 *
 * Reads nothing behind the proxy's answer: what follows belongs to the tunnel. Who dials the proxy,
 * and for how long it may take, is the owner's business.
 */
#ifndef TWS_WS_PROXY_H
#define TWS_WS_PROXY_H

#include "tws/net/loop.h"
#include "tws/proto/proxy_url.h"
#include "tws/proto/socks_client.h"

#define TWS_PROXY_REQUEST 1400

struct tws_proxy;

/* How it ended; `why` NULL: the tunnel is up. Else `why` is one line for the log, valid during the
 * call, and `code` the reason (enum tws_code) that stands for it. */
typedef void tws_proxy_fn(struct tws_proxy *p, uint16_t code, const char *why);

/* In the owner's storage, zeroed before its first use; about 3 KB. */
struct tws_proxy {
    struct tws_io io;
    tws_proxy_fn *fn;
    enum tws_proxy_kind kind;
    size_t sent, nrequest;
    union {
        char request[TWS_PROXY_REQUEST];
        struct tws_socks_client socks;
    } u;
};

/*
 * Asks for a tunnel to `target` on `fd` (borrowed, non-blocking); fn comes once, later. A name is
 * sent as a name. TWS_SYS; TWS_ABSENT: the proxy's protocol has no form for the target or login.
 */
TWS_MUST_USE tws_err tws_proxy_start(struct tws_loop *loop, struct tws_proxy *p, int fd,
                                     const struct tws_proxy_url *url,
                                     const struct tws_hostport *target, tws_proxy_fn *fn);
/* No callback comes. Does nothing to one that is zeroed or done. */
void tws_proxy_stop(struct tws_proxy *p);

#endif

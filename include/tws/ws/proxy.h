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

enum tws_proxy_verdict {
    TWS_PROXY_UP,        /* the tunnel is up */
    TWS_PROXY_NO_TARGET, /* it cannot reach the target */
    TWS_PROXY_REFUSES,   /* it does not want to: who asks, or what for, is not allowed */
    TWS_PROXY_BROKEN,    /* it closed, or is no such proxy */
};

struct tws_proxy_answer {
    enum tws_proxy_verdict verdict;
    bool asked;      /* for the target; if not, it is not to blame */
    uint16_t code;   /* the reason (enum tws_code) that stands for it */
    const char *why; /* one line for the log; NULL: the tunnel is up */
};

/* How it ended; *a and `why` are valid during the call. */
typedef void tws_proxy_fn(struct tws_proxy *p, const struct tws_proxy_answer *a);

/* In the owner's storage, zeroed before its first use; about 3 KB. */
struct tws_proxy {
    struct tws_io io;
    tws_proxy_fn *fn;
    enum tws_proxy_kind kind;
    bool hung_up, asked;
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
/* Whether it was asked for the target, so that its silence may be the target's. */
bool tws_proxy_asked(const struct tws_proxy *p);

#endif

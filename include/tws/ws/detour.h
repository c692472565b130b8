/*
 * detour.h - a connection to a target through a proxy: connect to the proxy, ask it, and do so
 * again while another address of the proxy, or of the target, may do better.
 *
 * What ends it and what goes on:
 *
 *      the proxy cannot reach the target          the target's next address, of the same proxy
 *      it closes, is silent, speaks nonsense      the proxy's next address; if it was asked for the
 *                                                 target already, that may be why: the target's
 *                                                 next (first with SOCKS5, where it had answered)
 *      it refuses (login, its own rules)          the end: other addresses change nothing
 *
 * What an address of the proxy is found to be is remembered, if there is a memory for it, and those
 * that did not work go behind the others (detour_memory.h): one that closed, was silent or spoke
 * nonsense before it was asked for anything; one that did so when it was asked, if another one led
 * to the same target; one past which another was connected to.
 *
 * A silent one keeps its share of the time that is left: as many shares as there are tries, but
 * none smaller than a quarter of the whole.
 */
#ifndef TWS_WS_DETOUR_H
#define TWS_WS_DETOUR_H

#include "tws/net/connector.h"
#include "tws/ws/detour_memory.h"
#include "tws/ws/proxy.h"

#define TWS_DETOUR_ADDRESSES TWS_CONNECT_ADDRESSES

struct tws_detour_result {
    uint16_t code; /* enum tws_code; NONE: fd leads to the target */
    int fd;        /* connected, non-blocking: the callee's; or -1 */
    /* Of why it failed the most telling: */
    enum tws_connect_failure unconnected; /* OK: the proxy was reached */
    enum tws_proxy_verdict verdict;       /* of the proxy, if it was */
    const char *why;                      /* what it failed with, valid during the callback */
    struct tws_sockaddr proxy; /* the one that `why` is about, or that leads there; len 0: none */
    struct tws_ip ip;          /* of the target, once it is reached; family 0: asked for by name */
    /* Once it is reached: another of the proxy's, which did not work before, as `why` says; len 0:
     * none. */
    struct tws_sockaddr given_up;
};

typedef void tws_detour_fn(void *arg, const struct tws_detour_result *r);
/* Whether the proxy may be asked for `ip`:`port` now; `arg` as for fn; must not cancel. */
typedef bool tws_detour_filter(void *arg, const struct tws_ip *ip, uint16_t port);

/* All of it is copied. */
struct tws_detour_options {
    const struct tws_proxy_url *url;
    const struct tws_ip *proxy_ips; /* dial these and do not resolve its name */
    size_t nproxy_ips;
    const struct tws_connect_from *from; /* of connections to the proxy; NULL: anywhere */
    const struct tws_hostport *target;   /* asked for by its name, or by these in turn: */
    const struct tws_ip *ips;
    size_t nips;                      /* at most TWS_DETOUR_ADDRESSES; 0: by name */
    tws_detour_filter *filter;        /* for each of ips; NULL: all may be asked for */
    uint64_t connect_us;              /* for connecting to the proxy, of timeout_us; 0: all of it */
    uint64_t timeout_us;              /* for all of it */
    struct tws_detour_memory *memory; /* borrowed until the end; NULL: none */
};

struct tws_detour;

/* Starts; fn is called exactly once, never before this returns, unless cancelled. If the filter
 * left nothing to ask for, `unconnected` is TWS_CONNECT_FORBIDDEN. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_detour_start(struct tws_loop *loop, const struct tws_detour_options *o,
                                      tws_detour_fn *fn, void *arg, struct tws_detour **out);
/* No callback comes. NULL is fine. The pointer is invalid after this, and from the callback on. */
void tws_detour_cancel(struct tws_detour *d);

#endif

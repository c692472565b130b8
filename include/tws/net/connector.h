/*
 * connector.h - one TCP connection to a name: resolve without blocking, try all addresses, the
 * better family first, the next one 250 ms behind (RFC 8305, Happy Eyeballs).
 *
 * Each resolved address passes the caller's filter before it is dialled and is dialled as it was
 * checked; nothing is resolved twice. An IPv4-mapped IPv6 address is the IPv4 address it stands
 * for, for the filter and for dialling. IP literals are not resolved.
 */
#ifndef TWS_NET_CONNECTOR_H
#define TWS_NET_CONNECTOR_H

#include "tws/net/loop.h"
#include "tws/net/socket.h"

/* Of one name; the resolver's order decides which. */
#define TWS_CONNECT_ADDRESSES 16
#define TWS_CONNECT_INTERFACE 15 /* characters of a device's name (IFNAMSIZ) */

enum tws_connect_failure {
    TWS_CONNECT_OK,
    TWS_CONNECT_RESOLVE,   /* detail: the resolver's text; also when it was silent */
    TWS_CONNECT_FORBIDDEN, /* the filter refused every address */
    TWS_CONNECT_REFUSED,
    TWS_CONNECT_UNREACHABLE, /* no route, no such interface, no such unix socket */
    TWS_CONNECT_TIMEOUT,
    TWS_CONNECT_RESOURCES, /* descriptors, memory, ports */
    TWS_CONNECT_OTHER,
};

struct tws_connect_result {
    enum tws_connect_failure failure;
    int fd; /* connected, non-blocking, TCP_NODELAY: the callee's; or -1 */
    /* The address connected to, or the one that `failure` and `detail` are about: of several that
     * failed the most telling, refused before silent before unreachable. len 0: none was known. */
    struct tws_sockaddr peer;
    struct tws_sockaddr own; /* where the connection starts; len 0: it failed */
    const char *detail;      /* "Connection refused", ...; valid during the callback */
    struct tws_io *io; /* with keep_io: watches fd, to be passed on or stopped in the callback */
};

/* Where a connection starts; all zero: the kernel's choice. */
struct tws_connect_from {
    /* Bind to it; family 0: the kernel's choice. Addresses of the other family are unreachable. */
    struct tws_ip ip;
    uint16_t port;                             /* of ip, if it can be had; 0: any */
    char interface[TWS_CONNECT_INTERFACE + 1]; /* SO_BINDTODEVICE; "": none */
    uint32_t mark;    /* SO_MARK, for routing and nftables; 0: none. Needs CAP_NET_ADMIN */
    bool transparent; /* ip need not be this machine's (IP_TRANSPARENT). Needs CAP_NET_ADMIN */
    bool leaves_some; /* EMFILE rather than a reserved descriptor (socket.h) */
};

typedef void tws_connect_fn(void *arg, const struct tws_connect_result *r);
/* Whether `ip`:`port` may be dialled, and where from: *from is what the options say, and may be
 * changed; `arg` as for fn. May be called before tws_connector_start() returns; must not cancel. */
typedef bool tws_connect_filter(void *arg, const struct tws_ip *ip, uint16_t port,
                                struct tws_connect_from *from);

/* What goes behind the others: the higher, the later; equals keep their order. As for the filter,
 * of what that let pass. */
typedef uint64_t tws_connect_rank(void *arg, const struct tws_ip *ip, uint16_t port);

struct tws_connect_options {
    const char *host; /* name or IP literal (no brackets); copied */
    uint16_t port;
    const struct tws_ip *ips;   /* dial these, in this order, and do not resolve host; copied */
    size_t nips;                /* 0: resolve it */
    const char *unix_path;      /* instead of host and port; "@name" is abstract */
    const void *owner;          /* on whose behalf it is resolved (resolver.h); NULL: our own */
    uint64_t timeout_us;        /* for all of it; 0: 10 s */
    tws_connect_filter *filter; /* may be NULL */
    tws_connect_rank *rank;     /* NULL: all are equal */
    /* Bind to it; NULL or family 0: the kernel's choice. Addresses of the other family are
     * unreachable then. Copied. */
    const struct tws_ip *source;
    const char *interface; /* SO_BINDTODEVICE; NULL: none; copied */
    uint32_t mark;         /* SO_MARK, for routing and nftables; 0: none. Needs CAP_NET_ADMIN */
    const struct tws_connect_from *from; /* instead of these three; copied; may be NULL */
    bool keep_io; /* hand the io over with the connection: nothing asks the kernel to watch again */
};

struct tws_connector;

/*
 * Starts; `fn` is called exactly once, never before this returns, unless cancelled. Whatever goes
 * wrong later, and a host or path that is too long, comes as a failure. TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_connector_start(struct tws_loop *loop, const struct tws_connect_options *o,
                                         tws_connect_fn *fn, void *arg, struct tws_connector **out);
/* No callback comes. The pointer is invalid after this, and from the callback on. */
void tws_connector_cancel(struct tws_connector *c);

#endif

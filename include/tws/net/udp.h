/*
 * udp.h - UDP sockets, and datagrams moved in batches: many per system call.
 *
 * What is received lies in one buffer that all sockets of the process share; what is to be sent is
 * only noted until tws_udp_flush(), or until it is another socket's turn. One thread.
 */
#ifndef TWS_NET_UDP_H
#define TWS_NET_UDP_H

#include "tws/base/addr.h"
#include "tws/base/bytes.h"
#include "tws/base/codel.h"
#include "tws/net/connector.h"
#include "tws/net/loop.h"
#include "tws/net/socket.h"

#define TWS_UDP_BATCH   32u
#define TWS_UDP_MAX     65535u
#define TWS_UDP_SOCKETS 2u /* of one address: "localhost" has two */

/*
 * Non-blocking sockets bound to `hp`, as tws_listener_open() has it: an IP, "localhost" (127.0.0.1
 * and ::1), or an empty host for all addresses. They tell which address a datagram came to. TWS_SYS
 * with errno.
 */
TWS_MUST_USE tws_err tws_udp_bind(const struct tws_hostport *hp, int fds[TWS_UDP_SOCKETS],
                                  unsigned *n);
/* Makes a bound socket of somebody else's one such as tws_udp_bind() makes. TWS_SYS with errno;
 * EPROTOTYPE: it carries no datagrams of IPv4 or IPv6. It stays open. */
TWS_MUST_USE tws_err tws_udp_adopt(int fd);
/* A non-blocking socket that starts at `from` (connector.h; NULL: the kernel's choice) and is
 * connected to `to`. TWS_SYS with errno. */
TWS_MUST_USE tws_err tws_udp_connect(const struct tws_connect_from *from,
                                     const struct tws_sockaddr *to, int *fd);
/* Large buffers for a socket, and how long what comes has waited; AF_INET, AF_INET6: and the
 * addresses that datagrams came to. */
void tws_udp_prepare(int fd, int family);

struct tws_udp_datagram {
    struct tws_span data;
    struct tws_span head; /* of one that is sent: comes in front of its data; n 0: nothing */
    struct tws_sockaddr
        peer;            /* who sent it, or is sent to; len 0: whom the socket is connected to */
    struct tws_ip local; /* our address; family 0: not known, or the kernel's choice */
    uint16_t local_port; /* of a datagram caught on its way elsewhere; 0: the socket's own */
    uint32_t waited_us;  /* in the kernel, of one that came; 0: not known */
};

/*
 * Up to TWS_UDP_BATCH datagrams that wait; *n less than that: no more do. Borrowed until the next
 * call, for whatever socket. TWS_BLOCKED: none. TWS_SYS with errno: an error that came back for one
 * sent before, or the socket's own.
 */
TWS_MUST_USE tws_err tws_udp_recv(int fd, struct tws_udp_datagram out[TWS_UDP_BATCH], unsigned *n);

/* Who sends; embedded by its owner, and forgotten before the descriptor is closed. */
struct tws_udp_sender {
    int fd;
    uint64_t dropped; /* datagrams that the kernel did not take */
    /* One was not taken: EAGAIN, EMSGSIZE, or an error that came back for one sent before. NULL:
     * not wanted. */
    void (*on_error)(struct tws_udp_sender *s, int error);
};

/* Goes out with the next flush at the latest: until then its bytes are borrowed. */
void tws_udp_send(struct tws_udp_sender *s, const struct tws_udp_datagram *d);
void tws_udp_flush(void);
/* What it has not sent yet goes out now; it tells no error. */
void tws_udp_forget(struct tws_udp_sender *s);

/* ---- a socket that is watched ---- */

struct tws_udp_watch;
/* One that came; borrowed until it returns. It may stop the watch, but not free it. */
typedef void tws_udp_fn(struct tws_udp_watch *w, const struct tws_udp_datagram *d);

/* Embedded by its owner; zeroed storage is one that is stopped. */
struct tws_udp_watch {
    struct tws_io io;
    struct tws_udp_sender
        sender; /* of the same socket; its on_error hears what reading tells too */
    tws_udp_fn *take;
    struct tws_codel codel; /* of what waits in the kernel: its buffer is large, for bursts */
    uint64_t dropped;       /* of those that came, because they stood there */
};

/* Hands what comes, and did not stand in the kernel for long, to `take`; a few batches in a turn.
 * Takes the descriptor, also on failure: TWS_SYS with errno. */
TWS_MUST_USE tws_err tws_udp_watch_start(struct tws_loop *loop, struct tws_udp_watch *w, int fd,
                                         tws_udp_fn *take);
bool tws_udp_watched(const struct tws_udp_watch *w);
/* What it has not sent yet goes out, and the socket is closed. One that is stopped is fine. */
void tws_udp_watch_stop(struct tws_udp_watch *w);

#endif

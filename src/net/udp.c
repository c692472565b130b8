/* udp.c - see udp.h. */
#include "tws/net/udp.h"

#include "dial_priv.h"
#include "own_port_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

/* In a turn, then other descriptors have theirs: no more than the links send in one of theirs, or
 * the surplus would wait here rather than in the kernel. */
#define TURN_BATCHES 4u
#define TURN_BYTES   65536u

#define BUFFER (1 << 21) /* asked for; without CAP_NET_ADMIN net.core.*mem_max is the most */

/* ---- opening ---- */

static void set_int(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

static void set_buffer(int fd, int option, int forced)
{
    int bytes = BUFFER;

    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0)
        set_int(fd, SOL_SOCKET, option, bytes);
}

void tws_udp_prepare(int fd, int family)
{
    set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE);
    set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE);
    set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    if (family == AF_INET6)
        set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    else if (family == AF_INET)
        set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

tws_err tws_udp_bind(const struct tws_hostport *hp, int fds[TWS_UDP_SOCKETS], unsigned *n)
{
    tws_err err = tws_own_port_open(hp, SOCK_DGRAM, fds, n);

    for (unsigned i = 0; err == TWS_OK && i < *n; i++)
        tws_udp_prepare(fds[i], tws_socket_address(fds[i]).ss.ss_family);
    return err;
}

tws_err tws_udp_adopt(int fd)
{
    struct tws_sockaddr sa = tws_socket_address(fd);
    int type = 0, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof type;

    if (sa.len == 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
        return TWS_SYS;
    if (type != SOCK_DGRAM || (sa.ss.ss_family != AF_INET && sa.ss.ss_family != AF_INET6)) {
        errno = EPROTOTYPE;
        return TWS_SYS;
    }
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return TWS_SYS;
    tws_udp_prepare(fd, sa.ss.ss_family);
    return TWS_OK;
}

static int connect_once(const struct tws_connect_from *from, const struct tws_sockaddr *to,
                        bool keep_port, int *out)
{
    int family = to->ss.ss_family;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;

    if (fd < 0)
        return errno;
    if (from != NULL && from->leaves_some && tws_fd_is_reserved(fd))
        error = EMFILE;
    else if (from != NULL)
        error =
            tws_dial_source(fd, family, from, keep_port ? TWS_DIAL_OWN_PORT : TWS_DIAL_ANY_PORT);
    if (error == 0 && connect(fd, (const struct sockaddr *)&to->ss, to->len) != 0)
        error = errno;
    if (error != 0)
        tws_socket_close(fd);
    else
        *out = fd;
    return error;
}

tws_err tws_udp_connect(const struct tws_connect_from *from, const struct tws_sockaddr *to, int *fd)
{
    errno = connect_once(from, to, true, fd);
    if (errno == EADDRNOTAVAIL && from != NULL && from->port != 0)
        errno = connect_once(from, to, false, fd);
    return errno == 0 ? TWS_OK : TWS_SYS;
}

/* ---- our own address, beside a datagram ---- */

/* Aligned as a cmsghdr is, which cannot be a member here (it ends in a flexible array). */
struct control {
    _Alignas(size_t)
        uint8_t bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                      CMSG_SPACE(sizeof(struct sockaddr_in6))];
};

/* The kernel's stamps are of a clock that may be set: a moment ahead of us is no time at all. */
static uint32_t since(const struct timespec *then, const struct timespec *now)
{
    int64_t us = (now->tv_sec - then->tv_sec) * 1000000 + (now->tv_nsec - then->tv_nsec) / 1000;

    return us < 0 ? 0 : us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static void read_control(struct msghdr *m, const struct timespec *now, struct tws_udp_datagram *d)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        struct tws_sockaddr caught = {.len = 0};
        struct in6_pktinfo six;
        struct in_pktinfo four;
        struct timespec then;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&then, CMSG_DATA(c), sizeof then);
            d->waited_us = since(&then, now);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&six, CMSG_DATA(c), sizeof six);
            d->local.family = 6;
            memcpy(d->local.bytes, &six.ipi6_addr, 16);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&four, CMSG_DATA(c), sizeof four);
            d->local.family = 4;
            memcpy(d->local.bytes, &four.ipi_addr, 4);
        } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
                   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR)) {
            memcpy(&caught.ss, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
            tws_sockaddr_get(&caught, &d->local, &d->local_port);
            return; /* says more than the other, and is the last */
        }
    }
}

/* Which family the control is of follows the socket's, and that the peer's. */
static void write_control(struct msghdr *m, struct control *room, const struct tws_udp_datagram *d)
{
    struct in_pktinfo four = {.ipi_ifindex = 0};
    struct in6_pktinfo six = {.ipi6_ifindex = 0};
    bool is6 = d->peer.ss.ss_family == AF_INET6;
    size_t n = is6 ? sizeof six : sizeof four;

    memset(room, 0, sizeof *room);
    m->msg_control = room;
    m->msg_controllen = CMSG_SPACE(n);
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    c->cmsg_level = is6 ? IPPROTO_IPV6 : IPPROTO_IP;
    c->cmsg_type = is6 ? IPV6_PKTINFO : IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(n);
    memcpy(&six.ipi6_addr, d->local.bytes, 16);
    memcpy(&four.ipi_spec_dst, d->local.bytes, 4);
    memcpy(CMSG_DATA(c), is6 ? (const void *)&six : (const void *)&four, n);
}

/* ---- receiving ---- */

/* Pages of it that no datagram reached are never touched. */
static uint8_t room[TWS_UDP_BATCH][TWS_UDP_MAX + 1];

tws_err tws_udp_recv(int fd, struct tws_udp_datagram out[TWS_UDP_BATCH], unsigned *n)
{
    static struct control control[TWS_UDP_BATCH];
    struct mmsghdr msgs[TWS_UDP_BATCH];
    struct iovec iov[TWS_UDP_BATCH];
    struct timespec now;

    for (unsigned i = 0; i < TWS_UDP_BATCH; i++) {
        out[i].peer.len = sizeof out[i].peer.ss;
        iov[i] = (struct iovec){room[i], sizeof room[i]};
        msgs[i].msg_hdr = (struct msghdr){.msg_name = &out[i].peer.ss,
                                          .msg_namelen = sizeof out[i].peer.ss,
                                          .msg_iov = &iov[i],
                                          .msg_iovlen = 1,
                                          .msg_control = &control[i],
                                          .msg_controllen = sizeof control[i]};
    }
    int got = recvmmsg(fd, msgs, TWS_UDP_BATCH, MSG_DONTWAIT, NULL);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? TWS_BLOCKED : TWS_SYS;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < got; i++) {
        out[i].data = (struct tws_span){room[i], msgs[i].msg_len};
        out[i].head = (struct tws_span){NULL, 0};
        out[i].peer.len = msgs[i].msg_hdr.msg_namelen;
        out[i].local.family = 0;
        out[i].local_port = 0;
        out[i].waited_us = 0;
        read_control(&msgs[i].msg_hdr, &now, &out[i]);
    }
    *n = (unsigned)got;
    return TWS_OK;
}

/* ---- sending ---- */

/* What waits to be sent, all by one socket. */
static struct {
    struct tws_udp_sender *sender;
    unsigned n;
    struct mmsghdr msgs[TWS_UDP_BATCH];
    struct iovec iov[TWS_UDP_BATCH][2]; /* head, data */
    struct tws_sockaddr peers[TWS_UDP_BATCH];
    struct control control[TWS_UDP_BATCH];
} outbox;

static void note_error(struct tws_udp_sender *s, int error)
{
    if (s->on_error != NULL)
        s->on_error(s, error);
}

void tws_udp_flush(void)
{
    struct tws_udp_sender *s = outbox.sender;
    unsigned n = outbox.n, i = 0;
    bool again = true; /* an error that came back takes the place of one call */

    outbox.sender = NULL;
    outbox.n = 0;
    while (i < n) {
        int sent = sendmmsg(s->fd, outbox.msgs + i, n - i, MSG_NOSIGNAL);
        if (sent > 0) {
            i += (unsigned)sent;
            continue;
        }
        int error = errno;
        if (error == EINTR)
            continue;
        if (error == EAGAIN || error == ENOBUFS) {
            s->dropped += n - i;
            note_error(s, EAGAIN);
            return;
        }
        if (!again || error == EMSGSIZE || error == EINVAL) {
            s->dropped++;
            i++;
        }
        again = false;
        note_error(s, error);
        if (s->fd < 0)
            return; /* its owner closed it */
    }
}

void tws_udp_send(struct tws_udp_sender *s, const struct tws_udp_datagram *d)
{
    if (outbox.sender != s || outbox.n == TWS_UDP_BATCH)
        tws_udp_flush();
    if (s->fd < 0)
        return;
    unsigned i = outbox.n++;
    struct msghdr *m = &outbox.msgs[i].msg_hdr;
    outbox.sender = s;
    outbox.peers[i] = d->peer;
    outbox.iov[i][0] = (struct iovec){(void *)(uintptr_t)d->head.p, d->head.n};
    outbox.iov[i][1] = (struct iovec){(void *)(uintptr_t)d->data.p, d->data.n};
    *m = (struct msghdr){.msg_name = d->peer.len > 0 ? &outbox.peers[i].ss : NULL,
                         .msg_namelen = d->peer.len,
                         .msg_iov = &outbox.iov[i][d->head.n == 0],
                         .msg_iovlen = d->head.n == 0 ? 1 : 2};
    if (d->local.family != 0)
        write_control(m, &outbox.control[i], d);
}

void tws_udp_forget(struct tws_udp_sender *s)
{
    s->on_error = NULL;
    if (outbox.sender == s)
        tws_udp_flush();
}

/* ---- watching ---- */

static size_t bytes_of(const struct tws_udp_datagram *d, unsigned n)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < n; i++)
        bytes += d[i].data.n;
    return bytes;
}

/* Behind a whole batch more waits, as far as anybody knows. */
static void take_all(struct tws_udp_watch *w, const struct tws_udp_datagram *d, unsigned n)
{
    size_t behind = bytes_of(d, n) + (n == TWS_UDP_BATCH ? TWS_UDP_MAX : 0);

    for (unsigned i = 0; i < n && tws_udp_watched(w); i++) {
        behind -= d[i].data.n;
        if (tws_codel_drops(&w->codel, d[i].waited_us, behind, tws_loop_now(w->io.loop)))
            w->dropped++;
        else
            w->take(w, &d[i]);
    }
}

/* False: nothing more waits, or the watch was stopped. */
static bool take_batch(struct tws_udp_watch *w, size_t *bytes)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    unsigned n = 0;
    tws_err err = tws_udp_recv(w->io.fd, d, &n);

    if (err == TWS_BLOCKED)
        return false;
    if (err != TWS_OK) {
        note_error(&w->sender, errno);
        return tws_udp_watched(w);
    }
    take_all(w, d, n);
    *bytes += bytes_of(d, n);
    return n == TWS_UDP_BATCH && tws_udp_watched(w);
}

static void on_io(struct tws_io *io, unsigned events)
{
    struct tws_udp_watch *w = TWS_CONTAINER(io, struct tws_udp_watch, io);
    size_t bytes = 0;

    if ((events & (TWS_IO_READ | TWS_IO_HUP)) == 0)
        return;
    for (unsigned batch = 0; batch < TURN_BATCHES && bytes < TURN_BYTES; batch++)
        if (!take_batch(w, &bytes))
            return;
    tws_io_again(io, TWS_IO_READ);
}

tws_err tws_udp_watch_start(struct tws_loop *loop, struct tws_udp_watch *w, int fd,
                            tws_udp_fn *take)
{
    *w = (struct tws_udp_watch){.sender.fd = fd, .take = take};
    if (tws_io_start(loop, &w->io, fd, on_io) == TWS_OK)
        return TWS_OK;
    tws_socket_close(fd);
    w->sender.fd = -1;
    return TWS_SYS;
}

bool tws_udp_watched(const struct tws_udp_watch *w)
{
    return tws_io_running(&w->io);
}

void tws_udp_watch_stop(struct tws_udp_watch *w)
{
    if (!tws_udp_watched(w))
        return;
    tws_udp_forget(&w->sender);
    w->sender.fd = -1;
    tws_io_close(&w->io);
}

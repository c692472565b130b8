/*
 * listener.c - see listener.h.
 *
 * A listener has one socket, two for "localhost", or several that it adopted. Accepting stops for
 * three reasons: nothing waits (what comes later has its own edge), the batch of the turn is full
 * (the io asks to be called again), or the listener is held: by its owner, or by itself for a while
 * when the process is short of something. Edges that come while it is held are lost, so letting go
 * always asks again.
 */
#include "tws/net/listener.h"

#include "loop_priv.h"
#include "own_port_priv.h"

#include "tws/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define BATCH         64 /* connections accepted per socket and turn */
#define SHORTAGE_US   100000
#define WARN_EVERY_US 60000000
/* Of a reader that stalls: as fast as without a limit, which 256 KiB are not. */
#define UNSENT_MAX (1024 * 1024)

struct bound {
    struct tws_io io; /* running: the socket is open */
    struct tws_listener *listener;
};

struct tws_listener {
    struct tws_loop *loop;
    tws_accept_fn *on_accept;
    void *arg;
    struct bound sockets[TWS_LISTENER_SOCKETS];
    unsigned count;
    bool paused, leaves_some;
    struct tws_timer shortage; /* running: out of descriptors or memory */
    uint64_t next_warning_us;
};

/* ---- accepting ---- */

/* The connection is gone already, or was never meant for us: the next one may be fine. */
static bool concerns_one_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:
        return true;
    default:
        return false;
    }
}

static void hold_for_shortage(struct tws_listener *l, int error)
{
    uint64_t now = tws_loop_now(l->loop);
    struct tws_sockaddr sa;
    char text[TWS_HOSTPORT_TEXT];

    tws_timer_start(&l->shortage, SHORTAGE_US);
    if (now < l->next_warning_us)
        return;
    l->next_warning_us = now + WARN_EVERY_US;
    tws_listener_address(l, &sa);
    tws_sockaddr_format(&sa, text, sizeof text);
    tws_log(TWS_LOG_WARN, "accepting pauses", "listen=%s reason=\"%s\"", text, strerror(error));
}

/* Whether there may be more to accept. */
static bool accept_one(struct tws_listener *l, struct bound *b)
{
    struct tws_sockaddr peer = {.len = sizeof peer.ss};

    if (l->leaves_some && tws_fds_are_short(b->io.fd)) {
        hold_for_shortage(l, EMFILE);
        return false;
    }
    int fd =
        accept4(b->io.fd, (struct sockaddr *)&peer.ss, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (concerns_one_connection(errno))
            return true;
        if (errno != EAGAIN)
            hold_for_shortage(l, errno);
        return false;
    }
    (void)tws_fd_is_reserved(fd);     /* it is noted: this one is served, the next one waits */
    if (peer.ss.ss_family == AF_UNIX) /* inherits nothing */
        tws_socket_set_urgent_inline(fd);
    tws_sockaddr_unmap(&peer); /* a dual-stack socket's IPv4 peers: nobody above shall see that */
    l->on_accept(l->arg, fd, &peer);
    return true;
}

/* How many connections wait. To ask is much cheaper than an accept() that finds none, which makes
 * a file first. */
static unsigned count_waiting(int fd)
{
    struct tcp_info info = {.tcpi_unacked = 1};
    socklen_t len = sizeof info;

    /* A unix socket does not say: then there may be one. */
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_unacked : 1;
}

static bool is_held(const struct tws_listener *l)
{
    return l->paused || tws_timer_running(&l->shortage);
}

static void on_connections(struct tws_io *io, unsigned events)
{
    struct bound *b = TWS_CONTAINER(io, struct bound, io);
    struct tws_listener *l = b->listener;
    unsigned waiting = 1;

    (void)events;
    for (int i = 0; i < BATCH; i++) {
        /* A callback may have paused or closed the listener; it is freed after the turn. */
        if (!tws_io_running(io) || is_held(l))
            return;
        if (waiting == 0)
            waiting = count_waiting(io->fd);
        if (waiting == 0 || !accept_one(l, b))
            return;
        waiting--;
    }
    if (tws_io_running(io))
        tws_io_again(io, TWS_IO_READ);
}

static void ask_again(struct tws_listener *l)
{
    for (unsigned i = 0; i < l->count; i++)
        tws_io_again(&l->sockets[i].io, TWS_IO_READ);
}

static void on_shortage_over(struct tws_timer *t)
{
    ask_again(TWS_CONTAINER(t, struct tws_listener, shortage));
}

void tws_listener_leave_some(struct tws_listener *l)
{
    l->leaves_some = true;
}

void tws_listener_pause(struct tws_listener *l, bool paused)
{
    if (l->paused && !paused)
        ask_again(l);
    l->paused = paused;
}

/* ---- opening ---- */

static tws_err listener_new(struct tws_loop *loop, tws_accept_fn *on_accept, void *arg,
                            struct tws_listener **out)
{
    struct tws_listener *l = calloc(1, sizeof *l);

    if (l == NULL)
        return TWS_NOMEM;
    l->loop = loop;
    l->on_accept = on_accept;
    l->arg = arg;
    tws_timer_init(&l->shortage, loop, on_shortage_over);
    *out = l;
    return TWS_OK;
}

/* Takes fd. */
static tws_err add_socket(struct tws_listener *l, int fd)
{
    struct bound *b = &l->sockets[l->count];

    /* What is accepted inherits these: six calls less for each connection. */
    tws_socket_set_nodelay(fd);
    tws_socket_set_urgent_inline(fd);
    tws_socket_set_notsent_lowat(fd, UNSENT_MAX);
    tws_socket_set_keepalive(fd);
    b->listener = l;
    if (tws_io_start(l->loop, &b->io, fd, on_connections) != TWS_OK) {
        tws_socket_close(fd);
        return TWS_SYS;
    }
    l->count++;
    return TWS_OK;
}

static void close_sockets(struct tws_listener *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        int fd = l->sockets[i].io.fd;

        tws_io_stop(&l->sockets[i].io);
        tws_socket_close(fd);
    }
    l->count = 0;
}

/* Closes those from the i-th on, which are not the listener's yet, and its own. */
static void give_up(struct tws_listener *l, const int *fds, size_t i, size_t n)
{
    int saved = errno;

    for (; i < n; i++)
        tws_socket_close(fds[i]);
    if (l != NULL)
        close_sockets(l);
    free(l);
    errno = saved;
}

const char *tws_listener_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "; another program listens there (ss -ltnp shows which): end it, or choose another "
               "port";
    case EADDRNOTAVAIL:
        return "; this machine has no such address";
    case EPERM:
        return "; this needs CAP_NET_ADMIN: start as root, or with "
               "AmbientCapabilities=CAP_NET_ADMIN and PrivateUsers=no in the unit";
    case EACCES:
        return "; ports below 1024 need CAP_NET_BIND_SERVICE";
    default:
        return "";
    }
}

tws_err tws_listener_open(struct tws_loop *loop, const struct tws_hostport *hp,
                          tws_accept_fn *on_accept, void *arg, struct tws_listener **out)
{
    struct tws_listener *l = NULL;
    int fds[TWS_OWN_PORT_SOCKETS];
    unsigned n = 0, i = 0;
    tws_err err = tws_own_port_open(hp, SOCK_STREAM, fds, &n);

    if (err != TWS_OK)
        return err;
    err = listener_new(loop, on_accept, arg, &l);
    while (i < n && err == TWS_OK)
        err = add_socket(l, fds[i++]);
    if (err != TWS_OK) {
        give_up(l, fds, i, n);
        return err;
    }
    *out = l;
    return TWS_OK;
}

static int check_listening(int fd)
{
    int listening = 0;
    socklen_t len = sizeof listening;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0)
        return errno;
    return listening ? 0 : EINVAL;
}

static tws_err set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return TWS_SYS;
    return TWS_OK;
}

/* Takes fd. */
static tws_err adopt_one(struct tws_listener *l, int fd)
{
    int error = check_listening(fd);

    if (error == 0 && l->count == TWS_LISTENER_SOCKETS)
        error = ENFILE;
    if (error == 0 && set_nonblocking(fd) != TWS_OK)
        error = errno;
    if (error == 0)
        return add_socket(l, fd);
    tws_socket_close(fd);
    errno = error;
    return TWS_SYS;
}

tws_err tws_listener_adopt(struct tws_loop *loop, const int *fds, size_t n,
                           tws_accept_fn *on_accept, void *arg, struct tws_listener **out)
{
    struct tws_listener *l = NULL;
    tws_err err = listener_new(loop, on_accept, arg, &l);
    size_t i = 0;

    while (i < n && err == TWS_OK)
        err = adopt_one(l, fds[i++]);
    if (err != TWS_OK) {
        give_up(l, fds, i, n);
        return err;
    }
    *out = l;
    return TWS_OK;
}

tws_err tws_listener_set_transparent(struct tws_listener *l, uint32_t mark)
{
    for (unsigned i = 0; i < l->count; i++) {
        int fd = l->sockets[i].io.fd;
        struct tws_sockaddr at = tws_socket_address(fd);

        if (at.len == 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
            return TWS_SYS;
        if (tws_socket_set_transparent(fd, at.ss.ss_family) != TWS_OK)
            return TWS_SYS;
    }
    return TWS_OK;
}

void tws_listener_close(struct tws_listener *l)
{
    if (l == NULL)
        return;
    close_sockets(l);
    tws_timer_stop(&l->shortage);
    tws_loop_free_later(l->loop, l);
}

void tws_listener_address(const struct tws_listener *l, struct tws_sockaddr *out)
{
    *out = tws_socket_address(l->sockets[0].io.fd);
}

/* dial.c - see dial_priv.h. */
#include "dial_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static int bind_to(int fd, const struct tws_ip *ip, uint16_t port)
{
    struct tws_sockaddr sa;

    tws_sockaddr_set(&sa, ip, port);
    return bind(fd, (struct sockaddr *)&sa.ss, sa.len) == 0 ? 0 : errno;
}

static int bind_source(int fd, int family, const struct tws_connect_from *from,
                       enum tws_dial_port port)
{
    int error = 0;

    if ((from->ip.family == 4) != (family == AF_INET))
        return EAFNOSUPPORT;
    if (from->transparent)
        error = tws_socket_set_transparent(fd, family) == TWS_OK ? 0 : errno;
    if (error == 0 && from->port != 0 && port != TWS_DIAL_ANY_PORT) {
        if (port == TWS_DIAL_SHARED_PORT)
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        error = bind_to(fd, &from->ip, from->port);
        if (error != EADDRINUSE && error != EACCES)
            return error;
        error = 0; /* another port, then: it is taken, or below 1024 */
    }
    /* The port is then chosen at connect(): as many connections as there are port pairs. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    return error == 0 ? bind_to(fd, &from->ip, 0) : error;
}

int tws_dial_source(int fd, int family, const struct tws_connect_from *from,
                    enum tws_dial_port port)
{
    size_t n = strnlen(from->interface, sizeof from->interface);

    if (family == AF_UNIX)
        return 0;
    if (n > 0 && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, from->interface, (socklen_t)n) != 0)
        return errno;
    /* Before connect(): the first packet's route, and who catches it, depend on it. */
    if (from->mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &from->mark, sizeof from->mark) != 0)
        return errno;
    return from->ip.family == 0 ? 0 : bind_source(fd, family, from, port);
}

static int dial_once(const struct tws_sockaddr *to, const struct tws_connect_from *from,
                     enum tws_dial_port port, int *fd)
{
    int family = to->ss.ss_family;
    int s = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (s < 0)
        return errno;
    int error = from->leaves_some && tws_fd_is_reserved(s) ? EMFILE
                                                           : tws_dial_source(s, family, from, port);
    if (error == 0) {
        tws_socket_set_nodelay(s);
        tws_socket_set_urgent_inline(s);
        /* Mostly there is something to send at once: it carries the last ACK of the handshake. */
        tws_socket_set_quickack(s, false);
        if (connect(s, (const struct sockaddr *)&to->ss, to->len) != 0 && errno != EINPROGRESS)
            error = errno;
    }
    if (error != 0)
        tws_socket_close(s);
    else
        *fd = s;
    return error;
}

int tws_dial(const struct tws_sockaddr *to, const struct tws_connect_from *from, int *fd)
{
    int error = dial_once(to, from, TWS_DIAL_SHARED_PORT, fd);

    /* The very pair of addresses and ports is in use: the client may come again from its port. */
    if (error == EADDRNOTAVAIL && from->port != 0)
        error = dial_once(to, from, TWS_DIAL_ANY_PORT, fd);
    return error;
}

static int ask_kernel(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int error = tws_socket_error(fd);

    if (error == 0 && getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
        error = errno == ENOTCONN ? EINPROGRESS : errno;
    return error;
}

int tws_dial_outcome(int fd, unsigned events, const struct tws_sockaddr *to,
                     struct tws_sockaddr *own)
{
    /* Writable and not hung up is connected; anything else is worth asking. */
    int error = (events & (TWS_IO_WRITE | TWS_IO_HUP)) == TWS_IO_WRITE ? 0 : ask_kernel(fd);

    own->len = 0;
    if (error != 0)
        return error;
    *own = tws_socket_address(fd);
    /* A connect to a local port of the ephemeral range that nobody listens on may be given that
     * very port as its own, and then TCP's simultaneous open connects it to itself. */
    return tws_sockaddr_equal(own, to) ? ECONNREFUSED : 0;
}

enum tws_connect_failure tws_dial_failure(int error, const struct tws_sockaddr *to)
{
    switch (error) {
    case ECONNREFUSED:
        return TWS_CONNECT_REFUSED;
    case ETIMEDOUT:
        return TWS_CONNECT_TIMEOUT;
    case EADDRNOTAVAIL:
        /* Out of ports, where it cannot be that this machine has no address of the family. */
        return to->ss.ss_family == AF_INET ? TWS_CONNECT_RESOURCES : TWS_CONNECT_UNREACHABLE;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EAFNOSUPPORT:
    case ENODEV:
    case ENOENT:
        return TWS_CONNECT_UNREACHABLE;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC: /* epoll's limit of watches */
    case EAGAIN: /* a unix socket's backlog */
        return TWS_CONNECT_RESOURCES;
    default:
        return TWS_CONNECT_OTHER;
    }
}

/* own_port.c - see own_port_priv.h. */
#include "own_port_priv.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define PORT_TRIES 16

/* Of an IPv6 socket: whether IPv4 reaches it too. */
enum stack { ONE_STACK, DUAL_STACK };

static bool set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool make_own(int fd, const struct tws_sockaddr *sa, int type, enum stack stack)
{
    bool is_stream = type == SOCK_STREAM;

    return (!is_stream || set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) &&
           (sa->ss.ss_family != AF_INET6 ||
            set(fd, IPPROTO_IPV6, IPV6_V6ONLY, stack == ONE_STACK)) &&
           bind(fd, (const struct sockaddr *)&sa->ss, sa->len) == 0 &&
           (!is_stream || listen(fd, SOMAXCONN) == 0);
}

static tws_err open_at(const char *ip_text, uint16_t port, int type, enum stack stack, int *out)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    if (tws_ip_parse(ip_text, &ip) != TWS_OK) {
        errno = EADDRNOTAVAIL; /* what bind() says of an address that is not here */
        return TWS_SYS;
    }
    tws_sockaddr_set(&sa, &ip, port);
    int fd = socket(sa.ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return TWS_SYS;
    if (!make_own(fd, &sa, type, stack)) {
        tws_socket_close(fd);
        return TWS_SYS;
    }
    *out = fd;
    return TWS_OK;
}

static bool has_no_ipv6(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT;
}

static tws_err open_everywhere(uint16_t port, int type, int *out)
{
    tws_err err = open_at("::", port, type, DUAL_STACK, out);

    if (err == TWS_OK || !has_no_ipv6(errno))
        return err;
    return open_at("0.0.0.0", port, type, ONE_STACK, out);
}

/* If the kernel chooses the port, it may be taken on the other address: it chooses again. */
static tws_err open_localhost(uint16_t port, int type, int fds[TWS_OWN_PORT_SOCKETS], unsigned *n)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        if (open_at("127.0.0.1", port, type, ONE_STACK, &fds[0]) != TWS_OK)
            return TWS_SYS;
        *n = 1;
        if (open_at("::1", tws_socket_port(fds[0]), type, ONE_STACK, &fds[1]) == TWS_OK) {
            *n = 2;
            return TWS_OK;
        }
        if (has_no_ipv6(errno))
            return TWS_OK;
        tws_socket_close(fds[0]);
        if (port != 0 || errno != EADDRINUSE)
            return TWS_SYS;
    }
    return TWS_SYS;
}

tws_err tws_own_port_open(const struct tws_hostport *hp, int type, int fds[TWS_OWN_PORT_SOCKETS],
                          unsigned *n)
{
    enum stack stack = strcmp(hp->host, "::") == 0 ? DUAL_STACK : ONE_STACK;

    *n = 1;
    if (hp->host[0] == '\0')
        return open_everywhere(hp->port, type, &fds[0]);
    if (strcmp(hp->host, "localhost") == 0)
        return open_localhost(hp->port, type, fds, n);
    return open_at(hp->host, hp->port, type, stack, &fds[0]);
}

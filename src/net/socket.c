/* socket.c - see socket.h. */
#include "tws/net/socket.h"

#include "tws/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#define FD_LIMIT_MAX 1048576
#define RESERVED_MAX 1024u

void tws_sockaddr_get(const struct tws_sockaddr *sa, struct tws_ip *ip, uint16_t *port)
{
    *ip = (struct tws_ip){.family = 0};
    *port = 0;
    if (sa->ss.ss_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, &sa->ss, sizeof in);
        ip->family = 4;
        memcpy(ip->bytes, &in.sin_addr, 4);
        *port = ntohs(in.sin_port);
    } else if (sa->ss.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, &sa->ss, sizeof in6);
        ip->family = 6;
        memcpy(ip->bytes, &in6.sin6_addr, 16);
        *port = ntohs(in6.sin6_port);
    }
}

void tws_sockaddr_set(struct tws_sockaddr *sa, const struct tws_ip *ip, uint16_t port)
{
    *sa = (struct tws_sockaddr){.len = 0};
    if (ip->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

        memcpy(&in.sin_addr, ip->bytes, 4);
        memcpy(&sa->ss, &in, sizeof in);
        sa->len = sizeof in;
    } else if (ip->family == 6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

        memcpy(&in6.sin6_addr, ip->bytes, 16);
        memcpy(&sa->ss, &in6, sizeof in6);
        sa->len = sizeof in6;
    }
}

bool tws_sockaddr_equal(const struct tws_sockaddr *a, const struct tws_sockaddr *b)
{
    struct tws_ip ip_a, ip_b;
    uint16_t port_a, port_b;

    tws_sockaddr_get(a, &ip_a, &port_a);
    tws_sockaddr_get(b, &ip_b, &port_b);
    return ip_a.family != 0 && port_a == port_b && tws_ip_equal(&ip_a, &ip_b);
}

void tws_sockaddr_unmap(struct tws_sockaddr *sa)
{
    struct tws_ip ip;
    uint16_t port;

    tws_sockaddr_get(sa, &ip, &port);
    if (ip.family != 6)
        return;
    ip = tws_ip_unmap(ip);
    if (ip.family == 4)
        tws_sockaddr_set(sa, &ip, port);
}

tws_err tws_sockaddr_set_unix(struct tws_sockaddr *sa, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof un.sun_path) {
        errno = n == 0 ? EINVAL : ENAMETOOLONG;
        return TWS_SYS;
    }
    memcpy(un.sun_path, path, n);
    *sa = (struct tws_sockaddr){.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)};
    if (path[0] == '@')
        un.sun_path[0] = '\0'; /* an abstract name is as long as it is, without a NUL */
    else
        sa->len++;
    memcpy(&sa->ss, &un, sizeof un);
    return TWS_OK;
}

static void format_unix(const struct tws_sockaddr *sa, char *out, size_t cap)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t n = sa->len > start ? sa->len - start : 0;

    if (n > sizeof un.sun_path)
        n = sizeof un.sun_path;
    memcpy(&un, &sa->ss, start + n);
    if (n > 0 && un.sun_path[0] == '\0')
        un.sun_path[0] = '@';
    else
        n = strnlen(un.sun_path, n);
    snprintf(out, cap, "unix:%.*s", (int)n, un.sun_path);
    tws_log_word(out);
}

void tws_sockaddr_format(const struct tws_sockaddr *sa, char *out, size_t cap)
{
    struct tws_hostport hp = {.port = 0};
    struct tws_ip ip;

    if (sa->ss.ss_family == AF_UNIX) {
        format_unix(sa, out, cap);
        return;
    }
    tws_sockaddr_get(sa, &ip, &hp.port);
    if (ip.family == 0) {
        snprintf(out, cap, "unknown");
        return;
    }
    tws_ip_format(&ip, hp.host, sizeof hp.host);
    if (hp.port == 0)
        snprintf(out, cap, "%s", hp.host);
    else
        tws_hostport_format(&hp, out, cap);
}

static void set_int(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

struct tws_sockaddr tws_socket_address(int fd)
{
    struct tws_sockaddr sa = {.len = sizeof sa.ss};

    if (getsockname(fd, (struct sockaddr *)&sa.ss, &sa.len) != 0)
        sa.len = 0;
    return sa;
}

uint16_t tws_socket_port(int fd)
{
    struct tws_sockaddr sa = tws_socket_address(fd);
    struct tws_ip ip;
    uint16_t port = 0;

    tws_sockaddr_get(&sa, &ip, &port);
    return port;
}

void tws_socket_set_nodelay(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void tws_socket_set_urgent_inline(int fd)
{
    set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

void tws_socket_set_quickack(int fd, bool quick)
{
    set_int(fd, IPPROTO_TCP, TCP_QUICKACK, quick);
}

void tws_socket_set_keepalive(int fd)
{
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

void tws_socket_set_notsent_lowat(int fd, int bytes)
{
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

tws_err tws_socket_set_transparent(int fd, int family)
{
    int on = 1;

    /* A dual-stack socket has both kinds of packets. */
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on) != 0)
        return TWS_SYS;
    return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) == 0 || family == AF_INET6
               ? TWS_OK
               : TWS_SYS;
}

void tws_socket_set_abort(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int tws_socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return errno;
    return error;
}

void tws_socket_close(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
}

/* The first that is for links; and whether one of those was in use when we last looked. */
static int reserved_from = INT_MAX;
static bool reserved_seen;

bool tws_fd_is_reserved(int fd)
{
    reserved_seen = reserved_seen || fd >= reserved_from;
    return fd >= reserved_from;
}

bool tws_fds_are_short(int fd)
{
    if (!reserved_seen)
        return false;
    int next = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    reserved_seen = next < 0 || next >= reserved_from;
    tws_socket_close(next);
    return reserved_seen;
}

unsigned tws_raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    rlim_t want = limit.rlim_max < FD_LIMIT_MAX ? limit.rlim_max : FD_LIMIT_MAX;
    if (limit.rlim_cur != want) {
        rlim_t had = limit.rlim_cur;

        limit.rlim_cur = want;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            want = had;
    }
    unsigned n = want > FD_LIMIT_MAX ? FD_LIMIT_MAX : (unsigned)want;
    reserved_from = (int)(n - (n / 8 < RESERVED_MAX ? n / 8 : RESERVED_MAX));
    return n;
}

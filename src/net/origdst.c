/* origdst.c - see origdst.h. */
#include "tws/net/origdst.h"

#include <errno.h>
#include <netinet/in.h>

/* linux/netfilter_ipv4.h and _ipv6.h, which do not go together with netinet/in.h everywhere. */
#define ORIGINAL_DST 80

/* An IPv4 peer of a dual-stack socket is IPv4 to conntrack. */
static void unmap(struct tws_sockaddr *sa)
{
    struct tws_ip ip;
    uint16_t port;

    tws_sockaddr_get(sa, &ip, &port);
    ip = tws_ip_unmap(ip);
    if (ip.family != 0)
        tws_sockaddr_set(sa, &ip, port);
}

tws_err tws_origdst_own(int fd, struct tws_sockaddr *out)
{
    *out = tws_socket_address(fd);
    if (out->len == 0)
        return TWS_SYS;
    unmap(out);
    return TWS_OK;
}

tws_err tws_origdst_redirected(int fd, struct tws_sockaddr *out)
{
    struct tws_sockaddr original = {.len = sizeof original.ss};
    tws_err err = tws_origdst_own(fd, out);

    if (err != TWS_OK)
        return err;
    int level = out->ss.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    if (getsockopt(fd, level, ORIGINAL_DST, &original.ss, &original.len) == 0)
        *out = original;
    else if (errno != ENOENT && errno != ENOPROTOOPT) /* not tracked: nothing redirected it */
        return TWS_SYS;
    return TWS_OK;
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

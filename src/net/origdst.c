/* origdst.c - see origdst.h. */
#include "tws/net/origdst.h"

#include <errno.h>
#include <netinet/in.h>

/* linux/netfilter_ipv4.h and _ipv6.h, which do not go together with netinet/in.h everywhere. */
#define ORIGINAL_DST 80

tws_err tws_origdst_own(int fd, struct tws_sockaddr *out)
{
    *out = tws_socket_address(fd);
    if (out->len == 0)
        return TWS_SYS;
    tws_sockaddr_unmap(out); /* an IPv4 peer of a dual-stack socket is IPv4 to conntrack */
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

/* tun.c - see tun.h. */
#include "tws/net/tun.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define CLONE "/dev/net/tun"
#define NAMES "tws%d"

_Static_assert(TWS_DEVICE_TEXT == IFNAMSIZ, "a device's name has the kernel's length");

/* Attaches `fd` to the device, which is made if it is not there. */
static int attach(int fd, const char *name, struct tws_tun *out)
{
    struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    size_t n = strlen(name);

    if (n >= sizeof req.ifr_name)
        return ENAMETOOLONG;
    memcpy(req.ifr_name, name, n);
    if (ioctl(fd, TUNSETIFF, &req) != 0)
        return errno;
    memcpy(out->name, req.ifr_name, sizeof out->name);
    if (ioctl(fd, TUNGETIFF, &req) != 0)
        return errno;
    out->prepared = (req.ifr_flags & IFF_PERSIST) != 0;
    out->index = if_nametoindex(out->name);
    return out->index != 0 ? 0 : errno;
}

tws_err tws_tun_open(const char *name, struct tws_tun *out)
{
    *out = (struct tws_tun){.fd = open(CLONE, O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (out->fd < 0)
        return TWS_SYS;
    int error = attach(out->fd, name != NULL && name[0] != '\0' ? name : NAMES, out);
    if (error == 0)
        return TWS_OK;
    tws_tun_close(out);
    errno = error;
    return TWS_SYS;
}

void tws_tun_close(struct tws_tun *t)
{
    tws_socket_close(t->fd);
    t->fd = -1;
}

const char *tws_tun_advice(int error)
{
    switch (error) {
    case EACCES:
        return "let the process open " CLONE ", which most systems let everybody: chmod 666 " CLONE;
    case EPERM:
        return "give the process CAP_NET_ADMIN, or prepare the device: ip tuntap add dev NAME mode "
               "tun user USER";
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return "this machine has no /dev/net/tun: modprobe tun, or let the container have it";
    case EBUSY:
        return "another process uses the device: choose another name";
    case EINVAL:
        return "a device of that name is there and is no TUN device: choose another name";
    default:
        return NULL;
    }
}

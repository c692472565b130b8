/* tun.c - see tun.h. */
#include "tws/net/tun.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define CLONE "/dev/net/tun"
#define NAMES "tws%d"

_Static_assert(TWS_DEVICE_TEXT == IFNAMSIZ, "a device's name has the kernel's length");

/* Attaches `fd` to the device, which is made if it is not there. */
static int attach(int fd, const char *name, int flags, struct tws_tun *out)
{
    struct ifreq req = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags)};
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

/* Segmentation and checksums of TCP become ours. Another program may have left the device with
 * another header. */
static int take_offload(int fd)
{
    int size = (int)sizeof(struct virtio_net_hdr);

    if (ioctl(fd, TUNSETVNETHDRSZ, &size) != 0 ||
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0)
        return errno;
    return 0;
}

/* 0, or an errno. */
static int open_as(const char *name, bool offload, struct tws_tun *out)
{
    *out = (struct tws_tun){.fd = open(CLONE, O_RDWR | O_NONBLOCK | O_CLOEXEC), .offload = offload};
    if (out->fd < 0)
        return errno;
    int error = attach(out->fd, name, offload ? IFF_VNET_HDR : 0, out);
    if (error == 0 && offload)
        error = take_offload(out->fd);
    else if (error == 0)
        (void)ioctl(out->fd, TUNSETOFFLOAD, 0); /* what a killed process left on a prepared one */
    if (error != 0)
        tws_tun_close(out);
    return error;
}

tws_err tws_tun_open(const char *name, struct tws_tun *out)
{
    const char *as = name != NULL && name[0] != '\0' ? name : NAMES;
    int error = open_as(as, true, out);

    /* What speaks against the device itself is said again without it. */
    if (error != 0)
        error = open_as(as, false, out);
    if (error == 0)
        return TWS_OK;
    errno = error;
    return TWS_SYS;
}

void tws_tun_close(struct tws_tun *t)
{
    if (t->fd >= 0 && t->offload)
        (void)ioctl(t->fd, TUNSETOFFLOAD, 0);
    tws_socket_close(t->fd);
    t->fd = -1;
}

/* What the kernel says of the device to who asks in a struct that begins with `cmd`. */
static bool ask_ethtool(const char *name, void *what)
{
    struct ifreq req = {.ifr_data = what};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
    bool fine = fd >= 0 && ioctl(fd, SIOCETHTOOL, &req) == 0;
    tws_socket_close(fd);
    return fine;
}

bool tws_tun_restore(const char *name)
{
    struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
    struct ethtool_value segmentation = {.cmd = ETHTOOL_GTSO};
    struct tws_tun t;

    if (!ask_ethtool(name, &driver) || strcmp(driver.driver, "tun") != 0 ||
        strcmp(driver.bus_info, "tun") != 0 || !ask_ethtool(name, &segmentation) ||
        segmentation.data == 0 || open_as(name, false, &t) != 0)
        return false;
    bool restored = t.prepared && ask_ethtool(name, &segmentation) && segmentation.data == 0;
    tws_tun_close(&t);
    return restored;
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
        return "this machine has no /dev/net/tun: modprobe tun, or let the container or unit have "
               "it "
               "(DeviceAllow=/dev/net/tun rw, PrivateDevices=no)";
    case EBUSY:
        return "another process uses the device: choose another name";
    case EINVAL:
        return "a device of that name is there and is no TUN device: choose another name";
    default:
        return NULL;
    }
}

/*
 * tun.h - one TUN device: a network interface whose other end is a descriptor. read() gives one IP
 * packet that the kernel sends out of it, write() hands it one that came in; neither blocks.
 *
 * A device that nobody prepared is made, and is gone with its descriptor. One that was (`ip tuntap
 * add dev NAME mode tun user USER`) is used as it is, by that user without any capability.
 *
 * With `offload` each packet, read or written, has a virtio_net_hdr in front of it, and one that is
 * read may be a super packet of TCP, or lack its checksum.
 */
#ifndef TWS_NET_TUN_H
#define TWS_NET_TUN_H

#include "tws/base/err.h"

#include <stdbool.h>

#define TWS_DEVICE_TEXT 16 /* a device's name, with NUL */

struct tws_tun {
    int fd;
    char name[TWS_DEVICE_TEXT];
    unsigned index;
    bool prepared; /* was there before, and stays */
    bool offload;  /* the kernel has it, and gives packets so */
};

/* `name` NULL or "": the kernel numbers it, tws0 first. TWS_SYS: tws_tun_advice() says what to do
 * about the errno. */
TWS_MUST_USE tws_err tws_tun_open(const char *name, struct tws_tun *out);
/* A prepared one gives plain packets again, to whoever opens it next. fd < 0 is fine. */
void tws_tun_close(struct tws_tun *t);
/* Makes a prepared one that nobody has open give plain packets again, after whoever had it was
 * killed. False: it is no such device, or gives them. */
bool tws_tun_restore(const char *name);
/* What to do about the errno of a device that cannot be opened, or NULL; for a log line. */
const char *tws_tun_advice(int error);

#endif

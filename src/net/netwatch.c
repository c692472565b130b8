/*
 * netwatch.c - see netwatch.h.
 *
 * What a message says does not matter, only that the kernel sent one; so none is parsed, and one
 * that was lost because too many came (ENOBUFS) is as good as any.
 */
#include "tws/net/netwatch.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#define SETTLE_US 200000
#define BATCH     64 /* messages read per turn */

struct tws_netwatch {
    struct tws_loop *loop;
    struct tws_io io;
    struct tws_timer settle;
    tws_netwatch_fn *on_change;
    void *arg;
};

static void on_settled(struct tws_timer *t)
{
    struct tws_netwatch *w = TWS_CONTAINER(t, struct tws_netwatch, settle);

    w->on_change(w->arg);
}

enum received { NOTHING, FROM_KERNEL, FROM_STRANGER };

static enum received receive(int fd)
{
    struct sockaddr_nl from = {.nl_family = AF_NETLINK};
    socklen_t len = sizeof from;
    char byte; /* of the message; the kernel drops the rest */
    ssize_t n = recvfrom(fd, &byte, sizeof byte, MSG_TRUNC, (struct sockaddr *)&from, &len);

    if (n < 0)
        return errno == ENOBUFS ? FROM_KERNEL : NOTHING;
    return from.nl_pid == 0 ? FROM_KERNEL : FROM_STRANGER;
}

static void on_messages(struct tws_io *io, unsigned events)
{
    struct tws_netwatch *w = TWS_CONTAINER(io, struct tws_netwatch, io);

    (void)events;
    for (int i = 0; i < BATCH; i++) {
        enum received r = receive(io->fd);

        if (r == NOTHING)
            return;
        /* Not restarted: steady change must not put the call off for ever. */
        if (r == FROM_KERNEL && !tws_timer_running(&w->settle))
            tws_timer_start(&w->settle, SETTLE_US);
    }
    tws_io_again(io, TWS_IO_READ);
}

static int open_netlink(void)
{
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                 .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
                                              RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&groups, sizeof groups) != 0) {
        tws_socket_close(fd);
        fd = -1;
    }
    return fd;
}

tws_err tws_netwatch_open(struct tws_loop *loop, tws_netwatch_fn *on_change, void *arg,
                          struct tws_netwatch **out)
{
    struct tws_netwatch *w = calloc(1, sizeof *w);
    int fd = -1;

    if (w == NULL)
        return TWS_NOMEM;
    w->loop = loop;
    w->on_change = on_change;
    w->arg = arg;
    tws_timer_init(&w->settle, loop, on_settled);
    fd = open_netlink();
    if (fd < 0)
        goto fail;
    if (tws_io_start(loop, &w->io, fd, on_messages) != TWS_OK)
        goto fail;
    *out = w;
    return TWS_OK;

fail:
    tws_socket_close(fd);
    free(w);
    return TWS_SYS;
}

void tws_netwatch_close(struct tws_netwatch *w)
{
    if (w == NULL)
        return;
    int fd = w->io.fd;
    tws_io_stop(&w->io);
    tws_socket_close(fd);
    tws_timer_stop(&w->settle);
    tws_loop_free_later(w->loop, w);
}

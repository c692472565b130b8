/* ip_device.c - see ip_device_priv.h. */
#include "ip_device_priv.h"

#include "tws/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In a turn: twice what a link sends in one of its. The device's own queue is smaller than the
 * backlog, and drops the newest; the backlog has to take up what came while the process had no
 * turn. */
#define TURN_PACKETS 256u
#define TURN_BYTES   262144u

/* ---- what goes wrong ---- */

/* `what` is the object of the complaint, `how` the command that an administrator would give. */
static tws_err complain(const struct tws_ip_device *d, const char *what, const char *how)
{
    int saved = errno;
    bool is_right = saved == EPERM || saved == EACCES;
    const char *advice = is_right ? ": give the process CAP_NET_ADMIN, or do it before: ip "
                         : saved == EEXIST
                             ? ": another device has it; see ip route, and choose another network"
                             : "";

    tws_log(TWS_LOG_ERROR, "cannot set up the device", "device=%s what=\"%s\" reason=\"%s%s%s\"",
            d->tun.name, what, strerror(saved), advice, is_right ? how : "");
    errno = saved;
    return TWS_SYS;
}

static tws_err complain_of(const struct tws_ip_device *d, const char *what, const char *verb,
                           const struct tws_prefix *p)
{
    char text[TWS_PREFIX_TEXT], object[96], how[160];

    tws_prefix_format(p, text, sizeof text);
    snprintf(object, sizeof object, "%s %s", what, text);
    snprintf(how, sizeof how, "%s %s dev %s", verb, text, d->tun.name);
    return complain(d, object, how);
}

static tws_err cannot_open(const char *name)
{
    int saved = errno;
    const char *advice = tws_tun_advice(saved);

    tws_log(TWS_LOG_ERROR, "cannot open the device", "device=%s reason=\"%s%s%s\"",
            name != NULL ? name : "tws0", strerror(saved), advice != NULL ? ": " : "",
            advice != NULL ? advice : "");
    errno = saved;
    return TWS_SYS;
}

/* ---- life ---- */

static tws_err set_up(struct tws_ip_device *d, uint32_t mtu)
{
    char how[64];
    tws_err err = tws_rtnl_device(&d->rtnl, d->tun.index, &d->before);

    if (err != TWS_OK)
        return complain(d, "its state", "link show");
    d->mtu = d->before.mtu;
    err = tws_ip_device_set_mtu(d, mtu);
    if (err != TWS_OK || d->before.up)
        return err;
    snprintf(how, sizeof how, "link set %s up", d->tun.name);
    return tws_rtnl_set_up(&d->rtnl, d->tun.index, true) == TWS_OK ? TWS_OK
                                                                   : complain(d, "up", how);
}

static void on_turn_end(struct tws_task *t);

/* Packets lie on 16 bytes, a frame's header in front of them. */
#define PACKET_AT  16u
#define BUFFER_MAX (PACKET_AT + 65584u)
_Static_assert(BUFFER_MAX >= PACKET_AT + TWS_IP_PACKET_MAX, "room for a packet");

tws_err tws_ip_device_open(struct tws_ip_device *d, struct tws_loop *loop, const char *name,
                           uint32_t mtu)
{
    *d = (struct tws_ip_device){.tun = {.fd = -1}, .rtnl = {.fd = -1}, .loop = loop};
    d->buffers = malloc(2 * (size_t)BUFFER_MAX);
    if (d->buffers == NULL)
        return TWS_NOMEM;
    d->packet = d->buffers + PACKET_AT;
    d->join = tws_ip_join(d->buffers + BUFFER_MAX + PACKET_AT - TWS_IP_FRAME_HEADER);
    tws_task_init(&d->turn_task, on_turn_end);
    tws_err err = tws_tun_open(name, &d->tun);
    if (err != TWS_OK) {
        err = cannot_open(name);
    } else {
        err = tws_rtnl_open(&d->rtnl);
        err = err == TWS_OK ? set_up(d, mtu) : complain(d, "netlink", "link show");
    }
    if (err != TWS_OK) {
        int saved = errno;
        tws_ip_device_close(d);
        errno = saved;
    }
    return err;
}

/* What bears our mark goes with one request each; what an old kernel keeps without it is known. */
static void restore(struct tws_ip_device *d)
{
    unsigned count = 0;

    for (size_t i = 0; i < d->nadded; i++)
        (void)!tws_rtnl_address(&d->rtnl, TWS_RTNL_DELETE, d->tun.index, &d->added[i]);
    (void)!tws_rtnl_sweep_device(&d->rtnl, d->tun.index, &count);
    if (d->mtu != d->before.mtu)
        (void)!tws_rtnl_set_mtu(&d->rtnl, d->tun.index, d->before.mtu);
    if (!d->before.up)
        (void)!tws_rtnl_set_up(&d->rtnl, d->tun.index, false);
}

void tws_ip_device_close(struct tws_ip_device *d)
{
    if (d->buffers == NULL)
        return;
    tws_task_cancel(&d->turn_task);
    if (d->tun.prepared && d->rtnl.fd >= 0)
        restore(d);
    tws_rtnl_close(&d->rtnl);
    tws_tun_close(&d->tun);
    free(d->buffers);
    *d = (struct tws_ip_device){.tun = {.fd = -1}, .rtnl = {.fd = -1}};
}

/* ---- what it is like ---- */

tws_err tws_ip_device_set_mtu(struct tws_ip_device *d, uint32_t mtu)
{
    char what[32], how[64];

    if (d->mtu == mtu)
        return TWS_OK;
    if (tws_rtnl_set_mtu(&d->rtnl, d->tun.index, mtu) == TWS_OK) {
        d->mtu = mtu;
        return TWS_OK;
    }
    snprintf(what, sizeof what, "mtu %u", (unsigned)mtu);
    snprintf(how, sizeof how, "link set %s mtu %u", d->tun.name, (unsigned)mtu);
    return complain(d, what, how);
}

static bool is_among(const struct tws_prefix *a, const struct tws_prefix *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (tws_prefix_equal(a, &list[i]))
            return true;
    return false;
}

static void drop_addresses(struct tws_ip_device *d, const struct tws_prefix *keep, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < d->nadded; i++) {
        if (is_among(&d->added[i], keep, n))
            d->added[left++] = d->added[i];
        else
            (void)!tws_rtnl_address(&d->rtnl, TWS_RTNL_DELETE, d->tun.index, &d->added[i]);
    }
    d->nadded = left;
}

static tws_err add_address(struct tws_ip_device *d, const struct tws_prefix *a)
{
    bool there = false;

    if (tws_rtnl_has_address(&d->rtnl, d->tun.index, &a->ip, &there) == TWS_OK && there)
        return TWS_OK;
    if (d->nadded == TWS_IP_DEVICE_ADDRESSES) {
        errno = ENOSPC;
        return complain_of(d, "address", "address add", a);
    }
    if (tws_rtnl_address(&d->rtnl, TWS_RTNL_ADD, d->tun.index, a) != TWS_OK)
        return complain_of(d, "address", "address add", a);
    d->added[d->nadded++] = *a;
    return TWS_OK;
}

tws_err tws_ip_device_set_addresses(struct tws_ip_device *d, const struct tws_prefix *list,
                                    size_t n)
{
    tws_err err = TWS_OK;

    drop_addresses(d, list, n);
    for (size_t i = 0; i < n && err == TWS_OK; i++)
        err = add_address(d, &list[i]);
    return err;
}

tws_err tws_ip_device_add_route(struct tws_ip_device *d, const struct tws_prefix *to)
{
    const struct tws_ip_route route = {.to = *to, .device = d->tun.index};
    bool there = false;

    if (tws_rtnl_has_route(&d->rtnl, &route, &there) == TWS_OK && there)
        return TWS_OK;
    if (tws_rtnl_route(&d->rtnl, TWS_RTNL_ADD, &route) == TWS_OK)
        return TWS_OK;
    return complain_of(d, "route", "route add", to);
}

void tws_ip_device_remove_route(struct tws_ip_device *d, const struct tws_prefix *to)
{
    const struct tws_ip_route route = {.to = *to, .device = d->tun.index};

    (void)!tws_rtnl_route(&d->rtnl, TWS_RTNL_DELETE, &route);
}

char tws_ip_setting(const char *path)
{
    FILE *f = fopen(path, "re");
    int c = f != NULL ? fgetc(f) : EOF;

    if (f != NULL)
        (void)fclose(f);
    return c != EOF ? (char)c : '\0';
}

/* ---- packets ---- */

/* Bytes of a frame, or of a packet; 0: none waits. */
static size_t read_one(struct tws_ip_device *d)
{
    size_t header = d->tun.offload ? TWS_IP_FRAME_HEADER : 0;
    ssize_t n;

    do
        n = read(d->tun.fd, d->packet - header, header + TWS_IP_PACKET_MAX);
    while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}

/* How many packets there were in it. */
static unsigned hand_over(struct tws_ip_device *d, size_t n, tws_ip_take_fn *take, void *arg)
{
    struct tws_ip_cut cut;
    unsigned count = 0;
    uint8_t *packet;

    if (!d->tun.offload) {
        take(arg, d->packet, n);
        return 1;
    }
    if (tws_ip_cut_begin(&cut, d->packet - TWS_IP_FRAME_HEADER, n) != TWS_OK)
        return 1;
    for (; tws_ip_cut_next(&cut, &packet, &n); count++)
        take(arg, packet, n);
    return count;
}

void tws_ip_device_drain(struct tws_ip_device *d, struct tws_io *io, tws_ip_take_fn *take,
                         void *arg)
{
    size_t bytes = 0, n;

    for (unsigned packets = 0; packets < TURN_PACKETS && bytes < TURN_BYTES; bytes += n) {
        n = read_one(d);
        if (n == 0)
            return;
        packets += hand_over(d, n, take, arg);
    }
    tws_io_again(io, TWS_IO_READ);
}

static void write_one(struct tws_ip_device *d, struct tws_span in)
{
    ssize_t n;

    do
        n = write(d->tun.fd, in.p, in.n);
    while (n < 0 && errno == EINTR);
}

static void write_joined(struct tws_ip_device *d)
{
    struct tws_span frame = tws_ip_join_end(&d->join);

    if (frame.n > 0)
        write_one(d, frame);
}

static void on_turn_end(struct tws_task *t)
{
    write_joined(TWS_CONTAINER(t, struct tws_ip_device, turn_task));
}

static bool join(struct tws_ip_device *d, struct tws_span in, const struct tws_ip_packet *p)
{
    if (tws_ip_join_add(&d->join, in, p))
        return true;
    write_joined(d);
    return tws_ip_join_add(&d->join, in, p);
}

/* A copy is needed to change it, or to have the frame's header in front: what comes is only lent.
 */
static void write_alone(struct tws_ip_device *d, struct tws_span in, const struct tws_ip_packet *p)
{
    size_t header = d->tun.offload ? TWS_IP_FRAME_HEADER : 0;

    memset(d->packet - header, 0, header);
    memcpy(d->packet, in.p, in.n);
    if (tws_ip_packet_is_syn(in, p))
        tws_ip_packet_clamp(d->packet, in.n, p, d->mtu);
    write_one(d, (struct tws_span){d->packet - header, header + in.n});
}

void tws_ip_device_write(struct tws_ip_device *d, struct tws_span packet,
                         const struct tws_ip_packet *p)
{
    if (packet.n > TWS_IP_PACKET_MAX)
        return;
    if (d->tun.offload && join(d, packet, p))
        tws_task_post(d->loop, &d->turn_task);
    else
        write_alone(d, packet, p);
}

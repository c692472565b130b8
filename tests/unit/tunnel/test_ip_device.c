/*
 * test_ip_device.c - packets through a device of the kernel's, as with segmentation offload, so
 * without it: on a kernel that does not give devices a header.
 */
#include "ip_device_priv.h"
#include "netns.h"
#include "packet.h"
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>

#define HERE     "10.1.0.1"
#define THERE    "10.1.0.2"
#define PACKETS  20
#define BULK     60000
#define PATIENCE 20000 /* ms */

/* ---- the kernel that does not ---- */

static bool no_header;

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;

    va_start(args, request);
    void *p = va_arg(args, void *);
    va_end(args);
    if (no_header && request == TUNSETIFF && (((struct ifreq *)p)->ifr_flags & IFF_VNET_HDR) != 0) {
        errno = EINVAL;
        return -1;
    }
    return __real_ioctl(fd, request, p);
}

/* ---- a device, and a socket behind it ---- */

struct bench {
    struct tws_loop *loop;
    struct tws_ip_device device;
    struct tws_io io;
};

static bool begin(struct bench *b, bool offload)
{
    struct tws_prefix own = {packet_ip(HERE), 24};

    if (access("/dev/net/tun", R_OK | W_OK) != 0) {
        fprintf(stderr, "skipped: no /dev/net/tun\n");
        return false;
    }
    if (!netns_enter())
        return false;
    no_header = !offload;
    *b = (struct bench){.loop = NULL};
    ck_assert_int_eq(tws_loop_new(&b->loop), TWS_OK);
    ck_assert_int_eq(tws_ip_device_open(&b->device, b->loop, "tun-a", 1500), TWS_OK);
    ck_assert(b->device.tun.offload == offload);
    ck_assert_int_eq(tws_ip_device_set_addresses(&b->device, &own, 1), TWS_OK);
    return true;
}

static void end(struct bench *b)
{
    tws_ip_device_close(&b->device);
    tws_loop_free(b->loop);
}

static int socket_of(int type, const char *ip, uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_eq(inet_pton(AF_INET, ip, &sa.sin_addr), 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void connect_to(int fd, const char *ip, uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};

    ck_assert_int_eq(inet_pton(AF_INET, ip, &sa.sin_addr), 1);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        ck_assert_int_eq(errno, EINPROGRESS);
}

static void await(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    ck_assert_int_eq(poll(&p, 1, PATIENCE), 1);
}

/* ---- what came out ---- */

struct seen {
    size_t n;     /* of that protocol */
    size_t bytes; /* of what they carry */
    uint8_t protocol;
    struct packet last;
};

static void take(void *arg, uint8_t *bytes, size_t n)
{
    struct seen *s = arg;
    struct tws_ip_packet p;

    ck_assert_int_eq(tws_ip_packet_read((struct tws_span){bytes, n}, &p), TWS_OK);
    ck_assert_uint_le(n, 1500);
    if (p.protocol != s->protocol)
        return;
    memcpy(s->last.bytes, bytes, n);
    s->last.n = n;
    s->last.transport = p.transport;
    ck_assert_uint_eq(packet_transport_sum(&s->last, p.protocol), 0);
    s->n++;
    s->bytes +=
        n - p.transport - (p.protocol == TWS_IP_TCP ? (bytes[p.transport + 12] >> 4) * 4 : 8);
}

static void drain(struct bench *b, struct seen *s)
{
    await(b->device.tun.fd);
    tws_ip_device_drain(&b->device, &b->io, take, s);
}

/* ---- the tests, with offload and without ---- */

START_TEST(datagrams_pass_both_ways_in_their_order)
{
    struct seen seen = {.protocol = TWS_IP_UDP};
    struct packet p;
    struct bench b;
    uint8_t got[64];

    if (!begin(&b, _i != 0))
        return;
    int fd = socket_of(SOCK_DGRAM, HERE, 5000);
    connect_to(fd, THERE, 53);
    for (int i = 0; i < PACKETS; i++)
        ck_assert_int_eq(send(fd, "hello", 5, 0), 5);
    while (seen.n < PACKETS)
        drain(&b, &seen);
    ck_assert_uint_eq(seen.bytes, (size_t)PACKETS * 5);
    for (uint8_t i = 0; i < PACKETS; i++) {
        struct tws_ip_packet read;
        packet_udp(&p, THERE, 53, HERE, 5000);
        p.bytes[p.n - 1] = i;
        tws_put16(p.bytes + p.transport + 6, 0); /* not summed */
        ck_assert_int_eq(tws_ip_packet_read(packet_span(&p), &read), TWS_OK);
        tws_ip_device_write(&b.device, packet_span(&p), &read);
    }
    for (uint8_t i = 0; i < PACKETS; i++) {
        await(fd);
        ck_assert_int_eq(recv(fd, got, sizeof got, 0), 4);
        ck_assert_uint_eq(got[3], i);
    }
    close(fd);
    end(&b);
}
END_TEST

static void write_tcp(struct bench *b, uint8_t flags, uint32_t seq, uint32_t ack)
{
    static const uint8_t large[4] = {2, 4, 0x23, 0x00}; /* a maximum segment size of 8960 */
    struct tws_ip_packet read;
    struct packet p;

    packet_tcp(&p, THERE, HERE, 80, flags, (struct tws_span){large, flags == 2 ? 4 : 0});
    uint8_t *tcp = p.bytes + p.transport;
    tws_put32(tcp + 4, seq);
    tws_put32(tcp + 8, ack);
    tws_put16(tcp + 14, 65535); /* the window */
    tws_put16(tcp + 16, 0);
    tws_put16(tcp + 16, packet_transport_sum(&p, TWS_IP_TCP));
    ck_assert_int_eq(tws_ip_packet_read(packet_span(&p), &read), TWS_OK);
    tws_ip_device_write(&b->device, packet_span(&p), &read);
}

/* Whoever cut them, the kernel or we. */
START_TEST(tcp_comes_out_in_segments_of_the_mtu)
{
    struct seen seen = {.protocol = TWS_IP_TCP};
    static uint8_t bulk[BULK];
    struct bench b;
    int on = 1;

    if (!begin(&b, _i != 0))
        return;
    int listener = socket_of(SOCK_STREAM, HERE, 80);
    ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &(int){4 * BULK}, sizeof on), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    write_tcp(&b, 2, 1000, 0);
    while (seen.n == 0)
        drain(&b, &seen);
    uint32_t ack = tws_get32(seen.last.bytes + seen.last.transport + 4) + 1;
    write_tcp(&b, 16, 1001, ack);
    await(listener);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_eq(send(fd, bulk, sizeof bulk, 0), BULK);
    seen.n = seen.bytes = 0;
    for (size_t before = 0; seen.bytes < BULK; before = seen.bytes) {
        drain(&b, &seen);
        if (seen.bytes > before && seen.bytes < BULK)
            write_tcp(&b, 16, 1001, ack + (uint32_t)seen.bytes);
    }
    ck_assert_uint_ge(seen.n, BULK / 1460);
    close(fd);
    close(listener);
    end(&b);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ip_device");

    tcase_add_loop_test(tc, datagrams_pass_both_ways_in_their_order, 0, 2);
    tcase_add_loop_test(tc, tcp_comes_out_in_segments_of_the_mtu, 0, 2);
    return run_suite("tunnel/ip_device", tc);
}

/* test_tun.c - devices, and what is said to the kernel about them, in a network of the test's own.
 */
#include "netns.h"
#include "suite.h"

#include "tws/net/own_address.h"
#include "tws/net/rtnetlink.h"
#include "tws/net/tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <sys/resource.h>

static struct tws_prefix prefix(const char *ip, uint8_t bits)
{
    struct tws_prefix p = {.bits = bits};

    ck_assert_int_eq(tws_ip_parse(ip, &p.ip), TWS_OK);
    return p;
}

/* False where the test cannot be made. */
static bool begin(struct tws_rtnl *r, struct tws_tun *t)
{
    if (access("/dev/net/tun", R_OK | W_OK) != 0) {
        fprintf(stderr, "skipped: no /dev/net/tun\n");
        return false;
    }
    if (!netns_enter())
        return false;
    ck_assert_int_eq(tws_rtnl_open(r), TWS_OK);
    ck_assert_int_eq(tws_tun_open("tun-a", t), TWS_OK);
    ck_assert_int_eq(tws_rtnl_set_up(r, t->index, true), TWS_OK);
    return true;
}

static void end(struct tws_rtnl *r, struct tws_tun *t)
{
    tws_rtnl_close(r);
    tws_tun_close(t);
}

/* The device's name by which the kernel would send to `ip`, or "". */
static void way_to(const char *ip, char *out)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in own = {0};
    socklen_t len = sizeof own;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    out[0] = '\0';
    ck_assert_int_eq(inet_pton(AF_INET, ip, &to.sin_addr), 1);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
        inet_ntop(AF_INET, &own.sin_addr, out, 16);
    }
    close(fd);
}

START_TEST(a_device_carries_packets_both_ways_and_is_gone_with_its_descriptor)
{
    struct tws_rtnl r;
    struct tws_tun t;
    struct tws_prefix own = prefix("10.9.0.1", 24);
    uint8_t frame[128];

    if (!begin(&r, &t))
        return;
    const uint8_t *packet = frame + (t.offload ? sizeof(struct virtio_net_hdr) : 0);
    ck_assert_str_eq(t.name, "tun-a");
    ck_assert(!t.prepared);
    ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, t.index, &own), TWS_OK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7)};
    inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    ck_assert_int_eq(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
    ssize_t n;
    do /* the kernel has packets of its own to send, for IPv6 */
        n = read(t.fd, frame, sizeof frame);
    while (n > 0 && packet[0] >> 4 != 4);
    ck_assert_int_eq(n, 33 + (packet - frame));
    ck_assert_mem_eq(packet + 28, "hello", 5);
    ck_assert_int_eq(read(t.fd, frame, sizeof frame) < 0 || packet[0] >> 4 == 6, 1);
    close(fd);
    unsigned index = t.index;
    tws_tun_close(&t);
    struct tws_netdev dev;
    ck_assert_int_eq(tws_rtnl_device(&r, index, &dev), TWS_SYS);
    ck_assert_int_eq(errno, ENODEV);
    tws_rtnl_close(&r);
}
END_TEST

START_TEST(devices_without_a_name_are_numbered)
{
    struct tws_rtnl r;
    struct tws_tun t, a, b;

    if (!begin(&r, &t))
        return;
    ck_assert_int_eq(tws_tun_open(NULL, &a), TWS_OK);
    ck_assert_int_eq(tws_tun_open("", &b), TWS_OK);
    ck_assert_str_eq(a.name, "tws0");
    ck_assert_str_eq(b.name, "tws1");
    tws_tun_close(&a);
    tws_tun_close(&b);
    end(&r, &t);
}
END_TEST

START_TEST(a_device_that_cannot_be_had_says_what_to_do)
{
    struct tws_rtnl r;
    struct tws_tun t, other;

    if (!begin(&r, &t))
        return;
    ck_assert_int_eq(tws_tun_open("tun-a", &other), TWS_SYS);
    ck_assert_int_eq(errno, EBUSY);
    ck_assert_ptr_nonnull(strstr(tws_tun_advice(errno), "another process"));
    ck_assert_int_eq(tws_tun_open("lo", &other), TWS_SYS);
    ck_assert_ptr_nonnull(strstr(tws_tun_advice(errno), "no TUN device"));
    ck_assert_int_eq(tws_tun_open("a-name-that-is-too-long", &other), TWS_SYS);
    ck_assert_int_eq(errno, ENAMETOOLONG);
    ck_assert_ptr_nonnull(strstr(tws_tun_advice(EPERM), "CAP_NET_ADMIN"));
    ck_assert_ptr_nonnull(strstr(tws_tun_advice(EACCES), "chmod 666 /dev/net/tun"));
    ck_assert_ptr_nonnull(strstr(tws_tun_advice(ENOENT), "modprobe tun"));
    ck_assert_ptr_null(tws_tun_advice(EIO));
    end(&r, &t);
}
END_TEST

START_TEST(a_prepared_device_is_known_as_such_and_stays)
{
    struct tws_rtnl r;
    struct tws_tun t;
    struct tws_netdev dev;

    if (!begin(&r, &t))
        return;
    ck_assert_int_eq(ioctl(t.fd, TUNSETPERSIST, 1), 0);
    ck_assert_int_eq(tws_rtnl_device(&r, t.index, &dev), TWS_OK);
    ck_assert(dev.up && dev.in_use);
    tws_tun_close(&t);
    ck_assert_int_eq(tws_rtnl_device(&r, t.index, &dev), TWS_OK);
    ck_assert(dev.up && !dev.in_use);
    ck_assert_int_eq(tws_tun_open("tun-a", &t), TWS_OK);
    ck_assert(t.prepared);
    end(&r, &t);
}
END_TEST

/* Whether the kernel leaves segmentation to whoever reads the device. */
static bool has_offload(const struct tws_tun *t)
{
    struct ethtool_value value = {.cmd = ETHTOOL_GTSO};
    struct ifreq req = {.ifr_data = (char *)&value};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(req.ifr_name, t->name, sizeof req.ifr_name);
    ck_assert_int_eq(ioctl(fd, SIOCETHTOOL, &req), 0);
    close(fd);
    return value.data != 0;
}

START_TEST(a_prepared_device_gives_plain_packets_again_when_it_is_closed)
{
    struct tws_rtnl r;
    struct tws_tun t;

    if (!begin(&r, &t))
        return;
    ck_assert_int_eq(ioctl(t.fd, TUNSETPERSIST, 1), 0);
    ck_assert(has_offload(&t) == t.offload);
    tws_tun_close(&t);
    ck_assert(!has_offload(&t));
    tws_rtnl_close(&r);
}
END_TEST

START_TEST(a_prepared_device_whose_process_was_killed_is_restored_and_no_other)
{
    struct tws_rtnl r;
    struct tws_tun t;

    if (!begin(&r, &t))
        return;
    ck_assert(!tws_tun_restore("lo") && !tws_tun_restore("tun-b"));
    ck_assert(!tws_tun_restore("tun-a")); /* is open */
    ck_assert(has_offload(&t) == t.offload);
    ck_assert_int_eq(ioctl(t.fd, TUNSETPERSIST, 1), 0);
    close(t.fd);
    ck_assert(has_offload(&t) == t.offload);
    ck_assert(tws_tun_restore("tun-a") == t.offload);
    ck_assert(!has_offload(&t));
    ck_assert(!tws_tun_restore("tun-a"));
    tws_rtnl_close(&r);
}
END_TEST

START_TEST(a_header_that_another_program_chose_is_not_kept)
{
    int size = 12;
    struct tws_rtnl r;
    struct tws_tun t;

    if (!begin(&r, &t))
        return;
    if (t.offload) {
        ck_assert_int_eq(ioctl(t.fd, TUNSETPERSIST, 1), 0);
        ck_assert_int_eq(ioctl(t.fd, TUNSETVNETHDRSZ, &size), 0);
        tws_tun_close(&t);
        ck_assert_int_eq(tws_tun_open("tun-a", &t), TWS_OK);
        ck_assert(t.offload && has_offload(&t));
        ck_assert_int_eq(ioctl(t.fd, TUNGETVNETHDRSZ, &size), 0);
        ck_assert_int_eq(size, 10);
    }
    end(&r, &t);
}
END_TEST

START_TEST(a_device_is_set_up_and_described)
{
    struct tws_rtnl r;
    struct tws_tun t;
    struct tws_netdev dev;
    const struct tws_prefix own[] = {prefix("10.9.0.1", 24), prefix("fd09::1", 64)};

    if (!begin(&r, &t))
        return;
    ck_assert_int_eq(tws_rtnl_set_mtu(&r, t.index, 1400), TWS_OK);
    ck_assert_int_eq(tws_rtnl_device(&r, t.index, &dev), TWS_OK);
    ck_assert_uint_eq(dev.mtu, 1400);
    ck_assert_int_eq(tws_rtnl_set_up(&r, t.index, false), TWS_OK);
    ck_assert_int_eq(tws_rtnl_device(&r, t.index, &dev), TWS_OK);
    ck_assert(!dev.up);
    for (int i = 0; i < 2; i++) {
        bool there = true;
        ck_assert_int_eq(tws_rtnl_has_address(&r, t.index, &own[i].ip, &there), TWS_OK);
        ck_assert(!there);
        ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, t.index, &own[i]), TWS_OK);
        ck_assert_int_eq(tws_rtnl_has_address(&r, t.index, &own[i].ip, &there), TWS_OK);
        ck_assert(there);
        ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, t.index, &own[i]), TWS_SYS);
        ck_assert_int_eq(errno, EEXIST);
        ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_DELETE, t.index, &own[i]), TWS_OK);
        ck_assert_int_eq(tws_rtnl_has_address(&r, t.index, &own[i].ip, &there), TWS_OK);
        ck_assert(!there);
    }
    end(&r, &t);
}
END_TEST

/* Everything but 192.0.2.0/24 by our table, DNS there even to that. */
static void detour(struct tws_rtnl *r, unsigned device)
{
    const struct tws_ip_route all = {
        .to = prefix("0.0.0.0", 0), .table = TWS_NET_TABLE, .device = device};
    const struct tws_ip_route none = {.to = prefix("::", 0), .table = TWS_NET_TABLE};
    const struct tws_ip_rule rules[] = {
        {.family = 4,
         .priority = TWS_NET_RULES,
         .protocol = IPPROTO_UDP,
         .port = 53,
         .table = TWS_NET_TABLE},
        {.family = 4,
         .priority = TWS_NET_RULES + 1,
         .to = prefix("192.0.2.0", 24),
         .go_to = TWS_NET_RULES + 4},
        {.family = 4, .priority = TWS_NET_RULES + 2, .table = TWS_TABLE_MAIN, .no_default = true},
        {.family = 4, .priority = TWS_NET_RULES + 3, .table = TWS_NET_TABLE},
        {.family = 4, .priority = TWS_NET_RULES + 4},
        {.family = 6, .priority = TWS_NET_RULES + 3, .table = TWS_NET_TABLE},
    };

    ck_assert_int_eq(tws_rtnl_route(r, TWS_RTNL_ADD, &all), TWS_OK);
    ck_assert_int_eq(tws_rtnl_route(r, TWS_RTNL_ADD, &none), TWS_OK);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        ck_assert_int_eq(tws_rtnl_rule(r, TWS_RTNL_ADD, &rules[i]), TWS_OK);
}

START_TEST(routes_and_rules_lead_the_way)
{
    struct tws_rtnl r;
    struct tws_tun a, b;
    const struct tws_prefix one = prefix("10.1.0.1", 24), two = prefix("10.2.0.1", 24);
    unsigned count = 0;
    char from[16];

    if (!begin(&r, &a))
        return;
    ck_assert_int_eq(tws_tun_open("tun-b", &b), TWS_OK);
    ck_assert_int_eq(tws_rtnl_set_up(&r, b.index, true), TWS_OK);
    ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, a.index, &one), TWS_OK);
    ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, b.index, &two), TWS_OK);
    const struct tws_ip_route all = {.to = prefix("0.0.0.0", 0), .device = a.index};
    ck_assert_int_eq(tws_rtnl_route(&r, TWS_RTNL_ADD, &all), TWS_OK);
    way_to("198.51.100.1", from);
    ck_assert_str_eq(from, "10.1.0.1");
    detour(&r, b.index);
    way_to("198.51.100.1", from);
    ck_assert_str_eq(from, "10.2.0.1");
    way_to("192.0.2.1", from); /* excluded */
    ck_assert_str_eq(from, "10.1.0.1");
    way_to("10.1.0.7", from); /* a neighbour */
    ck_assert_str_eq(from, "10.1.0.1");
    ck_assert_int_eq(tws_rtnl_sweep_table(&r, &count), TWS_OK);
    ck_assert_uint_eq(count, 8);
    way_to("198.51.100.1", from);
    ck_assert_str_eq(from, "10.1.0.1");
    ck_assert_int_eq(tws_rtnl_sweep_device(&r, a.index, &count), TWS_OK);
    way_to("198.51.100.1", from);
    ck_assert_str_eq(from, "");
    tws_tun_close(&b);
    end(&r, &a);
}
END_TEST

START_TEST(only_what_nobody_uses_is_stale)
{
    struct tws_rtnl r;
    struct tws_tun a;
    const struct tws_prefix one = prefix("10.1.0.1", 24);
    const struct tws_ip_route more = {.to = prefix("203.0.113.0", 24)};
    struct tws_ip_route route = more;
    unsigned count = 0;
    bool there = true;

    if (!begin(&r, &a))
        return;
    route.device = a.index;
    ck_assert_int_eq(ioctl(a.fd, TUNSETPERSIST, 1), 0);
    ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, a.index, &one), TWS_OK);
    ck_assert_int_eq(tws_rtnl_route(&r, TWS_RTNL_ADD, &route), TWS_OK);
    detour(&r, a.index);
    ck_assert_int_eq(tws_rtnl_sweep_stale(&r, &count, NULL), TWS_OK);
    ck_assert_uint_eq(count, 0);
    tws_tun_close(&a); /* as a killed process does */
    ck_assert_int_eq(tws_rtnl_sweep_stale(&r, &count, NULL), TWS_OK);
    ck_assert_uint_ge(count, 9); /* and the address where the kernel keeps its mark */
    unsigned again = 0;
    ck_assert_int_eq(tws_rtnl_sweep_stale(&r, &again, NULL), TWS_OK);
    ck_assert_uint_eq(again, 0);
    ck_assert_int_eq(tws_rtnl_has_address(&r, a.index, &one.ip, &there), TWS_OK);
    ck_assert(!there || count < 10);
    tws_rtnl_close(&r);
}
END_TEST

START_TEST(what_others_mark_alike_is_left_alone)
{
    struct tws_rtnl r;
    struct tws_tun a;
    unsigned count = 0;
    const struct tws_ip_rule rule = {.family = 4, .priority = 900, .mark = 7, .table = 700};
    const struct tws_ip_route route = {.to = prefix("0.0.0.0", 0), .table = 700};

    if (!begin(&r, &a))
        return;
    ck_assert_int_eq(tws_rtnl_rule(&r, TWS_RTNL_ADD, &rule), TWS_OK);
    ck_assert_int_eq(tws_rtnl_route(&r, TWS_RTNL_ADD, &route), TWS_OK);
    ck_assert_int_eq(tws_rtnl_sweep_stale(&r, &count, NULL), TWS_OK);
    ck_assert_int_eq(tws_rtnl_sweep_table(&r, &count), TWS_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(tws_rtnl_rule(&r, TWS_RTNL_DELETE, &rule), TWS_OK);
    ck_assert_int_eq(tws_rtnl_route(&r, TWS_RTNL_DELETE, &route), TWS_OK);
    end(&r, &a);
}
END_TEST

START_TEST(a_route_is_found_whoever_made_it)
{
    struct tws_rtnl r;
    struct tws_tun a;
    const struct tws_prefix own = prefix("10.1.0.1", 24);
    struct tws_ip_route route = {.to = prefix("10.1.0.0", 24)};
    bool there = false;

    if (!begin(&r, &a))
        return;
    route.device = a.index;
    ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, a.index, &own), TWS_OK); /* the kernel */
    ck_assert_int_eq(tws_rtnl_has_route(&r, &route, &there), TWS_OK);
    ck_assert(there);
    route.to = prefix("10.2.0.0", 24);
    ck_assert_int_eq(tws_rtnl_has_route(&r, &route, &there), TWS_OK);
    ck_assert(!there);
    ck_assert_int_eq(tws_rtnl_route(&r, TWS_RTNL_ADD, &route), TWS_OK);
    ck_assert_int_eq(tws_rtnl_has_route(&r, &route, &there), TWS_OK);
    ck_assert(there);
    end(&r, &a);
}
END_TEST

START_TEST(rules_of_a_device_that_is_gone_are_stale_too)
{
    struct tws_rtnl r;
    struct tws_tun a;
    unsigned count = 0;

    if (!begin(&r, &a))
        return;
    detour(&r, a.index);
    tws_tun_close(&a);
    ck_assert_int_eq(tws_rtnl_sweep_stale(&r, &count, NULL), TWS_OK);
    ck_assert_uint_eq(count,
                      7); /* six rules, the route to nowhere; the other went with the device */
    tws_rtnl_close(&r);
}
END_TEST

static struct tws_ip ip_of(const char *text)
{
    return prefix(text, 0).ip;
}

static const struct {
    const char *ip;
    bool own;
} whose[] = {
    {"10.1.2.3", true},    {"10.1.2.4", false},     {"10.1.2.255", true}, {"10.1.2.0", false},
    {"10.1.3.0", false},   {"127.0.0.1", true},     {"fd01::1", true},    {"fd01::2", false},
    {"10.9.0.1", true},    {"10.9.0.2", false},     {"192.0.2.7", false}, {"::1", true},
    {"10.1.2.128", false}, {"198.51.100.7", false},
};

/* Then bind() says nothing of whose an address is. */
static void bind_takes_any(void)
{
    FILE *f = fopen("/proc/sys/net/ipv4/ip_nonlocal_bind", "we");

    if (f == NULL)
        return;
    (void)fputs("1", f);
    (void)fclose(f);
}

START_TEST(an_address_is_own_if_a_device_has_it_whatever_bind_takes)
{
    struct tws_rtnl r;
    struct tws_tun t;
    const struct tws_prefix has[] = {prefix("10.1.2.3", 24), prefix("10.9.0.1", 32),
                                     prefix("fd01::1", 64)};
    struct tws_own_addresses own = {.n = 0};

    if (!begin(&r, &t))
        return;
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, t.index, &has[i]), TWS_OK);
    for (int any = 0; any < 2; any++) {
        for (size_t i = 0; i < sizeof whose / sizeof *whose; i++) {
            struct tws_ip ip = ip_of(whose[i].ip);
            ck_assert_msg(tws_own_addresses_have(&own, &ip, 0) == whose[i].own, "%s", whose[i].ip);
        }
        bind_takes_any();
    }
    tws_own_addresses_fini(&own);
    end(&r, &t);
}
END_TEST

START_TEST(the_kernel_is_asked_for_addresses_at_most_once_a_second)
{
    const struct tws_prefix late = prefix("10.1.2.3", 24);
    struct tws_own_addresses own = {.n = 0};
    struct tws_rtnl r;
    struct tws_tun t;

    if (!begin(&r, &t))
        return;
    ck_assert(!tws_own_addresses_have(&own, &late.ip, 5));
    ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, t.index, &late), TWS_OK);
    ck_assert(!tws_own_addresses_have(&own, &late.ip, 4 + TWS_OWN_ADDRESSES_US));
    ck_assert(tws_own_addresses_have(&own, &late.ip, 5 + TWS_OWN_ADDRESSES_US));
    tws_own_addresses_fini(&own);
    end(&r, &t);
}
END_TEST

START_TEST(nor_is_a_kernel_that_cannot_be_asked_asked_more_often)
{
    const struct tws_prefix other = prefix("10.1.2.3", 24);
    struct tws_own_addresses own = {.n = 0};
    struct rlimit limit;

    if (!netns_enter())
        return;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
    ck_assert(tws_own_addresses_have(&own, &other.ip, 5));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert(tws_own_addresses_have(&own, &other.ip, 4 + TWS_OWN_ADDRESSES_US));
    ck_assert(!tws_own_addresses_have(&own, &other.ip, 5 + TWS_OWN_ADDRESSES_US));
    tws_own_addresses_fini(&own);
}
END_TEST

static const struct {
    const char *ip;
    uint8_t bits;
    const char *with; /* NULL: it is free */
} networks[] = {
    {"10.9.0.2", 24, NULL},          {"10.1.2.77", 32, "10.1.2.3/24"},
    {"10.1.9.9", 16, "10.1.2.3/24"}, {"10.1.2.3", 32, "10.1.2.3/24"},
    {"0.0.0.1", 1, "127.0.0.1/8"},   {"10.1.3.1", 24, NULL},
    {"fd01::5", 128, "fd01::1/64"},  {"fd01:0:0:1::5", 64, NULL},
};

START_TEST(a_network_is_taken_if_another_device_is_in_it)
{
    struct tws_rtnl r;
    struct tws_tun t;
    const struct tws_prefix has[] = {prefix("10.1.2.3", 24), prefix("fd01::1", 64)};
    struct tws_prefix with;
    char text[TWS_PREFIX_TEXT];
    bool taken;

    if (!begin(&r, &t))
        return;
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, t.index, &has[i]), TWS_OK);
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        const struct tws_prefix p = prefix(networks[i].ip, networks[i].bits);
        ck_assert_int_eq(tws_network_is_taken(&p, 0, &taken, &with), TWS_OK);
        ck_assert_msg(taken == (networks[i].with != NULL), "%s", networks[i].ip);
        tws_prefix_format(&with, text, sizeof text);
        if (taken)
            ck_assert_str_eq(text, networks[i].with);
        ck_assert_int_eq(tws_network_is_taken(&p, t.index, &taken, &with), TWS_OK);
        ck_assert_msg(taken == (p.bits == 1), "%s, and the device is our own", networks[i].ip);
    }
    end(&r, &t);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("tun");

    tcase_add_test(tc, a_device_carries_packets_both_ways_and_is_gone_with_its_descriptor);
    tcase_add_test(tc, devices_without_a_name_are_numbered);
    tcase_add_test(tc, a_device_that_cannot_be_had_says_what_to_do);
    tcase_add_test(tc, a_prepared_device_is_known_as_such_and_stays);
    tcase_add_test(tc, a_prepared_device_gives_plain_packets_again_when_it_is_closed);
    tcase_add_test(tc, a_prepared_device_whose_process_was_killed_is_restored_and_no_other);
    tcase_add_test(tc, a_header_that_another_program_chose_is_not_kept);
    tcase_add_test(tc, a_device_is_set_up_and_described);
    tcase_add_test(tc, routes_and_rules_lead_the_way);
    tcase_add_test(tc, only_what_nobody_uses_is_stale);
    tcase_add_test(tc, what_others_mark_alike_is_left_alone);
    tcase_add_test(tc, a_route_is_found_whoever_made_it);
    tcase_add_test(tc, rules_of_a_device_that_is_gone_are_stale_too);
    tcase_add_test(tc, an_address_is_own_if_a_device_has_it_whatever_bind_takes);
    tcase_add_test(tc, the_kernel_is_asked_for_addresses_at_most_once_a_second);
    tcase_add_test(tc, nor_is_a_kernel_that_cannot_be_asked_asked_more_often);
    tcase_add_test(tc, a_network_is_taken_if_another_device_is_in_it);
    return run_suite("tun", tc);
}

/* test_ip_packet.c - what a packet is, whom it reaches, and the one number that is changed in it.
 */
#include "packet.h"
#include "suite.h"

#define A4 "10.9.0.2"
#define B4 "192.0.2.7"
#define A6 "fd09::2"
#define B6 "2001:db8::7"

static struct tws_ip_packet read_ok(const struct packet *p)
{
    struct tws_ip_packet out;

    ck_assert_int_eq(tws_ip_packet_read(packet_span(p), &out), TWS_OK);
    return out;
}

static void refuse(const struct packet *p)
{
    struct tws_ip_packet out;

    ck_assert_int_eq(tws_ip_packet_read(packet_span(p), &out), TWS_E_PROTOCOL);
}

static void is_text(const struct tws_ip_packet *p, const char *text)
{
    char shown[TWS_IP_PACKET_TEXT];

    tws_ip_packet_format(p, shown, sizeof shown);
    ck_assert_str_eq(shown, text);
}

START_TEST(addresses_and_ports_are_read)
{
    struct packet p;

    packet_udp(&p, A4, 4000, B4, 53);
    struct tws_ip_packet got = read_ok(&p);
    is_text(&got, "udp 10.9.0.2.4000 > 192.0.2.7.53");
    ck_assert_uint_eq(got.service, TWS_IP_UDP);
    ck_assert_uint_eq(got.service_port, 53);
    packet_tcp(&p, A6, B6, 443, 2, (struct tws_span){NULL, 0});
    got = read_ok(&p);
    is_text(&got, "tcp fd09::2.40000 > 2001:db8::7.443");
    ck_assert_uint_eq(got.service, TWS_IP_TCP);
    ck_assert_uint_eq(got.service_port, 443);
}
END_TEST

START_TEST(other_protocols_reach_no_port)
{
    const uint8_t echo[8] = {8};
    struct packet p;

    packet_network(&p, A4, B4, TWS_IP_ICMP, echo, sizeof echo);
    struct tws_ip_packet got = read_ok(&p);
    ck_assert_uint_eq(got.service, 0);
    ck_assert_uint_eq(got.service_port, 0);
    is_text(&got, "icmp 10.9.0.2 > 192.0.2.7");
    packet_network(&p, A4, B4, 47, echo, sizeof echo);
    got = read_ok(&p);
    ck_assert_uint_eq(got.service, 0);
    is_text(&got, "protocol 47 10.9.0.2 > 192.0.2.7");
}
END_TEST

START_TEST(every_cut_and_every_surplus_is_refused)
{
    struct tws_ip_packet out;
    struct packet p;

    for (int family = 0; family < 2; family++) {
        packet_tcp(&p, family ? A6 : A4, family ? B6 : B4, 2, 2, (struct tws_span){NULL, 0});
        for (size_t n = 0; n < p.n; n++)
            ck_assert_int_eq(tws_ip_packet_read((struct tws_span){p.bytes, n}, &out),
                             TWS_E_PROTOCOL);
        p.n++;
        refuse(&p);
    }
}
END_TEST

START_TEST(a_header_that_is_shorter_than_a_header_is_refused)
{
    struct packet p;

    packet_udp(&p, A4, 1, B4, 2);
    p.bytes[0] = 0x44;
    refuse(&p);
    p.bytes[0] = 0x55;
    refuse(&p);
    p.bytes[0] = 0x4f; /* longer than the packet */
    refuse(&p);
}
END_TEST

START_TEST(a_transport_header_that_is_cut_is_refused)
{
    const uint8_t part[7] = {0, 1, 0, 2};
    struct packet p;

    packet_network(&p, A4, B4, TWS_IP_UDP, part, sizeof part);
    refuse(&p);
    packet_network(&p, A4, B4, TWS_IP_TCP, part, sizeof part);
    refuse(&p);
    packet_network(&p, A4, B4, TWS_IP_ICMP, part, sizeof part);
    refuse(&p);
}
END_TEST

static const struct {
    const char *why;
    uint8_t options[8];
    bool good;
} option_lists[] = {
    {"nothing", {0}, true},
    {"padding", {1, 1, 1, 0}, true},
    {"record route", {7, 3, 4, 0}, true},
    {"loose source route", {1, 131, 3, 4}, false},
    {"strict source route", {137, 7, 4, 10, 0, 0, 1, 0}, false},
    {"behind another", {7, 3, 4, 131, 3, 4, 0, 0}, false},
    {"an option without a length", {1, 1, 1, 1, 1, 1, 1, 7}, false},
    {"an option of no length", {7, 0, 0, 0, 0, 0, 0, 0}, false},
};

START_TEST(a_source_route_is_refused)
{
    struct tws_ip_packet out;
    uint8_t body[20] = {0};
    struct packet p;

    memcpy(body, option_lists[_i].options, 8);
    packet_network(&p, A4, B4, TWS_IP_UDP, body, sizeof body);
    p.bytes[0] = 0x47;
    ck_assert_msg((tws_ip_packet_read(packet_span(&p), &out) == TWS_OK) == option_lists[_i].good,
                  "%s", option_lists[_i].why);
}
END_TEST

START_TEST(a_later_fragment_has_no_ports)
{
    struct packet p;

    packet_udp(&p, A4, 1, B4, 53);
    tws_put16(p.bytes + 6, 0x2000); /* the first of several */
    struct tws_ip_packet got = read_ok(&p);
    ck_assert_uint_eq(got.service_port, 53);
    tws_put16(p.bytes + 6, 0x2001);
    got = read_ok(&p);
    ck_assert_uint_eq(got.service, 0);
    ck_assert_uint_eq(got.service_port, 0);
    ck_assert_uint_eq(got.transport, 0);
    is_text(&got, "udp 10.9.0.2 > 192.0.2.7");
}
END_TEST

/* A UDP header behind a chain of extension headers. */
static void chain(struct packet *p, const uint8_t *types, size_t n)
{
    uint8_t body[PACKET_MAX / 2] = {0};

    for (size_t i = 0; i < n; i++) {
        body[8 * i] = i + 1 < n ? types[i + 1] : TWS_IP_UDP;
        body[8 * i + 4] = 0;
    }
    tws_put16(body + 8 * n + 2, 53);
    packet_network(p, A6, B6, n > 0 ? types[0] : TWS_IP_UDP, body, 8 * n + 8);
}

START_TEST(ports_are_found_behind_extension_headers)
{
    const uint8_t types[] = {0, 60, 43, 44, 60};
    struct packet p;

    chain(&p, types, sizeof types);
    struct tws_ip_packet got = read_ok(&p);
    ck_assert_uint_eq(got.service_port, 53);
    ck_assert_uint_eq(got.transport, 40 + 5 * 8);
    p.bytes[40 + 2 * 8 + 3] = 1; /* the routing header has somewhere to go */
    refuse(&p);
}
END_TEST

START_TEST(a_chain_of_headers_has_an_end)
{
    const uint8_t types[] = {60, 60, 60, 60, 60, 60, 60, 60, 60};
    struct packet p;

    chain(&p, types, 8);
    ck_assert_uint_eq(read_ok(&p).service_port, 53);
    chain(&p, types, 9);
    refuse(&p);
}
END_TEST

START_TEST(a_later_fragment_of_ipv6_is_not_read_on)
{
    const uint8_t types[] = {44, 60};
    struct packet p;

    chain(&p, types, sizeof types);
    tws_put16(p.bytes + 42, 8);
    struct tws_ip_packet got = read_ok(&p);
    ck_assert_uint_eq(got.transport, 0);
    ck_assert_uint_eq(got.service, 0);
}
END_TEST

/* An ICMP error from A to B that quotes a UDP packet. */
static void error_about(struct packet *p, const char *from, const char *to, uint8_t type,
                        const char *quoted_from, const char *quoted_to)
{
    struct packet inner;
    uint8_t body[PACKET_MAX / 2] = {type};
    bool v4 = packet_ip(from).family == 4;

    packet_udp(&inner, quoted_from, 53, quoted_to, 4000);
    memcpy(body + 8, inner.bytes, inner.n);
    packet_network(p, from, to, v4 ? TWS_IP_ICMP : TWS_IP_ICMPV6, body, 8 + inner.n);
}

START_TEST(an_icmp_error_reaches_the_port_it_is_about)
{
    struct packet p;

    error_about(&p, A4, B4, 3, B4, A4);
    struct tws_ip_packet got = read_ok(&p);
    ck_assert_uint_eq(got.service, TWS_IP_UDP);
    ck_assert_uint_eq(got.service_port, 53);
    error_about(&p, A6, B6, 2, B6, A6);
    got = read_ok(&p);
    ck_assert_uint_eq(got.service, TWS_IP_UDP);
    ck_assert_uint_eq(got.service_port, 53);
    error_about(&p, A4, B4, 3, "192.0.2.8", A4); /* of another host's packet */
    ck_assert_uint_eq(read_ok(&p).service, 0);
    error_about(&p, A4, B4, 5, B4, A4); /* a redirect is no error */
    ck_assert_uint_eq(read_ok(&p).service, 0);
    error_about(&p, A6, B6, 128, B6, A6); /* nor is an echo */
    ck_assert_uint_eq(read_ok(&p).service, 0);
}
END_TEST

static bool is_error_about(const struct packet *p, const char *to)
{
    struct tws_ip_packet got = read_ok(p);
    struct tws_ip found, wanted = packet_ip(to);

    return tws_ip_packet_is_error(packet_span(p), &got, &found) && tws_ip_equal(&found, &wanted);
}

START_TEST(an_icmp_error_tells_where_its_destination_had_sent_something)
{
    const uint8_t echo[8] = {8};
    struct packet p, inner;
    uint8_t body[PACKET_MAX / 2] = {11};

    error_about(&p, A4, B4, 3, B4, "192.0.2.99");
    ck_assert(is_error_about(&p, "192.0.2.99"));
    error_about(&p, A6, B6, 2, B6, "2001:db8::99");
    ck_assert(is_error_about(&p, "2001:db8::99"));
    packet_network(&inner, B4, A4, TWS_IP_ICMP, echo, sizeof echo); /* of what has no port */
    memcpy(body + 8, inner.bytes, inner.n);
    packet_network(&p, "192.0.2.1", B4, TWS_IP_ICMP, body, 8 + inner.n);
    ck_assert(is_error_about(&p, A4));
    packet_network(&p, "192.0.2.1", B4, TWS_IP_ICMP, body, 8 + 19); /* no whole header */
    ck_assert(!is_error_about(&p, A4));
    error_about(&p, A4, B4, 3, "192.0.2.8", A4); /* another sent it */
    ck_assert(!is_error_about(&p, A4));
    error_about(&p, A4, B4, 5, B4, A4);
    ck_assert(!is_error_about(&p, A4));
    packet_udp(&p, A4, 0x0300, B4, 53);
    ck_assert(!is_error_about(&p, A4));
}
END_TEST

static bool is_neighbourly(const struct packet *p)
{
    struct tws_ip_packet got = read_ok(p);

    return tws_ip_packet_is_neighbourly(packet_span(p), &got);
}

START_TEST(redirects_and_neighbour_discovery_are_told_from_the_rest)
{
    struct packet p;

    for (unsigned type = 0; type < 256; type++) {
        const uint8_t body[8] = {(uint8_t)type};
        packet_network(&p, A4, B4, TWS_IP_ICMP, body, sizeof body);
        ck_assert_msg(is_neighbourly(&p) == (type == 5), "%u", type);
        packet_network(&p, A6, B6, TWS_IP_ICMPV6, body, sizeof body);
        ck_assert_msg(is_neighbourly(&p) == (type >= 133 && type <= 137), "%u", type);
        packet_network(&p, A6, B6, TWS_IP_ICMP, body, sizeof body);
        ck_assert(!is_neighbourly(&p));
        packet_udp(&p, A4, (uint16_t)(type << 8), B4, 53);
        ck_assert(!is_neighbourly(&p));
    }
}
END_TEST

static const struct {
    const char *from, *to;
    bool routable;
} ends[] = {
    {A4, B4, true},           {A6, B6, true},
    {"127.0.0.1", B4, false}, {A4, "127.0.0.1", false},
    {"0.0.0.0", B4, false},   {"169.254.1.1", B4, false},
    {A4, "224.0.0.1", false}, {A4, "255.255.255.255", false},
    {"fe80::1", B6, false},   {A6, "ff02::1", false},
    {"::1", B6, false},       {A6, "::", false},
};

START_TEST(only_what_hosts_send_to_hosts_has_a_way)
{
    struct packet p;

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        packet_udp(&p, ends[i].from, 4000, ends[i].to, 53);
        struct tws_ip_packet got = read_ok(&p);
        ck_assert_msg(tws_ip_packet_is_routable(&got) == ends[i].routable, "%s > %s", ends[i].from,
                      ends[i].to);
    }
}
END_TEST

START_TEST(packets_of_a_flow_have_its_number)
{
    struct packet p, q;

    packet_udp(&p, A4, 1, B4, 2);
    packet_udp(&q, A4, 1, B4, 2);
    ck_assert_uint_eq(read_ok(&p).flow, read_ok(&q).flow);
    packet_udp(&q, A4, 1, B4, 3);
    ck_assert_uint_ne(read_ok(&p).flow, read_ok(&q).flow);
    packet_udp(&q, A4, 2, B4, 2);
    ck_assert_uint_ne(read_ok(&p).flow, read_ok(&q).flow);
}
END_TEST

/* ---- the maximum segment size ---- */

static const struct {
    uint8_t options[12];
    size_t n, mss_at;
} syns[] = {
    {{2, 4, 0x23, 0x28}, 4, 22},                          /* 9000 */
    {{1, 2, 4, 0x23, 0x28, 1, 1, 1}, 8, 23},              /* at an odd place */
    {{4, 2, 3, 3, 7, 2, 4, 0xff, 0xff, 0}, 12, 27},       /* behind others */
    {{8, 5, 0, 0, 0, 1, 2, 4, 0x05, 0xb5, 0, 0}, 12, 28}, /* one more than fits */
};

START_TEST(a_syn_announces_what_fits)
{
    for (int family = 0; family < 2; family++) {
        uint16_t fits = family ? 1440 : 1460;
        struct packet p;

        packet_tcp(&p, family ? A6 : A4, family ? B6 : B4, 2, 2,
                   (struct tws_span){syns[_i].options, syns[_i].n});
        struct tws_ip_packet got = read_ok(&p);
        ck_assert(tws_ip_packet_clamp(p.bytes, p.n, &got, 1500));
        ck_assert_uint_eq(tws_get16(p.bytes + p.transport + syns[_i].mss_at), fits);
        ck_assert_uint_eq(packet_transport_sum(&p, TWS_IP_TCP), 0);
        ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 1500));
    }
}
END_TEST

START_TEST(the_checksum_is_right_for_every_value)
{
    const uint8_t options[] = {1, 2, 4, 0, 0, 1, 1, 1};
    struct packet p;

    for (unsigned mss = 0; mss <= 65535; mss += 7) {
        uint8_t list[sizeof options];
        memcpy(list, options, sizeof list);
        tws_put16(list + 3, (uint16_t)mss);
        packet_tcp(&p, A4, B4, (uint16_t)mss, 2, (struct tws_span){list, sizeof list});
        struct tws_ip_packet got = read_ok(&p);
        ck_assert(tws_ip_packet_clamp(p.bytes, p.n, &got, 1280) == (mss > 1240));
        ck_assert_uint_eq(packet_transport_sum(&p, TWS_IP_TCP), 0);
    }
}
END_TEST

START_TEST(nothing_else_is_changed)
{
    const uint8_t big[] = {2, 4, 0x23, 0x28}, small[] = {2, 4, 0x02, 0x18}, cut[] = {3, 9, 2, 4},
                  odd[] = {2, 3, 9, 0};
    struct packet p;
    struct tws_ip_packet got;

    packet_tcp(&p, A4, B4, 2, 0x10, (struct tws_span){big, 4}); /* no SYN */
    got = read_ok(&p);
    ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 1500));
    packet_tcp(&p, A4, B4, 2, 2, (struct tws_span){small, 4});
    got = read_ok(&p);
    ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 1500));
    packet_tcp(&p, A4, B4, 2, 2, (struct tws_span){cut, 4});
    got = read_ok(&p);
    ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 1500));
    packet_tcp(&p, A4, B4, 2, 2, (struct tws_span){odd, 4});
    got = read_ok(&p);
    ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 1500));
    packet_tcp(&p, A4, B4, 2, 2, (struct tws_span){big, 4});
    p.bytes[p.transport + 12] = 0xf0; /* a header longer than the packet */
    got = read_ok(&p);
    ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 1500));
    packet_tcp(&p, A4, B4, 2, 2, (struct tws_span){big, 4});
    got = read_ok(&p);
    ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 40)); /* nothing would fit */
    packet_udp(&p, A4, 1, B4, 2);
    got = read_ok(&p);
    ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 576));
    packet_tcp(&p, A4, B4, 2, 2, (struct tws_span){big, 4});
    tws_put16(p.bytes + 6, 3); /* a later fragment only looks like a SYN */
    got = read_ok(&p);
    ck_assert(!tws_ip_packet_clamp(p.bytes, p.n, &got, 1500));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ip_packet");

    tcase_add_test(tc, addresses_and_ports_are_read);
    tcase_add_test(tc, other_protocols_reach_no_port);
    tcase_add_test(tc, every_cut_and_every_surplus_is_refused);
    tcase_add_test(tc, a_header_that_is_shorter_than_a_header_is_refused);
    tcase_add_test(tc, a_transport_header_that_is_cut_is_refused);
    tcase_add_loop_test(tc, a_source_route_is_refused, 0, COUNT_OF(option_lists));
    tcase_add_test(tc, a_later_fragment_has_no_ports);
    tcase_add_test(tc, ports_are_found_behind_extension_headers);
    tcase_add_test(tc, a_chain_of_headers_has_an_end);
    tcase_add_test(tc, a_later_fragment_of_ipv6_is_not_read_on);
    tcase_add_test(tc, an_icmp_error_reaches_the_port_it_is_about);
    tcase_add_test(tc, an_icmp_error_tells_where_its_destination_had_sent_something);
    tcase_add_test(tc, redirects_and_neighbour_discovery_are_told_from_the_rest);
    tcase_add_test(tc, only_what_hosts_send_to_hosts_has_a_way);
    tcase_add_test(tc, packets_of_a_flow_have_its_number);
    tcase_add_loop_test(tc, a_syn_announces_what_fits, 0, COUNT_OF(syns));
    tcase_add_test(tc, the_checksum_is_right_for_every_value);
    tcase_add_test(tc, nothing_else_is_changed);
    return run_suite("ip_packet", tc);
}

/* test_ip_gate.c - which packets of a server a client's kernel gets to see. */
#include "ip_gate_priv.h"
#include "packet.h"
#include "suite.h"

#include <stdio.h>

#define MOST 4

static struct tws_prefix lists[5][MOST];
static struct tws_tun_config conf;
static struct tws_tun_terms terms;
static struct tws_ip_gate gate;

static void set_up(void)
{
    conf = (struct tws_tun_config){.mtu = 1500,
                                   .addresses = lists[0],
                                   .routes = lists[1],
                                   .behind = lists[2],
                                   .sources = lists[3],
                                   .exclude = lists[4]};
    terms = (struct tws_tun_terms){
        .address = {{packet_ip("10.9.0.2"), 24}, {packet_ip("fd09::2"), 64}}};
}

static void tear_down(void)
{
    tws_ip_gate_fini(&gate);
    gate = (struct tws_ip_gate){.dropped_source = 0};
}

static void has(struct tws_prefix *list, size_t *n, const char *ip, uint8_t bits)
{
    list[(*n)++] = (struct tws_prefix){packet_ip(ip), bits};
}

static void take_effect(void)
{
    ck_assert_int_eq(tws_ip_gate_set(&gate, &conf, &terms), TWS_OK);
}

static const char *refusal(const struct packet *p)
{
    struct tws_ip_packet read;
    struct tws_span in = {p->bytes, p->n};

    ck_assert_int_eq(tws_ip_packet_read(in, &read), TWS_OK);
    return tws_ip_gate_refuses(&gate, in, &read);
}

static bool passes(const char *from, const char *to)
{
    struct packet p;

    packet_udp(&p, from, 53, to, 4000);
    return refusal(&p) == NULL;
}

/* `type` of a router's, about a packet between two others. */
static bool error_passes(const char *from, const char *to, uint8_t type, const char *quoted_from,
                         const char *quoted_to)
{
    uint8_t body[PACKET_MAX / 2] = {type};
    struct packet p, inner;
    bool v4 = packet_ip(from).family == 4;

    packet_udp(&inner, quoted_from, 4000, quoted_to, 53);
    memcpy(body + 8, inner.bytes, inner.n);
    packet_network(&p, from, to, v4 ? TWS_IP_ICMP : TWS_IP_ICMPV6, body, 8 + inner.n);
    return refusal(&p) == NULL;
}

START_TEST(nothing_passes_before_it_is_known_what_may)
{
    ck_assert(!passes("10.9.0.1", "10.9.0.2"));
    tws_ip_gate_fini(&gate);
}
END_TEST

START_TEST(what_is_routed_into_the_tunnel_comes_out_of_it)
{
    has(lists[1], &conf.nroutes, "10.20.0.0", 16);
    has(lists[1], &conf.nroutes, "fd20::", 32);
    has(lists[3], &conf.nsources, "10.30.0.0", 16);
    take_effect();
    ck_assert(passes("10.9.0.1", "10.9.0.2"));
    ck_assert(passes("10.20.255.7", "10.9.0.2"));
    ck_assert(passes("10.30.0.7", "10.9.0.2"));
    ck_assert(passes("fd09::1", "fd09::2"));
    ck_assert(passes("fd20::7", "fd09::2"));
    ck_assert_uint_eq(gate.dropped_source, 0);
    ck_assert(!passes("10.21.0.1", "10.9.0.2"));
    ck_assert(!passes("198.51.100.1", "10.9.0.2"));
    ck_assert(!passes("10.10.0.1", "10.9.0.2"));
    ck_assert(!passes("fd21::1", "fd09::2"));
    ck_assert(!passes("10.9.0.2", "10.9.0.2")); /* our own */
    ck_assert_uint_eq(gate.dropped_source, 5);
    ck_assert_uint_eq(gate.dropped_destination, 0);
}
END_TEST

START_TEST(nothing_goes_where_the_client_did_not_say)
{
    has(lists[1], &conf.nroutes, "10.20.0.0", 16);
    has(lists[2], &conf.nbehind, "192.168.7.0", 24);
    take_effect();
    ck_assert(passes("10.20.0.1", "192.168.7.9"));
    ck_assert(!passes("10.20.0.1", "192.168.8.9")); /* another network this machine is in */
    ck_assert(!passes("10.20.0.1", "10.9.0.3"));
    ck_assert(!passes("10.20.0.1", "10.20.0.2"));
    ck_assert_uint_eq(gate.dropped_destination, 3);
    ck_assert(!passes("192.168.7.1", "10.9.0.2")); /* what is behind us does not come from there */
    ck_assert_uint_eq(gate.dropped_source, 1);
}
END_TEST

START_TEST(with_all_everything_comes_but_what_is_excluded_or_here)
{
    conf.all = true;
    has(lists[1], &conf.nroutes, "192.0.2.64", 26);
    has(lists[2], &conf.nbehind, "192.168.7.0", 24);
    has(lists[4], &conf.nexclude, "192.0.2.0", 24);
    take_effect();
    ck_assert(passes("198.51.100.1", "10.9.0.2"));
    ck_assert(passes("2001:db8::1", "fd09::2"));
    ck_assert(!passes("192.0.2.1", "10.9.0.2"));
    ck_assert(passes("192.0.2.65", "10.9.0.2"));
    ck_assert(!passes("192.168.7.1", "10.9.0.2"));
    ck_assert(!passes("198.51.100.1", "198.51.100.2"));
}
END_TEST

START_TEST(an_address_that_is_configured_counts_instead_of_the_servers_word)
{
    has(lists[0], &conf.naddresses, "10.5.0.2", 24);
    terms.address[TWS_TUN_V4] = (struct tws_prefix){packet_ip("10.5.0.2"), 8};
    terms.address[TWS_TUN_V6] = (struct tws_prefix){packet_ip("fd00::2"), 8};
    take_effect();
    ck_assert(passes("10.5.0.1", "10.5.0.2"));
    ck_assert(!passes("10.6.0.1", "10.5.0.2"));
    ck_assert(!passes("fd00::1", "fd00::2"));
}
END_TEST

START_TEST(a_routers_error_passes_if_it_is_about_a_packet_of_ours)
{
    static const char far[] = "198.51.100.1";

    has(lists[1], &conf.nroutes, "10.20.0.0", 16);
    has(lists[1], &conf.nroutes, "fd20::", 32);
    has(lists[2], &conf.nbehind, "192.168.7.0", 24);
    take_effect();
    for (unsigned type = 0; type < 256; type++) {
        bool is_error = type == 3 || type == 11 || type == 12;
        ck_assert(error_passes(far, "10.9.0.2", (uint8_t)type, "10.9.0.2", "10.20.0.7") ==
                  is_error);
        is_error = type >= 1 && type <= 4;
        ck_assert(error_passes("2001:db8::1", "fd09::2", (uint8_t)type, "fd09::2", "fd20::7") ==
                  is_error);
    }
    ck_assert(error_passes(far, "192.168.7.9", 11, "192.168.7.9", "10.20.0.7"));
    ck_assert(!error_passes(far, "10.9.0.2", 11, "10.9.0.2", "10.21.0.7")); /* sent elsewhere */
    ck_assert(!error_passes(far, "10.9.0.2", 11, "10.9.0.3", "10.20.0.7")); /* not by us */
    ck_assert(!error_passes(far, "192.168.8.9", 11, "192.168.8.9", "10.20.0.7"));
}
END_TEST

START_TEST(a_change_holds_from_then_on_and_keeps_the_counts)
{
    has(lists[1], &conf.nroutes, "10.20.0.0", 16);
    take_effect();
    ck_assert(!passes("10.30.0.1", "10.9.0.2"));
    lists[1][0] = (struct tws_prefix){packet_ip("10.30.0.0"), 16};
    take_effect();
    ck_assert(passes("10.30.0.1", "10.9.0.2"));
    ck_assert(!passes("10.20.0.1", "10.9.0.2"));
    ck_assert_uint_eq(gate.dropped_source, 2);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ip_gate");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, nothing_passes_before_it_is_known_what_may);
    tcase_add_test(tc, what_is_routed_into_the_tunnel_comes_out_of_it);
    tcase_add_test(tc, nothing_goes_where_the_client_did_not_say);
    tcase_add_test(tc, with_all_everything_comes_but_what_is_excluded_or_here);
    tcase_add_test(tc, an_address_that_is_configured_counts_instead_of_the_servers_word);
    tcase_add_test(tc, a_routers_error_passes_if_it_is_about_a_packet_of_ours);
    tcase_add_test(tc, a_change_holds_from_then_on_and_keeps_the_counts);
    return run_suite("tunnel/ip_gate", tc);
}

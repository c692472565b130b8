/* test_config_egress.c - how the server goes out: what is taken of the file, and the words for what
 * cannot be. */
#include "config_support.h"

#define REST "listen: 127.0.0.1:1\n" KEYS_FILE "no_udp: false\n"

/* `REST` is lines 1 to 3, `egress:` is 4, its first record 5. */
static tws_err read_egress(const char *records, struct said *said, struct tws_server_config **out)
{
    char text[1024];

    snprintf(text, sizeof text, REST "egress:\n%s", records);
    return read_server(text, said, out);
}

START_TEST(records_are_taken_in_order)
{
    struct tws_server_config *c = NULL;
    struct said said;

    ck_assert_int_eq(
        read_egress("  - to: [10.0.0.0/8:80, \"*.example\", \"unix:/a/*\", \"*\"]\n"
                    "    from: [192.0.2.0/24, \"2001:db8::/32\"]\n"
                    "    send_proxy: v2\n"
                    "    mark: 4294967295\n"
                    "    bind: eth0.7\n"
                    "    via: socks5h://me:s%40cret@[::1]:9050\n"
                    "  - {send_proxy: v1, bind: 192.0.2.1}\n"
                    "  - {spoof: true, bind: eth1, ipv4: 127.0.0.1:1, ipv6: \"[::1]:2\"}\n",
                    &said, &c),
        TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_uint_eq(c->noutlets, 3);
    const struct tws_outlet *a = &c->outlets[0], *b = &c->outlets[1], *s = &c->outlets[2];
    ck_assert_uint_eq(a->nto, 4);
    ck_assert_uint_eq(a->to[0].prefix.bits, 8);
    ck_assert_uint_eq(a->to[0].port_max, 80);
    ck_assert_str_eq(a->to[1].name, "*.example");
    ck_assert(a->to[2].is_path);
    ck_assert_str_eq(a->to[3].name, "*");
    ck_assert_uint_eq(a->nfrom, 2);
    ck_assert_int_eq(a->send_proxy, TWS_SEND_PROXY_V2);
    ck_assert_uint_eq(a->mark, 4294967295);
    ck_assert_str_eq(a->interface, "eth0.7");
    ck_assert_int_eq(a->via->kind, TWS_PROXY_SOCKS5H);
    ck_assert_str_eq(a->via->password, "s@cret");
    ck_assert_str_eq(a->via->address.host, "::1");
    ck_assert(!a->spoof);
    ck_assert_uint_eq(b->nto, 0);
    ck_assert_int_eq(b->send_proxy, TWS_SEND_PROXY_V1);
    ck_assert_uint_eq(b->bind.family, 4);
    ck_assert_ptr_null(b->interface);
    ck_assert_ptr_null(b->via);
    ck_assert(s->spoof);
    ck_assert_str_eq(s->interface, "eth1");
    ck_assert_uint_eq(s->ipv4.port, 1);
    ck_assert_uint_eq(s->ipv6.ip.family, 6);
    tws_server_config_free(c);
}
END_TEST

static const struct {
    const char *yaml, *says;
} wrong[] = {
    {"  - {spoof: true, bind: 192.0.2.1}\n",
     "f:5: egress: spoof and bind with an address: a connection starts at one of them only\n"},
    {"  - {spoof: true, via: \"http://h:1\"}\n",
     "f:5: egress: spoof and via: the proxy connects from its own address\n"},
    {"  - {via: \"http://h:1\", ipv6: \"[::1]:1\"}\n",
     "f:5: egress: via and ipv4 or ipv6: give the proxy's target, or none\n"},
    {"  - ipv4: \"[::1]:1\"\n",
     "f:5: egress: ipv4: found the host \"::1\", expected an IPv4 address\n"},
    {"  - ipv6: \"[::ffff:10.0.0.1]:1\"\n",
     "f:5: egress: ipv6: found the host \"::ffff:10.0.0.1\", expected an IPv6 address\n"},
    {"  - ipv6: app.example:1\n",
     "f:5: egress: ipv6: found the host \"app.example\", expected an IPv6 address\n"},
    {"  - bind: 192.0.2.1/24\n",
     "f:5: egress: bind: found \"192.0.2.1/24\", expected an address or a network device such as "
     "eth1\n"},
    {"  - bind: a-name-of-sixteen\n",
     "f:5: egress: bind: found \"a-name-of-sixteen\", expected an address or a network device such "
     "as eth1\n"},
    {"  - send_proxy: v3\n", "f:5:17: send_proxy: found \"v3\", expected v1 or v2\n"},
    {"  - mark: 0\n", "f:5:11: mark: found \"0\", expected a whole number from 1 to 4294967295\n"},
};

START_TEST(what_cannot_be_is_said_with_its_place)
{
    struct tws_server_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_egress(wrong[_i].yaml, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, wrong[_i].says);
    ck_assert_ptr_null(c);
}
END_TEST

START_TEST(a_password_of_a_proxy_is_in_no_message)
{
    static const char *const urls[] = {"ftp://me:hunter2@h:1", "socks5://me:hunter2@h:99999",
                                       "http://me:hunter2@"};
    struct tws_server_config *c = NULL;
    struct said said;
    char yaml[128];

    snprintf(yaml, sizeof yaml, "  - via: %s\n", urls[_i]);
    ck_assert_int_eq(read_egress(yaml, &said, &c), TWS_CONFIG);
    ck_assert_ptr_nonnull(strstr(said.text, "f:5: egress: via: "));
    ck_assert_ptr_null(strstr(said.text, "hunter2"));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config_egress");

    add_keys(tc);
    tcase_add_test(tc, records_are_taken_in_order);
    LOOP(tc, what_cannot_be_is_said_with_its_place, wrong);
    tcase_add_loop_test(tc, a_password_of_a_proxy_is_in_no_message, 0, 3);
    return run_suite("app/config_egress", tc);
}

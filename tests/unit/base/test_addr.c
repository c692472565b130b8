/* test_addr.c - every address has one value and one text; what is not one is refused. */
#include "suite.h"

#include "tws/base/addr.h"

#include <string.h>

static struct tws_ip ip(const char *text)
{
    struct tws_ip out;
    ck_assert_msg(tws_ip_parse(text, &out) == TWS_OK, "%s", text);
    return out;
}

static const struct {
    const char *text, *canonical;
} good_ips[] = {
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"127.0.0.1", "127.0.0.1"},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"0:0:0:0:0:0:0:1", "::1"},
    {"2001:DB8::00ab", "2001:db8::ab"},
    {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
    {"1:0:0:2:3:0:0:4", "1::2:3:0:0:4"},    /* the first of two runs */
    {"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"}, /* one zero group is written out */
    {"1:2:3:4:5:6::", "1:2:3:4:5:6::"},
    {"::2:3:4:5:6:7", "::2:3:4:5:6:7"},
    {"fe80::1:2", "fe80::1:2"},
    {"::ffff:10.1.2.3", "::ffff:10.1.2.3"},
    {"::ffff:a01:203", "::ffff:10.1.2.3"},
    {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

START_TEST(an_ip_has_one_canonical_text)
{
    char text[TWS_IP_TEXT];
    struct tws_ip a = ip(good_ips[_i].text), b = ip(good_ips[_i].canonical);

    tws_ip_format(&a, text, sizeof text);
    ck_assert_str_eq(text, good_ips[_i].canonical);
    ck_assert(tws_ip_equal(&a, &b));
}
END_TEST

static const char *const bad_ips[] = {
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.04",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.-4",
    "0x7f.0.0.1",
    "1..2.3",
    "1.2.3.",
    ":",
    ":::",
    "1:",
    ":1",
    "1:2",
    "1::2::3",
    "::1:",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "1:2:3:4:5:6:7::8",
    "::1.2.3",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:1.2.3.4",
    "fe80::1%eth0",
    "[::1]",
    "::ffff:1.2.3.400",
    "1.2.3.4::",
    "99999999999999999999.0.0.1",
};

START_TEST(what_is_not_an_ip_is_refused)
{
    struct tws_ip out;
    ck_assert_msg(tws_ip_parse(bad_ips[_i], &out) == TWS_ABSENT, "%s", bad_ips[_i]);
}
END_TEST

START_TEST(no_address_is_written_as_none)
{
    char text[TWS_IP_TEXT];
    tws_ip_format(&(struct tws_ip){0}, text, sizeof text);
    ck_assert_str_eq(text, "none");
}
END_TEST

START_TEST(equal_needs_the_same_family_and_all_bytes)
{
    struct tws_ip a = ip("1.2.3.4"), b = ip("1.2.3.5"), c = ip("102:304::");

    ck_assert(tws_ip_equal(&a, &a));
    ck_assert(!tws_ip_equal(&a, &b));
    ck_assert(!tws_ip_equal(&a, &c));
    b = ip("102:304::1");
    ck_assert(!tws_ip_equal(&b, &c));
    a.bytes[9] = 7; /* not part of an IPv4 address */
    b = ip("1.2.3.4");
    ck_assert(tws_ip_equal(&a, &b));
}
END_TEST

static const struct {
    const char *text;
    bool loopback, link_local, multicast, unspecified;
} kinds[] = {
    {"127.0.0.1", true, false, false, false},
    {"127.255.255.255", true, false, false, false},
    {"128.0.0.1", false, false, false, false},
    {"::1", true, false, false, false},
    {"::2", false, false, false, false},
    {"::ffff:127.0.0.1", true, false, false, false},
    {"169.254.169.254", false, true, false, false},
    {"169.253.0.1", false, false, false, false},
    {"::ffff:169.254.169.254", false, true, false, false},
    {"fe80::1", false, true, false, false},
    {"febf::1", false, true, false, false},
    {"fec0::1", false, false, false, false},
    {"224.0.0.1", false, false, true, false},
    {"239.255.255.255", false, false, true, false},
    {"240.0.0.1", false, false, false, false},
    {"255.255.255.255", false, false, true, false},
    {"255.255.255.254", false, false, false, false},
    {"ff02::1", false, false, true, false},
    {"feff::1", false, false, false, false},
    {"0.0.0.0", false, false, false, true},
    {"0.1.2.3", false, false, false, true},
    {"1.0.0.0", false, false, false, false},
    {"::", false, false, false, true},
    {"::ffff:0.0.0.0", false, false, false, true},
    {"10.0.0.1", false, false, false, false},
    {"2001:db8::1", false, false, false, false},
};

START_TEST(reserved_ranges_are_known_in_either_spelling)
{
    struct tws_ip a = ip(kinds[_i].text);

    ck_assert_msg(tws_ip_is_loopback(&a) == kinds[_i].loopback, "%s", kinds[_i].text);
    ck_assert_msg(tws_ip_is_link_local(&a) == kinds[_i].link_local, "%s", kinds[_i].text);
    ck_assert_msg(tws_ip_is_multicast(&a) == kinds[_i].multicast, "%s", kinds[_i].text);
    ck_assert_msg(tws_ip_is_unspecified(&a) == kinds[_i].unspecified, "%s", kinds[_i].text);
}
END_TEST

START_TEST(no_address_is_of_no_kind_and_in_no_prefix)
{
    struct tws_ip none = {0};
    struct tws_prefix all;

    ck_assert(!tws_ip_is_loopback(&none) && !tws_ip_is_link_local(&none));
    ck_assert(!tws_ip_is_multicast(&none) && !tws_ip_is_unspecified(&none));
    ck_assert_int_eq(tws_prefix_parse("0.0.0.0/0", &all), TWS_OK);
    ck_assert(!tws_prefix_contains(&all, &none));
}
END_TEST

static const struct {
    const char *prefix, *in, *out;
} prefixes[] = {
    {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
    {"10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.0.0.0"},
    {"192.168.4.0/22", "192.168.7.255", "192.168.8.0"},
    {"1.2.3.4", "1.2.3.4", "1.2.3.5"},
    {"1.2.3.4/32", "1.2.3.4", "1.2.3.5"},
    {"0.0.0.0/0", "255.0.0.1", "::1"},
    {"::/0", "2001:db8::1", "1.2.3.4"},
    {"::/0", "::1", "::ffff:1.2.3.4"}, /* is an IPv4 address however it is spelled */
    {"::1", "::1", "::"},
    {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
    {"::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"},
};

START_TEST(a_prefix_contains_what_shares_its_bits)
{
    struct tws_prefix p;
    struct tws_ip in = ip(prefixes[_i].in), out = ip(prefixes[_i].out);

    ck_assert_int_eq(tws_prefix_parse(prefixes[_i].prefix, &p), TWS_OK);
    ck_assert_msg(tws_prefix_contains(&p, &in), "%s", prefixes[_i].prefix);
    ck_assert_msg(!tws_prefix_contains(&p, &out), "%s", prefixes[_i].prefix);
}
END_TEST

static const struct {
    const char *p, *q;
    bool covers, covered;
} nested[] = {
    {"10.0.0.0/8", "10.1.0.0/16", true, false},
    {"10.0.0.0/8", "10.0.0.0/8", true, true},
    {"10.0.0.0/8", "11.0.0.0/8", false, false},
    {"0.0.0.0/0", "10.0.0.1/32", true, false},
    {"10.0.0.0/8", "10.0.0.0/9", true, false},
    {"::/0", "2001:db8::/32", true, false},
    {"::/0", "10.0.0.0/8", false, false},
    {"0.0.0.0/0", "::/0", false, false},
    {"::ffff:10.0.0.0/104", "10.1.0.0/16", true, false},
};

START_TEST(a_prefix_covers_what_begins_with_its_bits_and_is_no_shorter)
{
    struct tws_prefix p, q;

    ck_assert_int_eq(tws_prefix_parse(nested[_i].p, &p), TWS_OK);
    ck_assert_int_eq(tws_prefix_parse(nested[_i].q, &q), TWS_OK);
    ck_assert_msg(tws_prefix_covers(&p, &q) == nested[_i].covers, "%s", nested[_i].p);
    ck_assert_msg(tws_prefix_covers(&q, &p) == nested[_i].covered, "%s", nested[_i].p);
}
END_TEST

static const struct {
    const char *ip;
    uint8_t bits;
    const char *first, *last;
} ends[] = {
    {"10.1.2.3", 0, "0.0.0.0", "255.255.255.255"},
    {"10.1.2.3", 22, "10.1.0.0", "10.1.3.255"},
    {"10.1.2.3", 32, "10.1.2.3", "10.1.2.3"},
    {"fd01::1", 64, "fd01::", "fd01::ffff:ffff:ffff:ffff"},
    {"fd01::1", 127, "fd01::", "fd01::1"},
};

START_TEST(a_prefix_has_a_first_and_a_last_address)
{
    const struct tws_prefix p = {ip(ends[_i].ip), ends[_i].bits};
    const struct tws_ip expected[] = {ip(ends[_i].first), ip(ends[_i].last)};
    struct tws_ip first = tws_prefix_first(&p), last = tws_prefix_last(&p);

    ck_assert(tws_ip_equal(&first, &expected[0]));
    ck_assert(tws_ip_equal(&last, &expected[1]));
}
END_TEST

START_TEST(equal_prefixes_have_the_same_length)
{
    struct tws_prefix p = {ip("10.0.0.0"), 8}, longer = {ip("10.0.0.0"), 9};

    ck_assert(tws_prefix_equal(&p, &p));
    ck_assert(!tws_prefix_equal(&p, &longer));
}
END_TEST

START_TEST(a_prefix_is_written_as_it_was_read)
{
    static const char *const texts[] = {"10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::1/128"};
    char text[TWS_PREFIX_TEXT];
    struct tws_prefix p;

    for (int i = 0; i < COUNT_OF(texts); i++) {
        ck_assert_int_eq(tws_prefix_parse(texts[i], &p), TWS_OK);
        tws_prefix_format(&p, text, sizeof text);
        ck_assert_str_eq(text, texts[i]);
    }
}
END_TEST

static const char *const bad_prefixes[] = {
    "",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.1/8",
    "10.0.0.0/8/8",
    "10.0.0.0/8 ",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "::/129",
    "::1/127",
    "2001:db8::1/64",
    "example.com/8",
    "::ffff:10.0.0.1/104",
    "11111111111111111111111111111111111111111111111111111111/8",
};

START_TEST(what_is_not_a_prefix_is_refused)
{
    struct tws_prefix p;
    ck_assert_msg(tws_prefix_parse(bad_prefixes[_i], &p) == TWS_ABSENT, "%s", bad_prefixes[_i]);
}
END_TEST

static const struct {
    const char *text, *host;
    uint16_t port;
    const char *again;
} hostports[] = {
    {"127.0.0.1:80", "127.0.0.1", 80, "127.0.0.1:80"},
    {"[::1]:443", "::1", 443, "[::1]:443"},
    {"example.com:65535", "example.com", 65535, "example.com:65535"},
    {"my_host-1:1", "my_host-1", 1, "my_host-1:1"},
    {":5201", "", 5201, "*:5201"},
    {"*:5201", "", 5201, "*:5201"},
    {"localhost:0", "localhost", 0, "localhost:0"},
};

START_TEST(host_and_port_are_parted_and_joined)
{
    struct tws_hostport hp;
    char text[TWS_HOSTPORT_TEXT];

    ck_assert_int_eq(tws_hostport_parse(hostports[_i].text, &hp), TWS_OK);
    ck_assert_str_eq(hp.host, hostports[_i].host);
    ck_assert_uint_eq(hp.port, hostports[_i].port);
    tws_hostport_format(&hp, text, sizeof text);
    ck_assert_str_eq(text, hostports[_i].again);
}
END_TEST

static const char *const bad_hostports[] = {
    "",
    "80",
    "example.com",
    "example.com:",
    "example.com:http",
    "example.com:65536",
    "example.com:080",
    "example.com:-1",
    "example.com:80 ",
    " example.com:80",
    "a b:80",
    "::1:80",
    "[::1:80",
    "::1]:80",
    "[]:80",
    "[1.2.3.4]:80",
    "[::1%lo]:80",
    "http://x:80",
    "a/b:80",
    "user@host:80",
    "h\tost:80",
    "**:80",
    "[::1]x:80",
};

START_TEST(what_is_not_a_host_and_port_is_refused)
{
    struct tws_hostport hp;
    ck_assert_msg(tws_hostport_parse(bad_hostports[_i], &hp) == TWS_ABSENT, "%s",
                  bad_hostports[_i]);
}
END_TEST

START_TEST(the_longest_name_fits_and_one_more_byte_does_not)
{
    char text[300];
    char out[TWS_HOSTPORT_TEXT];
    struct tws_hostport hp;

    memset(text, 'a', sizeof text);
    memcpy(text + TWS_HOST_MAX, ":65535", 7);
    ck_assert_int_eq(tws_hostport_parse(text, &hp), TWS_OK);
    tws_hostport_format(&hp, out, sizeof out);
    ck_assert_str_eq(out, text);
    text[TWS_HOST_MAX] = 'a';
    memcpy(text + TWS_HOST_MAX + 1, ":65535", 7);
    ck_assert_int_eq(tws_hostport_parse(text, &hp), TWS_ABSENT);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("addr");
    tcase_add_loop_test(tc, an_ip_has_one_canonical_text, 0, COUNT_OF(good_ips));
    tcase_add_loop_test(tc, what_is_not_an_ip_is_refused, 0, COUNT_OF(bad_ips));
    tcase_add_test(tc, no_address_is_written_as_none);
    tcase_add_test(tc, equal_needs_the_same_family_and_all_bytes);
    tcase_add_loop_test(tc, reserved_ranges_are_known_in_either_spelling, 0, COUNT_OF(kinds));
    tcase_add_test(tc, no_address_is_of_no_kind_and_in_no_prefix);
    tcase_add_loop_test(tc, a_prefix_contains_what_shares_its_bits, 0, COUNT_OF(prefixes));
    tcase_add_loop_test(tc, a_prefix_covers_what_begins_with_its_bits_and_is_no_shorter, 0,
                        COUNT_OF(nested));
    tcase_add_loop_test(tc, a_prefix_has_a_first_and_a_last_address, 0, COUNT_OF(ends));
    tcase_add_test(tc, equal_prefixes_have_the_same_length);
    tcase_add_test(tc, a_prefix_is_written_as_it_was_read);
    tcase_add_loop_test(tc, what_is_not_a_prefix_is_refused, 0, COUNT_OF(bad_prefixes));
    tcase_add_loop_test(tc, host_and_port_are_parted_and_joined, 0, COUNT_OF(hostports));
    tcase_add_loop_test(tc, what_is_not_a_host_and_port_is_refused, 0, COUNT_OF(bad_hostports));
    tcase_add_test(tc, the_longest_name_fits_and_one_more_byte_does_not);
    return run_suite("base/addr", tc);
}

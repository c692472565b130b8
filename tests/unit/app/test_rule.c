/* test_rule.c - the text of an allowed target, through the type that files use. */
#include "app_support.h"

#include "tws/app/option.h"
#include "tws/app/value.h"
#include "tws/tunnel/config.h"

static const struct {
    const char *text;
    const char *name; /* NULL: a prefix */
    uint8_t family, bits;
    uint16_t min, max;
    uint8_t protocol;
    bool is_path;
} good[] = {
    {"10.0.0.0/8:22", NULL, 4, 8, 22, 22, 0, false},
    {"127.0.0.1", NULL, 4, 32, 1, 65535, 0, false},
    {"127.0.0.1:5201", NULL, 4, 32, 5201, 5201, 0, false},
    {"0.0.0.0/0:1-1024", NULL, 4, 0, 1, 1024, 0, false},
    {"::1", NULL, 6, 128, 1, 65535, 0, false},
    {"[::1]:5201", NULL, 6, 128, 5201, 5201, 0, false},
    {"[::1]", NULL, 6, 128, 1, 65535, 0, false},
    {"fd00::/8", NULL, 6, 8, 1, 65535, 0, false},
    {"[fd00::/8]:80-90", NULL, 6, 8, 80, 90, 0, false},
    {"example.com", "example.com", 0, 0, 1, 65535, 0, false},
    {"Example.COM.:443", "example.com", 0, 0, 443, 443, 0, false},
    {"*.example.com:80-90", "*.example.com", 0, 0, 80, 90, 0, false},
    {"host_1:*", "host_1", 0, 0, 1, 65535, 0, false},
    {"*", "*", 0, 0, 1, 65535, 0, false},
    {"*:443", "*", 0, 0, 443, 443, 0, false},
    {"udp/10.0.0.0/8:53", NULL, 4, 8, 53, 53, TWS_RULE_UDP, false},
    {"tcp/[::1]:53", NULL, 6, 128, 53, 53, TWS_RULE_TCP, false},
    {"udp/*:53", "*", 0, 0, 53, 53, TWS_RULE_UDP, false},
    {"udp/*.example.com", "*.example.com", 0, 0, 1, 65535, TWS_RULE_UDP, false},
    {"tcp.example", "tcp.example", 0, 0, 1, 65535, 0, false},
    {"unix:/run/App.sock", "/run/App.sock", 0, 0, 1, 65535, 0, true},
    {"unix:/run/app/*", "/run/app/*", 0, 0, 1, 65535, 0, true},
    {"unix:/run/a:b", "/run/a:b", 0, 0, 1, 65535, 0, true},
    {"unix:@app", "@app", 0, 0, 1, 65535, 0, true},
};

static const char *const bad[] = {
    /* hosts and prefixes */
    "", ":22", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "300.1.1.1", "a:0", "a:65536", "a:90-80",
    "a:22-", "a:-22", "a:", "a:22x", "[::1", "[::1]22", "[::1]:", "[a]:22", "a..b", ".a", "*a",
    "*.", "a.*", "fd00::1/8", "::1/129", "a b", "a/8", "[]:1", "1.2.3.4/", "a:1:2", "**",
    "\xc3\xa4.de", "a:0x16", "[127.0.0.1]:1",
    /* paths */
    "unix:", "unix:/", "unix:run/a", "unix:@", "unix:/run/*/a", "unix:/run/**", "unix:/a/../b",
    "unix:/a//b", "unix:/a/./b", "unix:/a\nb",
    /* protocols */
    "udp/", "tcp/udp/*", "udp/unix:/run/a", "UDP/*:53", "sctp/*"};

static const struct tws_option row = {.name = "allow", .type = TWS_TYPE_RULE};

START_TEST(a_rule_is_read)
{
    struct tws_rule r = {0};

    ck_assert_int_eq(tws_value_parse(&row, good[_i].text, &r), TWS_OK);
    if (good[_i].name != NULL)
        ck_assert_str_eq(r.name, good[_i].name);
    else
        ck_assert_ptr_null(r.name);
    ck_assert_uint_eq(r.prefix.ip.family, good[_i].family);
    ck_assert_uint_eq(r.prefix.bits, good[_i].bits);
    ck_assert_uint_eq(r.port_min, good[_i].min);
    ck_assert_uint_eq(r.port_max, good[_i].max);
    ck_assert_uint_eq(r.protocol, good[_i].protocol);
    ck_assert_int_eq(r.is_path, good[_i].is_path);
    tws_value_fini(&row, &r);
}
END_TEST

START_TEST(what_is_no_rule_is_refused)
{
    struct tws_rule r = {.port_min = 7};

    ck_assert_msg(tws_value_parse(&row, bad[_i], &r) == TWS_ABSENT, "\"%s\"", bad[_i]);
    ck_assert_uint_eq(r.port_min, 7);
    ck_assert_ptr_null(r.name);
}
END_TEST

START_TEST(a_path_longer_than_a_socket_s_is_not_read)
{
    char text[sizeof "unix:" + 108];
    struct tws_rule r = {0};

    snprintf(text, sizeof text, "unix:/%0107d", 0);
    ck_assert_int_ne(tws_value_parse(&row, text, &r), TWS_OK);
    text[sizeof text - 2] = '\0';
    ck_assert_int_eq(tws_value_parse(&row, text, &r), TWS_OK);
    tws_value_fini(&row, &r);
}
END_TEST

START_TEST(a_host_name_of_any_length_is_refused_or_read_whole)
{
    char text[600];

    for (size_t n = 1; n < sizeof text; n++) {
        struct tws_rule r = {0};

        memset(text, 'a', n);
        text[n] = '\0';
        ck_assert_int_eq(tws_value_parse(&row, text, &r), n <= 253 ? TWS_OK : TWS_ABSENT);
        if (n <= 253)
            ck_assert_uint_eq(strlen(r.name), n);
        tws_value_fini(&row, &r);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("rule");

    LOOP(tc, a_rule_is_read, good);
    LOOP(tc, what_is_no_rule_is_refused, bad);
    tcase_add_test(tc, a_path_longer_than_a_socket_s_is_not_read);
    tcase_add_test(tc, a_host_name_of_any_length_is_refused_or_read_whole);
    return run_suite("app/rule", tc);
}

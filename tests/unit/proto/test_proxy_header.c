/* test_proxy_header.c - what is said of a connection, byte by byte. */
#include "suite.h"

#include "tws/proto/proxy_header.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct tws_target target(const char *text)
{
    struct tws_hostport hp;
    struct tws_target t = {0};

    if (text == NULL)
        return t;
    if (strncmp(text, "unix:", 5) == 0) {
        t.type = TWS_TARGET_UNIX;
        snprintf(t.name, sizeof t.name, "%s", text + 5);
        return t;
    }
    ck_assert_int_eq(tws_hostport_parse(text, &hp), TWS_OK);
    tws_target_from_hostport(&hp, &t);
    return t;
}

static const struct {
    const char *source, *destination, *line;
} lines[] = {
    {"192.0.2.7:1234", "10.0.0.1:80", "PROXY TCP4 192.0.2.7 10.0.0.1 1234 80\r\n"},
    {"[2001:db8::7]:1234", "[::1]:80", "PROXY TCP6 2001:db8::7 ::1 1234 80\r\n"},
    {"[::ffff:192.0.2.7]:9", "10.0.0.1:80", "PROXY TCP4 192.0.2.7 10.0.0.1 9 80\r\n"},
    {"192.0.2.7:1234", "[2001:db8::1]:80", "PROXY TCP4 192.0.2.7 0.0.0.0 1234 80\r\n"},
    {"[2001:db8::7]:1234", "10.0.0.1:80", "PROXY TCP6 2001:db8::7 :: 1234 80\r\n"},
    {"192.0.2.7:1234", "a.example:80", "PROXY TCP4 192.0.2.7 0.0.0.0 1234 80\r\n"},
    {"192.0.2.7:1234", "unix:/run/a", "PROXY TCP4 192.0.2.7 0.0.0.0 1234 0\r\n"},
    {"unix:/run/a", "10.0.0.1:80", "PROXY UNKNOWN\r\n"},
    {"a.example:5", "10.0.0.1:80", "PROXY UNKNOWN\r\n"},
    {NULL, "10.0.0.1:80", "PROXY UNKNOWN\r\n"},
    {"[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
     "[1111:2222:3333:4444:5555:6666:7777:9999]:65535",
     "PROXY TCP6 1111:2222:3333:4444:5555:6666:7777:8888 "
     "1111:2222:3333:4444:5555:6666:7777:9999 65535 65535\r\n"},
};

START_TEST(version_1_is_a_line)
{
    struct tws_target from = target(lines[_i].source), to = target(lines[_i].destination);
    struct tws_proxy_header h;
    char out[TWS_PROXY_V1_MAX + 1] = "";
    struct tws_writer w = tws_writer(out, TWS_PROXY_V1_MAX);

    tws_proxy_header_make(&from, &to, &h);
    tws_proxy_header_write_v1(&w, &h);
    ck_assert(!w.failed);
    ck_assert_str_eq(out, lines[_i].line);
}
END_TEST

static const struct {
    const char *source, *destination;
    size_t n;
    uint8_t bytes[TWS_PROXY_V2_MAX];
} blocks[] = {
    {"192.0.2.7:258", "10.0.0.1:80", 28, {0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 'Q', 'U', 'I',
                                          'T',  0x0a, 0x21, 0x11, 0, 12,   192,  0,   2,   7,
                                          10,   0,    0,    1,    1, 2,    0,    80}},
    {"[2001:db8::7]:258", "[::1]:80", 52, {0x0d, 0x0a, 0x0d, 0x0a, 0,    0x0d, 0x0a, 'Q',  'U',
                                           'I',  'T',  0x0a, 0x21, 0x21, 0,    36,   0x20, 0x01,
                                           0x0d, 0xb8, 0,    0,    0,    0,    0,    0,    0,
                                           0,    0,    0,    0,    7,    0,    0,    0,    0,
                                           0,    0,    0,    0,    0,    0,    0,    0,    0,
                                           0,    0,    1,    1,    2,    0,    80}},
    {NULL,
     "10.0.0.1:80",
     16,
     {0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 'Q', 'U', 'I', 'T', 0x0a, 0x20}},
};

START_TEST(version_2_is_a_block)
{
    struct tws_target from = target(blocks[_i].source), to = target(blocks[_i].destination);
    struct tws_proxy_header h;
    uint8_t out[TWS_PROXY_V2_MAX];
    struct tws_writer w = tws_writer(out, sizeof out);

    tws_proxy_header_make(&from, &to, &h);
    tws_proxy_header_write_v2(&w, &h);
    ck_assert(!w.failed);
    ck_assert_uint_eq(w.len, blocks[_i].n);
    ck_assert_mem_eq(out, blocks[_i].bytes, blocks[_i].n);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("proxy_header");
    tcase_add_loop_test(tc, version_1_is_a_line, 0, (int)(sizeof lines / sizeof lines[0]));
    tcase_add_loop_test(tc, version_2_is_a_block, 0, (int)(sizeof blocks / sizeof blocks[0]));
    return run_suite("proto/proxy_header", tc);
}

/* test_proxy_reading.c - PROXY protocol headers as nginx, haproxy and others write them. */
#include "suite.h"

#include "tws/proto/proxy_header.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static tws_err read_text(const char *text, struct tws_proxy_header *h, size_t *used)
{
    return tws_proxy_header_read((struct tws_span){(const uint8_t *)text, strlen(text)}, h, used);
}

static void expect_ends(const struct tws_proxy_header *h, const char *from, const char *to)
{
    char text[TWS_IP_TEXT];

    ck_assert(h->known);
    tws_ip_format(&h->source, text, sizeof text);
    ck_assert_str_eq(text, from);
    tws_ip_format(&h->destination, text, sizeof text);
    ck_assert_str_eq(text, to);
}

static const struct {
    const char *line, *from, *to;
    uint16_t from_port, to_port;
} lines[] = {
    {"PROXY TCP4 192.0.2.7 10.0.0.1 1234 80\r\n", "192.0.2.7", "10.0.0.1", 1234, 80},
    {"PROXY TCP6 2001:db8::7 ::1 1234 0\r\n", "2001:db8::7", "::1", 1234, 0},
    {"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 65535 80\r\n", "192.0.2.7", "10.0.0.1", 65535,
     80},
    {"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2\r\n", "::ffff:192.0.2.7", "2001:db8::1", 1, 2},
    {"PROXY UNKNOWN\r\n", NULL, NULL, 0, 0},
    {"PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", NULL, NULL, 0, 0},
};

START_TEST(a_line_is_read_and_any_part_of_it_is_short)
{
    struct tws_proxy_header h;
    char text[TWS_PROXY_V1_MAX + 8];
    size_t used = 0, n = strlen(lines[_i].line);

    snprintf(text, sizeof text, "%sGET", lines[_i].line);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(tws_proxy_header_read((struct tws_span){(uint8_t *)text, i}, &h, &used),
                         TWS_SHORT);
    ck_assert_int_eq(read_text(text, &h, &used), TWS_OK);
    ck_assert_uint_eq(used, n);
    if (lines[_i].from == NULL) {
        ck_assert(!h.known);
        return;
    }
    expect_ends(&h, lines[_i].from, lines[_i].to);
    ck_assert_uint_eq(h.source_port, lines[_i].from_port);
    ck_assert_uint_eq(h.destination_port, lines[_i].to_port);
}
END_TEST

static const char *const wrong_lines[] = {
    "GET / HTTP/1.1\r\n",
    "PROXY\r\n",
    "PROXY \r\n",
    "PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 1 23\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 1 2 \r\n",
    "PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.256 1 2\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 65536 2\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 -1 2\r\n",
    "PROXY TCP4 host.example 10.0.0.1 1 2\r\n",
    "proxy TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    ("PROXY UNKNOWN 012345678901234567890123456789012345678901234567890123456789012345678901234567"
     "89012345678901234567890"),
};

START_TEST(a_wrong_line_is_refused)
{
    struct tws_proxy_header h;
    size_t used;

    ck_assert_int_eq(read_text(wrong_lines[_i], &h, &used), TWS_E_PROTOCOL);
}
END_TEST

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IP4_ENDS  "\300\0\2\7\12\0\0\1\4\322\0\120"
#define IP6_ENDS                                                                                   \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\4\322\0\120"

static const struct {
    const char *bytes;
    size_t n;
    const char *from, *to;
} blocks[] = {
    {SIGNATURE "\x21\x11\0\14" IP4_ENDS, 28, "192.0.2.7", "10.0.0.1"},
    {SIGNATURE "\x21\x21\0\44" IP6_ENDS, 52, "2001:db8::7", "::1"},
    {SIGNATURE "\x21\x11\0\23" IP4_ENDS "\4\0\4ABCD", 35, "192.0.2.7", "10.0.0.1"}, /* a TLV */
    {SIGNATURE "\x20\x11\0\14" IP4_ENDS, 28, NULL, NULL},                           /* LOCAL */
    {SIGNATURE "\x20\0\0\0", 16, NULL, NULL},
    {SIGNATURE "\x21\0\0\3xyz", 19, NULL, NULL},
    {SIGNATURE "\x21\x12\0\14" IP4_ENDS, 28, NULL, NULL}, /* a datagram's */
    {SIGNATURE "\x21\x31\0\4abcd", 20, NULL, NULL},       /* a unix socket's */
};

START_TEST(a_block_is_read_and_any_part_of_it_is_short)
{
    struct tws_proxy_header h;
    size_t used = 0;

    for (size_t i = 0; i < blocks[_i].n; i++)
        ck_assert_int_eq(tws_proxy_header_read(
                             (struct tws_span){(const uint8_t *)blocks[_i].bytes, i}, &h, &used),
                         TWS_SHORT);
    ck_assert_int_eq(
        tws_proxy_header_read(
            (struct tws_span){(const uint8_t *)blocks[_i].bytes, blocks[_i].n + 1}, &h, &used),
        TWS_OK);
    ck_assert_uint_eq(used, blocks[_i].n);
    ck_assert_int_eq(h.known, blocks[_i].from != NULL);
    if (blocks[_i].from == NULL)
        return;
    expect_ends(&h, blocks[_i].from, blocks[_i].to);
    ck_assert_uint_eq(h.source_port, 1234);
    ck_assert_uint_eq(h.destination_port, 80);
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
} wrong_blocks[] = {
    {"\r\n\r\n\0\r\nQUIX\n", 12},
    {SIGNATURE "\x11\x11\0\14" IP4_ENDS, 28}, /* version 1 as a block */
    {SIGNATURE "\x22\x11\0\14" IP4_ENDS, 28}, /* a command to come */
    {SIGNATURE "\x21\x41\0\14" IP4_ENDS, 28}, /* a family to come */
    {SIGNATURE "\x21\x13\0\14" IP4_ENDS, 28}, /* a transport to come */
    {SIGNATURE "\x21\x11\0\13" IP4_ENDS, 28}, /* too short for its family */
    {SIGNATURE "\x21\x21\0\14" IP4_ENDS, 28},
    {SIGNATURE "\x21\x11\x10\x00" IP4_ENDS, 28}, /* more than anybody needs */
};

START_TEST(a_wrong_block_is_refused)
{
    struct tws_proxy_header h;
    size_t used;

    ck_assert_int_eq(
        tws_proxy_header_read(
            (struct tws_span){(const uint8_t *)wrong_blocks[_i].bytes, wrong_blocks[_i].n}, &h,
            &used),
        TWS_E_PROTOCOL);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("proxy_reading");

    tcase_add_loop_test(tc, a_line_is_read_and_any_part_of_it_is_short, 0, COUNT_OF(lines));
    tcase_add_loop_test(tc, a_wrong_line_is_refused, 0, COUNT_OF(wrong_lines));
    tcase_add_loop_test(tc, a_block_is_read_and_any_part_of_it_is_short, 0, COUNT_OF(blocks));
    tcase_add_loop_test(tc, a_wrong_block_is_refused, 0, COUNT_OF(wrong_blocks));
    return run_suite("proto/proxy_reading", tc);
}

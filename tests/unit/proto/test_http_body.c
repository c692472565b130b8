/* test_http_body.c - a request's body ends where its framing says, however it comes in pieces. */
#include "suite.h"

#include "tws/proto/http_body.h"

#include <check.h>
#include <string.h>

static struct tws_span span(const char *s)
{
    return (struct tws_span){(const uint8_t *)s, strlen(s)};
}

START_TEST(a_length_is_counted)
{
    struct tws_http_body b = tws_http_body_of_length(5);

    ck_assert_uint_eq(tws_http_body_take(&b, span("abc")), 3);
    ck_assert_int_eq(b.state, TWS_BODY_LENGTH);
    ck_assert_uint_eq(tws_http_body_take(&b, span("deGET / HTTP/1.1")), 2);
    ck_assert_int_eq(b.state, TWS_BODY_OVER);
    ck_assert_uint_eq(tws_http_body_take(&b, span("more")), 0);
}
END_TEST

START_TEST(without_length_and_chunks_there_is_none)
{
    struct tws_http_body b = tws_http_body_of_length(0), zero = {0};

    ck_assert_uint_eq(tws_http_body_take(&b, span("x")), 0);
    ck_assert_uint_eq(tws_http_body_take(&zero, span("x")), 0);
    ck_assert_int_eq(b.state, TWS_BODY_OVER);
    ck_assert_int_eq(zero.state, TWS_BODY_OVER);
}
END_TEST

static const char *const chunked[] = {
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "A\r\n0123456789\r\n1;name=\"a b\"\r\nx\r\n000\r\n\r\n",
    "3\r\n\r\n\r\r\n0\r\nTrailer: yes\r\nOther:\t1\r\n\r\n",
};

START_TEST(chunks_end_with_the_empty_one_and_its_trailer)
{
    struct tws_span in = span(chunked[_i]);

    /* whole, and cut at every place */
    for (size_t at = 0; at <= in.n; at++) {
        struct tws_http_body b = tws_http_body_chunked();
        size_t first = tws_http_body_take(&b, (struct tws_span){in.p, at});
        ck_assert_uint_eq(first, at);
        ck_assert_int_eq(b.state == TWS_BODY_OVER, at == in.n);
        ck_assert_int_ne(b.state, TWS_BODY_WRONG);
        ck_assert_uint_eq(tws_http_body_take(&b, (struct tws_span){in.p + at, in.n - at}),
                          in.n - at);
        ck_assert_int_eq(b.state, TWS_BODY_OVER);
        ck_assert_uint_eq(tws_http_body_take(&b, span("GET")), 0);
    }
}
END_TEST

static const struct {
    const char *bytes;
    size_t taken;
} wrong[] = {
    {"\r\n", 0},
    {"g\r\n", 0},
    {"-1\r\n", 0},
    {" 5\r\n", 0},
    {"0x5\r\n", 1},
    {"5 \r\nhello", 1},
    {"5\nhello\n0\n\n", 1},
    {"5\r\nhelloX", 8},
    {"5\r\nhello\rX", 9},
    {"5\r\nhello\n0\r\n\r\n", 8},
    {"5;a\nb\r\n", 3},
    {"0\r\nX: a\nY: b\r\n\r\n", 7},
    {"0\r\n\n", 3},
    {"0\r\n\rX", 4},
    {"0000000000000000\r\n", 15},
    {"fffffffffffffffff\r\n", 15},
};

START_TEST(broken_chunks_stop_at_the_first_wrong_byte)
{
    struct tws_http_body b = tws_http_body_chunked();

    ck_assert_uint_eq(tws_http_body_take(&b, span(wrong[_i].bytes)), wrong[_i].taken);
    ck_assert_int_eq(b.state, TWS_BODY_WRONG);
    ck_assert_uint_eq(tws_http_body_take(&b, span("0\r\n\r\n")), 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("http_body");

    tcase_add_test(tc, a_length_is_counted);
    tcase_add_test(tc, without_length_and_chunks_there_is_none);
    tcase_add_loop_test(tc, chunks_end_with_the_empty_one_and_its_trailer, 0, COUNT_OF(chunked));
    tcase_add_loop_test(tc, broken_chunks_stop_at_the_first_wrong_byte, 0, COUNT_OF(wrong));
    return run_suite("proto/http_body", tc);
}

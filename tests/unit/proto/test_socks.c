/* test_socks.c - SOCKS 4, 4a and 5, byte by byte as RFC 1928 and RFC 1929 have them. */
#include "suite.h"

#include "tws/proto/code.h"
#include "tws/proto/socks.h"

#include <check.h>
#include <string.h>

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static struct tws_reader reader_of(const void *p, size_t n)
{
    return tws_reader((struct tws_span){p, n});
}

static struct tws_span text(const char *s)
{
    return (struct tws_span){(const uint8_t *)s, strlen(s)};
}

static void expect_target(const struct tws_target *t, const char *want)
{
    char got[TWS_HOSTPORT_TEXT];

    tws_target_format(t, got, sizeof got);
    ck_assert_str_eq(got, want);
}

/* ---- version 5 ---- */

static const struct {
    const char *bytes;
    size_t n;
    tws_err err;
    bool none, password;
} methods[] = {
    {"\5\1\0", 3, TWS_OK, true, false},     {"\5\2\0\2", 4, TWS_OK, true, true},
    {"\5\3\1\2\3", 5, TWS_OK, false, true}, {"\5\1\1", 3, TWS_OK, false, false},
    {"", 0, TWS_SHORT, false, false},       {"\5", 1, TWS_SHORT, false, false},
    {"\5\2\0", 3, TWS_SHORT, false, false}, {"\5\0", 2, TWS_E_PROTOCOL, false, false},
    {"G", 1, TWS_E_PROTOCOL, false, false}, {"\0", 1, TWS_E_PROTOCOL, false, false},
};

START_TEST(methods_are_read)
{
    struct tws_reader r = reader_of(methods[_i].bytes, methods[_i].n);
    struct tws_socks_methods m = {0};

    ck_assert_int_eq(tws_socks5_read_methods(&r, &m), methods[_i].err);
    ck_assert_int_eq(m.none, methods[_i].none);
    ck_assert_int_eq(m.password, methods[_i].password);
    if (methods[_i].err == TWS_OK)
        ck_assert_uint_eq(r.left, 0);
}
END_TEST

START_TEST(a_login_is_read_whole_or_not_at_all)
{
    static const uint8_t login[] = "\1\5alice\6secretX";
    struct tws_socks_login l;

    for (size_t n = 0; n < 14; n++) {
        struct tws_reader part = reader_of(login, n);
        ck_assert_int_eq(tws_socks5_read_login(&part, &l), TWS_SHORT);
    }
    struct tws_reader r = reader_of(login, 15);
    ck_assert_int_eq(tws_socks5_read_login(&r, &l), TWS_OK);
    ck_assert_uint_eq(r.left, 1); /* the X is not of it */
    ck_assert_uint_eq(l.user.n, 5);
    ck_assert_mem_eq(l.user.p, "alice", 5);
    ck_assert_uint_eq(l.password.n, 6);
    ck_assert_mem_eq(l.password.p, "secret", 6);
    r = reader_of(BYTES(1, 0, 1, 'x'));
    ck_assert_int_eq(tws_socks5_read_login(&r, &l), TWS_E_PROTOCOL);
    r = reader_of(BYTES(5));
    ck_assert_int_eq(tws_socks5_read_login(&r, &l), TWS_E_PROTOCOL);
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
    const char *target;
    uint8_t command;
} requests[] = {
    {"\5\1\0\1\300\0\2\1\0\120", 10, "192.0.2.1:80", 1},
    {"\5\1\0\3\13example.com\1\273", 18, "example.com:443", 1},
    {"\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\26", 22, "[::1]:22", 1},
    {"\5\3\0\1\0\0\0\0\0\0", 10, "0.0.0.0:0", 3},
    {"\5\2\0\1\0\0\0\0\0\0", 10, "0.0.0.0:0", 2},
    /* the reserved byte is nobody's business */
    {"\5\1\377\1\300\0\2\1\0\120", 10, "192.0.2.1:80", 1},
    /* an address that is written as a name is judged as an address */
    {"\5\1\0\3\11"
     "127.0.0.1\0\120",
     16, "127.0.0.1:80", 1},
    {"\5\1\0\3\3::1\0\120", 10, "[::1]:80", 1},
};

START_TEST(a_request_is_read_and_any_part_of_it_is_short)
{
    struct tws_socks_request q;
    enum tws_socks_reply reply;

    for (size_t n = 0; n < requests[_i].n; n++) {
        struct tws_reader part = reader_of(requests[_i].bytes, n);
        ck_assert_int_eq(tws_socks5_read_request(&part, &q, &reply), TWS_SHORT);
    }
    struct tws_reader r = reader_of(requests[_i].bytes, requests[_i].n);
    ck_assert_int_eq(tws_socks5_read_request(&r, &q, &reply), TWS_OK);
    ck_assert_uint_eq(r.left, 0);
    ck_assert_uint_eq(q.command, requests[_i].command);
    expect_target(&q.target, requests[_i].target);
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
    enum tws_socks_reply reply;
} wrong_requests[] = {
    {"\4\1", 2, TWS_SOCKS_FAILURE},
    {"\5\1\0\2", 4, TWS_SOCKS_NO_ADDRESS_TYPE},
    {"\5\1\0\5\4/run\0\0", 11, TWS_SOCKS_NO_ADDRESS_TYPE}, /* our own type is not for strangers */
    {"\5\1\0\3\0\0\120", 7, TWS_SOCKS_FAILURE},
    {"\5\1\0\3\3a\nb\0\120", 10, TWS_SOCKS_FAILURE},
    {"\5\1\0\3\3a\0b\0\120", 10, TWS_SOCKS_FAILURE},
};

START_TEST(a_wrong_request_has_its_reply)
{
    struct tws_reader r = reader_of(wrong_requests[_i].bytes, wrong_requests[_i].n);
    struct tws_socks_request q;
    enum tws_socks_reply reply = TWS_SOCKS_GRANTED;

    ck_assert_int_eq(tws_socks5_read_request(&r, &q, &reply), TWS_E_PROTOCOL);
    ck_assert_int_eq(reply, wrong_requests[_i].reply);
}
END_TEST

static void expect_reply5(struct tws_span bound, const void *want, size_t n)
{
    uint8_t buf[TWS_SOCKS5_REPLY_MAX];
    struct tws_writer w = tws_writer(buf, sizeof buf);

    tws_socks5_write_reply(&w, TWS_SOCKS_GRANTED, bound);
    ck_assert(!w.failed);
    ck_assert_uint_eq(w.len, n);
    ck_assert_mem_eq(buf, want, n);
}

START_TEST(a_reply_carries_what_socks_has_a_form_for)
{
    static const uint8_t unix_path[] = "\5\4/run\0\0";

    expect_reply5((struct tws_span){BYTES(1, 10, 0, 0, 1, 1, 187)},
                  BYTES(5, 0, 0, 1, 10, 0, 0, 1, 1, 187));
    expect_reply5((struct tws_span){NULL, 0}, BYTES(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
    expect_reply5((struct tws_span){unix_path, 8}, BYTES(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
}
END_TEST

static const struct {
    uint16_t code;
    const char *text;
    enum tws_socks_reply reply;
} reasons[] = {
    {TWS_CODE_FORBIDDEN, "", TWS_SOCKS_FORBIDDEN},
    {TWS_CODE_UNREACHABLE, "Network is unreachable", TWS_SOCKS_NET_UNREACHABLE},
    {TWS_CODE_UNREACHABLE, "No route to host", TWS_SOCKS_HOST_UNREACHABLE},
    {TWS_CODE_UNREACHABLE, "", TWS_SOCKS_HOST_UNREACHABLE},
    {TWS_CODE_RESOLVE, "", TWS_SOCKS_HOST_UNREACHABLE},
    {TWS_CODE_REFUSED, "", TWS_SOCKS_REFUSED},
    {TWS_CODE_TIMEOUT, "", TWS_SOCKS_TIMEOUT},
    {TWS_CODE_RESOURCES, "", TWS_SOCKS_FAILURE},
    {TWS_CODE_SHUTDOWN, "", TWS_SOCKS_FAILURE},
    {9999, "Network is unreachable", TWS_SOCKS_FAILURE},
};

START_TEST(a_reply_tells_the_true_reason)
{
    ck_assert_int_eq(tws_socks_reply_of(reasons[_i].code, text(reasons[_i].text)),
                     reasons[_i].reply);
}
END_TEST

/* ---- datagrams ---- */

static const struct {
    const char *bytes;
    size_t n, header;
    const char *target;
} datagrams[] = {
    {"\0\0\0\1\300\0\2\1\0\065query", 15, 10, "192.0.2.1:53"},
    {"\0\0\0\1\300\0\2\1\0\065", 10, 10, "192.0.2.1:53"}, /* an empty one */
    {"\1\2\0\3\1a\0\065x", 9, 8, "a:53"},
    {"\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\065x", 23, 22, "[::1]:53"},
    {"\0\0\1\1\300\0\2\1\0\065query", 15, 0, NULL}, /* a fragment */
    {"\0\0\0\5\1/\0\0", 8, 0, NULL},
    {"\0\0\0\1\300\0\2\1\0", 9, 0, NULL},
    {"\0\0\0", 3, 0, NULL},
    {"", 0, 0, NULL},
};

START_TEST(a_datagram_s_header_is_read)
{
    struct tws_target t;
    size_t header = 0;
    tws_err err = tws_socks5_read_datagram(
        (struct tws_span){(const uint8_t *)datagrams[_i].bytes, datagrams[_i].n}, &t, &header);

    ck_assert_int_eq(err, datagrams[_i].target != NULL ? TWS_OK : TWS_E_PROTOCOL);
    ck_assert_uint_eq(header, datagrams[_i].header);
    if (err == TWS_OK)
        expect_target(&t, datagrams[_i].target);
}
END_TEST

/* ---- version 4 ---- */

static const struct {
    const char *bytes;
    size_t n;
    const char *target;
} requests4[] = {
    {"\4\1\0\120\300\0\2\1\0", 9, "192.0.2.1:80"},
    {"\4\1\0\120\300\0\2\1me\0", 11, "192.0.2.1:80"},
    {"\4\1\1\273\0\0\0\1\0example.com\0", 21, "example.com:443"},
    {"\4\1\1\273\0\0\0\377me\0localhost\0", 21, "localhost:443"},
    {"\4\1\1\273\0\0\0\1\0::1\0", 13, "[::1]:443"},
    {"\4\1\1\273\0\0\0\0\0", 9, "0.0.0.0:443"}, /* no placeholder */
};

START_TEST(a_request_of_version_4_is_read_and_any_part_of_it_is_short)
{
    struct tws_socks_request q;

    for (size_t n = 0; n < requests4[_i].n; n++) {
        struct tws_reader part = reader_of(requests4[_i].bytes, n);
        ck_assert_int_eq(tws_socks4_read_request(&part, &q), TWS_SHORT);
    }
    struct tws_reader r = reader_of(requests4[_i].bytes, requests4[_i].n);
    ck_assert_int_eq(tws_socks4_read_request(&r, &q), TWS_OK);
    ck_assert_uint_eq(r.left, 0);
    expect_target(&q.target, requests4[_i].target);
}
END_TEST

START_TEST(endless_texts_of_version_4_are_refused_before_their_end)
{
    uint8_t buf[1024] = {4, 1, 0, 80, 0, 0, 0, 1};
    struct tws_reader r = tws_reader((struct tws_span){buf, 8 + 256});
    struct tws_socks_request q;

    memset(buf + 8, 'u', sizeof buf - 8);
    ck_assert_int_eq(tws_socks4_read_request(&r, &q), TWS_E_PROTOCOL);
    buf[8] = '\0';
    r = tws_reader((struct tws_span){buf, 9 + 256});
    ck_assert_int_eq(tws_socks4_read_request(&r, &q), TWS_E_PROTOCOL);
    r = tws_reader((struct tws_span){buf, 9 + 255});
    ck_assert_int_eq(tws_socks4_read_request(&r, &q), TWS_SHORT);
    buf[9] = '\0'; /* an empty name */
    r = tws_reader((struct tws_span){buf, 10});
    ck_assert_int_eq(tws_socks4_read_request(&r, &q), TWS_E_PROTOCOL);
}
END_TEST

START_TEST(a_reply_of_version_4)
{
    uint8_t buf[64];
    struct tws_writer w = tws_writer(buf, sizeof buf);

    tws_socks4_write_reply(&w, true, (struct tws_span){BYTES(1, 10, 0, 0, 1, 1, 187)});
    ck_assert_uint_eq(w.len, TWS_SOCKS4_REPLY);
    ck_assert_mem_eq(buf, ((uint8_t[]){0, 90, 1, 187, 10, 0, 0, 1}), 8);
    w = tws_writer(buf, sizeof buf);
    tws_socks4_write_reply(&w, false, (struct tws_span){NULL, 0});
    ck_assert_mem_eq(buf, ((uint8_t[]){0, 91, 0, 0, 0, 0, 0, 0}), 8);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("socks");

    tcase_add_loop_test(tc, methods_are_read, 0, COUNT_OF(methods));
    tcase_add_test(tc, a_login_is_read_whole_or_not_at_all);
    tcase_add_loop_test(tc, a_request_is_read_and_any_part_of_it_is_short, 0, COUNT_OF(requests));
    tcase_add_loop_test(tc, a_wrong_request_has_its_reply, 0, COUNT_OF(wrong_requests));
    tcase_add_test(tc, a_reply_carries_what_socks_has_a_form_for);
    tcase_add_loop_test(tc, a_reply_tells_the_true_reason, 0, COUNT_OF(reasons));
    tcase_add_loop_test(tc, a_datagram_s_header_is_read, 0, COUNT_OF(datagrams));
    tcase_add_loop_test(tc, a_request_of_version_4_is_read_and_any_part_of_it_is_short, 0,
                        COUNT_OF(requests4));
    tcase_add_test(tc, endless_texts_of_version_4_are_refused_before_their_end);
    tcase_add_test(tc, a_reply_of_version_4);
    return run_suite("proto/socks", tc);
}

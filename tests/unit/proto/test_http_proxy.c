/* test_http_proxy.c - what an HTTP proxy takes, what it makes of it, and what it refuses. */
#include "suite.h"

#include "tws/proto/code.h"
#include "tws/proto/http_proxy.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define END "\r\n\r\n"

static struct tws_span span(const char *s)
{
    return (struct tws_span){(const uint8_t *)s, strlen(s)};
}

static void expect_target(const struct tws_target *t, const char *want)
{
    char got[TWS_HOSTPORT_TEXT];

    tws_target_format(t, got, sizeof got);
    ck_assert_str_eq(got, want);
}

/* ---- CONNECT ---- */

static const struct {
    const char *where, *target;
} connects[] = {
    {"example.com:443", "example.com:443"},
    {"192.0.2.1:22", "192.0.2.1:22"},
    {"[2001:db8::1]:8443", "[2001:db8::1]:8443"},
};

START_TEST(connect_goes_where_it_says)
{
    char text[256];
    struct tws_http_request r;
    unsigned status;

    snprintf(text, sizeof text, "CONNECT %s HTTP/1.1\r\nHost: other:1" END "\x16\x03\x01",
             connects[_i].where);
    for (size_t n = 0; n < strlen(text) - 3; n++)
        ck_assert_int_eq(tws_http_request_read((struct tws_span){(uint8_t *)text, n}, &r, &status),
                         TWS_SHORT);
    ck_assert_int_eq(
        tws_http_request_read((struct tws_span){(uint8_t *)text, strlen(text) - 3}, &r, &status),
        TWS_OK);
    ck_assert(r.connect);
    ck_assert_uint_eq(r.n, strlen(text) - 3);
    expect_target(&r.target, connects[_i].target);
}
END_TEST

/* ---- rewriting ---- */

static const struct {
    const char *in, *out, *target;
} rewrites[] = {
    {"GET http://example.com/a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept: */*" END,
     "GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nConnection: close" END,
     "example.com:80"},
    {"GET HTTP://Example.com:8080 HTTP/1.1" END,
     "GET / HTTP/1.1\r\nHost: Example.com:8080\r\nConnection: close" END, "Example.com:8080"},
    {"GET http://h?q HTTP/1.0" END, "GET /?q HTTP/1.0\r\nHost: h\r\nConnection: close" END, "h:80"},
    {"GET http://h:/ HTTP/1.1" END, "GET / HTTP/1.1\r\nHost: h:\r\nConnection: close" END, "h:80"},
    {"OPTIONS http://h HTTP/1.1" END, "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close" END,
     "h:80"},
    {"GET http://[::1]/ HTTP/1.1" END, "GET / HTTP/1.1\r\nHost: [::1]\r\nConnection: close" END,
     "[::1]:80"},
    /* the URL's host is the Host, whatever was sent (RFC 9112, 3.2.2) */
    {"GET http://good/ HTTP/1.1\r\nHost: evil" END,
     "GET / HTTP/1.1\r\nHost: good\r\nConnection: close" END, "good:80"},
    /* what was meant for this hop, by name and by Connection */
    {"POST http://h/ HTTP/1.1\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nX-Hop: 1\r\n"
     "Connection: keep-alive , x-hop\r\nTE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
     "Proxy-Authorization: Basic YTpi\r\nContent-Length: 3\r\nX-End: 2" END,
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-End: 2\r\nConnection: close" END,
     "h:80"},
    /* nobody may take the body's framing away */
    {"POST http://h/ HTTP/1.1\r\nConnection: content-length\r\nContent-Length: 3" END,
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close" END, "h:80"},
    {"POST http://h/ HTTP/1.1\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked" END,
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close" END, "h:80"},
    {"GET http://h/ HTTP/1.1\r\nX-Empty:\r\nX-Tab:\tv \t" END,
     "GET / HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Tab:\tv\r\nConnection: close" END, "h:80"},
};

START_TEST(a_url_becomes_what_its_server_expects)
{
    struct tws_span in = span(rewrites[_i].in);
    struct tws_http_request r;
    char out[1024];
    unsigned status;

    ck_assert_int_eq(tws_http_request_read(in, &r, &status), TWS_OK);
    ck_assert(!r.connect);
    expect_target(&r.target, rewrites[_i].target);
    struct tws_writer w = tws_writer(out, in.n + TWS_HTTP_GROWTH);
    tws_http_rewrite(&w, &r);
    ck_assert(!w.failed);
    out[w.len] = '\0';
    ck_assert_str_eq(out, rewrites[_i].out);
}
END_TEST

START_TEST(the_body_s_framing_is_known)
{
    struct tws_http_request r;
    unsigned status;

    ck_assert_int_eq(tws_http_request_read(span("GET http://h/ HTTP/1.1" END), &r, &status),
                     TWS_OK);
    ck_assert_int_eq(r.body.state, TWS_BODY_OVER);
    ck_assert_int_eq(
        tws_http_request_read(span("PUT http://h/ HTTP/1.1\r\nContent-Length: 70000000000" END), &r,
                              &status),
        TWS_OK);
    ck_assert_int_eq(r.body.state, TWS_BODY_LENGTH);
    ck_assert_uint_eq(r.body.left, UINT64_C(70000000000));
    ck_assert_int_eq(
        tws_http_request_read(span("PUT http://h/ HTTP/1.1\r\nTransfer-Encoding: Chunked" END), &r,
                              &status),
        TWS_OK);
    ck_assert_int_eq(r.body.state, TWS_BODY_SIZE);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *in;
    unsigned status;
} wrong[] = {
    {"\x16\x03\x01", 400},                  /* TLS, at its first byte */
    {"GET / HTTP/1.1\r\nHost: h" END, 400}, /* a request to a server, not to a proxy */
    {"GET http://h/ HTTP/1.1\nHost: h\n\n", 400},
    {"GET http://h/ HTTP/1.1\r\nA: b\rC: d" END, 400},
    {"\r\nGET http://h/ HTTP/1.1" END, 400},
    {"GET  http://h/ HTTP/1.1" END, 400},
    {"GET http://h/ HTTP/1.1 " END, 400},
    {"GET http://h/" END, 400},
    {"G(T http://h/ HTTP/1.1" END, 400},
    {"GET http://h/#a HTTP/1.1" END, 400},
    {"GET http://u:p@h/ HTTP/1.1" END, 400},
    {"GET http:///a HTTP/1.1" END, 400},
    {"GET http://h:0/ HTTP/1.1" END, 400},
    {"GET http://h:99999/ HTTP/1.1" END, 400},
    {"GET http://h:80:80/ HTTP/1.1" END, 400},
    {"GET http:/h/ HTTP/1.1" END, 400},
    {"GET https://h/ HTTP/1.1" END, 501},
    {"GET ftp://h/ HTTP/1.1" END, 501},
    {"GET http://h/ HTTP/2.0" END, 505},
    {"GET http://h/ HTTP/1.2" END, 505},
    {"GET http://h/ HTTP/11" END, 400},
    {"GET http://h/ HTTP/1.1\r\n folded: yes" END, 400},
    {"GET http://h/ HTTP/1.1\r\nA: b\r\n c" END, 400},
    {"GET http://h/ HTTP/1.1\r\nA : b" END, 400},
    {"GET http://h/ HTTP/1.1\r\n: b" END, 400},
    {"GET http://h/ HTTP/1.1\r\nno colon" END, 400},
    {"GET http://h/ HTTP/1.1\r\nHost: a\r\nHost: b" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nContent-Length: 5, 5" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nContent-Length: +5" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nContent-Length: 0x5" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nContent-Length:" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nContent-Length: 99999999999999999999" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked" END, 400},
    {"PUT http://h/ HTTP/1.0\r\nTransfer-Encoding: chunked" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END, 400},
    {"PUT http://h/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked" END, 501},
    {"PUT http://h/ HTTP/1.1\r\nTransfer-Encoding: xchunked" END, 501},
    {"CONNECT h HTTP/1.1" END, 400},
    {"CONNECT h: HTTP/1.1" END, 400},
    {"CONNECT :443 HTTP/1.1" END, 400},
    {"CONNECT h:0 HTTP/1.1" END, 400},
    {"CONNECT http://h:443/ HTTP/1.1" END, 400},
    {"CONNECT h:443 HTTP/1.1\r\nContent-Length: 5" END, 400},
    {"CONNECT h:443 HTTP/1.1\r\nTransfer-Encoding: chunked" END, 400},
    {"connect h:443 HTTP/1.1" END, 400},
    {"GET http://h/ HTTP/1.1\r\nProxy-Authorization: Basic YQ==\r\nProxy-Authorization: Basic "
     "Yg==" END,
     400},
};

START_TEST(what_could_be_read_in_two_ways_is_refused)
{
    struct tws_http_request r;
    unsigned status = 0;

    ck_assert_int_eq(tws_http_request_read(span(wrong[_i].in), &r, &status), TWS_E_PROTOCOL);
    ck_assert_uint_eq(status, wrong[_i].status);
}
END_TEST

START_TEST(a_nul_is_refused)
{
    static const char text[] = "GET http://h/ HTTP/1.1\r\nA: b\0c" END;
    struct tws_http_request r;
    unsigned status = 0;

    ck_assert_int_eq(tws_http_request_read(
                         (struct tws_span){(const uint8_t *)text, sizeof text - 1}, &r, &status),
                     TWS_E_PROTOCOL);
}
END_TEST

/* ---- logins ---- */

static const struct {
    const char *user, *password, *base64; /* of base64(1) */
} logins[] = {
    {"a", "b", "YTpi"},
    {"alice", "secret", "YWxpY2U6c2VjcmV0"},
    {"alice", "secrets", "YWxpY2U6c2VjcmV0cw=="},
    {"alice", "secre", "YWxpY2U6c2VjcmU="},
    {"\xc3\xbc", ":\xff", "w7w6Ov8="},
};

START_TEST(a_login_fits_itself_and_no_other)
{
    char text[128];
    struct tws_http_request r;
    unsigned status;

    snprintf(text, sizeof text, "CONNECT h:1 HTTP/1.1\r\nproxy-authorization: bAsIc  %s" END,
             logins[_i].base64);
    ck_assert_int_eq(tws_http_request_read(span(text), &r, &status), TWS_OK);
    for (int i = 0; i < COUNT_OF(logins); i++)
        ck_assert_int_eq(tws_http_login_is(r.login, logins[i].user, logins[i].password), i == _i);
    ck_assert(!tws_http_login_is((struct tws_span){NULL, 0}, "a", "b"));
}
END_TEST

START_TEST(another_scheme_is_no_login)
{
    struct tws_http_request r;
    unsigned status;

    ck_assert_int_eq(
        tws_http_request_read(span("CONNECT h:1 HTTP/1.1\r\nProxy-Authorization: Bearer YTpi" END),
                              &r, &status),
        TWS_OK);
    ck_assert_uint_eq(r.login.n, 0);
}
END_TEST

/* ---- answers ---- */

START_TEST(an_answer_is_whole_and_closes)
{
    char out[TWS_HTTP_ANSWER_MAX + 1];
    struct tws_writer w = tws_writer(out, TWS_HTTP_ANSWER_MAX);

    tws_http_write_answer(&w, 407, "who are you");
    out[w.len] = '\0';
    ck_assert_str_eq(out, "HTTP/1.1 407 Proxy Authentication Required\r\n"
                          "Proxy-Authenticate: Basic realm=\"tws\"\r\nContent-Type: text/plain\r\n"
                          "Content-Length: 12\r\nConnection: close\r\n\r\nwho are you\n");
    w = tws_writer(out, TWS_HTTP_ANSWER_MAX);
    tws_http_write_connected(&w);
    out[w.len] = '\0';
    ck_assert_str_eq(out, "HTTP/1.1 200 Connection established\r\n\r\n");
}
END_TEST

START_TEST(a_status_tells_the_true_reason)
{
    ck_assert_uint_eq(tws_http_status_of(TWS_CODE_FORBIDDEN), 403);
    ck_assert_uint_eq(tws_http_status_of(TWS_CODE_RESOLVE), 502);
    ck_assert_uint_eq(tws_http_status_of(TWS_CODE_REFUSED), 502);
    ck_assert_uint_eq(tws_http_status_of(TWS_CODE_UNREACHABLE), 502);
    ck_assert_uint_eq(tws_http_status_of(TWS_CODE_TIMEOUT), 504);
    ck_assert_uint_eq(tws_http_status_of(TWS_CODE_RESOURCES), 503);
    ck_assert_uint_eq(tws_http_status_of(9999), 502);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("http_proxy");

    tcase_add_loop_test(tc, connect_goes_where_it_says, 0, COUNT_OF(connects));
    tcase_add_loop_test(tc, a_url_becomes_what_its_server_expects, 0, COUNT_OF(rewrites));
    tcase_add_test(tc, the_body_s_framing_is_known);
    tcase_add_loop_test(tc, what_could_be_read_in_two_ways_is_refused, 0, COUNT_OF(wrong));
    tcase_add_test(tc, a_nul_is_refused);
    tcase_add_loop_test(tc, a_login_fits_itself_and_no_other, 0, COUNT_OF(logins));
    tcase_add_test(tc, another_scheme_is_no_login);
    tcase_add_test(tc, an_answer_is_whole_and_closes);
    tcase_add_test(tc, a_status_tells_the_true_reason);
    return run_suite("proto/http_proxy", tc);
}

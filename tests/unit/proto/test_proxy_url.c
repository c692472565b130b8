/* test_proxy_url.c - URLs of proxies, and what is wrong with others. */
#include "suite.h"

#include "tws/proto/proxy_url.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    enum tws_proxy_kind kind;
    const char *host;
    uint16_t port;
    const char *user, *password; /* NULL: none */
} good[] = {
    {"http://p:3128", TWS_PROXY_HTTP, "p", 3128, NULL, NULL},
    {"http://p", TWS_PROXY_HTTP, "p", 80, NULL, NULL},
    {"HTTP://p:3128/", TWS_PROXY_HTTP, "p", 3128, NULL, NULL},
    {"p:3128", TWS_PROXY_HTTP, "p", 3128, NULL, NULL},
    {"u:w@p:3128", TWS_PROXY_HTTP, "p", 3128, "u", "w"},
    {"socks5://p", TWS_PROXY_SOCKS5, "p", 1080, NULL, NULL},
    {"SOCKS5h://[::1]", TWS_PROXY_SOCKS5H, "::1", 1080, NULL, NULL},
    {"socks5h://[::1]:9050", TWS_PROXY_SOCKS5H, "::1", 9050, NULL, NULL},
    {"socks5h://u@p", TWS_PROXY_SOCKS5H, "p", 1080, "u", ""},
    {"socks5://u:@p", TWS_PROXY_SOCKS5, "p", 1080, "u", ""},
    {"http://a%40b:c%3ad%2F@p:1", TWS_PROXY_HTTP, "p", 1, "a@b", "c:d/"},
    {"http://u:p@ss@p:1", TWS_PROXY_HTTP, "p", 1, "u", "p@ss"},
    {"http://u:a:b@p:1", TWS_PROXY_HTTP, "p", 1, "u", "a:b"},
    {"socks5://a%3ab:c@p", TWS_PROXY_SOCKS5, "p", 1080, "a:b", "c"},
};

START_TEST(a_proxy_has_a_kind_an_address_and_maybe_a_login)
{
    struct tws_proxy_url url;
    const char *why = "?";

    ck_assert_int_eq(tws_proxy_url_parse(good[_i].text, &url, &why), TWS_OK);
    ck_assert_ptr_null(why);
    ck_assert_int_eq(url.kind, good[_i].kind);
    ck_assert_str_eq(url.address.host, good[_i].host);
    ck_assert_uint_eq(url.address.port, good[_i].port);
    ck_assert_int_eq(url.has_login, good[_i].user != NULL);
    if (good[_i].user == NULL)
        return;
    ck_assert_str_eq(url.user, good[_i].user);
    ck_assert_str_eq(url.password, good[_i].password);
}
END_TEST

static const char *const bad[] = {
    "",
    "http://",
    "https://p:1", /* TLS to the proxy */
    "socks4://p:1",
    "ftp://p:1",
    "http://p:1/path",
    "http://p:1?query",
    "http://:1",
    "http://p:0",
    "http://p:65536",
    "http://@p:1",
    "http://:secret@p:1",
    "http://u%zz@p:1",
    "http://u%4@p:1",
    "http://u%00@p:1",
    "http://a%3ab:secret@p:1", /* Basic has no form for it */
    "http://u:secret@",
    "http://p p:1",
};

START_TEST(what_is_no_proxy_is_refused_without_its_password)
{
    struct tws_proxy_url url;
    const char *why = NULL;

    ck_assert_int_eq(tws_proxy_url_parse(bad[_i], &url, &why), TWS_ABSENT);
    ck_assert_ptr_nonnull(why);
    ck_assert_ptr_null(strstr(why, "secret"));
    ck_assert_uint_eq(url.user[0], 0);
    ck_assert_uint_eq(url.password[0], 0);
}
END_TEST

START_TEST(a_proxy_that_wants_tls_is_refused_by_that_name)
{
    struct tws_proxy_url url;
    const char *why = NULL;

    ck_assert_int_eq(tws_proxy_url_parse("https://u:secret@p:1", &url, &why), TWS_ABSENT);
    ck_assert_ptr_nonnull(strstr(why, "no TLS"));
    ck_assert_ptr_null(strstr(why, "secret"));
}
END_TEST

START_TEST(a_login_may_have_255_characters)
{
    char text[600], login[257];
    struct tws_proxy_url url;
    const char *why = NULL;

    memset(login, 'u', sizeof login);
    login[255] = '\0';
    snprintf(text, sizeof text, "socks5://%s:%s@p", login, login);
    ck_assert_int_eq(tws_proxy_url_parse(text, &url, &why), TWS_OK);
    login[255] = 'u';
    login[256] = '\0';
    snprintf(text, sizeof text, "socks5://%s:p@p", login);
    ck_assert_int_eq(tws_proxy_url_parse(text, &url, &why), TWS_ABSENT);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("proxy_url");

    tcase_add_loop_test(tc, a_proxy_has_a_kind_an_address_and_maybe_a_login, 0, COUNT_OF(good));
    tcase_add_loop_test(tc, what_is_no_proxy_is_refused_without_its_password, 0, COUNT_OF(bad));
    tcase_add_test(tc, a_proxy_that_wants_tls_is_refused_by_that_name);
    tcase_add_test(tc, a_login_may_have_255_characters);
    return run_suite("proto/proxy_url", tc);
}

/* test_proxy_env.c - the proxy that the environment names, by curl's rules. */
#include "app_support.h"

#include "tws/app/config.h"

static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                    "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

static const struct {
    const char *environment[3]; /* NAME=value */
    const char *url;
    const char *proxy; /* NULL: none */
} cases[] = {
    {{NULL}, "wss://h", NULL},
    {{"HTTPS_PROXY=http://p:1"}, "wss://h", "http://p:1"},
    {{"https_proxy=http://p:1", "HTTPS_PROXY=http://q:1"}, "wss://h", "http://p:1"},
    {{"https_proxy=", "HTTPS_PROXY=http://q:1"}, "wss://h", "http://q:1"},
    {{"https_proxy=http://p:1"}, "ws://h", NULL},
    {{"http_proxy=http://p:1"}, "ws://h", "http://p:1"},
    {{"http_proxy=http://p:1"}, "wss://h", NULL},
    {{"HTTP_PROXY=http://p:1"}, "ws://h", NULL}, /* a stranger's header in a CGI */
    {{"ALL_PROXY=http://p:1"}, "wss://h", "http://p:1"},
    {{"ALL_PROXY=http://p:1"}, "ws://h", "http://p:1"},
    {{"all_proxy=http://p:1", "ALL_PROXY=http://q:1"}, "ws://h", "http://p:1"},
    {{"all_proxy=http://a:1", "https_proxy=http://p:1"}, "wss://h", "http://p:1"},
    {{"https_proxy=p:3128"}, "wss://h", "http://p:3128"},
    {{"https_proxy=http://p:1", "no_proxy=*"}, "wss://h", NULL},
    {{"https_proxy=http://p:1", "no_proxy=h"}, "wss://h", NULL},
    {{"https_proxy=http://p:1", "NO_PROXY=h"}, "wss://h", NULL},
    {{"https_proxy=http://p:1", "no_proxy=a, b ,example.com"}, "wss://www.example.com", NULL},
    {{"https_proxy=http://p:1", "no_proxy=.example.com"}, "wss://www.Example.com", NULL},
    {{"https_proxy=http://p:1", "no_proxy=.example.com"}, "wss://example.com", NULL},
    {{"https_proxy=http://p:1", "no_proxy=example.com"}, "wss://badexample.com", "http://p:1"},
    {{"https_proxy=http://p:1", "no_proxy=ample.com"}, "wss://example.com", "http://p:1"},
    {{"http_proxy=http://p:1", "no_proxy=localhost,127.0.0.1"}, "ws://127.0.0.1:80", NULL},
    {{"http_proxy=http://p:1", "no_proxy=127.0.0.0/8"}, "ws://127.9.9.9:80", NULL},
    {{"http_proxy=http://p:1", "no_proxy=0.0.1"}, "ws://127.0.0.1:80", "http://p:1"},
    {{"http_proxy=http://p:1", "no_proxy=[::1]"}, "ws://[::1]", NULL},
    {{"http_proxy=http://p:1", "no_proxy=::1"}, "ws://[::1]", NULL},
    {{"http_proxy=http://p:1", "no_proxy=,,"}, "ws://h", "http://p:1"},
};

/* NAME=value into the environment. */
static void set(const char *assignment)
{
    char name[32];
    size_t n = strcspn(assignment, "=");

    snprintf(name, sizeof name, "%.*s", (int)n, assignment);
    setenv(name, assignment + n + 1, 1);
}

START_TEST(the_environment_names_the_proxy)
{
    struct tws_url url;
    const char *why = NULL;
    char *proxy = NULL;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    for (size_t i = 0; i < 3 && cases[_i].environment[i] != NULL; i++)
        set(cases[_i].environment[i]);
    ck_assert_int_eq(tws_url_parse(cases[_i].url, &url, &why), TWS_OK);
    ck_assert_int_eq(tws_proxy_from_env(url.tls, &url.server, &proxy), TWS_OK);
    if (cases[_i].proxy == NULL)
        ck_assert_ptr_null(proxy);
    else
        ck_assert_str_eq(proxy, cases[_i].proxy);
    free(proxy);
    free(url.path);
}
END_TEST

static const struct {
    const char *url;
    bool good;
} proxies[] = {
    {"http://p:3128", true},     {"http://user:pass@p:3128", true},
    {"http://[::1]:1/", true},   {"HTTP://p:1", true},
    {"http://u:p@ss@p:1", true}, {"http://p", false},
    {"https://p:1", false},      {"socks5://p:1", true},
    {"socks5h://u:p@p", true},   {"socks4://p:1", false},
    {"http://p:1/path", false},  {"http://:1", false},
    {"http://", false},          {"p:1", true},
};

START_TEST(a_proxy_is_http_with_a_port_or_socks5)
{
    ck_assert_int_eq(tws_proxy_check(proxies[_i].url) == NULL, proxies[_i].good);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("proxy_env");

    LOOP(tc, the_environment_names_the_proxy, cases);
    LOOP(tc, a_proxy_is_http_with_a_port_or_socks5, proxies);
    return run_suite("app/proxy_env", tc);
}

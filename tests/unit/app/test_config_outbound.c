/* test_config_outbound.c - how the client shows itself and what it demands: what is taken of the
 * file, and the words for what cannot be. */
#include "config_support.h"

#define REST     "listen: 127.0.0.1:1\nremote: a:1\n" KEY_FILE "proxy: none\n"
#define NO_PROXY "listen: 127.0.0.1:1\nremote: a:1\n" KEY_FILE
#define SERVER   "server: wss://h/p\n"
#define PIN      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

START_TEST(everything_about_the_way_out_is_taken)
{
    static const char yaml[] = REST SERVER "headers: ['Authorization:  Basic abc ', 'X-A: ', "
                                           "\"Cookie: a=1; b=2\"]\n"
                                           "host: front.example:8443\n"
                                           "sni: front.example\n"
                                           "pin: [" PIN "]\n"
                                           "tls_min: 1.3\n"
                                           "insecure: true\n";
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text, ""); /* insecure with a pin is no reason to warn */
    ck_assert_str_eq(c->outbound.headers,
                     "Authorization: Basic abc \r\nX-A: \r\nCookie: a=1; b=2\r\n");
    ck_assert_str_eq(c->outbound.host, "front.example:8443");
    ck_assert_str_eq(c->outbound.sni, "front.example");
    ck_assert_uint_eq(c->outbound.pins.n, 1);
    ck_assert(c->outbound.tls13);
    tws_client_config_free(c);
}
END_TEST

START_TEST(nothing_is_demanded_that_was_not_asked_for)
{
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(REST SERVER "sni: none\n", &said, &c), TWS_OK);
    ck_assert_ptr_null(c->outbound.headers);
    ck_assert_ptr_null(c->outbound.host);
    ck_assert_str_eq(c->outbound.sni, "");
    ck_assert_uint_eq(c->outbound.pins.n, 0);
    ck_assert(!c->outbound.tls13);
    ck_assert_uint_eq(c->servers[0].at.n, 0);
    tws_client_config_free(c);
}
END_TEST

static const struct {
    const char *yaml;
    size_t at, proxy_at;
} resolves[] = {
    {REST SERVER "resolve: ['h:443:192.0.2.1']\n", 1, 0},
    {REST SERVER "resolve: ['H:443:192.0.2.1,[2001:db8::1],::1']\n", 3, 0},
    {REST SERVER "resolve: ['*:443:192.0.2.1']\n", 1, 0},
    {REST SERVER "resolve: ['192.0.2.1,::1']\n", 2, 0},
    {REST SERVER "resolve: ['::1']\n", 1, 0},
    {REST "server: wss://[::1]:8443/\nresolve: ['[::1]:8443:::2']\n", 1, 0},
    {NO_PROXY SERVER "proxy: socks5h://p\nresolve: ['p:1080:192.0.2.1']\n", 0, 1},
    {NO_PROXY SERVER "proxy: socks5://p\nresolve: ['p:1080:::1', 'h:443:::1,::2']\n", 2, 1},
    {NO_PROXY SERVER "proxy: socks5://p\nresolve: ['::1']\n", 1, 0},
};

START_TEST(addresses_are_given_for_servers_and_proxies)
{
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(resolves[_i].yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_uint_eq(c->servers[0].at.n, resolves[_i].at);
    ck_assert_uint_eq(c->servers[0].proxy_at.n, resolves[_i].proxy_at);
    tws_client_config_free(c);
}
END_TEST

#define RESOLVE_EXPECTED "expected host:port:address[,address...], at most 8 addresses\n"

static const struct {
    const char *yaml, *says;
} wrong[] = {
    {"headers: ['Host: x']\n",
     "f:6: headers: \"Host\": the tunnel makes this header itself; set host instead\n"},
    {"headers: ['UPGRADE: x']\n",
     "f:6: headers: \"UPGRADE\": the tunnel makes this header itself\n"},
    {"headers: ['sec-websocket-key: secret']\n",
     "f:6: headers: \"sec-websocket-key\": the tunnel makes this header itself\n"},
    {"headers: ['Tws-Session: secret']\n",
     "f:6: headers: \"Tws-Session\": the tunnel makes this header itself\n"},
    {"headers: ['Proxy-Authorization: secret']\n",
     "f:6: headers: \"Proxy-Authorization\": the tunnel makes this header itself; give user and "
     "password in proxy\n"},
    {"headers: [\"X-A: secret\\r\\nEvil: 1\"]\n",
     "f:6: headers: \"X-A\": the value has a line break or another control character\n"},
    {"headers: [\"X-A: secret\\nEvil: 1\"]\n",
     "f:6: headers: \"X-A\": the value has a line break or another control character\n"},
    {"headers: ['X A: secret']\n", "f:6: headers: \"X\": expected \"Name: value\"\n"},
    {"headers: [': secret']\n", "f:6: headers: \"\": expected \"Name: value\"\n"},
    {"headers: ['secret']\n", "f:6: headers: \"secret\": expected \"Name: value\"\n"},
    {"host: 'a b'\n",
     "f:6: host: found \"a b\", expected a name such as example.com, maybe with a port\n"},
    {"host: \"a\\r\\nX: 1\"\n",
     "f:6: host: found \"a??X: 1\", expected a name such as example.com, "
     "maybe with a port\n"},
    {"sni: 192.0.2.1\n", "f:6: sni: found \"192.0.2.1\", expected a name, or none to send none\n"},
    {"sni: 'a b'\n", "f:6: sni: found \"a b\", expected a name, or none to send none\n"},
    {"pin: [sha256//AAAA]\n",
     "f:6: pin: found \"sha256//AAAA\", expected sha256// and 44 characters of base64\n"},
    {"cert_file: /nowhere/cert\n", "f:6: /nowhere/cert: No such file or directory\n"},
    {"cert_key_file: /nowhere/key\n",
     "f:6: cert_key_file: its certificate is missing: set cert_file\n"},
    {"resolve: ['h:443:x']\n", "f:6: resolve: found \"h:443:x\", " RESOLVE_EXPECTED},
    {"resolve: ['h:443']\n", "f:6: resolve: found \"h:443\", " RESOLVE_EXPECTED},
    {"resolve: ['h:443:']\n", "f:6: resolve: found \"h:443:\", " RESOLVE_EXPECTED},
    {"resolve: ['h:443:::1,']\n", "f:6: resolve: found \"h:443:::1,\", " RESOLVE_EXPECTED},
    {"resolve: ['::1,::1,::1,::1,::1,::1,::1,::1,::1']\n",
     "f:6: resolve: found \"::1,::1,::1,::1,::1,::1,::1,::1,::1\", " RESOLVE_EXPECTED},
    {"resolve: ['other:443:::1']\n",
     "f:6: resolve: \"other:443:::1\" is for no server and no proxy here\n"},
    {"resolve: ['h:80:::1']\n", "f:6: resolve: \"h:80:::1\" is for no server and no proxy here\n"},
    {"tls_min: 1.1\n", "f:6:10: tls_min: found \"1.1\", expected 1.2 or 1.3\n"},
};

START_TEST(what_cannot_be_is_said_without_showing_a_header)
{
    struct tws_client_config *c = NULL;
    struct said said;
    char yaml[1024];

    snprintf(yaml, sizeof yaml, "%s%s%s", REST, SERVER, wrong[_i].yaml);
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, wrong[_i].says);
}
END_TEST

START_TEST(a_key_is_pinned_only_where_there_is_one)
{
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(REST "server: ws://localhost/\npin: [" PIN "]\n", &said, &c),
                     TWS_CONFIG);
    ck_assert_str_eq(said.text, "f:6: pin: a ws:// server has no key to pin; use wss://\n");
}
END_TEST

START_TEST(headers_have_a_limit_together)
{
    struct tws_client_config *c = NULL;
    struct said said;
    char yaml[6000], value[1501];

    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = '\0';
    snprintf(yaml, sizeof yaml, "%s%sheaders: ['A: %s', 'B: %s']\n", REST, SERVER, value, value);
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, "f:6: headers: found 3010 bytes together, expected at most 2048\n");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config_outbound");

    add_keys(tc);
    tcase_add_test(tc, everything_about_the_way_out_is_taken);
    tcase_add_test(tc, nothing_is_demanded_that_was_not_asked_for);
    tcase_add_loop_test(tc, addresses_are_given_for_servers_and_proxies, 0, COUNT_OF(resolves));
    tcase_add_loop_test(tc, what_cannot_be_is_said_without_showing_a_header, 0, COUNT_OF(wrong));
    tcase_add_test(tc, a_key_is_pinned_only_where_there_is_one);
    tcase_add_test(tc, headers_have_a_limit_together);
    return run_suite("app/config_outbound", tc);
}

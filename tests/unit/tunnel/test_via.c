/* test_via.c - a name behind an upstream proxy: which of its addresses the server asks for, and
 * what the client is told. The test's thread is the proxy. */
#include "suite.h"
#include "tunnel_world.h"

#include "tws/net/resolver.h"

#include <netdb.h>

#define ALL 24 /* addresses of the name: 192.0.2.1 and on, every third 198.51.100.x */

static struct tws_proxy_url upstream;
static struct tws_outlet outlets[2];
static struct tws_rule networks[2], allowed[2];

static int lookup(const char *host, struct tws_ip ips[TWS_RESOLVED_MAX], size_t *count)
{
    char text[32];

    if (strcmp(host, "many.test") != 0)
        return EAI_NONAME;
    for (int i = 1; i <= ALL; i++) {
        snprintf(text, sizeof text, i % 3 == 0 ? "198.51.100.%d" : "192.0.2.%d", i);
        if (tws_ip_parse(text, &ips[(*count)++]) != TWS_OK)
            return EAI_FAIL;
    }
    return 0;
}

static void use_lookup(struct world *w)
{
    ck_assert_int_eq(tws_resolver_replace(w->loop, lookup), TWS_OK);
}

static struct tws_rule network(const char *text)
{
    struct tws_rule r = {.port_min = 1, .port_max = 65535};

    ck_assert_int_eq(tws_prefix_parse(text, &r.prefix), TWS_OK);
    return r;
}

/* 192.0.2.0/24 is behind the proxy, which is the target's socket; the rest behind what is not
 * there. */
static struct world *begin(enum tws_proxy_kind kind, const char *may, const char *may_too)
{
    static struct tws_proxy_url nobody;
    struct world *w = world_new();
    struct tws_hostport many = {"many.test", 9};

    world_do(w, use_lookup);
    upstream = (struct tws_proxy_url){.kind = kind, .address = local_port(port_of(w->target))};
    nobody = (struct tws_proxy_url){.kind = kind, .address = local_port(free_port())};
    networks[0] = network("192.0.2.0/24");
    outlets[0] = (struct tws_outlet){.to = networks, .nto = 1, .via = &upstream};
    outlets[1] = (struct tws_outlet){.via = &nobody};
    w->server_cfg.outlets = outlets;
    w->server_cfg.noutlets = 2;
    w->forwards[0].remote = tws_spot_of(&many);
    allowed[0] = network(may);
    allowed[1] = network(may_too);
    w->user.allow_all = false;
    w->user.allow = allowed;
    w->user.nallow = 2;
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "link up", 4);
    return w;
}

/* The last byte of the address that the proxy is asked for; its answer is owed. */
static int await_question(struct world *w, int *proxy)
{
    uint8_t b[10];

    *proxy = world_accept(w);
    ck_assert_int_eq(recv(*proxy, b, 3, MSG_WAITALL), 3);
    ck_assert_int_eq(send(*proxy, "\5\0", 2, MSG_NOSIGNAL), 2);
    ck_assert_int_eq(recv(*proxy, b, 10, MSG_WAITALL), 10);
    ck_assert_mem_eq(b, "\5\1\0\1", 4);
    ck_assert_mem_eq(b + 8, "\0\11", 2);
    return b[7];
}

static void answer(int proxy, uint8_t reply)
{
    uint8_t b[10] = {5, reply, 0, 1};

    ck_assert_int_eq(send(proxy, b, sizeof b, MSG_NOSIGNAL), (ssize_t)sizeof b);
    if (reply != 0)
        close(proxy);
}

static void expect_refused(struct world *w, int near, const char *said)
{
    char c;

    ck_assert_int_le(recv(near, &c, 1, 0), 0);
    close(near);
    world_await_log(w, said, 1);
}

START_TEST(the_next_allowed_address_of_the_same_record_is_asked_for)
{
    struct world *w = begin(TWS_PROXY_SOCKS5H, "192.0.2.2/31", "192.0.2.5/32");
    int near = world_connect(w, 0), proxy;

    ck_assert_int_eq(await_question(w, &proxy), 2);
    answer(proxy, 4);
    ck_assert_int_eq(await_question(w, &proxy), 5);
    answer(proxy, 0);
    put_text(proxy, "here");
    expect_text(near, "here");
    put_text(near, "there");
    expect_text(proxy, "there");
    close(proxy);
    close(near);
    world_free(w);
}
END_TEST

START_TEST(addresses_are_not_asked_for_without_end)
{
    static const int asked[] = {1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23};
    struct world *w = begin(TWS_PROXY_SOCKS5, "0.0.0.0/0", "0.0.0.0/0");
    int near = world_connect(w, 0), proxy;

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        ck_assert_int_eq(await_question(w, &proxy), asked[i]);
        answer(proxy, i == 3 ? 5 : 4);
    }
    expect_refused(w, near,
                   "code=10 reason=\"connection refused\" text=\"the upstream proxy could "
                   "not reach it\"");
    world_await_log(w, "upstream proxy reached no target", 1);
    ck_assert_uint_eq(world_count_log(w, "upstream proxy failed"), 0);
    world_free(w);
}
END_TEST

START_TEST(a_refusal_by_the_proxy_is_the_end)
{
    struct world *w = begin(TWS_PROXY_SOCKS5, "0.0.0.0/0", "0.0.0.0/0");
    int near = world_connect(w, 0), proxy;

    ck_assert_int_eq(await_question(w, &proxy), 1);
    answer(proxy, 2);
    expect_refused(w, near, "code=8 reason=\"forbidden\" text=\"the upstream proxy failed\"");
    world_await_log(w, "upstream proxy failed", 1);
    world_free(w);
}
END_TEST

static void allow_less(struct world *w)
{
    allowed[0] = network("192.0.2.1/32");
    allowed[1] = network("192.0.2.4/32");
    ck_assert_int_eq(tws_server_reload(w->server, &w->server_cfg), TWS_OK);
}

START_TEST(rules_that_change_meanwhile_hold_for_the_next_address)
{
    struct world *w = begin(TWS_PROXY_SOCKS5, "0.0.0.0/0", "0.0.0.0/0");
    int near = world_connect(w, 0), proxy;

    ck_assert_int_eq(await_question(w, &proxy), 1);
    world_do(w, allow_less);
    answer(proxy, 4);
    ck_assert_int_eq(await_question(w, &proxy), 4);
    answer(proxy, 4);
    expect_refused(w, near, "could not reach it");
    world_free(w);
}
END_TEST

START_TEST(a_proxy_that_is_gone_is_named_in_the_servers_log)
{
    static struct tws_proxy_url unknown = {.address = {"proxy.test", 3128}};
    struct world *w = begin(TWS_PROXY_HTTP, "198.51.100.0/24", "198.51.100.0/24");

    expect_refused(w, world_connect(w, 0), "code=11 reason=\"unreachable\"");
    world_await_log(w, "reason=\"cannot connect to it: Connection refused\"", 1);
    outlets[1].via = &unknown;
    expect_refused(w, world_connect(w, 0),
                   "via=proxy.test:3128 address=- target=many.test:9 "
                   "reason=\"cannot resolve its name: ");
    world_free(w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("via");

    tcase_set_timeout(t, 0); /* the tests' own patience ends first */
    tcase_add_test(t, the_next_allowed_address_of_the_same_record_is_asked_for);
    tcase_add_test(t, addresses_are_not_asked_for_without_end);
    tcase_add_test(t, a_refusal_by_the_proxy_is_the_end);
    tcase_add_test(t, rules_that_change_meanwhile_hold_for_the_next_address);
    tcase_add_test(t, a_proxy_that_is_gone_is_named_in_the_servers_log);
    return run_suite("tunnel/via", t);
}

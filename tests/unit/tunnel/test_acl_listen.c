/* test_acl_listen.c - where a user may have the server listen. */
#include "suite.h"

#include "tws/proto/frame.h"
#include "tws/tunnel/acl.h"

#include <stdio.h>

#define RULES 2
#define ANY   1, 65535

struct rule_text {
    const char *what; /* a prefix, localhost, or a path */
    uint16_t port_min, port_max;
};

static const struct row {
    const char *about;
    struct rule_text rules[RULES];
    const char *asked;
    uint16_t port;
    const char *where; /* the host to listen on; NULL: refused */
} rows[] = {
    {"nothing is allowed by default", {{0}}, "127.0.0.1", 2222, NULL},
    {"the address and port", {{"127.0.0.1", 2222, 2222}}, "127.0.0.1", 2222, "127.0.0.1"},
    {"another port", {{"127.0.0.1", 2222, 2222}}, "127.0.0.1", 2223, NULL},
    {"another address", {{"127.0.0.1", ANY}}, "127.0.0.2", 2222, NULL},
    {"the ends of a range", {{"127.0.0.1", 80, 90}}, "127.0.0.1", 90, "127.0.0.1"},
    {"behind a range", {{"127.0.0.1", 80, 90}}, "127.0.0.1", 91, NULL},
    {"an address of a network", {{"10.0.0.0/8", ANY}}, "10.1.2.3", 80, "10.1.2.3"},
    {"IPv4 written as IPv6", {{"10.0.0.0/8", ANY}}, "::ffff:10.1.2.3", 80, "10.1.2.3"},
    {"IPv6", {{"2001:db8::/32", ANY}}, "2001:db8::7", 80, "2001:db8::7"},
    {"IPv6 is not IPv4's", {{"0.0.0.0/0", ANY}}, "2001:db8::7", 80, NULL},
    {"the second rule", {{"10.0.0.1", ANY}, {"::1", 80, 80}}, "::1", 80, "::1"},
    {"rules lend each other no ports", {{"10.0.0.1", 80, 80}, {"::1", 81, 81}}, "::1", 80, NULL},

    {"every IPv4 address by the rule for all", {{"0.0.0.0/0", ANY}}, "0.0.0.0", 80, "0.0.0.0"},
    {"every IPv4 address as it is spelled", {{"0.0.0.0", 80, 80}}, "0.0.0.0", 80, "0.0.0.0"},
    {"its port counts", {{"0.0.0.0", 80, 80}}, "0.0.0.0", 81, NULL},
    {"a half of all is not all", {{"0.0.0.0/1", ANY}}, "0.0.0.0", 80, NULL},
    {"a network is not all", {{"10.0.0.0/8", ANY}}, "0.0.0.0", 80, NULL},
    {"loopback is not all", {{"127.0.0.0/8", ANY}, {"::1", ANY}}, "::", 80, NULL},
    {"all of IPv4 is not all of both", {{"0.0.0.0/0", ANY}}, "::", 80, NULL},
    {"all of IPv6 is not all of both", {{"::/0", ANY}}, "::", 80, NULL},
    {"all of both", {{"0.0.0.0/0", ANY}, {"::/0", ANY}}, "::", 80, ""},
    {"both, each at its port", {{"0.0.0.0/0", 80, 80}, {"::/0", 81, 81}}, "::", 80, NULL},
    {"all of both as it is spelled", {{"::", 80, 80}}, "::", 80, ""},
    {":: spelled is not one of its addresses", {{"::", ANY}}, "2001:db8::7", 80, NULL},
    {"every IPv4 address under a rule for ::", {{"::", ANY}}, "0.0.0.0", 80, "0.0.0.0"},
    {"one address under a rule for all", {{"0.0.0.0/0", ANY}}, "127.0.0.1", 80, "127.0.0.1"},

    {"port 0 where every port is allowed", {{"127.0.0.1", ANY}}, "127.0.0.1", 0, "127.0.0.1"},
    {"every port the kernel chooses", {{"127.0.0.1", 1024, 65535}}, "127.0.0.1", 0, "127.0.0.1"},
    {"port 0 where some are not", {{"127.0.0.1", 1025, 65535}}, "127.0.0.1", 0, NULL},
    {"port 0 where the last is not", {{"127.0.0.1", 1, 65534}}, "127.0.0.1", 0, NULL},

    {"localhost by name", {{"localhost", ANY}}, "localhost", 80, "localhost"},
    {"localhost in capitals", {{"localhost", ANY}}, "LocalHost", 80, "localhost"},
    {"localhost's port", {{"localhost", 80, 80}}, "localhost", 81, NULL},
    {"localhost by both addresses",
     {{"127.0.0.0/8", ANY}, {"::1", ANY}},
     "localhost",
     80,
     "localhost"},
    {"localhost by its IPv4", {{"127.0.0.1", ANY}}, "localhost", 80, "127.0.0.1"},
    {"localhost by its IPv6", {{"::1", ANY}}, "localhost", 80, "::1"},
    {"localhost, but one address at another port",
     {{"127.0.0.1", 80, 80}, {"::1", 81, 81}},
     "localhost",
     81,
     "::1"},
    {"the rule localhost is the name's", {{"localhost", ANY}}, "127.0.0.1", 80, NULL},
    {"no other name is listened on", {{"0.0.0.0/0", ANY}, {"::/0", ANY}}, "a.example", 80, NULL},
    {"not even one that a rule spells", {{"a.example", ANY}}, "a.example", 80, NULL},

    {"a unix socket by its path", {{"/run/a", ANY}}, "/run/a", 0, "/run/a"},
    {"another path", {{"/run/a", ANY}}, "/run/b", 0, NULL},
    {"one of a directory", {{"/run/x/*", ANY}}, "/run/x/a", 0, "/run/x/a"},
    {"out of a directory", {{"/run/x/*", ANY}}, "/run/x/../a", 0, NULL},
    {"below a directory", {{"/run/x/*", ANY}}, "/run/x/y/a", 0, NULL},
    {"an abstract one", {{"@a*", ANY}}, "@abc", 0, "@abc"},
    {"a path under rules for every address", {{"0.0.0.0/0", ANY}, {"::/0", ANY}}, "/a", 0, NULL},
    {"an address under a rule for paths", {{"/*", ANY}}, "127.0.0.1", 80, NULL},
};

static bool is_path(const char *text)
{
    return text[0] == '/' || text[0] == '@';
}

static struct tws_target target_of(const char *host, uint16_t port)
{
    struct tws_spot spot = {.type = TWS_SPOT_INET, .port = port, .last = port};
    struct tws_target t;

    if (is_path(host))
        spot.type = TWS_SPOT_UNIX;
    (void)snprintf(spot.name, sizeof spot.name, "%s", host);
    tws_target_from_spot(&spot, &t);
    return t;
}

static void make_rule(const struct rule_text *text, struct tws_rule *r)
{
    *r = (struct tws_rule){.port_min = text->port_min, .port_max = text->port_max};
    r->is_path = is_path(text->what);
    if (r->is_path || tws_prefix_parse(text->what, &r->prefix) != TWS_OK)
        r->name = (char *)(uintptr_t)text->what;
}

START_TEST(a_row_is_decided_as_it_says)
{
    const struct row *row = &rows[_i];
    struct tws_rule rules[RULES];
    struct tws_user u = {.listen = rules};
    const struct tws_target t = target_of(row->asked, row->port);
    struct tws_spot where;

    while (u.nlisten < RULES && row->rules[u.nlisten].what != NULL) {
        make_rule(&row->rules[u.nlisten], &rules[u.nlisten]);
        u.nlisten++;
    }
    bool allowed = tws_acl_listen(&u, TWS_KIND_TCP, &t, &where);
    ck_assert_msg(allowed == (row->where != NULL), "%s: %s", row->about,
                  allowed ? where.name : "refused");
    if (!allowed)
        return;
    ck_assert_msg(strcmp(where.name, row->where) == 0, "%s: %s", row->about, where.name);
    ck_assert_uint_eq(where.port, row->port);
    ck_assert_int_eq(where.type, is_path(row->asked) ? TWS_SPOT_UNIX : TWS_SPOT_INET);
}
END_TEST

START_TEST(rules_for_targets_allow_no_listening)
{
    struct tws_rule rule = {.port_min = 1, .port_max = 65535};
    struct tws_user u = {.allow = &rule, .nallow = 1, .allow_all = true};
    struct tws_target t = {.type = TWS_TARGET_IPV4, .ip = {4, {127, 0, 0, 1}}, .port = 80};
    struct tws_spot where;

    ck_assert_int_eq(tws_prefix_parse("0.0.0.0/0", &rule.prefix), TWS_OK);
    ck_assert(!tws_acl_listen(&u, TWS_KIND_TCP, &t, &where));
}
END_TEST

START_TEST(a_rule_for_one_protocol_is_not_for_the_other)
{
    struct tws_rule rule = {.port_min = 1, .port_max = 65535, .protocol = TWS_RULE_UDP};
    struct tws_user u = {.listen = &rule, .nlisten = 1};
    struct tws_target t = {.type = TWS_TARGET_IPV4, .ip = {4, {127, 0, 0, 1}}};
    struct tws_spot where;

    ck_assert_int_eq(tws_prefix_parse("0.0.0.0/0", &rule.prefix), TWS_OK);
    for (t.port = 0; t.port < 2; t.port++) {
        ck_assert(!tws_acl_listen(&u, TWS_KIND_TCP, &t, &where));
        ck_assert(tws_acl_listen(&u, TWS_KIND_UDP, &t, &where));
    }
    rule.protocol = TWS_RULE_BOTH;
    ck_assert(tws_acl_listen(&u, TWS_KIND_TCP, &t, &where));
}
END_TEST

START_TEST(a_unix_socket_is_for_connections_and_no_longer_than_the_kernel_takes)
{
    struct tws_rule rule = {
        .port_min = 1, .port_max = 65535, .is_path = true, .name = (char *)(uintptr_t) "/*"};
    struct tws_user u = {.listen = &rule, .nlisten = 1};
    struct tws_target t = {.type = TWS_TARGET_UNIX, .name = "/a"};
    struct tws_spot where;

    ck_assert(tws_acl_listen(&u, TWS_KIND_TCP, &t, &where));
    ck_assert(!tws_acl_listen(&u, TWS_KIND_UDP, &t, &where));
    memset(t.name + 1, 'a', TWS_SPOT_PATH_MAX - 1);
    ck_assert(tws_acl_listen(&u, TWS_KIND_TCP, &t, &where));
    t.name[TWS_SPOT_PATH_MAX] = 'a';
    ck_assert(!tws_acl_listen(&u, TWS_KIND_TCP, &t, &where));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("acl_listen");
    tcase_add_loop_test(tc, a_row_is_decided_as_it_says, 0, COUNT_OF(rows));
    tcase_add_test(tc, rules_for_targets_allow_no_listening);
    tcase_add_test(tc, a_rule_for_one_protocol_is_not_for_the_other);
    tcase_add_test(tc, a_unix_socket_is_for_connections_and_no_longer_than_the_kernel_takes);
    return run_suite("tunnel/acl_listen", tc);
}

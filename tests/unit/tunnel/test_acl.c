/* test_acl.c - every rule kind against targets that should and should not get through, spelled in
 * every way that has fooled someone. */
#include "suite.h"

#include "tws/proto/frame.h"
#include "tws/tunnel/acl.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_RULES 4
#define ANY        1, 65535

struct rule_text {
    const char *what; /* a prefix, or a name when it is none */
    uint16_t port_min, port_max;
};

/* One target, and what it resolves to; an address in `target` is a literal. */
struct row {
    const char *about;
    struct rule_text rules[MOST_RULES];
    const char *target;
    uint16_t port;
    const char *resolved; /* NULL: the target is the address itself */
    bool allowed;
};

static const struct row rows[] = {
    /* nothing allows everything */
    {"no rule allows no address", {{0}}, "10.0.0.1", 80, NULL, false},
    {"no rule allows no name", {{0}}, "a.example", 80, "10.0.0.1", false},

    /* prefixes */
    {"an address in the prefix", {{"10.0.0.0/8", ANY}}, "10.255.0.1", 80, NULL, true},
    {"an address beside the prefix", {{"10.0.0.0/8", ANY}}, "11.0.0.0", 80, NULL, false},
    {"a bare address is itself", {{"10.1.2.3", ANY}}, "10.1.2.3", 80, NULL, true},
    {"a bare address is not its neighbour", {{"10.1.2.3", ANY}}, "10.1.2.2", 80, NULL, false},
    {"everything of IPv4", {{"0.0.0.0/0", ANY}}, "8.8.8.8", 53, NULL, true},
    {"everything of IPv4 is nothing of IPv6", {{"0.0.0.0/0", ANY}}, "2001:db8::1", 53, NULL, false},
    {"everything of IPv6 is nothing of IPv4", {{"::/0", ANY}}, "8.8.8.8", 53, NULL, false},
    {"an IPv6 prefix", {{"2001:db8::/32", ANY}}, "2001:db8:ffff::1", 80, NULL, true},
    {"beside an IPv6 prefix", {{"2001:db8::/32", ANY}}, "2001:db9::1", 80, NULL, false},
    {"loopback when its prefix allows it", {{"127.0.0.0/8", ANY}}, "127.0.0.1", 22, NULL, true},
    {"IPv6 loopback by itself", {{"::1", ANY}}, "::1", 22, NULL, true},
    {"IPv6 loopback is not IPv4's", {{"127.0.0.0/8", ANY}}, "::1", 22, NULL, false},
    {"the second rule counts", {{"10.0.0.0/8", ANY}, {"8.8.8.8", ANY}}, "8.8.8.8", 1, NULL, true},

    /* ports */
    {"the port", {{"10.0.0.0/8", 443, 443}}, "10.0.0.1", 443, NULL, true},
    {"below the port", {{"10.0.0.0/8", 443, 443}}, "10.0.0.1", 442, NULL, false},
    {"above the port", {{"10.0.0.0/8", 443, 443}}, "10.0.0.1", 444, NULL, false},
    {"the ends of a range", {{"10.0.0.0/8", 80, 90}}, "10.0.0.1", 90, NULL, true},
    {"behind a range", {{"10.0.0.0/8", 80, 90}}, "10.0.0.1", 91, NULL, false},
    {"a name's port", {{"db.example", 5432, 5432}}, "db.example", 5432, "10.0.0.1", true},
    {"a name's other port", {{"db.example", 5432, 5432}}, "db.example", 22, "10.0.0.1", false},
    {"rules do not lend each other ports",
     {{"db.example", 5432, 5432}, {"10.0.0.0/8", 22, 22}},
     "db.example",
     80,
     "10.0.0.1",
     false},
    {"port 0 is in no rule", {{"0.0.0.0/0", ANY}}, "10.0.0.1", 0, NULL, false},

    /* names */
    {"the name", {{"db.example", ANY}}, "db.example", 1, "10.0.0.1", true},
    {"the name in capitals", {{"db.example", ANY}}, "DB.Example", 1, "10.0.0.1", true},
    {"the name with the root's dot", {{"db.example", ANY}}, "db.example.", 1, "10.0.0.1", true},
    {"another name with the same address",
     {{"db.example", ANY}},
     "x.example",
     1,
     "10.0.0.1",
     false},
    {"a name that ends like it", {{"db.example", ANY}}, "evildb.example", 1, "10.0.0.1", false},
    {"a name that begins like it", {{"db.example", ANY}}, "db.example.evil", 1, "10.0.0.1", false},
    {"the address of an allowed name", {{"db.example", ANY}}, "10.0.0.1", 1, NULL, false},
    {"a name that resolves to IPv6", {{"db.example", ANY}}, "db.example", 1, "2001:db8::1", true},
    {"a name inside the wildcard", {{"*.example", ANY}}, "a.example", 1, "10.0.0.1", true},
    {"deep inside the wildcard", {{"*.example", ANY}}, "a.b.c.example", 1, "10.0.0.1", true},
    {"the wildcard is not its own name", {{"*.example", ANY}}, "example", 1, "10.0.0.1", false},
    {"nor a name that only ends like it", {{"*.example", ANY}}, "aexample", 1, "10.0.0.1", false},
    {"the dot alone is not inside", {{"*.example", ANY}}, ".example", 1, "10.0.0.1", false},
    {"a wildcard in capitals", {{"*.example", ANY}}, "A.EXAMPLE", 1, "10.0.0.1", true},
    {"a star in the target means nothing", {{"a.example", ANY}}, "*.example", 1, "10.0.0.1", false},
    {"an empty name", {{"*.example", ANY}}, "", 1, "10.0.0.1", false},

    /* names by what they resolve to */
    {"a name that resolves into a prefix", {{"10.0.0.0/8", ANY}}, "x.example", 1, "10.9.9.9", true},
    {"a name that resolves beside it", {{"10.0.0.0/8", ANY}}, "x.example", 1, "11.0.0.1", false},
    {"a name that is a number", {{"10.0.0.0/8", ANY}}, "2130706433", 1, "127.0.0.1", false},
    {"a name in hexadecimal", {{"10.0.0.0/8", ANY}}, "0x7f.1", 1, "127.0.0.1", false},

    /* special addresses */
    {"a name that leads to link-local",
     {{"m.example", ANY}},
     "m.example",
     80,
     "169.254.169.254",
     false},
    {"a wildcard that leads there", {{"*.example", ANY}}, "m.example", 80, "fe80::1", false},
    {"a name that leads to multicast", {{"m.example", ANY}}, "m.example", 80, "224.0.0.1", false},
    {"to IPv6 multicast", {{"m.example", ANY}}, "m.example", 80, "ff02::1", false},
    {"to broadcast", {{"m.example", ANY}}, "m.example", 80, "255.255.255.255", false},
    {"to no address", {{"m.example", ANY}}, "m.example", 80, "0.0.0.0", false},
    {"to no address, which Linux dials as loopback",
     {{"m.example", ANY}},
     "m.example",
     80,
     "0.0.0.1",
     false},
    {"to no IPv6 address", {{"m.example", ANY}}, "m.example", 80, "::", false},
    {"all of IPv4 names no link-local", {{"0.0.0.0/0", ANY}}, "169.254.169.254", 80, NULL, false},
    {"nor does all of IPv6 by NAT64", {{"::/0", ANY}}, "64:ff9b::169.254.169.254", 80, NULL, false},
    {"nor a name by NAT64", {{"m.example", ANY}}, "m.example", 80, "64:ff9b::a9fe:1", false},
    {"nor does all of NAT64", {{"64:ff9b::/96", ANY}}, "64:ff9b::169.254.1.1", 80, NULL, false},
    {"other addresses by NAT64", {{"64:ff9b::/96", ANY}}, "64:ff9b::8.8.8.8", 80, NULL, true},
    {"link-local by NAT64 when named",
     {{"64:ff9b::169.254.0.0/112", ANY}},
     "64:ff9b::169.254.1.1",
     80,
     NULL,
     true},
    {"half of IPv4 neither", {{"128.0.0.0/1", ANY}}, "169.254.169.254", 80, NULL, false},
    {"one more than all of it neither", {{"169.254.0.0/15", ANY}}, "169.254.0.1", 80, NULL, false},
    {"all of IPv4 names no 0.0.0.0", {{"0.0.0.0/0", ANY}}, "0.0.0.0", 80, NULL, false},
    {"all of IPv4 names no broadcast", {{"0.0.0.0/0", ANY}}, "255.255.255.255", 80, NULL, false},
    {"all of IPv6 names no ::", {{"::/0", ANY}}, "::", 80, NULL, false},
    {"all of IPv6 names no link-local", {{"::/0", ANY}}, "fe80::1", 80, NULL, false},
    {"all of IPv6 names no multicast", {{"::/0", ANY}}, "ff02::1", 80, NULL, false},
    {"link-local when it is named",
     {{"169.254.169.254/32", ANY}},
     "169.254.169.254",
     80,
     NULL,
     true},
    {"its neighbour is not", {{"169.254.169.254/32", ANY}}, "169.254.169.253", 80, NULL, false},
    {"all of link-local when named", {{"169.254.0.0/16", ANY}}, "169.254.1.1", 80, NULL, true},
    {"IPv6 link-local when named", {{"fe80::/10", ANY}}, "fe80::1", 80, NULL, true},
    {"multicast when named", {{"224.0.0.0/4", ANY}}, "224.1.2.3", 80, NULL, true},
    {"unspecified when named", {{"0.0.0.0/8", ANY}}, "0.0.0.0", 80, NULL, true},
    {":: when named", {{"::/128", ANY}}, "::", 80, NULL, true},
    {"a name that leads to a named one",
     {{"m.example", ANY}, {"169.254.169.254", ANY}},
     "m.example",
     80,
     "169.254.169.254",
     true},
    {"and only on the named port",
     {{"m.example", ANY}, {"169.254.169.254", 443, 443}},
     "m.example",
     80,
     "169.254.169.254",
     false},

    /* IPv4 spelled as IPv6 */
    {"mapped into the prefix", {{"10.0.0.0/8", ANY}}, "::ffff:10.0.0.1", 80, NULL, true},
    {"mapped beside the prefix", {{"10.0.0.0/8", ANY}}, "::ffff:11.0.0.1", 80, NULL, false},
    {"mapped is not allowed by all of IPv6", {{"::/0", ANY}}, "::ffff:10.0.0.1", 80, NULL, false},
    {"a name that leads to mapped loopback",
     {{"10.0.0.0/8", ANY}},
     "m.example",
     80,
     "::ffff:127.0.0.1",
     false},
    {"a name that leads to mapped link-local",
     {{"m.example", ANY}},
     "m.example",
     80,
     "::ffff:169.254.169.254",
     false},
    {"mapped link-local under all of IPv4",
     {{"0.0.0.0/0", ANY}},
     "::ffff:169.254.169.254",
     80,
     NULL,
     false},
    {"mapped unspecified", {{"m.example", ANY}}, "m.example", 80, "::ffff:0.0.0.0", false},
    {"mapped multicast", {{"m.example", ANY}}, "m.example", 80, "::ffff:224.0.0.1", false},
    {"a rule in the mapped spelling", {{"::ffff:10.0.0.0/104", ANY}}, "10.1.1.1", 80, NULL, true},
    {"and what is beside it", {{"::ffff:10.0.0.0/104", ANY}}, "11.1.1.1", 80, NULL, false},
    {"all mapped addresses name no link-local",
     {{"::ffff:0.0.0.0/96", ANY}},
     "169.254.1.1",
     80,
     NULL,
     false},
};

static void make_rule(const struct rule_text *text, struct tws_rule *r)
{
    *r = (struct tws_rule){.port_min = text->port_min, .port_max = text->port_max};
    if (tws_prefix_parse(text->what, &r->prefix) != TWS_OK)
        r->name = strdup(text->what);
}

static void free_rules(struct tws_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(rules[i].name);
}

static struct tws_target make_target(const char *text, uint16_t port)
{
    struct tws_hostport hp = {.port = port};
    struct tws_target t;

    snprintf(hp.host, sizeof hp.host, "%s", text);
    tws_target_from_hostport(&hp, &t);
    return t;
}

static struct tws_ip parse_ip(const char *text)
{
    struct tws_ip ip;

    ck_assert_msg(tws_ip_parse(text, &ip) == TWS_OK, "%s", text);
    return ip;
}

/* As the server asks: the target first, then each address that comes of it. */
static bool may_reach(const struct tws_user *u, const char *target, uint16_t port,
                      const char *resolved)
{
    struct tws_target t = make_target(target, port);
    enum tws_acl_verdict verdict = tws_acl_target(u, TWS_KIND_TCP, &t);
    struct tws_ip ip = parse_ip(resolved != NULL ? resolved : target);

    return verdict != TWS_ACL_DENY && tws_acl_address(u, TWS_KIND_TCP, verdict, &ip, port);
}

START_TEST(a_row_is_decided_as_it_says)
{
    const struct row *row = &rows[_i];
    struct tws_rule rules[MOST_RULES];
    size_t n = 0;

    while (n < MOST_RULES && row->rules[n].what != NULL) {
        make_rule(&row->rules[n], &rules[n]);
        n++;
    }
    struct tws_user u = {.allow = rules, .nallow = n};
    bool allowed = may_reach(&u, row->target, row->port, row->resolved);
    free_rules(rules, n);
    ck_assert_msg(allowed == row->allowed, "%s: %s", row->about, allowed ? "allowed" : "denied");
}
END_TEST

START_TEST(a_user_without_limits_reaches_all_but_the_special_addresses)
{
    struct tws_user u = {.allow_all = true};

    ck_assert(may_reach(&u, "127.0.0.1", 22, NULL));
    ck_assert(may_reach(&u, "2001:db8::1", 22, NULL));
    ck_assert(may_reach(&u, "any.example", 22, "10.0.0.1"));
    ck_assert(!may_reach(&u, "169.254.169.254", 80, NULL));
    ck_assert(!may_reach(&u, "any.example", 80, "::ffff:169.254.169.254"));
    ck_assert(!may_reach(&u, "any.example", 80, "0.0.0.0"));
    ck_assert(!may_reach(&u, "ff02::1", 80, NULL));
}
END_TEST

START_TEST(a_name_no_rule_can_allow_is_refused_before_it_is_resolved)
{
    struct tws_rule rules[1];
    struct tws_target t = make_target("x.example", 80);

    make_rule(&(struct rule_text){"db.example", ANY}, &rules[0]);
    struct tws_user u = {.allow = rules, .nallow = 1};
    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_TCP, &t), TWS_ACL_DENY);
    free_rules(rules, 1);

    make_rule(&(struct rule_text){"10.0.0.0/8", 22, 22}, &rules[0]);
    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_TCP, &t), TWS_ACL_DENY);
    t.port = 22;
    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_TCP, &t), TWS_ACL_BY_ADDRESS);
}
END_TEST

START_TEST(whoever_may_reach_everything_may_not_reach_unix_sockets)
{
    struct tws_rule rule = {.port_min = 1, .port_max = 65535, .prefix = {.ip = {.family = 4}}};
    struct tws_user all = {.allow_all = true}, every = {.allow = &rule, .nallow = 1};
    struct tws_target t = {.type = TWS_TARGET_UNIX, .name = "/run/docker.sock"};

    ck_assert_int_eq(tws_acl_target(&all, TWS_KIND_UNIX, &t), TWS_ACL_DENY);
    ck_assert_int_eq(tws_acl_target(&every, TWS_KIND_UNIX, &t), TWS_ACL_DENY);
    ck_assert_int_eq(tws_acl_target(&all, TWS_KIND_TCP, &t), TWS_ACL_DENY);
}
END_TEST

static const struct {
    const char *rule, *path;
    bool allowed;
} paths[] = {
    {"/run/app.sock", "/run/app.sock", true},
    {"/run/app.sock", "/run/app.sock2", false},
    {"/run/app.sock", "/run/app.soc", false},
    {"/run/app.sock", "/run//app.sock", false},
    {"/run/app.sock", "/run/../run/app.sock", false},
    {"/run/app.sock", "run/app.sock", false},
    {"/run/app.sock", "@run/app.sock", false},
    {"/run/app.sock", "", false},
    {"/run/app/*", "/run/app/a.sock", true},
    {"/run/app/*", "/run/app/", false},
    {"/run/app/*", "/run/app", false},
    {"/run/app/*", "/run/app/..", false},
    {"/run/app/*", "/run/app/../docker.sock", false},
    {"/run/app/*", "/run/app/./a.sock", false},
    {"/run/app/*", "/run/app/b/a.sock", false},
    {"/run/app/*", "/run/apple/a.sock", false},
    {"/run/app-*", "/run/app-1", true},
    {"/run/app-*", "/run/app-", false},
    {"/run/app-*", "/run/app-/../x", false},
    {"/run/app-*", "/run/app-*", true},
    {"@app", "@app", true},
    {"@app", "/app", false},
    {"@app-*", "@app-1", true},
    {"@*", "@", false},
    {"/*", "@x", false},
};

START_TEST(a_path_is_reached_by_its_one_spelling)
{
    struct tws_rule r = {.name = strdup(paths[_i].rule), .is_path = true};
    struct tws_user u = {.allow = &r, .nallow = 1};
    struct tws_target t = {.type = TWS_TARGET_UNIX};

    snprintf(t.name, sizeof t.name, "%s", paths[_i].path);
    enum tws_acl_verdict got = tws_acl_target(&u, TWS_KIND_UNIX, &t);
    free(r.name);
    ck_assert_msg((got == TWS_ACL_BY_NAME) == paths[_i].allowed, "%s by %s", paths[_i].path,
                  paths[_i].rule);
}
END_TEST

START_TEST(a_path_rule_opens_nothing_but_the_path)
{
    char path[] = "/run/a";
    struct tws_rule r = {.name = path, .is_path = true, .port_min = 1, .port_max = 65535};
    struct tws_user u = {.allow = &r, .nallow = 1};
    struct tws_target name = make_target("a.example", 80), ip = make_target("10.0.0.1", 80);

    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_TCP, &name), TWS_ACL_DENY);
    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_UDP, &name), TWS_ACL_DENY);
    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_TCP, &ip), TWS_ACL_DENY);
    ck_assert(!tws_acl_address(&u, TWS_KIND_UNIX, TWS_ACL_BY_NAME, &ip.ip, 80));
}
END_TEST

START_TEST(a_rule_for_one_protocol_is_not_for_the_other)
{
    static const uint8_t other[] = {[TWS_KIND_TCP] = TWS_KIND_UDP, [TWS_KIND_UDP] = TWS_KIND_TCP};
    static const char *const rules[] = {"10.0.0.0/8", "db.example"};
    static const char *const targets[] = {"10.0.0.1", "db.example"};

    for (uint8_t kind = TWS_KIND_TCP; kind <= TWS_KIND_UDP; kind++) {
        for (size_t i = 0; i < 2; i++) {
            struct tws_rule r;
            struct tws_user u = {.allow = &r, .nallow = 1};
            struct tws_target t = make_target(targets[i], 53);

            make_rule(&(struct rule_text){rules[i], ANY}, &r);
            r.protocol = kind == TWS_KIND_TCP ? TWS_RULE_TCP : TWS_RULE_UDP;
            enum tws_acl_verdict yes = tws_acl_target(&u, kind, &t);
            enum tws_acl_verdict no = tws_acl_target(&u, other[kind], &t);
            free_rules(&r, 1);
            ck_assert_int_eq(yes, i == 0 ? TWS_ACL_BY_ADDRESS : TWS_ACL_BY_NAME);
            ck_assert_int_eq(no, TWS_ACL_DENY);
        }
    }
}
END_TEST

START_TEST(a_datagram_to_an_address_of_the_other_protocols_rule_is_denied)
{
    struct tws_rule r;
    struct tws_user u = {.allow = &r, .nallow = 1};
    struct tws_ip ip = parse_ip("10.0.0.1");

    make_rule(&(struct rule_text){"10.0.0.0/8", ANY}, &r);
    r.protocol = TWS_RULE_TCP;
    ck_assert(tws_acl_address(&u, TWS_KIND_TCP, TWS_ACL_BY_ADDRESS, &ip, 53));
    ck_assert(!tws_acl_address(&u, TWS_KIND_UDP, TWS_ACL_BY_ADDRESS, &ip, 53));
}
END_TEST

START_TEST(kinds_without_addresses_are_not_for_these_rules)
{
    struct tws_user u = {.allow_all = true};
    struct tws_target t = make_target("10.0.0.1", 80);

    for (uint8_t kind = 0; kind < 16; kind++)
        if (kind != TWS_KIND_TCP && kind != TWS_KIND_UDP) {
            ck_assert_int_eq(tws_acl_target(&u, kind, &t), TWS_ACL_DENY);
            ck_assert(kind == TWS_KIND_TUN || !tws_acl_address(&u, kind, TWS_ACL_ANY, &t.ip, 80));
        }
}
END_TEST

START_TEST(an_ip_link_is_for_those_who_have_one)
{
    struct tws_prefix own = {.ip = parse_ip("10.9.0.2"), .bits = 32};
    struct tws_target t = make_target("0.0.0.0", 0);
    struct tws_user u = {.allow_all = true};

    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_TUN, &t), TWS_ACL_DENY);
    u.tun_pool = true;
    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_TUN, &t), TWS_ACL_BY_ADDRESS);
    u = (struct tws_user){.tun = &own, .ntun = 1};
    ck_assert_int_eq(tws_acl_target(&u, TWS_KIND_TUN, &t), TWS_ACL_BY_ADDRESS);
}
END_TEST

START_TEST(a_packet_without_ports_needs_a_rule_for_all_of_them)
{
    static const struct {
        uint16_t min, max;
        uint8_t protocol;
        bool allowed;
    } rules[] = {
        {1, 65535, TWS_RULE_BOTH, true},  {1, 65534, TWS_RULE_BOTH, false},
        {2, 65535, TWS_RULE_BOTH, false}, {1, 65535, TWS_RULE_TCP, false},
        {1, 65535, TWS_RULE_UDP, false},
    };
    struct tws_ip ip = parse_ip("10.0.0.1"), other = parse_ip("11.0.0.1"),
                  group = parse_ip("224.0.0.1");

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct tws_rule r;
        struct tws_user u = {.allow = &r, .nallow = 1};
        make_rule(&(struct rule_text){"10.0.0.0/8", ANY}, &r);
        r.port_min = rules[i].min;
        r.port_max = rules[i].max;
        r.protocol = rules[i].protocol;
        ck_assert(tws_acl_address(&u, TWS_KIND_TUN, TWS_ACL_BY_ADDRESS, &ip, 0) ==
                  rules[i].allowed);
        ck_assert(!tws_acl_address(&u, TWS_KIND_TUN, TWS_ACL_BY_ADDRESS, &other, 0));
    }
    struct tws_user all = {.allow_all = true};
    ck_assert(tws_acl_address(&all, TWS_KIND_TUN, TWS_ACL_BY_ADDRESS, &ip, 0));
    ck_assert(!tws_acl_address(&all, TWS_KIND_TUN, TWS_ACL_BY_ADDRESS, &group, 0));
}
END_TEST

START_TEST(nothing_is_reached_on_a_denial)
{
    struct tws_user u = {.allow_all = true};
    struct tws_ip ip = parse_ip("10.0.0.1");

    ck_assert(!tws_acl_address(&u, TWS_KIND_TCP, TWS_ACL_DENY, &ip, 80));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("acl");
    tcase_add_loop_test(tc, a_row_is_decided_as_it_says, 0, (int)(sizeof rows / sizeof rows[0]));
    tcase_add_test(tc, a_user_without_limits_reaches_all_but_the_special_addresses);
    tcase_add_test(tc, a_name_no_rule_can_allow_is_refused_before_it_is_resolved);
    tcase_add_test(tc, whoever_may_reach_everything_may_not_reach_unix_sockets);
    tcase_add_loop_test(tc, a_path_is_reached_by_its_one_spelling, 0,
                        (int)(sizeof paths / sizeof paths[0]));
    tcase_add_test(tc, a_path_rule_opens_nothing_but_the_path);
    tcase_add_test(tc, a_rule_for_one_protocol_is_not_for_the_other);
    tcase_add_test(tc, a_datagram_to_an_address_of_the_other_protocols_rule_is_denied);
    tcase_add_test(tc, kinds_without_addresses_are_not_for_these_rules);
    tcase_add_test(tc, an_ip_link_is_for_those_who_have_one);
    tcase_add_test(tc, a_packet_without_ports_needs_a_rule_for_all_of_them);
    tcase_add_test(tc, nothing_is_reached_on_a_denial);
    return run_suite("tunnel/acl", tc);
}

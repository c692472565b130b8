/* test_ruleset.c - the whole text for each way to catch, as a person would review it. */
#include "suite.h"

#include "tws/tunnel/ruleset.h"

#include <stdlib.h>
#include <string.h>

static const struct tws_footprint footprint = {"tws_box", 0x54580abc};

struct networks {
    struct tws_prefix list[8];
    size_t n;
};

/* "10.0.0.0/8 ::/0" */
static struct networks networks(const char *texts)
{
    struct networks out = {.n = 0};
    char copy[256], *rest = copy;

    snprintf(copy, sizeof copy, "%s", texts);
    for (char *text = strsep(&rest, " "); text != NULL && *text != '\0'; text = strsep(&rest, " "))
        ck_assert_int_eq(tws_prefix_parse(text, &out.list[out.n++]), TWS_OK);
    return out;
}

static void expect(const struct tws_ruleset *r, const char *golden)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    tws_ruleset_nft(f, r);
    fclose(f);
    ck_assert_str_eq(text, golden);
    free(text);
}

#define BEGIN                                                                                      \
    "table inet tws_box\n"                                                                         \
    "delete table inet tws_box\n"                                                                  \
    "table inet tws_box {\n"
#define NEVER                                                                                      \
    "\t\ttcp flags & (fin | syn | rst | ack) != syn return\n"                                      \
    "\t\tfib daddr type { local, broadcast, anycast, multicast } return\n"                         \
    "\t\tip daddr 169.254.0.0/16 return\n"                                                         \
    "\t\tip6 daddr fe80::/10 return\n"
#define REDIRECT_OUTPUT                                                                            \
    "\tchain redirect_output {\n"                                                                  \
    "\t\ttype nat hook output priority -110; policy accept;\n"                                     \
    "\t\tmeta mark 0x54570053 return\n"                                                            \
    "\t\tmeta l4proto != tcp return\n" NEVER
#define REDIRECT_PREROUTING                                                                        \
    "\tchain redirect_prerouting {\n"                                                              \
    "\t\ttype nat hook prerouting priority -110; policy accept;\n"                                 \
    "\t\tmeta l4proto != tcp return\n" NEVER
#define GUARD                                                                                      \
    "\tchain guard {\n"                                                                            \
    "\t\ttype filter hook input priority 0; policy accept;\n"

START_TEST(redirected_are_own_and_others_connections)
{
    struct networks to = networks("10.0.0.0/8 2001:db8::/32 172.16.0.0/12"),
                    but = networks("10.9.0.0/16");
    const struct tws_catch c = {.networks = to.list,
                                .nnetworks = to.n,
                                .exclude = but.list,
                                .nexclude = but.n,
                                .port = 4000};

    expect(&(struct tws_ruleset){&footprint, &c, 1, false},
           BEGIN "\tchain forward_0 {\n"
                 "\t\tip daddr { 10.9.0.0/16 } return\n"
                 "\t\tip daddr { 10.0.0.0/8, 172.16.0.0/12 } meta l4proto tcp redirect to :4000\n"
                 "\t\tip6 daddr { 2001:db8::/32 } meta l4proto tcp redirect to :4000\n"
                 "\t}\n" REDIRECT_OUTPUT "\t\tjump forward_0\n"
                 "\t}\n" REDIRECT_PREROUTING "\t\tjump forward_0\n"
                 "\t}\n" GUARD "\t\ttcp dport 4000 ct status & dnat != dnat reject with tcp reset\n"
                 "\t}\n"
                 "}\n");
}
END_TEST

START_TEST(of_the_own_machine_only_nothing_others_send_is_looked_at)
{
    struct networks to = networks("0.0.0.0/0");
    const struct tws_catch c = {
        .networks = to.list, .nnetworks = to.n, .port = 4000, .only_own = true};

    expect(&(struct tws_ruleset){&footprint, &c, 1, false},
           BEGIN "\tchain forward_0 {\n"
                 "\t\tip daddr { 0.0.0.0/0 } meta l4proto tcp redirect to :4000\n"
                 "\t}\n" REDIRECT_OUTPUT "\t\tjump forward_0\n"
                 "\t}\n" GUARD "\t\ttcp dport 4000 ct status & dnat != dnat reject with tcp reset\n"
                 "\t}\n"
                 "}\n");
}
END_TEST

#define TPROXY_OUTPUT                                                                              \
    "\tchain tproxy_output {\n"                                                                    \
    "\t\ttype route hook output priority -150; policy accept;\n"                                   \
    "\t\tmeta mark 0x54570053 return\n"                                                            \
    "\t\tmeta l4proto != { tcp, udp } return\n"
#define TPROXY_MARK                                                                                \
    "\t\tct mark 0x54580abc ct direction original meta mark set 0x54580abc\n"                      \
    "\t}\n"
#define TPROXY_PREROUTING                                                                          \
    "\tchain tproxy_prerouting {\n"                                                                \
    "\t\ttype filter hook prerouting priority -150; policy accept;\n"                              \
    "\t\tmeta l4proto != { tcp, udp } return\n"
#define TPROXY_DELIVER                                                                             \
    "\t\tct mark != 0x54580abc return\n"                                                           \
    "\t\tct direction reply return\n"                                                              \
    "\t\tmeta l4proto tcp socket transparent 1 meta mark set 0x54580abc accept\n"

START_TEST(tproxy_keeps_the_destination_and_takes_udp_too)
{
    struct networks to = networks("10.0.0.0/8 ::/0"), but = networks("2001:db8::/32");
    const struct tws_catch c = {.networks = to.list,
                                .nnetworks = to.n,
                                .exclude = but.list,
                                .nexclude = but.n,
                                .port = 5000,
                                .tproxy = true,
                                .udp_port = 5001};

    expect(&(struct tws_ruleset){&footprint, &c, 1, false}, BEGIN
           "\tchain forward_0 {\n"
           "\t\tip6 daddr { 2001:db8::/32 } return\n"
           "\t\tip daddr { 10.0.0.0/8 } meta l4proto { tcp, udp } ct mark set 0x54580abc\n"
           "\t\tip6 daddr { ::/0 } meta l4proto { tcp, udp } ct mark set 0x54580abc\n"
           "\t}\n"
           "\tchain own_begins {\n" NEVER "\t\tjump forward_0\n"
           "\t}\n"
           "\tchain others_begin {\n" NEVER "\t\tjump forward_0\n"
           "\t}\n" TPROXY_OUTPUT "\t\tct state new jump own_begins\n" TPROXY_MARK TPROXY_PREROUTING
           "\t\tct state new jump others_begin\n" TPROXY_DELIVER
           "\t\tip daddr { 10.0.0.0/8 } meta l4proto tcp meta mark set 0x54580abc "
           "tproxy ip to 127.0.0.1:5000 accept\n"
           "\t\tip6 daddr { ::/0 } meta l4proto tcp meta mark set 0x54580abc "
           "tproxy ip6 to [::1]:5000 accept\n"
           "\t\tip daddr { 10.0.0.0/8 } meta l4proto udp meta mark set 0x54580abc "
           "tproxy ip to 127.0.0.1:5001 accept\n"
           "\t\tip6 daddr { ::/0 } meta l4proto udp meta mark set 0x54580abc "
           "tproxy ip6 to [::1]:5001 accept\n"
           "\t}\n"
           "}\n");
}
END_TEST

START_TEST(at_the_end_what_was_caught_goes_on_and_nothing_new_is)
{
    expect(&(struct tws_ruleset){.footprint = &footprint, .keep = true},
           BEGIN "\tchain redirect_output {\n"
                 "\t\ttype nat hook output priority -110; policy accept;\n"
                 "\t}\n" TPROXY_OUTPUT TPROXY_MARK TPROXY_PREROUTING TPROXY_DELIVER "\t}\n"
                 "}\n");
}
END_TEST

START_TEST(two_forwards_have_a_chain_each)
{
    struct networks to = networks("10.0.0.0/8"), also = networks("11.0.0.0/8");
    const struct tws_catch c[] = {
        {.networks = to.list, .nnetworks = to.n, .port = 4000},
        {.networks = also.list, .nnetworks = also.n, .port = 4001, .only_own = true}};

    expect(&(struct tws_ruleset){&footprint, c, 2, false},
           BEGIN "\tchain forward_0 {\n"
                 "\t\tip daddr { 10.0.0.0/8 } meta l4proto tcp redirect to :4000\n"
                 "\t}\n"
                 "\tchain forward_1 {\n"
                 "\t\tip daddr { 11.0.0.0/8 } meta l4proto tcp redirect to :4001\n"
                 "\t}\n" REDIRECT_OUTPUT "\t\tjump forward_0\n\t\tjump forward_1\n"
                 "\t}\n" REDIRECT_PREROUTING "\t\tjump forward_0\n"
                 "\t}\n" GUARD "\t\ttcp dport 4000 ct status & dnat != dnat reject with tcp reset\n"
                 "\t\ttcp dport 4001 ct status & dnat != dnat reject with tcp reset\n"
                 "\t}\n"
                 "}\n");
}
END_TEST

static char *text_of(void (*write)(FILE *out, const struct tws_footprint *f))
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    write(f, &footprint);
    fclose(f);
    return text;
}

START_TEST(a_table_is_removed_whether_it_is_there_or_not)
{
    char *text = text_of(tws_ruleset_nft_remove);

    ck_assert_str_eq(text, "table inet tws_box\ndelete table inet tws_box\n");
    free(text);
}
END_TEST

START_TEST(a_route_is_found_by_its_rule_and_goes_before_it)
{
    char *text = text_of(tws_ruleset_ip);

    ck_assert_str_eq(text, "rule add fwmark 0x54580abc lookup 1415056060 pref 900 protocol 120\n"
                           "route replace local default dev lo table 1415056060 protocol 120\n");
    free(text);
    text = text_of(tws_ruleset_ip_remove);
    ck_assert_str_eq(text, "route flush table 1415056060\n"
                           "rule del fwmark 0x54580abc lookup 1415056060 pref 900\n");
    free(text);
}
END_TEST

START_TEST(a_route_is_needed_for_the_families_of_tproxy)
{
    struct networks v4 = networks("10.0.0.0/8"), v6 = networks("::/0");
    struct tws_catch c[] = {{.networks = v4.list, .nnetworks = v4.n, .tproxy = true},
                            {.networks = v6.list, .nnetworks = v6.n}};
    const struct tws_ruleset r = {&footprint, c, 2, false};

    ck_assert(tws_ruleset_needs_route(&r, 4));
    ck_assert(!tws_ruleset_needs_route(&r, 6));
    c[1].tproxy = true;
    ck_assert(tws_ruleset_needs_route(&r, 6));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ruleset");
    tcase_add_test(tc, redirected_are_own_and_others_connections);
    tcase_add_test(tc, of_the_own_machine_only_nothing_others_send_is_looked_at);
    tcase_add_test(tc, tproxy_keeps_the_destination_and_takes_udp_too);
    tcase_add_test(tc, at_the_end_what_was_caught_goes_on_and_nothing_new_is);
    tcase_add_test(tc, two_forwards_have_a_chain_each);
    tcase_add_test(tc, a_table_is_removed_whether_it_is_there_or_not);
    tcase_add_test(tc, a_route_is_found_by_its_rule_and_goes_before_it);
    tcase_add_test(tc, a_route_is_needed_for_the_families_of_tproxy);

    return run_suite("tunnel/ruleset", tc);
}

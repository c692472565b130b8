/* test_config_transparent.c - what a transparent forward takes of the file, and the words for what
 * cannot be caught, or cannot be caught twice. */
#include "config_priv.h"
#include "config_support.h"

#include "tws/tunnel/footprint.h"
#include "tws/tunnel/plan.h"

#define REST     KEY_FILE "proxy: none\nserver: wss://h/p\nname: box\n"
#define FORWARDS REST "forwards:\n"
/* Its record begins on line 6. */
#define ONE FORWARDS "  - kind: transparent\n"

static void expect_prefix(const struct tws_prefix *p, const char *text)
{
    char shown[TWS_PREFIX_TEXT];

    tws_prefix_format(p, shown, sizeof shown);
    ck_assert_str_eq(shown, text);
}

START_TEST(networks_are_taken_and_what_is_excluded_twice_once)
{
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(ONE
                                 "    networks: [10.0.0.0/8, '2001:db8::/32']\n"
                                 "    exclude: [10.1.2.0/24, 10.1.0.0/16, 10.1.0.0/16, '::/96']\n",
                                 &said, &c),
                     TWS_OK);
    ck_assert_str_eq(said.text, "");
    const struct tws_forward *f = &c->forwards[0];
    ck_assert_int_eq(f->kind, TWS_FORWARD_TRANSPARENT);
    ck_assert_uint_eq(f->nnetworks, 2);
    expect_prefix(&f->networks[0], "10.0.0.0/8");
    expect_prefix(&f->networks[1], "2001:db8::/32");
    ck_assert_uint_eq(f->nexclude, 2);
    expect_prefix(&f->exclude[0], "10.1.0.0/16");
    expect_prefix(&f->exclude[1], "::/96");
    ck_assert(!f->tproxy && !f->local);
    ck_assert_uint_eq(f->listen.port, 0);
    ck_assert_uint_eq(c->link.mark, TWS_MARK_OWN);
    tws_client_config_free(c);
}
END_TEST

START_TEST(links_have_no_mark_where_nothing_is_caught)
{
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(REST "listen: 127.0.0.1:1\nremote: a:1\n", &said, &c), TWS_OK);
    ck_assert_uint_eq(c->link.mark, 0);
    tws_client_config_free(c);
}
END_TEST

static const struct {
    const char *yaml, *says;
} wrong[] = {
    {ONE, "f:6: transparent forward without networks: say which destinations it shall catch, as in "
          "networks: [10.0.0.0/8]\n"},
    {ONE "    networks: [10.0.0.0/8, 10.1.0.0/16]\n",
     "f:6: networks: 10.1.0.0/16 lies within 10.0.0.0/8: leave one of them out\n"},
    {ONE "    networks: [10.1.0.0/16, 10.0.0.0/8]\n",
     "f:6: networks: 10.0.0.0/8 has within it 10.1.0.0/16: leave one of them out\n"},
    {ONE "    networks: ['::/0', '::/0']\n",
     "f:6: networks: ::/0 lies within ::/0: leave one of them out\n"},
    {ONE "    networks: [10.0.0.0/8]\n  - kind: transparent\n    networks: [10.1.0.0/16]\n"
         "    tproxy: true\n",
     "f:8: networks: 10.1.0.0/16 lies within 10.0.0.0/8 of another forward: leave one of them "
     "out\n"},
    {ONE "    networks: [10.0.0.0/8]\n  - kind: transparent\n    networks: [11.0.0.0/8]\n",
     "f:8: two transparent forwards without listen: put the networks of both into one\n"},
    {ONE "    networks: [10.1.0.0/16]\n    exclude: [10.0.0.0/8]\n",
     "f:6: networks: 10.1.0.0/16 is all excluded by 10.0.0.0/8: leave one of them out\n"},
    {ONE "    networks: [127.0.0.0/8]\n",
     "f:6: networks: 127.0.0.0/8 cannot be caught: loopback, link-local and multicast addresses "
     "mean this machine or its neighbours\n"},
    {ONE "    networks: ['fe80::/10']\n",
     "f:6: networks: fe80::/10 cannot be caught: loopback, link-local and multicast addresses "
     "mean this machine or its neighbours\n"},
    {ONE "    networks: [10.0.0.1/8]\n",
     "f:7:16: networks: found \"10.0.0.1/8\", expected an address or a network such as 10.0.0.0/8 "
     "(no bits set behind the /)\n"},
    {ONE "    networks: [10.0.0.0/8]\n    listen: 127.0.0.1:4000\n",
     "f:6: listen of a transparent forward is one port without a host, as in :4000; with local: "
     "true nobody else can connect to it\n"},
    {ONE "    networks: [10.0.0.0/8]\n    listen: :4000-4001\n",
     "f:6: listen of a transparent forward is one port without a host, as in :4000; with local: "
     "true nobody else can connect to it\n"},
    {ONE "    networks: [10.0.0.0/8]\n    remote: a:1\n",
     "f:6: forward of kind transparent has a remote: its clients say where they go\n"},
    {FORWARDS "  - {listen: 127.0.0.1:1, remote: a:1, local: true}\n",
     "f:6: forward of kind tcp has no use for networks, exclude, tproxy and local\n"},
    {FORWARDS "  - {kind: socks, networks: [10.0.0.0/8]}\n",
     "f:6: forward of kind socks without listen: say where to accept connections\n"
     "f:6: forward of kind socks has no use for networks, exclude, tproxy and local\n"},
    {ONE "    networks: [10.0.0.0/8]\n    reverse: true\n",
     "f:6: forward of kind transparent cannot be reversed\n"},
};

START_TEST(what_cannot_be_is_one_line_with_its_place)
{
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(wrong[_i].yaml, &said, &c), TWS_CONFIG);
    ck_assert_msg(strstr(said.text, wrong[_i].says) != NULL, "%s", said.text);
    ck_assert_ptr_null(c);
}
END_TEST

/* ---- names ---- */

static const struct {
    const char *networks, *more, *server, *resolv_conf, *asked; /* NULL: no warning */
} names[] = {
    {"10.0.0.0/8", "tproxy: true", "h", "nameserver 10.0.0.53\n", "10.0.0.53"},
    {"10.0.0.0/8", "tproxy: true", "h", "search a\nnameserver 192.0.2.1\nnameserver\t10.0.0.53 # x",
     "10.0.0.53"},
    {"10.0.0.0/8", "tproxy: true", "h", "nameserver 192.0.2.1\n#nameserver 10.0.0.53\n", NULL},
    {"10.0.0.0/8", "tproxy: true, exclude: [10.0.0.53]", "h", "nameserver 10.0.0.53\n", NULL},
    {"10.0.0.0/8", "tproxy: false", "h", "nameserver 10.0.0.53\n", NULL},
    {"10.0.0.0/8", "tproxy: true", "192.0.2.9", "nameserver 10.0.0.53\n", NULL},
    {"10.0.0.0/8", "tproxy: true", "localhost", "nameserver 10.0.0.53\n", NULL},
    {"10.0.0.0/8", "tproxy: true", "h", "nameserver 127.0.0.53\n", NULL},
    {"0.0.0.0/0", "tproxy: true", "h", "nameserver 127.0.0.53\n", "127.0.0.53"},
    {"'::/0'", "tproxy: true", "h", "nameserver 2001:db8::53\n", "2001:db8::53"},
    {"10.0.0.0/8", "tproxy: true", "h", "nameserver not-an-address\nnameserver", NULL},
};

START_TEST(a_question_for_the_servers_name_that_would_be_caught_gets_a_warning)
{
    char yaml[512], expected[64];
    struct tws_client_config *c = NULL;
    struct said said;
    struct tws_diag diag;

    snprintf(yaml, sizeof yaml,
             KEY_FILE "proxy: none\nserver: wss://%s/p\n"
                      "resolve: []\nforwards:\n  - {kind: transparent, networks: [%s], %s}\n",
             names[_i].server, names[_i].networks, names[_i].more);
    ck_assert_msg(read_client(yaml, &said, &c) == TWS_OK, "%s", said.text);
    diag = listen_to(&said);
    tws_config_judge_names(c, names[_i].resolv_conf, &diag);
    snprintf(expected, sizeof expected, "to the name server %s would be caught",
             names[_i].asked != NULL ? names[_i].asked : "");
    if (names[_i].asked == NULL)
        ck_assert_str_eq(said.text, "");
    else
        ck_assert_msg(strstr(said.text, expected) != NULL, "%s", said.text);
    tws_client_config_free(c);
}
END_TEST

/* ---- a dry run ---- */

static char *plan_of(const char *yaml)
{
    struct tws_client_config *c = NULL;
    struct said said;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    ck_assert_msg(read_client(yaml, &said, &c) == TWS_OK, "%s", said.text);
    ck_assert_int_eq(tws_plan_write(c, f), TWS_OK);
    fclose(f);
    tws_client_config_free(c);
    return text;
}

START_TEST(a_plan_is_a_script_of_what_would_be_done)
{
    char *text = plan_of(ONE "    networks: [10.0.0.0/8]\n    tproxy: true\n    listen: :4000\n");

    ck_assert_int_eq(strncmp(text, "ip -4 -batch - <<'END'\nrule add fwmark 0x5458", 45), 0);
    ck_assert_ptr_nonnull(strstr(text, "\nEND\nnft -f - <<'END'\ntable inet tws_box\n"));
    ck_assert_ptr_nonnull(strstr(text, "tproxy ip to 127.0.0.1:4000 accept"));
    ck_assert_ptr_null(strstr(text, "ip -6"));
    free(text);
}
END_TEST

START_TEST(a_plan_says_that_a_port_is_not_known_yet)
{
    char *text = plan_of(ONE "    networks: [10.0.0.0/8]\n");

    ck_assert_int_eq(strncmp(text, "# 65535 stands for the port that the kernel chooses", 51), 0);
    ck_assert_ptr_nonnull(strstr(text, "redirect to :65535"));
    free(text);
}
END_TEST

START_TEST(a_plan_without_anything_to_catch_says_so)
{
    char *text = plan_of(REST "listen: 127.0.0.1:1\nremote: a:1\n");

    ck_assert_str_eq(text, "# nothing of this machine is changed\n");
    free(text);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config_transparent");

    add_keys(tc);
    tcase_add_test(tc, networks_are_taken_and_what_is_excluded_twice_once);
    tcase_add_test(tc, links_have_no_mark_where_nothing_is_caught);
    LOOP(tc, what_cannot_be_is_one_line_with_its_place, wrong);
    LOOP(tc, a_question_for_the_servers_name_that_would_be_caught_gets_a_warning, names);
    tcase_add_test(tc, a_plan_is_a_script_of_what_would_be_done);
    tcase_add_test(tc, a_plan_says_that_a_port_is_not_known_yet);
    tcase_add_test(tc, a_plan_without_anything_to_catch_says_so);

    return run_suite("app/config_transparent", tc);
}

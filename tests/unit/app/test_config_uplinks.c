/* test_config_uplinks.c - several ways out of a machine, several servers: what is taken of the
 * file, and the words for what cannot be. */
#include "config_support.h"

#define REST   "listen: 127.0.0.1:1\nremote: a:1\n" KEY_FILE "proxy: none\n"
#define SERVER "server: wss://h/p\n"

START_TEST(uplinks_are_taken_with_their_defaults)
{
    static const char yaml[] = REST SERVER "uplinks:\n"
                                           "  - name: wifi\n"
                                           "    interface: wlan0\n"
                                           "    connections: 2\n"
                                           "    weight: 3\n"
                                           "  - {name: lte.2, source: 192.0.2.7, role: backup}\n"
                                           "schedule: bond\n";
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_int_eq(c->schedule, TWS_SCHEDULE_BOND);
    ck_assert_uint_eq(c->nuplinks, 2);
    const struct tws_uplink *wifi = &c->uplinks[0], *lte = &c->uplinks[1];
    ck_assert_str_eq(wifi->name, "wifi");
    ck_assert_str_eq(wifi->interface, "wlan0");
    ck_assert_uint_eq(wifi->source.family, 0);
    ck_assert_uint_eq(wifi->connections, 2);
    ck_assert_uint_eq(wifi->weight, 3);
    ck_assert(!wifi->backup);
    ck_assert_str_eq(lte->name, "lte.2");
    ck_assert_ptr_null(lte->interface);
    ck_assert_uint_eq(lte->source.family, 4);
    ck_assert_uint_eq(lte->connections, 1);
    ck_assert_uint_eq(lte->weight, 1);
    ck_assert(lte->backup);
    tws_client_config_free(c);
}
END_TEST

static const struct {
    const char *name;
    enum tws_schedule is;
} schedules[] = {
    {"auto", TWS_SCHEDULE_AUTO},           {"round-robin", TWS_SCHEDULE_ROUND_ROBIN},
    {"weighted", TWS_SCHEDULE_WEIGHTED},   {"min-rtt", TWS_SCHEDULE_MIN_RTT},
    {"redundant", TWS_SCHEDULE_REDUNDANT}, {"active-backup", TWS_SCHEDULE_ACTIVE_BACKUP},
    {"bond", TWS_SCHEDULE_BOND},
};

START_TEST(every_schedule_has_its_name)
{
    struct tws_client_config *c = NULL;
    struct said said;
    char yaml[512];

    snprintf(yaml, sizeof yaml, REST SERVER "schedule: %s\n", schedules[_i].name);
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_int_eq(c->schedule, schedules[_i].is);
    tws_client_config_free(c);
}
END_TEST

START_TEST(servers_are_taken_in_order)
{
    static const char yaml[] = REST "servers: ['wss://a/p', 'ws://127.0.0.1:81']\n"
                                    "balance: least-loaded\n";
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_int_eq(c->balance, TWS_BALANCE_LEAST_LOADED);
    ck_assert_uint_eq(c->nservers, 2);
    ck_assert(c->servers[0].tls);
    ck_assert_str_eq(c->servers[0].server.host, "a");
    ck_assert(!c->servers[1].tls);
    ck_assert_uint_eq(c->servers[1].server.port, 81);
    ck_assert_int_eq(c->link.encrypt, TWS_ENCRYPT_ALLOW);
    tws_client_config_free(c);
}
END_TEST

START_TEST(one_server_without_tls_elsewhere_makes_sealing_a_must)
{
    static const char yaml[] = REST "servers: ['wss://a/p', 'ws://192.0.2.1']\n";
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_int_eq(c->link.encrypt, TWS_ENCRYPT_REQUIRE);
    ck_assert_int_eq(c->balance, TWS_BALANCE_ACTIVE_BACKUP);
    tws_client_config_free(c);
}
END_TEST

static const struct {
    const char *yaml, *says;
} wrong[] = {
    {REST SERVER "servers: ['wss://a/p']\n", "f:6: both server and servers are given: give one\n"},
    {REST "servers: []\n", "f:5: servers is an empty list: give at least one URL\n"},
    {REST "servers: ['wss://a/p', 'a/p']\n",
     "f:5: servers: found \"a/p\", expected wss://host[:port]/path\n"},
    {REST "servers: ['wss://a/p', 'wss://b/p', 'wss://a/p']\n",
     "f:5: servers: found \"wss://a/p\" twice\n"},
    {REST "servers: 'wss://a/p'\n",
     "f:5:10: servers: found \"wss://a/p\", expected a list of values\n"},
    {REST SERVER "balance: random\n", "f:6:10: balance: found \"random\", expected active-backup, "
                                      "round-robin or least-loaded\n"},
    {REST SERVER "schedule: fastest\n",
     "f:6:11: schedule: found \"fastest\", expected auto, round-robin, weighted, min-rtt, "
     "redundant, active-backup or bond\n"},
    {REST SERVER "uplinks: []\n", "f:6: uplinks is an empty list: name at least one\n"},
    {REST SERVER "uplinks: [wlan0]\n",
     "f:6:11: uplinks: found \"wlan0\", expected a map in each entry of the list\n"},
    {REST SERVER "uplinks:\n  - interface: wlan0\n", "f:7:5: this uplink has no \"name\"\n"},
    {REST SERVER "uplinks:\n  - {name: a, device: wlan0}\n", "f:7:15: unknown key \"device\"\n"},
    {REST SERVER "uplinks:\n  - {name: a, interface: a-name-that-is-too-long}\n",
     "f:7:26: interface: found \"a-name-that-is-too-long\", expected a text of 1 to 15 "
     "characters\n"},
    {REST SERVER "uplinks:\n  - {name: a, source: wlan0}\n",
     "f:7:23: source: found \"wlan0\", expected an address such as 192.0.2.7 or 2001:db8::7\n"},
    {REST SERVER "uplinks:\n  - {name: a, weight: 0}\n",
     "f:7:23: weight: found \"0\", expected a whole number from 1 to 1000\n"},
    {REST SERVER "uplinks:\n  - {name: a, role: spare}\n",
     "f:7:21: role: found \"spare\", expected available or backup\n"},
    {REST SERVER "uplinks:\n  - {name: 'my wifi'}\n",
     "f:7: uplink name: found \"my wifi\", expected letters, digits, dots, dashes and "
     "underscores\n"},
    {REST SERVER "uplinks:\n  - {name: a}\n  - {name: b}\n  - {name: a}\n",
     "f:9: two uplinks are named a\n"},
    {REST SERVER "uplinks:\n  - {name: a, connections: 16}\n  - {name: b}\n",
     "f:6: uplinks: found 17 connections together, expected at most 16\n"},
    {REST SERVER "connections: 2\nuplinks:\n  - {name: a}\n",
     "f:6: both connections and uplinks are given: say connections in each uplink\n"},
};

START_TEST(what_cannot_be_is_said_with_its_place)
{
    struct tws_client_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_client(wrong[_i].yaml, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, wrong[_i].says);
    ck_assert_ptr_null(c);
}
END_TEST

START_TEST(more_servers_than_there_may_be_are_counted)
{
    char yaml[2048] = REST "servers:\n";
    struct tws_client_config *c = NULL;
    struct said said;
    size_t n = strlen(yaml);

    for (unsigned i = 0; i <= TWS_SERVERS_MAX; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "  - wss://h%u/p\n", i);
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, "f:5: servers: found 17, expected at most 16\n");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config_uplinks");

    add_keys(tc);
    tcase_add_test(tc, uplinks_are_taken_with_their_defaults);
    LOOP(tc, every_schedule_has_its_name, schedules);
    tcase_add_test(tc, servers_are_taken_in_order);
    tcase_add_test(tc, one_server_without_tls_elsewhere_makes_sealing_a_must);
    LOOP(tc, what_cannot_be_is_said_with_its_place, wrong);
    tcase_add_test(tc, more_servers_than_there_may_be_are_counted);
    return run_suite("app/config_uplinks", tc);
}

/* test_yaml.c - what is said of a wrong file, word by word, and what is read of a right one. */
#include "app_support.h"

#include "tws/app/config.h"
#include "tws/app/settings.h"

#define LISTEN                                                                                     \
    "expected an address such as 127.0.0.1:8080, [::1]:8080, :8080 or 127.0.0.1:8000-8010, "       \
    "unix:/path or fd:NAME\n"
#define REMOTE                                                                                     \
    "expected a host and port such as 127.0.0.1:8080, [::1]:8080 or example.com:80-90, or "        \
    "unix:/path\n"

static const struct {
    unsigned who;
    const char *yaml;
    const char *says;
} wrong[] = {
    /* keys */
    {TWS_OPT_CLIENT, "conections: 2\n",
     "f:1:1: unknown key \"conections\", the nearest is \"connections\"\n"},
    {TWS_OPT_CLIENT, "listen: 127.0.0.1:1\nkey-file: x\n",
     "f:2:1: unknown key \"key-file\", the nearest is \"key_file\"\n"},
    {TWS_OPT_CLIENT, "zzzzzzzzzz: 2\n", "f:1:1: unknown key \"zzzzzzzzzz\"\n"},
    {TWS_OPT_CLIENT, "config: other.yaml\n", "f:1:1: \"config\" belongs on the command line\n"},
    {TWS_OPT_CLIENT, "grace: 5s\ngrace: 6s\n", "f:2:1: grace is given twice, first on line 1\n"},
    {TWS_OPT_CLIENT, "timeout: 5s\nheartbeat: 6s\n",
     "f:2:1: timeout is given twice, first on line 1\n"},
    {TWS_OPT_SERVER, "remote: 1.2.3.4:5\n",
     "f:1:1: \"remote\" is a key of the client, not of the server\n"},
    {TWS_OPT_CLIENT, "decoy: /var/www\n",
     "f:1:1: \"decoy\" is a key of the server, not of the client\n"},
    {TWS_OPT_CLIENT, "[a, b]: 1\n", "f:1:1: found a list or map, expected a key\n"},
    {TWS_OPT_CLIENT, "unknown_thing:\n  - {a: [1, 2]}\nconnections: 99\n",
     "f:1:1: unknown key \"unknown_thing\"\n"
     "f:3:14: connections: found \"99\", expected a whole number from 1 to 16\n"},
    /* numbers */
    {TWS_OPT_CLIENT, "connections: 0\n",
     "f:1:14: connections: found \"0\", expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections: two\n",
     "f:1:14: connections: found \"two\", expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections: \"2\"\n",
     "f:1:14: connections: found \"2\", expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections: -1\n",
     "f:1:14: connections: found \"-1\", expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections: 2.0\n",
     "f:1:14: connections: found \"2.0\", expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections: 99999999999999999999\n",
     "f:1:14: connections: found \"99999999999999999999\", expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections: [2]\n",
     "f:1:14: connections: found a list, expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections: {a: 2}\n",
     "f:1:14: connections: found a map, expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections:\n",
     "f:1:13: connections: found nothing, expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "connections: ~\n",
     "f:1:14: connections: found \"~\", expected a whole number from 1 to 16\n"},
    {TWS_OPT_BOTH, "max_message: 65536\n",
     "f:1:14: max_message: found \"65536\", expected a whole number from 2048 to 65535\n"},
    /* durations and sizes */
    {TWS_OPT_CLIENT, "timeout: 5 s\n",
     "f:1:10: timeout: found \"5 s\", expected a duration from 100ms to 1h\n"},
    {TWS_OPT_CLIENT, "timeout: 0\n",
     "f:1:10: timeout: found \"0\", expected a duration from 100ms to 1h\n"},
    {TWS_OPT_CLIENT, "timeout: 2h\n",
     "f:1:10: timeout: found \"2h\", expected a duration from 100ms to 1h\n"},
    {TWS_OPT_CLIENT, "drain: 25h\n",
     "f:1:8: drain: found \"25h\", expected a duration from 0 to 24h\n"},
    {TWS_OPT_CLIENT, "memory: 1MiB\n",
     "f:1:9: memory: found \"1MiB\", expected a size from 4MiB to 64GiB\n"},
    {TWS_OPT_CLIENT, "memory: much\n",
     "f:1:9: memory: found \"much\", expected a size from 4MiB to 64GiB\n"},
    /* texts, choices, flags */
    {TWS_OPT_CLIENT, "encrypt: always\n",
     "f:1:10: encrypt: found \"always\", expected off, allow or require\n"},
    {TWS_OPT_CLIENT, "log: loud\n",
     "f:1:6: log: found \"loud\", expected error, warn, info, debug or trace\n"},
    {TWS_OPT_CLIENT, "insecure: maybe\n",
     "f:1:11: insecure: found \"maybe\", expected true or false\n"},
    {TWS_OPT_CLIENT, "insecure: 'true'\n",
     "f:1:11: insecure: found \"true\", expected true or false\n"},
    {TWS_OPT_CLIENT, "passwd: ''\n",
     "f:1:9: passwd: found 0 characters, expected a text of 1 to 1024 characters\n"},
    {TWS_OPT_CLIENT, "passwd: [hunter2]\n",
     "f:1:9: passwd: found a list, expected a text of 1 to 1024 characters\n"},
    {TWS_OPT_CLIENT, "name: \"a\\0b\"\n",
     "f:1:7: name: found \"a\", expected a text of 1 to 64 characters\n"},
    {TWS_OPT_CLIENT, "server: *anchor\n", "f:1:9: server: found an alias, expected a URL\n"},
    {TWS_OPT_CLIENT, "log: \"\\x1b[31mred and a very long text that goes on and on\"\n",
     "f:1:6: log: found \"?[31mred and a very long text that goes ...\", expected error, warn, "
     "info, debug or trace\n"},
    /* addresses */
    {TWS_OPT_CLIENT, "listen: 8080\n", "f:1:9: listen: found \"8080\", " LISTEN},
    {TWS_OPT_CLIENT, "listen: ::1:80\n", "f:1:9: listen: found \"::1:80\", " LISTEN},
    {TWS_OPT_CLIENT, "listen: a:1-2000\n", "f:1:9: listen: found \"a:1-2000\", " LISTEN},
    {TWS_OPT_CLIENT, "listen: unix:here\n", "f:1:9: listen: found \"unix:here\", " LISTEN},
    {TWS_OPT_SERVER, "listen: stdio\n", "f:1:9: listen: found \"stdio\", " LISTEN},
    {TWS_OPT_CLIENT, "remote: :80\n", "f:1:9: remote: found \":80\", " REMOTE},
    {TWS_OPT_CLIENT, "remote: a:65536\n", "f:1:9: remote: found \"a:65536\", " REMOTE},
    {TWS_OPT_CLIENT, "remote: fd:web\n", "f:1:9: remote: found \"fd:web\", " REMOTE},
    /* lists */
    {TWS_OPT_CLIENT, "forwards: 127.0.0.1:80\n",
     "f:1:11: forwards: found \"127.0.0.1:80\", expected a list of maps\n"},
    {TWS_OPT_CLIENT, "forwards:\n  listen: 127.0.0.1:80\n",
     "f:2:3: forwards: found a map, expected a list of maps\n"},
    {TWS_OPT_CLIENT, "forwards:\n  - 127.0.0.1:80\n",
     "f:2:5: forwards: found \"127.0.0.1:80\", expected a map in each entry of the list\n"},
    {TWS_OPT_CLIENT, "uplinks:\n  - weight: 2\n", "f:2:5: this uplink has no \"name\"\n"},
    {TWS_OPT_CLIENT, "uplinks:\n  - weight: 2\n    nmae: a\n",
     "f:3:5: unknown key \"nmae\", the nearest is \"name\"\n"
     "f:2:5: this uplink has no \"name\"\n"},
    {TWS_OPT_CLIENT, "uplinks:\n  - name: a\n    role: reserve\n",
     "f:3:11: role: found \"reserve\", expected available or backup\n"},
    {TWS_OPT_SERVER, "tun: [10.9.0.1/24]\n", "f:1:6: tun: found a list, expected a map\n"},
    {TWS_OPT_SERVER, "tun: tws0\n", "f:1:6: tun: found \"tws0\", expected a map\n"},
    {TWS_OPT_SERVER, "tun:\n  device: tws0\n", "f:2:3: this tun has no \"address\"\n"},
    {TWS_OPT_SERVER, "tun:\n  address: [10.9.0.1/33]\n",
     "f:2:13: address: found \"10.9.0.1/33\", expected an address with its network, such as "
     "10.9.0.1/24 or fd09::1/64\n"},
    {TWS_OPT_CLIENT, "forwards:\n  - listen: 127.0.0.1:80\n    remote: a:1\n    remote: a:2\n",
     "f:4:5: remote is given twice, first on line 3\n"},
    {TWS_OPT_SERVER, "allow: 10.0.0.0/8\n",
     "f:1:8: allow: found \"10.0.0.0/8\", expected a list of values\n"},
    {TWS_OPT_SERVER, "allow:\n  - 10.0.0.1/8\n",
     "f:2:5: allow: found \"10.0.0.1/8\", expected a target such as 10.0.0.0/8:22, [::1]:80-90, "
     "*.example.com:443, udp/*:53, unix:/run/app.sock or *\n"},
    {TWS_OPT_SERVER, "allow:\n  - [a]\n",
     "f:2:5: allow: found a list, expected a target such as 10.0.0.0/8:22, [::1]:80-90, "
     "*.example.com:443, udp/*:53, unix:/run/app.sock or *\n"},
    {TWS_OPT_SERVER, "trusted_proxies: [10.0.0.0/33]\n",
     "f:1:19: trusted_proxies: found \"10.0.0.0/33\", expected an address or a network such as "
     "10.0.0.0/8 (no bits set behind the /)\n"},
    /* the document */
    {TWS_OPT_CLIENT, "- a\n- b\n",
     "f:1:1: found a list, expected keys and values such as "
     "\"server: ...\"\n"},
    {TWS_OPT_SERVER, "hello\n",
     "f:1:1: found a text, expected keys and values such as "
     "\"listen: ...\"\n"},
    {TWS_OPT_CLIENT, "grace: 5s\n---\ngrace: 6s\n",
     "f:2:1: a second document begins here, expected one\n"},
    {TWS_OPT_CLIENT, "grace: [5s\n",
     "f:1:8: grace: found a list, expected a duration from 1s to 24h\n"
     "f:2:1: this is not YAML: did not find expected ',' or ']'\n"},
    {TWS_OPT_CLIENT, "grace: 5s\n listen: a\n",
     "f:1:8: grace: found \"5s listen\", expected a duration from 1s to 24h\n"
     "f:2:8: this is not YAML: mapping values are not allowed in this context\n"},
    {TWS_OPT_CLIENT, "\tgrace: 5s\n",
     "f:1:1: this is not YAML: found character that cannot start any token\n"},
    {TWS_OPT_CLIENT, "grace: \"\xff\"\n", "f:1:9: this is not YAML: invalid leading UTF-8 octet\n"},
    {TWS_OPT_CLIENT, "# caf\xc3\xa9\n\nname: caf\xe9\n",
     "f:3:10: this is not YAML: incomplete UTF-8 octet sequence\n"},
};

START_TEST(a_wrong_file_is_refused_in_these_words)
{
    struct said said;
    struct tws_diag diag = listen_to(&said);
    struct tws_settings s;
    const char *yaml = wrong[_i].yaml;

    ck_assert_int_eq(tws_settings_init(&s, wrong[_i].who), TWS_OK);
    ck_assert_int_eq(tws_settings_read_yaml(&s, "f", yaml, strlen(yaml), &diag), TWS_CONFIG);
    ck_assert_str_eq(said.text, wrong[_i].says);
    tws_settings_fini(&s);
}
END_TEST

static const struct {
    const char *yaml;
    const char *says;
} wrong_keys[] = {
    {"users:\n  - name: a\n",
     "k:2:5: this user has no \"key\"\nk:2:5: this user has no \"allow\"\n"},
    {"", "k:1:1: this keys file has no \"users\"\n"},
    {"{}", "k:1:1: this keys file has no \"users\"\n"},
    {"users:\n  - {name: a, key: short, allow: []}\n",
     "k:2: user \"a\": key: expected tws2-key-... as tws keygen makes it\n"},
    {"users:\n  - {name: a, key_id: 0011223344556677, key: short, allow: []}\n",
     "k:2: user \"a\": key: expected tws2-key-... as tws keygen makes it, without its prefix when "
     "key_id is given\n"},
    {"users:\n"
     "  - name: a\n    allow: []\n"
     "    key: tws2-key-0011223344556677-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "  - name: a\n    allow: []\n"
     "    key: tws2-key-0011223344556678-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "  - name: b\n    allow: []\n    key_id: 0011223344556677\n"
     "    key: BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
     "k:5: user \"a\" is given twice, first on line 2\n"
     "k:8: user \"b\" has the key id of \"a\"\n"},
    {"users:\n  - {name: a, key: x, allow: [], colour: blue}\n",
     "k:2:34: unknown key \"colour\"\n"},
    {"users: {}\n", "k:1:8: users: found a map, expected a list of maps\n"},
};

START_TEST(a_wrong_keys_file_is_refused_in_these_words)
{
    struct said said;
    struct tws_diag diag = listen_to(&said);
    struct tws_users users;
    const char *yaml = wrong_keys[_i].yaml;
    tws_err expected = wrong_keys[_i].says[0] != '\0' ? TWS_CONFIG : TWS_OK;

    ck_assert_int_eq(tws_users_read_yaml("k", yaml, strlen(yaml), &diag, &users), expected);
    ck_assert_str_eq(said.text, wrong_keys[_i].says);
    ck_assert_uint_eq(users.n, 0);
    tws_users_free(users.users, users.n);
}
END_TEST

START_TEST(every_kind_of_value_is_read)
{
    static const char yaml[] = "# a comment\n"
                               "server: 'wss://example.com/tws'\n"
                               "forwards:\n"
                               "  - listen: 127.0.0.1:5203\n"
                               "    remote: \"[::1]:5201\"\n"
                               "  - {listen: \":8080\", remote: intranet.example.com:80}\n"
                               "connections: 16\n"
                               "timeout: 5000\n"
                               "drain: 1h\n"
                               "memory: 128MiB\n"
                               "insecure: yes\n"
                               "encrypt: off\n"
                               "verbose: true\n"
                               "passwd: 12345\n";
    struct said said;
    struct tws_diag diag = listen_to(&said);
    const struct tws_forward_settings *f = NULL;
    struct tws_settings s;

    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_CLIENT), TWS_OK);
    ck_assert_int_eq(tws_settings_read_yaml(&s, "f", yaml, strlen(yaml), &diag), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_str_eq(s.server, "wss://example.com/tws");
    ck_assert_uint_eq(s.forwards.n, 2);
    f = s.forwards.p;
    ck_assert_uint_eq(f[0].line, 4);
    ck_assert_str_eq(f[0].remote.name, "::1");
    ck_assert_uint_eq(f[0].remote.port, 5201);
    ck_assert_str_eq(f[1].listen.name, "");
    ck_assert_uint_eq(f[1].listen.port, 8080);
    ck_assert_str_eq(f[1].remote.name, "intranet.example.com");
    ck_assert_uint_eq(s.connections, 16);
    ck_assert_uint_eq(s.timeout_ms, 5000);
    ck_assert_uint_eq(s.drain_ms, 3600000);
    ck_assert_uint_eq(s.memory, UINT64_C(128) << 20);
    ck_assert(s.insecure);
    ck_assert_uint_eq(s.encrypt, 1);
    ck_assert_uint_eq(s.verbose, 1);
    ck_assert_str_eq(s.passwd, "12345");
    tws_settings_forget(&s);
    ck_assert_ptr_null(s.passwd);
    ck_assert_str_eq(s.server, "wss://example.com/tws");
    tws_settings_fini(&s);
}
END_TEST

START_TEST(an_empty_file_leaves_the_defaults)
{
    struct said said;
    struct tws_diag diag = listen_to(&said);
    struct tws_settings s;

    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_CLIENT), TWS_OK);
    ck_assert_int_eq(tws_settings_read_yaml(&s, "f", "# nothing\n", 10, &diag), TWS_OK);
    ck_assert_uint_eq(s.connections, 2);
    ck_assert_uint_eq(s.timeout_ms, 15000);
    ck_assert_uint_eq(s.retry_timeout_ms, 5000);
    ck_assert_uint_eq(s.connect_timeout_ms, 10000);
    ck_assert_uint_eq(s.grace_ms, 120000);
    ck_assert_uint_eq(s.give_up_ms, 10000);
    ck_assert_uint_eq(s.drain_ms, 30000);
    ck_assert_uint_eq(s.memory, UINT64_C(64) << 20);
    ck_assert_uint_eq(s.max_message, 32768);
    ck_assert_uint_eq(s.max_channels, 65536);
    ck_assert_uint_eq(s.encrypt, 0);
    ck_assert_ptr_null(s.passwd);
    ck_assert_str_eq(said.text, "");
    tws_settings_fini(&s);
}
END_TEST

START_TEST(a_value_from_a_pipe_or_directory_is_no_file)
{
    struct said said;
    struct tws_diag diag = listen_to(&said);
    struct tws_settings s;

    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_CLIENT), TWS_OK);
    ck_assert_int_eq(tws_settings_read_file(&s, "/nowhere/f.yaml", &diag), TWS_CONFIG);
    ck_assert_int_eq(tws_settings_read_file(&s, "/dev/null", &diag), TWS_CONFIG);
    ck_assert_int_eq(tws_settings_read_file(&s, "/", &diag), TWS_CONFIG);
    ck_assert_str_eq(said.text, "/nowhere/f.yaml: No such file or directory\n"
                                "/dev/null: this is not a regular file\n"
                                "/: this is not a regular file\n");
    tws_settings_fini(&s);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("yaml");

    LOOP(tc, a_wrong_file_is_refused_in_these_words, wrong);
    LOOP(tc, a_wrong_keys_file_is_refused_in_these_words, wrong_keys);
    tcase_add_test(tc, every_kind_of_value_is_read);
    tcase_add_test(tc, an_empty_file_leaves_the_defaults);
    tcase_add_test(tc, a_value_from_a_pipe_or_directory_is_no_file);
    return run_suite("app/yaml", tc);
}

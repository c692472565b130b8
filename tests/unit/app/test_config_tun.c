/* test_config_tun.c - IP links in the configuration of both sides, and what is wrong with them. */
#include "app_support.h"

#include "tws/app/config.h"
#include "tws/tunnel/footprint.h"

#include <stdlib.h>
#include <unistd.h>

#define CLIENT "server: ws://127.0.0.1:1/\nforwards:\n"
#define SERVER "listen: 127.0.0.1:1\npasswd: correct horse battery staple 9271\nallow: []\n"

/* The settings name a key file that is there for the time of the call. */
static tws_err read_client(const char *yaml, struct said *said, struct tws_client_config **out)
{
    char path[] = "/tmp/tws-test-key-XXXXXX";
    int fd = mkstemp(path);
    struct tws_diag diag = listen_to(said);
    struct tws_settings s;

    ck_assert_int_eq(write(fd, KEY "\n", strlen(KEY) + 1), (ssize_t)strlen(KEY) + 1);
    close(fd);

    *out = NULL;
    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_CLIENT), TWS_OK);
    ck_assert_int_eq(tws_settings_read_yaml(&s, "f", yaml, strlen(yaml), &diag), TWS_OK);
    s.key_file = strdup(path);
    tws_err err = tws_client_config_new(&s, &diag, out);
    tws_settings_fini(&s);
    unlink(path);
    return err;
}

static tws_err read_server(const char *yaml, struct said *said, struct tws_server_config **out)
{
    struct tws_diag diag = listen_to(said);
    struct tws_settings s;

    *out = NULL;
    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_SERVER), TWS_OK);
    ck_assert_int_eq(tws_settings_read_yaml(&s, "f", yaml, strlen(yaml), &diag), TWS_OK);
    tws_err err = tws_server_config_new(&s, &diag, out);
    tws_settings_fini(&s);
    return err;
}

static void is_prefix(const struct tws_prefix *p, const char *text)
{
    char shown[TWS_PREFIX_TEXT];

    tws_prefix_format(p, shown, sizeof shown);
    ck_assert_str_eq(shown, text);
}

START_TEST(a_forward_may_be_an_ip_link)
{
    struct tws_client_config *c;
    struct said said;
    const char *yaml = CLIENT
        "  - kind: tun\n    device: tws9\n    address: [10.9.0.2/24, \"fd09::2\"]\n    mtu: 1400\n"
        "    routes: [10.0.0.0/8]\n    all: true\n    exclude: [192.0.2.0/24]\n"
        "    behind: [192.168.7.0/24]\n    sources: [10.30.0.0/16, \"::/0\"]\n"
        "    dns: [10.9.0.1, \"fd09::1\"]\n"
        "  - kind: tun\n";

    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_uint_eq(c->nforwards, 2);
    const struct tws_tun_config *t = c->forwards[0].tun;
    ck_assert_int_eq(c->forwards[0].kind, TWS_FORWARD_TUN);
    ck_assert_str_eq(t->device, "tws9");
    ck_assert_uint_eq(t->naddresses, 2);
    is_prefix(&t->addresses[0], "10.9.0.2/24");
    is_prefix(&t->addresses[1], "fd09::2/128");
    ck_assert_uint_eq(t->mtu, 1400);
    is_prefix(&t->routes[0], "10.0.0.0/8");
    is_prefix(&t->exclude[0], "192.0.2.0/24");
    ck_assert_uint_eq(t->nbehind, 1);
    is_prefix(&t->behind[0], "192.168.7.0/24");
    ck_assert_uint_eq(t->nsources, 2);
    is_prefix(&t->sources[1], "::/0");
    ck_assert_uint_eq(t->ndns, 2);
    ck_assert(t->all);
    ck_assert_uint_eq(c->link.mark, TWS_MARK_OWN);
    t = c->forwards[1].tun;
    ck_assert_ptr_null(t->device);
    ck_assert_uint_eq(t->naddresses, 0);
    ck_assert_uint_eq(t->mtu, 1500);
    ck_assert(!t->all);
    tws_client_config_free(c);
}
END_TEST

START_TEST(only_a_link_that_takes_everything_needs_a_mark)
{
    struct tws_client_config *c;
    struct said said;

    ck_assert_int_eq(read_client(CLIENT "  - kind: tun\n", &said, &c), TWS_OK);
    ck_assert_uint_eq(c->link.mark, 0);
    tws_client_config_free(c);
}
END_TEST

static const struct {
    const char *yaml, *says;
} wrong_clients[] = {
    {"  - kind: tun\n    listen: 127.0.0.1:1\n", "listens nowhere: leave listen out"},
    {"  - kind: tun\n    remote: a:1\n", "has a remote"},
    {"  - listen: 127.0.0.1:1\n    remote: a:1\n    device: tws0\n", "are for kind tun"},
    {"  - listen: 127.0.0.1:1\n    remote: a:1\n    behind: [10.0.0.0/8]\n", "are for kind tun"},
    {"  - listen: 127.0.0.1:1\n    remote: a:1\n    sources: [10.0.0.0/8]\n", "are for kind tun"},
    {"  - remote: a:1\n", "f:3: forward of kind tcp without listen"},
    {"  - kind: tun\n    dns: [10.0.0.1]\n", "go with all: true"},
    {"  - kind: tun\n    exclude: [10.0.0.0/8]\n", "go with all: true"},
    {"  - kind: tun\n    device: a/b\n", "device: a name of letters"},
    {"  - kind: tun\n    device: tws%d\n", "device: a name of letters"},
    {"  - kind: tun\n    address: [127.0.0.1/8]\n", "address: no host can have this one"},
    {"  - kind: tun\n    address: [224.0.0.1/8]\n", "address: no host can have this one"},
    {"  - kind: tun\n    address: [\"fd09::2/64\"]\n    mtu: 1279\n", "IPv6 needs at least 1280"},
    {"  - kind: tun\n  - kind: tun\n", "two forwards of kind tun have the same device"},
    {"  - kind: tun\n    device: a\n    all: true\n  - kind: tun\n    device: b\n    all: true\n",
     "two forwards have all: true"},
};

START_TEST(a_link_that_cannot_work_is_told_why)
{
    struct tws_client_config *c;
    struct said said;
    char yaml[512];

    snprintf(yaml, sizeof yaml, CLIENT "%s", wrong_clients[_i].yaml);
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_CONFIG);
    ck_assert_msg(strstr(said.text, wrong_clients[_i].says) != NULL, "%s", said.text);
}
END_TEST

START_TEST(the_server_has_one_end_for_all)
{
    struct tws_server_config *c;
    struct said said;

    ck_assert_int_eq(read_server(SERVER "tun: {device: tws1, address: [10.9.0.1/24, fd09::1/64], "
                                        "mtu: 9000}\n",
                                 &said, &c),
                     TWS_OK);
    ck_assert_str_eq(c->tun->device, "tws1");
    ck_assert_uint_eq(c->tun->naddresses, 2);
    is_prefix(&c->tun->addresses[0], "10.9.0.1/24");
    is_prefix(&c->tun->addresses[1], "fd09::1/64");
    ck_assert_uint_eq(c->tun->mtu, 9000);
    ck_assert(c->users[0].tun_pool); /* the passphrase's */
    tws_server_config_free(c);
    ck_assert_int_eq(read_server(SERVER, &said, &c), TWS_OK);
    ck_assert_ptr_null(c->tun);
    ck_assert(!c->users[0].tun_pool);
    tws_server_config_free(c);
    ck_assert_int_eq(read_server(SERVER "tun: {address: []}\n", &said, &c), TWS_CONFIG);
    ck_assert_ptr_nonnull(strstr(said.text, "f:4: tun: address: at least one is needed"));
}
END_TEST

static tws_err read_user(const char *tun, struct said *said, struct tws_users *out)
{
    struct tws_diag diag = listen_to(said);
    char yaml[512];

    snprintf(yaml, sizeof yaml, "users:\n  - {name: a, key: %s, allow: [], tun: %s}\n", KEY, tun);
    return tws_users_read_yaml("k", yaml, strlen(yaml), &diag, out);
}

START_TEST(a_user_has_addresses_networks_or_the_pool)
{
    struct tws_users users;
    struct said said;

    ck_assert_int_eq(read_user("[10.9.0.2, fd09::2, 192.168.7.0/24]", &said, &users), TWS_OK);
    ck_assert_uint_eq(users.users[0].ntun, 3);
    is_prefix(&users.users[0].tun[0], "10.9.0.2/32");
    is_prefix(&users.users[0].tun[1], "fd09::2/128");
    is_prefix(&users.users[0].tun[2], "192.168.7.0/24");
    ck_assert(!users.users[0].tun_pool);
    tws_users_free(users.users, users.n);
    ck_assert_int_eq(read_user("[pool]", &said, &users), TWS_OK);
    ck_assert_uint_eq(users.users[0].ntun, 0);
    ck_assert(users.users[0].tun_pool);
    tws_users_free(users.users, users.n);
    ck_assert_int_eq(read_user("[10.9.0.2/24]", &said, &users), TWS_CONFIG);
    ck_assert_str_eq(said.text,
                     "k:2: user \"a\": tun: found \"10.9.0.2/24\", expected pool, an address such "
                     "as 10.9.0.2, or a network such as 192.168.7.0/24 (no bits set behind the "
                     "/)\n");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config_tun");

    tcase_set_timeout(tc, 60); /* passphrases take their time */
    tcase_add_test(tc, a_forward_may_be_an_ip_link);
    tcase_add_test(tc, only_a_link_that_takes_everything_needs_a_mark);
    tcase_add_loop_test(tc, a_link_that_cannot_work_is_told_why, 0, COUNT_OF(wrong_clients));
    tcase_add_test(tc, the_server_has_one_end_for_all);
    tcase_add_test(tc, a_user_has_addresses_networks_or_the_pool);
    return run_suite("app/config_tun", tc);
}

/* test_config_words.c - a client without a file: forwards of the command line, keys of the
 * environment, and both beside a file. */
#include "app_support.h"

#include "tws/app/config.h"

#define STRONG  "correct horse battery staple 9271"
#define FORWARD "listen: 127.0.0.1:1\nremote: a:1\n"
#define PASSWD  "passwd: " STRONG "\n"

static void clear_environment(void)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY",  "all_proxy",    "ALL_PROXY",
                                        "TWS_PASSWD",  "TWS_KEY_FILE", "TWS_KEYS_FILE"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

#define CLIENT_LINE "client wss://h/p "

static const struct {
    const char *line;
    const char *yaml; /* NULL: no file */
    const char *says;
    size_t nforwards;
    const char *stdio; /* NULL: none */
} commands[] = {
    {CLIENT_LINE "3000:h:80 8000-8002:h:9000-9002", NULL, "", 4, NULL},
    {CLIENT_LINE "-l a:1 -r b:2 3000:h:80", NULL, "", 3, NULL},
    {CLIENT_LINE "3000:h:80", FORWARD, "", 3, NULL},
    {CLIENT_LINE "-W h:22", FORWARD, "", 0, "h:22"},
    {CLIENT_LINE "stdio:h:22 3000:h:80", FORWARD, "", 1, "h:22"},
    {CLIENT_LINE "-W unix:/run/x", NULL, "", 0, "unix:/run/x"},
    {CLIENT_LINE "3000:h:80 3000:g:80", NULL,
     "127.0.0.1:3000:g:80: two forwards listen on 127.0.0.1:3000\n", 0, NULL},
    {CLIENT_LINE "127.0.0.1:1:h:80", FORWARD,
     "127.0.0.1:1:h:80: two forwards listen on 127.0.0.1:1\n", 0, NULL},
    {CLIENT_LINE "3000:h:80 2999-3001:h:80-82", NULL,
     "127.0.0.1:2999-3001:h:80-82: two forwards listen on 127.0.0.1:3000\n", 0, NULL},
    {CLIENT_LINE "R:unix:/run/app.sock:localhost:22 R:unix:/b:unix:/c", NULL, "", 0, NULL},
    {CLIENT_LINE "R:2222:localhost:22 R:8000-8001:h:80-81", NULL, "", 0, NULL},
    {CLIENT_LINE "R:db.example:1:h:80", NULL,
     "R:db.example:1:h:80: reverse forward listens on \"db.example:1\": give an address of the "
     "server, localhost, no host for all of its addresses, or unix:/path\n",
     0, NULL},
    {CLIENT_LINE "53:1.1.1.1:53/udp 53:1.1.1.1:53", NULL, "", 2, NULL},
    {CLIENT_LINE "1080:socks 3128:http 1081:proxy", NULL, "", 3, NULL},
    {"client wss://h/p", NULL,
     "nothing to forward: give listen and remote, or a list of forwards\n", 0, NULL},
    {"client -W h:22", NULL, "server is missing: the server's URL, wss://host/path\n", 0, NULL},
};

static tws_err read_command(const char *line, const char *yaml, struct said *said,
                            struct tws_client_config **out)
{
    struct tws_diag diag = listen_to(said);
    char words[256], *argv[16] = {NULL}, *rest = words;
    struct tws_settings s;
    tws_err err = TWS_OK;
    int argc = 0;

    snprintf(words, sizeof words, "%s", line);
    while ((argv[argc] = strsep(&rest, " ")) != NULL)
        argc++;
    *out = NULL;
    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_CLIENT), TWS_OK);
    ck_assert_int_eq(tws_settings_read_argv(&s, argc, argv, &diag), TWS_OK);
    if (yaml != NULL)
        ck_assert_int_eq(tws_settings_read_yaml(&s, "f", yaml, strlen(yaml), &diag), TWS_OK);
    err = tws_settings_read_env(&s, &diag);
    if (err == TWS_OK)
        err = tws_client_config_new(&s, &diag, out);
    tws_settings_fini(&s);
    return err;
}

START_TEST(forwards_of_the_command_line_join_those_of_the_file)
{
    bool fails = commands[_i].says[0] != '\0';
    struct tws_client_config *c = NULL;
    char stdio[TWS_SPOT_TEXT];
    struct said said;

    clear_environment();
    setenv("TWS_KEY_FILE", "client.key", 1);
    ck_assert_int_eq(read_command(commands[_i].line, commands[_i].yaml, &said, &c),
                     fails ? TWS_CONFIG : TWS_OK);
    ck_assert_str_eq(said.text, commands[_i].says);
    if (fails)
        return;
    ck_assert_uint_eq(c->nforwards, commands[_i].nforwards);
    ck_assert((c->stdio.type == TWS_SPOT_NONE) == (commands[_i].stdio == NULL));
    if (commands[_i].stdio != NULL) {
        tws_spot_format(&c->stdio, stdio, sizeof stdio);
        ck_assert_str_eq(stdio, commands[_i].stdio);
    }
    tws_client_config_free(c);
}
END_TEST

static const struct {
    const char *line, *yaml;
    bool alone;
} named[] = {
    {CLIENT_LINE "-W h:22", "name: box\n" FORWARD, true},
    {CLIENT_LINE "stdio:h:22 R:2222:localhost:22", "name: box\n", false},
};

/* The server takes who comes with a name for the successor of who had it. */
START_TEST(a_client_for_stdin_alone_shares_its_name_with_nobody)
{
    struct tws_client_config *c = NULL;
    struct said said;
    char alone[64];

    clear_environment();
    setenv("TWS_KEY_FILE", "client.key", 1);
    ck_assert_int_eq(read_command(named[_i].line, named[_i].yaml, &said, &c), TWS_OK);
    (void)snprintf(alone, sizeof alone, "box/%ld", (long)getpid());
    ck_assert_str_eq(c->name, named[_i].alone ? alone : "box");
    tws_client_config_free(c);
}
END_TEST

static const struct {
    const char *passwd, *key_file; /* of the environment */
    const char *line, *yaml;
    const char *says;
} environments[] = {
    {STRONG, NULL, CLIENT_LINE "3000", NULL, ""},
    {"", "", CLIENT_LINE "3000", NULL,
     "no key: give key_file (made by tws keygen) or the server's passwd, or set TWS_KEY_FILE "
     "or TWS_PASSWD\n"},
    {NULL, "/nowhere/key", CLIENT_LINE "3000", NULL,
     "TWS_KEY_FILE: /nowhere/key: No such file or directory\n"},
    {STRONG, "/nowhere/key", CLIENT_LINE "3000", NULL,
     "TWS_PASSWD: both key_file and passwd are given: give one\n"},
    {"weak", NULL, CLIENT_LINE "3000", NULL,
     "warning: TWS_PASSWD: the passphrase is weak: whoever records one handshake can guess it at "
     "leisure; use a key (tws keygen)\n"},
    /* whoever wrote a key somewhere means that one */
    {STRONG, NULL, CLIENT_LINE "3000 -k /nowhere/mine", NULL,
     "/nowhere/mine: No such file or directory\n"},
    {NULL, "/nowhere/key", CLIENT_LINE "3000", PASSWD, ""},
    {STRONG, NULL, CLIENT_LINE "3000", "key_file: /nowhere/mine\n",
     "f:1: /nowhere/mine: No such file or directory\n"},
};

START_TEST(a_key_comes_from_the_environment_if_nothing_else_names_one)
{
    const char *says = environments[_i].says;
    bool fails = says[0] != '\0' && strncmp(says, "warning", 7) != 0;
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    if (environments[_i].passwd != NULL)
        setenv("TWS_PASSWD", environments[_i].passwd, 1);
    if (environments[_i].key_file != NULL)
        setenv("TWS_KEY_FILE", environments[_i].key_file, 1);
    ck_assert_int_eq(read_command(environments[_i].line, environments[_i].yaml, &said, &c),
                     fails ? TWS_CONFIG : TWS_OK);
    ck_assert_str_eq(said.text, says);
    tws_client_config_free(c);
}
END_TEST

START_TEST(a_passphrase_of_the_environment_is_judged_like_any)
{
    char long_one[1100];
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    memset(long_one, 'x', sizeof long_one);
    long_one[sizeof long_one - 1] = '\0';
    setenv("TWS_PASSWD", long_one, 1);
    ck_assert_int_eq(read_command(CLIENT_LINE "3000", NULL, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, "TWS_PASSWD: found 1099 characters, expected a text of 1 to 1024 "
                                "characters\n");
}
END_TEST

#define UNIX KEY_FILE "server: wss://h/p\nforwards:\n  - {listen: 'unix:/x', remote: 'a:1'"

static const struct {
    unsigned who;
    const char *yaml;
    const char *says;
} files[] = {
    {TWS_OPT_CLIENT, UNIX "}\n", ""},
    {TWS_OPT_CLIENT, UNIX ", listen_mode: 0660, listen_owner: 'root:0'}\n", ""},
    {TWS_OPT_CLIENT, UNIX ", listen_mode: 0680}\n",
     "f:4: listen_mode: expected an octal mode such as 0660\n"},
    {TWS_OPT_CLIENT, UNIX ", listen_mode: 60}\n",
     "f:4: listen_mode: expected an octal mode such as 0660\n"},
    {TWS_OPT_CLIENT, UNIX ", listen_mode: 1660}\n",
     "f:4: listen_mode: expected an octal mode such as 0660\n"},
    {TWS_OPT_CLIENT, UNIX ", listen_owner: no-such-user}\n",
     "f:4: listen_owner: there is no such user on this machine\n"},
    {TWS_OPT_CLIENT, UNIX ", listen_owner: 'root:no-such-group'}\n",
     "f:4: listen_owner: there is no such group on this machine\n"},
    {TWS_OPT_CLIENT, KEY_FILE "server: wss://h/p\nlisten: a:1\nremote: b:1\nlisten_mode: 0600\n",
     "f:3: listen_mode and listen_owner are for listen: unix:/path only\n"},
    {TWS_OPT_CLIENT, UNIX "}\n  - {listen: 'unix:/x', remote: 'b:1'}\n",
     "f:5: two forwards listen on unix:/x\n"},
    {TWS_OPT_CLIENT, UNIX ", kind: udp}\n",
     "f:4: forward of kind udp: unix sockets carry connections only; give addresses with a port, "
     "or fd:NAME to listen\n"},
    {TWS_OPT_SERVER, PASSWD "allow: ['*']\nlisten: unix:/x\nlisten_mode: 0660\n", ""},
    {TWS_OPT_SERVER, PASSWD "allow: ['*']\nlisten: fd:web\n", ""},
    {TWS_OPT_SERVER, PASSWD "allow: ['*']\nlisten: ':0'\n",
     "f:3: listen: the server listens on one port from 1 to 65535\n"},
    {TWS_OPT_SERVER, PASSWD "allow: ['*']\nlisten: ':80-81'\n",
     "f:3: listen: the server listens on one port from 1 to 65535\n"},
    {TWS_OPT_SERVER, PASSWD "allow: ['*']\nlisten: ':80'\nlisten_mode: 0660\n",
     "f:3: listen_mode and listen_owner are for listen: unix:/path only\n"},
};

START_TEST(who_may_connect_to_a_unix_socket_is_checked)
{
    bool fails = files[_i].says[0] != '\0';
    struct said said;
    struct tws_diag diag = listen_to(&said);
    struct tws_client_config *client = NULL;
    struct tws_server_config *server = NULL;
    struct tws_settings s;
    tws_err err = TWS_OK;

    clear_environment();
    ck_assert_int_eq(tws_settings_init(&s, files[_i].who), TWS_OK);
    ck_assert_int_eq(tws_settings_read_yaml(&s, "f", files[_i].yaml, strlen(files[_i].yaml), &diag),
                     TWS_OK);
    if (files[_i].who == TWS_OPT_CLIENT)
        err = tws_client_config_new(&s, &diag, &client);
    else
        err = tws_server_config_new(&s, &diag, &server);
    ck_assert_str_eq(said.text, files[_i].says);
    ck_assert_int_eq(err, fails ? TWS_CONFIG : TWS_OK);
    tws_client_config_free(client);
    tws_server_config_free(server);
    tws_settings_fini(&s);
}
END_TEST

START_TEST(a_unix_socket_is_its_owners_unless_told_otherwise)
{
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    setenv("TWS_KEY_FILE", "client.key", 1);
    ck_assert_int_eq(read_command(CLIENT_LINE "unix:/x:h:80", NULL, &said, &c), TWS_OK);
    ck_assert_uint_eq(c->forwards[0].access.mode, 0600);
    ck_assert(c->forwards[0].access.owner == (uid_t)-1);
    ck_assert(c->forwards[0].access.group == (gid_t)-1);
    tws_client_config_free(c);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config_words");

    add_keys(tc);
    LOOP(tc, forwards_of_the_command_line_join_those_of_the_file, commands);
    LOOP(tc, a_client_for_stdin_alone_shares_its_name_with_nobody, named);
    LOOP(tc, a_key_comes_from_the_environment_if_nothing_else_names_one, environments);
    tcase_add_test(tc, a_passphrase_of_the_environment_is_judged_like_any);
    LOOP(tc, who_may_connect_to_a_unix_socket_is_checked, files);
    tcase_add_test(tc, a_unix_socket_is_its_owners_unless_told_otherwise);
    return run_suite("app/config_words", tc);
}

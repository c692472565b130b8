/* test_config.c - from settings to the tunnel's configuration, with the complaints on the way. */
#include "config_support.h"

#include "tws/app/key.h"
#include "tws/crypto/passphrase.h"

#define STRONG "correct horse battery staple 9271"

static void clear_environment(void)
{
    static const char *const names[] = {"http_proxy",  "HTTP_PROXY",   "https_proxy",
                                        "HTTPS_PROXY", "all_proxy",    "ALL_PROXY",
                                        "no_proxy",    "NO_PROXY",     "CREDENTIALS_DIRECTORY",
                                        "TWS_PASSWD",  "TWS_KEY_FILE", "TWS_KEYS_FILE"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

/* The passphrase's key must be the one the other side makes of it. */
static void check_passphrase_key(const struct tws_key *key, const char *passphrase)
{
    static const uint8_t zero[TWS_KEY_ID_LEN];
    uint8_t psk[TWS_PSK_LEN];
    struct tws_span text = {(const uint8_t *)passphrase, strlen(passphrase)};

    ck_assert_int_eq(tws_passphrase_to_psk(text, zero, psk), TWS_OK);
    ck_assert_mem_eq(key->id, zero, sizeof zero);
    ck_assert_mem_eq(key->psk, psk, sizeof psk);
}

START_TEST(a_client_file_of_tws_rust_works_unchanged)
{
    static const char yaml[] = "listen: 127.0.0.1:5203\n"
                               "server: ws://127.0.0.1:5202\n"
                               "remote: 8.8.8.8:53\n"
                               "passwd: my_super_safe_password\n"
                               "connections: 2\n"
                               "timeout: 5000\n"
                               "retry_timeout: 1000\n"
                               "udp_timeout: 60000\n"
                               "no_udp: false";
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_uint_eq(c->nservers, 1);
    ck_assert(!c->servers[0].tls);
    ck_assert_str_eq(c->servers[0].server.host, "127.0.0.1");
    ck_assert_uint_eq(c->servers[0].server.port, 5202);
    ck_assert_str_eq(c->servers[0].path, "/");
    ck_assert_uint_eq(c->nforwards, 2);
    ck_assert_int_eq(c->forwards[0].kind, TWS_FORWARD_TCP);
    ck_assert_int_eq(c->forwards[1].kind, TWS_FORWARD_UDP);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(c->forwards[i].listen.port, 5203);
        ck_assert_str_eq(c->forwards[i].remote.name, "8.8.8.8");
    }
    ck_assert_uint_eq(c->link.udp_timeout_ms, 60000);
    ck_assert_uint_eq(c->nuplinks, 1);
    ck_assert_uint_eq(c->uplinks[0].connections, 2);
    ck_assert_int_eq(c->schedule, TWS_SCHEDULE_AUTO);
    ck_assert_uint_eq(c->link.heartbeat_ms, 5000);
    ck_assert_uint_eq(c->retry_timeout_ms, 1000);
    ck_assert_int_eq(c->link.encrypt, TWS_ENCRYPT_ALLOW);
    ck_assert_ptr_null(c->servers[0].proxy);
    ck_assert_ptr_nonnull(c->name);
    check_passphrase_key(&c->key, "my_super_safe_password");
    tws_client_config_free(c);
}
END_TEST

START_TEST(no_udp_leaves_a_plain_forward_its_tcp)
{
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_client("listen: 127.0.0.1:5203\n"
                                 "server: ws://127.0.0.1:5202\n"
                                 "remote: 8.8.8.8:53\n" KEY_FILE "no_udp: true",
                                 &said, &c),
                     TWS_OK);
    ck_assert_uint_eq(c->nforwards, 1);
    ck_assert_int_eq(c->forwards[0].kind, TWS_FORWARD_TCP);
    tws_client_config_free(c);
}
END_TEST

#define UDP_RECORD(more)                                                                           \
    "server: ws://127.0.0.1:5202\n" KEY_FILE "forwards:\n"                                         \
    "  - kind: udp\n" more

static const struct {
    const char *yaml, *says;
} bad_udp[] = {
    {UDP_RECORD("    listen: 127.0.0.1:53\n"), "forward of kind udp without remote"},
    {UDP_RECORD("    listen: 127.0.0.1:53\n    remote: \"unix:/run/x\"\n"),
     "forward of kind udp: unix sockets carry connections only"},
    {UDP_RECORD("    listen: 127.0.0.1:53\n    remote: 1.1.1.1:53\nno_udp: true\n"),
     "forward of kind udp, but no_udp is set"},
    {UDP_RECORD("    listen: 127.0.0.1:53\n    remote: 1.1.1.1:53\n  - kind: udp\n"
                "    listen: 127.0.0.1:53\n    remote: 8.8.8.8:53\n"),
     "two forwards listen on 127.0.0.1:53"},
};

START_TEST(udp_records_that_make_no_sense_are_named)
{
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_client(bad_udp[_i].yaml, &said, &c), TWS_CONFIG);
    ck_assert_msg(strstr(said.text, bad_udp[_i].says) != NULL, "%s", said.text);
}
END_TEST

START_TEST(tcp_and_udp_share_a_port)
{
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_client(UDP_RECORD("    listen: 127.0.0.1:53\n    remote: 1.1.1.1:53\n"
                                            "  - listen: 127.0.0.1:53\n    remote: 1.1.1.1:53\n"),
                                 &said, &c),
                     TWS_OK);
    ck_assert_uint_eq(c->nforwards, 2);
    tws_client_config_free(c);
}
END_TEST

START_TEST(a_server_file_of_tws_rust_works_with_a_warning)
{
    static const char yaml[] = "listen: 127.0.0.1:5202\n"
                               "passwd: my_super_safe_password\n"
                               "timeout: 5000\n"
                               "udp_timeout: 60000\n"
                               "no_udp: false";
    struct tws_server_config *c = NULL;
    struct said said;

    ck_assert_int_eq(read_server(yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text,
                     "warning: f:2: whoever has the passphrase reaches every target this machine "
                     "reaches: set allow, or give each user a key (keys_file)\n");
    ck_assert_uint_eq(c->listen.port, 5202);
    ck_assert_uint_eq(c->nusers, 1);
    ck_assert(c->users[0].allow_all);
    ck_assert_uint_eq(c->link.heartbeat_ms, 5000);
    ck_assert_ptr_null(c->path);
    check_passphrase_key(&c->users[0].key, "my_super_safe_password");
    tws_server_config_free(c);
}
END_TEST

START_TEST(rules_for_the_passphrase_end_the_warning)
{
    static const char yaml[] = "listen: ':5202'\n"
                               "passwd: " STRONG "\n"
                               "allow: ['10.0.0.0/8:22', '*.Example.com:80-90', '*:443']\n"
                               "max_sessions: 7\n"
                               "rate: 1MiB\n";
    struct tws_server_config *c = NULL;
    const struct tws_user *u = NULL;
    struct said said;

    ck_assert_int_eq(read_server(yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text, "");
    u = &c->users[0];
    ck_assert(!u->allow_all);
    ck_assert_uint_eq(u->nallow, 4);
    ck_assert_ptr_null(u->allow[0].name);
    ck_assert_uint_eq(u->allow[0].prefix.bits, 8);
    ck_assert_uint_eq(u->allow[0].port_min, 22);
    ck_assert_str_eq(u->allow[1].name, "*.example.com");
    ck_assert_uint_eq(u->allow[1].port_min, 80);
    ck_assert_uint_eq(u->allow[1].port_max, 90);
    ck_assert_uint_eq(u->allow[2].prefix.ip.family, 4);
    ck_assert_uint_eq(u->allow[3].prefix.ip.family, 6);
    ck_assert_uint_eq(u->allow[3].prefix.bits, 0);
    ck_assert_uint_eq(u->allow[3].port_max, 443);
    ck_assert_uint_eq(u->max_sessions, 7);
    ck_assert_uint_eq(u->rate, 1 << 20);
    tws_server_config_free(c);
}
END_TEST

#define FORWARD "listen: 127.0.0.1:1\nremote: a:1\n"
#define PASSWD  "passwd: " STRONG "\n"
#define SERVER  "server: wss://h/p\n"

static const struct {
    const char *yaml;
    const char *says;
} wrong_clients[] = {
    {FORWARD KEY_FILE, "f: server is missing: the server's URL, wss://host/path\n"},
    {FORWARD KEY_FILE "server: h/p\n",
     "f:4: server: found \"h/p\", expected wss://host[:port]/path\n"},
    {FORWARD KEY_FILE "server: ftp://h/p\n",
     "f:4: server: found \"ftp://h/p\", expected wss://host[:port]/path\n"},
    {FORWARD KEY_FILE "server: wss://u:p@h/p\n",
     "f:4: server: found \"wss://u:p@h/p\", a user name or password in it is not used; keys are "
     "for that\n"},
    {FORWARD KEY_FILE "server: wss://h:99999/p\n",
     "f:4: server: found \"wss://h:99999/p\", the host or port is wrong, expected "
     "wss://host[:port]/path\n"},
    {FORWARD KEY_FILE "server: wss://h/p#x\n",
     "f:4: server: found \"wss://h/p#x\", has a fragment (#)\n"},
    {FORWARD KEY_FILE "server: 'wss://h/a b'\n",
     "f:4: server: found \"wss://h/a b\", has a character that must be written as %XX\n"},
    {FORWARD SERVER, "f: no key: give key_file (made by tws keygen) or the server's passwd, or "
                     "set TWS_KEY_FILE or TWS_PASSWD\n"},
    {FORWARD SERVER PASSWD "key_file: /x\n", "f:4: both key_file and passwd are given: give one\n"},
    {FORWARD SERVER "key_file: /nowhere/key\n", "f:4: /nowhere/key: No such file or directory\n"},
    {FORWARD SERVER "key_file: $CREDENTIALS_DIRECTORY/laptop\n",
     "$CREDENTIALS_DIRECTORY/laptop: CREDENTIALS_DIRECTORY is not set: start the service by "
     "systemd with LoadCredential=laptop:..., or give a plain path\n"},
    {SERVER KEY_FILE, "f: nothing to forward: give listen and remote, or a list of forwards\n"},
    {SERVER KEY_FILE "listen: 127.0.0.1:1\n",
     "f:3: listen has no remote: say where the server shall connect to\n"},
    {SERVER KEY_FILE "remote: a:1\n",
     "f:3: remote has no listen: say where to accept connections\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'a:1', remote: 'b:1'}\n  - {listen: 'A:1', remote: "
                     "'c:1'}\n",
     "f:5: two forwards listen on A:1\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'a:5', remote: 'b:1'}\n"
                     "  - {listen: 'a:3-8', remote: 'c:3-8'}\n",
     "f:5: two forwards listen on a:5\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'a:80-90', remote: 'b:80-81'}\n",
     "f:4: listen has 11 ports and remote has 2: each needs its counterpart, as in "
     "127.0.0.1:8000-8010 and host:9000-9010\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'a:80-90', remote: 'unix:/x'}\n",
     "f:4: listen has 11 ports and remote has 1: each needs its counterpart, as in "
     "127.0.0.1:8000-8010 and host:9000-9010\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: ':1'}\n",
     "f:4: forward of kind tcp without remote: say where the server shall connect to\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: ':1', reverse: true}\n",
     "f:4: forward of kind tcp without remote: say where the client shall connect to\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: ':1', remote: 'b:1', reverse: true}\n"
                     "  - {listen: ':1', remote: 'c:1', reverse: yes}\n",
     "f:5: two reverse forwards listen on *:1\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'a:1', remote: 'b:1', reverse: true}\n",
     "f:4: reverse forward listens on \"a:1\": give an address of the server, localhost, no host "
     "for all of its addresses, or unix:/path\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'unix:/a', remote: 'b:1', reverse: true, "
                     "listen_mode: '0660'}\n",
     "f:4: reverse forward has no use for listen_mode and listen_owner: the server's keys file has "
     "them, beside the user's listen\n"},
    {SERVER KEY_FILE
     "forwards:\n  - {listen: 'unix:/a', remote: 'b:1', reverse: true, kind: udp}\n",
     "f:4: forward of kind udp: unix sockets carry connections only; give addresses with a port, "
     "or fd:NAME to listen\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'unix:/a', remote: 'b:1', reverse: true}\n"
                     "  - {listen: 'unix:/a', remote: 'b:2', reverse: true}\n",
     "f:5: two reverse forwards listen on unix:/a\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'localhost:1', kind: socks, reverse: true}\n",
     "f:4: reverse forward of kind socks without allow: list the targets that this client connects "
     "to, such as 10.0.0.0/8:80 or *\n"},
    {SERVER KEY_FILE
     "forwards:\n  - {listen: 'localhost:1', kind: http, reverse: true, allow: ['*'], "
     "user: u, password: p}\n",
     "f:4: reverse forward of kind http has no use for user, password and optimistic: the server "
     "serves whoever reaches it\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: 'localhost:1', kind: socks, allow: ['*']}\n",
     "f:4: forward of kind socks has no use for allow: only proxies with reverse have, the "
     "server's "
     "keys file has the rules for the others\n"},
    {SERVER KEY_FILE "forwards:\n  - {listen: ':1', remote: 'b:1', reverse: true, allow: ['*']}\n",
     "f:4: forward of kind tcp has no use for allow: only proxies with reverse have, the server's "
     "keys file has the rules for the others\n"},
    {SERVER KEY_FILE FORWARD "forwards:\n  - {listen: '127.0.0.1:0', remote: 'b:1'}\n",
     "f:6: forward listens on port 0: give a port, or nobody would learn which it became\n"},
    {SERVER KEY_FILE FORWARD "forwards:\n  - {listen: '127.0.0.1:1', remote: 'b:1'}\n",
     "f:3: two forwards listen on 127.0.0.1:1\n"},
    {SERVER KEY_FILE FORWARD "proxy: socks4://h:1\n",
     "f:5: proxy: expected http://, socks5:// or socks5h://, then [user:password@]host:port\n"},
    {SERVER KEY_FILE FORWARD "proxy: http://h\n",
     "f:5: proxy: the port is missing: expected http://[user:password@]host:port\n"},
    {SERVER KEY_FILE FORWARD "ca_file: /nowhere/ca.pem\n",
     "f:5: ca_file /nowhere/ca.pem: No such file or directory\n"},
    /* all of it, not only the first */
    {"remote: a:1\n", "f: server is missing: the server's URL, wss://host/path\n"
                      "f:1: remote has no listen: say where to accept connections\n"
                      "f: no key: give key_file (made by tws keygen) or the server's passwd, or "
                      "set TWS_KEY_FILE or TWS_PASSWD\n"},
};

START_TEST(a_client_that_cannot_work_is_told_why)
{
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_client(wrong_clients[_i].yaml, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, wrong_clients[_i].says);
    ck_assert_ptr_null(c);
}
END_TEST

static const struct {
    const char *yaml;
    const char *says;
} wrong_servers[] = {
    {PASSWD "allow: ['*']\n",
     "f: listen is missing: where to accept clients, such as 127.0.0.1:5202\n"},
    {"listen: ':1'\n", "f: nobody could connect: give keys_file or passwd\n"},
    {"listen: ':1'\nkeys_file: /nowhere/keys\n", "f:2: /nowhere/keys: No such file or directory\n"},
    {"listen: ':1'\nkeys_file: /nowhere/keys\nallow_listen: ['*']\n",
     "f:2: /nowhere/keys: No such file or directory\n"},
    {"listen: ':1'\nallow: ['*']\nallow_listen: ['a.example:1']\n" PASSWD,
     "f:3: allow_listen: found \"a.example\", expected an address of this machine, a network or "
     "localhost, each with ports, or unix:/path\n"},
    {"listen: ':1'\nallow: ['*']\npath: tws\n" PASSWD,
     "f:3: path: found \"tws\", expected a path such as /tws\n"},
    {"listen: ':1'\nallow: ['*']\ndecoy: /no/such/site\n" PASSWD,
     "f:3: decoy /no/such/site: No such file or directory\n"},
    {"listen: ':1'\nallow: ['*']\ndecoy: /dev/null\n" PASSWD,
     "f:3: decoy /dev/null: Not a directory\n"},
    {"listen: ':1'\nallow: ['*']\ndecoy: www\n" PASSWD,
     "f:3: decoy: found \"www\", expected an absolute directory or http://host:port\n"},
};

START_TEST(a_server_that_cannot_work_is_told_why)
{
    struct tws_server_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_server(wrong_servers[_i].yaml, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, wrong_servers[_i].says);
    ck_assert_ptr_null(c);
}
END_TEST

static const struct {
    const char *url, *encrypt;
    enum tws_encrypt is;
} encryptions[] = {
    {"wss://h/p", "", TWS_ENCRYPT_ALLOW},
    {"https://h/p", "", TWS_ENCRYPT_ALLOW},
    {"ws://h/p", "", TWS_ENCRYPT_REQUIRE},
    {"http://10.0.0.1", "", TWS_ENCRYPT_REQUIRE},
    {"ws://h/p", "encrypt: off\n", TWS_ENCRYPT_OFF},
    {"ws://h/p", "encrypt: allow\n", TWS_ENCRYPT_ALLOW},
    {"ws://localhost/p", "", TWS_ENCRYPT_ALLOW},
    {"ws://127.3.2.1:8/p", "", TWS_ENCRYPT_ALLOW},
    {"ws://[::1]/p", "", TWS_ENCRYPT_ALLOW},
    {"ws://localhost.example.com/p", "", TWS_ENCRYPT_REQUIRE},
    {"ws://127.0.0.1/p", "encrypt: require\n", TWS_ENCRYPT_REQUIRE},
};

START_TEST(a_range_is_a_forward_for_each_port)
{
    static const char yaml[] =
        SERVER KEY_FILE "forwards:\n"
                        "  - {listen: '[::1]:8000-8002', remote: 'h:9000-9002'}\n"
                        "  - {listen: ':80', remote: 'unix:/run/web'}\n";
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_uint_eq(c->nforwards, 4);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_str_eq(c->forwards[i].listen.name, "::1");
        ck_assert_uint_eq(c->forwards[i].listen.port, 8000 + i);
        ck_assert_uint_eq(c->forwards[i].listen.last, 8000 + i);
        ck_assert_str_eq(c->forwards[i].remote.name, "h");
        ck_assert_uint_eq(c->forwards[i].remote.port, 9000 + i);
        ck_assert_uint_eq(c->forwards[i].remote.last, 9000 + i);
    }
    ck_assert_int_eq(c->forwards[3].remote.type, TWS_SPOT_UNIX);
    ck_assert_str_eq(c->forwards[3].remote.name, "/run/web");
    tws_client_config_free(c);
}
END_TEST

START_TEST(a_url_without_tls_to_another_machine_is_sealed_unless_said_otherwise)
{
    struct tws_client_config *c = NULL;
    struct said said;
    char yaml[256];

    clear_environment();
    snprintf(yaml, sizeof yaml, FORWARD KEY_FILE "%sserver: '%s'\n", encryptions[_i].encrypt,
             encryptions[_i].url);
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_int_eq(c->link.encrypt, encryptions[_i].is);
    tws_client_config_free(c);
}
END_TEST

static const struct {
    const char *text;
    bool tls;
    const char *host;
    uint16_t port;
    const char *path;
} urls[] = {
    {"wss://example.com/tws", true, "example.com", 443, "/tws"},
    {"ws://example.com", false, "example.com", 80, "/"},
    {"WSS://example.com:8443/a/b?c=d", true, "example.com", 8443, "/a/b?c=d"},
    {"https://[::1]/x", true, "::1", 443, "/x"},
    {"http://[2001:db8::1]:81", false, "2001:db8::1", 81, "/"},
    {"wss://example.com?token=1", true, "example.com", 443, "/?token=1"},
};

START_TEST(a_url_is_taken_apart)
{
    struct tws_url url;
    const char *why = NULL;

    ck_assert_int_eq(tws_url_parse(urls[_i].text, &url, &why), TWS_OK);
    ck_assert_int_eq(url.tls, urls[_i].tls);
    ck_assert_str_eq(url.server.host, urls[_i].host);
    ck_assert_uint_eq(url.server.port, urls[_i].port);
    ck_assert_str_eq(url.path, urls[_i].path);
    free(url.path);
}
END_TEST

START_TEST(a_weak_passphrase_and_an_unverified_certificate_get_a_warning)
{
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_client(FORWARD SERVER "passwd: abc\ninsecure: true\n", &said, &c),
                     TWS_OK);
    ck_assert_str_eq(
        said.text, "warning: f:4: the passphrase is weak: whoever records one handshake can guess "
                   "it at leisure; use a key (tws keygen)\n"
                   "warning: insecure: the server's certificate is not verified; anyone in "
                   "between can pose as the server\n");
    tws_client_config_free(c);
}
END_TEST

/* ---- files with secrets ---- */

static tws_err read_with_key_file(const char *path, struct said *said, struct tws_client_config **c)
{
    char yaml[512];

    snprintf(yaml, sizeof yaml, FORWARD SERVER "key_file: %s\n", path);
    return read_client(yaml, said, c);
}

START_TEST(a_key_file_that_others_can_read_is_refused_with_the_remedy)
{
    static const char *const names[] = {"key", NULL};
    static const mode_t modes[] = {0644, 0640, 0604, 0660};
    struct directory d = make_directory();
    struct tws_client_config *c = NULL;
    struct said said;
    char path[128], expected[512];

    clear_environment();
    write_file(&d, "key", modes[_i], KEY "\n", path);
    ck_assert_int_eq(read_with_key_file(path, &said, &c), TWS_CONFIG);
    snprintf(expected, sizeof expected,
             "f:4: %s: others can read this file with secrets; do: chmod 600 %s\n", path, path);
    ck_assert_str_eq(said.text, expected);
    drop_directory(&d, names);
}
END_TEST

START_TEST(a_key_file_is_read)
{
    static const char *const names[] = {"key", NULL};
    static const char *const texts[] = {KEY "\n", KEY, "# laptop\n\n  " KEY "\r\n# end\n"};
    struct directory d = make_directory();
    struct tws_client_config *c = NULL;
    struct said said;
    char path[128];

    clear_environment();
    write_file(&d, "key", _i == 0 ? 0600 : 0400, texts[_i], path);
    ck_assert_int_eq(read_with_key_file(path, &said, &c), TWS_OK);
    ck_assert_uint_eq(c->key.id[1], 0x11);
    ck_assert_uint_eq(c->key.psk[31], 0x01);
    tws_client_config_free(c);
    drop_directory(&d, names);
}
END_TEST

START_TEST(a_file_without_one_key_is_refused)
{
    static const char *const names[] = {"key", NULL};
    static const char *const texts[] = {"", "# nothing\n", KEY "\n" KEY "\n", "hello\n", KEY "x\n"};
    struct directory d = make_directory();
    struct tws_client_config *c = NULL;
    struct said said;
    char path[128];

    clear_environment();
    write_file(&d, "key", 0600, texts[_i], path);
    ck_assert_int_eq(read_with_key_file(path, &said, &c), TWS_CONFIG);
    ck_assert_ptr_nonnull(strstr(said.text, "found no key, expected one line tws2-key-..."));
    ck_assert_ptr_null(strstr(said.text, "AQEB"));
    drop_directory(&d, names);
}
END_TEST

START_TEST(a_credential_may_have_the_group_bits_that_systemd_shows)
{
    static const char *const names[] = {"laptop", NULL};
    static const char *const spellings[] = {"$CREDENTIALS_DIRECTORY/laptop",
                                            "'${CREDENTIALS_DIRECTORY}/laptop'"};
    struct directory d = make_directory();
    struct tws_client_config *c = NULL;
    struct said said;
    char path[128];

    clear_environment();
    setenv("CREDENTIALS_DIRECTORY", d.path, 1);
    write_file(&d, "laptop", 0440, KEY "\n", path);
    ck_assert_int_eq(read_with_key_file(spellings[_i], &said, &c), TWS_OK);
    tws_client_config_free(c);
    drop_directory(&d, names);
}
END_TEST

START_TEST(a_configuration_with_a_passphrase_that_others_can_read_gets_a_warning)
{
    static const char *const names[] = {"server.yaml", NULL};
    struct directory d = make_directory();
    struct tws_server_config *c = NULL;
    struct said said;
    struct tws_diag diag = listen_to(&said);
    struct tws_settings s;
    char path[128], expected[512];

    write_file(&d, "server.yaml", 0644, "listen: ':1'\nallow: ['*']\n" PASSWD, path);
    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_SERVER), TWS_OK);
    ck_assert_int_eq(tws_settings_read_file(&s, path, &diag), TWS_OK);
    ck_assert_int_eq(tws_server_config_new(&s, &diag, &c), TWS_OK);
    snprintf(expected, sizeof expected,
             "warning: %s: others can read this file with a passphrase; do: chmod 600 %s\n", path,
             path);
    ck_assert_str_eq(said.text, expected);
    tws_server_config_free(c);
    tws_settings_fini(&s);
    drop_directory(&d, names);
}
END_TEST

START_TEST(a_passphrase_on_the_command_line_gets_a_warning)
{
    char *argv[] = {(char[]){"server"}, (char[]){"-p"}, (char[]){STRONG},
                    (char[]){"-l"},     (char[]){":1"}, NULL};
    struct tws_server_config *c = NULL;
    struct said said;
    struct tws_diag diag = listen_to(&said);
    struct tws_settings s;

    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_SERVER), TWS_OK);
    ck_assert_int_eq(tws_settings_read_argv(&s, 5, argv, &diag), TWS_OK);
    ck_assert_int_eq(tws_server_config_new(&s, &diag, &c), TWS_OK);
    ck_assert_ptr_nonnull(strstr(said.text, "warning: -p: every user of this machine can see the "
                                            "passphrase in the process list"));
    tws_server_config_free(c);
    tws_settings_fini(&s);
}
END_TEST

START_TEST(users_come_from_the_keys_file_and_the_passphrase_is_one_more)
{
    static const char *const names[] = {"keys.yaml", NULL};
    struct directory d = make_directory();
    struct tws_server_config *c = NULL;
    struct said said;
    char path[128], yaml[512];

    clear_environment();
    write_file(&d, "keys.yaml", 0600,
               "users:\n"
               "  - name: laptop\n"
               "    key: " KEY "\n"
               "    allow: [\"[::1]:5201\", \"127.0.0.1\", \"example.com:443\"]\n"
               "    max_channels: 10\n"
               "    rate: 10MiB\n"
               "    listen: [\"127.0.0.1:2222\", \"*:8000-8010\"]\n"
               "    max_listens: 3\n"
               "  - name: phone\n"
               "    key_id: 8899aabbccddeeff\n"
               "    key: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n"
               "    allow: []\n",
               path);
    snprintf(yaml, sizeof yaml,
             "listen: ':1'\nallow: ['*']\nallow_listen: ['localhost:80-90']\nmax_listens: 5\n"
             "keys_file: %s\n" PASSWD,
             path);
    ck_assert_int_eq(read_server(yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_uint_eq(c->nusers, 3);
    ck_assert_str_eq(c->users[0].name, "laptop");
    ck_assert_uint_eq(c->users[0].nallow, 3);
    ck_assert_uint_eq(c->users[0].allow[0].prefix.ip.family, 6);
    ck_assert_uint_eq(c->users[0].allow[0].prefix.bits, 128);
    ck_assert_uint_eq(c->users[0].allow[1].port_max, 65535);
    ck_assert_str_eq(c->users[0].allow[2].name, "example.com");
    ck_assert_uint_eq(c->users[0].max_channels, 10);
    ck_assert_uint_eq(c->users[0].rate, 10 << 20);
    ck_assert_uint_eq(c->users[1].key.id[7], 0xff);
    ck_assert_uint_eq(c->users[1].nallow, 0);
    ck_assert(!c->users[1].allow_all);
    ck_assert_uint_eq(c->users[0].nlisten, 3); /* the second is one for each family */
    ck_assert_uint_eq(c->users[0].listen[0].port_min, 2222);
    ck_assert_uint_eq(c->users[0].listen[2].prefix.ip.family, 6);
    ck_assert_uint_eq(c->users[0].listen[2].port_max, 8010);
    ck_assert_uint_eq(c->users[0].max_listens, 3);
    ck_assert_uint_eq(c->users[1].nlisten, 0);
    ck_assert_uint_eq(c->users[1].max_listens, 64);
    ck_assert_str_eq(c->users[2].name, "passwd");
    ck_assert_str_eq(c->users[2].listen[0].name, "localhost");
    ck_assert_uint_eq(c->users[2].max_listens, 5);
    tws_server_config_free(c);
    drop_directory(&d, names);
}
END_TEST

START_TEST(reverse_forwards_are_a_list_of_their_own)
{
    static const char yaml[] = SERVER KEY_FILE "forwards:\n"
                                               "  - {listen: '127.0.0.1:1', remote: 'b:1'}\n"
                                               "  - listen: 127.0.0.1:1\n"
                                               "    remote: localhost:22\n"
                                               "    reverse: true\n"
                                               "  - {listen: '[::1]:1', remote: 'b:2'}\n"
                                               "  - {listen: '127.0.0.1:0', kind: proxy, "
                                               "reverse: true, allow: ['*:80', b]}\n";
    struct tws_client_config *c = NULL;
    struct said said;

    clear_environment();
    ck_assert_int_eq(read_client(yaml, &said, &c), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_uint_eq(c->nforwards, 2);
    ck_assert_uint_eq(c->forwards[1].remote.port, 2);
    ck_assert_uint_eq(c->nreverses, 2);
    ck_assert_uint_eq(c->reverses[1].kind, TWS_FORWARD_PROXY);
    ck_assert_uint_eq(c->reverses[1].nallow, 3);
    ck_assert_uint_eq(c->reverses[1].allow[0].port_max, 80);
    ck_assert_str_eq(c->reverses[0].listen.name, "127.0.0.1");
    ck_assert_str_eq(c->reverses[0].remote.name, "localhost");
    tws_client_config_free(c);
}
END_TEST

START_TEST(a_user_listens_on_no_name_but_localhost)
{
    static const char *const names[] = {"keys.yaml", NULL};
    struct directory d = make_directory();
    struct tws_server_config *c = NULL;
    struct said said;
    char path[128], yaml[256], expected[512];

    clear_environment();
    write_file(&d, "keys.yaml", 0600,
               "users:\n"
               "  - name: laptop\n"
               "    key: " KEY "\n"
               "    allow: []\n"
               "    listen: [\"localhost:1\", \"*.example.com:80\"]\n",
               path);
    snprintf(yaml, sizeof yaml, "listen: ':1'\nkeys_file: %s\nallow_listen: ['*']\n", path);
    snprintf(expected, sizeof expected,
             "%s:2: user \"laptop\": listen: found \"*.example.com\", expected an address of the "
             "server, a network or localhost, each with ports, or unix:/path\n",
             path);
    ck_assert_int_eq(read_server(yaml, &said, &c), TWS_CONFIG);
    ck_assert_str_eq(said.text, expected);
    drop_directory(&d, names);
}
END_TEST

START_TEST(a_key_survives_its_text)
{
    struct tws_key key, again;
    char text[TWS_KEY_TEXT];

    ck_assert_int_eq(tws_key_generate(&key), TWS_OK);
    tws_key_format(&key, text);
    ck_assert_uint_eq(strlen(text), TWS_KEY_TEXT - 1);
    ck_assert_int_eq(tws_key_parse(text, &again), TWS_OK);
    ck_assert_mem_eq(&key, &again, sizeof key);
    for (size_t i = 0; i < strlen(text); i++) {
        char broken[TWS_KEY_TEXT];

        memcpy(broken, text, sizeof broken);
        broken[i] = '!';
        ck_assert_int_eq(tws_key_parse(broken, &again), TWS_ABSENT);
        memcpy(broken, text, sizeof broken);
        broken[i] = '\0';
        ck_assert_int_eq(tws_key_parse(broken, &again), TWS_ABSENT);
    }
}
END_TEST

START_TEST(a_changed_value_that_old_sessions_do_not_take_is_named)
{
    struct tws_settings a, b;
    struct said said;
    struct tws_diag diag = listen_to(&said);

    ck_assert_int_eq(tws_settings_init(&a, TWS_OPT_CLIENT), TWS_OK);
    ck_assert_int_eq(tws_settings_init(&b, TWS_OPT_CLIENT), TWS_OK);
    ck_assert_int_eq(tws_settings_read_yaml(&a, "f", "name: a\n", 8, &diag), TWS_OK);
    ck_assert_int_eq(tws_settings_read_yaml(&b, "f", "grace: 9s\nlog: warn\n", 20, &diag), TWS_OK);
    tws_settings_compare(&a, &b, &diag);
    ck_assert_str_eq(said.text, "warning: grace changed: this holds for new sessions\n");
    tws_settings_fini(&a);
    tws_settings_fini(&b);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config");

    add_keys(tc);
    tcase_add_test(tc, a_client_file_of_tws_rust_works_unchanged);
    tcase_add_test(tc, no_udp_leaves_a_plain_forward_its_tcp);
    tcase_add_loop_test(tc, udp_records_that_make_no_sense_are_named, 0, COUNT_OF(bad_udp));
    tcase_add_test(tc, tcp_and_udp_share_a_port);
    tcase_add_test(tc, a_server_file_of_tws_rust_works_with_a_warning);
    tcase_add_test(tc, rules_for_the_passphrase_end_the_warning);
    LOOP(tc, a_client_that_cannot_work_is_told_why, wrong_clients);
    LOOP(tc, a_server_that_cannot_work_is_told_why, wrong_servers);
    tcase_add_test(tc, a_range_is_a_forward_for_each_port);
    LOOP(tc, a_url_without_tls_to_another_machine_is_sealed_unless_said_otherwise, encryptions);
    LOOP(tc, a_url_is_taken_apart, urls);
    tcase_add_test(tc, a_weak_passphrase_and_an_unverified_certificate_get_a_warning);
    tcase_add_loop_test(tc, a_key_file_that_others_can_read_is_refused_with_the_remedy, 0, 4);
    tcase_add_loop_test(tc, a_key_file_is_read, 0, 3);
    tcase_add_loop_test(tc, a_file_without_one_key_is_refused, 0, 5);
    tcase_add_loop_test(tc, a_credential_may_have_the_group_bits_that_systemd_shows, 0, 2);
    tcase_add_test(tc, a_configuration_with_a_passphrase_that_others_can_read_gets_a_warning);
    tcase_add_test(tc, a_passphrase_on_the_command_line_gets_a_warning);
    tcase_add_test(tc, users_come_from_the_keys_file_and_the_passphrase_is_one_more);
    tcase_add_test(tc, reverse_forwards_are_a_list_of_their_own);
    tcase_add_test(tc, a_user_listens_on_no_name_but_localhost);
    tcase_add_test(tc, a_key_survives_its_text);
    tcase_add_test(tc, a_changed_value_that_old_sessions_do_not_take_is_named);
    return run_suite("app/config", tc);
}

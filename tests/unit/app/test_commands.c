/* test_commands.c - tws check and tws keygen, as functions; what they print is caught in files. */
#include "app_support.h"

#include "tws/app/commands.h"
#include "tws/app/config.h"
#include "tws/app/key.h"

#define ROOT TWS_TEST_DATA "/../.."

static char printed[4096];

/* Calls a command with stdout and stderr in one temporary file; its output is in `printed`. */
static int run_command(int (*command)(int, char **), int argc, const char *const *words)
{
    char *argv[8] = {NULL};
    FILE *f = tmpfile();
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), code = 0;

    for (int i = 0; i < argc; i++)
        argv[i] = strdup(words[i]);
    fflush(stdout);
    dup2(fileno(f), STDOUT_FILENO);
    dup2(fileno(f), STDERR_FILENO);
    code = command(argc, argv);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(out);
    close(err);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    rewind(f);
    printed[fread(printed, 1, sizeof printed - 1, f)] = '\0';
    fclose(f);
    return code;
}

START_TEST(keygen_makes_a_file_for_its_owner_and_a_stanza_for_the_server)
{
    static const char *const names[] = {"key", NULL};
    struct directory d = make_directory();
    struct said said;
    struct tws_diag diag = listen_to(&said);
    struct tws_users users;
    struct tws_key key;
    struct stat st;
    char path[128], yaml[4200];
    const char *words[] = {"keygen", "-o", path, "-n", "laptop"};

    path_in(&d, "key", path);
    umask(0);
    ck_assert_int_eq(run_command(tws_command_keygen, 5, words), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(tws_key_file_read("", path, &key, &diag), TWS_OK);
    snprintf(yaml, sizeof yaml, "users:\n%s", printed);
    ck_assert_int_eq(tws_users_read_yaml("k", yaml, strlen(yaml), &diag, &users), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_uint_eq(users.n, 1);
    ck_assert_str_eq(users.users[0].name, "laptop");
    ck_assert_uint_eq(users.users[0].nallow, 0);
    ck_assert_mem_eq(&users.users[0].key, &key, sizeof key);
    tws_users_free(users.users, users.n);
    drop_directory(&d, names);
}
END_TEST

START_TEST(keygen_never_writes_over_a_key)
{
    static const char *const names[] = {"key", NULL};
    struct directory d = make_directory();
    char path[128];
    const char *words[] = {"keygen", "-o", path};

    write_file(&d, "key", 0600, "precious", path);
    ck_assert_int_eq(run_command(tws_command_keygen, 3, words), 1);
    ck_assert_ptr_nonnull(strstr(printed, "File exists"));
    ck_assert_ptr_null(strstr(printed, TWS_KEY_PREFIX));
    drop_directory(&d, names);
}
END_TEST

START_TEST(keygen_prints_a_new_key_each_time)
{
    const char *words[] = {"keygen"};
    char first[128];
    struct tws_key key;

    ck_assert_int_eq(run_command(tws_command_keygen, 1, words), 0);
    snprintf(first, sizeof first, "%.120s", printed);
    ck_assert_int_eq(run_command(tws_command_keygen, 1, words), 0);
    ck_assert_str_ne(first, printed);
    printed[strcspn(printed, "\n")] = '\0';
    ck_assert_int_eq(tws_key_parse(printed, &key), TWS_OK);
}
END_TEST

static const struct {
    int (*run)(int, char **);
    const char *words[4], *says;
} misused[] = {
    {tws_command_keygen, {"keygen", "-o"}, "\"-o\" needs a value; see tws keygen --help"},
    {tws_command_keygen, {"keygen", "-o", "f", "-n"}, "\"-n\" needs a value"},
    {tws_command_keygen, {"keygen", "alice"}, "tws keygen: \"alice\" is not expected"},
    {tws_command_check, {"check"}, "Usage: tws check"},
    {tws_command_check, {"check", "--server"}, "Usage: tws check"},
    {tws_command_check, {"check", "--what", "f"}, "tws check: \"--what\" is not an option"},
    {tws_command_cleanup, {"cleanup", "all"}, "tws cleanup: \"all\" is not expected"},
};

START_TEST(a_wrong_command_line_is_usage)
{
    const char *const *words = misused[_i].words;
    int n = 0;

    while (n < 4 && words[n] != NULL)
        n++;
    ck_assert_int_eq(run_command(misused[_i].run, n, words), 2);
    ck_assert_msg(strstr(printed, misused[_i].says) != NULL, "%s", printed);
}
END_TEST

START_TEST(who_asks_a_command_for_help_did_nothing_wrong)
{
    static const struct {
        const char *name;
        int (*run)(int, char **);
    } commands[] = {{"check", tws_command_check},
                    {"keygen", tws_command_keygen},
                    {"cleanup", tws_command_cleanup}};
    const char *asks[] = {commands[_i].name, _i == 0 ? "-h" : "--help"};
    const char *help[] = {"help", commands[_i].name};
    char usage[32], first[sizeof printed];

    snprintf(usage, sizeof usage, "Usage: tws %s", commands[_i].name);
    ck_assert_int_eq(run_command(commands[_i].run, 2, asks), 0);
    ck_assert_msg(strncmp(printed, usage, strlen(usage)) == 0, "%s", printed);
    memcpy(first, printed, sizeof first);
    ck_assert_int_eq(run_command(tws_command_help, 2, help), 0);
    ck_assert_str_eq(printed, first);
}
END_TEST

START_TEST(help_about_what_is_no_command_says_so)
{
    const char *words[] = {"help", "bogus"};

    ck_assert_int_eq(run_command(tws_command_help, 2, words), 2);
    ck_assert_str_eq(printed, "tws help: \"bogus\" is not a command; see tws --help\n");
}
END_TEST

START_TEST(keygen_says_what_is_wrong_with_a_name)
{
    static const char *const names[] = {"", "a\"b", "a\\b", "a\tb"};
    const char *words[] = {"keygen", "-n", names[_i]};

    ck_assert_int_eq(run_command(tws_command_keygen, 3, words), 2);
    ck_assert_ptr_nonnull(strstr(printed, "-n: a name has 1 to 64 bytes"));
    ck_assert_ptr_null(strstr(printed, TWS_KEY_PREFIX));
}
END_TEST

static const char *const client_file = "server: wss://h/p\nlisten: 127.0.0.1:1\nremote: a:1\n"
                                       "passwd: correct horse battery staple 9271\n";

START_TEST(check_says_ok_and_which_kind)
{
    static const char *const names[] = {"f.yaml", NULL};
    static const struct {
        const char *text, *kind;
    } files[] = {{NULL, "client"},
                 {"listen: ':1'\nallow: []\npasswd: correct horse battery 9271\n", "server"},
                 {"# keys\nusers: []\n", "keys"}};
    struct directory d = make_directory();
    const char *text = files[_i].text != NULL ? files[_i].text : client_file;
    char path[128], expected[256];
    const char *words[] = {"check", path};

    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    unsetenv("ALL_PROXY");
    unsetenv("all_proxy");
    write_file(&d, "f.yaml", 0600, text, path);
    ck_assert_int_eq(run_command(tws_command_check, 2, words), 0);
    snprintf(expected, sizeof expected, "%s: ok (%s)\n", path, files[_i].kind);
    ck_assert_ptr_nonnull(strstr(printed, expected));
    drop_directory(&d, names);
}
END_TEST

START_TEST(check_ends_with_78_when_one_file_is_wrong)
{
    static const char *const names[] = {"good.yaml", "bad.yaml", NULL};
    struct directory d = make_directory();
    char good[128], bad[128], expected[512];
    const char *words[] = {"check", "--client", bad, good};

    write_file(&d, "good.yaml", 0600, client_file, good);
    write_file(&d, "bad.yaml", 0600, "grace: never\n", bad);
    ck_assert_int_eq(run_command(tws_command_check, 4, words), 78);
    snprintf(expected, sizeof expected,
             "tws check: %s:1:8: grace: found \"never\", expected a duration from 1s to 24h\n"
             "%s: ok (client)\n",
             bad, good);
    ck_assert_str_eq(printed, expected);
    drop_directory(&d, names);
}
END_TEST

/* Reads a file of the repository; the caller frees it. */
static char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 18);

    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_uint_lt(fread(text, 1, (1 << 18) - 1, f), (1 << 18) - 1);
    fclose(f);
    return text;
}

static void replace(char *text, size_t cap, const char *from, const char *to)
{
    char *at = strstr(text, from), *rest = NULL;

    ck_assert_msg(at != NULL, "\"%s\" is not in the file", from);
    rest = strdup(at + strlen(from));
    snprintf(at, cap - (size_t)(at - text), "%s%s", to, rest);
    free(rest);
}

/* The examples name files below /etc/tws; here they lie in a directory of the test. */
START_TEST(the_examples_pass_the_check)
{
    static const char *const names[] = {"keys.yaml",   "laptop.key",   "server.yaml",
                                        "client.yaml", "uplinks.yaml", "transparent.yaml",
                                        NULL};
    struct directory d = make_directory();
    char keys[128], key[128], server[128], client[128], uplinks[128], transparent[128];
    char *text = slurp(ROOT "/example/keys.yaml");
    const char *words[] = {"check", server, client, keys, uplinks, transparent};
    const char *line = strstr(text, TWS_KEY_PREFIX);
    char first[128];

    snprintf(first, sizeof first, "%.*s\n", (int)strcspn(line, "\n"), line);
    write_file(&d, "laptop.key", 0600, first, key);
    write_file(&d, "keys.yaml", 0600, text, keys);
    free(text);
    text = slurp(ROOT "/example/server.yaml");
    replace(text, 1 << 18, "/etc/tws/keys.yaml", keys);
    write_file(&d, "server.yaml", 0644, text, server);
    free(text);
    text = slurp(ROOT "/example/client.yaml");
    replace(text, 1 << 18, "key_file: /etc/tws/laptop.key",
            "key_file: $CREDENTIALS_DIRECTORY/laptop.key");
    setenv("CREDENTIALS_DIRECTORY", d.path, 1);
    write_file(&d, "client.yaml", 0644, text, client);
    free(text);
    text = slurp(ROOT "/example/client-uplinks.yaml");
    replace(text, 1 << 18, "key_file: /etc/tws/laptop.key",
            "key_file: $CREDENTIALS_DIRECTORY/laptop.key");
    write_file(&d, "uplinks.yaml", 0644, text, uplinks);
    free(text);
    text = slurp(ROOT "/example/client-transparent.yaml");
    replace(text, 1 << 18, "key_file: /etc/tws/laptop.key",
            "key_file: $CREDENTIALS_DIRECTORY/laptop.key");
    write_file(&d, "transparent.yaml", 0644, text, transparent);
    free(text);
    ck_assert_msg(run_command(tws_command_check, 6, words) == 0, "%s", printed);
    ck_assert_ptr_nonnull(strstr(printed, "server.yaml: ok (server)\n"));
    ck_assert_ptr_nonnull(strstr(printed, "client.yaml: ok (client)\n"));
    ck_assert_ptr_nonnull(strstr(printed, "uplinks.yaml: ok (client)\n"));
    ck_assert_ptr_nonnull(strstr(printed, "transparent.yaml: ok (client)\n"));
    ck_assert_ptr_nonnull(strstr(printed, "keys.yaml: ok (keys)\n"));
    ck_assert_ptr_null(strstr(printed, "warning"));
    drop_directory(&d, names);
}
END_TEST

/* One file for each way in. */
static const char *const ways_in[] = {"client-proxy", "client-reverse", "client-udp"};

START_TEST(the_examples_of_ways_in_pass_the_check)
{
    static const char *const names[] = {"laptop.key", "client.yaml", NULL};
    struct directory d = make_directory();
    char key[128], client[128], path[256], first[128];
    char *text = slurp(ROOT "/example/keys.yaml");
    const char *words[] = {"check", client};
    const char *line = strstr(text, TWS_KEY_PREFIX);

    snprintf(first, sizeof first, "%.*s\n", (int)strcspn(line, "\n"), line);
    write_file(&d, "laptop.key", 0600, first, key);
    free(text);
    snprintf(path, sizeof path, ROOT "/example/%s.yaml", ways_in[_i]);
    text = slurp(path);
    replace(text, 1 << 18, "/etc/tws/laptop.key", "$CREDENTIALS_DIRECTORY/laptop.key");
    setenv("CREDENTIALS_DIRECTORY", d.path, 1);
    write_file(&d, "client.yaml", 0644, text, client);
    free(text);
    ck_assert_msg(run_command(tws_command_check, 2, words) == 0, "%s", printed);
    ck_assert_ptr_nonnull(strstr(printed, "client.yaml: ok (client)\n"));
    drop_directory(&d, names);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("commands");

    tcase_add_test(tc, keygen_makes_a_file_for_its_owner_and_a_stanza_for_the_server);
    tcase_add_test(tc, keygen_never_writes_over_a_key);
    tcase_add_test(tc, keygen_prints_a_new_key_each_time);
    tcase_add_loop_test(tc, a_wrong_command_line_is_usage, 0,
                        (int)(sizeof misused / sizeof *misused));
    tcase_add_loop_test(tc, who_asks_a_command_for_help_did_nothing_wrong, 0, 3);
    tcase_add_test(tc, help_about_what_is_no_command_says_so);
    tcase_add_loop_test(tc, keygen_says_what_is_wrong_with_a_name, 0, 4);
    tcase_add_loop_test(tc, check_says_ok_and_which_kind, 0, 3);
    tcase_add_test(tc, check_ends_with_78_when_one_file_is_wrong);
    tcase_add_test(tc, the_examples_pass_the_check);
    tcase_add_loop_test(tc, the_examples_of_ways_in_pass_the_check, 0, COUNT_OF(ways_in));
    return run_suite("app/commands", tc);
}

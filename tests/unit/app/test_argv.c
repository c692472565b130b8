/* test_argv.c - the command line: tws-rust's options, ours, and what is said of wrong ones. */
#include "app_support.h"

#include "tws/app/reference.h"
#include "tws/app/settings.h"
#include "tws/proto/remote.h"

#define ARGS_MAX 24

/* Reads a command line written in one string, words between single spaces. */
static tws_err read_line(struct tws_settings *s, unsigned who, const char *line, struct said *said)
{
    struct tws_diag diag = listen_to(said);
    char words[512], *argv[ARGS_MAX + 1] = {NULL}, *next = words;
    int argc = 0;

    snprintf(words, sizeof words, "%s", line);
    while (next != NULL && argc < ARGS_MAX) {
        argv[argc++] = next;
        next = strchr(next, ' ');
        if (next != NULL)
            *next++ = '\0';
    }
    ck_assert_int_eq(tws_settings_init(s, who), TWS_OK);
    return tws_settings_read_argv(s, argc, argv, &diag);
}

static const char *const client_lines[] = {
    "client -l 127.0.0.1:5203 -r 8.8.8.8:53 -s ws://127.0.0.1:5202 -p secret -c 3 -t 4000 -e 1000 "
    "-v --no_udp --udp_timeout 2000",
    "client --listen 127.0.0.1:5203 --remote 8.8.8.8:53 --server ws://127.0.0.1:5202 --passwd "
    "secret --connections 3 --timeout 4000 --retry_timeout 1000 --verbose --no_udp --udp_timeout "
    "2000",
    "client --listen=127.0.0.1:5203 --remote=8.8.8.8:53 --server=ws://127.0.0.1:5202 "
    "--passwd=secret --connections=3 --timeout=4s --retry-timeout=1s -v --no-udp --udp-timeout=2s",
};

START_TEST(options_of_tws_rust_mean_what_they_meant)
{
    struct tws_settings s;
    struct said said;

    ck_assert_int_eq(read_line(&s, TWS_OPT_CLIENT, client_lines[_i], &said), TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_str_eq(s.listen.name, "127.0.0.1");
    ck_assert_uint_eq(s.listen.port, 5203);
    ck_assert_str_eq(s.remote.name, "8.8.8.8");
    ck_assert_str_eq(s.server, "ws://127.0.0.1:5202");
    ck_assert_str_eq(s.passwd, "secret");
    ck_assert_uint_eq(s.connections, 3);
    ck_assert_uint_eq(s.timeout_ms, 4000);
    ck_assert_uint_eq(s.retry_timeout_ms, 1000);
    ck_assert_uint_eq(s.verbose, 1);
    ck_assert(s.no_udp);
    ck_assert_uint_eq(s.udp_timeout_ms, 2000);
    tws_settings_fini(&s);
}
END_TEST

START_TEST(the_servers_options_of_tws_rust_work_too)
{
    struct tws_settings s;
    struct said said;

    ck_assert_int_eq(read_line(&s, TWS_OPT_SERVER,
                               "server -vv -l 127.0.0.1:5202 -p secret -t 5000 --no_udp", &said),
                     TWS_OK);
    ck_assert_uint_eq(s.listen.port, 5202);
    ck_assert_str_eq(s.passwd, "secret");
    ck_assert_uint_eq(s.timeout_ms, 5000);
    ck_assert_uint_eq(s.verbose, 2);
    ck_assert(s.no_udp);
    tws_settings_fini(&s);
}
END_TEST

static const struct {
    unsigned who;
    const char *line;
    tws_err err;
    const char *says;
} lines[] = {
    {TWS_OPT_CLIENT, "client --help", TWS_ABSENT, ""},
    {TWS_OPT_CLIENT, "client -h", TWS_ABSENT, ""},
    {TWS_OPT_CLIENT, "client -c 99", TWS_USAGE,
     "--connections: found \"99\", expected a whole number from 1 to 16\n"},
    {TWS_OPT_CLIENT, "client -c", TWS_USAGE, "-c needs a value: N\n"},
    {TWS_OPT_CLIENT, "client --server", TWS_USAGE, "--server needs a value: URL\n"},
    {TWS_OPT_CLIENT, "client -c 1 -c 2", TWS_USAGE, "--connections is given twice\n"},
    {TWS_OPT_CLIENT, "client --conections 2", TWS_USAGE,
     "unknown option \"--conections\", the nearest is --connections\n"},
    {TWS_OPT_CLIENT, "client --connect_timeout 2s", TWS_USAGE,
     "--connect_timeout is no option: write \"connect_timeout: ...\" into a file, given with "
     "--config\n"},
    {TWS_OPT_CLIENT, "client --connect_timeout=2s", TWS_USAGE,
     "--connect_timeout is no option: write \"connect_timeout: ...\" into a file, given with "
     "--config\n"},
    {TWS_OPT_CLIENT, "client -z", TWS_USAGE, "unknown option \"-z\"\n"},
    {TWS_OPT_CLIENT, "client stray", TWS_USAGE,
     "\"stray\": not a URL: the server comes first, such as wss://example.com/tws (or -s)\n"},
    {TWS_OPT_CLIENT, "client example.com:80 3000", TWS_USAGE,
     "\"example.com:80\": not a URL: the server comes first, such as wss://example.com/tws (or "
     "-s)\n"},
    {TWS_OPT_CLIENT, "client wss://h/p 3000:h", TWS_USAGE,
     "\"3000:h\": it has no port: write HOST:PORT, or LOCAL-PORT:HOST:PORT\n"},
    {TWS_OPT_CLIENT, "client wss://h/p 3000 -s wss://h/q", TWS_USAGE, "--server is given twice\n"},
    {TWS_OPT_CLIENT, "client -s wss://h/p 3000 wss://h/q", TWS_USAGE,
     "\"wss://h/q\": the server's URL comes once, in front of the forwards\n"},
    {TWS_OPT_CLIENT, "client wss://h/p stdio:h:1 stdio:h:2", TWS_USAGE,
     "\"stdio:h:2\": stdin and stdout have a target already\n"},
    {TWS_OPT_CLIENT, "client wss://h/p stdio:h:1 -W h:2", TWS_USAGE,
     "\"h:2\": stdin and stdout have a target already\n"},
    {TWS_OPT_CLIENT, "client wss://h/p -W h", TWS_USAGE,
     "\"h\": it has no port: write HOST:PORT, or LOCAL-PORT:HOST:PORT\n"},
    {TWS_OPT_CLIENT, "client wss://h/p -W", TWS_USAGE, "-W needs a value: HOST:PORT\n"},
    {TWS_OPT_SERVER, "server 3000", TWS_USAGE, "\"3000\": not an option\n"},
    {TWS_OPT_CLIENT, "client -p ", TWS_USAGE,
     "--passwd: found 0 characters, expected a text of 1 to 1024 characters\n"},
    {TWS_OPT_SERVER, "server -l 8080", TWS_USAGE,
     "--listen: found \"8080\", expected an address such as 127.0.0.1:8080, [::1]:8080, :8080 or "
     "127.0.0.1:8000-8010, unix:/path or fd:NAME\n"},
    {TWS_OPT_SERVER, "server -r a:1", TWS_USAGE, "unknown option \"-r\"\n"},
};

START_TEST(a_wrong_option_is_named)
{
    struct tws_settings s;
    struct said said;

    ck_assert_int_eq(read_line(&s, lines[_i].who, lines[_i].line, &said), lines[_i].err);
    ck_assert_str_eq(said.text, lines[_i].says);
    tws_settings_fini(&s);
}
END_TEST

START_TEST(a_url_and_forwards_are_words)
{
    static const char *const shown[] = {"127.0.0.1:3000:host:80", "R:127.0.0.1:2222:localhost:22",
                                        "127.0.0.1:1080:socks", "127.0.0.1:5353:1.1.1.1:53/udp",
                                        "stdio:[::1]:22"};
    const struct tws_remote *r = NULL;
    char text[TWS_REMOTE_TEXT];
    struct tws_settings s;
    struct said said;

    ck_assert_int_eq(read_line(&s, TWS_OPT_CLIENT,
                               "client wss://example.com/tws 3000:host:80 R:2222:localhost:22 -c 1 "
                               "1080:socks 5353:1.1.1.1:53/udp -v stdio:::1:22",
                               &said),
                     TWS_OK);
    ck_assert_str_eq(said.text, "");
    ck_assert_str_eq(s.server, "wss://example.com/tws");
    ck_assert_uint_eq(s.connections, 1);
    ck_assert_uint_eq(s.verbose, 1);
    ck_assert_uint_eq(s.remotes.n, 5);
    r = s.remotes.p;
    for (size_t i = 0; i < s.remotes.n; i++) {
        tws_remote_format(&r[i], text, sizeof text);
        ck_assert_str_eq(text, shown[i]);
    }
    tws_settings_fini(&s);
}
END_TEST

static const struct {
    const char *line;
    enum tws_log_level level;
    size_t remotes;
} quiets[] = {
    {"client wss://h/p 3000", TWS_LOG_INFO, 1},
    {"client wss://h/p -W h:22", TWS_LOG_WARN, 1},
    {"client wss://h/p stdio:h:22 3000", TWS_LOG_WARN, 2},
    {"client wss://h/p --log info -W h:22", TWS_LOG_INFO, 1},
    {"client --config f -W h:22", TWS_LOG_WARN, 1},
    {"client --config f 3000:h:80", TWS_LOG_INFO, 1},
};

START_TEST(stdio_is_quiet_unless_told_otherwise)
{
    struct tws_settings s;
    struct said said;

    ck_assert_int_eq(read_line(&s, TWS_OPT_CLIENT, quiets[_i].line, &said), TWS_OK);
    ck_assert_uint_eq(s.log, 1 + quiets[_i].level);
    ck_assert_uint_eq(s.remotes.n, quiets[_i].remotes);
    tws_settings_fini(&s);
}
END_TEST

START_TEST(the_file_wins_over_the_command_line)
{
    static const char yaml[] = "connections: 5\n";
    struct tws_settings s;
    struct said said;
    struct tws_diag diag;

    ck_assert_int_eq(read_line(&s, TWS_OPT_CLIENT, "client -c 3 -t 4000", &said), TWS_OK);
    diag = listen_to(&said);
    ck_assert_int_eq(tws_settings_read_yaml(&s, "f", yaml, strlen(yaml), &diag), TWS_OK);
    ck_assert_uint_eq(s.connections, 5);
    ck_assert_uint_eq(s.timeout_ms, 4000);
    tws_settings_fini(&s);
}
END_TEST

START_TEST(help_fits_a_screen)
{
    unsigned who = _i == 0 ? TWS_OPT_CLIENT : TWS_OPT_SERVER;
    char *text = NULL;
    size_t n = 0, rows = 0;
    FILE *f = open_memstream(&text, &n);

    tws_reference_help(f, who);
    fclose(f);
    for (const char *line = text; *line != '\0'; rows++) {
        size_t width = strcspn(line, "\n");

        ck_assert_msg(width <= 80, "%zu columns: %.*s", width, (int)width, line);
        line += width + 1;
    }
    ck_assert_uint_le(rows, 24);
    ck_assert_uint_gt(rows, 10);
    free(text);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("argv");

    LOOP(tc, options_of_tws_rust_mean_what_they_meant, client_lines);
    tcase_add_test(tc, the_servers_options_of_tws_rust_work_too);
    LOOP(tc, a_wrong_option_is_named, lines);
    tcase_add_test(tc, a_url_and_forwards_are_words);
    LOOP(tc, stdio_is_quiet_unless_told_otherwise, quiets);
    tcase_add_test(tc, the_file_wins_over_the_command_line);
    tcase_add_loop_test(tc, help_fits_a_screen, 0, 2);
    return run_suite("app/argv", tc);
}

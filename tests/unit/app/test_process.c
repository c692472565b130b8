/*
 * test_process.c - a process around a tunnel of the test's own: what signals do, what the service
 * manager hears and in which order, and the exit code. The fake tunnel writes down what is asked of
 * it; each of its answers raises the next signal.
 */
#include "app_support.h"

#include "tws/app/process.h"

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What happened, in order. */
static struct said happened;

static void note(const char *what)
{
    keep(&happened, TWS_LOG_ERROR, what);
}

/* The fake tunnel: after starting, it raises `signals` one by one, each when the one before has
 * been answered. */
static struct {
    struct tws_loop *loop;
    struct tws_timer timer;
    const int *signals;
    tws_err start, reload;
    bool never_drained, cut;
    void (*on_drained)(void *arg, bool settled);
    void *arg;
    unsigned configured, freed;
    bool serving;
    void (*on_end)(void *arg, bool clean);
    const char *spoil; /* a file that is made wrong by redial() */
} fake;

static void raise_next(void)
{
    if (*fake.signals != 0)
        tws_timer_start(&fake.timer, 1000);
}

/* "Signals" that are none: stdin and stdout end. */
enum { ENDS_WELL = 1000, ENDS_BADLY };

static void on_timer(struct tws_timer *t)
{
    int number = *fake.signals++;

    (void)t;
    if (number >= ENDS_WELL)
        fake.on_end(fake.arg, number == ENDS_WELL);
    else
        kill(getpid(), number);
}

static tws_err configure(const struct tws_settings *s, struct tws_diag *diag, void **config)
{
    char line[64];

    if (s->name != NULL && strcmp(s->name, "bad") == 0) {
        raise_next();
        tws_diag_error(diag, "a bad name");
        return TWS_CONFIG;
    }
    snprintf(line, sizeof line, "configure %s", s->name != NULL ? s->name : "");
    note(line);
    fake.configured++;
    *config = strdup("config");
    return TWS_OK;
}

static void discard(void *config)
{
    fake.freed += config != NULL;
    free(config);
}

static tws_err start(struct tws_loop *loop, struct tws_ws *ws, const void *config, void **tunnel)
{
    ck_assert_str_eq(config, "config");
    ck_assert_ptr_nonnull(ws);
    note("start");
    fake.loop = loop;
    *tunnel = &fake;
    if (fake.start != TWS_OK)
        return fake.start;
    tws_timer_init(&fake.timer, loop, on_timer);
    raise_next();
    return TWS_OK;
}

static tws_err reload(void *tunnel, const void *config)
{
    ck_assert_ptr_eq(tunnel, &fake);
    ck_assert_str_eq(config, "config");
    note("reload");
    raise_next();
    return fake.reload;
}

static void spoil_file(const char *path)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fputs("name: bad\n", f);
    fclose(f);
}

static void redial(void *tunnel)
{
    ck_assert_ptr_eq(tunnel, &fake);
    note("redial");
    if (fake.spoil != NULL)
        spoil_file(fake.spoil);
    raise_next();
}

static void on_drain_timer(struct tws_timer *t)
{
    (void)t;
    fake.on_drained(fake.arg, !fake.cut);
}

static void drain(void *tunnel, void (*on_done)(void *arg, bool settled), void *arg)
{
    ck_assert_ptr_eq(tunnel, &fake);
    note("drain");
    fake.on_drained = on_done;
    fake.arg = arg;
    if (fake.never_drained) {
        raise_next();
        return;
    }
    tws_timer_init(&fake.timer, fake.loop, on_drain_timer);
    tws_timer_start(&fake.timer, 1000);
}

static void status(const void *tunnel, char *out, size_t cap)
{
    ck_assert_ptr_eq(tunnel, &fake);
    snprintf(out, cap, "2 of 2 links up");
}

static void stop(void *tunnel)
{
    if (tunnel != NULL && fake.start == TWS_OK)
        tws_timer_stop(&fake.timer);
    note("stop");
}

static tws_err serve(void *tunnel, const void *config, void (*on_end)(void *arg, bool clean),
                     void *arg, bool *serving)
{
    ck_assert_ptr_eq(tunnel, &fake);
    ck_assert_str_eq(config, "config");
    *serving = fake.serving;
    fake.on_end = on_end;
    fake.arg = arg;
    return TWS_OK;
}

static const struct tws_role role = {
    .who = TWS_OPT_CLIENT,
    .name = "tws test",
    .configure = configure,
    .discard = discard,
    .start = start,
    .reload = reload,
    .redial = redial,
    .drain = drain,
    .status = status,
    .stop = stop,
    .serve = serve,
};

static int run(int argc, const char *const *words)
{
    char *argv[8] = {NULL};
    int code = 0;

    for (int i = 0; i < argc; i++)
        argv[i] = strdup(words[i]);
    code = tws_process_run(&role, argc, argv, 0);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    ck_assert_uint_eq(fake.configured, fake.freed);
    return code;
}

static const char *const plain[] = {"client"};

START_TEST(sigterm_drains_and_the_end_of_draining_ends)
{
    static const int signals[] = {SIGTERM, 0};

    fake.signals = signals;
    ck_assert_int_eq(run(1, plain), 0);
    ck_assert_str_eq(happened.text, "configure \nstart\ndrain\nstop\n");
}
END_TEST

START_TEST(a_second_signal_ends_at_once)
{
    static const int signals[][3] = {
        {SIGTERM, SIGTERM, 0}, {SIGINT, SIGTERM, 0}, {SIGINT, SIGINT, 0}};

    fake.signals = signals[_i];
    fake.never_drained = true;
    ck_assert_int_eq(run(1, plain), 0);
    ck_assert_str_eq(happened.text, "configure \nstart\ndrain\nstop\n");
}
END_TEST

START_TEST(sigusr1_redials_and_sigpipe_means_nothing)
{
    static const int signals[] = {SIGUSR1, SIGUSR1, SIGTERM, 0};

    fake.signals = signals;
    ck_assert_int_eq(run(1, plain), 0);
    ck_assert_str_eq(happened.text, "configure \nstart\nredial\nredial\ndrain\nstop\n");
    ck_assert_int_eq(kill(getpid(), SIGPIPE), 0);
}
END_TEST

START_TEST(sighup_hands_a_new_configuration_over_and_frees_the_old)
{
    static const int signals[] = {SIGHUP, SIGHUP, SIGTERM, 0};

    fake.signals = signals;
    ck_assert_int_eq(run(1, plain), 0);
    ck_assert_str_eq(happened.text,
                     "configure \nstart\nconfigure \nreload\nconfigure \nreload\ndrain\nstop\n");
    ck_assert_uint_eq(fake.configured, 3);
}
END_TEST

START_TEST(a_reload_that_the_tunnel_refuses_keeps_the_old_configuration)
{
    static const int signals[] = {SIGHUP, SIGTERM, 0};

    fake.signals = signals;
    fake.reload = TWS_SYS;
    ck_assert_int_eq(run(1, plain), 0);
    ck_assert_str_eq(happened.text, "configure \nstart\nconfigure \nreload\ndrain\nstop\n");
}
END_TEST

START_TEST(a_tunnel_that_cannot_start_ends_with_1)
{
    static const int signals[] = {0};

    fake.signals = signals;
    fake.start = TWS_SYS;
    ck_assert_int_eq(run(1, plain), 1);
    ck_assert_str_eq(happened.text, "configure \nstart\nstop\n");
}
END_TEST

static const struct {
    int signals[3];
    int code;
    const char *happens;
    bool cut, never_drained;
} servings[] = {
    {{ENDS_WELL, 0}, 0, "configure \nstart\ndrain\nstop\n", false, false},
    {{ENDS_WELL, 0}, 1, "configure \nstart\ndrain\nstop\n", true, false},
    {{ENDS_WELL, SIGTERM, 0}, 1, "configure \nstart\ndrain\nstop\n", false, true},
    {{ENDS_BADLY, 0}, 1, "configure \nstart\nstop\n", false, false},
    {{SIGTERM, 0}, 1, "configure \nstart\nstop\n", false, false},
    {{SIGINT, 0}, 1, "configure \nstart\nstop\n", false, false},
    {{SIGHUP, 0}, 1, "configure \nstart\ndrain\nstop\n", false, false},
};

START_TEST(a_process_that_serves_stdin_and_stdout_ends_with_them)
{
    fake.serving = true;
    fake.cut = servings[_i].cut;
    fake.never_drained = servings[_i].never_drained;
    fake.signals = servings[_i].signals;
    ck_assert_int_eq(run(1, plain), servings[_i].code);
    ck_assert_str_eq(happened.text, servings[_i].happens);
}
END_TEST

START_TEST(exit_codes_tell_usage_and_configuration_apart)
{
    static const char *const usage[] = {"client", "--nonsense"};
    static const char *const missing[] = {"client", "--config", "/nowhere/client.yaml"};
    static const char *const help[] = {"client", "--help"};

    ck_assert_int_eq(run(2, usage), 2);
    ck_assert_int_eq(run(3, missing), 78);
    ck_assert_int_eq(run(2, help), 0);
    ck_assert_str_eq(happened.text, "");
}
END_TEST

/* The manager's socket, in the environment of the process. */
static int be_manager(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char name[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int n = snprintf(name, sizeof name, "@tws-test-process-%d", (int)getpid());

    memcpy(un.sun_path + 1, name + 1, (size_t)n - 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

/* All messages so far, one after the other; the time beside RELOADING=1 is left out. */
static void hear_all(int fd, char *out, size_t cap)
{
    char text[512];
    size_t n = 0;
    ssize_t got = 0;

    out[0] = '\0';
    while ((got = recv(fd, text, sizeof text - 1, 0)) > 0) {
        text[got] = '\0';
        if (strncmp(text, "RELOADING=1\n", 12) == 0)
            text[11] = '\0';
        n += (size_t)snprintf(out + n, cap - n, "%s ", text);
    }
}

START_TEST(the_manager_hears_ready_reloading_ready_stopping)
{
    static const int signals[] = {SIGHUP, SIGTERM, 0};
    char heard[2048];
    int fd = be_manager();

    fake.signals = signals;
    ck_assert_int_eq(run(1, plain), 0);
    hear_all(fd, heard, sizeof heard);
    ck_assert_str_eq(heard, "READY=1 STATUS=2 of 2 links up RELOADING=1 READY=1 STOPPING=1 ");
    close(fd);
}
END_TEST

START_TEST(the_manager_hears_of_a_failed_reload_as_ready_again)
{
    static const int signals[] = {SIGHUP, SIGTERM, 0};
    char heard[2048];
    int fd = be_manager();

    fake.signals = signals;
    fake.reload = TWS_SYS;
    ck_assert_int_eq(run(1, plain), 0);
    hear_all(fd, heard, sizeof heard);
    ck_assert_str_eq(heard, "READY=1 STATUS=2 of 2 links up RELOADING=1 READY=1 STOPPING=1 ");
    close(fd);
}
END_TEST

START_TEST(the_watchdog_is_fed_from_the_start)
{
    static const int signals[] = {SIGTERM, 0};
    char heard[2048];
    int fd = be_manager();

    setenv("WATCHDOG_USEC", "10000000", 1);
    unsetenv("WATCHDOG_PID");
    fake.signals = signals;
    ck_assert_int_eq(run(1, plain), 0);
    hear_all(fd, heard, sizeof heard);
    ck_assert_str_eq(heard, "READY=1 STATUS=2 of 2 links up WATCHDOG=1 STOPPING=1 ");
    close(fd);
}
END_TEST

START_TEST(a_file_that_became_bad_changes_nothing)
{
    static const char *const names[] = {"client.yaml", NULL};
    static const int signals[] = {SIGUSR1, SIGHUP, SIGTERM, 0};
    struct directory d = make_directory();
    char path[128];
    const char *words[] = {"client", "--config", path};

    write_file(&d, "client.yaml", 0600, "name: good\n", path);
    fake.signals = signals;
    fake.spoil = path;
    ck_assert_int_eq(run(3, words), 0);
    ck_assert_str_eq(happened.text, "configure good\nstart\nredial\ndrain\nstop\n");
    ck_assert_uint_eq(fake.configured, 1);
    drop_directory(&d, names);
}
END_TEST

START_TEST(the_process_leaves_no_core)
{
    static const int signals[] = {SIGTERM, 0};
    struct rlimit core;

    fake.signals = signals;
    ck_assert_int_eq(run(1, plain), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &core), 0);
    ck_assert_uint_eq(core.rlim_cur, 0);
    ck_assert_uint_eq(core.rlim_max, 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("process");

    tcase_add_test(tc, sigterm_drains_and_the_end_of_draining_ends);
    tcase_add_loop_test(tc, a_second_signal_ends_at_once, 0, 3);
    tcase_add_test(tc, sigusr1_redials_and_sigpipe_means_nothing);
    tcase_add_test(tc, sighup_hands_a_new_configuration_over_and_frees_the_old);
    tcase_add_test(tc, a_reload_that_the_tunnel_refuses_keeps_the_old_configuration);
    tcase_add_test(tc, a_tunnel_that_cannot_start_ends_with_1);
    tcase_add_loop_test(tc, a_process_that_serves_stdin_and_stdout_ends_with_them, 0,
                        COUNT_OF(servings));
    tcase_add_test(tc, exit_codes_tell_usage_and_configuration_apart);
    tcase_add_test(tc, the_manager_hears_ready_reloading_ready_stopping);
    tcase_add_test(tc, the_manager_hears_of_a_failed_reload_as_ready_again);
    tcase_add_test(tc, the_watchdog_is_fed_from_the_start);
    tcase_add_test(tc, a_file_that_became_bad_changes_nothing);
    tcase_add_test(tc, the_process_leaves_no_core);
    return run_suite("app/process", tc);
}

/* test_notify.c - what the service manager hears, on a socket of our own. */
#include "app_support.h"

#include "tws/app/log_stderr.h"
#include "tws/app/notify.h"
#include "tws/base/text.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Binds a datagram socket and puts its name into the environment. */
static int be_manager(const char *name)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(un.sun_path, name, strlen(name));
    if (name[0] == '@')
        un.sun_path[0] = '\0';
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, len), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static const char *hear(int fd)
{
    static char text[1024];
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

START_TEST(messages_reach_the_manager)
{
    static const char *const names[] = {"notify", NULL};
    struct directory d = make_directory();
    char name[128];
    int fd = -1;

    if (_i == 0)
        path_in(&d, "notify", name);
    else
        snprintf(name, sizeof name, "@tws-test-%d", (int)getpid());
    fd = be_manager(name);
    tws_notify("READY=1\nSTATUS=%d of %d links up", 1, 2);
    ck_assert_str_eq(hear(fd), "READY=1\nSTATUS=1 of 2 links up");
    tws_notify("STOPPING=1");
    ck_assert_str_eq(hear(fd), "STOPPING=1");
    close(fd);
    drop_directory(&d, names);
}
END_TEST

START_TEST(reloading_comes_with_the_monotonic_time)
{
    static const char start[] = "RELOADING=1\nMONOTONIC_USEC=";
    const char *text = NULL;
    char name[64];
    uint64_t us = 0;
    int fd = -1;

    snprintf(name, sizeof name, "@tws-test-%d", (int)getpid());
    fd = be_manager(name);
    tws_notify_reloading();
    text = hear(fd);
    ck_assert_int_eq(strncmp(text, start, strlen(start)), 0);
    ck_assert_int_eq(tws_text_u64(text + strlen(start), UINT64_MAX, &us), TWS_OK);
    ck_assert_uint_gt(us, 0);
    close(fd);
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
    static const char *const sockets[] = {NULL, "", "relative", "/", "@"};

    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        unsetenv("NOTIFY_SOCKET");
        if (sockets[i] != NULL)
            setenv("NOTIFY_SOCKET", sockets[i], 1);
        ck_assert(!tws_notify_wanted());
        tws_notify("READY=1");
    }
}
END_TEST

static struct {
    unsigned lines;
    char last[256];
} logged;

static void count(void *ctx, enum tws_log_level level, const char *line, size_t len)
{
    (void)ctx;
    (void)level;
    logged.lines++;
    snprintf(logged.last, sizeof logged.last, "%.*s", (int)len, line);
}

START_TEST(a_manager_that_is_gone_is_logged_once)
{
    char longest[200];

    tws_log_set(TWS_LOG_INFO, count, NULL);
    setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
    tws_notify("READY=1");
    tws_notify("READY=1");
    ck_assert_uint_eq(logged.lines, 1);
    ck_assert_ptr_nonnull(strstr(logged.last, "No such file or directory"));
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    tws_notify("READY=1");
    ck_assert_uint_eq(logged.lines, 1);
}
END_TEST

START_TEST(the_watchdog_is_fed_at_half_its_time)
{
    char pid[32];

    setenv("NOTIFY_SOCKET", "@x", 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    ck_assert_uint_eq(tws_notify_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_uint_eq(tws_notify_watchdog_us(), 15000000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_uint_eq(tws_notify_watchdog_us(), 15000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_uint_eq(tws_notify_watchdog_us(), 0);
    setenv("WATCHDOG_PID", pid, 1);
    setenv("WATCHDOG_USEC", "soon", 1);
    ck_assert_uint_eq(tws_notify_watchdog_us(), 0);
}
END_TEST

/* Sends stderr into a pipe, logs one line, and returns what came. */
static const char *log_one_line(bool journal, uint32_t when)
{
    static char text[512];
    struct tws_settings s = {.log = TWS_LOG_INFO + 1, .log_time = when};
    char stream[64];
    struct stat st;
    int fds[2], saved = dup(STDERR_FILENO);
    ssize_t n = 0;

    ck_assert_int_eq(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino + (journal ? 0 : 1));
    setenv("JOURNAL_STREAM", stream, 1);
    tws_log_stderr(&s);
    tws_log(TWS_LOG_WARN, "link down", "link=%d", 2);
    tws_log(TWS_LOG_DEBUG, "not shown", "");
    n = read(fds[0], text, sizeof text - 1);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fds[0]);
    close(fds[1]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

START_TEST(lines_carry_a_priority_for_the_journal_and_a_time_otherwise)
{
    const char *line = NULL;

    ck_assert_str_eq(log_one_line(true, TWS_LOG_TIME_AUTO), "<4>link down link=2\n");
    ck_assert_str_eq(log_one_line(false, TWS_LOG_TIME_OFF), "warn link down link=2\n");
    line = log_one_line(false, TWS_LOG_TIME_AUTO);
    ck_assert_uint_eq(strlen(line), strlen("2026-11-20T19:43:05.123Z warn link down link=2\n"));
    ck_assert_int_eq(line[10], 'T');
    ck_assert_int_eq(line[23], 'Z');
    ck_assert_str_eq(line + 25, "warn link down link=2\n");
}
END_TEST

START_TEST(each_v_raises_the_level_and_the_last_is_trace)
{
    struct tws_settings s = {.log = TWS_LOG_INFO + 1, .log_time = TWS_LOG_TIME_OFF};

    for (s.verbose = 0; s.verbose < 5; s.verbose++) {
        tws_log_stderr(&s);
        ck_assert_int_eq(tws_log_level(), s.verbose == 0   ? TWS_LOG_INFO
                                          : s.verbose == 1 ? TWS_LOG_DEBUG
                                                           : TWS_LOG_TRACE);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("notify");

    tcase_add_loop_test(tc, messages_reach_the_manager, 0, 2);
    tcase_add_test(tc, reloading_comes_with_the_monotonic_time);
    tcase_add_test(tc, without_a_manager_nothing_happens);
    tcase_add_test(tc, a_manager_that_is_gone_is_logged_once);
    tcase_add_test(tc, the_watchdog_is_fed_at_half_its_time);
    tcase_add_test(tc, lines_carry_a_priority_for_the_journal_and_a_time_otherwise);
    tcase_add_test(tc, each_v_raises_the_level_and_the_last_is_trace);
    return run_suite("app/notify", tc);
}

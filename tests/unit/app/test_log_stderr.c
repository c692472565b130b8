/* test_log_stderr.c - a log that is read late, never, or cannot be written. */
#include "app_support.h"

#include "tws/app/log_stderr.h"
#include "tws/base/log.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#define LINES 5000 /* more than a pipe holds */

static int saved, fds[2];

/* stderr is a pipe from here on. */
static void set_up(void)
{
    struct tws_settings s = {.log = TWS_LOG_INFO + 1, .log_time = TWS_LOG_TIME_OFF};

    saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    tws_log_stderr(&s);
}

static void tear_down(void)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fds[0]);
    close(fds[1]);
    tws_log_set(TWS_LOG_INFO, NULL, NULL);
}

/* All that the pipe holds. */
static char *drain(void)
{
    char *text = calloc(1, 1 << 20);
    size_t n = 0;
    struct pollfd p = {.fd = fds[0], .events = POLLIN};

    while (poll(&p, 1, 0) == 1) {
        ssize_t k = read(fds[0], text + n, 4096);
        ck_assert_int_gt(k, 0);
        n += (size_t)k;
    }
    return text;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
        n++;
    return n;
}

/* It would hang: the test's time-out is the failure. */
START_TEST(a_log_that_nobody_reads_costs_lines_and_says_how_many)
{
    for (unsigned i = 0; i < LINES; i++)
        tws_log(TWS_LOG_INFO, "link up", "number=%05u", i);
    char *first = drain();
    const unsigned kept = count(first, "link up");
    char told[64];

    ck_assert_uint_gt(kept, 0);
    ck_assert_uint_lt(kept, LINES);
    ck_assert_uint_eq(count(first, "lost"), 0);
    tws_log(TWS_LOG_INFO, "link down", "");
    char *second = drain();
    (void)snprintf(told, sizeof told, "warn log lines lost count=%u ", LINES - kept);
    ck_assert_msg(strncmp(second, told, strlen(told)) == 0, "%s", second);
    ck_assert_uint_eq(count(second, "\ninfo link down\n"), 1);
    tws_log(TWS_LOG_INFO, "link up", "");
    free(second);
    second = drain();
    ck_assert_str_eq(second, "info link up\n");
    free(first);
    free(second);
}
END_TEST

static void *read_along(void *arg)
{
    char *text = arg;
    size_t n = 0;

    for (ssize_t k = 1; k > 0; n += k > 0 ? (size_t)k : 0) {
        sched_yield();
        k = read(fds[0], text + n, 8192);
    }
    return NULL;
}

static bool is_empty(void)
{
    struct pollfd p = {.fd = fds[0], .events = POLLIN};

    return poll(&p, 1, 0) == 0;
}

START_TEST(no_line_is_missing_without_a_word)
{
    char *text = calloc(1, 1 << 20);
    unsigned found;
    pthread_t reader;

    ck_assert_int_eq(pthread_create(&reader, NULL, read_along, text), 0);
    for (unsigned i = 0; i < LINES; i++)
        tws_log(TWS_LOG_INFO, "link up", "number=%05u", i);
    while (!is_empty())
        sched_yield();
    tws_log(TWS_LOG_INFO, "end", "");
    dup2(saved, STDERR_FILENO);
    close(fds[1]);
    fds[1] = dup(saved);
    pthread_join(reader, NULL);
    found = count(text, "link up");
    for (const char *p = text; (p = strstr(p, "lost count=")) != NULL; p++)
        found += (unsigned)strtoul(p + strlen("lost count="), NULL, 10);
    ck_assert_uint_eq(found, LINES);
    free(text);
}
END_TEST

START_TEST(a_full_disk_and_a_reader_that_is_gone_are_no_reason_to_stop)
{
    signal(SIGPIPE, SIG_IGN); /* as the process does */
    if (_i == 0) {
        int full = open("/dev/full", O_WRONLY);
        ck_assert_int_ge(full, 0);
        dup2(full, STDERR_FILENO);
        close(full);
    } else {
        close(fds[0]);
        fds[0] = dup(saved);
    }
    for (unsigned i = 0; i < LINES; i++)
        tws_log(TWS_LOG_INFO, "link up", "number=%05u", i);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("log_stderr");

    tcase_set_timeout(tc, 20);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_log_that_nobody_reads_costs_lines_and_says_how_many);
    tcase_add_test(tc, no_line_is_missing_without_a_word);
    tcase_add_loop_test(tc, a_full_disk_and_a_reader_that_is_gone_are_no_reason_to_stop, 0, 2);
    return run_suite("app/log_stderr", tc);
}

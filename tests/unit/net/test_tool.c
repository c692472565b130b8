/* test_tool.c - what a tool is given, what comes back, and what does not get through to it. */
#include "suite.h"
#include "tool_priv.h"

#include "tws/net/capability.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tws_tool_result run(const char *const argv[], const char *input)
{
    struct tws_tool_result r;

    ck_assert_int_eq(tws_tool_run(argv, input, &r), TWS_OK);
    ck_assert_ptr_nonnull(r.output);
    return r;
}

START_TEST(its_input_arrives_whole_and_its_output_comes_back)
{
    struct tws_tool_result r = run((const char *const[]){"cat", NULL}, "one\ntwo\n");

    ck_assert_int_eq(r.status, 0);
    ck_assert_str_eq(r.output, "one\ntwo\n");
    free(r.output);
}
END_TEST

START_TEST(an_input_longer_than_a_pipe_does_not_block)
{
    size_t n = 900000;
    char *input = malloc(n + 1);

    memset(input, 'x', n);
    input[n] = '\0';
    struct tws_tool_result r = run((const char *const[]){"cat", NULL}, input);
    ck_assert_str_eq(r.output, input);
    free(r.output);
    free(input);
}
END_TEST

START_TEST(what_it_writes_without_end_is_not_all_kept)
{
    struct tws_tool_result r =
        run((const char *const[]){"head", "-c", "3000000", "/dev/zero", NULL}, "");

    ck_assert_int_eq(r.status, 0);
    free(r.output);
    r = run((const char *const[]){"seq", "1000000", NULL}, "");
    ck_assert_uint_le(strlen(r.output), TWS_TOOL_OUTPUT);
    ck_assert_uint_gt(strlen(r.output), TWS_TOOL_OUTPUT / 2);
    free(r.output);
}
END_TEST

START_TEST(its_exit_status_is_told_and_its_last_signal)
{
    struct tws_tool_result r = run((const char *const[]){"false", NULL}, "");

    ck_assert_int_eq(r.status, 1);
    free(r.output);
    r = run((const char *const[]){"sh", NULL}, "kill -9 $$");
    ck_assert_int_eq(r.status, 128 + 9);
    free(r.output);
}
END_TEST

static void expect_killed(const char *script)
{
    struct tws_tool_result r;

    ck_assert_int_eq(tws_tool_run_for(200, (const char *const[]){"sh", NULL}, script, &r), TWS_SYS);
    ck_assert_int_eq(errno, ETIMEDOUT);
    ck_assert_ptr_null(r.output);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

START_TEST(one_that_runs_on_is_killed)
{
    expect_killed("exec sleep 60");
    expect_killed("exec sleep 60 >&- 2>&-");
}
END_TEST

START_TEST(a_complaint_is_one_clean_line)
{
    char text[32], few[8];
    struct tws_tool_result r =
        run((const char *const[]){"sh", NULL}, "printf 'a \\033\"bad\" thing\\nmore' >&2; exit 3");

    ck_assert_int_eq(r.status, 3);
    tws_tool_complaint(&r, text, sizeof text);
    ck_assert_str_eq(text, "a ''bad' thing");
    tws_tool_complaint(&r, few, sizeof few);
    ck_assert_str_eq(few, "a ''bad");
    free(r.output);
    r = run((const char *const[]){"false", NULL}, "");
    tws_tool_complaint(&r, text, sizeof text);
    ck_assert_str_eq(text, "exit status 1");
    free(r.output);
}
END_TEST

START_TEST(one_that_is_not_installed_is_absent)
{
    struct tws_tool_result r;

    ck_assert_int_eq(tws_tool_run((const char *const[]){"tws-no-such-tool", NULL}, "", &r),
                     TWS_SYS);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(r.output);
}
END_TEST

START_TEST(it_is_found_without_a_path_and_not_in_a_relative_one)
{
    char folder[] = "/tmp/tws-tool-XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    int fd = open("cat", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ck_assert_int_ge(fd, 0);
    close(fd);
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            unsetenv("PATH");
        else
            setenv("PATH", ".:", 1);
        struct tws_tool_result r = run((const char *const[]){"cat", NULL}, "the real one");
        ck_assert_str_eq(r.output, "the real one");
        free(r.output);
    }
    unlink("cat");
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(folder);
}
END_TEST

START_TEST(it_gets_no_descriptor_and_no_variable_of_ours)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), mine = fcntl(fd, F_DUPFD_CLOEXEC, 900);

    ck_assert_int_ge(mine, 900);
    setenv("SECRET", "key", 1);
    struct tws_tool_result r = run((const char *const[]){"env", NULL}, "");
    ck_assert_ptr_null(strstr(r.output, "SECRET"));
    ck_assert_ptr_nonnull(strstr(r.output, "LC_ALL=C"));
    free(r.output);
    r = run((const char *const[]){"sh", NULL}, "ls /proc/$$/fd");
    ck_assert_ptr_null(strstr(r.output, "\n900"));
    free(r.output);
    close(mine);
    close(fd);
}
END_TEST

START_TEST(out_of_descriptors_it_fails_with_the_reason)
{
    struct tws_tool_result r;
    int fds[2000], n = 0;

    while (n < 2000 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    if (n < 2000) {
        ck_assert_int_eq(tws_tool_run((const char *const[]){"cat", NULL}, "", &r), TWS_SYS);
        ck_assert_int_eq(errno, EMFILE);
    }
    while (n > 0)
        close(fds[--n]);
}
END_TEST

/* Whether it is allowed depends on who runs the test; that both answers agree does not. */
/* As under systemd's PrivateUsers=: of a user namespace that does not own the network. */
START_TEST(a_capability_that_counts_for_nothing_here_is_none)
{
    if (unshare(CLONE_NEWUSER) != 0) {
        fprintf(stderr, "skipped: no user namespaces\n");
        return;
    }
    ck_assert(!tws_net_admin());
    if (unshare(CLONE_NEWNET) == 0)
        ck_assert(tws_net_admin());
}
END_TEST

START_TEST(a_tool_may_do_what_we_may)
{
    struct tws_tool_result r =
        run((const char *const[]){"grep", "CapEff", "/proc/self/status", NULL}, "");
    unsigned long long caps = strtoull(strchr(r.output, ':') + 1, NULL, 16);

    ck_assert_int_eq((caps >> 12 & 1) != 0, tws_net_admin());
    free(r.output);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("tool");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, its_input_arrives_whole_and_its_output_comes_back);
    tcase_add_test(tc, an_input_longer_than_a_pipe_does_not_block);
    tcase_add_test(tc, what_it_writes_without_end_is_not_all_kept);
    tcase_add_test(tc, its_exit_status_is_told_and_its_last_signal);
    tcase_add_test(tc, one_that_runs_on_is_killed);
    tcase_add_test(tc, a_complaint_is_one_clean_line);
    tcase_add_test(tc, one_that_is_not_installed_is_absent);
    tcase_add_test(tc, it_is_found_without_a_path_and_not_in_a_relative_one);
    tcase_add_test(tc, it_gets_no_descriptor_and_no_variable_of_ours);
    tcase_add_test(tc, out_of_descriptors_it_fails_with_the_reason);
    tcase_add_test(tc, a_capability_that_counts_for_nothing_here_is_none);
    tcase_add_test(tc, a_tool_may_do_what_we_may);

    return run_suite("net/tool", tc);
}

/* test_shared_fd.c - descriptors that others hold too: read and written without blocking, and the
 * others' flags left alone. */
#include "driver.h"

#include "tws/net/shared_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { PIPE, SOCKET, TERMINAL, KINDS };

/* ends[0] is read, ends[1] written. */
static void make_pair(enum kind kind, int ends[2])
{
    if (kind == PIPE)
        ck_assert_int_eq(pipe(ends), 0);
    else if (kind == SOCKET)
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    else
        ck_assert_int_eq(openpty(&ends[1], &ends[0], NULL, NULL, NULL), 0);
}

START_TEST(reading_never_blocks_and_the_other_holder_keeps_its_flags)
{
    struct tws_shared_fd s;
    int ends[2], other;
    char buf[8];

    make_pair(_i, ends);
    other = dup(ends[0]);
    ck_assert_int_eq(tws_shared_fd_init(&s, ends[0], TWS_SHARED_READ), TWS_OK);
    ck_assert_int_eq(tws_shared_fd_read(&s, buf, sizeof buf), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(write(ends[1], "ab\n", 3), 3);
    ck_assert_int_eq(tws_shared_fd_read(&s, buf, sizeof buf), 3);
    ck_assert_mem_eq(buf, "ab\n", 3);
    ck_assert_int_eq(fcntl(other, F_GETFL) & O_NONBLOCK, 0);
    close(ends[1]);
    ck_assert_int_eq(tws_shared_fd_read(&s, buf, sizeof buf), 0);
    tws_shared_fd_fini(&s);
    ck_assert_int_eq(fcntl(other, F_GETFL) & O_NONBLOCK, 0);
    close(ends[0]);
    close(other);
}
END_TEST

START_TEST(writing_never_blocks_and_the_other_holder_keeps_its_flags)
{
    static char bulk[65536];
    struct tws_shared_fd s;
    int ends[2], other;
    ssize_t n;

    make_pair(_i, ends);
    other = dup(ends[1]);
    ck_assert_int_eq(tws_shared_fd_init(&s, ends[1], TWS_SHARED_WRITE), TWS_OK);
    while ((n = tws_shared_fd_write(&s, bulk, sizeof bulk)) > 0)
        continue;
    ck_assert_int_eq(n, -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(fcntl(other, F_GETFL) & O_NONBLOCK, 0);
    tws_shared_fd_fini(&s);
    close(ends[0]);
    close(ends[1]);
    close(other);
}
END_TEST

START_TEST(the_end_of_writing_is_seen_and_the_number_stays_taken)
{
    struct tws_shared_fd s;
    int ends[2];
    char buf[8];

    make_pair(_i, ends);
    ck_assert_int_eq(tws_shared_fd_init(&s, ends[1], TWS_SHARED_WRITE), TWS_OK);
    ck_assert_int_eq(tws_shared_fd_write(&s, "x", 1), 1);
    tws_shared_fd_end(&s);
    ck_assert_int_eq(read(ends[0], buf, sizeof buf), 1);
    ck_assert_int_eq(read(ends[0], buf, sizeof buf), 0);
    ck_assert_int_ge(fcntl(ends[1], F_GETFD), 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_socket_that_is_both_ends_is_read_on_after_the_end_of_writing)
{
    struct tws_shared_fd in, out;
    int ends[2], twin;
    char buf[8];

    make_pair(SOCKET, ends);
    twin = dup(ends[1]);
    ck_assert_int_eq(tws_shared_fd_init(&in, ends[1], TWS_SHARED_READ), TWS_OK);
    ck_assert_int_eq(tws_shared_fd_init(&out, twin, TWS_SHARED_WRITE), TWS_OK);
    tws_shared_fd_end(&out);
    ck_assert_int_eq(read(ends[0], buf, sizeof buf), 0);
    ck_assert_int_eq(write(ends[0], "y", 1), 1);
    ck_assert_int_eq(tws_shared_fd_read(&in, buf, sizeof buf), 1);
    ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    close(ends[0]);
    close(ends[1]);
    close(twin);
}
END_TEST

START_TEST(what_is_not_open_for_it_is_refused)
{
    struct tws_shared_fd s;
    int ends[2];

    make_pair(PIPE, ends);
    ck_assert_int_eq(tws_shared_fd_init(&s, ends[1], TWS_SHARED_READ), TWS_SYS);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(tws_shared_fd_init(&s, ends[0], TWS_SHARED_WRITE), TWS_SYS);
    close(ends[0]);
    ck_assert_int_eq(tws_shared_fd_init(&s, ends[0], TWS_SHARED_READ), TWS_SYS);
    close(ends[1]);
}
END_TEST

START_TEST(a_file_and_dev_null_are_read_as_they_are)
{
    struct tws_shared_fd s;
    char buf[4];
    int fd = open("/proc/self/stat", O_RDONLY), null = open("/dev/null", O_RDWR);

    ck_assert_int_eq(tws_shared_fd_init(&s, fd, TWS_SHARED_READ), TWS_OK);
    ck_assert_int_gt(tws_shared_fd_read(&s, buf, sizeof buf), 0);
    ck_assert_int_eq(tws_shared_fd_init(&s, null, TWS_SHARED_READ), TWS_OK);
    ck_assert_int_eq(tws_shared_fd_read(&s, buf, sizeof buf), 0);
    close(null);
    null = open("/dev/null", O_RDWR);
    ck_assert_int_eq(tws_shared_fd_init(&s, null, TWS_SHARED_WRITE), TWS_OK);
    ck_assert_int_eq(tws_shared_fd_write(&s, buf, 4), 4);
    close(fd);
    close(null);
}
END_TEST

START_TEST(a_disk_that_fails_is_no_end_of_file)
{
    struct tws_shared_fd s;
    char byte;
    int fd = open("/proc/self/mem", O_RDONLY); /* nothing is at its beginning: EIO */

    ck_assert_int_eq(tws_shared_fd_init(&s, fd, TWS_SHARED_READ), TWS_OK);
    ck_assert_int_eq(tws_shared_fd_read(&s, &byte, 1), -1);
    ck_assert_int_eq(errno, EIO);
    close(fd);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("shared_fd");

    tcase_add_loop_test(tc, reading_never_blocks_and_the_other_holder_keeps_its_flags, 0, KINDS);
    tcase_add_loop_test(tc, writing_never_blocks_and_the_other_holder_keeps_its_flags, 0, TERMINAL);
    tcase_add_loop_test(tc, the_end_of_writing_is_seen_and_the_number_stays_taken, 0, TERMINAL);
    tcase_add_test(tc, a_socket_that_is_both_ends_is_read_on_after_the_end_of_writing);
    tcase_add_test(tc, what_is_not_open_for_it_is_refused);
    tcase_add_test(tc, a_file_and_dev_null_are_read_as_they_are);
    tcase_add_test(tc, a_disk_that_fails_is_no_end_of_file);
    return run_suite("net/shared_fd", tc);
}

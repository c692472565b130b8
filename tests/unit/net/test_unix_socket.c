/* test_unix_socket.c - listening unix sockets and their files: whose they are, and whose they are
 * to remove. */
#include "driver.h"

#include "tws/net/socket.h"
#include "tws/net/unix_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[32], path[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/tws-unix-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
}

static const struct tws_unix_access plain = {0600, (uid_t)-1, (gid_t)-1};

static int listen_there(struct tws_unix_socket *s)
{
    int fd = -1;

    ck_assert_int_eq(tws_unix_socket_listen(s, path, &plain, &fd), TWS_OK);
    return fd;
}

static bool can_connect(void)
{
    struct tws_sockaddr sa;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_int_eq(tws_sockaddr_set_unix(&sa, path), TWS_OK);
    bool can = connect(fd, (struct sockaddr *)&sa.ss, sa.len) == 0;
    close(fd);
    return can;
}

START_TEST(a_socket_is_made_with_its_mode_and_removed_at_the_end)
{
    static const mode_t modes[] = {0600, 0660, 0666, 0700};
    const struct tws_unix_access access = {modes[_i], (uid_t)-1, (gid_t)-1};
    struct tws_unix_socket s;
    struct stat st;
    mode_t mask = umask(077);
    int fd = -1;

    ck_assert_int_eq(tws_unix_socket_listen(&s, path, &access, &fd), TWS_OK);
    ck_assert_uint_eq(umask(mask), 077);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, modes[_i]);
    ck_assert(can_connect());
    tws_unix_socket_remove(&s);
    ck_assert_int_eq(lstat(path, &st), -1);
    tws_unix_socket_remove(&s);
    close(fd);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
    struct tws_unix_socket dead, s;

    close(listen_there(&dead)); /* as a killed process leaves it */
    ck_assert(!can_connect());
    int fd = listen_there(&s);
    ck_assert(can_connect());
    tws_unix_socket_remove(&dead); /* the file is another's by now */
    ck_assert(can_connect());
    tws_unix_socket_remove(&s);
    ck_assert_int_eq(access(path, F_OK), -1);
    close(fd);
}
END_TEST

START_TEST(a_socket_on_which_somebody_listens_stays_theirs)
{
    struct tws_unix_socket theirs, ours;
    int fd = listen_there(&theirs), none = -1;

    ck_assert_int_eq(tws_unix_socket_listen(&ours, path, &plain, &none), TWS_SYS);
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_int_eq(none, -1);
    tws_unix_socket_remove(&ours);
    ck_assert(can_connect());
    tws_unix_socket_remove(&theirs);
    close(fd);
}
END_TEST

START_TEST(another_file_is_never_replaced)
{
    struct tws_unix_socket s;
    int fd = -1;
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fclose(f);
    ck_assert_int_eq(tws_unix_socket_listen(&s, path, &plain, &fd), TWS_SYS);
    ck_assert_int_eq(errno, ENOTSOCK);
    ck_assert_int_eq(access(path, F_OK), 0);
    unlink(path);
    ck_assert_int_eq(symlink("/nowhere/at/all", path), 0);
    ck_assert_int_eq(tws_unix_socket_listen(&s, path, &plain, &fd), TWS_SYS);
    ck_assert_int_eq(errno, ENOTSOCK);
}
END_TEST

START_TEST(what_cannot_be_says_why_and_leaves_nothing)
{
    const struct tws_unix_access access = {0600, 12345, (gid_t)-1};
    struct tws_unix_socket s;
    int fd = -1;

    ck_assert_int_eq(tws_unix_socket_listen(&s, "/nowhere/at/all", &plain, &fd), TWS_SYS);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_nonnull(strstr(tws_unix_socket_advice(ENOENT), "RuntimeDirectory="));
    if (getuid() != 0) {
        ck_assert_int_eq(tws_unix_socket_listen(&s, path, &access, &fd), TWS_SYS);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(lstat(path, &(struct stat){0}), -1);
    }
    ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(an_abstract_socket_has_no_file)
{
    struct tws_unix_socket s, other;
    int fd = -1, none = -1;
    char name[64];

    snprintf(name, sizeof name, "@tws-unix-%d", (int)getpid());
    ck_assert_int_eq(tws_unix_socket_listen(&s, name, &plain, &fd), TWS_OK);
    ck_assert_str_eq(s.path, "");
    ck_assert_int_eq(tws_unix_socket_listen(&other, name, &plain, &none), TWS_SYS);
    ck_assert_int_eq(errno, EADDRINUSE);
    tws_unix_socket_remove(&s);
    close(fd);
}
END_TEST

START_TEST(access_can_change_while_it_listens)
{
    const struct tws_unix_access wide = {0666, (uid_t)-1, (gid_t)-1};
    struct tws_unix_socket s;
    int fd = listen_there(&s);
    struct stat st;

    ck_assert_int_eq(tws_unix_socket_set_access(&s, &wide), TWS_OK);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0666);
    tws_unix_socket_remove(&s);
    close(fd);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("unix_socket");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_socket_is_made_with_its_mode_and_removed_at_the_end, 0, 4);
    tcase_add_test(tc, a_stale_socket_is_replaced);
    tcase_add_test(tc, a_socket_on_which_somebody_listens_stays_theirs);
    tcase_add_test(tc, another_file_is_never_replaced);
    tcase_add_test(tc, what_cannot_be_says_why_and_leaves_nothing);
    tcase_add_test(tc, an_abstract_socket_has_no_file);
    tcase_add_test(tc, access_can_change_while_it_listens);
    return run_suite("net/unix_socket", tc);
}

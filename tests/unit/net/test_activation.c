/* test_activation.c - sockets of the service manager: found by name, address and path. */
#include "driver.h"

#include "tws/net/activation.h"
#include "tws/net/listener.h"
#include "tws/net/socket.h"
#include "tws/net/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(c)                                                                                    \
    ((c) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #c), _exit(1)))

/* Listening sockets on loopback at descriptors 3.., as a service manager leaves them. */
enum { V4 = 3, V6, UNIX, DATAGRAM, LAST };

static uint16_t port;

static void put(int fd, int number)
{
    if (fd == number)
        return;
    MUST(dup2(fd, number) == number);
    close(fd);
}

static int listen_on(const char *host, uint16_t at)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    MUST(tws_ip_parse(host, &ip) == TWS_OK);
    tws_sockaddr_set(&sa, &ip, at);
    int fd = socket(sa.ss.ss_family, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&sa.ss, sa.len) == 0 && listen(fd, 5) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The number that V4 has; others, at the same time, take numbers at random. */
static bool take_number(void)
{
    struct tws_sockaddr sa = {.len = sizeof sa.ss};
    struct tws_ip ip;
    int fd;

    put(listen_on("127.0.0.1", 0), V4);
    MUST(getsockname(V4, (struct sockaddr *)&sa.ss, &sa.len) == 0);
    tws_sockaddr_get(&sa, &ip, &port);
    put(socket(AF_INET, SOCK_DGRAM, 0), DATAGRAM);
    if (bind(DATAGRAM, (struct sockaddr *)&sa.ss, sa.len) != 0)
        return false;
    fd = listen_on("::1", port);
    if (fd < 0)
        return false;
    put(fd, V6);
    return true;
}

static void give(const char *names, const char *pid)
{
    struct tws_sockaddr sa;
    char text[32];

    while (!take_number())
        ;
    snprintf(text, sizeof text, "@tws-act-%d", (int)getpid());
    MUST(tws_sockaddr_set_unix(&sa, text) == TWS_OK);
    put(socket(AF_UNIX, SOCK_STREAM, 0), UNIX);
    MUST(bind(UNIX, (struct sockaddr *)&sa.ss, sa.len) == 0);
    MUST(listen(UNIX, 5) == 0);
    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", pid != NULL ? pid : text, 1);
    setenv("LISTEN_FDS", "4", 1);
    if (names != NULL)
        setenv("LISTEN_FDNAMES", names, 1);
    else
        unsetenv("LISTEN_FDNAMES");
}

static size_t named(const struct tws_activation *a, const char *name)
{
    struct tws_inherited in;

    MUST(tws_activation_named(a, name, &in) == TWS_OK);
    size_t n = in.n;
    for (size_t i = 0; i < n; i++)
        MUST((fcntl(in.fds[i], F_GETFD) & FD_CLOEXEC) == (FD_CLOEXEC));
    tws_inherited_close(&in);
    return n;
}

static void sockets_are_found_by_name_(int i)
{
    struct tws_activation *a = NULL;

    (void)i;
    give("web:web:control:dns", NULL);
    MUST(tws_activation_new(&a) == TWS_OK);
    MUST(a != NULL);
    MUST(getenv("LISTEN_FDS") == NULL);
    MUST(getenv("LISTEN_PID") == NULL);
    MUST(getenv("LISTEN_FDNAMES") == NULL);
    MUST(named(a, "web") == 2);
    MUST(named(a, "web") == 2); /* once more, after a reload */
    MUST(named(a, "control") == 1);
    MUST(named(a, "we") == 0);
    MUST(named(a, "") == 0);
    for (int fd = V4; fd < LAST; fd++)
        MUST((fcntl(fd, F_GETFD) & FD_CLOEXEC) == (FD_CLOEXEC));
    tws_activation_free(a);
    MUST(fcntl(V4, F_GETFD) == -1);
}

static const struct {
    const char *host;
    size_t n;
} hosts[] = {{"127.0.0.1", 1}, {"::1", 1},       {"localhost", 2},  {"LOCALHOST", 2},
             {"", 0},          {"127.0.0.2", 0}, {"example.com", 0}};

static void sockets_are_found_by_address_(int i)
{
    struct tws_hostport at = {.port = 0};
    struct tws_activation *a = NULL;
    struct tws_inherited in;

    give(NULL, NULL);
    MUST(tws_activation_new(&a) == TWS_OK);
    snprintf(at.host, sizeof at.host, "%s", hosts[i].host);
    at.port = port;
    MUST(tws_activation_at(a, SOCK_STREAM, &at, &in) == TWS_OK);
    MUST(in.n == hosts[i].n);
    tws_inherited_close(&in);
    at.port++;
    MUST(tws_activation_at(a, SOCK_STREAM, &at, &in) == TWS_OK);
    MUST(in.n == 0);
    tws_activation_free(a);
}

static void datagrams_are_told_from_streams_(int i)
{
    struct tws_hostport at = {.host = "127.0.0.1"};
    struct tws_activation *a = NULL;
    struct tws_inherited in;

    (void)i;
    give("dns:dns:control:dns", NULL);
    MUST(tws_activation_new(&a) == TWS_OK);
    at.port = port;
    MUST(tws_activation_at(a, SOCK_DGRAM, &at, &in) == TWS_OK);
    MUST(in.n == 1);
    MUST(tws_udp_adopt(in.fds[0]) == TWS_OK);
    MUST((fcntl(in.fds[0], F_GETFL) & O_NONBLOCK) != 0);
    tws_inherited_close(&in);
    MUST(tws_activation_named(a, "dns", &in) == TWS_OK);
    MUST(in.n == 3);
    tws_inherited_keep(&in, SOCK_STREAM);
    MUST(in.n == 2);
    MUST(tws_udp_adopt(in.fds[1]) == TWS_SYS);
    MUST(errno == EPROTOTYPE);
    tws_inherited_keep(&in, SOCK_DGRAM);
    MUST(in.n == 0);
    tws_activation_free(a);
}

static void a_unix_socket_is_found_by_its_path_(int i)
{
    struct tws_activation *a = NULL;
    struct tws_inherited in;
    char name[32];

    (void)i;
    give(NULL, NULL);
    snprintf(name, sizeof name, "@tws-act-%d", (int)getpid());
    MUST(tws_activation_new(&a) == TWS_OK);
    MUST(tws_activation_at_path(a, name, &in) == TWS_OK);
    MUST(in.n == 1);
    tws_inherited_close(&in);
    MUST(tws_activation_at_path(a, "/run/other", &in) == TWS_OK);
    MUST(in.n == 0);
    MUST(named(a, "unknown") == 4); /* what has no name */
    tws_activation_free(a);
}

static const char *const not_ours[] = {"1", "0", "-1", "", "12x", "99999999999999999999"};

static void what_is_not_for_this_process_is_left_alone_(int i)
{
    struct tws_activation *a = NULL;

    give("web:web:control:dns", not_ours[i]);
    MUST(tws_activation_new(&a) == TWS_OK);
    MUST(a == NULL);
    MUST(named(a, "web") == 0);
    MUST((fcntl(V4, F_GETFD) & FD_CLOEXEC) == (0));
    tws_activation_free(a);
}

static void fewer_names_than_sockets_are_no_danger_(int i)
{
    static const char *const names[] = {"a", "a:", "", ":::::::", "a:b:c:d:e:f:g"};
    struct tws_activation *a = NULL;

    give(names[i], NULL);
    MUST(tws_activation_new(&a) == TWS_OK);
    MUST(named(a, "a") == (size_t)(names[i][0] == 'a'));
    MUST(named(a, "e") == 0);
    tws_activation_free(a);
}

static void a_listener_adopts_them_all_or_none_(int i)
{
    struct tws_activation *a = NULL;
    struct tws_listener *l = NULL;
    struct tws_inherited in;
    struct tws_loop *loop = NULL;

    (void)i;
    give("web:web:control:dns", NULL);
    MUST(tws_activation_new(&a) == TWS_OK);
    MUST(tws_loop_new(&loop) == TWS_OK);
    MUST(tws_activation_named(a, "web", &in) == TWS_OK);
    MUST(tws_listener_adopt(loop, in.fds, in.n, NULL, NULL, &l) == TWS_OK);
    tws_listener_close(l);
    in.fds[0] = dup(V4);
    in.fds[1] = dup(DATAGRAM);
    MUST(tws_listener_adopt(loop, in.fds, 2, NULL, NULL, &l) == TWS_SYS);
    MUST(fcntl(in.fds[0], F_GETFD) == -1);
    MUST(fcntl(in.fds[1], F_GETFD) == -1);
    tws_loop_free(loop);
    tws_activation_free(a);
}

/* Each in a process of its own: Check has its own descriptors where the sockets belong. */
static void run_apart(void (*test)(int i), int i)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        test(i);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(sockets_are_found_by_name)
{
    run_apart(sockets_are_found_by_name_, _i);
}
END_TEST

START_TEST(sockets_are_found_by_address)
{
    run_apart(sockets_are_found_by_address_, _i);
}
END_TEST

START_TEST(datagrams_are_told_from_streams)
{
    run_apart(datagrams_are_told_from_streams_, _i);
}
END_TEST

START_TEST(a_unix_socket_is_found_by_its_path)
{
    run_apart(a_unix_socket_is_found_by_its_path_, _i);
}
END_TEST

START_TEST(what_is_not_for_this_process_is_left_alone)
{
    run_apart(what_is_not_for_this_process_is_left_alone_, _i);
}
END_TEST

START_TEST(fewer_names_than_sockets_are_no_danger)
{
    run_apart(fewer_names_than_sockets_are_no_danger_, _i);
}
END_TEST

START_TEST(a_listener_adopts_them_all_or_none)
{
    run_apart(a_listener_adopts_them_all_or_none_, _i);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("activation");

    tcase_add_test(tc, sockets_are_found_by_name);
    tcase_add_loop_test(tc, sockets_are_found_by_address, 0, COUNT_OF(hosts));
    tcase_add_test(tc, datagrams_are_told_from_streams);
    tcase_add_test(tc, a_unix_socket_is_found_by_its_path);
    tcase_add_loop_test(tc, what_is_not_for_this_process_is_left_alone, 0, COUNT_OF(not_ours));
    tcase_add_loop_test(tc, fewer_names_than_sockets_are_no_danger, 0, 5);
    tcase_add_test(tc, a_listener_adopts_them_all_or_none);
    return run_suite("net/activation", tc);
}

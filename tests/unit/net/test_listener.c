/* test_listener.c - nobody is refused while accepting pauses, for whatever reason it does. */
#include "driver.h"
#include "netns.h"

#include "tws/base/log.h"
#include "tws/net/listener.h"
#include "tws/net/unix_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct door {
    struct tws_loop *loop;
    struct tws_listener *listener;
    int accepted, wanted;
    int fds[300];
    struct tws_sockaddr peer;
    void (*then)(struct door *);
};

static void on_accept(void *arg, int fd, const struct tws_sockaddr *peer)
{
    struct door *d = arg;

    d->fds[d->accepted++] = fd;
    d->peer = *peer;
    if (d->then != NULL)
        d->then(d);
    if (d->accepted == d->wanted)
        tws_loop_stop(d->loop);
}

static void door_open(struct door *d, const char *host, uint16_t port)
{
    struct tws_hostport hp = {.port = port};

    *d = (struct door){.loop = driver_loop()};
    snprintf(hp.host, sizeof hp.host, "%s", host);
    ck_assert_int_eq(tws_listener_open(d->loop, &hp, on_accept, d, &d->listener), TWS_OK);
}

static void door_close(struct door *d)
{
    tws_listener_close(d->listener);
    for (int i = 0; i < d->accepted; i++)
        tws_socket_close(d->fds[i]);
    tws_loop_free(d->loop);
}

static uint16_t door_port(const struct door *d)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;
    uint16_t port;

    tws_listener_address(d->listener, &sa);
    tws_sockaddr_get(&sa, &ip, &port);
    return port;
}

/* A blocking connect: the kernel's backlog answers, nobody need accept. */
static int knock(const char *ip_text, uint16_t port)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    ck_assert_int_eq(tws_ip_parse(ip_text, &ip), TWS_OK);
    tws_sockaddr_set(&sa, &ip, port);
    int fd = socket(sa.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (connect(fd, (struct sockaddr *)&sa.ss, sa.len) != 0) {
        tws_socket_close(fd);
        return -1;
    }
    return fd;
}

static bool machine_has_ipv6(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof in6) == 0;

    tws_socket_close(fd);
    if (!has)
        fprintf(stderr, "skipped in part: no IPv6 here\n");
    return has;
}

START_TEST(an_accepted_descriptor_is_nonblocking_cloexec_nodelay_and_kept_alive)
{
    struct door d;
    int value = 0;
    socklen_t len = sizeof value;

    door_open(&d, "127.0.0.1", 0);
    int fd = knock("127.0.0.1", door_port(&d));
    d.wanted = 1;
    driver_run(d.loop);
    ck_assert_int_ne(fcntl(d.fds[0], F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(d.fds[0], F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(getsockopt(d.fds[0], IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    ck_assert_int_eq(value, 1);
    ck_assert_int_eq(getsockopt(d.fds[0], SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    ck_assert_int_eq(value, 1);
    ck_assert_int_eq(getsockopt(d.fds[0], IPPROTO_TCP, TCP_KEEPIDLE, &value, &len), 0);
    ck_assert_int_eq(value, 60);
    tws_socket_close(fd);
    door_close(&d);
}
END_TEST

static const char *const everywhere[] = {"", "::", "localhost"};

START_TEST(both_families_reach_a_listener_on_all_addresses_or_localhost)
{
    struct door d;
    struct tws_ip ip;
    uint16_t port;

    if (strcmp(everywhere[_i], "::") == 0 && !machine_has_ipv6())
        return;
    door_open(&d, everywhere[_i], 0);
    int four = knock("127.0.0.1", door_port(&d));
    d.wanted = 1;
    driver_run(d.loop);
    tws_sockaddr_get(&d.peer, &ip, &port);
    ck_assert_uint_eq(ip.family, 4); /* not ::ffff:127.0.0.1 */
    if (machine_has_ipv6()) {
        int six = knock("::1", door_port(&d));
        ck_assert_int_ge(six, 0);
        d.wanted = 2;
        driver_run(d.loop);
        tws_sockaddr_get(&d.peer, &ip, &port);
        ck_assert_uint_eq(ip.family, 6);
        tws_socket_close(six);
    }
    tws_socket_close(four);
    door_close(&d);
}
END_TEST

static const char *const without_ipv6[] = {"", "localhost"};

START_TEST(where_there_is_no_ipv6_ipv4_is_listened_on_alone)
{
    struct door d;

    if (!netns_enter())
        return;
    FILE *f = fopen("/proc/sys/net/ipv6/conf/all/disable_ipv6", "we");
    if (f != NULL) { /* else the kernel has none */
        ck_assert_int_gt(fprintf(f, "1"), 0);
        ck_assert_int_eq(fclose(f), 0);
    }
    door_open(&d, without_ipv6[_i], 0);
    int fd = knock("127.0.0.1", door_port(&d));
    d.wanted = 1;
    driver_run(d.loop);
    tws_socket_close(fd);
    door_close(&d);
}
END_TEST

START_TEST(a_port_in_use_is_refused_with_errno)
{
    struct door d;
    struct tws_listener *second = NULL;
    struct tws_hostport hp = {.host = "127.0.0.1"};

    door_open(&d, "127.0.0.1", 0);
    hp.port = door_port(&d);
    ck_assert_int_eq(tws_listener_open(d.loop, &hp, on_accept, &d, &second), TWS_SYS);
    ck_assert_int_eq(errno, EADDRINUSE);
    snprintf(hp.host, sizeof hp.host, "localhost");
    ck_assert_int_eq(tws_listener_open(d.loop, &hp, on_accept, &d, &second), TWS_SYS);
    ck_assert_int_eq(errno, EADDRINUSE);
    snprintf(hp.host, sizeof hp.host, "192.0.2.1");
    ck_assert_int_eq(tws_listener_open(d.loop, &hp, on_accept, &d, &second), TWS_SYS);
    ck_assert_int_eq(errno, EADDRNOTAVAIL);
    snprintf(hp.host, sizeof hp.host, "a.name.invalid");
    ck_assert_int_eq(tws_listener_open(d.loop, &hp, on_accept, &d, &second), TWS_SYS);
    ck_assert_int_eq(errno, EADDRNOTAVAIL);
    door_close(&d);
}
END_TEST

START_TEST(a_closed_port_can_be_listened_on_again_at_once)
{
    struct door d;

    door_open(&d, "127.0.0.1", 0);
    uint16_t port = door_port(&d);
    int fd = knock("127.0.0.1", port);
    d.wanted = 1;
    driver_run(d.loop);
    door_close(&d); /* our end closes first: it goes to TIME_WAIT */
    tws_socket_close(fd);
    door_open(&d, "127.0.0.1", port);
    door_close(&d);
}
END_TEST

static void pause_after_one(struct door *d)
{
    tws_listener_pause(d->listener, true);
    tws_loop_stop(d->loop);
}

START_TEST(a_pause_takes_effect_at_once_and_nobody_is_refused)
{
    struct door d;
    int fds[5];

    door_open(&d, "127.0.0.1", 0);
    for (int i = 0; i < 5; i++)
        fds[i] = knock("127.0.0.1", door_port(&d));
    d.then = pause_after_one;
    driver_run(d.loop);
    driver_run_for(d.loop, 10000);
    ck_assert_int_eq(d.accepted, 1);
    d.then = NULL;
    d.wanted = 5;
    tws_listener_pause(d.listener, false);
    driver_run(d.loop);
    for (int i = 0; i < 5; i++)
        tws_socket_close(fds[i]);
    door_close(&d);
}
END_TEST

static void close_at_once(struct door *d)
{
    tws_listener_close(d->listener);
    d->listener = NULL;
    tws_loop_stop(d->loop);
}

START_TEST(a_listener_may_be_closed_in_its_callback)
{
    struct door d;
    int fds[3];

    door_open(&d, "127.0.0.1", 0);
    for (int i = 0; i < 3; i++)
        fds[i] = knock("127.0.0.1", door_port(&d));
    d.then = close_at_once;
    driver_run(d.loop);
    driver_run_for(d.loop, 5000);
    ck_assert_int_eq(d.accepted, 1);
    for (int i = 0; i < 3; i++)
        tws_socket_close(fds[i]);
    door_close(&d);
}
END_TEST

START_TEST(more_connections_than_a_batch_are_all_accepted)
{
    struct door d;
    int fds[200];

    door_open(&d, "127.0.0.1", 0);
    for (int i = 0; i < 200; i++)
        fds[i] = knock("127.0.0.1", door_port(&d));
    d.wanted = 200;
    driver_run(d.loop);
    for (int i = 0; i < 200; i++)
        tws_socket_close(fds[i]);
    door_close(&d);
}
END_TEST

static int warnings;

static void count_warning(void *ctx, enum tws_log_level level, const char *line, size_t len)
{
    (void)ctx;
    (void)len;
    warnings += level == TWS_LOG_WARN;
    ck_assert_ptr_nonnull(strstr(line, "listen=127.0.0.1:"));
    ck_assert_ptr_nonnull(strstr(line, "Too many open files"));
}

START_TEST(accepting_resumes_when_descriptors_are_there_again)
{
    struct door d;
    struct rlimit limit, low;
    int fds[3];

    warnings = 0;
    tws_log_set(TWS_LOG_INFO, count_warning, NULL);
    door_open(&d, "127.0.0.1", 0);
    for (int i = 0; i < 3; i++)
        fds[i] = knock("127.0.0.1", door_port(&d));
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)fds[2] + 1; /* no number below is free */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    uint64_t start = tws_loop_now_fresh(d.loop);
    driver_run_for(d.loop, 350000);
    ck_assert_int_eq(d.accepted, 0);
    ck_assert_int_eq(warnings, 1); /* though it tried about four times */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    d.wanted = 3;
    driver_run(d.loop);
    ck_assert_uint_lt(tws_loop_now_fresh(d.loop) - start, 5000000);
    tws_log_set(TWS_LOG_INFO, NULL, NULL);
    for (int i = 0; i < 3; i++)
        tws_socket_close(fds[i]);
    door_close(&d);
}
END_TEST

/* Takes all descriptors below `n`; how many. */
static int fill_up_to(int n, int *fds)
{
    int count = 0, fd;

    while ((fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) < n)
        fds[count++] = fd;
    close(fd);
    return count;
}

START_TEST(who_leaves_some_takes_no_more_than_one_of_the_last)
{
    const struct rlimit limit = {128, 128};
    struct door d;
    int knocks[3], fds[128];

    warnings = 0;
    tws_log_set(TWS_LOG_INFO, count_warning, NULL);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(tws_raise_fd_limit(), 128);
    door_open(&d, "127.0.0.1", 0);
    tws_listener_leave_some(d.listener);
    for (int i = 0; i < 3; i++)
        knocks[i] = knock("127.0.0.1", door_port(&d));
    int count = fill_up_to(111, fds);
    driver_run_for(d.loop, 250000);
    ck_assert_int_eq(d.accepted, 2); /* 111 and the first that is reserved, 112 */
    ck_assert_int_eq(warnings, 1);
    while (count > 0)
        close(fds[--count]);
    d.wanted = 3;
    driver_run(d.loop);
    tws_log_set(TWS_LOG_INFO, NULL, NULL);
    for (int i = 0; i < 3; i++)
        tws_socket_close(knocks[i]);
    door_close(&d);
}
END_TEST

START_TEST(a_listening_descriptor_can_be_adopted_and_no_other)
{
    struct tws_loop *loop = driver_loop();
    struct door d = {.loop = loop};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(tws_listener_adopt(loop, &fd, 1, on_accept, &d, &d.listener), TWS_SYS);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1); /* owned, so closed */

    fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(tws_listener_adopt(loop, &fd, 1, on_accept, &d, &d.listener), TWS_OK);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    int guest = knock("127.0.0.1", door_port(&d));
    d.wanted = 1;
    driver_run(loop);
    tws_socket_close(guest);
    door_close(&d);
}
END_TEST

START_TEST(a_unix_socket_is_adopted_too)
{
    struct door d = {.loop = driver_loop(), .wanted = 1};
    struct tws_sockaddr sa;
    char name[64], text[TWS_HOSTPORT_TEXT];
    int listening = -1;

    snprintf(name, sizeof name, "@tws-test-listener-%d", (int)getpid());
    ck_assert_int_eq(tws_unix_socket_listen(&(struct tws_unix_socket){0}, name,
                                            &(struct tws_unix_access){0}, &listening),
                     TWS_OK);
    ck_assert_int_eq(tws_listener_adopt(d.loop, &listening, 1, on_accept, &d, &d.listener), TWS_OK);
    tws_listener_address(d.listener, &sa);
    tws_sockaddr_format(&sa, text, sizeof text);
    ck_assert_str_eq(text + strlen("unix:"), name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa.ss, sa.len), 0);
    driver_run(d.loop);
    tws_socket_close(fd);
    door_close(&d);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("listener");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, an_accepted_descriptor_is_nonblocking_cloexec_nodelay_and_kept_alive);
    tcase_add_loop_test(tc, both_families_reach_a_listener_on_all_addresses_or_localhost, 0,
                        COUNT_OF(everywhere));
    tcase_add_loop_test(tc, where_there_is_no_ipv6_ipv4_is_listened_on_alone, 0,
                        COUNT_OF(without_ipv6));
    tcase_add_test(tc, a_port_in_use_is_refused_with_errno);
    tcase_add_test(tc, a_closed_port_can_be_listened_on_again_at_once);
    tcase_add_test(tc, a_pause_takes_effect_at_once_and_nobody_is_refused);
    tcase_add_test(tc, a_listener_may_be_closed_in_its_callback);
    tcase_add_test(tc, more_connections_than_a_batch_are_all_accepted);
    tcase_add_test(tc, accepting_resumes_when_descriptors_are_there_again);
    tcase_add_test(tc, who_leaves_some_takes_no_more_than_one_of_the_last);
    tcase_add_test(tc, a_listening_descriptor_can_be_adopted_and_no_other);
    tcase_add_test(tc, a_unix_socket_is_adopted_too);

    return run_suite("net/listener", tc);
}

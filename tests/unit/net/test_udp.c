/* test_udp.c - UDP sockets over loopback: where they listen, what they tell, many at once. */
#include "driver.h"
#include "suite.h"

#include "tws/net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static int fds[TWS_UDP_SOCKETS];
static unsigned nfds;

static void set_up(void)
{
    nfds = 0;
}

static void tear_down(void)
{
    for (unsigned i = 0; i < nfds; i++)
        close(fds[i]);
}

static struct tws_sockaddr address_of(int fd)
{
    struct tws_sockaddr sa = {.len = sizeof sa.ss};

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa.ss, &sa.len), 0);
    return sa;
}

static uint16_t port_of(int fd)
{
    struct tws_sockaddr sa = address_of(fd);
    struct tws_ip ip;
    uint16_t port;

    tws_sockaddr_get(&sa, &ip, &port);
    return port;
}

static tws_err bind_host(const char *host)
{
    struct tws_hostport hp = {.port = 0};

    memcpy(hp.host, host, strlen(host) + 1);
    return tws_udp_bind(&hp, fds, &nfds);
}

static struct tws_sockaddr at(const char *text, uint16_t port)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    ck_assert_int_eq(tws_ip_parse(text, &ip), TWS_OK);
    tws_sockaddr_set(&sa, &ip, port);
    return sa;
}

static int connected(const char *host, uint16_t port)
{
    struct tws_sockaddr to = at(host, port);
    int fd = -1;

    ck_assert_int_eq(tws_udp_connect(NULL, &to, &fd), TWS_OK);
    return fd;
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    ck_assert_int_eq(poll(&p, 1, 10000), 1);
}

static struct tws_span text(const char *s)
{
    return (struct tws_span){(const uint8_t *)s, strlen(s)};
}

static const struct {
    const char *host;
    unsigned sockets;
    const char *asked; /* reaches the last of them */
} places[] = {
    {"127.0.0.1", 1, "127.0.0.1"}, {"::1", 1, "::1"},       {"localhost", 2, "::1"},
    {"", 1, "127.0.0.9"},          {"", 1, "::1"},          {"::", 1, "127.0.0.1"},
    {"0.0.0.0", 1, "127.0.0.3"},   {"localhost", 2, "::1"},
};

/* The asker is connected: it hears only the address that it asked. */
START_TEST(an_answer_comes_from_the_address_that_was_asked)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    unsigned n;

    ck_assert_int_eq(bind_host(places[_i].host), TWS_OK);
    ck_assert_uint_eq(nfds, places[_i].sockets);
    int fd = fds[nfds - 1], near = connected(places[_i].asked, port_of(fd));
    ck_assert_int_eq(send(near, "ask", 3, 0), 3);
    wait_readable(fd);
    ck_assert_int_eq(tws_udp_recv(fd, d, &n), TWS_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(d[0].data.n, 3);
    ck_assert_uint_ne(d[0].local.family, 0);
    struct tws_udp_sender s = {.fd = fd};
    struct tws_udp_datagram out = d[0];
    out.data = text("answer");
    tws_udp_send(&s, &out);
    tws_udp_flush();
    wait_readable(near);
    char got[16];
    ck_assert_int_eq(recv(near, got, sizeof got, 0), 6);
    tws_udp_forget(&s);
    close(near);
}
END_TEST

START_TEST(a_name_and_a_foreign_address_cannot_be_bound)
{
    ck_assert_int_eq(bind_host("example.com"), TWS_SYS);
    ck_assert_int_eq(errno, EADDRNOTAVAIL);
    ck_assert_int_eq(bind_host("192.0.2.1"), TWS_SYS);
    ck_assert_int_eq(errno, EADDRNOTAVAIL);
    nfds = 0;
}
END_TEST

START_TEST(a_port_that_is_taken_is_said_to_be)
{
    struct tws_hostport hp = {.host = "127.0.0.1"};
    int other[TWS_UDP_SOCKETS];
    unsigned n;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    hp.port = port_of(fds[0]);
    ck_assert_int_eq(tws_udp_bind(&hp, other, &n), TWS_SYS);
    ck_assert_int_eq(errno, EADDRINUSE);
}
END_TEST

START_TEST(many_go_out_and_come_in_with_few_calls_whole_and_in_order)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    uint8_t bytes[100][64] = {{0}};
    unsigned n, got = 0;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    struct tws_udp_sender s = {.fd = connected("127.0.0.1", port_of(fds[0]))};
    for (unsigned i = 0; i < 100; i++) {
        bytes[i][0] = (uint8_t)i;
        tws_udp_send(&s, &(struct tws_udp_datagram){.data = {bytes[i], i % 65}});
    }
    tws_udp_flush();
    while (tws_udp_recv(fds[0], d, &n) == TWS_OK)
        for (unsigned i = 0; i < n; i++, got++) {
            ck_assert_uint_eq(d[i].data.n, got % 65);
            ck_assert(d[i].data.n == 0 || d[i].data.p[0] == got);
        }
    ck_assert_uint_eq(got, 100);
    ck_assert_uint_eq(s.dropped, 0);
    close(s.fd);
}
END_TEST

START_TEST(a_head_goes_in_front_of_the_bytes)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    unsigned n;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    struct tws_udp_sender s = {.fd = connected("127.0.0.1", port_of(fds[0]))};
    tws_udp_send(&s, &(struct tws_udp_datagram){.head = text("head "), .data = text("and bytes")});
    tws_udp_flush();
    ck_assert_int_eq(tws_udp_recv(fds[0], d, &n), TWS_OK);
    ck_assert_uint_eq(d[0].data.n, 14);
    ck_assert_mem_eq(d[0].data.p, "head and bytes", 14);
    close(s.fd);
}
END_TEST

START_TEST(the_largest_datagram_crosses_whole)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    static uint8_t large[65507];
    unsigned n;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    tws_udp_prepare(fds[0], AF_UNSPEC);
    struct tws_udp_sender s = {.fd = connected("127.0.0.1", port_of(fds[0]))};
    tws_udp_prepare(s.fd, AF_UNSPEC);
    large[65506] = 7;
    tws_udp_send(&s, &(struct tws_udp_datagram){.data = {large, sizeof large}});
    tws_udp_flush();
    ck_assert_int_eq(tws_udp_recv(fds[0], d, &n), TWS_OK);
    ck_assert_uint_eq(d[0].data.n, sizeof large);
    ck_assert_uint_eq(d[0].data.p[65506], 7);
    close(s.fd);
}
END_TEST

static int seen_error;

static void on_error(struct tws_udp_sender *s, int error)
{
    (void)s;
    seen_error = error;
}

START_TEST(one_that_is_too_large_is_dropped_and_the_others_go)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    static uint8_t large[65535];
    unsigned n;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    struct tws_udp_sender s = {.fd = connected("127.0.0.1", port_of(fds[0])), .on_error = on_error};
    tws_udp_send(&s, &(struct tws_udp_datagram){.data = text("before")});
    tws_udp_send(&s, &(struct tws_udp_datagram){.data = {large, sizeof large}});
    tws_udp_send(&s, &(struct tws_udp_datagram){.data = text("behind")});
    tws_udp_flush();
    ck_assert_int_eq(seen_error, EMSGSIZE);
    ck_assert_uint_eq(s.dropped, 1);
    ck_assert_int_eq(tws_udp_recv(fds[0], d, &n), TWS_OK);
    ck_assert_uint_eq(n, 2);
    close(s.fd);
}
END_TEST

START_TEST(an_error_that_came_back_is_told_and_costs_no_later_datagram)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    unsigned n;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    uint16_t port = port_of(fds[0]);
    struct tws_udp_sender s = {.fd = connected("127.0.0.1", port), .on_error = on_error};
    close(fds[0]);
    tws_udp_send(&s, &(struct tws_udp_datagram){.data = text("refused")});
    tws_udp_flush();
    struct tws_hostport hp = {.host = "127.0.0.1", .port = port};
    ck_assert_int_eq(tws_udp_bind(&hp, fds, &nfds), TWS_OK);
    seen_error = 0;
    tws_udp_send(&s, &(struct tws_udp_datagram){.data = text("taken")});
    tws_udp_flush();
    ck_assert_int_eq(seen_error, ECONNREFUSED);
    ck_assert_uint_eq(s.dropped, 0);
    ck_assert_int_eq(tws_udp_recv(fds[0], d, &n), TWS_OK);
    ck_assert_uint_eq(d[0].data.n, 5);
    close(s.fd);
}
END_TEST

START_TEST(what_is_left_goes_out_before_the_sender_is_forgotten)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    unsigned n;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    struct tws_udp_sender s = {.fd = connected("127.0.0.1", port_of(fds[0]))};
    tws_udp_send(&s, &(struct tws_udp_datagram){.data = text("last words")});
    tws_udp_forget(&s);
    close(s.fd);
    ck_assert_int_eq(tws_udp_recv(fds[0], d, &n), TWS_OK);
    ck_assert_uint_eq(d[0].data.n, 10);
    ck_assert_int_eq(tws_udp_recv(fds[0], d, &n), TWS_BLOCKED);
}
END_TEST

START_TEST(a_connected_socket_is_bound_where_it_shall_be)
{
    struct tws_connect_from from = {.port = 0};
    struct tws_sockaddr to;
    struct tws_ip ip;
    uint16_t port;
    int fd;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    to = address_of(fds[0]);
    ck_assert_int_eq(tws_ip_parse("127.0.0.66", &from.ip), TWS_OK);
    ck_assert_int_eq(tws_udp_connect(&from, &to, &fd), TWS_OK);
    struct tws_sockaddr got = address_of(fd);
    tws_sockaddr_get(&got, &ip, &port);
    ck_assert(tws_ip_equal(&ip, &from.ip));
    close(fd);
}
END_TEST

/* ---- watched ---- */

static struct tws_loop *loop;
static struct tws_udp_watch watch;
static unsigned taken, stop_at;

/* What waits does, while another loop runs. */
static void grow_old(unsigned ms)
{
    struct tws_loop *other = driver_loop();

    driver_run_for(other, ms * 1000);
    tws_loop_free(other);
}

/* After the first socket that wants stamps it takes the kernel a moment to stamp what comes. */
static void until_stamped(int fd)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    int peer = connected("127.0.0.1", port_of(fd));
    unsigned n;

    do {
        ck_assert_int_eq(send(peer, "x", 1, 0), 1);
        grow_old(2);
        ck_assert_int_eq(tws_udp_recv(fd, d, &n), TWS_OK);
    } while (d[0].waited_us < 1000);
    close(peer);
}

static void take(struct tws_udp_watch *w, const struct tws_udp_datagram *d)
{
    (void)d;
    ck_assert_ptr_eq(w, &watch);
    if (++taken == stop_at)
        tws_loop_stop(loop);
}

/* Until `n` have come, and the end of that turn. */
static void run_until(unsigned n)
{
    stop_at = n;
    driver_run(loop);
}

static struct tws_udp_sender watched(void)
{
    loop = driver_loop();
    taken = 0;
    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    until_stamped(fds[0]);
    struct tws_udp_sender s = {.fd = connected("127.0.0.1", port_of(fds[0]))};
    ck_assert_int_eq(tws_udp_watch_start(loop, &watch, fds[0], take), TWS_OK);
    nfds = 0; /* the watch's now */
    return s;
}

static void unwatched(const struct tws_udp_sender *s)
{
    close(s->fd);
    tws_udp_watch_stop(&watch);
    ck_assert(!tws_udp_watched(&watch));
    tws_udp_watch_stop(&watch);
    tws_loop_free(loop);
}

static void send_many(struct tws_udp_sender *s, unsigned n)
{
    static const uint8_t bytes[100];

    for (unsigned i = 0; i < n; i++)
        tws_udp_send(s, &(struct tws_udp_datagram){.data = {bytes, sizeof bytes}});
    tws_udp_flush();
    ck_assert_uint_eq(s->dropped, 0);
}

START_TEST(one_that_came_tells_how_long_it_waited)
{
    struct tws_udp_datagram d[TWS_UDP_BATCH];
    unsigned n;

    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    until_stamped(fds[0]);
    struct tws_udp_sender s = {.fd = connected("127.0.0.1", port_of(fds[0]))};
    tws_udp_send(&s, &(struct tws_udp_datagram){.data = text("old")});
    tws_udp_flush();
    grow_old(20);
    ck_assert_int_eq(tws_udp_recv(fds[0], d, &n), TWS_OK);
    ck_assert_uint_ge(d[0].waited_us, 19000);
    ck_assert_uint_lt(d[0].waited_us, 20000000);
    close(s.fd);
}
END_TEST

START_TEST(a_burst_comes_whole_however_late)
{
    struct tws_udp_sender s = watched();

    send_many(&s, 300);
    grow_old(120);
    run_until(300);
    ck_assert_uint_eq(watch.dropped, 0);
    unwatched(&s);
}
END_TEST

START_TEST(of_what_stands_in_the_kernel_some_is_dropped)
{
    struct tws_udp_sender s = watched();

    send_many(&s, 300);
    grow_old(10);
    run_until(1); /* and the rest of the turn */
    ck_assert_uint_eq(watch.dropped, 0);
    ck_assert_uint_lt(taken, 300);
    grow_old(110);
    run_until(299);
    ck_assert_uint_eq(watch.dropped, 1);
    unwatched(&s);
}
END_TEST

START_TEST(a_watched_socket_tells_what_came_back)
{
    loop = driver_loop();
    ck_assert_int_eq(bind_host("127.0.0.1"), TWS_OK);
    int fd = connected("127.0.0.1", port_of(fds[0]));
    close(fds[0]);
    nfds = 0;
    seen_error = 0;
    ck_assert_int_eq(send(fd, "x", 1, 0), 1);
    ck_assert_int_eq(tws_udp_watch_start(loop, &watch, fd, take), TWS_OK);
    watch.sender.on_error = on_error;
    driver_run_for(loop, 1000);
    ck_assert_int_eq(seen_error, ECONNREFUSED);
    tws_udp_watch_stop(&watch);
    tws_loop_free(loop);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("udp");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, an_answer_comes_from_the_address_that_was_asked, 0, COUNT_OF(places));
    tcase_add_test(tc, a_name_and_a_foreign_address_cannot_be_bound);
    tcase_add_test(tc, a_port_that_is_taken_is_said_to_be);
    tcase_add_test(tc, many_go_out_and_come_in_with_few_calls_whole_and_in_order);
    tcase_add_test(tc, a_head_goes_in_front_of_the_bytes);
    tcase_add_test(tc, the_largest_datagram_crosses_whole);
    tcase_add_test(tc, one_that_is_too_large_is_dropped_and_the_others_go);
    tcase_add_test(tc, an_error_that_came_back_is_told_and_costs_no_later_datagram);
    tcase_add_test(tc, what_is_left_goes_out_before_the_sender_is_forgotten);
    tcase_add_test(tc, a_connected_socket_is_bound_where_it_shall_be);
    tcase_add_test(tc, one_that_came_tells_how_long_it_waited);
    tcase_add_test(tc, a_burst_comes_whole_however_late);
    tcase_add_test(tc, of_what_stands_in_the_kernel_some_is_dropped);
    tcase_add_test(tc, a_watched_socket_tells_what_came_back);
    return run_suite("udp", tc);
}

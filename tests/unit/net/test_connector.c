/* test_connector.c - every way a connection is made or not, and giving it up at every stage. */
#include "calls.h"
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

/* ---- connecting ---- */

static const char *const loopback_names[] = {
    "127.0.0.1", "::ffff:127.0.0.1", "mapped", "same", "two", "others"};

START_TEST(a_literal_or_name_that_means_this_listener_reaches_it)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.filter = filter};
    uint16_t port = 0;
    int value = 0, listener = listen_at("127.0.0.1", &port, 8);
    socklen_t len = sizeof value;

    call_run(&k, loop, loopback_names[_i], port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
    ck_assert_int_eq(strncmp(k.peer, "127.0.0.1:", 10), 0);
    ck_assert_ptr_null(strstr(k.asked, "::ffff"));
    ck_assert_int_ne(fcntl(k.r.fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(k.r.fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(getsockopt(k.r.fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    ck_assert_int_eq(value, 1);
    call_close(&k);
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

START_TEST(an_ipv6_literal_reaches_its_listener)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    uint16_t port = 0;
    int listener = listen_at("::1", &port, 8);

    if (listener < 0) {
        fprintf(stderr, "skipped: no IPv6 here\n");
    } else {
        call_run(&k, loop, "::1", port);
        ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
        call_close(&k);
    }
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_unix_socket_is_reached_and_a_missing_one_is_unreachable)
{
    struct tws_loop *loop = driver_loop();
    struct call k = {.o.port = 0}, missing = {.o.port = 0}, long_path = {.o.port = 0};
    struct tws_sockaddr sa;
    char name[64], path[300];

    snprintf(name, sizeof name, "@tws-test-connector-%d", (int)getpid());
    ck_assert_int_eq(tws_sockaddr_set_unix(&sa, name), TWS_OK);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa.ss, sa.len), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    k.o.unix_path = name;
    call_run(&k, loop, NULL, 0);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
    call_close(&k);

    missing.o.unix_path = "/nonexistent/socket";
    call_run(&missing, loop, NULL, 0);
    ck_assert_int_eq(missing.r.failure, TWS_CONNECT_UNREACHABLE);
    ck_assert_str_eq(missing.detail, strerror(ENOENT));

    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    long_path.o.unix_path = path;
    call_run(&long_path, loop, NULL, 0);
    ck_assert_str_eq(long_path.detail, strerror(ENAMETOOLONG));
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

static void accept_greeting(int listener, int expected)
{
    for (int i = 0; i < expected; i++)
        tws_socket_close(accept(listener, NULL, NULL));
}

static struct call thousand[1000];

START_TEST(a_thousand_connections_at_once_are_all_made)
{
    struct tws_loop *loop = fake_loop();
    uint16_t port = 0;
    int left = 1000, listener = listen_at("127.0.0.1", &port, 4096);

    ck_assert_uint_ge(tws_raise_fd_limit(), 1100);
    for (int i = 0; i < 1000; i++) {
        thousand[i] = (struct call){.left = &left};
        call_start(&thousand[i], loop, i % 2 == 0 ? "mapped" : "127.0.0.1", port);
    }
    driver_run(loop);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(thousand[i].r.failure, TWS_CONNECT_OK);
        call_close(&thousand[i]);
    }
    accept_greeting(listener, 1000);
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

/* ---- Happy Eyeballs ---- */

struct heir {
    struct tws_io io;
    struct tws_loop *loop;
    unsigned events;
};

static void on_inherited(struct tws_io *io, unsigned events)
{
    struct heir *h = TWS_CONTAINER(io, struct heir, io);

    h->events |= events;
    tws_loop_stop(h->loop);
}

static void inherit(void *arg, const struct tws_connect_result *r)
{
    struct heir *h = arg;

    ck_assert_int_eq(r->failure, TWS_CONNECT_OK);
    ck_assert_int_eq(r->io->fd, r->fd);
    tws_io_pass(r->io, &h->io, on_inherited);
}

/* The edge that says so may be the one that told of the connection. */
START_TEST(who_keeps_the_io_learns_of_bytes_that_came_with_the_connection)
{
    struct heir h = {.loop = driver_loop()};
    struct tws_connect_options o = {.host = "127.0.0.1", .keep_io = true};
    struct tws_connector *c = NULL;
    int listener = listen_at("127.0.0.1", &o.port, 8);

    ck_assert_int_eq(tws_connector_start(h.loop, &o, inherit, &h, &c), TWS_OK);
    int peer = accept(listener, NULL, NULL);
    ck_assert_int_eq(write(peer, "hi", 2), 2);
    driver_run(h.loop);
    ck_assert_uint_ne(h.events & TWS_IO_READ, 0);
    tws_io_close(&h.io);
    tws_socket_close(peer);
    tws_socket_close(listener);
    tws_loop_free(h.loop);
}
END_TEST

START_TEST(families_take_turns_beginning_with_the_first_answers)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.filter = filter, .refuse = "*"};

    call_run(&k, loop, "mixed", 80);
    ck_assert_str_eq(k.asked, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 192.0.2.3 ");
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_silent_first_address_costs_a_quarter_of_a_second)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    struct blackhole hole;
    uint16_t port = 0;

    blackhole_open(&hole, "127.0.0.2", &port);
    int listener = listen_at("127.0.0.3", &port, 8);
    uint64_t start = tws_loop_now_fresh(loop);
    call_run(&k, loop, "others", port);
    uint64_t took = tws_loop_now_fresh(loop) - start;
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
    ck_assert_int_eq(strncmp(k.peer, "127.0.0.3:", 10), 0);
    ck_assert_uint_ge(took, 250000);
    ck_assert_uint_lt(took, 2000000);
    call_close(&k);
    tws_socket_close(listener);
    blackhole_close(&hole);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_refused_first_address_costs_nothing)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 8);
    uint64_t start = tws_loop_now_fresh(loop);

    call_run(&k, loop, "others", port); /* 127.0.0.2 and .3 refuse */
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
    ck_assert_uint_lt(tws_loop_now_fresh(loop) - start, 500000); /* waiting for both took that */
    call_close(&k);
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

/* 127.0.0.2 behind .3 and .1, which keep their order. */
static uint64_t rank(void *arg, const struct tws_ip *ip, uint16_t port)
{
    const struct call *k = arg;

    ck_assert_uint_eq(port, k->o.port);
    return ip->bytes[3] == 2 ? 7 : 5;
}

START_TEST(what_ranks_higher_is_dialled_later)
{
    static const char *const there[][3] = {{"127.0.0.2", "127.0.0.3", "127.0.0.1"},
                                           {"127.0.0.2", "127.0.0.1", NULL},
                                           {"127.0.0.2", NULL, NULL}};
    static const char *const reached[] = {"127.0.0.3:", "127.0.0.1:", "127.0.0.2:"};
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.rank = rank};
    int listeners[3];
    uint16_t port = 0;

    for (size_t i = 0; i < 3; i++)
        listeners[i] = there[_i][i] != NULL ? listen_at(there[_i][i], &port, 8) : -1;
    call_run(&k, loop, "others", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
    ck_assert_int_eq(strncmp(k.peer, reached[_i], 10), 0);
    call_close(&k);
    for (size_t i = 0; i < 3; i++)
        tws_socket_close(listeners[i]);
    tws_loop_free(loop);
}
END_TEST

/* ---- failing ---- */

START_TEST(a_refusal_is_told_with_its_address)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    uint16_t port;
    int holder = refusing_port(&port);

    call_run(&k, loop, "127.0.0.1", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_REFUSED);
    ck_assert_str_eq(k.detail, strerror(ECONNREFUSED));
    ck_assert_int_eq(strncmp(k.peer, "127.0.0.1:", 10), 0);
    tws_socket_close(holder);
    tws_loop_free(loop);
}
END_TEST

START_TEST(of_two_failures_the_more_telling_is_reported)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    uint16_t port;
    int holder = refusing_port(&port);
    struct tws_ip source;

    /* ::1 cannot be reached from an IPv4 source; 127.0.0.1 refuses. */
    ck_assert_int_eq(tws_ip_parse("127.0.0.1", &source), TWS_OK);
    k.o.source = &source;
    call_run(&k, loop, "two", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_REFUSED);
    ck_assert_int_eq(strncmp(k.peer, "127.0.0.1:", 10), 0);
    tws_socket_close(holder);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_mark_is_there_before_the_first_packet_or_nothing_is_sent)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.mark = 0x5401};
    uint32_t mark = 0;
    uint16_t port = 0;
    socklen_t len = sizeof mark;
    int listener = listen_at("127.0.0.1", &port, 8);
    bool allowed = setsockopt(listener, SOL_SOCKET, SO_MARK, &k.o.mark, sizeof k.o.mark) == 0;

    call_run(&k, loop, "127.0.0.1", port);
    if (allowed) {
        ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
        ck_assert_int_eq(getsockopt(k.r.fd, SOL_SOCKET, SO_MARK, &mark, &len), 0);
        ck_assert_uint_eq(mark, 0x5401);
        call_close(&k);
    } else {
        ck_assert_int_eq(k.r.failure, TWS_CONNECT_OTHER);
        ck_assert_str_eq(k.detail, strerror(EPERM));
    }
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

static uint16_t own_port(const struct call *k, const char *address)
{
    struct tws_ip ip, want;
    uint16_t port;

    ck_assert_int_eq(k->r.failure, TWS_CONNECT_OK);
    ck_assert_int_eq(tws_ip_parse(address, &want), TWS_OK);
    tws_sockaddr_get(&k->r.own, &ip, &port);
    ck_assert(tws_ip_equal(&ip, &want));
    return port;
}

START_TEST(a_source_port_is_kept_if_it_can_be_had)
{
    struct tws_loop *loop = fake_loop();
    struct tws_connect_from from = {.port = 0};
    struct call first = {.o.from = &from}, again = first, elsewhere = first, taken = first;
    uint16_t port = 0, other_port = 0;
    int listener = listen_at("127.0.0.1", &port, 8), other = listen_at("127.0.0.1", &other_port, 8);

    ck_assert_int_eq(tws_ip_parse("127.0.0.4", &from.ip), TWS_OK);
    tws_socket_close(listen_at("127.0.0.4", &from.port, 1));
    call_run(&first, loop, "127.0.0.1", port);
    ck_assert_uint_eq(own_port(&first, "127.0.0.4"), from.port);
    call_run(&elsewhere, loop, "127.0.0.1", other_port);
    ck_assert_uint_eq(own_port(&elsewhere, "127.0.0.4"), from.port);
    /* The same pair cannot be had twice: another port then, not no connection. */
    call_run(&again, loop, "127.0.0.1", other_port);
    ck_assert_uint_ne(own_port(&again, "127.0.0.4"), from.port);
    /* Nor a listener's. */
    from.port = port;
    ck_assert_int_eq(tws_ip_parse("127.0.0.1", &from.ip), TWS_OK);
    call_run(&taken, loop, "127.0.0.1", other_port);
    ck_assert_uint_ne(own_port(&taken, "127.0.0.1"), port);
    call_close(&first);
    call_close(&elsewhere);
    call_close(&again);
    call_close(&taken);
    tws_socket_close(listener);
    tws_socket_close(other);
    tws_loop_free(loop);
}
END_TEST

START_TEST(an_address_of_another_machine_needs_the_right_to_it)
{
    struct tws_loop *loop = fake_loop();
    struct tws_connect_from from = {.transparent = true};
    struct call k = {.o.from = &from, .o.timeout_us = 100000};
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 8);
    bool allowed = setsockopt(listener, IPPROTO_IP, IP_TRANSPARENT, &(int){1}, sizeof(int)) == 0;

    ck_assert_int_eq(tws_ip_parse("198.51.100.7", &from.ip), TWS_OK);
    call_run(&k, loop, "127.0.0.1", port);
    if (allowed) /* the answer has no way back */
        ck_assert_int_eq(k.r.failure, TWS_CONNECT_TIMEOUT);
    else
        ck_assert_str_eq(k.detail, strerror(EPERM));
    from.transparent = false;
    struct call plain = {.o.from = &from};
    call_run(&plain, loop, "127.0.0.1", port);
    ck_assert_str_eq(plain.detail, strerror(EADDRNOTAVAIL));
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

START_TEST(silence_ends_at_the_deadline)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.timeout_us = 50000};
    struct blackhole hole;
    uint16_t port = 0;

    blackhole_open(&hole, "127.0.0.1", &port);
    call_run(&k, loop, "127.0.0.1", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_TIMEOUT);
    ck_assert_str_eq(k.detail, "no answer within 1 s");
    ck_assert_int_eq(strncmp(k.peer, "127.0.0.1:", 10), 0);
    blackhole_close(&hole);
    tws_loop_free(loop);
}
END_TEST

START_TEST(an_unknown_name_fails_with_the_resolvers_words)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};

    call_run(&k, loop, "unknown", 80);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_RESOLVE);
    ck_assert_str_eq(k.detail, gai_strerror(EAI_NONAME));
    ck_assert_uint_eq(k.r.peer.len, 0);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_name_longer_than_dns_allows_fails_with_words)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    char host[400];

    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    call_run(&k, loop, host, 80);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_RESOLVE);
    ck_assert_str_eq(k.detail, "the name is too long");
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_silent_resolver_ends_at_the_deadline_and_harms_no_other)
{
    struct tws_loop *loop = fake_loop();
    struct call silent = {.o.timeout_us = 50000}, patient = {.o.port = 0}, k = {.o.port = 0};
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 8);

    pthread_mutex_lock(&gate);
    call_start(&patient, loop, "silent", 80);
    call_run(&k, loop, "two", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
    call_run(&silent, loop, "silent", 80);
    ck_assert_int_eq(silent.r.failure, TWS_CONNECT_RESOLVE);
    ck_assert_int_eq(patient.calls, 0);
    tws_connector_cancel(patient.c);
    ck_assert_str_eq(silent.detail, "the resolver gave no answer within 1 s");
    pthread_mutex_unlock(&gate);
    call_close(&k);
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_refused_address_is_not_dialled_and_the_others_are)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.filter = filter, .refuse = "127.0.0.2"};
    uint16_t port = 0;
    int fds[2]; /* the forbidden one, the other */

    listen_at_both("127.0.0.2", "127.0.0.1", &port, fds);
    call_run(&k, loop, "others", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
    ck_assert_int_eq(strncmp(k.peer, "127.0.0.1:", 10), 0);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(accept(fds[0], NULL, NULL), -1);
    call_close(&k);
    tws_socket_close(fds[0]);
    tws_socket_close(fds[1]);
    tws_loop_free(loop);
}
END_TEST

static const char *const forbidden_names[] = {"127.0.0.1", "::ffff:127.0.0.1", "others"};

START_TEST(when_the_filter_refuses_all_the_failure_is_forbidden)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.filter = filter, .refuse = "*"};

    call_run(&k, loop, forbidden_names[_i], 80);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_FORBIDDEN);
    ck_assert_uint_ne(k.r.peer.len, 0);
    tws_loop_free(loop);
}
END_TEST

START_TEST(running_out_of_descriptors_is_a_lack_of_resources)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    struct rlimit limit, low;
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 8);

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)listener + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    call_run(&k, loop, "127.0.0.1", port);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_RESOURCES);
    ck_assert_str_eq(k.detail, strerror(EMFILE));
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

START_TEST(who_leaves_some_has_none_of_the_last)
{
    const struct rlimit limit = {128, 128};
    const struct tws_connect_from modest = {.leaves_some = true};
    struct tws_loop *loop = driver_loop();
    struct call k = {.o.from = &modest}, greedy = {.o.port = 0};
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 8), fd;

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(tws_raise_fd_limit(), 128);
    while ((fd = fcntl(0, F_DUPFD, 0)) < 112)
        continue;
    close(fd);
    call_run(&k, loop, "127.0.0.1", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_RESOURCES);
    ck_assert_str_eq(k.detail, strerror(EMFILE));
    call_run(&greedy, loop, "127.0.0.1", port);
    ck_assert_int_eq(greedy.r.failure, TWS_CONNECT_OK);
    call_close(&greedy);
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

/* TCP's simultaneous open: where the kernel has one port to give, it gives the one dialled. */
START_TEST(a_connection_to_itself_is_a_refusal)
{
    struct call k = {.o.port = 0};

    if (!netns_enter())
        return;
    FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "we");
    ck_assert_ptr_nonnull(range);
    ck_assert_int_gt(fprintf(range, "40000 40000"), 0);
    ck_assert_int_eq(fclose(range), 0);
    struct tws_loop *loop = fake_loop();
    call_run(&k, loop, "127.0.0.1", 40000);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_REFUSED);
    tws_loop_free(loop);
}
END_TEST

START_TEST(an_address_without_a_route_is_unreachable)
{
    struct call k = {.o.port = 0};

    if (!netns_enter())
        return;
    struct tws_loop *loop = fake_loop();
    call_run(&k, loop, "192.0.2.1", 80);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_UNREACHABLE);
    ck_assert_str_eq(k.detail, strerror(ENETUNREACH));
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_machine_out_of_ports_is_a_lack_of_resources)
{
    struct call first = {.o.port = 0}, k = {.o.port = 0};
    uint16_t port = 80;

    if (!netns_enter())
        return;
    FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "we");
    ck_assert_ptr_nonnull(range);
    ck_assert_int_gt(fprintf(range, "40000 40000"), 0);
    ck_assert_int_eq(fclose(range), 0);
    struct tws_loop *loop = fake_loop();
    int listener = listen_at("127.0.0.1", &port, 8);
    call_run(&first, loop, "127.0.0.1", port);
    ck_assert_int_eq(first.r.failure, TWS_CONNECT_OK);
    call_run(&k, loop, "127.0.0.1", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_RESOURCES);
    call_close(&first);
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

/* ---- where it starts ---- */

START_TEST(a_source_address_is_used)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    struct tws_sockaddr own = {.len = sizeof own.ss};
    char text[TWS_HOSTPORT_TEXT];
    struct tws_ip source;
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 8);

    ck_assert_int_eq(tws_ip_parse("127.0.0.9", &source), TWS_OK);
    k.o.source = &source;
    call_run(&k, loop, "127.0.0.1", port);
    ck_assert_int_eq(getsockname(k.r.fd, (struct sockaddr *)&own.ss, &own.len), 0);
    tws_sockaddr_format(&own, text, sizeof text);
    ck_assert_int_eq(strncmp(text, "127.0.0.9:", 10), 0);
    call_close(&k);
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

START_TEST(an_interface_is_used_and_an_unknown_one_is_unreachable)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.interface = "lo"}, unknown = {.o.interface = "tws-none0"};
    char name[IF_NAMESIZE] = "";
    socklen_t len = sizeof name;
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 8);

    call_run(&k, loop, "127.0.0.1", port);
    ck_assert_int_eq(k.r.failure, TWS_CONNECT_OK);
    ck_assert_int_eq(getsockopt(k.r.fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
    ck_assert_str_eq(name, "lo");
    call_run(&unknown, loop, "127.0.0.1", port);
    ck_assert_int_eq(unknown.r.failure, TWS_CONNECT_UNREACHABLE);
    call_close(&k);
    tws_socket_close(listener);
    tws_loop_free(loop);
}
END_TEST

/* ---- giving up ---- */

START_TEST(cancelled_before_the_loop_runs_it_is_silent)
{
    struct tws_loop *loop = fake_loop();
    static const char *const hosts[] = {"127.0.0.1", "two", "unknown", "192.0.2.1"};
    struct call k[4] = {{.o.port = 0}};
    uint16_t port;
    int holder = refusing_port(&port);

    k[3].o.filter = filter;
    k[3].refuse = "*"; /* failed already when it is cancelled */
    for (int i = 0; i < 4; i++) {
        call_start(&k[i], loop, hosts[i], port);
        tws_connector_cancel(k[i].c);
    }
    tws_connector_cancel(NULL);
    driver_run_for(loop, 20000);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(k[i].calls, 0);
    tws_socket_close(holder);
    tws_loop_free(loop);
}
END_TEST

START_TEST(cancelled_while_the_resolver_is_stuck_it_is_silent_for_ever)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};

    pthread_mutex_lock(&gate);
    call_start(&k, loop, "silent", 80);
    driver_run_for(loop, 5000);
    tws_connector_cancel(k.c);
    driver_run_for(loop, 5000);
    pthread_mutex_unlock(&gate);
    driver_run_for(loop, 5000);
    ck_assert_int_eq(k.calls, 0);
    tws_loop_free(loop);
}
END_TEST

START_TEST(cancelled_while_dialling_it_closes_its_descriptors)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.port = 0};
    struct blackhole hole;
    uint16_t port = 0;

    blackhole_open(&hole, "127.0.0.2", &port);
    int listener = listen_at("127.0.0.3", &port, 0);
    int probe = dup(0);
    tws_socket_close(probe);
    k.o.filter = filter;
    k.refuse = "127.0.0.3";
    call_start(&k, loop, "127.0.0.2", port);
    driver_run_for(loop, 5000);
    tws_connector_cancel(k.c);
    ck_assert_int_eq(k.calls, 0);
    int again = dup(0);
    ck_assert_int_eq(again, probe); /* the lowest free number is the same as before */
    tws_socket_close(again);
    tws_socket_close(listener);
    blackhole_close(&hole);
    tws_loop_free(loop);
}
END_TEST

struct killer {
    struct tws_task task;
    struct call *victim;
};

static void on_kill(struct tws_task *t)
{
    tws_connector_cancel(TWS_CONTAINER(t, struct killer, task)->victim->c);
}

static struct killer killer;

static bool post_killer(void *arg, const struct tws_ip *ip, uint16_t port,
                        struct tws_connect_from *from)
{
    struct call *k = arg;

    (void)ip;
    (void)from;
    (void)port;
    tws_task_post(k->loop, &killer.task); /* runs before the connector's own task */
    return false;
}

START_TEST(cancelled_between_the_outcome_and_the_callback_it_is_silent)
{
    struct tws_loop *loop = fake_loop();
    struct call k = {.o.filter = post_killer};

    killer.victim = &k;
    tws_task_init(&killer.task, on_kill);
    call_start(&k, loop, "two", 80);
    driver_run_for(loop, 30000);
    ck_assert_int_eq(k.calls, 0);
    tws_loop_free(loop);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("connector");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_literal_or_name_that_means_this_listener_reaches_it, 0,
                        COUNT_OF(loopback_names));
    tcase_add_test(tc, an_ipv6_literal_reaches_its_listener);
    tcase_add_test(tc, a_unix_socket_is_reached_and_a_missing_one_is_unreachable);
    tcase_add_test(tc, a_thousand_connections_at_once_are_all_made);
    tcase_add_test(tc, who_keeps_the_io_learns_of_bytes_that_came_with_the_connection);
    tcase_add_test(tc, families_take_turns_beginning_with_the_first_answers);
    tcase_add_test(tc, a_silent_first_address_costs_a_quarter_of_a_second);
    tcase_add_test(tc, a_refused_first_address_costs_nothing);
    tcase_add_loop_test(tc, what_ranks_higher_is_dialled_later, 0, 3);
    tcase_add_test(tc, a_refusal_is_told_with_its_address);
    tcase_add_test(tc, of_two_failures_the_more_telling_is_reported);
    tcase_add_test(tc, a_mark_is_there_before_the_first_packet_or_nothing_is_sent);
    tcase_add_test(tc, a_source_port_is_kept_if_it_can_be_had);
    tcase_add_test(tc, an_address_of_another_machine_needs_the_right_to_it);
    tcase_add_test(tc, silence_ends_at_the_deadline);
    tcase_add_test(tc, an_unknown_name_fails_with_the_resolvers_words);
    tcase_add_test(tc, a_name_longer_than_dns_allows_fails_with_words);
    tcase_add_test(tc, a_silent_resolver_ends_at_the_deadline_and_harms_no_other);
    tcase_add_test(tc, a_refused_address_is_not_dialled_and_the_others_are);
    tcase_add_loop_test(tc, when_the_filter_refuses_all_the_failure_is_forbidden, 0,
                        COUNT_OF(forbidden_names));
    tcase_add_test(tc, running_out_of_descriptors_is_a_lack_of_resources);
    tcase_add_test(tc, who_leaves_some_has_none_of_the_last);
    tcase_add_test(tc, a_connection_to_itself_is_a_refusal);
    tcase_add_test(tc, an_address_without_a_route_is_unreachable);
    tcase_add_test(tc, a_machine_out_of_ports_is_a_lack_of_resources);
    tcase_add_test(tc, a_source_address_is_used);
    tcase_add_test(tc, an_interface_is_used_and_an_unknown_one_is_unreachable);
    tcase_add_test(tc, cancelled_before_the_loop_runs_it_is_silent);
    tcase_add_test(tc, cancelled_while_the_resolver_is_stuck_it_is_silent_for_ever);
    tcase_add_test(tc, cancelled_while_dialling_it_closes_its_descriptors);
    tcase_add_test(tc, cancelled_between_the_outcome_and_the_callback_it_is_silent);

    return run_suite("net/connector", tc);
}

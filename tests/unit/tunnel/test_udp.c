/* test_udp.c - a client and a server over loopback: datagrams through them. */
#include "suite.h"
#include "tunnel_world.h"

static int far; /* the target */

static int datagram_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = loopback(0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    be_patient(fd);
    return fd;
}

/* The first forward is of datagrams, to `far`. */
static struct world *udp_world(void)
{
    struct world *w = world_new();

    far = datagram_socket();
    w->forwards[0] = (struct tws_forward){
        .listen = local_spot(0), .remote = local_spot(port_of(far)), .kind = TWS_FORWARD_UDP};
    w->client_cfg.link.udp_timeout_ms = w->server_cfg.link.udp_timeout_ms = 60000;
    return w;
}

static struct world *start(struct world *w)
{
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "link up", 4);
    return w;
}

static void finish(struct world *w)
{
    world_free(w);
    close(far);
}

static int sender(struct world *w)
{
    int fd = datagram_socket();
    struct sockaddr_in to = loopback(w->forward_port[0]);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void put(int fd, const void *bytes, size_t n)
{
    ck_assert_int_eq(send(fd, bytes, n, 0), (ssize_t)n);
}

/* What comes to the target: answered at once with the same bytes. */
static size_t serve_one(void)
{
    static uint8_t buf[65536];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(far, buf, sizeof buf, 0, (struct sockaddr *)&from, &len);

    ck_assert_msg(n >= 0, "nothing came: %s", strerror(errno));
    ck_assert_int_eq(sendto(far, buf, (size_t)n, 0, (struct sockaddr *)&from, len), n);
    return (size_t)n;
}

static void round_trip(int near, size_t n)
{
    static uint8_t out[65536], in[65536];

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(i * 7 + n);
    put(near, out, n);
    ck_assert_uint_eq(serve_one(), n);
    ck_assert_int_eq(recv(near, in, sizeof in, 0), (ssize_t)n);
    ck_assert(memcmp(in, out, n) == 0);
}

START_TEST(datagrams_cross_both_ways_whole)
{
    static const size_t sizes[] = {0, 1, 64, 1400, 16384, 32736};
    struct world *w = udp_world();

    w->server_cfg.link.encrypt = _i == 0 ? TWS_ENCRYPT_ALLOW : TWS_ENCRYPT_REQUIRE;
    start(w);
    int near = sender(w);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        round_trip(near, sizes[i]);
    close(near);
    finish(w);
}
END_TEST

START_TEST(larger_messages_carry_larger_datagrams)
{
    struct world *w = udp_world();

    w->client_cfg.link.max_message = w->server_cfg.link.max_message = 65535;
    start(w);
    int near = sender(w);
    round_trip(near, 65503);
    close(near);
    finish(w);
}
END_TEST

START_TEST(a_flow_outlives_its_links)
{
    struct world *w = start(udp_world());
    int near = sender(w);

    round_trip(near, 100);
    ck_assert_uint_gt(world_cut_links(w), 0);
    world_await_log(w, "link up", 8);
    round_trip(near, 200);
    ck_assert_uint_eq(world_count_log(w, "channel session"), 0);
    close(near);
    finish(w);
}
END_TEST

static void remove_user(struct world *w)
{
    static struct tws_server_config next;

    next = w->server_cfg;
    next.nusers = 0;
    ck_assert_int_eq(tws_server_reload(w->server, &next), TWS_OK);
}

START_TEST(a_key_that_is_removed_ends_its_flows)
{
    struct world *w = start(udp_world());
    int near = sender(w);

    round_trip(near, 100);
    world_do(w, remove_user);
    world_await_log(w, "reason=\"key revoked\"", 1);
    close(near);
    finish(w);
}
END_TEST

static void refuse_udp(struct world *w)
{
    static struct tws_server_config next;

    next = w->server_cfg;
    next.link.no_udp = true;
    ck_assert_int_eq(tws_server_reload(w->server, &next), TWS_OK);
}

START_TEST(no_udp_holds_for_flows_that_come_after_a_reload)
{
    struct world *w = start(udp_world());
    int near = sender(w), later = sender(w);

    round_trip(near, 100);
    world_do(w, refuse_udp);
    put(later, "x", 1);
    world_await_log(w, "no_udp is set", 1);
    round_trip(near, 100);
    close(near);
    close(later);
    finish(w);
}
END_TEST

START_TEST(a_name_that_does_not_resolve_is_told_and_held)
{
    struct world *w = udp_world();
    struct tws_hostport nowhere = {.host = "nowhere.invalid", .port = 53};

    w->forwards[0].remote = tws_spot_of(&nowhere);
    start(w);
    int near = sender(w);
    for (int i = 0; i < 20; i++)
        put(near, "anybody?", 8);
    world_await_log(w, "flow reset", 1);
    for (int i = 0; i < 20; i++)
        put(near, "anybody?", 8);
    world_await_log(w, "code=9 ", 1);
    ck_assert_uint_le(world_count_log(w, "flow reset"), 2);
    close(near);
    finish(w);
}
END_TEST

/* The name is allowed to be resolved; what it resolves to is in no rule. */
START_TEST(the_address_that_a_name_leads_to_is_what_the_rules_are_asked_for)
{
    struct world *w = udp_world();
    struct tws_hostport named = {.host = "localhost", .port = port_of(far)};
    struct tws_rule other = {.prefix = {.ip = {.family = 4, .bytes = {10}}, .bits = 8},
                             .port_min = 1,
                             .port_max = 65535};

    w->user.allow_all = false;
    w->user.allow = &other;
    w->user.nallow = 1;
    w->forwards[0].remote = tws_spot_of(&named);
    start(w);
    int near = sender(w);
    put(near, "let me in", 9);
    world_await_log(w, "no rule of the user allows the address", 1);
    ck_assert_int_eq(recv(far, &named, sizeof named, MSG_DONTWAIT), -1);
    close(near);
    finish(w);
}
END_TEST

START_TEST(a_name_is_resolved_while_its_first_datagrams_wait)
{
    struct world *w = udp_world();
    struct tws_hostport named = {.host = "localhost", .port = port_of(far)};

    w->forwards[0].remote = tws_spot_of(&named);
    start(w);
    int near = sender(w);
    for (int i = 0; i < 10; i++)
        put(near, "wait for me", 11);
    for (int i = 0; i < 10; i++)
        ck_assert_uint_eq(serve_one(), 11);
    close(near);
    finish(w);
}
END_TEST

static void drain(struct world *w);

static void on_drained(void *arg, bool settled)
{
    struct world *w = arg;

    pthread_mutex_lock(&w->lock);
    w->drained = true;
    w->settled = settled;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void drain(struct world *w)
{
    if (w->server_cfg.link.drain_ms == 20000)
        tws_server_drain(w->server, on_drained, w);
    else
        tws_client_drain(w->client, on_drained, w);
}

/* A flow has no end of its own: nobody waits for it. */
START_TEST(draining_does_not_wait_for_flows)
{
    struct world *w = udp_world();

    w->server_cfg.link.drain_ms += _i == 1;
    start(w);
    int near = sender(w);
    round_trip(near, 100);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    world_do(w, drain);
    pthread_mutex_lock(&w->lock);
    struct timespec until = patience();
    int err = 0;
    while (!w->drained && err == 0)
        err = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    pthread_mutex_unlock(&w->lock);
    clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_int_eq(err, 0);
    ck_assert_int_lt(end.tv_sec - begin.tv_sec, 10);
    ck_assert(w->settled);
    close(near);
    finish(w);
}
END_TEST

START_TEST(a_users_rate_holds_for_datagrams_too)
{
    struct world *w = udp_world();
    static uint8_t bytes[1000];
    int got = 0;

    w->user.rate = 100000;
    start(w);
    int near = sender(w);
    round_trip(near, 100);
    struct timeval soon = {.tv_usec = 10000};
    setsockopt(far, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 20; i++)
            put(near, bytes, sizeof bytes);
        while (recv(far, bytes, sizeof bytes, 0) >= 0)
            got++;
    }
    /* 64 KiB may go at once; what is beyond the rate is dropped, not queued */
    ck_assert_int_ge(got, 60);
    ck_assert_int_lt(got, 500);
    close(near);
    finish(w);
}
END_TEST

START_TEST(a_flood_and_a_sudden_end_leave_nothing_behind)
{
    struct world *w = start(udp_world());
    static uint8_t bytes[1200];

    for (int s = 0; s < 20; s++) {
        int near = sender(w);
        for (int i = 0; i < 300; i++)
            (void)!send(near, bytes, sizeof bytes, MSG_DONTWAIT);
        close(near);
    }
    ck_assert_uint_gt(serve_one(), 0);
    world_do(w, _i == 0 ? world_stop_client : world_stop_server);
    finish(w);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("udp");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, datagrams_cross_both_ways_whole, 0, 2);
    tcase_add_test(tc, larger_messages_carry_larger_datagrams);
    tcase_add_test(tc, a_flow_outlives_its_links);
    tcase_add_test(tc, a_key_that_is_removed_ends_its_flows);
    tcase_add_test(tc, no_udp_holds_for_flows_that_come_after_a_reload);
    tcase_add_test(tc, a_name_that_does_not_resolve_is_told_and_held);
    tcase_add_test(tc, the_address_that_a_name_leads_to_is_what_the_rules_are_asked_for);
    tcase_add_test(tc, a_name_is_resolved_while_its_first_datagrams_wait);
    tcase_add_loop_test(tc, draining_does_not_wait_for_flows, 0, 2);
    tcase_add_test(tc, a_users_rate_holds_for_datagrams_too);
    tcase_add_loop_test(tc, a_flood_and_a_sudden_end_leave_nothing_behind, 0, 2);
    return run_suite("udp", tc);
}

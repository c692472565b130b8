/*
 * test_redial.c - what makes a client dial at once although its next try is hours away, and that
 * time asleep counts.
 *
 * The clocks are the test's: time passes, or the machine sleeps, when it says so. Sleep moves only
 * the clock that counts it, as the kernel does; a timer that fell due meanwhile fires.
 */
#include "netns.h"
#include "suite.h"
#include "tunnel_world.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define S   UINT64_C(1000000)
#define DAY (UINT64_C(86400) * S)

/* ---- the clocks: calls of the C library that the programs under test use ---- */

static struct {
    pthread_mutex_t lock;
    uint64_t asleep_us, passed_us; /* beyond the kernel's clocks */
    int fd;                        /* the loop's timerfd */
    struct itimerspec due;         /* what it was set to, in the test's time */
} clocks = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

static int64_t in_us(const struct timespec *ts)
{
    return (int64_t)ts->tv_sec * (int64_t)S + ts->tv_nsec / 1000;
}

static struct timespec in_timespec(int64_t us)
{
    return (struct timespec){.tv_sec = us / (int64_t)S, .tv_nsec = us % (int64_t)S * 1000};
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    long failed = syscall(SYS_clock_gettime, id, ts);

    if (failed != 0 ||
        (id != CLOCK_BOOTTIME && id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE))
        return (int)failed;
    pthread_mutex_lock(&clocks.lock);
    uint64_t more = clocks.passed_us + (id == CLOCK_BOOTTIME ? clocks.asleep_us : 0);
    pthread_mutex_unlock(&clocks.lock);
    *ts = in_timespec(in_us(ts) + (int64_t)more);
    return 0;
}

/* The kernel's clock lags behind the test's. */
static int arm(void)
{
    int64_t at = in_us(&clocks.due.it_value) - (int64_t)(clocks.passed_us + clocks.asleep_us);
    struct itimerspec when = {.it_value = in_timespec(at > 0 ? at : 1)};

    return (int)syscall(SYS_timerfd_settime, clocks.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    ck_assert(flags == TFD_TIMER_ABSTIME && old == NULL);
    pthread_mutex_lock(&clocks.lock);
    clocks.fd = fd;
    clocks.due = *when;
    int failed = arm();
    pthread_mutex_unlock(&clocks.lock);
    return failed;
}

static void advance(uint64_t *clock, uint64_t us)
{
    pthread_mutex_lock(&clocks.lock);
    *clock += us;
    if (clocks.fd >= 0)
        ck_assert_int_eq(arm(), 0);
    pthread_mutex_unlock(&clocks.lock);
}

static void pass(uint64_t us)
{
    advance(&clocks.passed_us, us);
}

static void sleep_for(uint64_t us)
{
    advance(&clocks.asleep_us, us);
}

/* Check measures with these clocks, too. */
static void finish(struct world *w)
{
    world_free(w);
    clocks.passed_us = clocks.asleep_us = 0;
}

/* ---- a client that was in vain for days ---- */

static uint64_t dials_failed;

static void read_stats(struct world *w)
{
    dials_failed = tws_client_stats(w->client).dials_failed;
}

static void redial(struct world *w)
{
    tws_client_redial(w->client);
}

/* Its next try is up to a day away; its server is there now. */
static struct world *put_off(void)
{
    struct world *w = world_new();

    w->client_cfg.retry_timeout_ms = DAY / 1000;
    w->uplinks[0].connections = 1;
    world_do(w, world_start_client);
    for (uint64_t failures = 1; failures <= 24; failures++) {
        do
            world_do(w, read_stats);
        while (dials_failed < failures);
        if (failures < 24)
            pass(DAY);
    }
    world_do(w, world_start_server);
    return w;
}

static void expect_link(struct world *w)
{
    world_await_log(w, "link up", 2); /* as each side says */
    ck_assert_uint_eq(world_count_log(w, "link up"), 2);
    finish(w);
}

START_TEST(asked_to_redial_a_client_does_at_once)
{
    struct world *w = put_off();

    world_do(w, redial);
    expect_link(w);
}
END_TEST

START_TEST(a_client_whose_machine_woke_up_redials)
{
    struct world *w = put_off();

    sleep_for(10 * S);
    world_await_log(w, "machine woke up", 1);
    expect_link(w);
}
END_TEST

START_TEST(a_client_redials_when_the_network_changes)
{
    if (!netns_enter())
        return;
    struct world *w = put_off();

    netns_set_link("lo", false);
    netns_set_link("lo", true);
    expect_link(w);
}
END_TEST

/* ---- a long way ---- */

/* Between client and server. When it is long, those who connect are not answered until the first
 * of them is; when it is broken, nothing comes to its end. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t came;
    int listener, first;
    uint16_t server;
    atomic_bool is_long, is_broken;
} way = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};

static void *copy(void *arg)
{
    int from = ((int *)arg)[0], to = ((int *)arg)[1];
    char bytes[4096];
    ssize_t n;

    free(arg);
    while ((n = recv(from, bytes, sizeof bytes, 0)) > 0)
        if (!way.is_broken)
            (void)!send(to, bytes, (size_t)n, MSG_NOSIGNAL);
    shutdown(from, SHUT_RDWR);
    shutdown(to, SHUT_RDWR);
    return NULL;
}

static void start_copying(int from, int to)
{
    int *ends = malloc(2 * sizeof *ends);
    pthread_t thread;

    ends[0] = from;
    ends[1] = to;
    ck_assert_int_eq(pthread_create(&thread, NULL, copy, ends), 0);
    pthread_detach(thread);
}

static void lead_on(int fd)
{
    struct sockaddr_in sa = loopback(way.server);
    int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(to, (struct sockaddr *)&sa, sizeof sa), 0);
    start_copying(fd, to);
    start_copying(to, fd);
}

static void *accept_on_way(void *arg)
{
    int fd;

    while ((fd = accept(way.listener, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&way.lock);
        if (!way.is_long) {
            lead_on(fd);
        } else if (way.first < 0) {
            way.first = fd;
            pthread_cond_signal(&way.came);
        }
        pthread_mutex_unlock(&way.lock);
    }
    return arg;
}

static struct world *world_with_a_way(pthread_t *thread)
{
    struct world *w = world_new();

    way.listener = bind_any();
    ck_assert_int_eq(listen(way.listener, 16), 0);
    way.server = w->server_cfg.listen.port;
    way.first = -1;
    w->client_cfg.servers[0].server = local_port(port_of(way.listener));
    w->uplinks[0].connections = 1;
    ck_assert_int_eq(pthread_create(thread, NULL, accept_on_way, NULL), 0);
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "link up", 2);
    return w;
}

static void await_first(void)
{
    pthread_mutex_lock(&way.lock);
    while (way.first < 0)
        pthread_cond_wait(&way.came, &way.lock);
    pthread_mutex_unlock(&way.lock);
}

static void close_way(pthread_t thread)
{
    shutdown(way.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
}

/* However long the others wait, a fresh try every second is no use where each takes longer. */
START_TEST(a_session_is_resumed_over_a_way_where_a_handshake_takes_more_than_three_seconds)
{
    pthread_t thread;
    struct world *w = world_with_a_way(&thread);
    struct ends e = world_open(w);

    way.is_long = true;
    ck_assert_uint_ge(world_cut_links(w), 1);
    await_first();
    world_do(w, read_stats); /* its connect() is noticed, and its time has begun */
    pass(4 * S);
    world_do(w, read_stats);
    world_do(w, read_stats);
    lead_on(way.first);
    world_await_log(w, "link up", 4);
    put_text(e.near, "still there");
    expect_text(e.far, "still there");
    ends_close(&e);
    close_way(thread);
    finish(w);
}
END_TEST

static uint32_t channels;

static void count_channels(struct world *w)
{
    channels = tws_client_stats(w->client).channels;
}

/* The channel is over for the client, and its session is to end with the last channel. */
START_TEST(the_last_bytes_of_a_session_that_drains_survive_its_last_link)
{
    pthread_t thread;
    struct world *w = world_with_a_way(&thread);
    struct ends e = world_open(w);

    shutdown(e.far, SHUT_WR);
    expect_eof(e.near);
    world_do(w, world_reload_to_another_name);
    world_await_log(w, "link up", 4);
    struct ends fresh = world_open(w); /* and both sides have spoken */
    way.is_broken = true;
    put_text(e.near, "last words");
    shutdown(e.near, SHUT_WR);
    do
        world_do(w, count_channels);
    while (channels > 1);
    ck_assert_uint_ge(world_cut_links(w), 1);
    world_await_log(w, "session suspended", 4); /* both sides of both sessions */
    way.is_broken = false;
    expect_text(e.far, "last words");
    expect_eof(e.far);
    world_await_log(w, "session over", 2);
    ends_close(&e);
    ends_close(&fresh);
    close_way(thread);
    finish(w);
}
END_TEST

/* ---- grace ---- */

static struct rlimit descriptors;

/* No link lives, and none is made: there are no descriptors. */
static void cut_off(struct world *w)
{
    ck_assert_uint_ge(world_cut_links(w), 1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 3, .rlim_max = descriptors.rlim_max});
}

START_TEST(time_asleep_counts_as_grace)
{
    struct world *w = world_ready();
    struct ends e = world_open(w);

    world_do(w, cut_off);
    world_await_log(w, "session suspended", 2); /* as each side says */
    sleep_for(20 * S);
    world_await_log(w, "machine woke up", 1);
    world_do(w, read_stats); /* the turn is over */
    ck_assert_uint_eq(world_count_log(w, "within the grace time"), 0);
    sleep_for(11 * S);
    world_await_log(w, "within the grace time", 2);
    setrlimit(RLIMIT_NOFILE, &descriptors);
    expect_reset(e.near);
    expect_reset(e.far);
    ends_close(&e);
    finish(w);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("redial");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, asked_to_redial_a_client_does_at_once);
    tcase_add_test(tc, a_client_whose_machine_woke_up_redials);
    tcase_add_test(tc, a_client_redials_when_the_network_changes);
    tcase_add_test(tc,
                   a_session_is_resumed_over_a_way_where_a_handshake_takes_more_than_three_seconds);
    tcase_add_test(tc, the_last_bytes_of_a_session_that_drains_survive_its_last_link);
    tcase_add_test(tc, time_asleep_counts_as_grace);
    return run_suite("tunnel/redial", tc);
}

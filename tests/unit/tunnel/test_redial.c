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
    tcase_add_test(tc, time_asleep_counts_as_grace);
    return run_suite("tunnel/redial", tc);
}

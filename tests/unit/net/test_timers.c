/* test_timers.c - timers fire once, in order, never early, and their callbacks may do anything. */
#include "driver.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 100000

struct alarm {
    struct tws_timer timer;
    int fired;
    uint64_t at_us; /* when it fired */
    struct alarm *other;
};

static void on_alarm(struct tws_timer *t)
{
    struct alarm *a = TWS_CONTAINER(t, struct alarm, timer);

    a->fired++;
    a->at_us = tws_loop_now(t->loop);
}

static void on_last_alarm(struct tws_timer *t)
{
    on_alarm(t);
    tws_loop_stop(t->loop);
}

START_TEST(a_timer_fires_once_and_not_early)
{
    struct tws_loop *loop = driver_loop();
    struct alarm a = {.fired = 0};
    uint64_t start = tws_loop_now(loop);

    tws_timer_init(&a.timer, loop, on_last_alarm);
    ck_assert(!tws_timer_running(&a.timer));
    tws_timer_start(&a.timer, 3500);
    ck_assert(tws_timer_running(&a.timer));
    driver_run(loop);
    ck_assert_int_eq(a.fired, 1);
    ck_assert(!tws_timer_running(&a.timer));
    ck_assert_uint_ge(a.at_us, start + 3500);
    ck_assert_uint_lt(a.at_us, start + 1000000);
    driver_run_for(loop, 5000);
    ck_assert_int_eq(a.fired, 1);
    tws_loop_free(loop);
}
END_TEST

static struct tws_timer many[MANY];
static uint64_t last_at;
static int many_fired;

static void on_one_of_many(struct tws_timer *t)
{
    ck_assert_uint_ge(t->at_us, last_at);
    ck_assert_uint_le(t->at_us, tws_loop_now(t->loop));
    last_at = t->at_us;
    many_fired++;
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

START_TEST(a_hundred_thousand_timers_fire_in_order)
{
    struct tws_loop *loop = driver_loop();
    struct alarm last = {.fired = 0};
    uint64_t now = tws_loop_now(loop);
    uint32_t seed = 7;
    int stopped = 0;

    last_at = 0;
    many_fired = 0;
    for (int i = 0; i < MANY; i++) {
        tws_timer_init(&many[i], loop, on_one_of_many);
        tws_timer_start_at(&many[i], now + next_random(&seed) % 200000);
    }
    for (int i = 0; i < MANY; i += 3) /* moved, earlier and later */
        tws_timer_start_at(&many[i], now + next_random(&seed) % 200000);
    for (int i = 1; i < MANY; i += 7, stopped++) {
        tws_timer_stop(&many[i]);
        tws_timer_stop(&many[i]);
    }
    tws_timer_init(&last.timer, loop, on_last_alarm);
    tws_timer_start_at(&last.timer, now + 200000);
    driver_run(loop);
    ck_assert_int_eq(many_fired, MANY - stopped);
    tws_loop_free(loop);
}
END_TEST

static void on_stop_other(struct tws_timer *t)
{
    struct alarm *a = TWS_CONTAINER(t, struct alarm, timer);

    on_alarm(t);
    tws_timer_stop(&a->other->timer);
}

START_TEST(a_timer_stopped_by_another_that_is_due_too_does_not_fire)
{
    struct tws_loop *loop = driver_loop();
    struct alarm a = {.fired = 0}, b = {.fired = 0};

    a.other = &b;
    b.other = &a;
    tws_timer_init(&a.timer, loop, on_stop_other);
    tws_timer_init(&b.timer, loop, on_stop_other);
    tws_timer_start(&a.timer, 10);
    tws_timer_start(&b.timer, 10);
    driver_run_for(loop, 2000);
    ck_assert_int_eq(a.fired + b.fired, 1);
    tws_loop_free(loop);
}
END_TEST

static void on_restart(struct tws_timer *t)
{
    struct alarm *a = TWS_CONTAINER(t, struct alarm, timer);

    if (++a->fired == 50)
        tws_loop_stop(t->loop);
    else
        tws_timer_start(t, 0);
}

static int tasks_between;

static void on_task(struct tws_task *t)
{
    (void)t;
    tasks_between++;
}

static void on_restart_with_task(struct tws_timer *t)
{
    static struct tws_task task;

    if (task.fn == NULL)
        tws_task_init(&task, on_task);
    tws_task_post(t->loop, &task);
    on_restart(t);
}

START_TEST(a_timer_that_restarts_itself_at_once_lets_the_turn_end)
{
    struct tws_loop *loop = driver_loop();
    struct alarm a = {.fired = 0};

    tasks_between = 0;
    tws_timer_init(&a.timer, loop, on_restart_with_task);
    tws_timer_start(&a.timer, 0);
    driver_run(loop);
    ck_assert_int_eq(a.fired, 50);
    ck_assert_int_eq(tasks_between, 50);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_time_gone_by_fires_in_the_next_turn)
{
    struct tws_loop *loop = driver_loop();
    struct alarm a = {.fired = 0}, b = {.fired = 0};

    tws_timer_init(&a.timer, loop, on_alarm);
    tws_timer_init(&b.timer, loop, on_last_alarm);
    tws_timer_start_at(&a.timer, 0);
    tws_timer_start_at(&b.timer, tws_loop_now(loop));
    driver_run(loop);
    ck_assert_int_eq(a.fired, 1);
    tws_loop_free(loop);
}
END_TEST

START_TEST(the_end_of_time_never_comes_and_blocks_nobody)
{
    struct tws_loop *loop = driver_loop();
    struct alarm never = {.fired = 0}, late = {.fired = 0}, soon = {.fired = 0};

    tws_timer_init(&never.timer, loop, on_alarm);
    tws_timer_init(&late.timer, loop, on_alarm);
    tws_timer_init(&soon.timer, loop, on_last_alarm);
    tws_timer_start(&never.timer, UINT64_MAX);
    tws_timer_start_at(&late.timer, UINT64_C(1) << 60);
    ck_assert_uint_eq(never.timer.at_us, UINT64_MAX);
    driver_run_for(loop, 1000);
    tws_timer_start(&soon.timer, 1000);
    driver_run(loop);
    ck_assert_int_eq(never.fired + late.fired, 0);
    tws_timer_stop(&never.timer);
    tws_timer_stop(&late.timer);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_timer_moved_later_does_not_fire_at_its_old_time)
{
    struct tws_loop *loop = driver_loop();
    struct alarm a = {.fired = 0};
    uint64_t start = tws_loop_now(loop);

    tws_timer_init(&a.timer, loop, on_last_alarm);
    tws_timer_start(&a.timer, 1000);
    driver_run_for(loop, 100); /* the kernel knows the old time now */
    tws_timer_start_at(&a.timer, start + 30000);
    driver_run(loop);
    ck_assert_uint_ge(a.at_us, start + 30000);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_timer_moved_earlier_fires_at_its_new_time)
{
    struct tws_loop *loop = driver_loop();
    struct alarm a = {.fired = 0};

    tws_timer_init(&a.timer, loop, on_last_alarm);
    tws_timer_start(&a.timer, UINT64_C(3600) * 1000000);
    driver_run_for(loop, 100);
    tws_timer_start(&a.timer, 1000);
    driver_run(loop);
    ck_assert_int_eq(a.fired, 1);
    tws_loop_free(loop);
}
END_TEST

/* Runs a timer in a time namespace whose CLOCK_BOOTTIME is 140 years on. */
static int run_in_far_future(void)
{
    struct tws_loop *loop = driver_loop();
    struct alarm a = {.fired = 0};
    uint64_t now = tws_loop_now(loop);

    tws_timer_init(&a.timer, loop, on_last_alarm);
    tws_timer_start(&a.timer, 2000);
    driver_run(loop);
    tws_loop_free(loop);
    return now > UINT64_C(4500000000) * 1000000 && a.fired == 1 && a.at_us >= now + 2000 ? 0 : 1;
}

START_TEST(a_clock_far_in_the_future_works)
{
    static const char offset[] = "boottime 4500000000 0";

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
    int fd =
        unshare(CLONE_NEWTIME) == 0 ? open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0 || write(fd, offset, strlen(offset)) < 0) {
        fprintf(stderr, "skipped: time namespaces need root\n");
        close(fd);
        return;
    }
    close(fd);
    pid_t child = fork();
    if (child == 0)
        _exit(run_in_far_future());
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("timers");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_timer_fires_once_and_not_early);
    tcase_add_test(tc, a_hundred_thousand_timers_fire_in_order);
    tcase_add_test(tc, a_timer_stopped_by_another_that_is_due_too_does_not_fire);
    tcase_add_test(tc, a_timer_that_restarts_itself_at_once_lets_the_turn_end);
    tcase_add_test(tc, a_time_gone_by_fires_in_the_next_turn);
    tcase_add_test(tc, the_end_of_time_never_comes_and_blocks_nobody);
    tcase_add_test(tc, a_timer_moved_later_does_not_fire_at_its_old_time);
    tcase_add_test(tc, a_timer_moved_earlier_fires_at_its_new_time);
    tcase_add_test(tc, a_clock_far_in_the_future_works);

    return run_suite("net/timers", tc);
}

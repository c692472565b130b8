/* test_wakewatch.c - when a machine has slept, by its two clocks. */
#include "suite.h"

#include "tws/net/wakewatch.h"

#define S UINT64_C(1000000)

START_TEST(a_machine_that_stays_awake_never_slept)
{
    uint64_t asleep = 30 * S;

    for (uint64_t t = 100 * S; t < 200 * S; t += 5 * S)
        ck_assert(!tws_wakewatch_slept(&asleep, t + 30 * S, t));
}
END_TEST

START_TEST(each_sleep_is_noticed_once)
{
    uint64_t asleep = 0;

    ck_assert(tws_wakewatch_slept(&asleep, 110 * S, 100 * S));
    ck_assert(!tws_wakewatch_slept(&asleep, 115 * S, 105 * S));
    ck_assert(tws_wakewatch_slept(&asleep, 121 * S, 110 * S));
    ck_assert(!tws_wakewatch_slept(&asleep, 126 * S, 115 * S));
}
END_TEST

START_TEST(the_moment_between_two_readings_is_no_sleep)
{
    uint64_t asleep = 10 * S;

    ck_assert(!tws_wakewatch_slept(&asleep, 110 * S + 99999, 100 * S));
    ck_assert(!tws_wakewatch_slept(&asleep, 110 * S - 20, 100 * S));
    ck_assert(tws_wakewatch_slept(&asleep, 110 * S + 100000, 100 * S));
}
END_TEST

static void never(void *arg)
{
    (void)arg;
    ck_abort_msg("this machine did not sleep");
}

static void stop_loop(struct tws_timer *t)
{
    tws_loop_stop(t->loop);
}

START_TEST(what_was_slept_before_it_started_is_no_news)
{
    struct tws_loop *loop = NULL;
    struct tws_wakewatch w;
    struct tws_timer end;

    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    tws_wakewatch_start(loop, &w, never, NULL);
    w.timer.fn(&w.timer);
    tws_timer_init(&end, loop, stop_loop);
    tws_timer_start(&end, 1000);
    tws_loop_run(loop);
    ck_assert(tws_timer_running(&w.timer));
    tws_wakewatch_stop(&w);
    ck_assert(!tws_timer_running(&w.timer));
    tws_loop_free(loop);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("wakewatch");

    tcase_add_test(tc, a_machine_that_stays_awake_never_slept);
    tcase_add_test(tc, each_sleep_is_noticed_once);
    tcase_add_test(tc, the_moment_between_two_readings_is_no_sleep);
    tcase_add_test(tc, what_was_slept_before_it_started_is_no_news);
    return run_suite("net/wakewatch", tc);
}

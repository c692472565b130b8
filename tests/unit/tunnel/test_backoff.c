/* test_backoff.c - waits grow, stay under their bounds, and differ from client to client. */
#include "suite.h"

#include "tws/tunnel/backoff.h"

#include <check.h>

#define CAP_US 5000000u

START_TEST(no_wait_is_above_its_doubling_bound_or_the_cap)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct tws_backoff b;
        uint64_t bound = TWS_BACKOFF_FIRST_US;

        tws_backoff_init(&b, CAP_US, seed);
        for (int i = 0; i < 100; i++) {
            ck_assert_uint_le(tws_backoff_failed(&b), bound);
            bound = bound * 2 < CAP_US ? bound * 2 : CAP_US;
        }
    }
}
END_TEST

START_TEST(waits_fill_the_whole_range)
{
    struct tws_backoff b;
    unsigned lower = 0, upper = 0;

    tws_backoff_init(&b, CAP_US, 42);
    for (int i = 0; i < 20; i++)
        (void)tws_backoff_failed(&b);
    for (int i = 0; i < 1000; i++) {
        uint64_t wait = tws_backoff_failed(&b);
        lower += wait < CAP_US / 4;
        upper += wait > CAP_US / 4 * 3;
    }
    ck_assert_uint_gt(lower, 150);
    ck_assert_uint_gt(upper, 150);
}
END_TEST

START_TEST(success_makes_the_next_wait_a_first_one)
{
    struct tws_backoff b;

    tws_backoff_init(&b, CAP_US, 7);
    for (int i = 0; i < 50; i++) {
        for (int n = 0; n < 10; n++)
            (void)tws_backoff_failed(&b);
        tws_backoff_succeeded(&b);
        ck_assert_uint_le(tws_backoff_failed(&b), TWS_BACKOFF_FIRST_US);
    }
}
END_TEST

START_TEST(two_clients_do_not_come_back_in_step)
{
    struct tws_backoff a, b;
    unsigned same = 0;

    tws_backoff_init(&a, CAP_US, 1001);
    tws_backoff_init(&b, CAP_US, 1002);
    for (int i = 0; i < 100; i++)
        same += tws_backoff_failed(&a) == tws_backoff_failed(&b);
    ck_assert_uint_lt(same, 3);
}
END_TEST

START_TEST(a_cap_below_the_first_wait_holds)
{
    struct tws_backoff b;

    tws_backoff_init(&b, 1000, 9);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_le(tws_backoff_failed(&b), 1000);
}
END_TEST

START_TEST(a_spread_is_a_tenth_each_way_and_uses_all_of_it)
{
    struct tws_backoff b;
    unsigned lower = 0, upper = 0;

    tws_backoff_init(&b, CAP_US, 7);
    ck_assert_uint_eq(tws_backoff_spread(&b, 0), 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t us = tws_backoff_spread(&b, 1000000);
        ck_assert_uint_ge(us, 900000);
        ck_assert_uint_le(us, 1100000);
        lower += us < 920000;
        upper += us > 1080000;
    }
    ck_assert_uint_gt(lower, 50);
    ck_assert_uint_gt(upper, 50);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("backoff");
    tcase_add_test(tc, no_wait_is_above_its_doubling_bound_or_the_cap);
    tcase_add_test(tc, a_spread_is_a_tenth_each_way_and_uses_all_of_it);
    tcase_add_test(tc, waits_fill_the_whole_range);
    tcase_add_test(tc, success_makes_the_next_wait_a_first_one);
    tcase_add_test(tc, two_clients_do_not_come_back_in_step);
    tcase_add_test(tc, a_cap_below_the_first_wait_holds);
    return run_suite("tunnel/backoff", tc);
}

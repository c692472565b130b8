/* test_bucket.c - a rate is neither exceeded nor missed, however often it is asked. */
#include "suite.h"

#include "tws/tunnel/bucket.h"

#include <check.h>

#define MB     1000000u
#define SECOND 1000000u

START_TEST(rate_zero_is_no_limit)
{
    struct tws_bucket b;

    tws_bucket_init(&b, 0, 5);
    ck_assert_uint_eq(tws_bucket_allows(&b, SIZE_MAX, 5), SIZE_MAX);
    tws_bucket_take(&b, 1u << 30);
    ck_assert_uint_eq(tws_bucket_allows(&b, 77, 5), 77);
}
END_TEST

static const struct {
    uint64_t rate, step_us;
} pace[] = {{MB, 1000}, {MB, 7}, {1000, 1}, {1000, 999}, {100 * MB, 50}, {3, 10000}};

START_TEST(ten_seconds_carry_ten_seconds_of_the_rate)
{
    struct tws_bucket b;
    uint64_t now = 1000, went = 0, rate = pace[_i].rate, end = now + 10 * SECOND;

    tws_bucket_init(&b, rate, now);
    went = tws_bucket_allows(&b, SIZE_MAX, now);
    tws_bucket_take(&b, went);
    for (went = 0; now < end; now += pace[_i].step_us) {
        size_t n = tws_bucket_allows(&b, 32768, now);
        tws_bucket_take(&b, n);
        went += n;
    }
    ck_assert_uint_le(went, 10 * rate);
    ck_assert_uint_ge(went + 1 + rate / 100, 10 * rate);
}
END_TEST

START_TEST(a_long_sleep_does_not_save_up_a_flood)
{
    struct tws_bucket b;

    tws_bucket_init(&b, 10 * MB, 0);
    ck_assert_uint_eq(tws_bucket_allows(&b, SIZE_MAX, UINT64_C(86400) * SECOND), MB);
}
END_TEST

START_TEST(a_debt_is_paid_before_anything_goes)
{
    struct tws_bucket b;

    tws_bucket_init(&b, MB, 0);
    tws_bucket_take(&b, 1100000);
    ck_assert_uint_eq(tws_bucket_allows(&b, 1, SECOND / 2), 0);
    ck_assert_uint_eq(tws_bucket_allows(&b, 1, 2 * SECOND), 1);
}
END_TEST

START_TEST(waiting_as_told_is_long_enough)
{
    struct tws_bucket b;

    tws_bucket_init(&b, MB, 0);
    tws_bucket_take(&b, tws_bucket_allows(&b, SIZE_MAX, 0));
    uint64_t wait = tws_bucket_wait_us(&b);
    ck_assert_uint_ge(tws_bucket_allows(&b, SIZE_MAX, wait), 16384 - 1);
    ck_assert_uint_ge(tws_bucket_wait_us(&b), 1000);
}
END_TEST

START_TEST(another_rate_holds_from_now_on)
{
    struct tws_bucket b;

    tws_bucket_init(&b, 100 * MB, 0);
    tws_bucket_set_rate(&b, MB, 0);
    ck_assert_uint_eq(tws_bucket_allows(&b, SIZE_MAX, 0), 100000);
    tws_bucket_set_rate(&b, 0, 0);
    ck_assert_uint_eq(tws_bucket_allows(&b, SIZE_MAX, 0), SIZE_MAX);
    tws_bucket_set_rate(&b, MB, 0);
    ck_assert_uint_eq(tws_bucket_allows(&b, SIZE_MAX, 0), 100000);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("bucket");
    tcase_add_test(tc, rate_zero_is_no_limit);
    tcase_add_loop_test(tc, ten_seconds_carry_ten_seconds_of_the_rate, 0,
                        (int)(sizeof pace / sizeof pace[0]));
    tcase_add_test(tc, a_long_sleep_does_not_save_up_a_flood);
    tcase_add_test(tc, a_debt_is_paid_before_anything_goes);
    tcase_add_test(tc, waiting_as_told_is_long_enough);
    tcase_add_test(tc, another_rate_holds_from_now_on);
    return run_suite("tunnel/bucket", tc);
}

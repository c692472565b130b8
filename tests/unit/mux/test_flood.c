/* test_flood.c - the bucket for things a peer may do, but not in floods. */
#include "suite.h"

#include "tws/mux/flood.h"

#define S UINT64_C(1000000)

/* How many events at `now` until the verdict is no longer what it was at first. */
static uint32_t count_until(struct tws_flood *f, uint64_t now, enum tws_flood_verdict end)
{
    uint32_t n = 1;

    while (tws_flood_count(f, now) != end && n < 100000)
        n++;
    return n;
}

START_TEST(it_warns_at_three_quarters_and_ends_at_all_of_the_burst)
{
    struct tws_flood f;

    tws_flood_init(&f, 1000, 33);
    ck_assert_uint_eq(count_until(&f, S, TWS_FLOOD_WARN), 750);
    ck_assert_uint_eq(count_until(&f, S, TWS_FLOOD_OVER), 250);
    ck_assert_int_eq(tws_flood_count(&f, S), TWS_FLOOD_OVER);
}
END_TEST

START_TEST(what_a_second_gives_back_is_the_rate)
{
    struct tws_flood f;

    tws_flood_init(&f, 1000, 33);
    for (int i = 0; i < 999; i++)
        ck_assert_int_ne(tws_flood_count(&f, S), TWS_FLOOD_OVER);
    for (int i = 0; i < 33; i++)
        ck_assert_int_ne(tws_flood_count(&f, 2 * S), TWS_FLOOD_OVER);
    ck_assert_int_eq(tws_flood_count(&f, 2 * S), TWS_FLOOD_OVER);
}
END_TEST

START_TEST(a_steady_stream_at_the_rate_is_fine_for_ever)
{
    struct tws_flood f;

    tws_flood_init(&f, 1000, 33);
    for (uint64_t t = S; t < 3600 * S; t += S / 33 + 1000)
        ck_assert_int_eq(tws_flood_count(&f, t), TWS_FLOOD_FINE);
}
END_TEST

START_TEST(events_closer_than_a_millisecond_still_earn_their_time)
{
    struct tws_flood f;
    uint64_t now = S;
    int over = 0;

    /* 2000 a second against 330: the burst of 1000 lasts about 0.6 s, not for ever and not 0.5 s.
     */
    tws_flood_init(&f, 1000, 330);
    for (; over == 0 && now < 10 * S; now += 500)
        over = tws_flood_count(&f, now) == TWS_FLOOD_OVER;
    ck_assert_uint_gt(now, S + 580000);
    ck_assert_uint_lt(now, S + 620000);
}
END_TEST

START_TEST(a_long_rest_gives_all_back_and_no_more)
{
    struct tws_flood f;

    tws_flood_init(&f, 100, 10);
    ck_assert_uint_eq(count_until(&f, S, TWS_FLOOD_OVER), 100);
    ck_assert_uint_eq(count_until(&f, 1000000 * S, TWS_FLOOD_OVER), 100);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("flood");
    tcase_add_test(tc, it_warns_at_three_quarters_and_ends_at_all_of_the_burst);
    tcase_add_test(tc, what_a_second_gives_back_is_the_rate);
    tcase_add_test(tc, a_steady_stream_at_the_rate_is_fine_for_ever);
    tcase_add_test(tc, events_closer_than_a_millisecond_still_earn_their_time);
    tcase_add_test(tc, a_long_rest_gives_all_back_and_no_more);
    return run_suite("flood", tc);
}

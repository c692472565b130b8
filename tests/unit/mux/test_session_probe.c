/* test_session_probe.c - links that may be cut off without a word: asked, suspected, given up. */
#include "suite.h"
#include "wire.h"

static struct pair p;

static void set_up(void)
{
    pair_init(&p);
    pair_link(&p, 0);
    pair_link(&p, 1);
    pair_pass(&p, 100 * MS, 5 * MS);
}

static void tear_down(void)
{
    pair_fini(&p);
}

START_TEST(a_probe_is_a_ping_that_asks_for_an_ack)
{
    struct tws_frame f = {0};

    tws_session_probe(p.c.s, p.c.link[1], p.c.now);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_PING, UINT32_MAX), 0);
    ck_assert(find_frame(&p.c, 1, TWS_FRAME_PING, UINT32_MAX, 0, &f));
    ck_assert_uint_eq(f.flags, TWS_FLAG_ACK_NOW);
}
END_TEST

START_TEST(a_probed_link_without_an_answer_is_given_up_after_three_seconds)
{
    tws_session_probe(p.c.s, p.c.link[1], p.c.now);
    tws_session_probe(p.c.s, p.c.link[0], p.c.now);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    deliver(&p.c, &p.s, 0);
    side_flush(&p.s, 0);
    deliver(&p.s, &p.c, 0);
    tws_session_link_heard(p.c.link[0], p.c.now);
    side_tick(&p.c, 2 * SEC); /* it is suspect before */
    ck_assert_uint_eq(tws_session_deadline(p.c.s), p.c.now + SEC);
    side_tick(&p.c, SEC - 1);
    ck_assert_ptr_nonnull(p.c.link[1]);
    side_tick(&p.c, 1);
    ck_assert_ptr_null(p.c.link[1]);
    ck_assert_ptr_nonnull(p.c.link[0]);
}
END_TEST

START_TEST(asking_again_does_not_put_the_end_off)
{
    tws_session_probe(p.c.s, p.c.link[1], p.c.now);
    side_flush(&p.c, 1);
    side_tick(&p.c, 2 * SEC);
    tws_session_probe(p.c.s, p.c.link[1], p.c.now);
    ck_assert_uint_eq(count_frames(&p.c, 1, TWS_FRAME_PING, UINT32_MAX), 1);
    side_tick(&p.c, SEC);
    ck_assert_ptr_null(p.c.link[1]);
}
END_TEST

static const struct {
    enum tws_schedule schedule;
    uint64_t configured, least;
} patience[] = {
    {TWS_SCHEDULE_AUTO, 0, SEC},           {TWS_SCHEDULE_BOND, 0, 200 * MS},
    {TWS_SCHEDULE_REDUNDANT, 0, 200 * MS}, {TWS_SCHEDULE_AUTO, 300 * MS, 300 * MS},
    {TWS_SCHEDULE_BOND, 2 * SEC, 2 * SEC},
};

START_TEST(a_link_is_suspect_when_the_schedule_or_the_configuration_says)
{
    struct tws_session_config cfg = {
        .client = true, .schedule = patience[_i].schedule, .suspect_us = patience[_i].configured};
    struct side d;

    ck_assert_int_eq(side_init(&d, &cfg, 0), TWS_OK);
    ck_assert_int_eq(side_link(&d, 0), TWS_OK);
    side_open(&d, 100, false);
    side_flush(&d, 0);
    side_tick(&d, patience[_i].least - 1);
    ck_assert(!tws_link_stats(d.link[0]).suspect);
    side_tick(&d, 1);
    ck_assert(tws_link_stats(d.link[0]).suspect);
    side_fini(&d);
}
END_TEST

/* There one second of silence is less than a round trip. */
START_TEST(over_a_long_way_a_link_is_suspect_later)
{
    struct pair q;

    pair_init(&q);
    pair_link(&q, 0);
    struct app *a = side_open(&q.c, 100, false);
    side_flush(&q.c, 0);
    while (deliver(&q.c, &q.s, 0))
        ;
    side_tick(&q.s, 10 * MS); /* its ACK is due, and says so */
    side_flush(&q.s, 0);
    side_tick(&q.c, 810 * MS);
    while (deliver(&q.s, &q.c, 0))
        ;
    ck_assert_uint_eq(tws_link_stats(q.c.link[0]).srtt_us, 800 * MS);
    side_send(&q.c, a, 100, false);
    side_flush(&q.c, 0);
    side_tick(&q.c, 1600 * MS - 1);
    ck_assert(!tws_link_stats(q.c.link[0]).suspect);
    side_tick(&q.c, 1);
    ck_assert(tws_link_stats(q.c.link[0]).suspect);
    pair_fini(&q);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session probe");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_probe_is_a_ping_that_asks_for_an_ack);
    tcase_add_test(tc, a_probed_link_without_an_answer_is_given_up_after_three_seconds);
    tcase_add_test(tc, asking_again_does_not_put_the_end_off);
    tcase_add_loop_test(tc, a_link_is_suspect_when_the_schedule_or_the_configuration_says, 0,
                        COUNT_OF(patience));
    tcase_add_test(tc, over_a_long_way_a_link_is_suspect_later);
    return run_suite("session probe", tc);
}

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

/* ---- DEADs on links that were cut off without a word ---- */

/* One side gives up link 0, and the other, at the same time, link 1; neither hears of it, and its
 * DEAD goes over the link that the other gave up. */
static void give_up_crosswise(struct side *x, struct side *y)
{
    side_lose(x, 0);
    side_lose(y, 1);
    side_flush(x, 1);
    side_flush(y, 0);
    ck_assert_uint_eq(count_frames(x, 1, TWS_FRAME_DEAD, 1), 1);
    ck_assert_uint_eq(count_frames(y, 0, TWS_FRAME_DEAD, 2), 1);
}

/* What was on link 0 waits for both DEADs. They are found to be stuck when their links are suspect,
 * long before two heartbeats have gone unanswered. */
START_TEST(deads_that_cross_over_half_open_links_go_again_over_a_third)
{
    struct side *x = _i == 0 ? &p.c : &p.s, *y = _i == 0 ? &p.s : &p.c;
    struct app *a = side_open(&p.c, 0, false);

    pair_link(&p, 2);
    pair_pass(&p, 100 * MS, 5 * MS);
    struct app *from = side_app(x, a->id), *to = side_app(y, a->id);
    side_send(x, from, 1000, true);
    side_flush(x, 0);
    ck_assert_uint_eq(count_frames(x, 0, TWS_FRAME_DATA, a->id), 1);
    give_up_crosswise(x, y);
    pair_pass(&p, SEC - 10 * MS, 10 * MS);
    ck_assert_uint_eq(to->got, 0);
    pair_pass(&p, 20 * MS, 10 * MS);
    ck_assert_uint_eq(to->got, 1000);
    ck_assert(to->ended);
    ck_assert_uint_eq(tws_session_stats(x->s).links, 1);
    ck_assert_uint_eq(tws_session_stats(y->s).links, 1);
}
END_TEST

/* The first copy comes after all, when all is settled by the second. */
START_TEST(a_dead_that_comes_a_second_time_is_ignored)
{
    side_lose(&p.c, 0);
    side_flush(&p.c, 1);
    pair_link(&p, 2);
    side_flush(&p.c, 2);
    deliver(&p.c, &p.s, 2);
    side_tick(&p.c, SEC);
    side_flush(&p.c, 2);
    ck_assert_uint_eq(count_frames(&p.c, 1, TWS_FRAME_DEAD, 1), 1);
    ck_assert_uint_eq(count_frames(&p.c, 2, TWS_FRAME_DEAD, 1), 1);
    while (deliver(&p.c, &p.s, 2))
        ;
    side_flush(&p.s, 2);
    ck_assert_uint_eq(count_frames(&p.s, 2, TWS_FRAME_DEAD, 1), 1);
    pair_pass(&p, 100 * MS, 5 * MS);
    ck_assert(!p.c.closed && !p.s.closed);
    ck_assert_uint_eq(tws_session_stats(p.s.s).links_lost, 1);
    ck_assert_uint_eq(tws_session_stats(p.c.s).links, 2);
}
END_TEST

/* Pings links 0 and 1, and nobody answers for a second. */
static void suspect_both(void)
{
    tws_session_probe(p.c.s, p.c.link[0], p.c.now);
    tws_session_probe(p.c.s, p.c.link[1], p.c.now);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    side_tick(&p.c, SEC);
    ck_assert(tws_link_stats(p.c.link[0]).suspect && tws_link_stats(p.c.link[1]).suspect);
}

START_TEST(a_dead_keeps_off_suspect_links_unless_there_are_only_such)
{
    pair_link(&p, 2);
    pair_run(&p);
    suspect_both();
    if (_i == 0) {
        side_lose(&p.c, 2);
        side_flush(&p.c, 0);
        ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DEAD, 3), 1);
        return;
    }
    side_lose(&p.c, 0);
    ck_assert(!tws_session_wants_write(p.c.s, p.c.link[1], p.c.now));
    side_flush(&p.c, 1);
    ck_assert_uint_eq(count_frames(&p.c, 1, TWS_FRAME_DEAD, 1), 0);
    side_flush(&p.c, 2);
    ck_assert_uint_eq(count_frames(&p.c, 2, TWS_FRAME_DEAD, 1), 1);
}
END_TEST

/* What it had in flight is nothing, so that no ACK says it. */
START_TEST(what_is_stuck_goes_again_when_another_link_answers_after_all)
{
    struct app *a = side_open(&p.c, 0, false);

    pair_link(&p, 2);
    pair_pass(&p, 100 * MS, 5 * MS);
    tws_session_probe(p.c.s, p.c.link[1], p.c.now);
    side_flush(&p.c, 1);
    side_tick(&p.c, 10 * MS);
    side_send(&p.c, a, 1000, false);
    side_lose(&p.c, 2);
    side_flush(&p.c, 0);
    side_tick(&p.c, SEC - 10 * MS);
    side_tick(&p.c, 10 * MS);
    ck_assert(tws_session_stalled(p.c.s));
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DATA, a->id), 1);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DEAD, 3), 1);
    deliver(&p.c, &p.s, 1);
    side_flush(&p.s, 1);
    deliver(&p.s, &p.c, 1);
    ck_assert(!tws_session_stalled(p.c.s));
    side_flush(&p.c, 1);
    ck_assert_uint_eq(count_frames(&p.c, 1, TWS_FRAME_DATA, a->id), 1);
    ck_assert_uint_eq(count_frames(&p.c, 1, TWS_FRAME_DEAD, 3), 1);
}
END_TEST

/* ---- the end, over what still answers ---- */

/* Link 0 swallows what the client sends. */
static void pass_while_link_0_swallows(uint64_t us)
{
    for (uint64_t t = 0; t < us; t += 10 * MS) {
        side_flush(&p.c, 0);
        side_flush(&p.c, 1);
        while (deliver(&p.c, &p.s, 1))
            ;
        side_flush(&p.s, 1);
        while (deliver(&p.s, &p.c, 1))
            ;
        pair_tick(&p, 10 * MS);
    }
}

static void take_from_server(const struct app *a, uint64_t n, bool fin)
{
    side_send(&p.s, side_app(&p.s, a->id), n, fin);
    do {
        side_flush(&p.s, 0);
        side_flush(&p.s, 1);
    } while (deliver(&p.s, &p.c, 0) || deliver(&p.s, &p.c, 1));
}

enum { BYTES, BYTES_AND_CREDIT, BYTES_AND_A_RESET };

START_TEST(what_was_acknowledged_as_a_copy_keeps_nobody_waiting)
{
    struct app *a = side_open(&p.c, 0, false), *b = side_open(&p.c, 0, false);
    bool all = _i != BYTES_AND_A_RESET;

    if (_i == BYTES_AND_A_RESET)
        b = side_open(&p.c, 0, false); /* of link 0, as the first */
    pair_pass(&p, 100 * MS, 5 * MS);
    if (_i == BYTES_AND_CREDIT) {
        take_from_server(a, 100000, false);
        side_flush(&p.c, 0);
        ck_assert_uint_gt(count_frames(&p.c, 0, TWS_FRAME_WINDOW, a->id), 0);
        take_from_server(a, 0, true);
    }
    if (_i == BYTES_AND_A_RESET)
        tws_channel_reset(b->ch, TWS_CODE_TARGET_RESET, NULL, p.c.now);
    side_send(&p.c, a, 1000, true);
    side_flush(&p.c, 0);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_RESET, b->id), !all);
    pass_while_link_0_swallows(SEC - 10 * MS);
    ck_assert(!tws_session_acknowledged(p.c.s) && !tws_session_settled(p.c.s, p.c.now));
    pass_while_link_0_swallows(40 * MS);
    ck_assert_uint_gt(tws_link_stats(p.c.link[0]).in_flight, 0);
    ck_assert_int_eq(tws_session_acknowledged(p.c.s), all);
    ck_assert_int_eq(tws_session_settled(p.c.s, p.c.now), all);
}
END_TEST

/* Until it is acknowledged there, a copy is worth no more than what it was copied from. */
START_TEST(a_copy_on_its_way_is_not_settled)
{
    struct app *a = side_open(&p.c, 0, false);

    pair_pass(&p, 100 * MS, 5 * MS);
    side_send(&p.c, a, 1000, true);
    side_flush(&p.c, 0);
    side_tick(&p.c, SEC);
    side_flush(&p.c, 1);
    ck_assert_uint_eq(count_frames(&p.c, 1, TWS_FRAME_DATA, a->id), 1);
    ck_assert(!tws_session_acknowledged(p.c.s));
    side_lose(&p.c, 1);
    ck_assert(!tws_session_acknowledged(p.c.s));
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
    tcase_add_loop_test(tc, deads_that_cross_over_half_open_links_go_again_over_a_third, 0, 2);
    tcase_add_test(tc, a_dead_that_comes_a_second_time_is_ignored);
    tcase_add_loop_test(tc, a_dead_keeps_off_suspect_links_unless_there_are_only_such, 0, 2);
    tcase_add_test(tc, what_is_stuck_goes_again_when_another_link_answers_after_all);
    tcase_add_loop_test(tc, what_was_acknowledged_as_a_copy_keeps_nobody_waiting, BYTES,
                        BYTES_AND_A_RESET + 1);
    tcase_add_test(tc, a_copy_on_its_way_is_not_settled);
    return run_suite("session probe", tc);
}

/*
 * test_session_life.c - signs of life: heartbeats, suspicion, giving up, grace, and what a link
 * that only lives costs.
 */
#include "linked.h"
#include "suite.h"

static void check_heartbeats(struct side *d, uint64_t interval)
{
    struct tws_frame f;

    side_forget(d);
    side_tick(d, interval - 1);
    side_flush(d, 0);
    ck_assert(!find_frame(d, 0, TWS_FRAME_PING, 0, 0, &f));
    ck_assert_uint_eq(tws_session_deadline(d->s), d->now + 1);
    side_tick(d, 1);
    side_flush(d, 0);
    ck_assert(find_frame(d, 0, TWS_FRAME_PING, 0, 0, &f));
    side_tick(d, interval);
    ck_assert_ptr_nonnull(d->link[0]);
    side_tick(d, interval);
    ck_assert_ptr_null(d->link[0]);
    ck_assert_uint_eq(event(d, TWS_EVENT_LINK_LOST)->code, TWS_CODE_TIMEOUT);
}

START_TEST(a_silent_link_is_pinged_and_given_up_after_two_missed_heartbeats)
{
    check_heartbeats(_i == 0 ? &p.c : &p.s, 15 * SEC);
}
END_TEST

START_TEST(any_byte_is_a_sign_of_life)
{
    for (int i = 0; i < 10; i++) {
        side_tick(&p.c, 14 * SEC);
        tws_session_link_heard(p.c.link[0], p.c.now);
    }
    side_flush(&p.c, 0);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_PING, 0), 0);
    ck_assert_ptr_nonnull(p.c.link[0]);
}
END_TEST

START_TEST(an_idle_pair_stays_up_by_pings_and_measures_the_round_trip)
{
    pair_pass(&p, 600 * SEC, 5 * SEC);
    ck_assert_ptr_nonnull(p.c.link[0]);
    ck_assert_ptr_nonnull(p.s.link[0]);
    side_tick(&p.c, 15 * SEC);
    side_flush(&p.c, 0);
    deliver(&p.c, &p.s, 0);
    p.c.now += 40 * MS;
    side_flush(&p.s, 0);
    while (deliver(&p.s, &p.c, 0))
        continue;
    ck_assert_uint_gt(tws_link_stats(p.c.link[0]).srtt_us, 0);
}
END_TEST

START_TEST(only_one_pong_is_pending_and_echoes_the_last_ping)
{
    for (uint64_t i = 1; i <= 5; i++)
        send_frame(&p.s, 0, (struct tws_frame){.type = TWS_FRAME_PING, .offset = i});
    p.s.now += 3000;
    side_flush(&p.s, 0);
    ck_assert_uint_eq(count_frames(&p.s, 0, TWS_FRAME_PONG, 0), 1);
    ck_assert_uint_eq(frame_on(&p.s, 0, TWS_FRAME_PONG).offset, 5);
    ck_assert_uint_eq(tws_get32(frame_on(&p.s, 0, TWS_FRAME_PONG).payload), 3000);
}
END_TEST

START_TEST(without_progress_a_link_is_suspect_after_1_s_and_lost_after_10)
{
    struct app *a = side_open(&p.c, 1000, false);

    side_flush(&p.c, 0);
    side_tick(&p.c, SEC - 1);
    ck_assert(!tws_link_stats(p.c.link[0]).suspect);
    side_tick(&p.c, 1);
    ck_assert(tws_link_stats(p.c.link[0]).suspect);
    for (int i = 0; i < 8; i++) {
        side_tick(&p.c, SEC);
        tws_session_link_heard(p.c.link[0], p.c.now); /* life is not progress */
    }
    side_tick(&p.c, SEC - 1);
    ck_assert_ptr_nonnull(p.c.link[0]);
    side_tick(&p.c, 1);
    ck_assert_ptr_null(p.c.link[0]);
    pair_link(&p, 1);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 1000);
}
END_TEST

START_TEST(progress_ends_suspicion)
{
    side_open(&p.c, 1000, false);
    side_flush(&p.c, 0);
    side_tick(&p.c, 5 * SEC);
    ck_assert(tws_link_stats(p.c.link[0]).suspect);
    p.s.now = p.c.now;
    while (deliver(&p.c, &p.s, 0))
        continue;
    side_tick(&p.s, 20 * MS);
    side_flush(&p.s, 0);
    while (deliver(&p.s, &p.c, 0))
        continue;
    ck_assert(!tws_link_stats(p.c.link[0]).suspect);
    side_tick(&p.c, 6 * SEC);
    ck_assert_ptr_nonnull(p.c.link[0]);
}
END_TEST

START_TEST(grace_over_ends_the_session_with_code_12)
{
    struct side *d = _i == 0 ? &p.c : &p.s;

    side_lose(d, 0);
    ck_assert_uint_eq(tws_session_deadline(d->s), d->now + 120 * SEC);
    side_tick(d, 120 * SEC - 1);
    ck_assert(!d->closed);
    side_tick(d, 1);
    ck_assert(d->closed);
    ck_assert_uint_eq(d->code, TWS_CODE_TIMEOUT);
}
END_TEST

START_TEST(links_that_never_speak_do_not_prolong_grace)
{
    side_lose(&p.s, 0);
    for (unsigned i = 1; i < 16 && !p.s.closed; i++) {
        ck_assert_int_eq(side_link(&p.s, i), TWS_OK);
        side_tick(&p.s, 10 * SEC);
        ck_assert_ptr_null(p.s.link[i]);
    }
    ck_assert(p.s.closed);
}
END_TEST

START_TEST(a_server_says_nothing_on_a_link_before_the_client)
{
    ck_assert_int_eq(side_link(&p.s, 1), TWS_OK);
    side_lose(&p.s, 0);
    side_flush(&p.s, 1);
    ck_assert_uint_eq(p.s.tail[1], 0);
    ck_assert(!tws_session_wants_write(p.s.s, p.s.link[1], p.s.now));
}
END_TEST

START_TEST(seventeen_links_are_one_too_many)
{
    for (unsigned i = 1; i < 16; i++)
        ck_assert_int_eq(side_link(&p.c, i), TWS_OK);
    ck_assert_int_eq(side_link(&p.c, 16), TWS_FULL);
    ck_assert_uint_eq(tws_session_stats(p.c.s).links, 16);
}
END_TEST

START_TEST(an_idle_link_keeps_no_log)
{
    pair_pass(&p, 61 * SEC, 5 * SEC);
    ck_assert_uint_lt(tws_session_stats(p.c.s).memory, 4096);
    ck_assert_uint_lt(tws_session_stats(p.s.s).memory, 4096);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session life");
    tcase_set_timeout(tc, 20);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, an_idle_link_keeps_no_log);
    tcase_add_loop_test(tc, a_silent_link_is_pinged_and_given_up_after_two_missed_heartbeats, 0, 2);
    tcase_add_test(tc, any_byte_is_a_sign_of_life);
    tcase_add_test(tc, an_idle_pair_stays_up_by_pings_and_measures_the_round_trip);
    tcase_add_test(tc, only_one_pong_is_pending_and_echoes_the_last_ping);
    tcase_add_test(tc, without_progress_a_link_is_suspect_after_1_s_and_lost_after_10);
    tcase_add_test(tc, progress_ends_suspicion);
    tcase_add_loop_test(tc, grace_over_ends_the_session_with_code_12, 0, 2);
    tcase_add_test(tc, links_that_never_speak_do_not_prolong_grace);
    tcase_add_test(tc, a_server_says_nothing_on_a_link_before_the_client);
    tcase_add_test(tc, seventeen_links_are_one_too_many);
    return run_suite("session life", tc);
}

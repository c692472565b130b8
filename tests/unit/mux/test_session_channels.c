/* test_session_channels.c - the lives of channels between two sessions, through the public calls.
 */
#include "linked.h"
#include "suite.h"

static struct app *open_channel(void)
{
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    ck_assert(a->opened);
    return a;
}

static void check_gone(const struct app *a)
{
    ck_assert_ptr_null(a->ch);
    ck_assert_ptr_null(other(&p.s, a)->ch);
    ck_assert_uint_eq(tws_session_stats(p.c.s).channels, 0);
    ck_assert_uint_eq(tws_session_stats(p.s.s).channels, 0);
}

START_TEST(megabytes_cross_both_ways_and_the_channel_is_gone_after_both_fins)
{
    struct app *a = side_open(&p.c, 5000000, true);

    pair_run(&p);
    side_send(&p.s, other(&p.s, a), 3000000, true);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 5000000);
    ck_assert_uint_eq(a->got, 3000000);
    check_gone(a);
    ck_assert_uint_eq(tws_session_stats(p.c.s).bytes_sent, 5000000);
    ck_assert_uint_eq(tws_session_stats(p.c.s).bytes_received, 3000000);
}
END_TEST

START_TEST(a_half_closed_channel_goes_on_the_other_way)
{
    struct app *a = side_open(&p.c, 10, true);

    pair_run(&p);
    struct app *b = other(&p.s, a);
    ck_assert(b->ended);
    ck_assert(!a->ended);
    side_send(&p.s, b, 700000, false);
    pair_run(&p);
    ck_assert_uint_eq(a->got, 700000);
    side_send(&p.s, b, 1, true);
    pair_run(&p);
    ck_assert_uint_eq(a->got, 700001);
    check_gone(a);
}
END_TEST

START_TEST(the_server_opens_even_channels)
{
    struct app *a = side_open(&p.s, 1000, true);

    ck_assert_uint_eq(a->id, 2);
    pair_run(&p);
    struct app *b = other(&p.c, a);
    ck_assert_uint_eq(b->got, 1000);
    side_send(&p.c, b, 2000, true);
    pair_run(&p);
    ck_assert_uint_eq(a->got, 2000);
    ck_assert_ptr_null(a->ch);
}
END_TEST

START_TEST(open_carries_its_payload_and_opened_its_own)
{
    static const uint8_t bound[] = {1, 10, 0, 0, 1, 0, 99};

    p.s.refuse = true; /* answered below */
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    ck_assert_uint_eq(event(&p.s, TWS_EVENT_OPEN)->n, 8);
    ck_assert_uint_eq(event(&p.s, TWS_EVENT_OPEN)->payload[7], 80);
    tws_channel_accept(other(&p.s, a)->ch, (struct tws_span){bound, sizeof bound}, p.s.now);
    side_events(&p.s);
    pair_run(&p);
    ck_assert_uint_eq(event(&p.c, TWS_EVENT_OPENED)->n, sizeof bound);
    ck_assert_mem_eq(event(&p.c, TWS_EVENT_OPENED)->payload, bound, sizeof bound);
}
END_TEST

START_TEST(a_refusal_is_a_reset_with_code_and_text)
{
    p.s.refuse = true;
    struct app *a = side_open(&p.c, 100, false);
    pair_run(&p);
    tws_channel_reset(other(&p.s, a)->ch, TWS_CODE_REFUSED, "connection refused", p.s.now);
    side_events(&p.s);
    pair_run(&p);
    const struct seen *e = event(&p.c, TWS_EVENT_RESET);
    ck_assert_uint_eq(e->code, TWS_CODE_REFUSED);
    ck_assert_uint_eq(e->n, 18);
    ck_assert_mem_eq(e->payload, "connection refused", 18);
    ck_assert(!a->opened);
    check_gone(a);
}
END_TEST

START_TEST(a_long_text_of_a_reset_is_cut_at_128_bytes)
{
    struct app *a = open_channel();
    char text[400];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tws_channel_reset(a->ch, TWS_CODE_TARGET_RESET, text, p.c.now);
    pair_run(&p);
    ck_assert_uint_eq(event(&p.s, TWS_EVENT_RESET)->n, 128);
    check_gone(a);
}
END_TEST

START_TEST(a_reset_is_handed_on_after_the_bytes_before_it)
{
    struct app *a = open_channel();

    side_send(&p.c, a, 5000, false);
    side_flush(&p.c, 0);
    tws_channel_reset(a->ch, TWS_CODE_TARGET_RESET, NULL, p.c.now);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 5000);
    ck_assert(other(&p.s, a)->reset && other(&p.s, a)->ended);
    check_gone(a);
}
END_TEST

START_TEST(a_reset_is_answered_exactly_once)
{
    struct app *a = open_channel();

    side_forget(&p.s);
    tws_channel_reset(a->ch, TWS_CODE_TARGET_RESET, NULL, p.c.now);
    tws_channel_reset(a->ch, TWS_CODE_IDLE, NULL, p.c.now);
    side_flush(&p.c, 0);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_RESET, a->id), 1);
    deliver(&p.c, &p.s, 0);
    ck_assert_uint_eq(event(&p.s, TWS_EVENT_RESET)->code, TWS_CODE_TARGET_RESET);
    side_flush(&p.s, 0);
    ck_assert_uint_eq(count_frames(&p.s, 0, TWS_FRAME_RESET, a->id), 1);
    pair_run(&p);
    check_gone(a);
}
END_TEST

START_TEST(resets_that_cross_release_both_ends)
{
    struct app *a = open_channel();

    tws_channel_reset(a->ch, TWS_CODE_TARGET_RESET, NULL, p.c.now);
    tws_channel_reset(other(&p.s, a)->ch, TWS_CODE_IDLE, NULL, p.s.now);
    side_flush(&p.c, 0);
    side_flush(&p.s, 0);
    pair_run(&p);
    check_gone(a);
    ck_assert(!p.c.closed && !p.s.closed);
}
END_TEST

START_TEST(a_reset_of_a_channel_that_is_not_open_yet_goes_behind_its_open)
{
    struct app *a = side_open(&p.c, 0, false);

    tws_channel_reset(a->ch, TWS_CODE_SHUTDOWN, NULL, p.c.now);
    pair_run(&p);
    ck_assert(!p.s.closed);
    check_gone(a);
}
END_TEST

START_TEST(stop_makes_the_peer_send_fin_and_nothing_more)
{
    struct app *a = open_channel(), *b = other(&p.s, a);

    side_send(&p.s, b, 100, false);
    pair_run(&p);
    side_forget(&p.c);
    tws_channel_stop(a->ch, TWS_CODE_SHUTDOWN, p.c.now);
    side_flush(&p.c, 0);
    struct tws_frame f;
    ck_assert(find_frame(&p.c, 0, TWS_FRAME_STOP, a->id, 0, &f));
    ck_assert_uint_eq(f.offset, 100); /* bytes consumed */
    deliver(&p.c, &p.s, 0);
    side_send(&p.s, b, 5000, false);
    pair_run(&p);
    ck_assert(b->stopped);
    ck_assert_uint_eq(event(&p.s, TWS_EVENT_STOPPED)->code, TWS_CODE_SHUTDOWN);
    ck_assert_uint_eq(b->sent, 100);
    ck_assert_uint_eq(a->got, 100);
    side_send(&p.c, a, 10, true);
    pair_run(&p);
    ck_assert_uint_eq(b->got, 10);
    check_gone(a);
}
END_TEST

START_TEST(what_comes_after_stop_is_thrown_away)
{
    struct app *a = open_channel(), *b = other(&p.s, a);

    side_send(&p.s, b, 50000, false);
    side_flush(&p.s, 0);
    tws_channel_stop(a->ch, TWS_CODE_NONE, p.c.now);
    size_t before = tws_session_stats(p.c.s).memory;
    while (deliver(&p.s, &p.c, 0))
        continue;
    ck_assert_uint_eq(a->got, 0);
    ck_assert_uint_le(tws_session_stats(p.c.s).memory, before);
    ck_assert(!p.c.closed);
}
END_TEST

START_TEST(early_data_arrives_with_open_and_no_more_than_allowed)
{
    struct app *a = side_open(&p.c, 100000, false);
    struct tws_frame f;

    side_flush(&p.c, 0);
    ck_assert_uint_eq(a->sent, 4096);
    ck_assert_uint_eq(p.c.tail[0] - p.c.head[0], 1); /* one message with OPEN */
    ck_assert(find_frame(&p.c, 0, TWS_FRAME_DATA, a->id, 0, &f));
    p.s.refuse = true;
    deliver(&p.c, &p.s, 0);
    ck_assert_uint_eq(other(&p.s, a)->got, 4096);
    send_frame(
        &p.s, 0,
        (struct tws_frame){.type = TWS_FRAME_DATA, .channel = a->id, .offset = 4096, .len = 1});
    ck_assert_uint_eq(p.s.code, TWS_CODE_FLOW);
}
END_TEST

START_TEST(the_answering_side_sends_nothing_before_it_accepted)
{
    p.s.refuse = true;
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    struct app *b = other(&p.s, a);
    side_send(&p.s, b, 1000, false);
    side_flush(&p.s, 0);
    ck_assert_uint_eq(count_frames(&p.s, 0, TWS_FRAME_DATA, a->id), 0);
    tws_channel_accept(b->ch, (struct tws_span){NULL, 0}, p.s.now);
    pair_run(&p);
    ck_assert_uint_eq(a->got, 1000);
}
END_TEST

START_TEST(accepting_what_the_peer_reset_meanwhile_does_nothing)
{
    p.s.refuse = true;
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    side_forget(&p.s);
    tws_channel_reset(a->ch, TWS_CODE_SHUTDOWN, NULL, p.c.now);
    side_flush(&p.c, 0);
    struct app *b = other(&p.s, a);
    b->paused = true;
    deliver(&p.c, &p.s, 0);
    ck_assert_ptr_nonnull(b->ch);
    tws_channel_accept(b->ch, (struct tws_span){NULL, 0}, p.s.now);
    side_flush(&p.s, 0);
    ck_assert_uint_eq(count_frames(&p.s, 0, TWS_FRAME_OPENED, a->id), 0);
    pair_run(&p);
    check_gone(a);
}
END_TEST

START_TEST(fin_goes_out_only_behind_the_last_byte)
{
    struct app *a = open_channel();
    struct tws_frame f = {0};

    side_send(&p.c, a, 100000, true);
    side_flush(&p.c, 0);
    unsigned n = count_frames(&p.c, 0, TWS_FRAME_DATA, a->id);
    for (unsigned i = 0; i < n; i++) {
        ck_assert(find_frame(&p.c, 0, TWS_FRAME_DATA, a->id, i, &f));
        ck_assert_int_eq(f.flags == TWS_FLAG_FIN, f.offset + f.len == 100000);
    }
    ck_assert_int_eq(f.flags, TWS_FLAG_FIN);
}
END_TEST

START_TEST(peek_says_blocked_then_bytes_then_absent)
{
    struct app *a = open_channel(), *b = other(&p.s, a);
    struct tws_span s;

    b->paused = true;
    ck_assert_int_eq(tws_channel_peek(b->ch, &s), TWS_BLOCKED);
    side_send(&p.c, a, 10, true);
    pair_run(&p);
    ck_assert(has_event(&p.s, TWS_EVENT_READABLE));
    ck_assert_int_eq(tws_channel_peek(b->ch, &s), TWS_OK);
    ck_assert_uint_eq(s.n, 10);
    tws_channel_consume(b->ch, 4, p.s.now);
    ck_assert_int_eq(tws_channel_peek(b->ch, &s), TWS_OK);
    ck_assert_uint_eq(s.n, 6);
    tws_channel_consume(b->ch, 6, p.s.now);
    ck_assert_int_eq(tws_channel_peek(b->ch, &s), TWS_ABSENT);
    ck_assert_uint_eq(tws_channel_stats(b->ch).received, 10);
    ck_assert_uint_eq(tws_channel_stats(a->ch).sent, 10);
}
END_TEST

START_TEST(readable_is_told_once_until_it_is_empty)
{
    struct app *a = open_channel(), *b = other(&p.s, a);

    b->paused = true;
    side_forget(&p.s);
    for (int i = 0; i < 5; i++) {
        side_send(&p.c, a, 10, false);
        side_flush(&p.c, 0);
        deliver(&p.c, &p.s, 0);
    }
    ck_assert_uint_eq(p.s.nev, 1);
    app_read(&p.s, b);
    ck_assert_uint_eq(b->got, 50);
    side_send(&p.c, a, 10, false);
    side_flush(&p.c, 0);
    deliver(&p.c, &p.s, 0);
    ck_assert_uint_eq(p.s.nev, 2);
}
END_TEST

/* ---- drain and close ---- */

START_TEST(drain_says_goaway_refuses_opens_and_lets_channels_finish)
{
    struct app *a = open_channel();

    tws_session_drain(p.s.s, TWS_CODE_SHUTDOWN, 30000, p.s.now);
    struct app *late = side_open(&p.c, 0, false); /* on its way while GOAWAY is */
    pair_run(&p);
    ck_assert_uint_eq(event(&p.c, TWS_EVENT_GOAWAY)->code, TWS_CODE_SHUTDOWN);
    ck_assert_uint_eq(event(&p.c, TWS_EVENT_GOAWAY)->ms, 30000);
    ck_assert_ptr_null(late->ch);
    ck_assert_uint_eq(event(&p.c, TWS_EVENT_RESET)->code, TWS_CODE_SHUTDOWN);
    ck_assert(!tws_session_openable(p.c.s) && !tws_session_openable(p.s.s));
    ck_assert_ptr_null(side_open(&p.c, 0, false));
    ck_assert_ptr_null(side_open(&p.s, 0, false));
    side_send(&p.c, a, 100000, true);
    side_send(&p.s, other(&p.s, a), 100000, true);
    pair_run(&p);
    ck_assert_uint_eq(a->got, 100000);
    check_gone(a);
}
END_TEST

START_TEST(a_session_is_settled_when_its_last_bytes_were_acknowledged)
{
    struct app *a = open_channel();

    pair_pass(&p, SEC, 10 * MS);
    ck_assert(tws_session_settled(p.c.s, p.c.now) && tws_session_settled(p.s.s, p.s.now));
    side_send(&p.c, a, 1000, true);
    ck_assert(!tws_session_settled(p.c.s, p.c.now));
    side_flush(&p.c, 0);
    ck_assert(!tws_session_acknowledged(p.c.s));
    pair_cut(&p, 0); /* and with it what was on its way */
    ck_assert(!tws_session_acknowledged(p.c.s) && !tws_session_settled(p.c.s, p.c.now));
    pair_link(&p, 1);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 1000);
    pair_pass(&p, SEC, 10 * MS);
    ck_assert(tws_session_settled(p.c.s, p.c.now) && tws_session_settled(p.s.s, p.s.now));
}
END_TEST

START_TEST(who_owes_an_ack_is_not_settled)
{
    struct app *a = open_channel();

    pair_pass(&p, SEC, 10 * MS);
    side_send(&p.c, a, 10, false);
    side_flush(&p.c, 0);
    deliver(&p.c, &p.s, 0);
    ck_assert(tws_session_acknowledged(p.s.s) && !tws_session_settled(p.s.s, p.s.now));
}
END_TEST

START_TEST(a_stream_is_complete_when_its_end_and_all_before_it_are_here)
{
    struct app *a = open_channel(), *b = other(&p.s, a);
    uint64_t left;

    b->paused = true;
    side_send(&p.c, a, 1000, false);
    pair_run(&p);
    ck_assert(!tws_channel_complete(b->ch, &left));
    ck_assert_uint_eq(left, 1000);
    side_send(&p.c, a, 10, true);
    pair_run(&p);
    ck_assert(tws_channel_complete(b->ch, &left));
    ck_assert_uint_eq(left, 1010);
    side_send(&p.s, b, 0, true);
    pair_run(&p);
    tws_session_close(p.c.s, TWS_CODE_SHUTDOWN, NULL, p.c.now);
    side_flush(&p.c, 0);
    while (deliver(&p.c, &p.s, 0))
        continue;
    ck_assert(p.s.closed);
    ck_assert(tws_channel_complete(b->ch, &left)); /* its queue outlives the session's end */
    ck_assert_uint_eq(left, 1010);
    app_read(&p.s, b);
    ck_assert_uint_eq(b->got, 1010);
}
END_TEST

START_TEST(close_ends_both_sessions_with_its_code_and_text)
{
    open_channel();
    tws_session_close(p.c.s, TWS_CODE_REVOKED, "key removed", p.c.now);
    side_events(&p.c);
    ck_assert(p.c.closed);
    ck_assert_uint_eq(p.c.code, TWS_CODE_REVOKED);
    side_flush(&p.c, 0);
    while (deliver(&p.c, &p.s, 0))
        continue;
    ck_assert_uint_eq(p.s.code, TWS_CODE_REVOKED);
    ck_assert_mem_eq(event(&p.s, TWS_EVENT_CLOSED)->payload, "key removed", 11);
    side_flush(&p.s, 0);
    ck_assert_uint_eq(count_frames(&p.s, 0, TWS_FRAME_CLOSE, 0), 0); /* not answered */
}
END_TEST

START_TEST(a_session_can_be_freed_at_any_moment)
{
    struct app *a = open_channel();
    struct tws_pull pull;

    side_send(&p.s, other(&p.s, a), 100000, false);
    side_flush(&p.s, 0);
    a->paused = true;
    deliver(&p.s, &p.c, 0);
    side_send(&p.c, a, 100000, false);
    pair_cut(&p, 0);
    pair_link(&p, 1);
    side_flush(&p.c, 1);
    side_open(&p.c, 10, true);
    /* In the middle of a message. */
    ck_assert(tws_session_pull(p.c.s, p.c.link[1], p.c.now, &pull));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session channels");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, megabytes_cross_both_ways_and_the_channel_is_gone_after_both_fins);
    tcase_add_test(tc, a_half_closed_channel_goes_on_the_other_way);
    tcase_add_test(tc, the_server_opens_even_channels);
    tcase_add_test(tc, open_carries_its_payload_and_opened_its_own);
    tcase_add_test(tc, a_refusal_is_a_reset_with_code_and_text);
    tcase_add_test(tc, a_long_text_of_a_reset_is_cut_at_128_bytes);
    tcase_add_test(tc, a_reset_is_handed_on_after_the_bytes_before_it);
    tcase_add_test(tc, a_reset_is_answered_exactly_once);
    tcase_add_test(tc, resets_that_cross_release_both_ends);
    tcase_add_test(tc, a_reset_of_a_channel_that_is_not_open_yet_goes_behind_its_open);
    tcase_add_test(tc, stop_makes_the_peer_send_fin_and_nothing_more);
    tcase_add_test(tc, what_comes_after_stop_is_thrown_away);
    tcase_add_test(tc, early_data_arrives_with_open_and_no_more_than_allowed);
    tcase_add_test(tc, the_answering_side_sends_nothing_before_it_accepted);
    tcase_add_test(tc, accepting_what_the_peer_reset_meanwhile_does_nothing);
    tcase_add_test(tc, fin_goes_out_only_behind_the_last_byte);
    tcase_add_test(tc, peek_says_blocked_then_bytes_then_absent);
    tcase_add_test(tc, readable_is_told_once_until_it_is_empty);
    tcase_add_test(tc, drain_says_goaway_refuses_opens_and_lets_channels_finish);
    tcase_add_test(tc, a_session_is_settled_when_its_last_bytes_were_acknowledged);
    tcase_add_test(tc, who_owes_an_ack_is_not_settled);
    tcase_add_test(tc, a_stream_is_complete_when_its_end_and_all_before_it_are_here);
    tcase_add_test(tc, close_ends_both_sessions_with_its_code_and_text);
    tcase_add_test(tc, a_session_can_be_freed_at_any_moment);
    return run_suite("session channels", tc);
}

/*
 * test_session_links.c - links die, are settled, and nothing is lost: DEAD, ACK, the log,
 * stickiness.
 */
#include "linked.h"
#include "suite.h"

/* ---- DEAD ---- */

START_TEST(what_a_dead_link_did_not_deliver_goes_over_another)
{
    struct app *a = side_open(&p.c, 0, false);

    pair_run(&p);
    pair_link(&p, 1);
    side_send(&p.c, a, 500000, true);
    side_flush(&p.c, 0);
    for (int n = 0; n < _i; n++)
        deliver(&p.c, &p.s, 0);
    pair_cut(&p, 0);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 500000);
    ck_assert(other(&p.s, a)->ended);
    ck_assert_uint_gt(tws_session_stats(p.c.s).resent_messages, 0);
    ck_assert_uint_eq(tws_session_stats(p.c.s).links_lost, 1);
}
END_TEST

/* How far the server's OPEN gets before its link dies: not written, written, delivered. */
START_TEST(a_channel_that_the_server_opens_outlives_its_link)
{
    pair_link(&p, 1);
    pair_run(&p);
    side_forget(&p.c);
    struct app *a = side_open(&p.s, 300000, true);

    if (_i > 0)
        for (unsigned i = 0; i < 2; i++)
            side_flush(&p.s, i);
    if (_i > 1)
        for (unsigned i = 0; i < 2; i++)
            deliver(&p.s, &p.c, i);
    pair_cut(&p, 0);
    pair_run(&p);
    pair_cut(&p, 1);
    pair_link(&p, 2);
    pair_run(&p);
    ck_assert(a->opened);
    struct app *b = other(&p.c, a);
    ck_assert_uint_eq(b->got, 300000);
    ck_assert_uint_eq(a->id % 2, 0);
    side_send(&p.c, b, 200000, true);
    pair_run(&p);
    ck_assert_uint_eq(a->got, 200000);
    ck_assert_ptr_null(a->ch);
    ck_assert_uint_eq(tws_session_stats(p.c.s).channels, 0);
    ck_assert_uint_eq(tws_session_stats(p.s.s).channels, 0);
}
END_TEST

/* As while a session is suspended. */
START_TEST(the_server_opens_without_a_link_and_the_next_link_carries_it)
{
    pair_cut(&p, 0);
    pair_run(&p);
    struct app *a = side_open(&p.s, 1000, true);
    side_tick(&p.s, SEC);
    side_tick(&p.c, SEC);
    pair_link(&p, 1);
    pair_run(&p);
    ck_assert(a->opened);
    ck_assert_uint_eq(other(&p.c, a)->got, 1000);
}
END_TEST

START_TEST(a_session_without_links_waits_and_goes_on_with_the_next)
{
    struct app *a = side_open(&p.c, 500000, true);

    side_flush(&p.c, 0);
    deliver(&p.c, &p.s, 0);
    side_send(&p.s, other(&p.s, a), 300000, true);
    side_flush(&p.s, 0);
    pair_cut(&p, 0);
    ck_assert(has_event(&p.c, TWS_EVENT_SUSPENDED) && has_event(&p.s, TWS_EVENT_SUSPENDED));
    pair_tick(&p, 60 * SEC);
    pair_link(&p, 1);
    ck_assert(has_event(&p.c, TWS_EVENT_RESUMED));
    pair_run(&p);
    ck_assert(has_event(&p.s, TWS_EVENT_RESUMED));
    ck_assert_uint_eq(a->got, 300000);
    ck_assert_uint_eq(other(&p.s, a)->got, 500000);
    ck_assert_ptr_null(a->ch);
    ck_assert_ptr_null(other(&p.s, a)->ch);
}
END_TEST

START_TEST(the_first_message_of_a_link_is_link_then_every_dead)
{
    pair_link(&p, 1);
    pair_run(&p);
    pair_cut(&p, 0);
    pair_cut(&p, 1);
    side_link(&p.c, 2);
    side_flush(&p.c, 2);
    struct tws_span m = p.c.out[2][0], left = m;
    static const uint8_t order[] = {TWS_FRAME_LINK, TWS_FRAME_DEAD, TWS_FRAME_DEAD};
    for (int i = 0; i < COUNT_OF(order); i++) {
        struct tws_frame f;
        size_t used;
        ck_assert_int_eq(tws_frame_decode(left, &f, &used), TWS_OK);
        ck_assert_uint_eq(f.type, order[i]);
        if (i > 0)
            ck_assert_uint_eq(f.channel, (unsigned)i);
        left.p += used;
        left.n -= used;
    }
}
END_TEST

START_TEST(dead_closes_the_peers_link_and_is_answered_once_with_its_number)
{
    struct tws_frame f;
    uint64_t messages = tws_link_stats(p.s.link[0]).messages_received;

    pair_link(&p, 1);
    pair_run(&p);
    side_forget(&p.s);
    side_lose(&p.c, 0); /* the server has not noticed */
    side_flush(&p.c, 1);
    f = frame_on(&p.c, 1, TWS_FRAME_DEAD);
    ck_assert_uint_eq(f.channel, 1);
    while (deliver(&p.c, &p.s, 1))
        continue;
    ck_assert_ptr_null(p.s.link[0]);
    ck_assert_uint_eq(event(&p.s, TWS_EVENT_LINK_LOST)->code, TWS_CODE_TIMEOUT);
    side_flush(&p.s, 1);
    f = frame_on(&p.s, 1, TWS_FRAME_DEAD);
    ck_assert_uint_eq(f.channel, 1);
    ck_assert_uint_eq(f.offset, messages);
    side_forget(&p.s);
    send_frame(&p.s, 1,
               (struct tws_frame){.type = TWS_FRAME_DEAD, .channel = 1, .offset = 1, .len = 2});
    side_flush(&p.s, 1);
    ck_assert(!p.s.closed);
    ck_assert_uint_eq(count_frames(&p.s, 1, TWS_FRAME_DEAD, UINT32_MAX), 0);
}
END_TEST

/* What the peer says it processed, of 3 messages of which 1 is acknowledged. */
START_TEST(dead_with_an_impossible_number_ends_the_session)
{
    static const struct {
        uint64_t number;
        bool fine;
    } cases[] = {{0, false}, {1, false}, {2, true}, {4, true}, {5, false}, {UINT64_MAX, false}};
    uint64_t sent;

    side_open(&p.c, 0, false);
    side_flush(&p.c, 0);
    side_open(&p.c, 0, false);
    side_flush(&p.c, 0);
    side_open(&p.c, 0, false);
    side_flush(&p.c, 0);
    sent = tws_link_stats(p.c.link[0]).messages_sent;
    ck_assert_uint_eq(sent, 4); /* LINK and three */
    pair_link(&p, 1);
    send_frame(&p.c, 0,
               (struct tws_frame){.type = TWS_FRAME_ACK, .channel = 1, .offset = 2, .len = 4});
    send_frame(&p.c, 1,
               (struct tws_frame){
                   .type = TWS_FRAME_DEAD, .channel = 1, .offset = cases[_i].number, .len = 2});
    ck_assert_int_eq(p.c.closed, !cases[_i].fine);
    ck_assert_uint_eq(p.c.code, cases[_i].fine ? 0 : TWS_CODE_PROTOCOL);
}
END_TEST

START_TEST(dead_for_an_unknown_link_is_answered_with_0_and_the_id_is_refused)
{
    struct tws_frame f;

    send_frame(&p.c, 0,
               (struct tws_frame){.type = TWS_FRAME_DEAD, .channel = 6, .offset = 0, .len = 2});
    side_flush(&p.c, 0);
    f = frame_on(&p.c, 0, TWS_FRAME_DEAD);
    ck_assert_uint_eq(f.channel, 6);
    ck_assert_uint_eq(f.offset, 0);
    side_forget(&p.c);
    send_frame(&p.c, 0,
               (struct tws_frame){.type = TWS_FRAME_DEAD, .channel = 6, .offset = 0, .len = 2});
    side_flush(&p.c, 0);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DEAD, UINT32_MAX), 0);
    ck_assert_int_eq(side_link(&p.c, 5), TWS_E_STATE);
    ck_assert(!p.c.closed);
}
END_TEST

START_TEST(dead_for_an_unknown_link_cannot_claim_messages)
{
    send_frame(&p.c, 0,
               (struct tws_frame){.type = TWS_FRAME_DEAD, .channel = 6, .offset = 3, .len = 2});
    ck_assert(p.c.closed);
    ck_assert_uint_eq(p.c.code, TWS_CODE_PROTOCOL);
}
END_TEST

START_TEST(an_id_is_never_used_twice)
{
    ck_assert_int_eq(side_link(&p.c, 0), TWS_E_STATE);
    pair_link(&p, 1);
    pair_run(&p);
    pair_cut(&p, 1);
    pair_run(&p);
    ck_assert_int_eq(side_link(&p.c, 1), TWS_E_STATE);
    ck_assert_int_eq(side_link(&p.s, 1), TWS_E_STATE);
}
END_TEST

START_TEST(ack_and_dead_for_a_settled_link_are_ignored)
{
    pair_link(&p, 1);
    pair_run(&p);
    pair_cut(&p, 0);
    pair_pass(&p, 100 * MS, 20 * MS);
    send_frame(&p.c, 1,
               (struct tws_frame){.type = TWS_FRAME_ACK, .channel = 1, .offset = 9, .len = 4});
    send_frame(&p.c, 1,
               (struct tws_frame){.type = TWS_FRAME_DEAD, .channel = 1, .offset = 1, .len = 2});
    side_forget(&p.c);
    side_flush(&p.c, 1);
    ck_assert_uint_eq(count_frames(&p.c, 1, TWS_FRAME_DEAD, UINT32_MAX), 0);
    ck_assert(!p.c.closed);
}
END_TEST

START_TEST(a_dead_that_may_be_lost_with_its_link_is_sent_again)
{
    pair_link(&p, 1);
    pair_link(&p, 2);
    pair_run(&p);
    side_lose(&p.c, 0);
    side_flush(&p.c, 1);
    side_flush(&p.c, 2);
    unsigned via = count_frames(&p.c, 1, TWS_FRAME_DEAD, 1) > 0 ? 1 : 2, rest = 3 - via;
    side_lose(&p.c, via); /* with the DEAD in it */
    side_flush(&p.c, rest);
    ck_assert_uint_eq(count_frames(&p.c, rest, TWS_FRAME_DEAD, 1), 1);
    ck_assert_uint_eq(count_frames(&p.c, rest, TWS_FRAME_DEAD, via + 1), 1);
}
END_TEST

START_TEST(messages_sent_again_keep_their_order)
{
    struct app *a = side_open(&p.c, 40000, false);

    side_flush(&p.c, 0);
    side_send(&p.c, a, 40000, false);
    side_flush(&p.c, 0);
    side_send(&p.c, a, 40000, true);
    side_flush(&p.c, 0);
    unsigned messages = p.c.tail[0] - p.c.head[0];
    ck_assert_uint_gt(messages, 0);
    pair_cut(&p, 0);
    pair_link(&p, 1);
    side_flush(&p.c, 1);
    while (deliver(&p.c, &p.s, 1))
        continue;
    side_flush(&p.s, 1);
    while (deliver(&p.s, &p.c, 1))
        continue;
    side_flush(&p.c, 1);
    uint64_t last = 0;
    struct tws_frame f;
    for (unsigned n = 0; find_frame(&p.c, 1, TWS_FRAME_DATA, a->id, n, &f); n++) {
        ck_assert_uint_ge(f.offset, last);
        last = f.offset + f.len;
    }
    ck_assert(find_frame(&p.c, 1, TWS_FRAME_OPEN, a->id, 0, &f));
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 120000);
}
END_TEST

START_TEST(frames_of_the_dead_link_itself_are_not_sent_again)
{
    pair_link(&p, 1);
    pair_run(&p);
    struct app *a = side_open(&p.c, 100, false);
    pair_run(&p);
    side_send(&p.s, other(&p.s, a), 100, false);
    side_tick(&p.c, 15 * SEC);
    p.s.now = p.c.now;
    side_flush(&p.c, 0);
    deliver(&p.c, &p.s, 0);
    side_flush(&p.s, 0);
    side_flush(&p.s, 1);
    unsigned i = count_frames(&p.s, 0, TWS_FRAME_DATA, a->id) > 0 ? 0 : 1;
    struct tws_frame f;
    ck_assert(find_frame(&p.s, 0, TWS_FRAME_PONG, 0, 0, &f));
    pair_cut(&p, i);
    side_flush(&p.c, 1 - i); /* DEAD */
    while (deliver(&p.c, &p.s, 1 - i))
        continue;
    side_flush(&p.s, 1 - i);
    ck_assert_uint_eq(count_frames(&p.s, 1 - i, TWS_FRAME_DATA, a->id), 1);
    ck_assert_uint_ge(count_frames(&p.s, 1 - i, TWS_FRAME_PADDING, UINT32_MAX),
                      1); /* in their place */
    pair_run(&p);
    ck_assert_uint_eq(a->got, 100);
    ck_assert(!p.c.closed);
}
END_TEST

START_TEST(links_of_an_idle_session_may_die_for_ever_and_leave_no_memory)
{
    size_t before = 0;

    for (uint32_t id = 2; id < 300; id++) {
        struct tws_link_config cfg = {.id = id, .user = (void *)(uintptr_t)(id % 2)};
        ck_assert_int_eq(tws_session_link_add(p.s.s, &cfg, p.s.now, &p.s.link[id % 2 + 1]), TWS_OK);
        ck_assert_int_eq(tws_session_link_add(p.c.s, &cfg, p.c.now, &p.c.link[id % 2 + 1]), TWS_OK);
        pair_cut(&p, id == 2 ? 0 : (id - 1) % 2 + 1);
        pair_pass(&p, 20 * MS, 10 * MS);
        ck_assert(!p.c.closed && !p.s.closed);
        if (id == 10)
            before = tws_session_stats(p.c.s).memory;
    }
    ck_assert_uint_le(tws_session_stats(p.c.s).memory, before);
}
END_TEST

/* ---- sticky until known ---- */

START_TEST(nothing_of_a_channel_overtakes_its_open_on_another_link)
{
    pair_link(&p, 1);
    pair_run(&p);
    struct app *a = side_open(&p.c, 4000, false);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    unsigned i = count_frames(&p.c, 0, TWS_FRAME_OPEN, a->id) == 1 ? 0 : 1;
    ck_assert_uint_eq(count_frames(&p.c, i, TWS_FRAME_OPEN, a->id), 1);
    ck_assert_uint_eq(count_frames(&p.c, i, TWS_FRAME_DATA, a->id), 1);
    /* The link with OPEN is gone on this side, its fate unknown: the channel is silent. */
    side_lose(&p.c, i);
    side_send(&p.c, a, 10, false);
    tws_channel_reset(a->ch, TWS_CODE_SHUTDOWN, NULL, p.c.now);
    side_flush(&p.c, 1 - i);
    ck_assert_uint_eq(count_frames(&p.c, 1 - i, TWS_FRAME_DATA, a->id), 0);
    ck_assert_uint_eq(count_frames(&p.c, 1 - i, TWS_FRAME_RESET, a->id), 0);
    ck_assert_uint_eq(count_frames(&p.c, 1 - i, TWS_FRAME_OPEN, a->id), 0);
    /* The peer says it processed nothing of it: OPEN comes again, then the rest. */
    pair_run(&p);
    ck_assert(!p.s.closed);
    ck_assert_ptr_null(a->ch);
    ck_assert_ptr_null(other(&p.s, a)->ch);
}
END_TEST

START_TEST(an_open_that_arrived_is_not_sent_again)
{
    pair_link(&p, 1);
    pair_run(&p);
    struct app *a = side_open(&p.c, 0, false);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    unsigned i = count_frames(&p.c, 0, TWS_FRAME_OPEN, a->id) == 1 ? 0 : 1;
    while (deliver(&p.c, &p.s, i))
        continue;
    side_lose(&p.c, i); /* OPENED is still on the other side */
    pair_run(&p);
    ck_assert(!p.s.closed && !p.c.closed);
    ck_assert(a->opened);
    side_send(&p.c, a, 1000, true);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 1000);
}
END_TEST

START_TEST(nothing_of_the_accepting_side_overtakes_opened)
{
    pair_link(&p, 1);
    pair_run(&p);
    struct app *a = side_open(&p.c, 0, false);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    while (deliver(&p.c, &p.s, 0) || deliver(&p.c, &p.s, 1))
        continue;
    struct app *b = other(&p.s, a);
    side_flush(&p.s, 0);
    side_flush(&p.s, 1);
    unsigned i = count_frames(&p.s, 0, TWS_FRAME_OPENED, a->id) == 1 ? 0 : 1;
    side_lose(&p.s, i);
    side_send(&p.s, b, 1000, true);
    side_flush(&p.s, 1 - i);
    ck_assert_uint_eq(count_frames(&p.s, 1 - i, TWS_FRAME_DATA, a->id), 0);
    pair_run(&p);
    ck_assert(!p.c.closed);
    ck_assert(a->opened && a->ended);
    ck_assert_uint_eq(a->got, 1000);
}
END_TEST

START_TEST(once_known_a_channel_goes_on_over_any_link)
{
    pair_link(&p, 1);
    pair_run(&p);
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    side_send(&p.c, a, 1000, false);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    unsigned i = count_frames(&p.c, 0, TWS_FRAME_DATA, a->id) > 0 ? 0 : 1;
    side_lose(&p.c, i);
    side_send(&p.c, a, 1000, false);
    side_flush(&p.c, 1 - i);
    ck_assert_uint_eq(count_frames(&p.c, 1 - i, TWS_FRAME_DATA, a->id), 1);
    ck_assert_uint_eq(frame_on(&p.c, 1 - i, TWS_FRAME_DATA).offset, 1000);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 2000);
}
END_TEST

/* ---- ACK ---- */

static uint64_t acked(unsigned i)
{
    struct tws_frame f;
    return find_frame(&p.s, i, TWS_FRAME_ACK, i + 1, 0, &f) ? f.offset : 0;
}

START_TEST(an_ack_waits_ten_milliseconds)
{
    struct app *a = side_open(&p.c, 0, false);

    pair_pass(&p, 100 * MS, 5 * MS);
    side_send(&p.c, a, 100, false);
    side_flush(&p.c, 0);
    while (deliver(&p.c, &p.s, 0))
        continue;
    side_flush(&p.s, 0);
    ck_assert_uint_eq(acked(0), 0);
    ck_assert_uint_eq(tws_session_deadline(p.s.s), p.s.now + 10 * MS);
    side_tick(&p.s, 10 * MS - 1);
    side_flush(&p.s, 0);
    ck_assert_uint_eq(acked(0), 0);
    side_tick(&p.s, 1);
    side_flush(&p.s, 0);
    ck_assert_uint_eq(acked(0), tws_link_stats(p.s.link[0]).messages_received);
    ck_assert_uint_eq(tws_get32(frame_on(&p.s, 0, TWS_FRAME_ACK).payload), 10 * MS);
}
END_TEST

START_TEST(an_ack_comes_at_once_after_32_messages_or_64_kib_or_if_asked)
{
    struct app *a = side_open(&p.c, 0, false);
    int messages = 0;

    pair_pass(&p, 100 * MS, 5 * MS);
    do {
        side_send(&p.c, a, _i == 1 ? 30000 : 10, false);
        side_flush(&p.c, 0);
        deliver(&p.c, &p.s, 0);
        if (_i == 2)
            send_frame(
                &p.s, 0,
                (struct tws_frame){.type = TWS_FRAME_PING, .flags = TWS_FLAG_ACK_NOW, .offset = 1});
        messages++;
        side_flush(&p.s, 0);
    } while (acked(0) == 0 && messages < 100);
    ck_assert_int_eq(messages, _i == 0 ? 32 : _i == 1 ? 3 : 1);
}
END_TEST

START_TEST(an_ack_rides_first_in_a_message_that_goes_anyway)
{
    struct app *a = side_open(&p.c, 0, false);

    pair_pass(&p, 100 * MS, 5 * MS);
    side_send(&p.c, a, 100, false);
    side_flush(&p.c, 0);
    deliver(&p.c, &p.s, 0);
    side_send(&p.s, other(&p.s, a), 100, false);
    side_flush(&p.s, 0);
    ck_assert_uint_eq(p.s.tail[0] - p.s.head[0], 1);
    ck_assert_uint_eq(p.s.out[0][p.s.head[0] % PAIR_QUEUE].p[0], TWS_FRAME_ACK);
    ck_assert_uint_eq(count_frames(&p.s, 0, TWS_FRAME_DATA, a->id), 1);
}
END_TEST

START_TEST(a_client_asks_once_when_data_stops_and_tells_when_no_link_answers)
{
    struct app *a = side_open(&p.c, 0, false);

    pair_pass(&p, 100 * MS, 5 * MS);
    side_send(&p.s, other(&p.s, a), 100, false);
    pair_pass(&p, 100 * MS, 5 * MS);
    uint64_t pings = count_frames(&p.c, 0, TWS_FRAME_PING, UINT32_MAX);
    side_tick(&p.c, SEC);
    side_flush(&p.c, 0);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_PING, UINT32_MAX), pings + 1);
    ck_assert(!tws_session_stalled(p.c.s));
    side_tick(&p.c, SEC);
    ck_assert(tws_link_stats(p.c.link[0]).suspect);
    deliver(&p.c, &p.s, 0);
    side_flush(&p.s, 0);
    deliver(&p.s, &p.c, 0);
    ck_assert(!tws_link_stats(p.c.link[0]).suspect);
}
END_TEST

START_TEST(idle_sides_do_not_acknowledge_each_others_acks)
{
    side_open(&p.c, 0, false);
    pair_pass(&p, 3 * SEC, 5 * MS); /* the client has asked once whether the silence is one */
    uint64_t sent = tws_link_stats(p.c.link[0]).messages_sent;
    pair_pass(&p, SEC, 5 * MS);
    ck_assert_uint_eq(tws_link_stats(p.c.link[0]).messages_sent, sent);
}
END_TEST

START_TEST(an_ack_empties_the_log_up_to_its_number)
{
    struct app *a = side_open(&p.c, 0, false);

    pair_pass(&p, 100 * MS, 5 * MS);
    for (int i = 0; i < 3; i++) {
        side_send(&p.c, a, 1000, false);
        side_flush(&p.c, 0);
    }
    uint64_t sent = tws_link_stats(p.c.link[0]).messages_sent;
    ck_assert_uint_eq(tws_link_stats(p.c.link[0]).in_flight, 3 * 1016);
    for (uint64_t n = 2; n + 1 > 0 && n <= 2; n--) {
        send_frame(
            &p.c, 0,
            (struct tws_frame){.type = TWS_FRAME_ACK, .channel = 1, .offset = sent - n, .len = 4});
        ck_assert_uint_eq(tws_link_stats(p.c.link[0]).in_flight, n * 1016);
    }
}
END_TEST

START_TEST(a_deadline_that_was_kept_is_not_told_again)
{
    struct app *a = side_open(&p.c, 0, false);

    pair_pass(&p, 100 * MS, 5 * MS);
    side_send(&p.c, a, 100, false);
    side_flush(&p.c, 0);
    deliver(&p.c, &p.s, 0);
    /* The transport is full: the ACK is due, but a timer that fires at once for ever helps nobody.
     */
    side_tick(&p.s, 10 * MS);
    ck_assert_uint_gt(tws_session_deadline(p.s.s), p.s.now);
    ck_assert(tws_session_wants_write(p.s.s, p.s.link[0], p.s.now));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session links");
    tcase_set_timeout(tc, 20);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, what_a_dead_link_did_not_deliver_goes_over_another, 0, 6);
    tcase_add_loop_test(tc, a_channel_that_the_server_opens_outlives_its_link, 0, 3);
    tcase_add_test(tc, the_server_opens_without_a_link_and_the_next_link_carries_it);
    tcase_add_test(tc, a_session_without_links_waits_and_goes_on_with_the_next);
    tcase_add_test(tc, the_first_message_of_a_link_is_link_then_every_dead);
    tcase_add_test(tc, dead_closes_the_peers_link_and_is_answered_once_with_its_number);
    tcase_add_loop_test(tc, dead_with_an_impossible_number_ends_the_session, 0, 6);
    tcase_add_test(tc, dead_for_an_unknown_link_is_answered_with_0_and_the_id_is_refused);
    tcase_add_test(tc, dead_for_an_unknown_link_cannot_claim_messages);
    tcase_add_test(tc, an_id_is_never_used_twice);
    tcase_add_test(tc, ack_and_dead_for_a_settled_link_are_ignored);
    tcase_add_test(tc, a_dead_that_may_be_lost_with_its_link_is_sent_again);
    tcase_add_test(tc, messages_sent_again_keep_their_order);
    tcase_add_test(tc, frames_of_the_dead_link_itself_are_not_sent_again);
    tcase_add_test(tc, links_of_an_idle_session_may_die_for_ever_and_leave_no_memory);
    tcase_add_test(tc, nothing_of_a_channel_overtakes_its_open_on_another_link);
    tcase_add_test(tc, an_open_that_arrived_is_not_sent_again);
    tcase_add_test(tc, nothing_of_the_accepting_side_overtakes_opened);
    tcase_add_test(tc, once_known_a_channel_goes_on_over_any_link);
    tcase_add_test(tc, an_ack_waits_ten_milliseconds);
    tcase_add_loop_test(tc, an_ack_comes_at_once_after_32_messages_or_64_kib_or_if_asked, 0, 3);
    tcase_add_test(tc, an_ack_rides_first_in_a_message_that_goes_anyway);
    tcase_add_test(tc, a_client_asks_once_when_data_stops_and_tells_when_no_link_answers);
    tcase_add_test(tc, idle_sides_do_not_acknowledge_each_others_acks);
    tcase_add_test(tc, an_ack_empties_the_log_up_to_its_number);
    tcase_add_test(tc, a_deadline_that_was_kept_is_not_told_again);
    return run_suite("session links", tc);
}

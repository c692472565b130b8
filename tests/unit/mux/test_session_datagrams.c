/* test_session_datagrams.c - channels that carry datagrams. */
#include "suite.h"
#include "wire.h"

#define EARLY   4096u
#define MESSAGE 32768u
#define LARGEST (MESSAGE - TWS_FRAME_HDR)

static struct pair p;

static void set_up_with(struct tws_session_config cfg)
{
    pair_init_with(&p, cfg);
    pair_link(&p, 0);
    pair_run(&p);
}

static void set_up(void)
{
    set_up_with((struct tws_session_config){.peer_early_datagrams = EARLY});
}

static void tear_down(void)
{
    pair_fini(&p);
}

static struct app *open_flow(struct side *d)
{
    struct app *a = side_open_kind(d, TWS_KIND_UDP, 0, false);

    pair_run(&p);
    ck_assert(a->opened);
    return a;
}

static struct app *other(struct side *d, const struct app *a)
{
    struct app *b = side_app(d, a->id);

    ck_assert_ptr_nonnull(b);
    return b;
}

static void send_some(struct side *d, struct app *a, uint64_t count, uint32_t size)
{
    a->size = size;
    side_send(d, a, count, false);
}

static void end(struct side *d, struct app *a)
{
    tws_channel_reset(a->ch, TWS_CODE_IDLE, NULL, d->now);
    pair_run(&p);
    ck_assert_ptr_null(a->ch);
    ck_assert_uint_eq(tws_session_stats(p.c.s).channels, 0);
    ck_assert_uint_eq(tws_session_stats(p.s.s).channels, 0);
}

START_TEST(datagrams_of_every_size_cross_both_ways_whole)
{
    static const uint32_t sizes[] = {0, 1, 7, 8, 64, 1400, 9000, LARGEST - 1, LARGEST};
    struct app *a = open_flow(&p.c), *b = other(&p.s, a);
    uint64_t bytes = 0;

    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        send_some(&p.c, a, 3, sizes[i]);
        send_some(&p.s, b, 3, sizes[i]);
        side_forget(&p.c);
        side_forget(&p.s);
        pair_run(&p);
        ck_assert_uint_eq(event(&p.c, TWS_EVENT_DATAGRAM)->n, sizes[i] < 160 ? sizes[i] : 160);
        bytes += 3 * (uint64_t)sizes[i];
        ck_assert_uint_eq(tws_channel_stats(b->ch).received, bytes);
        ck_assert_uint_eq(b->got, 3 * (i + 1));
        ck_assert_uint_eq(a->got, 3 * (i + 1));
    }
    ck_assert_uint_eq(tws_channel_stats(a->ch).sent, bytes);
    ck_assert_uint_eq(tws_channel_stats(a->ch).datagrams_sent, b->got);
    ck_assert_uint_eq(tws_channel_stats(b->ch).datagrams_received, b->got);
    end(&p.c, a);
}
END_TEST

START_TEST(many_small_datagrams_share_a_message)
{
    struct app *a = open_flow(&p.c);

    send_some(&p.c, a, 60, 64);
    side_flush(&p.c, 0);
    ck_assert_uint_eq(p.c.tail[0] - p.c.head[0], 1);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DATAGRAM, a->id), 60);
    end(&p.c, a);
}
END_TEST

START_TEST(a_datagram_that_does_not_fit_begins_the_next_message)
{
    struct app *a = open_flow(&p.c);

    send_some(&p.c, a, 3, 20000);
    side_flush(&p.c, 0);
    ck_assert_uint_eq(p.c.tail[0] - p.c.head[0], 3);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 3);
    end(&p.c, a);
}
END_TEST

START_TEST(the_largest_datagram_is_not_kept_waiting_by_control)
{
    struct app *a = open_flow(&p.c), *b;

    send_some(&p.c, a, 5, LARGEST);
    for (int i = 0; i < 20; i++) { /* OPENs, RESETs and ACKs all the time */
        b = side_open(&p.c, 0, false);
        side_flush(&p.c, 0);
        tws_channel_reset(b->ch, TWS_CODE_NONE, NULL, p.c.now);
        side_tick(&p.c, 11 * MS);
        side_flush(&p.c, 0);
        while (deliver(&p.c, &p.s, 0))
            ;
        side_flush(&p.s, 0);
        deliver(&p.s, &p.c, 0);
    }
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 5);
    end(&p.c, a);
}
END_TEST

START_TEST(datagrams_may_follow_open_within_what_the_peer_keeps)
{
    struct app *a = side_open_kind(&p.c, TWS_KIND_UDP, 100, false);

    a->size = 1000;
    side_flush(&p.c, 0);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_OPEN, a->id), 1);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DATAGRAM, a->id), 4);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 100);
    end(&p.c, a);
}
END_TEST

START_TEST(a_datagram_larger_than_that_waits_for_opened)
{
    struct app *a = side_open_kind(&p.c, TWS_KIND_UDP, 2, false);

    a->size = EARLY + 1;
    side_flush(&p.c, 0);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DATAGRAM, a->id), 0);
    ck_assert(!tws_session_wants_write(p.c.s, p.c.link[0], p.c.now));
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 2);
    end(&p.c, a);
}
END_TEST

START_TEST(a_peer_that_keeps_none_gets_none_before_it_opened)
{
    tear_down();
    set_up_with((struct tws_session_config){.peer_early_datagrams = 0});
    struct app *a = side_open_kind(&p.c, TWS_KIND_UDP, 2, false);

    side_flush(&p.c, 0);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DATAGRAM, a->id), 0);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 2);
}
END_TEST

START_TEST(the_accepting_side_sends_none_before_opened)
{
    p.s.refuse = true; /* answered below */
    struct app *a = side_open_kind(&p.c, TWS_KIND_UDP, 0, false);
    pair_run(&p);
    struct app *b = other(&p.s, a);
    send_some(&p.s, b, 1, 10);
    side_flush(&p.s, 0);
    ck_assert_uint_eq(count_frames(&p.s, 0, TWS_FRAME_DATAGRAM, a->id), 0);
    tws_channel_accept(b->ch, (struct tws_span){NULL, 0}, p.s.now);
    pair_run(&p);
    ck_assert_uint_eq(a->got, 1);
    end(&p.c, a);
}
END_TEST

START_TEST(a_dead_link_takes_its_datagrams_along_and_they_are_counted)
{
    struct app *a = open_flow(&p.c), *s = side_open(&p.c, 0, false);

    pair_link(&p, 1);
    pair_run(&p);
    send_some(&p.c, a, 10, 100);
    side_send(&p.c, s, 5000, true); /* in the same message */
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    ck_assert_uint_eq(count_frames(&p.c, 0, TWS_FRAME_DATAGRAM, a->id), 10);
    pair_cut(&p, 0);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, s)->got, 5000);
    ck_assert_uint_eq(other(&p.s, a)->got, 0);
    ck_assert_uint_eq(tws_session_stats(p.c.s).datagrams_lost, 10);
    send_some(&p.c, a, 7, 100); /* later ones pass */
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 7);
    ck_assert_uint_eq(tws_channel_stats(other(&p.s, a)->ch).datagrams_missing, 10);
}
END_TEST

START_TEST(what_the_peer_processed_before_the_link_died_is_not_counted_as_lost)
{
    struct app *a = open_flow(&p.c);

    pair_link(&p, 1);
    send_some(&p.c, a, 5, 20000); /* a message each */
    side_flush(&p.c, 0);
    for (int i = 0; i < 3; i++)
        ck_assert(deliver(&p.c, &p.s, 0));
    pair_cut(&p, 0);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 3);
    ck_assert_uint_eq(tws_session_stats(p.c.s).datagrams_lost, 2);
}
END_TEST

START_TEST(a_suspect_link_has_its_datagrams_copied_nowhere)
{
    struct app *a = open_flow(&p.c);

    pair_link(&p, 1);
    pair_run(&p);
    send_some(&p.c, a, 5, 100);
    side_flush(&p.c, 0);
    side_tick(&p.c, 2 * SEC);
    side_flush(&p.c, 1);
    ck_assert_uint_eq(count_frames(&p.c, 1, TWS_FRAME_DATAGRAM, UINT32_MAX), 0);
    pair_run(&p);
    ck_assert_uint_eq(other(&p.s, a)->got, 5);
}
END_TEST

START_TEST(datagrams_count_as_in_flight_until_acknowledged)
{
    struct app *a = open_flow(&p.c);

    send_some(&p.c, a, 100000, 1400);
    side_flush(&p.c, 0);
    uint64_t in_flight = tws_link_stats(p.c.link[0]).in_flight;
    ck_assert_uint_ge(in_flight, 1u << 20);
    ck_assert_uint_lt(in_flight, (1u << 20) + 200000);
    ck_assert(!tws_session_wants_write(p.c.s, p.c.link[0], p.c.now));
    ck_assert_uint_lt(a->sent, 1000);
    a->to_send = a->sent;
    pair_pass(&p, 30 * MS, 10 * MS);
    ck_assert_uint_eq(tws_link_stats(p.c.link[0]).in_flight, 0);
    ck_assert_uint_eq(other(&p.s, a)->got, a->sent);
}
END_TEST

START_TEST(a_flow_and_a_stream_share_a_link)
{
    struct app *a = open_flow(&p.c), *s = side_open(&p.c, 0, false);

    pair_run(&p);
    side_send(&p.c, s, 10000000, false);
    send_some(&p.c, a, 5000, 1200);
    side_flush(&p.c, 0);
    ck_assert_uint_gt(a->sent * 1200, 300000);
    ck_assert_uint_gt(s->sent, 200000);
}
END_TEST

START_TEST(numbers_that_are_missing_are_counted_and_late_ones_fill_the_gap)
{
    struct app *a = open_flow(&p.c), *b = other(&p.s, a);
    static const uint64_t order[] = {0, 3, 1, 7, 2};

    p.s.any_bytes = true;
    for (int i = 0; i < 5; i++)
        send_frame(&p.s, 0,
                   (struct tws_frame){TWS_FRAME_DATAGRAM, .channel = a->id, .offset = order[i]});
    ck_assert_uint_eq(b->got, 5);
    ck_assert_uint_eq(tws_channel_stats(b->ch).datagrams_missing, 3);
}
END_TEST

START_TEST(a_flow_carries_no_stream)
{
    struct app *a = open_flow(&p.c);

    send_frame(&p.s, 0, (struct tws_frame){TWS_FRAME_DATA, .channel = a->id, .len = 1});
    ck_assert(p.s.closed);
    ck_assert_uint_eq(p.s.code, TWS_CODE_FLOW);
}
END_TEST

START_TEST(a_number_above_2_to_the_62_is_an_error)
{
    struct app *a = open_flow(&p.c);
    struct tws_frame f = {TWS_FRAME_DATAGRAM, .channel = a->id, .offset = TWS_OFFSET_MAX};

    p.s.any_bytes = true;
    send_frame(&p.s, 0, f);
    ck_assert(!p.s.closed);
    f.offset++;
    send_frame(&p.s, 0, f);
    ck_assert_uint_eq(p.s.code, TWS_CODE_PROTOCOL);
}
END_TEST

START_TEST(no_credit_is_granted_to_a_flow)
{
    struct app *a = side_open_kind(&p.c, TWS_KIND_TUN, 0, false);
    struct tws_frame f;

    side_flush(&p.c, 0);
    ck_assert(find_frame(&p.c, 0, TWS_FRAME_OPEN, a->id, 0, &f));
    ck_assert_uint_eq(f.offset, 0);
    while (deliver(&p.c, &p.s, 0))
        ;
    side_flush(&p.s, 0);
    ck_assert(find_frame(&p.s, 0, TWS_FRAME_OPENED, a->id, 0, &f));
    ck_assert_uint_eq(f.offset, 0);
}
END_TEST

START_TEST(what_comes_for_a_flow_that_was_reset_is_ignored)
{
    struct app *a = open_flow(&p.c);

    tws_channel_reset(other(&p.s, a)->ch, TWS_CODE_IDLE, NULL, p.s.now);
    side_events(&p.s);
    side_forget(&p.s);
    send_frame(&p.s, 0, (struct tws_frame){TWS_FRAME_DATAGRAM, .channel = a->id, .len = 9});
    ck_assert(!p.s.closed);
    ck_assert_uint_eq(p.s.nev, 0);
}
END_TEST

START_TEST(a_flood_of_datagrams_is_read_and_takes_no_memory)
{
    struct app *a = open_flow(&p.c);
    size_t before = tws_session_stats(p.s.s).memory;
    static struct raw r;

    p.s.any_bytes = true;
    for (uint64_t i = 0; i < 20000; i++) {
        raw_frame(&r, (struct tws_frame){TWS_FRAME_DATAGRAM, .channel = a->id, .offset = i});
        if (i % 64 == 63)
            raw_send(&r, &p.s, 0);
    }
    ck_assert(!p.s.closed);
    ck_assert_uint_eq(tws_session_stats(p.s.s).memory, before);
}
END_TEST

START_TEST(a_flow_ends_by_fin_too)
{
    struct app *a = open_flow(&p.c);

    send_frame(&p.s, 0,
               (struct tws_frame){TWS_FRAME_DATA, .flags = TWS_FLAG_FIN, .channel = a->id});
    ck_assert(has_event(&p.s, TWS_EVENT_READABLE));
    ck_assert(other(&p.s, a)->ended);
    tws_channel_reset(other(&p.s, a)->ch, TWS_CODE_NONE, NULL, p.s.now);
    pair_run(&p);
    ck_assert_ptr_null(other(&p.s, a)->ch);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session datagrams");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, datagrams_of_every_size_cross_both_ways_whole);
    tcase_add_test(tc, many_small_datagrams_share_a_message);
    tcase_add_test(tc, a_datagram_that_does_not_fit_begins_the_next_message);
    tcase_add_test(tc, the_largest_datagram_is_not_kept_waiting_by_control);
    tcase_add_test(tc, datagrams_may_follow_open_within_what_the_peer_keeps);
    tcase_add_test(tc, a_datagram_larger_than_that_waits_for_opened);
    tcase_add_test(tc, a_peer_that_keeps_none_gets_none_before_it_opened);
    tcase_add_test(tc, the_accepting_side_sends_none_before_opened);
    tcase_add_test(tc, a_dead_link_takes_its_datagrams_along_and_they_are_counted);
    tcase_add_test(tc, what_the_peer_processed_before_the_link_died_is_not_counted_as_lost);
    tcase_add_test(tc, a_suspect_link_has_its_datagrams_copied_nowhere);
    tcase_add_test(tc, datagrams_count_as_in_flight_until_acknowledged);
    tcase_add_test(tc, a_flow_and_a_stream_share_a_link);
    tcase_add_test(tc, numbers_that_are_missing_are_counted_and_late_ones_fill_the_gap);
    tcase_add_test(tc, a_flow_carries_no_stream);
    tcase_add_test(tc, a_number_above_2_to_the_62_is_an_error);
    tcase_add_test(tc, no_credit_is_granted_to_a_flow);
    tcase_add_test(tc, what_comes_for_a_flow_that_was_reset_is_ignored);
    tcase_add_test(tc, a_flood_of_datagrams_is_read_and_takes_no_memory);
    tcase_add_test(tc, a_flow_ends_by_fin_too);
    return run_suite("session datagrams", tc);
}

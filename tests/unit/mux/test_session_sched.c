/*
 * test_session_sched.c - what goes into a message and over which link: turns, control before data,
 * the in-flight bound, roles, sizes.
 */
#include "linked.h"
#include "suite.h"

static struct app *open_channel(void)
{
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    return a;
}

/* One message from the client; its size. */
static size_t one_message(void)
{
    unsigned was = p.c.tail[0];

    p.c.cap = p.c.tail[0] - p.c.head[0] + 1;
    side_flush(&p.c, 0);
    p.c.cap = 0;
    return p.c.tail[0] == was ? 0 : p.c.out[0][was % PAIR_QUEUE].n;
}

START_TEST(unacknowledged_bytes_stay_below_the_bound)
{
    struct app *a = open_channel();

    /* Credit for more than the bound. */
    send_frame(&p.c, 0,
               (struct tws_frame){.type = TWS_FRAME_WINDOW, .channel = a->id, .offset = 8u << 20});
    side_send(&p.c, a, 8u << 20, false);
    side_flush(&p.c, 0);
    struct tws_link_stats st = tws_link_stats(p.c.link[0]);
    ck_assert_uint_eq(st.bound, 1u << 20);
    ck_assert_uint_ge(st.in_flight, 1u << 20);
    ck_assert_uint_lt(st.in_flight, (1u << 20) + 3 * 32768);
    ck_assert(!tws_session_wants_write(p.c.s, p.c.link[0], p.c.now));
}
END_TEST

START_TEST(busy_channels_share_a_link_evenly)
{
    struct app *a[10];
    uint64_t least = UINT64_MAX, most = 0;

    for (int i = 0; i < 10; i++)
        a[i] = open_channel();
    for (int i = 0; i < 10; i++)
        side_send(&p.c, a[i], 64u << 20, false);
    p.c.cap = 2;
    for (int i = 0; i < 3000; i++) {
        side_flush(&p.c, 0);
        deliver(&p.c, &p.s, 0);
        side_flush(&p.s, 0);
        while (deliver(&p.s, &p.c, 0))
            continue;
        pair_tick(&p, 100);
    }
    for (int i = 0; i < 10; i++) {
        least = a[i]->sent < least ? a[i]->sent : least;
        most = a[i]->sent > most ? a[i]->sent : most;
    }
    ck_assert_uint_gt(least, 1u << 20);
    ck_assert_uint_le(most * 100, least * 105);
}
END_TEST

START_TEST(a_quiet_channel_goes_before_busy_ones)
{
    struct app *bulk[4], *quiet = open_channel();
    struct tws_frame f;

    for (int i = 0; i < 4; i++) {
        bulk[i] = open_channel();
        side_send(&p.c, bulk[i], 200000, false);
    }
    for (int i = 0; i < 8; i++)
        one_message();
    side_forget(&p.c); /* only what comes now is looked at; nothing is delivered */
    side_send(&p.c, quiet, 64, false);
    one_message();
    ck_assert(find_frame(&p.c, 0, TWS_FRAME_DATA, UINT32_MAX, 0, &f));
    ck_assert_uint_eq(f.channel, quiet->id);
    ck_assert_uint_eq(f.len, 64);
}
END_TEST

START_TEST(beside_a_quiet_channel_bulk_goes_in_small_pieces)
{
    struct app *quiet = open_channel(), *bulk = open_channel();
    struct tws_frame f;

    side_send(&p.c, bulk, 250000, false);
    ck_assert_uint_gt(one_message(), 30000); /* alone: whole messages */
    side_send(&p.c, quiet, 64, false);
    one_message();
    side_forget(&p.c);
    one_message();
    ck_assert(find_frame(&p.c, 0, TWS_FRAME_DATA, bulk->id, 0, &f));
    ck_assert_uint_le(f.len, 16384);
}
END_TEST

START_TEST(control_goes_before_data_in_a_message)
{
    struct app *a = open_channel(), *b = open_channel();

    side_send(&p.c, a, 100000, false);
    tws_channel_reset(b->ch, TWS_CODE_IDLE, NULL, p.c.now);
    struct app *c = side_open(&p.c, 0, false);
    one_message();
    static const uint8_t order[] = {TWS_FRAME_RESET, TWS_FRAME_OPEN, TWS_FRAME_DATA};
    struct tws_span left = p.c.out[0][p.c.head[0] % PAIR_QUEUE];
    unsigned next = 0;
    while (left.n > 0) {
        struct tws_frame f;
        size_t used;
        ck_assert_int_eq(tws_frame_decode(left, &f, &used), TWS_OK);
        if (next < 3 && f.type == order[next])
            next++;
        left.p += used;
        left.n -= used;
    }
    ck_assert_uint_eq(next, 3);
    ck_assert_uint_eq(c->id, 5);
}
END_TEST

START_TEST(small_frames_share_messages_of_at_most_64)
{
    struct app *a[200];
    struct tws_frame f;
    unsigned frames = 0;

    for (int i = 0; i < 200; i++)
        a[i] = open_channel();
    pair_pass(&p, 100 * MS, 20 * MS);
    for (int i = 0; i < 200; i++)
        side_send(&p.c, a[i], 10, true);
    side_flush(&p.c, 0);
    ck_assert_uint_eq(p.c.tail[0] - p.c.head[0], 4);
    for (int i = 0; i < 200; i++)
        frames += find_frame(&p.c, 0, TWS_FRAME_DATA, a[i]->id, 0, &f) && f.flags == TWS_FLAG_FIN;
    ck_assert_uint_eq(frames, 200);
    pair_run(&p);
    ck_assert(!p.s.closed);
}
END_TEST

/* max_message and what sealing needs of it. */
START_TEST(no_message_is_greater_than_the_peer_takes)
{
    static const uint32_t sizes[][2] = {{1024, 0}, {1024, 16}, {4096, 16}, {32768, 16}, {65535, 0}};
    uint32_t max = sizes[_i][0], overhead = sizes[_i][1];
    size_t most = 0;

    pair_fini(&p);
    pair_init_with(&p,
                   (struct tws_session_config){.max_message = max, .message_overhead = overhead});
    pair_link(&p, 0);
    pair_run(&p);
    struct app *a = open_channel();
    side_send(&p.c, a, 200000, true);
    for (size_t n; (n = one_message()) > 0;)
        most = n > most ? n : most;
    ck_assert_uint_le(most, max - overhead);
    ck_assert_uint_ge(most + 512 + 16, max - overhead);
    pair_run(&p);
    ck_assert_uint_eq(side_app(&p.s, a->id)->got, 200000);
}
END_TEST

/* ---- several links ---- */

static uint64_t bytes_on(unsigned i)
{
    struct tws_frame f;
    uint64_t n = 0;

    for (unsigned k = 0; find_frame(&p.c, i, TWS_FRAME_DATA, UINT32_MAX, k, &f); k++)
        n += f.len;
    return n;
}

static void send_on_new_channels(int n)
{
    struct app *a[32];

    for (int i = 0; i < n; i++)
        a[i] = open_channel();
    for (int i = 0; i < n; i++)
        side_send(&p.c, a[i], 1000, false);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
}

START_TEST(new_channels_spread_over_equal_links)
{
    pair_link(&p, 1);
    pair_run(&p);
    send_on_new_channels(20);
    ck_assert_uint_eq(bytes_on(0) + bytes_on(1), 20000);
    ck_assert_uint_eq(bytes_on(0), 10000);
}
END_TEST

START_TEST(a_backup_or_draining_link_takes_nothing_while_another_lives)
{
    pair_link(&p, 1);
    pair_run(&p);
    tws_session_link_set_role(p.c.s, p.c.link[1], _i == 0 ? TWS_ROLE_BACKUP : TWS_ROLE_DRAINING, 1,
                              p.c.now);
    pair_run(&p);
    ck_assert_int_eq(event(&p.s, TWS_EVENT_LINK_ROLE)->type, TWS_EVENT_LINK_ROLE);
    ck_assert_uint_eq(tws_link_stats(p.s.link[1]).role,
                      _i == 0 ? TWS_ROLE_BACKUP : TWS_ROLE_DRAINING);
    send_on_new_channels(10);
    ck_assert_uint_eq(bytes_on(0), 10000);
    ck_assert_uint_eq(bytes_on(1), 0);
    pair_cut(&p, 0);
    pair_run(&p);
    for (struct app *a = p.s.apps; a != NULL; a = a->next)
        ck_assert_uint_eq(a->got, 1000);
}
END_TEST

START_TEST(channels_leave_a_link_that_drains)
{
    struct app *a = open_channel();

    pair_link(&p, 1);
    pair_pass(&p, 50 * MS, 10 * MS);
    tws_session_link_set_role(p.c.s, p.c.link[0], TWS_ROLE_DRAINING, 1, p.c.now);
    side_send(&p.c, a, 1000, false);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    ck_assert_uint_eq(bytes_on(0), 0);
    ck_assert_uint_eq(bytes_on(1), 1000);
}
END_TEST

START_TEST(a_suspect_link_takes_nothing_new)
{
    struct app *a = open_channel(), *b = open_channel();

    pair_link(&p, 1);
    pair_pass(&p, 50 * MS, 10 * MS);
    side_send(&p.c, a, 1000, false);
    side_send(&p.c, b, 1000, false);
    side_flush(&p.c, 0); /* and nothing comes back */
    ck_assert_uint_eq(bytes_on(0), 2000);
    side_tick(&p.c, SEC);
    ck_assert(tws_link_stats(p.c.link[0]).suspect);
    side_send(&p.c, a, 500, false);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    ck_assert_uint_eq(bytes_on(0), 2000);
    struct tws_frame f;
    bool found = false;
    for (unsigned n = 0; find_frame(&p.c, 1, TWS_FRAME_DATA, a->id, n, &f); n++)
        found = found || (f.offset == 1000 && f.len == 500);
    ck_assert(found);
}
END_TEST

/* ---- promises of the calls ---- */

START_TEST(wants_write_means_that_there_is_something_to_write)
{
    struct app *a = open_channel();

    side_send(&p.c, a, 250000, false);
    side_flush(&p.c, 0);
    for (int i = 0; i < 40; i++) { /* a log of more than the bound of the next link */
        struct app *b = side_open(&p.c, 0, false);
        side_flush(&p.c, 0);
        (void)b;
    }
    pair_cut(&p, 0);
    pair_link(&p, 1);
    for (int i = 0; i < 1000 && tws_session_wants_write(p.c.s, p.c.link[1], p.c.now); i++) {
        unsigned was = p.c.tail[1];
        side_flush(&p.c, 1);
        ck_assert_uint_ne(p.c.tail[1], was);
    }
    pair_run(&p);
    ck_assert(!tws_session_wants_write(p.c.s, p.c.link[1], p.c.now));
    ck_assert_uint_eq(side_app(&p.s, a->id)->got, 250000);
}
END_TEST

START_TEST(what_next_message_gave_out_stays_until_it_is_acknowledged)
{
    struct app *a = open_channel();
    struct tws_pull pull;
    struct tws_span m, again;
    uint8_t copy[40000];

    side_send(&p.c, a, 30000, false);
    while (tws_session_pull(p.c.s, p.c.link[0], p.c.now, &pull))
        app_give(&p.c, &pull);
    ck_assert(tws_session_next_message(p.c.s, p.c.link[0], p.c.now, &m));
    memcpy(copy, m.p, m.n);
    memset((void *)(uintptr_t)(m.p - TWS_SESSION_HEADROOM), 0xff, TWS_SESSION_HEADROOM);
    for (int i = 0; i < 5; i++) /* not taken yet: the same comes again */
        ck_assert(tws_session_next_message(p.c.s, p.c.link[0], p.c.now, &again) && again.p == m.p);
    tws_session_sent(p.c.s, p.c.link[0], p.c.now);
    for (int i = 0; i < 20; i++) {
        side_send(&p.c, a, 10000, false);
        side_flush(&p.c, 0);
    }
    ck_assert_mem_eq(copy, m.p, m.n);
}
END_TEST

static size_t transcript(uint8_t *out)
{
    size_t n = 0;

    set_up();
    struct app *a = side_open(&p.c, 300000, true);
    for (int i = 0; i < 30; i++) {
        side_flush(&p.c, 0);
        for (unsigned m = p.c.head[0]; m != p.c.tail[0]; m++) {
            memcpy(out + n, p.c.out[0][m % PAIR_QUEUE].p, p.c.out[0][m % PAIR_QUEUE].n);
            n += p.c.out[0][m % PAIR_QUEUE].n;
        }
        while (deliver(&p.c, &p.s, 0))
            continue;
        side_flush(&p.s, 0);
        while (deliver(&p.s, &p.c, 0))
            continue;
        pair_tick(&p, 3 * MS);
    }
    ck_assert_uint_eq(side_app(&p.s, a->id)->got, 300000);
    tear_down();
    return n;
}

START_TEST(the_same_input_and_times_give_the_same_bytes)
{
    static uint8_t first[400000], second[400000];

    tear_down();
    size_t n = transcript(first);
    ck_assert_uint_eq(transcript(second), n);
    ck_assert(memcmp(first, second, n) == 0);
    set_up();
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session sched");
    tcase_set_timeout(tc, 20);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, unacknowledged_bytes_stay_below_the_bound);
    tcase_add_test(tc, busy_channels_share_a_link_evenly);
    tcase_add_test(tc, a_quiet_channel_goes_before_busy_ones);
    tcase_add_test(tc, beside_a_quiet_channel_bulk_goes_in_small_pieces);
    tcase_add_test(tc, control_goes_before_data_in_a_message);
    tcase_add_test(tc, small_frames_share_messages_of_at_most_64);
    tcase_add_loop_test(tc, no_message_is_greater_than_the_peer_takes, 0, 5);
    tcase_add_test(tc, new_channels_spread_over_equal_links);
    tcase_add_loop_test(tc, a_backup_or_draining_link_takes_nothing_while_another_lives, 0, 2);
    tcase_add_test(tc, channels_leave_a_link_that_drains);
    tcase_add_test(tc, a_suspect_link_takes_nothing_new);
    tcase_add_test(tc, wants_write_means_that_there_is_something_to_write);
    tcase_add_test(tc, what_next_message_gave_out_stays_until_it_is_acknowledged);
    tcase_add_test(tc, the_same_input_and_times_give_the_same_bytes);
    return run_suite("session sched", tc);
}

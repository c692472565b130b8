/*
 * test_session_schedules.c - over which link bytes go under each schedule, both ways: the client
 * has the configuration, the server knows schedule, roles and weights from LINK.
 */
#include "suite.h"
#include "wire.h"

static struct pair p;
static struct side *from, *to; /* of the bytes that are looked at */

enum { UP, DOWN, WAYS };

/* Two links, the second with `weight`. */
static void begin(enum tws_schedule schedule, int way, uint16_t weight)
{
    struct tws_session_config cfg = {.client = true, .schedule = schedule};

    ck_assert_int_eq(side_init(&p.c, &cfg, 0), TWS_OK);
    cfg = (struct tws_session_config){.client = false};
    ck_assert_int_eq(side_init(&p.s, &cfg, 0), TWS_OK);
    pair_link(&p, 0);
    pair_link(&p, 1);
    tws_session_link_set_role(p.c.s, p.c.link[1], TWS_ROLE_AVAILABLE, weight, p.c.now);
    pair_pass(&p, 100 * MS, 20 * MS);
    from = way == UP ? &p.c : &p.s;
    to = way == UP ? &p.s : &p.c;
}

static void end(void)
{
    ck_assert(!p.c.closed && !p.s.closed);
    pair_fini(&p);
}

static uint64_t bytes_on(unsigned i)
{
    struct tws_frame f;
    uint64_t n = 0;

    for (unsigned k = 0; find_frame(from, i, TWS_FRAME_DATA, UINT32_MAX, k, &f); k++)
        n += f.len;
    return n;
}

/* As the carrier does. */
static void flush(void)
{
    do
        for (unsigned i = 0; i < 2; i++)
            side_flush(from, i);
    while (tws_session_flush_again(from->s));
}

/* `n` channels that both sides know, each with that many bytes to send. */
static void send_on_channels(unsigned n, uint64_t bytes)
{
    uint32_t ids[64];

    for (unsigned i = 0; i < n; i++) {
        struct app *a = side_open(&p.c, 0, false);
        ids[i] = a->id;
        pair_run(&p);
    }
    pair_pass(&p, 100 * MS, 20 * MS);
    side_forget(from);
    for (unsigned i = 0; i < n; i++)
        side_send(from, side_app(from, ids[i]), bytes, false);
    flush();
}

static void expect_arrived(uint64_t each)
{
    pair_pass(&p, 100 * MS, 20 * MS);
    for (struct app *a = to->apps; a != NULL; a = a->next)
        ck_assert_uint_eq(a->got, each);
}

/* Every link is asked; the second answers after `late`. */
static void make_second_slow(uint64_t late)
{
    for (unsigned i = 0; i < 2; i++) {
        tws_session_probe(from->s, from->link[i], from->now);
        side_flush(from, i);
        while (deliver(from, to, i))
            continue;
        pair_tick(&p, i == 0 ? 10 * MS : late);
        to->now -= i == 0 ? 10 * MS : late; /* it was the way that took it, not the peer */
        side_flush(to, i);
        to->now = from->now;
        while (deliver(to, from, i))
            continue;
    }
    ck_assert_uint_gt(tws_link_stats(from->link[1]).min_rtt_us,
                      2 * tws_link_stats(from->link[0]).min_rtt_us);
}

START_TEST(auto_spreads_channels)
{
    begin(TWS_SCHEDULE_AUTO, _i, 1);
    send_on_channels(20, 1000);
    ck_assert_uint_eq(bytes_on(0), 10000);
    ck_assert_uint_eq(bytes_on(1), 10000);
    expect_arrived(1000);
    end();
}
END_TEST

START_TEST(weighted_shares_channels_out_by_weight)
{
    begin(TWS_SCHEDULE_WEIGHTED, _i, 3);
    send_on_channels(20, 1000);
    ck_assert_uint_eq(bytes_on(0), 5000);
    ck_assert_uint_eq(bytes_on(1), 15000);
    expect_arrived(1000);
    end();
}
END_TEST

START_TEST(min_rtt_takes_the_quickest_link)
{
    begin(TWS_SCHEDULE_MIN_RTT, _i, 1);
    make_second_slow(60 * MS);
    send_on_channels(10, 1000);
    ck_assert_uint_eq(bytes_on(0), 10000);
    ck_assert_uint_eq(bytes_on(1), 0);
    expect_arrived(1000);
    end();
}
END_TEST

START_TEST(active_backup_uses_one_link_and_then_the_other)
{
    begin(TWS_SCHEDULE_ACTIVE_BACKUP, _i, 1);
    send_on_channels(10, 1000);
    ck_assert_uint_eq(bytes_on(0), 10000);
    ck_assert_uint_eq(bytes_on(1), 0);
    pair_cut(&p, 0);
    expect_arrived(1000);
    end();
}
END_TEST

/* One channel over both links at once. */
START_TEST(one_channel_goes_over_all_links)
{
    begin(_i < WAYS ? TWS_SCHEDULE_BOND : TWS_SCHEDULE_ROUND_ROBIN, _i % WAYS, 1);
    send_on_channels(1, 0);
    side_send(from, from->apps, 250000, false);
    from->cap = 1;
    for (unsigned n = 0; n < 3; n++, from->cap++)
        flush();
    from->cap = 0;
    ck_assert_uint_gt(bytes_on(0), 32000);
    ck_assert_uint_gt(bytes_on(1), 32000);
    expect_arrived(250000);
    end();
}
END_TEST

/* A flow of datagrams that both sides know. With turns, a link takes few messages before the next.
 */
static uint32_t send_datagrams(uint64_t count, unsigned turns)
{
    struct app *a = side_open_kind(&p.c, TWS_KIND_TUN, 0, false);
    uint32_t id = a->id;

    pair_pass(&p, 100 * MS, 20 * MS);
    side_forget(from);
    a = side_app(from, id);
    a->size = 1400;
    side_send(from, a, count, false);
    for (from->cap = 1; from->cap <= turns; from->cap++)
        flush();
    from->cap = 0;
    flush();
    return id;
}

/* Nothing has told the second link's rate, and there is no credit that could cover a late one. */
START_TEST(one_flow_of_datagrams_goes_over_all_links)
{
    begin(_i < WAYS ? TWS_SCHEDULE_BOND : TWS_SCHEDULE_ROUND_ROBIN, _i % WAYS, 1);
    uint32_t id = send_datagrams(200, 3);
    ck_assert_uint_gt(count_frames(from, 0, TWS_FRAME_DATAGRAM, id), 20);
    ck_assert_uint_gt(count_frames(from, 1, TWS_FRAME_DATAGRAM, id), 20);
    expect_arrived(200);
    end();
}
END_TEST

/* A congestion control inside that keeps queues short never fills one link. */
START_TEST(bond_uses_equal_links_alike_for_datagrams)
{
    begin(TWS_SCHEDULE_BOND, _i, 1);
    uint32_t id = send_datagrams(92, 0);
    ck_assert_uint_eq(count_frames(from, 0, TWS_FRAME_DATAGRAM, id), 46);
    ck_assert_uint_eq(count_frames(from, 1, TWS_FRAME_DATAGRAM, id), 46);
    expect_arrived(92);
    end();
}
END_TEST

/* Not even when the first has no room: 1 MiB is taken to last 84 ms. */
START_TEST(bond_keeps_datagrams_off_a_link_where_they_come_late)
{
    begin(TWS_SCHEDULE_BOND, _i, 1);
    make_second_slow(250 * MS);
    uint32_t id = send_datagrams(1000, 0);
    ck_assert_uint_gt(count_frames(from, 0, TWS_FRAME_DATAGRAM, id), 700);
    ck_assert_uint_lt(count_frames(from, 0, TWS_FRAME_DATAGRAM, id), 1000);
    ck_assert_uint_eq(count_frames(from, 1, TWS_FRAME_DATAGRAM, id), 0);
    expect_arrived(1000);
    end();
}
END_TEST

START_TEST(redundant_sends_interactive_bytes_twice)
{
    begin(TWS_SCHEDULE_REDUNDANT, _i, 1);
    send_on_channels(1, 1000);
    ck_assert_uint_eq(bytes_on(0), 1000);
    ck_assert_uint_eq(bytes_on(1), 1000);
    expect_arrived(1000);
    end();
}
END_TEST

/* Whichever of the links falls silent, nothing waits for it. */
START_TEST(redundant_has_no_gap_for_interactive_bytes)
{
    unsigned silent = (unsigned)_i / WAYS;

    begin(TWS_SCHEDULE_REDUNDANT, _i % WAYS, 1);
    send_on_channels(1, 0);
    for (uint64_t n = 1; n <= 5; n++) {
        side_send(from, from->apps, 1000, false);
        flush();
        side_drop_output(from, silent);
        while (deliver(from, to, 1 - silent))
            continue;
        ck_assert_uint_eq(to->apps->got, n * 1000);
    }
    pair_cut(&p, silent);
    expect_arrived(5000);
    end();
}
END_TEST

START_TEST(redundant_sends_bulk_once)
{
    begin(TWS_SCHEDULE_REDUNDANT, _i, 1);
    send_on_channels(1, 200000);
    ck_assert_uint_lt(bytes_on(0) + bytes_on(1), 200000 + 4096);
    expect_arrived(200000);
    end();
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session schedules");

    tcase_add_loop_test(tc, auto_spreads_channels, 0, WAYS);
    tcase_add_loop_test(tc, weighted_shares_channels_out_by_weight, 0, WAYS);
    tcase_add_loop_test(tc, min_rtt_takes_the_quickest_link, 0, WAYS);
    tcase_add_loop_test(tc, active_backup_uses_one_link_and_then_the_other, 0, WAYS);
    tcase_add_loop_test(tc, one_channel_goes_over_all_links, 0, 2 * WAYS);
    tcase_add_loop_test(tc, one_flow_of_datagrams_goes_over_all_links, 0, 2 * WAYS);
    tcase_add_loop_test(tc, bond_uses_equal_links_alike_for_datagrams, 0, WAYS);
    tcase_add_loop_test(tc, bond_keeps_datagrams_off_a_link_where_they_come_late, 0, WAYS);
    tcase_add_loop_test(tc, redundant_sends_interactive_bytes_twice, 0, WAYS);
    tcase_add_loop_test(tc, redundant_has_no_gap_for_interactive_bytes, 0, 2 * WAYS);
    tcase_add_loop_test(tc, redundant_sends_bulk_once, 0, WAYS);
    return run_suite("session schedules", tc);
}

/*
 * test_session_limits.c - credit and budgets: windows, memory, numbers of channels, floods.
 */
#include "session_priv.h"
#include "suite.h"
#include "wire.h"

static struct pair p;
static struct side d; /* alone, against hand-made frames */

static const uint8_t target[] = {1, 1, 127, 0, 0, 1, 0, 80};

static void start_pair(struct tws_session_config cfg)
{
    pair_init_with(&p, cfg);
    pair_link(&p, 0);
    pair_run(&p);
}

static void start_server(struct tws_session_config cfg)
{
    ck_assert_int_eq(side_init(&d, &cfg, 0), TWS_OK);
    ck_assert_int_eq(side_link(&d, 0), TWS_OK);
    send_link(&d, 0);
}

static void send_open(uint32_t id)
{
    send_frame(&d, 0,
               (struct tws_frame){.type = TWS_FRAME_OPEN,
                                  .channel = id,
                                  .offset = 1u << 20,
                                  .len = sizeof target,
                                  .payload = target});
}

static void send_data(uint32_t id, uint64_t offset, uint16_t len)
{
    static uint8_t bytes[65535];

    for (uint16_t i = 0; i < len; i++)
        bytes[i] = stream_byte(id, true, offset + i);
    send_frame(
        &d, 0,
        (struct tws_frame){
            .type = TWS_FRAME_DATA, .channel = id, .offset = offset, .len = len, .payload = bytes});
}

static struct tws_frame frame_on(const struct side *side, uint8_t type, uint32_t channel)
{
    struct tws_frame f = {0};
    ck_assert_msg(find_frame(side, 0, type, channel, 0, &f), "no %s", tws_frame_name(type));
    return f;
}

/* The client acknowledges all that came. */
static void send_ack(void)
{
    struct tws_link_stats st = tws_link_stats(d.link[0]);

    if (st.in_flight > 0)
        send_frame(&d, 0,
                   (struct tws_frame){
                       .type = TWS_FRAME_ACK, .channel = 1, .offset = st.messages_sent, .len = 4});
}

/* ---- windows ---- */

START_TEST(a_channel_starts_with_256_kib)
{
    start_server((struct tws_session_config){0});
    send_open(1);
    side_flush(&d, 0);
    ck_assert_uint_eq(frame_on(&d, TWS_FRAME_OPENED, 1).offset, 256 * 1024);
    side_fini(&d);
}
END_TEST

/* An eighth of the pool is given in full, the next eighth by quarters, then the floor. */
START_TEST(first_windows_shrink_as_the_pool_empties)
{
    uint64_t granted = 0, pool = 4u << 20;

    start_server((struct tws_session_config){.memory = 8u << 20});
    for (uint32_t id = 1; id < 400; id += 2) {
        uint64_t want = granted < pool / 8   ? 256 * 1024
                        : granted < pool / 4 ? 64 * 1024
                                             : 16 * 1024;
        send_open(id);
        side_flush(&d, 0);
        ck_assert_uint_eq(frame_on(&d, TWS_FRAME_OPENED, id).offset, want);
        side_forget(&d);
        granted += want;
    }
    side_fini(&d);
}
END_TEST

START_TEST(credit_comes_back_for_consumed_bytes_not_for_arrived_ones)
{
    start_server((struct tws_session_config){0});
    d.pause_new = true;
    send_open(1);
    side_flush(&d, 0);
    for (unsigned i = 0; i < 4; i++)
        send_data(1, i * 50000, 50000);
    side_flush(&d, 0);
    ck_assert_uint_eq(count_frames(&d, 0, TWS_FRAME_WINDOW, 1), 0);
    app_read(&d, side_app(&d, 1));
    side_flush(&d, 0);
    ck_assert_uint_eq(count_frames(&d, 0, TWS_FRAME_WINDOW, 1), 1);
    ck_assert_uint_ge(frame_on(&d, TWS_FRAME_WINDOW, 1).offset, 200000 + 256 * 1024);
    side_fini(&d);
}
END_TEST

START_TEST(a_window_goes_out_when_a_quarter_was_consumed)
{
    start_server((struct tws_session_config){0});
    send_open(1);
    side_flush(&d, 0);
    send_data(1, 0, 32768);
    send_data(1, 32768, 32767);
    side_flush(&d, 0);
    ck_assert_uint_eq(count_frames(&d, 0, TWS_FRAME_WINDOW, 1), 0);
    send_data(1, 65535, 1);
    side_flush(&d, 0);
    ck_assert_uint_eq(frame_on(&d, TWS_FRAME_WINDOW, 1).offset, 65536 + 256 * 1024);
    side_fini(&d);
}
END_TEST

/* Sends and consumes `bytes`, each 32 KiB `gap` apart; the window at the end. */
static uint64_t stream(uint64_t *offset, uint64_t bytes, uint64_t gap)
{
    struct tws_frame f;
    uint64_t limit = 0;

    for (uint64_t end = *offset + bytes; *offset < end; *offset += 32768) {
        side_tick(&d, gap);
        if (gap > MS) /* before that the round trip is a guess, 100 ms */
            send_ack();
        send_data(1, *offset, 32768);
        side_flush(&d, 0);
        if (find_frame(&d, 0, TWS_FRAME_WINDOW, 1, 0, &f)) {
            ck_assert_uint_gt(f.offset, limit);
            limit = f.offset;
        }
        side_forget(&d);
    }
    return limit - *offset;
}

START_TEST(a_busy_window_doubles_up_to_8_mib_and_shrinks_when_slow)
{
    uint64_t offset = 0;

    start_server((struct tws_session_config){.heartbeat_us = 3600 * SEC});
    send_open(1);
    side_flush(&d, 0);
    ck_assert_uint_gt(stream(&offset, 512 * 1024, 100), 400 * 1024);
    uint64_t most = stream(&offset, 64u << 20, 100);
    ck_assert_uint_gt(most, 6u << 20);
    ck_assert_uint_le(most, 8u << 20);
    uint64_t least = stream(&offset, 32u << 20, 500 * MS);
    ck_assert_uint_le(least, 512 * 1024);
    ck_assert(!d.closed);
    side_fini(&d);
}
END_TEST

START_TEST(windows_grow_only_within_the_pool)
{
    uint64_t offset = 0;

    start_server((struct tws_session_config){.memory = 2u << 20});
    d.pause_new = true;
    send_open(1);
    for (uint32_t id = 3; id < 60; id += 2)
        send_open(id);
    side_app(&d, 1)->paused = false;
    side_flush(&d, 0);
    ck_assert_uint_le(stream(&offset, 16u << 20, 100), 1u << 20);
    side_fini(&d);
}
END_TEST

START_TEST(a_granted_limit_never_falls_below_what_was_granted)
{
    struct tws_frame f;
    uint64_t offset = 0, limit = 256 * 1024;

    start_server((struct tws_session_config){.heartbeat_us = 3600 * SEC});
    send_open(1);
    side_flush(&d, 0);
    for (int i = 0; i < 400; i++) {
        side_tick(&d, i % 100 < 50 ? 100 : SEC);
        send_ack();
        uint16_t n = limit - offset < 32768 ? (uint16_t)(limit - offset) : 32768;
        send_data(1, offset, n);
        ck_assert(!d.closed);
        offset += n;
        side_flush(&d, 0);
        for (unsigned k = 0; find_frame(&d, 0, TWS_FRAME_WINDOW, 1, k, &f); k++) {
            ck_assert_uint_gt(f.offset, limit);
            limit = f.offset;
        }
        ck_assert_uint_gt(limit, offset);
        side_forget(&d);
    }
    side_fini(&d);
}
END_TEST

START_TEST(a_late_window_does_not_lower_the_limit)
{
    start_pair((struct tws_session_config){0});
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    side_app(&p.s, a->id)->paused = true;
    send_frame(&p.c, 0,
               (struct tws_frame){.type = TWS_FRAME_WINDOW, .channel = a->id, .offset = 200000});
    send_frame(&p.c, 0,
               (struct tws_frame){.type = TWS_FRAME_WINDOW, .channel = a->id, .offset = 1000});
    side_send(&p.c, a, 1000000, false);
    side_flush(&p.c, 0);
    ck_assert_uint_eq(a->sent, 256 * 1024); /* OPENED's, the greatest */
    pair_fini(&p);
}
END_TEST

START_TEST(a_sender_stops_at_the_credit)
{
    start_pair((struct tws_session_config){.early_data = 100, .peer_early_data = 100});
    struct app *a = side_open(&p.c, 0, false);
    p.s.pause_new = true;
    pair_run(&p);
    side_send(&p.c, a, 10u << 20, false);
    pair_run(&p);
    ck_assert_uint_eq(a->sent, 256 * 1024);
    app_read(&p.s, side_app(&p.s, a->id));
    pair_run(&p);
    ck_assert_uint_gt(a->sent, 256 * 1024);
    ck_assert(!p.s.closed);
    pair_fini(&p);
}
END_TEST

START_TEST(a_thousand_stalled_channels_do_not_stop_a_live_one)
{
    start_pair((struct tws_session_config){.memory = 32u << 20});
    p.s.pause_new = true;
    for (int i = 0; i < 1000; i++)
        ck_assert_ptr_nonnull(side_open(&p.c, 100000, true));
    pair_pass(&p, SEC, 20 * MS);
    p.s.pause_new = false;
    struct app *live = side_open(&p.c, 20u << 20, true);
    pair_pass(&p, SEC, 5 * MS);
    ck_assert_uint_eq(side_app(&p.s, live->id)->got, 20u << 20);
    ck_assert(!p.s.closed && !p.c.closed);
    pair_fini(&p);
}
END_TEST

/* ---- memory ---- */

/* Opens channels that nobody reads and fills their windows, in order or behind a gap of one byte.
 */
static void stuff(size_t budget, uint64_t gap)
{
    start_server((struct tws_session_config){.memory = budget});
    d.pause_new = true;
    for (uint32_t id = 1; id < 1000 && !d.closed; id += 2) {
        struct tws_frame f = {0};
        send_open(id);
        side_flush(&d, 0);
        ck_assert(find_frame(&d, 0, TWS_FRAME_OPENED, id, 0, &f));
        side_forget(&d);
        for (uint64_t at = gap; at < f.offset && side_app(&d, id)->ch != NULL; at += 8192) {
            uint64_t n = f.offset - at < 8192 ? f.offset - at : 8192;
            send_data(id, at, (uint16_t)n);
            ck_assert_uint_le(tws_session_stats(d.s).memory, budget + budget / 16);
        }
    }
}

START_TEST(queues_never_outgrow_the_budget_and_who_would_is_reset_with_14)
{
    stuff(4u << 20, (uint64_t)_i);
    ck_assert(!d.closed);
    ck_assert(has_event(&d, TWS_EVENT_RESET) || d.nev == 0);
    struct app *a = side_app(&d, 999);
    ck_assert(a->reset);
    ck_assert(!side_app(&d, 1)->reset);
    side_fini(&d);
}
END_TEST

START_TEST(the_reset_for_memory_carries_code_14)
{
    start_server((struct tws_session_config){.memory = 300000});
    d.pause_new = true;
    for (uint32_t id = 1; id < 60; id += 2)
        send_open(id);
    side_forget(&d);
    for (uint32_t id = 1; id < 60; id += 2)
        send_data(id, 0, 16000);
    ck_assert_uint_eq(event(&d, TWS_EVENT_RESET)->code, TWS_CODE_RESOURCES);
    side_flush(&d, 0);
    ck_assert_uint_eq(tws_get16(frame_on(&d, TWS_FRAME_RESET, UINT32_MAX).payload),
                      TWS_CODE_RESOURCES);
    ck_assert(!d.closed);
    side_fini(&d);
}
END_TEST

/* The reset is told before the next frame of the message has bytes to tell. */
START_TEST(the_reset_for_memory_takes_no_bytes_of_another_channel)
{
    static uint8_t bytes[16000];
    static struct raw raw;

    start_server((struct tws_session_config){.memory = 300000});
    d.pause_new = true;
    send_open(1);
    for (uint32_t id = 1; id < 99 && !has_event(&d, TWS_EVENT_RESET); id += 2) {
        side_forget(&d);
        raw_frame(&raw, (struct tws_frame){.type = TWS_FRAME_DATA,
                                           .channel = id,
                                           .len = sizeof bytes,
                                           .payload = bytes});
        raw_frame(&raw, (struct tws_frame){.type = TWS_FRAME_OPEN,
                                           .channel = id + 2,
                                           .len = sizeof target,
                                           .payload = target});
        raw_send(&raw, &d, 0);
        ck_assert_uint_eq(event(&d, TWS_EVENT_OPEN)->n, sizeof target);
    }
    ck_assert_uint_eq(event(&d, TWS_EVENT_RESET)->n, 0);
    ck_assert(!d.closed);
    side_fini(&d);
}
END_TEST

START_TEST(single_bytes_behind_gaps_cannot_outgrow_the_budget)
{
    start_server((struct tws_session_config){.memory = 2u << 20});
    d.pause_new = true;
    for (uint32_t id = 1; id < 40; id += 2) {
        send_open(id);
        for (uint64_t at = 2; at < 2048 && side_app(&d, id)->ch != NULL; at += 2) {
            send_data(id, at, 1);
            ck_assert_uint_le(tws_session_stats(d.s).memory, (2u << 20) + 65536);
        }
    }
    ck_assert(!d.closed);
    side_fini(&d);
}
END_TEST

START_TEST(more_than_1024_gaps_end_the_session_with_code_20)
{
    start_server((struct tws_session_config){0});
    d.pause_new = true;
    send_open(1);
    for (uint64_t i = 0; i < 1024; i++)
        send_data(1, 1 + 2 * i, 1);
    ck_assert(!d.closed);
    send_data(1, 5000, 1);
    ck_assert(d.closed);
    ck_assert_uint_eq(d.code, TWS_CODE_FRAGMENTED);
    side_fini(&d);
}
END_TEST

START_TEST(logs_take_no_more_than_half_of_the_budget)
{
    start_pair((struct tws_session_config){.memory = 1u << 20});
    for (int i = 0; i < 8; i++)
        side_open(&p.c, 0, false);
    pair_run(&p);
    for (uint32_t id = 1; id < 17; id += 2) {
        send_frame(&p.c, 0,
                   (struct tws_frame){.type = TWS_FRAME_WINDOW, .channel = id, .offset = 1u << 20});
        side_send(&p.c, side_app(&p.c, id), 1u << 20, false);
    }
    side_flush(&p.c, 0); /* nothing is delivered, nothing acknowledged */
    ck_assert_uint_le(tws_link_stats(p.c.link[0]).in_flight, (1u << 19) + 65536);
    ck_assert_uint_le(tws_session_stats(p.c.s).memory, 1u << 20);
    pair_fini(&p);
}
END_TEST

START_TEST(an_idle_session_gives_its_memory_back)
{
    start_pair((struct tws_session_config){0});
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    side_send(&p.c, a, 30u << 20, false);
    pair_pass(&p, SEC, 5 * MS);
    ck_assert_uint_gt(tws_session_stats(p.c.s).memory, 200000);
    pair_pass(&p, 61 * SEC, 5 * SEC);
    ck_assert_uint_lt(tws_session_stats(p.c.s).memory, 100000);
    ck_assert_uint_lt(tws_session_stats(p.s.s).memory, 100000);
    pair_fini(&p);
}
END_TEST

/* ---- numbers of channels ---- */

START_TEST(one_channel_more_than_allowed_is_a_flow_error)
{
    start_server((struct tws_session_config){.max_channels = 3});
    for (uint32_t id = 1; id <= 5; id += 2)
        send_open(id);
    ck_assert(!d.closed);
    send_open(7);
    ck_assert_uint_eq(d.code, TWS_CODE_FLOW);
    side_fini(&d);
}
END_TEST

START_TEST(an_opener_waits_at_the_limit_and_goes_on_when_one_is_over)
{
    start_pair((struct tws_session_config){.max_channels = 3, .peer_max_channels = 3});
    struct app *a[3];
    for (int i = 0; i < 3; i++)
        a[i] = side_open(&p.c, 0, false);
    pair_run(&p);
    ck_assert(!tws_session_openable(p.c.s));
    ck_assert_ptr_null(side_open(&p.c, 0, false));
    side_forget(&p.c);
    tws_channel_reset(a[1]->ch, TWS_CODE_NONE, NULL, p.c.now);
    pair_run(&p);
    ck_assert(has_event(&p.c, TWS_EVENT_OPENABLE));
    ck_assert_ptr_nonnull(side_open(&p.c, 0, false));
    ck_assert_ptr_null(side_open(&p.c, 0, false));
    pair_run(&p);
    ck_assert(!p.s.closed);
    pair_fini(&p);
}
END_TEST

START_TEST(a_late_channels_does_not_lower_the_limit)
{
    start_pair((struct tws_session_config){.max_channels = 3, .peer_max_channels = 3});
    send_frame(&p.c, 0, (struct tws_frame){.type = TWS_FRAME_CHANNELS, .offset = 1});
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(side_open(&p.c, 0, false));
    ck_assert_ptr_null(side_open(&p.c, 0, false));
    pair_fini(&p);
}
END_TEST

START_TEST(openable_is_told_also_to_those_who_only_asked)
{
    start_pair((struct tws_session_config){.max_channels = 1, .peer_max_channels = 1});
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    ck_assert(!tws_session_openable(p.c.s));
    side_forget(&p.c);
    tws_channel_reset(a->ch, TWS_CODE_NONE, NULL, p.c.now);
    pair_run(&p);
    ck_assert(tws_session_openable(p.c.s));
    ck_assert(has_event(&p.c, TWS_EVENT_OPENABLE));
    pair_fini(&p);
}
END_TEST

START_TEST(many_short_channels_never_starve_at_a_limit)
{
    start_pair((struct tws_session_config){.max_channels = 10, .peer_max_channels = 10});
    for (int i = 0; i < 500; i++) {
        struct app *a = side_open(&p.c, 10, true);
        ck_assert_ptr_nonnull(a);
        pair_run(&p);
        side_send(&p.s, side_app(&p.s, a->id), 10, true);
        pair_run(&p);
        ck_assert_ptr_null(a->ch);
    }
    ck_assert(!p.s.closed);
    pair_fini(&p);
}
END_TEST

/* The rest are for what crosses the new session's beginning. */
START_TEST(three_quarters_of_the_ids_are_given_out)
{
    static const uint32_t last[] = {0xbffffffb, 0xbffffffc};
    struct side *side = _i == 0 ? &p.c : &p.s;

    start_pair((struct tws_session_config){0});
    side->s->next_id = last[_i];
    ck_assert_uint_eq(side_open(side, 0, false)->id, last[_i]);
    ck_assert(!tws_session_openable(side->s));
    ck_assert_ptr_null(side_open(side, 0, false));
    pair_run(&p);
    ck_assert_ptr_nonnull(side_app(_i == 0 ? &p.s : &p.c, last[_i]));
    ck_assert(!p.c.closed && !p.s.closed);
    pair_fini(&p);
}
END_TEST

/* ---- floods ---- */

enum useless {
    EMPTY_DATA,
    PADDING_ONLY,
    STALE_ACK,
    STALE_WINDOW,
    SMALL_RAISE,
    EXTRA_PING,
    USELESS_END
};

static void send_useless(enum useless kind, uint32_t i)
{
    struct tws_frame f[USELESS_END] = {
        [EMPTY_DATA] = {.type = TWS_FRAME_DATA, .channel = 1},
        [PADDING_ONLY] = {.type = TWS_FRAME_PADDING, .len = 3},
        [STALE_ACK] = {.type = TWS_FRAME_ACK, .channel = 1, .offset = 1, .len = 4},
        [STALE_WINDOW] = {.type = TWS_FRAME_WINDOW, .channel = 1, .offset = 5},
        [SMALL_RAISE] = {.type = TWS_FRAME_WINDOW, .channel = 1, .offset = (1u << 20) + 1 + i},
        [EXTRA_PING] = {.type = TWS_FRAME_PING, .offset = i},
    };
    send_frame(&d, 0, f[kind]);
}

START_TEST(useless_frames_meet_goaway_at_three_quarters_and_close_at_ten_thousand)
{
    start_server((struct tws_session_config){0});
    send_open(1);
    side_flush(&d, 0);
    send_frame(&d, 0,
               (struct tws_frame){.type = TWS_FRAME_ACK, .channel = 1, .offset = 1, .len = 4});
    if (_i == EXTRA_PING)
        send_useless(EXTRA_PING, 0); /* the first one is of use */
    for (uint32_t i = 0; i < 7499; i++)
        send_useless((enum useless)_i, i);
    ck_assert(tws_session_openable(d.s));
    send_useless((enum useless)_i, 7499);
    ck_assert(!tws_session_openable(d.s)); /* draining */
    side_flush(&d, 0);
    ck_assert_uint_eq(tws_get16(frame_on(&d, TWS_FRAME_GOAWAY, 0).payload), TWS_CODE_EXCESS);
    if (_i == EXTRA_PING)
        send_useless(EXTRA_PING, 0);
    for (uint32_t i = 7500; i < 9999; i++)
        send_useless((enum useless)_i, i);
    ck_assert(!d.closed);
    send_useless((enum useless)_i, 9999);
    ck_assert(d.closed);
    ck_assert_uint_eq(d.code, TWS_CODE_EXCESS);
    side_fini(&d);
}
END_TEST

START_TEST(goaways_whose_deadlines_creep_are_a_flood)
{
    uint8_t payload[6] = {0, TWS_CODE_SHUTDOWN};

    start_server((struct tws_session_config){0});
    for (uint32_t i = 0; i <= 10000; i++) { /* the first one is of use */
        ck_assert(!d.closed);
        tws_put32(payload + 2, UINT32_MAX - i);
        send_frame(&d, 0,
                   (struct tws_frame){.type = TWS_FRAME_GOAWAY, .len = 6, .payload = payload});
    }
    ck_assert(d.closed);
    ck_assert_uint_eq(d.code, TWS_CODE_EXCESS);
    side_fini(&d);
}
END_TEST

START_TEST(useless_frames_at_330_a_second_are_borne)
{
    start_server((struct tws_session_config){0});
    send_open(1);
    for (uint32_t i = 0; i < 40000; i++) {
        side_tick(&d, SEC / 330 + 1);
        send_useless(PADDING_ONLY, i);
    }
    ck_assert(!d.closed);
    ck_assert(tws_session_openable(d.s));
    side_fini(&d);
}
END_TEST

START_TEST(an_honest_transfer_is_never_taken_for_a_flood)
{
    start_pair((struct tws_session_config){0});
    struct app *a = side_open(&p.c, 0, false);
    pair_run(&p);
    for (int i = 0; i < 20000; i++) {
        side_send(&p.c, a, 10, false);
        side_send(&p.s, side_app(&p.s, a->id), 10, false);
        pair_run(&p);
    }
    ck_assert(!p.c.closed && !p.s.closed);
    ck_assert(tws_session_openable(p.c.s) && tws_session_openable(p.s.s));
    pair_fini(&p);
}
END_TEST

static void open_and_reset(uint32_t id)
{
    send_open(id);
    if (id % 4 == 1) /* STOP first does not hide it, and does not count twice */
        send_frame(&d, 0, (struct tws_frame){.type = TWS_FRAME_STOP, .channel = id, .len = 2});
    send_frame(&d, 0, (struct tws_frame){.type = TWS_FRAME_RESET, .channel = id, .len = 2});
}

START_TEST(a_thousand_early_resets_at_once_end_the_session)
{
    start_server((struct tws_session_config){0});
    d.refuse = true;
    for (uint32_t i = 0; i < 999; i++)
        open_and_reset(2 * i + 1);
    ck_assert(!d.closed);
    ck_assert(!tws_session_openable(d.s)); /* warned at 750 */
    side_flush(&d, 0);
    frame_on(&d, TWS_FRAME_GOAWAY, 0);
    open_and_reset(2001);
    open_and_reset(2003);
    ck_assert_uint_eq(d.code, TWS_CODE_EXCESS);
    side_fini(&d);
}
END_TEST

START_TEST(early_resets_at_33_a_second_are_borne_and_later_ones_are_free)
{
    start_server((struct tws_session_config){0});
    d.refuse = true;
    for (uint32_t i = 0; i < 3000; i++) {
        side_tick(&d, SEC / 33 + 1000);
        open_and_reset(2 * i + 1);
        side_flush(&d, 0);
        side_forget(&d);
        send_ack();
    }
    d.refuse = false;
    for (uint32_t i = 3000; i < 6000; i++) {
        open_and_reset(2 * i + 1);
        side_flush(&d, 0);
        side_forget(&d);
    }
    ck_assert(!d.closed);
    ck_assert(tws_session_openable(d.s));
    side_fini(&d);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, logs_take_no_more_than_half_of_the_budget);
    tcase_add_test(tc, an_idle_session_gives_its_memory_back);
    tcase_add_test(tc, one_channel_more_than_allowed_is_a_flow_error);
    tcase_add_test(tc, an_opener_waits_at_the_limit_and_goes_on_when_one_is_over);
    tcase_add_loop_test(tc, three_quarters_of_the_ids_are_given_out, 0, 2);
    tcase_add_test(tc, a_late_channels_does_not_lower_the_limit);
    tcase_add_test(tc, openable_is_told_also_to_those_who_only_asked);
    tcase_add_test(tc, many_short_channels_never_starve_at_a_limit);
    tcase_add_loop_test(tc, useless_frames_meet_goaway_at_three_quarters_and_close_at_ten_thousand,
                        0, USELESS_END);
    tcase_add_test(tc, goaways_whose_deadlines_creep_are_a_flood);
    tcase_add_test(tc, useless_frames_at_330_a_second_are_borne);
    tcase_add_test(tc, an_honest_transfer_is_never_taken_for_a_flood);
    tcase_add_test(tc, a_thousand_early_resets_at_once_end_the_session);
    tcase_add_test(tc, early_resets_at_33_a_second_are_borne_and_later_ones_are_free);
}

int main(void)
{
    TCase *tc = tcase_create("session limits");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_channel_starts_with_256_kib);
    tcase_add_test(tc, first_windows_shrink_as_the_pool_empties);
    tcase_add_test(tc, credit_comes_back_for_consumed_bytes_not_for_arrived_ones);
    tcase_add_test(tc, a_window_goes_out_when_a_quarter_was_consumed);
    tcase_add_test(tc, a_busy_window_doubles_up_to_8_mib_and_shrinks_when_slow);
    tcase_add_test(tc, windows_grow_only_within_the_pool);
    tcase_add_test(tc, a_granted_limit_never_falls_below_what_was_granted);
    tcase_add_test(tc, a_late_window_does_not_lower_the_limit);
    tcase_add_test(tc, a_sender_stops_at_the_credit);
    tcase_add_test(tc, a_thousand_stalled_channels_do_not_stop_a_live_one);
    tcase_add_loop_test(tc, queues_never_outgrow_the_budget_and_who_would_is_reset_with_14, 0, 2);
    tcase_add_test(tc, the_reset_for_memory_carries_code_14);
    tcase_add_test(tc, the_reset_for_memory_takes_no_bytes_of_another_channel);
    tcase_add_test(tc, single_bytes_behind_gaps_cannot_outgrow_the_budget);
    tcase_add_test(tc, more_than_1024_gaps_end_the_session_with_code_20);
    add_tests(tc);
    return run_suite("session limits", tc);
}

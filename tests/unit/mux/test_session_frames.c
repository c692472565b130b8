/*
 * test_session_frames.c - what a session does with frames made by hand: every check of every frame
 * type, and what it must ignore.
 */
#include "suite.h"
#include "wire.h"

#define NEVER_OPENED 99u

static struct side d;
static struct raw raw;

static const uint8_t target[] = {1, 1, 127, 0, 0, 1, 0, 80};

static void set_up_as(bool client)
{
    struct tws_session_config cfg = {.client = client, .early_data = 1000};

    ck_assert_int_eq(side_init(&d, &cfg, 0), TWS_OK);
    ck_assert_int_eq(side_link(&d, 0), TWS_OK);
}

/* A server with one link that the client has spoken on, and channel 1 open. */
static void set_up_server(void)
{
    set_up_as(false);
    send_link(&d, 0);
    send_frame(&d, 0,
               (struct tws_frame){.type = TWS_FRAME_OPEN,
                                  .channel = 1,
                                  .offset = 100000,
                                  .len = sizeof target,
                                  .payload = target});
    side_flush(&d, 0);
    side_forget(&d);
}

/* A client with one link and channel 1 opened. */
static void set_up_client(void)
{
    set_up_as(true);
    side_open(&d, 0, false);
    side_flush(&d, 0);
    send_frame(&d, 0, (struct tws_frame){.type = TWS_FRAME_OPENED, .channel = 1, .offset = 100000});
    side_forget(&d);
}

static void tear_down(void)
{
    side_fini(&d);
}

/* ---- one frame, one verdict ---- */

struct verdict {
    const char *what;
    struct tws_frame f;
    int code; /* of CLOSED; 0: the session lives */
};

static const uint8_t draining[] = {0, 16, 0, 0, 0x10, 0};
static const uint8_t role_0[] = {0, 0, 0, 1}, role_1[] = {1, 0, 0, 1}, role_4[] = {4, 0, 0, 1};

#define P       TWS_CODE_PROTOCOL
#define S       TWS_CODE_STATE
#define T(name) .type = TWS_FRAME_##name

static const struct verdict for_server[] = {
    {"PADDING of any length", {T(PADDING), .len = 200}, 0},
    {"PADDING with a flag", {T(PADDING), .flags = 1}, P},
    {"DATA within the credit", {T(DATA), .channel = 1, .len = 100}, 0},
    {"DATA with an unknown flag", {T(DATA), .flags = 2, .channel = 1, .len = 1}, P},
    {"DATA with the skip flag is not skipped", {T(DATA), .flags = 0x80, .channel = 1}, P},
    {"DATA on channel 0", {T(DATA), .len = 1}, S},
    {"DATA for a channel that never was", {T(DATA), .channel = NEVER_OPENED, .len = 1}, S},
    {"DATA for a channel of ours that never was", {T(DATA), .channel = 2, .len = 1}, S},
    {"DATA at the last byte of the credit",
     {T(DATA), .channel = 1, .offset = 256 * 1024 - 1, .len = 1},
     0},
    {"DATA one byte beyond the credit",
     {T(DATA), .channel = 1, .offset = 256 * 1024, .len = 1},
     TWS_CODE_FLOW},
    {"DATA at an offset above 2^62", {T(DATA), .channel = 1, .offset = TWS_OFFSET_MAX + 1}, P},
    {"DATA at the greatest offset", {T(DATA), .channel = 1, .offset = UINT64_MAX, .len = 1}, P},
    {"OPEN", {T(OPEN), .channel = 3, .len = sizeof target, .payload = target}, 0},
    {"OPEN without a payload", {T(OPEN), .channel = 3}, P},
    {"OPEN of channel 0", {T(OPEN), .len = sizeof target, .payload = target}, P},
    {"OPEN with the server's parity", {T(OPEN), .channel = 4, .len = 8, .payload = target}, P},
    {"OPEN of an open channel", {T(OPEN), .channel = 1, .len = 8, .payload = target}, S},
    {"OPEN with credit above 2^62",
     {T(OPEN), .channel = 3, .offset = TWS_OFFSET_MAX + 1, .len = 8, .payload = target},
     P},
    {"OPEN with a flag", {T(OPEN), .flags = 1, .channel = 3, .len = 8, .payload = target}, P},
    {"OPENED for a channel the client opened", {T(OPENED), .channel = 1}, P},
    {"OPENED for a channel that never was", {T(OPENED), .channel = 2}, S},
    {"RESET", {T(RESET), .channel = 1, .len = 2}, 0},
    {"RESET with the longest text", {T(RESET), .channel = 1, .len = 130}, 0},
    {"RESET with a text too long", {T(RESET), .channel = 1, .len = 131}, P},
    {"RESET without a code", {T(RESET), .channel = 1, .len = 1}, P},
    {"RESET on channel 0", {T(RESET), .len = 2}, S},
    {"RESET for a channel that never was", {T(RESET), .channel = NEVER_OPENED, .len = 2}, S},
    {"RESET with a final size beyond the credit",
     {T(RESET), .channel = 1, .offset = 1u << 20, .len = 2},
     TWS_CODE_FLOW},
    {"RESET with a final size above 2^62",
     {T(RESET), .channel = 1, .offset = TWS_OFFSET_MAX + 1, .len = 2},
     P},
    {"STOP", {T(STOP), .channel = 1, .len = 2}, 0},
    {"STOP of a wrong length", {T(STOP), .channel = 1, .len = 3}, P},
    {"STOP for more than was sent", {T(STOP), .channel = 1, .offset = 1, .len = 2}, P},
    {"STOP for a channel that never was", {T(STOP), .channel = NEVER_OPENED, .len = 2}, S},
    {"WINDOW", {T(WINDOW), .channel = 1, .offset = 500000}, 0},
    {"WINDOW going backwards", {T(WINDOW), .channel = 1, .offset = 5}, 0},
    {"WINDOW at 2^62", {T(WINDOW), .channel = 1, .offset = TWS_OFFSET_MAX}, 0},
    {"WINDOW above 2^62", {T(WINDOW), .channel = 1, .offset = TWS_OFFSET_MAX + 1}, P},
    {"WINDOW with a payload", {T(WINDOW), .channel = 1, .offset = 500000, .len = 1}, P},
    {"WINDOW on channel 0", {T(WINDOW), .offset = 500000}, S},
    {"WINDOW for a channel that never was", {T(WINDOW), .channel = NEVER_OPENED}, S},
    {"CHANNELS", {T(CHANNELS), .offset = 100000}, 0},
    {"CHANNELS on a channel", {T(CHANNELS), .channel = 1, .offset = 100000}, P},
    {"CHANNELS with a payload", {T(CHANNELS), .offset = 100000, .len = 4}, P},
    {"ACK for what was sent", {T(ACK), .channel = 1, .offset = 1, .len = 4}, 0},
    {"ACK for more than was sent", {T(ACK), .channel = 1, .offset = 1000, .len = 4}, P},
    {"ACK of a wrong length", {T(ACK), .channel = 1, .offset = 1, .len = 8}, P},
    {"ACK for a link that never was", {T(ACK), .channel = 9, .offset = 1, .len = 4}, P},
    {"DEAD for the link it travels on", {T(DEAD), .channel = 1, .offset = 1, .len = 2}, P},
    {"DEAD without a code", {T(DEAD), .channel = 9, .offset = 0}, P},
    {"PING", {T(PING), .offset = 77}, 0},
    {"PING asking for an ACK", {T(PING), .flags = TWS_FLAG_ACK_NOW, .offset = 77}, 0},
    {"PING with an unknown flag", {T(PING), .flags = 4, .offset = 77}, P},
    {"PING with a payload", {T(PING), .offset = 77, .len = 8}, P},
    {"PONG that nobody asked for", {T(PONG), .offset = 77, .len = 4}, 0},
    {"PONG of a wrong length", {T(PONG), .offset = 77, .len = 2}, P},
    {"LINK with another link's id", {T(LINK), .channel = 2, .len = 4, .payload = role_1}, P},
    {"LINK with role 0", {T(LINK), .channel = 1, .len = 4, .payload = role_0}, P},
    {"LINK with role 4", {T(LINK), .channel = 1, .len = 4, .payload = role_4}, P},
    {"LINK of a wrong length", {T(LINK), .channel = 1, .len = 3}, P},
    {"GOAWAY", {T(GOAWAY), .len = 6, .payload = draining}, 0},
    {"GOAWAY on a channel", {T(GOAWAY), .channel = 1, .len = 6, .payload = draining}, P},
    {"GOAWAY of a wrong length", {T(GOAWAY), .len = 5, .payload = draining}, P},
    {"CLOSE on a channel", {T(CLOSE), .channel = 1, .len = 2}, P},
    {"CLOSE without a code", {T(CLOSE), .len = 1}, P},
    {"DATAGRAM on a stream's channel", {T(DATAGRAM), .channel = 1, .len = 10}, S},
    {"DATAGRAM for a channel that never was", {T(DATAGRAM), .channel = NEVER_OPENED, .len = 10}, S},
    {"an unknown type", {.type = 0x10}, P},
    {"the last unknown type", {.type = 0xff, .flags = 0x7f}, P},
    {"an unknown type to be skipped", {.type = 0x10, .flags = 0x80, .channel = 5, .len = 100}, 0},
    {"an unknown type to be skipped, all flags", {.type = 0xff, .flags = 0xff}, 0},
};

static const struct verdict for_client[] = {
    {"DATA", {T(DATA), .channel = 1, .len = 100}, 0},
    {"OPEN of an even channel", {T(OPEN), .channel = 2, .len = 8, .payload = target}, 0},
    {"OPEN of an odd channel", {T(OPEN), .channel = 3, .len = 8, .payload = target}, P},
    {"OPENED twice", {T(OPENED), .channel = 1, .offset = 100000}, S},
    {"OPENED for a channel that never was", {T(OPENED), .channel = 3}, S},
    {"OPENED for channel 0", {T(OPENED)}, P},
    {"OPENED with credit above 2^62", {T(OPENED), .channel = 1, .offset = TWS_OFFSET_MAX + 1}, P},
    {"OPENED with a flag", {T(OPENED), .flags = 1, .channel = 1}, P},
    {"WINDOW", {T(WINDOW), .channel = 1, .offset = 200000}, 0},
};

static void judge(const struct verdict *v)
{
    send_frame(&d, 0, v->f);
    ck_assert_msg(d.closed == (v->code != 0), "%s: %s", v->what, d.closed ? "closed" : "lives");
    ck_assert_msg(d.code == v->code, "%s: code %u", v->what, d.code);
}

START_TEST(every_frame_to_a_server_is_judged_as_the_table_says)
{
    set_up_server();
    side_app(&d, 1)->paused = true;
    judge(&for_server[_i]);
    tear_down();
}
END_TEST

START_TEST(every_frame_to_a_client_is_judged_as_the_table_says)
{
    set_up_client();
    side_app(&d, 1)->paused = true;
    judge(&for_client[_i]);
    tear_down();
}
END_TEST

/* A frame type that is not LINK, before LINK. */
START_TEST(nothing_is_taken_before_link)
{
    set_up_as(false);
    send_frame(&d, 0,
               (struct tws_frame){.type = (uint8_t)_i, .len = _i == TWS_FRAME_GOAWAY ? 6 : 0});
    ck_assert(d.closed);
    tear_down();
}
END_TEST

/* ---- whole messages ---- */

START_TEST(a_frame_cut_short_ends_the_session)
{
    struct tws_frame f = {T(DATA), .channel = 1, .len = 10};
    uint8_t b[26] = {0};

    tws_frame_put_header(b, &f);
    set_up_server();
    side_recv(&d, 0, (struct tws_span){b, (size_t)_i});
    ck_assert(d.closed);
    ck_assert_uint_eq(d.code, P);
    tear_down();
}
END_TEST

START_TEST(sixty_four_frames_are_taken_and_one_more_is_not)
{
    set_up_server();
    for (int i = 0; i < 64; i++)
        raw_frame(&raw, (struct tws_frame){T(PING), .offset = 5});
    raw_send(&raw, &d, 0);
    ck_assert(!d.closed);
    for (int i = 0; i < 65; i++)
        raw_frame(&raw, (struct tws_frame){T(PING), .offset = 5});
    raw_send(&raw, &d, 0);
    ck_assert(d.closed);
    ck_assert_uint_eq(d.code, TWS_CODE_TOO_BIG);
    tear_down();
}
END_TEST

START_TEST(an_ack_without_room_behind_deads_waits_for_the_next_message)
{
    struct tws_session_config cfg = {.max_message = 1024};

    ck_assert_int_eq(side_init(&d, &cfg, 0), TWS_OK);
    ck_assert_int_eq(side_link(&d, 0), TWS_OK);
    send_link(&d, 0);
    side_flush(&d, 0);
    side_forget(&d);
    for (uint32_t i = 0; i < 62; i++)
        raw_frame(&raw, (struct tws_frame){T(DEAD), .channel = 0x10000 + i, .len = 2});
    raw_frame(&raw, (struct tws_frame){T(PING), .flags = TWS_FLAG_ACK_NOW});
    raw_send(&raw, &d, 0);
    ck_assert(!d.closed);
    side_flush(&d, 0);
    ck_assert_uint_eq(count_frames(&d, 0, TWS_FRAME_DEAD, UINT32_MAX), 62);
    ck_assert_uint_ge(count_frames(&d, 0, TWS_FRAME_ACK, UINT32_MAX), 1);
    tear_down();
}
END_TEST

START_TEST(a_message_too_big_or_empty_is_refused_with_code_5)
{
    set_up_server();
    raw_frame(&raw, (struct tws_frame){T(PADDING), .len = TWS_FRAME_MAX_PAYLOAD});
    ck_assert_uint_eq(raw.n, TWS_MESSAGE_MAX);
    raw_send(&raw, &d, 0);
    ck_assert(!d.closed);
    if (_i == 0) {
        raw_frame(&raw, (struct tws_frame){T(PADDING), .len = TWS_FRAME_MAX_PAYLOAD - 15});
        raw_frame(&raw, (struct tws_frame){T(PADDING)});
    }
    raw_send(&raw, &d, 0);
    ck_assert(d.closed);
    ck_assert_uint_eq(d.code, TWS_CODE_TOO_BIG);
    tear_down();
}
END_TEST

START_TEST(of_a_wrong_frame_nothing_is_applied_and_close_goes_out_on_every_link)
{
    struct tws_frame f;

    set_up_server();
    ck_assert_int_eq(side_link(&d, 1), TWS_OK);
    send_link(&d, 1);
    raw_frame(&raw, (struct tws_frame){T(DATA), .channel = 1, .len = 5});
    memset(raw.b + 16, 0, 5);
    for (unsigned i = 0; i < 5; i++)
        raw.b[16 + i] = stream_byte(1, true, i);
    raw_frame(&raw, (struct tws_frame){T(DATA), .flags = 2, .channel = 1, .offset = 5, .len = 5});
    raw_frame(&raw, (struct tws_frame){T(DATA), .channel = 1, .offset = 5, .len = 5});
    raw_send(&raw, &d, 0);
    ck_assert_uint_eq(side_app(&d, 1)->got, 5);
    ck_assert(d.closed);
    for (unsigned i = 0; i < 2; i++) {
        side_flush(&d, i);
        ck_assert(find_frame(&d, i, TWS_FRAME_CLOSE, 0, 0, &f));
        ck_assert_uint_eq(tws_get16(f.payload), P);
        ck_assert_uint_eq(count_frames(&d, i, TWS_FRAME_CLOSE, 0), 1);
    }
    ck_assert_uint_eq(tws_session_deadline(d.s), UINT64_MAX);
    tear_down();
}
END_TEST

START_TEST(after_close_nothing_is_taken)
{
    set_up_server();
    send_frame(&d, 0,
               (struct tws_frame){T(CLOSE), .len = 5, .payload = (const uint8_t *)"\0\20bye"});
    ck_assert(d.closed);
    ck_assert_uint_eq(d.code, TWS_CODE_SHUTDOWN);
    ck_assert_mem_eq(event(&d, TWS_EVENT_CLOSED)->payload, "bye", 3);
    side_forget(&d);
    send_frame(&d, 0, (struct tws_frame){T(OPEN), .channel = 3, .len = 8, .payload = target});
    ck_assert_uint_eq(d.nev, 0);
    ck_assert(!tws_session_openable(d.s));
    ck_assert_ptr_null(side_open(&d, 1, true));
    tear_down();
}
END_TEST

START_TEST(a_long_text_of_close_is_cut)
{
    static uint8_t payload[2 + 500];

    set_up_server();
    memset(payload + 2, 'x', 500);
    send_frame(&d, 0, (struct tws_frame){T(CLOSE), .len = sizeof payload, .payload = payload});
    ck_assert_uint_eq(event(&d, TWS_EVENT_CLOSED)->n, 127);
    tear_down();
}
END_TEST

/* ---- the final size ---- */

static void send_data(uint64_t offset, uint16_t len, bool fin)
{
    static uint8_t bytes[4096];

    for (uint16_t i = 0; i < len; i++)
        bytes[i] = stream_byte(1, true, offset + i);
    send_frame(&d, 0,
               (struct tws_frame){T(DATA), .flags = fin ? TWS_FLAG_FIN : 0, .channel = 1,
                                  .offset = offset, .len = len, .payload = bytes});
}

static void send_reset(uint64_t final)
{
    send_frame(&d, 0, (struct tws_frame){T(RESET), .channel = 1, .offset = final, .len = 2});
}

/* What is sent after 100 bytes at 0 and FIN at 200 (bytes 100..200 are missing). */
static const struct {
    const char *what;
    uint64_t offset;
    uint16_t len;
    bool fin, reset;
    int code;
} after_fin[] = {
    {"the missing bytes", 100, 100, false, false, 0},
    {"the missing bytes and FIN again", 100, 100, true, false, 0},
    {"FIN alone again", 200, 0, true, false, 0},
    {"a byte behind the end", 200, 1, false, false, TWS_CODE_FINAL_SIZE},
    {"bytes across the end", 150, 51, false, false, TWS_CODE_FINAL_SIZE},
    {"FIN later", 250, 0, true, false, TWS_CODE_FINAL_SIZE},
    {"FIN earlier", 150, 0, true, false, TWS_CODE_FINAL_SIZE},
    {"RESET at the same size", 200, 0, false, true, 0},
    {"RESET at a smaller size", 199, 0, false, true, TWS_CODE_FINAL_SIZE},
    {"RESET at a greater size", 201, 0, false, true, TWS_CODE_FINAL_SIZE},
};

START_TEST(the_final_size_never_changes)
{
    set_up_server();
    send_data(0, 100, false);
    send_data(200, 0, true);
    ck_assert(!d.closed);
    if (after_fin[_i].reset)
        send_reset(after_fin[_i].offset);
    else
        send_data(after_fin[_i].offset, after_fin[_i].len, after_fin[_i].fin);
    ck_assert_msg(d.code == after_fin[_i].code, "%s: code %u", after_fin[_i].what, d.code);
    tear_down();
}
END_TEST

START_TEST(fin_or_reset_before_bytes_that_came_is_refused)
{
    set_up_server();
    send_data(100, 100, false);
    if (_i == 0)
        send_data(0, 150, true);
    else
        send_reset(199);
    ck_assert_uint_eq(d.code, TWS_CODE_FINAL_SIZE);
    tear_down();
}
END_TEST

START_TEST(fin_is_not_told_before_the_last_byte)
{
    set_up_server();
    send_data(100, 100, true);
    ck_assert(!has_event(&d, TWS_EVENT_READABLE));
    ck_assert(!side_app(&d, 1)->ended);
    send_data(0, 100, false);
    ck_assert_uint_eq(side_app(&d, 1)->got, 200);
    ck_assert(side_app(&d, 1)->ended);
    tear_down();
}
END_TEST

START_TEST(after_reset_the_bytes_before_the_final_size_are_still_handed_on)
{
    set_up_server();
    send_data(100, 100, false);
    send_reset(200);
    ck_assert(has_event(&d, TWS_EVENT_RESET));
    ck_assert(!side_app(&d, 1)->ended);
    send_data(0, 100, false);
    ck_assert_uint_eq(side_app(&d, 1)->got, 200);
    ck_assert(side_app(&d, 1)->ended);
    tear_down();
}
END_TEST

/* ---- what a finished channel gets is ignored ---- */

START_TEST(frames_for_a_finished_channel_are_ignored)
{
    static const struct tws_frame late[] = {
        {T(DATA), .channel = 1, .offset = 0, .len = 10},
        {T(DATA), .flags = 1, .channel = 1, .offset = 7},
        {T(RESET), .channel = 1, .offset = 3, .len = 2},
        {T(STOP), .channel = 1, .len = 2},
        {T(WINDOW), .channel = 1, .offset = 1u << 20},
        {T(DATAGRAM), .channel = 1, .len = 2},
    };
    set_up_server();
    send_reset(0);
    side_flush(&d, 0);
    ck_assert_ptr_null(side_app(&d, 1)->ch);
    ck_assert_uint_eq(tws_session_stats(d.s).channels, 0);
    side_forget(&d);
    for (int i = 0; i < COUNT_OF(late); i++)
        send_frame(&d, 0, late[i]);
    ck_assert(!d.closed);
    ck_assert_uint_eq(d.nev, 0);
    send_frame(&d, 0, (struct tws_frame){T(OPEN), .channel = 1, .len = 8, .payload = target});
    ck_assert_uint_eq(d.code, S); /* ids are never used again */
    tear_down();
}
END_TEST

START_TEST(opens_may_come_out_of_order)
{
    static const uint32_t ids[] = {9, 3, 7, 5};

    set_up_server();
    for (int i = 0; i < COUNT_OF(ids); i++)
        send_frame(&d, 0,
                   (struct tws_frame){T(OPEN), .channel = ids[i], .len = 8, .payload = target});
    ck_assert(!d.closed);
    ck_assert_uint_eq(tws_session_stats(d.s).channels, 5);
    send_frame(&d, 0, (struct tws_frame){T(DATA), .channel = 11, .len = 1});
    ck_assert_uint_eq(d.code, S);
    tear_down();
}
END_TEST

START_TEST(of_several_goaways_the_earliest_deadline_counts)
{
    uint8_t payload[6] = {0, 16, 0, 0, 0, 100};

    set_up_server();
    send_frame(&d, 0, (struct tws_frame){T(GOAWAY), .len = 6, .payload = payload});
    ck_assert_uint_eq(event(&d, TWS_EVENT_GOAWAY)->ms, 100);
    ck_assert_uint_eq(event(&d, TWS_EVENT_GOAWAY)->code, TWS_CODE_SHUTDOWN);
    ck_assert(!tws_session_openable(d.s));
    side_forget(&d);
    payload[5] = 200;
    send_frame(&d, 0, (struct tws_frame){T(GOAWAY), .len = 6, .payload = payload});
    ck_assert(!has_event(&d, TWS_EVENT_GOAWAY));
    payload[5] = 50;
    send_frame(&d, 0, (struct tws_frame){T(GOAWAY), .len = 6, .payload = payload});
    ck_assert_uint_eq(event(&d, TWS_EVENT_GOAWAY)->ms, 50);
    tear_down();
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session frames");
    tcase_add_loop_test(tc, every_frame_to_a_server_is_judged_as_the_table_says, 0,
                        COUNT_OF(for_server));
    tcase_add_loop_test(tc, every_frame_to_a_client_is_judged_as_the_table_says, 0,
                        COUNT_OF(for_client));
    tcase_add_loop_test(tc, nothing_is_taken_before_link, 0, TWS_FRAME_LINK);
    tcase_add_loop_test(tc, nothing_is_taken_before_link, TWS_FRAME_GOAWAY, TWS_FRAME_TYPE_END);
    tcase_add_loop_test(tc, a_frame_cut_short_ends_the_session, 1, 26);
    tcase_add_test(tc, sixty_four_frames_are_taken_and_one_more_is_not);
    tcase_add_test(tc, an_ack_without_room_behind_deads_waits_for_the_next_message);
    tcase_add_loop_test(tc, a_message_too_big_or_empty_is_refused_with_code_5, 0, 2);
    tcase_add_test(tc, of_a_wrong_frame_nothing_is_applied_and_close_goes_out_on_every_link);
    tcase_add_test(tc, after_close_nothing_is_taken);
    tcase_add_test(tc, a_long_text_of_close_is_cut);
    tcase_add_loop_test(tc, the_final_size_never_changes, 0, COUNT_OF(after_fin));
    tcase_add_loop_test(tc, fin_or_reset_before_bytes_that_came_is_refused, 0, 2);
    tcase_add_test(tc, fin_is_not_told_before_the_last_byte);
    tcase_add_test(tc, after_reset_the_bytes_before_the_final_size_are_still_handed_on);
    tcase_add_test(tc, frames_for_a_finished_channel_are_ignored);
    tcase_add_test(tc, opens_may_come_out_of_order);
    tcase_add_test(tc, of_several_goaways_the_earliest_deadline_counts);
    return run_suite("session frames", tc);
}

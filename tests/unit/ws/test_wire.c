/* test_wire.c - the data path on plain TCP: every byte, in order, until the end, and what a bad or
 * vanished peer meets. The peer is another wire, or a raw socket that speaks by hand. */
#include "pair.h"
#include "suite.h"

#include "tws/ws/codec.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

static struct tws_loop *loop;
static int fds[2];
static struct end *e; /* on fds[0] */
static bool no_pongs; /* the connection breaks when one is written */

/* In libc's place. */
ssize_t send(int fd, const void *p, size_t n, int flags)
{
    if (no_pongs && n == 6 && *(const uint8_t *)p == 0x8a) {
        errno = EPIPE;
        return -1;
    }
    return sendto(fd, p, n, flags, NULL, 0);
}

static void start(bool client)
{
    struct tws_wire *w = NULL;

    e = end_new(loop);
    ck_assert_int_eq(tws_wire_new(loop, fds[0], client, &w), TWS_OK);
    end_adopt(e, w);
}

static void setup(void)
{
    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    pair_sockets(fds);
}

static void teardown(void)
{
    end_free(e);
    e = NULL;
    if (fds[1] >= 0)
        close(fds[1]);
    tws_loop_free(loop);
}

/* The raw peer sends; the wire's side is a server unless said otherwise, so frames are masked with
 * a zero key. */
static void say(const void *p, size_t n)
{
    ck_assert_int_eq(send(fds[1], p, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* The raw peer reads exactly n bytes. */
static void hear(void *p, size_t n)
{
    ck_assert_int_eq(recv(fds[1], p, n, MSG_WAITALL), (ssize_t)n);
}

static void expect_frame(const char *bytes, size_t n)
{
    uint8_t got[256];

    hear(got, n);
    ck_assert_mem_eq(got, bytes, n);
}

static void expect_close(uint16_t code)
{
    uint8_t got[4];

    hear(got, 4);
    ck_assert_uint_eq(got[0], 0x88);
    ck_assert_uint_eq(got[1], 2);
    ck_assert_uint_eq((got[2] << 8) | got[3], code);
}

/* ---- two wires ---- */

static void transfer(bool staged, bool client_sends)
{
    struct end *other = end_new(loop);
    struct tws_wire *w = NULL;
    struct end *from, *to;

    pair_nonblocking(fds[1]);
    start(true);
    ck_assert_int_eq(tws_wire_new(loop, fds[1], false, &w), TWS_OK);
    end_adopt(other, w);
    fds[1] = -1;
    from = client_sends ? e : other;
    to = client_sends ? other : e;
    from->staged = staged;
    from->to_send = to->stop_at = 24 << 20;
    ck_assert_int_eq(end_pump(from), TWS_BLOCKED);
    ck_assert(tws_wire_blocked(from->wire));
    pair_run(loop);
    ck_assert_uint_eq(to->received, from->to_send);
    ck_assert_uint_eq(to->hash, from->sent_hash);
    ck_assert_uint_gt(from->writables, 0);
    ck_assert_uint_lt(to->bursts, to->messages);
    ck_assert_uint_eq(from->overs + to->overs, 0);
    end_free(other);
}

START_TEST(every_byte_arrives_in_order_each_way_sealed_or_not)
{
    transfer(_i & 1, _i & 2);
}
END_TEST

START_TEST(a_message_of_no_bytes_is_a_message)
{
    start(false);
    say("\x82\x80\0\0\0\0", 6);
    e->stop_at = 0;
    pair_run_for(loop, 20000);
    ck_assert_uint_eq(e->messages, 1);
    ck_assert_uint_eq(e->received, 0);
}
END_TEST

/* ---- control frames ---- */

START_TEST(a_ping_is_answered_with_its_payload)
{
    start(false);
    say("\x89\x83\0\0\0\0abc", 9);
    pair_run_for(loop, 20000);
    expect_frame("\x8a\x03"
                 "abc",
                 5);
}
END_TEST

START_TEST(a_client_masks_its_pong)
{
    uint8_t got[9];

    start(true);
    say("\x89\x03"
        "abc",
        5);
    pair_run_for(loop, 20000);
    hear(got, 9);
    ck_assert_uint_eq(got[0], 0x8a);
    ck_assert_uint_eq(got[1], 0x83);
    tws_ws_mask(got + 6, 3, got + 2);
    ck_assert_mem_eq(got + 6, "abc", 3);
}
END_TEST

/* A server with a message that is stuck, and nothing to send behind it. */
static void start_stuck(void)
{
    /* Not TCP, whose windows would decide how much is stuck. */
    close(fds[0]);
    close(fds[1]);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pair_nonblocking(fds[0]);
    start(false);
    e->message = 32768;
    e->to_send = 1 << 30;
    ck_assert_int_eq(end_pump(e), TWS_BLOCKED);
    e->to_send = e->sent;
}

START_TEST(a_flood_of_pings_leaves_one_pong_the_latest)
{
    static uint8_t pings[1000][10], frame[4 + 32768];
    struct pollfd p;
    uint8_t got[6];

    start_stuck();
    for (int i = 0; i < 1000; i++) {
        uint8_t ping[10] = {0x89, 0x84, 0, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};

        memcpy(pings[i], ping, sizeof(ping));
    }
    say(pings, sizeof(pings));
    pair_run_for(loop, 20000);
    ck_assert(tws_wire_blocked(e->wire));
    /* Everything that was stuck, then exactly one pong. */
    for (uint64_t i = 0; i < e->sent / 32768; i++) {
        for (size_t have = 0; have < sizeof(frame);) {
            ssize_t n = recv(fds[1], frame + have, sizeof(frame) - have, MSG_DONTWAIT);

            if (n > 0)
                have += (size_t)n;
            else
                pair_run_for(loop, 1000);
        }
        ck_assert_uint_eq(frame[0], 0x82);
    }
    pair_run_for(loop, 20000);
    hear(got, 6);
    ck_assert_mem_eq(got, "\x8a\x04\0\0\x03\xe7", 6);
    p = (struct pollfd){.fd = fds[1], .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 0), 0);
    ck_assert_uint_eq(e->writables, 1);
}
END_TEST

/* Who counts what was sent must count it: the peer may acknowledge it over another link. */
START_TEST(a_message_has_left_even_if_the_pong_behind_it_fails)
{
    static uint8_t frame[4 + 32768];

    start_stuck();
    no_pongs = true;
    say("\x89\x84\0\0\0\0ping", 10);
    pair_run_for(loop, 20000);
    ck_assert(tws_wire_blocked(e->wire));
    while (e->overs == 0) {
        (void)!recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT);
        pair_run_for(loop, 1000);
    }
    no_pongs = false;
    ck_assert_uint_eq(e->writables, 1);
}
END_TEST

START_TEST(pongs_are_ignored)
{
    start(false);
    say("\x8a\x83\0\0\0\0abc\x82\x81\0\0\0\0x", 16);
    e->stop_at = 1;
    pair_run(loop);
    ck_assert_uint_eq(e->messages, 1);
}
END_TEST

/* ---- ends ---- */

START_TEST(the_peers_close_code_is_told_and_answered)
{
    start(false);
    say("\x82\x81\0\0\0\0x\x88\x82\0\0\0\0\x11\x30", 15);
    pair_run(loop);
    ck_assert_uint_eq(e->messages, 1);
    ck_assert_uint_eq(e->overs, 1);
    ck_assert_uint_eq(e->over_code, 4400);
    expect_close(4400);
    ck_assert_int_eq(recv(fds[1], (char[1]){0}, 1, 0), 0);
}
END_TEST

START_TEST(what_came_before_the_end_is_read_first)
{
    static uint8_t frame[8 + 1000] = {0x82, 0xfe, 0x03, 0xe8};
    struct linger reset = {1, 0};

    start(false);
    tws_wire_set_reading(e->wire, false);
    for (int i = 0; i < 30; i++)
        say(frame, sizeof(frame));
    for (int unsent = 1; unsent > 0;) /* what is not acknowledged dies with the sender's reset */
        ck_assert_int_eq(ioctl(fds[1], SIOCOUTQ, &unsent), 0);
    if (_i == 1)
        setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fds[1]);
    fds[1] = -1;
    pair_run_for(loop, 20000);
    ck_assert_uint_eq(e->overs, 0);
    if (_i == 1) { /* a reset is also found by writing, which must not hide what is unread */
        e->to_send = 100;
        (void)!end_pump(e);
    }
    tws_wire_set_reading(e->wire, true);
    pair_run(loop);
    ck_assert_uint_eq(e->received, 30 * 1000);
    ck_assert_uint_eq(e->overs, 1);
    ck_assert_uint_eq(e->over_code, 1006);
}
END_TEST

START_TEST(the_end_in_the_middle_of_a_message_is_1006)
{
    start(false);
    say("\x82\x85\0\0\0\0Hel", 9);
    shutdown(fds[1], SHUT_WR);
    pair_run(loop);
    ck_assert_uint_eq(e->messages, 0);
    ck_assert_uint_eq(e->over_code, 1006);
}
END_TEST

struct bad {
    const char *bytes;
    size_t n;
    uint16_t code;
};

static const struct bad bads[] = {
    {"\x81\x81\0\0\0\0x", 7, 1003},
    {"\x82\xff\0\0\0\0\0\1\0\0\0\0\0\0", 14, 1009},
    {"\x82\x01x", 3, 1002},
    {"GET / HTTP/1.1\r\n", 16, 1002},
};

START_TEST(a_violation_is_answered_with_its_code_and_ends_the_wire)
{
    start(false);
    say("\x82\x81\0\0\0\0x", 7);
    say(bads[_i].bytes, bads[_i].n);
    pair_run(loop);
    ck_assert_uint_eq(e->messages, 1);
    ck_assert_uint_eq(e->over_code, bads[_i].code);
    ck_assert_str_ne(e->over_why, "");
    expect_close(bads[_i].code);
}
END_TEST

START_TEST(the_callee_may_close_in_the_middle_of_a_burst)
{
    uint8_t three[21];

    start(false);
    for (int i = 0; i < 3; i++)
        memcpy(three + 7 * i, "\x82\x81\0\0\0\0x", 7);
    e->close_in_message = true;
    say(three, sizeof(three));
    pair_run(loop);
    ck_assert_uint_eq(e->messages, 1);
    ck_assert_uint_eq(e->bursts, 0);
    ck_assert_uint_eq(e->overs, 0);
    expect_close(1000);
}
END_TEST

static struct tws_wire *other;
static char heard[32];
static size_t heard_n;

static void hear_and_close_the_other(void *arg, uint8_t *msg, size_t n)
{
    (void)arg;
    ck_assert_uint_lt(heard_n + n, sizeof heard);
    memcpy(heard + heard_n, msg, n);
    heard_n += n;
    tws_wire_close(other, 1000);
    other = NULL;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

/* A unix socket's unread bytes are copied when they are discarded. */
START_TEST(closing_one_in_the_burst_of_another_leaves_its_bytes_alone)
{
    static const struct tws_wire_events events = {.on_message = hear_and_close_the_other,
                                                  .on_burst_end = do_nothing,
                                                  .on_writable = do_nothing};
    static uint8_t junk[1000] = "junk";
    int pair[2];

    e = end_new(loop);
    ck_assert_int_eq(tws_wire_new(loop, fds[0], false, &e->wire), TWS_OK);
    tws_wire_start(e->wire, &events, NULL);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(tws_wire_new(loop, pair[0], false, &other), TWS_OK);
    tws_wire_start(other, &events, NULL);
    tws_wire_set_reading(other, false);
    ck_assert_int_eq(send(pair[1], junk, sizeof junk, 0), (ssize_t)sizeof junk);
    heard_n = 0;
    say("\x82\x83\0\0\0\0one\x82\x83\0\0\0\0two", 18);
    pair_run_for(loop, 50000);
    ck_assert_uint_eq(heard_n, 6);
    ck_assert_mem_eq(heard, "onetwo", 6);
    close(pair[1]);
}
END_TEST

START_TEST(a_close_inside_a_split_message_frees_what_was_kept)
{
    start(false);
    e->close_in_message = true;
    say("\x82\x85\0\0\0\0He", 8);
    pair_run_for(loop, 20000);
    say("llo\x82\x85\0\0\0\0He", 11);
    pair_run(loop);
    ck_assert_uint_eq(e->messages, 1);
    expect_close(1000);
}
END_TEST

START_TEST(closing_with_unread_bytes_still_brings_the_close_frame)
{
    static uint8_t junk[100000];

    start(false);
    tws_wire_set_reading(e->wire, false);
    say(junk, sizeof(junk));
    tws_wire_close(e->wire, 4416);
    e->wire = NULL;
    expect_close(4416);
    ck_assert_int_eq(recv(fds[1], (char[1]){0}, 1, 0), 0);
}
END_TEST

START_TEST(sending_to_a_vanished_peer_fails_and_is_told_once)
{
    struct linger reset = {1, 0};
    tws_err err = TWS_OK;

    start(_i == 1);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fds[1]);
    fds[1] = -1;
    e->to_send = 1000;
    e->message = 10;
    err = end_pump(e);
    ck_assert_int_eq(err, TWS_SYS);
    ck_assert_uint_eq(e->overs, 0);
    pair_run(loop);
    ck_assert_uint_eq(e->overs, 1);
    ck_assert_uint_eq(e->over_code, 1006);
    pair_run_for(loop, 20000);
    ck_assert_uint_eq(e->overs, 1);
}
END_TEST

START_TEST(a_stuck_message_goes_with_the_wire)
{
    start(_i == 1);
    e->to_send = 1 << 30;
    e->message = 32768;
    ck_assert_int_eq(end_pump(e), TWS_BLOCKED);
    tws_wire_close(e->wire, 1000);
    e->wire = NULL;
    pair_run_for(loop, 10000);
}
END_TEST

START_TEST(a_message_drop_by_drop_arrives_whole)
{
    uint8_t frame[8 + 300] = {0x82, 0xfe, 0x01, 0x2c, 1, 2, 3, 4};

    for (size_t i = 0; i < 300; i++)
        frame[8 + i] = (uint8_t)(i ^ (i % 4 + 1));
    start(false);
    e->stop_at = 300;
    for (size_t i = 0; i < sizeof(frame); i++) {
        ck_assert_uint_eq(e->messages, 0);
        say(frame + i, 1);
        if (i + 1 < sizeof(frame))
            pair_run_for(loop, 100);
    }
    pair_run(loop);
    for (size_t i = 0; i < 256; i++)
        ck_assert_uint_eq(e->last[i], i & 0xff);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("wire");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, every_byte_arrives_in_order_each_way_sealed_or_not, 0, 4);
    tcase_add_test(t, a_message_of_no_bytes_is_a_message);
    tcase_add_test(t, a_ping_is_answered_with_its_payload);
    tcase_add_test(t, a_client_masks_its_pong);
    tcase_add_test(t, a_flood_of_pings_leaves_one_pong_the_latest);
    tcase_add_test(t, a_message_has_left_even_if_the_pong_behind_it_fails);
    tcase_add_test(t, pongs_are_ignored);
    tcase_add_test(t, the_peers_close_code_is_told_and_answered);
    tcase_add_loop_test(t, what_came_before_the_end_is_read_first, 0, 2);
    tcase_add_test(t, the_end_in_the_middle_of_a_message_is_1006);
    tcase_add_loop_test(t, a_violation_is_answered_with_its_code_and_ends_the_wire, 0,
                        sizeof(bads) / sizeof(bads[0]));
    tcase_add_test(t, the_callee_may_close_in_the_middle_of_a_burst);
    tcase_add_test(t, closing_one_in_the_burst_of_another_leaves_its_bytes_alone);
    tcase_add_test(t, a_close_inside_a_split_message_frees_what_was_kept);
    tcase_add_test(t, closing_with_unread_bytes_still_brings_the_close_frame);
    tcase_add_loop_test(t, sending_to_a_vanished_peer_fails_and_is_told_once, 0, 2);
    tcase_add_loop_test(t, a_stuck_message_goes_with_the_wire, 0, 2);
    tcase_add_test(t, a_message_drop_by_drop_arrives_whole);
    return run_suite("ws/wire", t);
}

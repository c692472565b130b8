/*
 * test_backlog.c - what waits for its channel's turn: which of it is sent, and when. The time is
 * the test's; the session is real, its peer is one that takes everything.
 */
#include "backlog_priv.h"
#include "suite.h"

#include "tws/proto/frame.h"
#include "tws/proto/target.h"

#include <string.h>

#define MS    1000u
#define LIMIT 65536u

static struct tws_backlog b;
static struct tws_session *near_side, *far_side;
static struct tws_link *near_link, *far_link;
static struct tws_channel *channel;
static uint64_t now;
static uint32_t sent, last; /* how many, and the last one's number */

static void hand_out(struct tws_session *s)
{
    struct tws_event ev;

    while (tws_session_next_event(s, &ev)) {
        if (ev.type == TWS_EVENT_OPEN)
            tws_channel_accept(ev.channel, (struct tws_span){NULL, 0}, now);
        if (ev.type != TWS_EVENT_DATAGRAM)
            continue;
        sent++;
        last = tws_get32(ev.payload.p);
    }
}

/* One message; at most `most` pulls are answered. */
static bool move(struct tws_session *from, struct tws_link *fl, struct tws_session *to,
                 struct tws_link *tl, unsigned most)
{
    struct tws_pull p;
    struct tws_span m;

    for (unsigned i = 0; i < most && tws_session_pull(from, fl, now, &p); i++)
        tws_backlog_pull(&b, from, &p, (struct tws_backlog_rate){NULL, NULL}, now);
    if (!tws_session_next_message(from, fl, now, &m))
        return false;
    tws_session_recv(to, tl, m, now);
    hand_out(to);
    tws_session_sent(from, fl, now);
    return true;
}

/* Sends at most `most` of what waits. */
static void send_some(unsigned most)
{
    tws_channel_set_ready(channel, true, now);
    (void)move(near_side, near_link, far_side, far_link, most);
    tws_channel_set_ready(channel, false, now);
    while (move(far_side, far_link, near_side, near_link, 0))
        ;
}

static void send_all(void)
{
    while (!tws_backlog_empty(&b))
        send_some(1000);
}

static void put(uint32_t number, size_t n)
{
    static uint8_t bytes[40000];

    tws_put32(bytes, number);
    tws_backlog_put(&b, (struct tws_span){bytes, n}, now);
}

static void set_up(void)
{
    static const uint8_t target[] = {TWS_KIND_UDP, TWS_TARGET_IPV4, 127, 0, 0, 1, 0, 53};
    const struct tws_session_config client = {.client = true}, server = {.client = false};
    const struct tws_link_config link = {.id = 1};

    now = 1000 * MS;
    sent = last = 0;
    tws_backlog_init(&b, LIMIT);
    ck_assert_int_eq(tws_session_new(&client, &tws_mem_default, 1, now, &near_side), TWS_OK);
    ck_assert_int_eq(tws_session_new(&server, &tws_mem_default, 1, now, &far_side), TWS_OK);
    ck_assert_int_eq(tws_session_link_add(far_side, &link, now, &far_link), TWS_OK);
    ck_assert_int_eq(tws_session_link_add(near_side, &link, now, &near_link), TWS_OK);
    ck_assert_int_eq(
        tws_session_open(near_side, (struct tws_span){target, sizeof target}, NULL, now, &channel),
        TWS_OK);
    for (int i = 0; i < 4; i++) {
        (void)move(near_side, near_link, far_side, far_link, 0);
        (void)move(far_side, far_link, near_side, near_link, 0);
    }
}

static void tear_down(void)
{
    tws_backlog_fini(&b);
    tws_session_free(near_side);
    tws_session_free(far_side);
}

START_TEST(what_waits_is_sent_in_order_many_in_a_message)
{
    for (uint32_t i = 1; i <= 300; i++)
        put(i, 100);
    send_some(1000);
    ck_assert_uint_gt(sent, 50);
    ck_assert_uint_eq(last, sent);
    send_all();
    ck_assert_uint_eq(sent, 300);
    ck_assert_uint_eq(b.dropped, 0);
}
END_TEST

START_TEST(the_oldest_give_way_to_the_newest)
{
    for (uint32_t i = 1; i <= 100; i++)
        put(i, 1000);
    send_all();
    ck_assert_uint_gt(sent, 60); /* 65 with their heads */
    ck_assert_uint_eq(sent + b.dropped, 100);
    ck_assert_uint_eq(last, 100);
}
END_TEST

START_TEST(what_no_message_takes_goes_and_the_owner_hears_of_it)
{
    put(1, 100);
    put(2, 40000);
    put(3, 100);
    send_all();
    ck_assert_uint_eq(sent, 2);
    ck_assert_uint_eq(b.dropped, 1);
    ck_assert_uint_eq(b.too_large, 40000);
}
END_TEST

START_TEST(what_waited_too_long_is_not_sent)
{
    put(1, 100);
    now += 2 * MS * MS;
    put(2, 100);
    now += (TWS_BACKLOG_OLD_MS - 1000) * MS;
    send_all();
    ck_assert_uint_eq(sent, 1);
    ck_assert_uint_eq(last, 2);
}
END_TEST

/* A way that was blocked for a moment: late is better than never. */
START_TEST(a_burst_is_sent_however_late)
{
    for (uint32_t i = 1; i <= 40; i++)
        put(i, 1000);
    now += 300 * MS;
    send_all();
    ck_assert_uint_eq(sent, 40);
}
END_TEST

/* The way takes one in a millisecond, and two come. */
START_TEST(a_queue_that_stands_is_kept_short)
{
    uint32_t n = 0;

    for (unsigned ms = 0; ms < 1000; ms++, now += MS) {
        put(++n, 500);
        put(++n, 500);
        send_some(1);
        /* Two for each millisecond of waiting. */
        if (ms > 400)
            ck_assert_uint_le(n - last, 2 * (TWS_CODEL_MOST_US / MS + 1));
    }
    ck_assert_uint_eq(sent, 1000);
    ck_assert_uint_gt(b.dropped, 900);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("backlog");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, what_waits_is_sent_in_order_many_in_a_message);
    tcase_add_test(tc, the_oldest_give_way_to_the_newest);
    tcase_add_test(tc, what_no_message_takes_goes_and_the_owner_hears_of_it);
    tcase_add_test(tc, what_waited_too_long_is_not_sent);
    tcase_add_test(tc, a_burst_is_sent_however_late);
    tcase_add_test(tc, a_queue_that_stands_is_kept_short);
    return run_suite("backlog", tc);
}

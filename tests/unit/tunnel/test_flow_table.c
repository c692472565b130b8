/*
 * test_flow_table.c - flows behind one socket: found by key, opened, answered, refused, bounded.
 *
 * A carrier without a wire: the test moves the messages between its session and the peer's.
 */
#include "flow_table_priv.h"
#include "suite.h"

#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <string.h>

#define MAX 4u

static struct tws_loop *loop;
static struct tws_carrier *carrier;
static struct tws_session *peer;
static struct tws_link *near_link, *far_link;
static struct tws_flows *flows;
static bool blocked, refuse;
static unsigned opens, came, delivered;
static char last_came[64], last_delivered[64], last_key[64];
static struct tws_channel *peer_channel;

static const struct tws_link_limits limits = {.grace_ms = 30000,
                                              .heartbeat_ms = 15000,
                                              .give_up_ms = 10000,
                                              .memory = 1 << 21,
                                              .max_message = 32768,
                                              .max_channels = 1000};

static uint64_t now(void)
{
    return tws_loop_now(loop);
}

/* ---- the client's side ---- */

static tws_err open_channel(void *arg, const struct tws_open *open, struct tws_carrier **c,
                            struct tws_channel **ch)
{
    uint8_t payload[TWS_OPEN_MAX];
    struct tws_writer w = tws_writer(payload, sizeof payload);

    (void)arg;
    if (blocked)
        return TWS_BLOCKED;
    opens++;
    tws_open_write(&w, open);
    ck_assert(!w.failed);
    *c = carrier;
    return tws_session_open(carrier->session, (struct tws_span){payload, w.len}, NULL, now(), ch);
}

static bool is_linked(void *arg)
{
    (void)arg;
    return true;
}

static const struct tws_ingress_events ingress_events = {.open = open_channel,
                                                         .is_linked = is_linked};

static void keep(char out[64], struct tws_span in)
{
    size_t n = in.n < 63 ? in.n : 63;

    memcpy(out, in.p, n);
    out[n] = '\0';
}

static void deliver(void *owner, struct tws_span key, struct tws_span in)
{
    ck_assert_ptr_eq(owner, &opens);
    delivered++;
    keep(last_key, key);
    keep(last_delivered, in);
}

static void on_over(void *arg, uint16_t code, const char *text)
{
    (void)arg;
    (void)code;
    (void)text;
}

static const struct tws_carrier_events carrier_events = {.on_over = on_over};

/* ---- the peer's side ---- */

static void peer_event(const struct tws_event *ev)
{
    if (ev->type == TWS_EVENT_OPEN && refuse)
        tws_channel_reset(ev->channel, TWS_CODE_FORBIDDEN, "no", now());
    else if (ev->type == TWS_EVENT_OPEN)
        tws_channel_accept(peer_channel = ev->channel, (struct tws_span){NULL, 0}, now());
    else if (ev->type == TWS_EVENT_RESET)
        tws_channel_reset(ev->channel, ev->code, NULL, now());
    if (ev->type != TWS_EVENT_DATAGRAM)
        return;
    came++;
    keep(last_came, ev->payload);
    peer_channel = ev->channel;
}

static void peer_hand_out(void)
{
    struct tws_event ev;

    while (tws_session_next_event(peer, &ev))
        peer_event(&ev);
}

/* ---- the way between ---- */

static bool move_up(void)
{
    struct tws_session *s = carrier->session;
    struct tws_pull p;
    struct tws_span m;

    while (tws_session_pull(s, near_link, now(), &p))
        ((struct tws_local *)p.user)->ops->pull(p.user, &p);
    if (!tws_session_next_message(s, near_link, now(), &m))
        return false;
    tws_session_recv(peer, far_link, m, now());
    peer_hand_out();
    tws_session_sent(s, near_link, now());
    return true;
}

/* `answer`: the peer's datagram for peer_channel, if it asks for one. */
static bool move_down(const char *answer)
{
    struct tws_pull p;
    struct tws_span m;

    while (tws_session_pull(peer, far_link, now(), &p)) {
        memcpy(p.buf, answer, strlen(answer));
        tws_session_pulled(peer, strlen(answer), TWS_PULLED_DATAGRAM);
    }
    if (!tws_session_next_message(peer, far_link, now(), &m))
        return false;
    tws_session_recv(carrier->session, near_link, m, now());
    tws_carrier_hand_out(carrier);
    tws_session_sent(peer, far_link, now());
    return true;
}

static void pump(const char *answer)
{
    tws_carrier_hand_out(carrier);
    bool moved = true;

    while (moved) {
        moved = move_up();
        moved = move_down(answer) || moved;
    }
}

static void reply(const char *text)
{
    tws_channel_set_ready(peer_channel, true, now());
    pump(text);
}

/* ---- life ---- */

static void set_up(void)
{
    static const uint8_t id[16] = {1};
    struct tws_hs_params said;
    struct tws_session_config server = {.peer_early_data = 0};
    struct tws_link_config link = {.id = 1};

    opens = came = delivered = 0;
    blocked = refuse = false;
    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    tws_carrier_params(&limits, &said);
    const struct tws_carrier_config cc = {.client = true,
                                          .limits = &limits,
                                          .peer = &said,
                                          .session_id = id,
                                          .user = "u",
                                          .events = &carrier_events};
    ck_assert_int_eq(tws_carrier_new(loop, &cc, &carrier), TWS_OK);
    ck_assert_int_eq(tws_session_new(&server, &tws_mem_default, 1, now(), &peer), TWS_OK);
    ck_assert_int_eq(tws_session_link_add(carrier->session, &link, now(), &near_link), TWS_OK);
    ck_assert_int_eq(tws_session_link_add(peer, &link, now(), &far_link), TWS_OK);
    pump("");
    const struct tws_flows_config fc = {.loop = loop,
                                        .events = &ingress_events,
                                        .max = MAX,
                                        .idle_us = 60000000,
                                        .deliver = deliver,
                                        .owner = &opens};
    ck_assert_int_eq(tws_flows_new(&fc, &flows), TWS_OK);
}

static void tear_down(void)
{
    tws_flows_free(flows);
    tws_session_link_lost(carrier->session, near_link, 0, now());
    tws_carrier_free(carrier);
    tws_session_free(peer);
    tws_loop_stop(loop);
    tws_loop_run(loop);
    tws_loop_free(loop);
}

static void put(const char *key, const char *text)
{
    static const struct tws_open open = {.kind = TWS_KIND_UDP,
                                         .target = {.type = TWS_TARGET_IPV4,
                                                    .ip = {.family = 4, .bytes = {127, 0, 0, 1}},
                                                    .port = 53}};

    tws_flows_send(flows, (struct tws_span){(const uint8_t *)key, strlen(key)}, &open,
                   (struct tws_span){(const uint8_t *)text, strlen(text)});
}

/* ---- tests ---- */

START_TEST(a_key_is_a_flow_with_one_channel)
{
    put("a", "one");
    put("a", "two");
    pump("");
    ck_assert_uint_eq(opens, 1);
    ck_assert_uint_eq(came, 2);
    ck_assert_str_eq(last_came, "two");
    put("aa", "of another");
    pump("");
    ck_assert_uint_eq(opens, 2);
    ck_assert_uint_eq(tws_flows_stats(flows).flows, 2);
    reply("answer");
    ck_assert_uint_eq(delivered, 1);
    ck_assert_str_eq(last_key, "aa");
    ck_assert_str_eq(last_delivered, "answer");
}
END_TEST

START_TEST(first_datagrams_wait_with_their_flow_until_channels_can_be_opened)
{
    blocked = true;
    put("a", "1");
    put("b", "2");
    put("a", "3");
    pump("");
    ck_assert_uint_eq(came, 0);
    tws_flows_ready(flows);
    ck_assert_uint_eq(opens, 0);
    blocked = false;
    tws_flows_ready(flows);
    ck_assert_uint_eq(opens, 2);
    pump("");
    ck_assert_uint_eq(came, 3);
}
END_TEST

/* Nobody overtakes those who wait. */
START_TEST(a_new_flow_waits_behind_those_that_wait)
{
    blocked = true;
    put("a", "1");
    blocked = false;
    put("b", "2");
    ck_assert_uint_eq(opens, 0);
    tws_flows_ready(flows);
    ck_assert_uint_eq(opens, 2);
}
END_TEST

START_TEST(a_refused_flow_swallows_what_comes_for_it)
{
    refuse = true;
    put("a", "1");
    pump("");
    ck_assert_uint_eq(tws_flows_stats(flows).refused, 1);
    for (int i = 0; i < 100; i++)
        put("a", "again");
    pump("");
    ck_assert_uint_eq(opens, 1);
    ck_assert_uint_eq(tws_flows_stats(flows).flows, 1);
    ck_assert_uint_ge(tws_flows_stats(flows).dropped, 100);
}
END_TEST

START_TEST(when_all_are_busy_a_new_one_is_dropped)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e"};

    for (unsigned i = 0; i <= MAX; i++)
        put(keys[i], "x");
    pump("");
    ck_assert_uint_eq(opens, MAX);
    ck_assert_uint_eq(came, MAX);
    ck_assert_uint_eq(tws_flows_stats(flows).dropped, 1);
}
END_TEST

START_TEST(one_that_was_refused_gives_way_at_once)
{
    static const char *const keys[] = {"b", "c", "d", "e"};

    refuse = true;
    put("a", "x");
    pump("");
    refuse = false;
    for (unsigned i = 0; i < MAX; i++)
        put(keys[i], "x");
    pump("");
    ck_assert_uint_eq(opens, MAX + 1);
    ck_assert_uint_eq(came, MAX);
    ck_assert_uint_eq(tws_flows_stats(flows).flows, MAX);
}
END_TEST

START_TEST(a_flow_that_the_peer_ends_leaves_its_key_free)
{
    put("a", "1");
    pump("");
    reply("answered");
    tws_channel_reset(peer_channel, TWS_CODE_REFUSED, NULL, now());
    peer_hand_out();
    pump("");
    ck_assert_uint_eq(tws_flows_stats(flows).flows, 0);
    put("a", "2");
    pump("");
    ck_assert_uint_eq(opens, 2);
    ck_assert_str_eq(last_came, "2");
}
END_TEST

START_TEST(cleared_flows_are_over_and_their_keys_free)
{
    put("a", "1");
    put("b", "1");
    pump("");
    tws_flows_clear(flows);
    ck_assert_uint_eq(tws_flows_stats(flows).flows, 0);
    put("a", "2"); /* while the old channel is ending */
    pump("");
    ck_assert_uint_eq(opens, 3);
    ck_assert_uint_eq(tws_session_stats(peer).channels, 1);
    ck_assert_str_eq(last_came, "2");
}
END_TEST

START_TEST(a_session_that_drains_ends_its_flows)
{
    put("a", "1");
    pump("");
    tws_session_drain(peer, TWS_CODE_SHUTDOWN, 1000, now());
    pump("");
    ck_assert_uint_eq(tws_flows_stats(flows).flows, 0);
    ck_assert_uint_eq(tws_session_stats(peer).channels, 0);
}
END_TEST

START_TEST(the_queue_of_a_flow_keeps_the_newest)
{
    static char text[3000];

    blocked = true;
    put("a", "the oldest");
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 100; i++)
        put("a", text);
    memcpy(text, "the newest", 10);
    put("a", text);
    blocked = false;
    tws_flows_ready(flows);
    pump("");
    ck_assert_uint_lt(came, 90); /* 256 KiB hold 87 of these */
    ck_assert_uint_gt(came, 80);
    ck_assert(strncmp(last_came, "the newest", 10) == 0);
}
END_TEST

START_TEST(the_queues_of_all_flows_keep_to_a_quarter_of_the_budget)
{
    static char text[3000];
    const unsigned n = MAX; /* 512 KiB among them */

    memset(text, 'x', sizeof text - 1);
    for (int round = 0; round < 2; round++) {
        for (char key[] = "a"; key[0] < 'a' + (char)n; key[0]++)
            for (int i = 0; i < (round == 0 ? 1 : 100); i++)
                put(key, text);
        if (round == 0)
            pump("");
    }
    came = 0;
    pump("");
    ck_assert_uint_le(came, n * 44);
    ck_assert_uint_gt(came, n * 40);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("flow table");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_key_is_a_flow_with_one_channel);
    tcase_add_test(tc, first_datagrams_wait_with_their_flow_until_channels_can_be_opened);
    tcase_add_test(tc, a_new_flow_waits_behind_those_that_wait);
    tcase_add_test(tc, a_refused_flow_swallows_what_comes_for_it);
    tcase_add_test(tc, when_all_are_busy_a_new_one_is_dropped);
    tcase_add_test(tc, one_that_was_refused_gives_way_at_once);
    tcase_add_test(tc, a_flow_that_the_peer_ends_leaves_its_key_free);
    tcase_add_test(tc, cleared_flows_are_over_and_their_keys_free);
    tcase_add_test(tc, a_session_that_drains_ends_its_flows);
    tcase_add_test(tc, the_queue_of_a_flow_keeps_the_newest);
    tcase_add_test(tc, the_queues_of_all_flows_keep_to_a_quarter_of_the_budget);
    return run_suite("flow table", tc);
}

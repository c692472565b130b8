/* test_upgrade.c - client and server of the upgrade against each other, without TLS. */
#include "peers.h"
#include "suite.h"

static struct peers *p;

static void setup(void)
{
    p = peers_new();
}

static void teardown(void)
{
    peers_free(p);
}

/* Both sides have a wire. */
static void both_up(void)
{
    peers_listen(p);
    peers_connect(p);
    pair_run(p->loop);
    ck_assert_str_eq(p->client.why, "");
    ck_assert_str_eq(p->server.why, "");
    ck_assert_uint_eq(p->wires, 2);
}

START_TEST(nothing_is_left_of_an_unused_context)
{
    ck_assert_ptr_nonnull(p->ws);
}
END_TEST

START_TEST(handshake_messages_arrive_and_both_sides_get_a_wire)
{
    both_up();
    ck_assert_uint_eq(p->client.messages, 2);
    ck_assert_uint_eq(p->server.messages, 1);
    ck_assert_str_eq(p->server.session, PEERS_SESSION);
    ck_assert_str_eq(p->client.session, "");
}
END_TEST

static void transfer(struct end *from, struct end *to, uint64_t bytes)
{
    from->to_send = to->stop_at = bytes;
    from->message = 32768;
    (void)!end_pump(from);
    if (to->received < bytes)
        pair_run(p->loop);
    ck_assert_uint_eq(to->received, bytes);
    ck_assert_uint_eq(to->hash, from->sent_hash);
}

START_TEST(bytes_pass_both_ways_after_the_take_over)
{
    both_up();
    transfer(p->client.end, p->server.end, 64 << 20);
    transfer(p->server.end, p->client.end, 64 << 20);
    ck_assert_uint_eq(p->client.end->overs + p->server.end->overs, 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("upgrade");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, nothing_is_left_of_an_unused_context);
    tcase_add_test(t, handshake_messages_arrive_and_both_sides_get_a_wire);
    tcase_add_test(t, bytes_pass_both_ways_after_the_take_over);
    return run_suite("ws/upgrade", t);
}

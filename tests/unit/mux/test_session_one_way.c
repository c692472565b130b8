/*
 * test_session_one_way.c - all links take the same slow way: while something small is sent now and
 * then, bulk keeps off the link that carries it, and comes back afterwards. Both ways: the server
 * learns it from LINK.
 */
#include "linked.h"

#include <limits.h>

#define BULK   6u
#define LINKS  3u
#define ROUND  (10 * MS)
#define SLOW   40000 /* bytes that come through in a round */
#define FAST   INT_MAX
#define A_BYTE 1u

static struct side *from, *to; /* of the bytes that are looked at */
static struct app *typed;
static unsigned nlinks;
static uint64_t bulk[LINKS], small[LINKS]; /* bytes that each link was given */

enum { UP, DOWN, WAYS };

static void begin(unsigned links, int way, bool one_way)
{
    uint32_t ids[BULK + 1];

    nlinks = links;
    tws_session_set_one_way(p.c.s, one_way, p.c.now);
    for (unsigned i = 1; i < links; i++)
        pair_link(&p, i);
    pair_pass(&p, 100 * MS, 20 * MS);
    from = way == UP ? &p.c : &p.s;
    to = way == UP ? &p.s : &p.c;
    for (unsigned i = 0; i <= BULK; i++) {
        ids[i] = side_open(&p.c, 0, false)->id;
        pair_pass(&p, 40 * MS, 20 * MS);
    }
    typed = side_app(from, ids[0]);
    for (unsigned i = 1; i <= BULK; i++)
        side_send(from, side_app(from, ids[i]), 1u << 30, false);
}

static void count(unsigned i)
{
    struct tws_frame f;

    for (unsigned n = 0; find_frame(from, i, TWS_FRAME_DATA, UINT32_MAX, n, &f); n++)
        *(f.channel == typed->id ? &small[i] : &bulk[i]) += f.len;
}

/* As much as the way takes in a round, whatever link it is on. */
static void carry(int most)
{
    bool moved = true;

    while (moved && most > 0) {
        moved = false;
        for (unsigned i = 0; i < nlinks && most > 0; i++) {
            if (from->head[i] == from->tail[i])
                continue;
            most -= (int)from->out[i][from->head[i] % PAIR_QUEUE].n;
            moved = deliver(from, to, i) || moved;
        }
    }
}

/* As the carrier does; then what the way takes. */
static void pass_round(int most)
{
    unsigned was[LINKS];

    for (unsigned i = 0; i < nlinks; i++)
        was[i] = from->head[i], from->head[i] = from->tail[i]; /* only what is new is counted */
    do
        for (unsigned i = 0; i < nlinks; i++)
            side_flush(from, i);
    while (tws_session_flush_again(from->s));
    for (unsigned i = 0; i < nlinks; i++) {
        count(i);
        from->head[i] = was[i];
    }
    carry(most);
    pair_tick(&p, ROUND);
    for (unsigned i = 0; i < nlinks; i++) {
        side_flush(to, i);
        while (deliver(to, from, i))
            continue;
    }
}

/* Rounds, with something typed in each or in none; what was sent meanwhile is counted. */
static void rounds(unsigned n, int most, bool typing)
{
    memset(bulk, 0, sizeof bulk);
    memset(small, 0, sizeof small);
    for (; n > 0; n--) {
        if (typing)
            side_send(from, typed, A_BYTE, false);
        pass_round(most);
    }
}

static unsigned with(const uint64_t *bytes)
{
    unsigned n = 0;

    for (unsigned i = 0; i < nlinks; i++)
        n += bytes[i] > 0;
    return n;
}

/* The link of what is typed; nothing else is on it. */
static unsigned clear_link(void)
{
    unsigned clear = 0;

    ck_assert_uint_eq(with(small), 1);
    while (small[clear] == 0)
        clear++;
    ck_assert_uint_eq(bulk[clear], 0);
    return clear;
}

START_TEST(bulk_keeps_off_the_link_of_what_is_typed)
{
    begin(2 + (unsigned)_i / WAYS, _i % WAYS, true);
    rounds(100, SLOW, true);
    rounds(50, SLOW, true);
    clear_link();
    ck_assert_uint_ge(bulk[0] + bulk[1] + bulk[2], 45 * SLOW);
}
END_TEST

/* And takes turns again with what is there. */
START_TEST(bulk_comes_back_when_nothing_is_typed)
{
    begin(2 + (unsigned)_i / WAYS, _i % WAYS, true);
    rounds(100, SLOW, true);
    rounds(50, SLOW, true);
    unsigned clear = clear_link();
    rounds(400, SLOW, false);
    ck_assert_uint_eq(bulk[clear], 0);
    rounds(200, SLOW, false);
    rounds(50, SLOW, false);
    ck_assert_uint_gt(bulk[clear], 0);
    ck_assert_uint_gt(with(bulk), 1);
    rounds(100, SLOW, true);
    rounds(20, SLOW, true);
    clear_link();
}
END_TEST

START_TEST(bulk_uses_all_links_of_several_ways)
{
    begin(2, UP, false);
    rounds(100, SLOW, true);
    rounds(50, SLOW, true);
    ck_assert_uint_eq(with(bulk), 2);
}
END_TEST

START_TEST(bulk_uses_all_links_of_a_fast_way)
{
    begin(2, UP, true);
    rounds(100, FAST, true);
    rounds(50, FAST, true);
    ck_assert_uint_eq(with(bulk), 2);
}
END_TEST

/* The ways of a running session may become several, and one again. */
START_TEST(a_session_may_come_to_have_several_ways)
{
    begin(2, UP, true);
    rounds(150, SLOW, true);
    tws_session_set_one_way(p.c.s, false, p.c.now);
    side_flush(&p.c, 0);
    side_flush(&p.c, 1);
    ck_assert_uint_eq(frame_on(&p.c, 0, TWS_FRAME_LINK).payload[1], TWS_SCHEDULE_AUTO);
    tws_session_set_one_way(p.c.s, true, p.c.now);
    side_flush(&p.c, 0);
    struct tws_frame f;
    ck_assert(find_frame(&p.c, 0, TWS_FRAME_LINK, UINT32_MAX, 1, &f));
    ck_assert_uint_eq(f.payload[1], TWS_SCHEDULE_ONE_WAY);
}
END_TEST

START_TEST(only_auto_cares_for_ways)
{
    pair_fini(&p);
    pair_init_with(&p, (struct tws_session_config){.schedule = TWS_SCHEDULE_WEIGHTED});
    tws_session_set_one_way(p.c.s, true, p.c.now);
    pair_link(&p, 0);
    side_flush(&p.c, 0);
    ck_assert_uint_eq(frame_on(&p.c, 0, TWS_FRAME_LINK).payload[1], TWS_SCHEDULE_WEIGHTED);
}
END_TEST

/* ---- the clear link goes ---- */

enum { CUT, DRAINS, SILENT, ENDS };

static void take_away(unsigned clear, int how)
{
    switch (how) {
    case CUT:
        pair_cut(&p, clear);
        return;
    case DRAINS:
        tws_session_link_set_role(p.c.s, p.c.link[clear], TWS_ROLE_DRAINING, 1, p.c.now);
        return;
    default: /* what is on it is lost; it is suspect after a second */
        side_send(from, typed, A_BYTE, false);
        side_flush(from, clear);
        for (unsigned n = 0; n < 110; n++) {
            side_drop_output(from, clear);
            pass_round(SLOW);
        }
    }
}

/* With one link left all go there, with two one of them is clear again. */
START_TEST(nothing_waits_for_a_clear_link_that_went)
{
    int way = _i % WAYS, how = _i / WAYS % ENDS;

    begin(2 + (unsigned)(_i / WAYS / ENDS), way, true);
    rounds(100, SLOW, true);
    rounds(50, SLOW, true);
    unsigned was = clear_link();
    take_away(was, how);
    rounds(60, SLOW, true);
    uint64_t got = side_app(to, typed->id)->got;
    rounds(60, SLOW, true);
    ck_assert_uint_ge(side_app(to, typed->id)->got, got + 30);
    ck_assert_uint_eq(small[was] + bulk[was], 0);
    ck_assert_uint_eq(with(bulk), nlinks == 2 ? 1 : nlinks - 2);
    if (nlinks > 2)
        clear_link();
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session one way");

    tcase_set_timeout(tc, 20);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, bulk_keeps_off_the_link_of_what_is_typed, 0, 2 * WAYS);
    tcase_add_loop_test(tc, bulk_comes_back_when_nothing_is_typed, 0, 2 * WAYS);
    tcase_add_test(tc, bulk_uses_all_links_of_several_ways);
    tcase_add_test(tc, bulk_uses_all_links_of_a_fast_way);
    tcase_add_test(tc, a_session_may_come_to_have_several_ways);
    tcase_add_test(tc, only_auto_cares_for_ways);
    tcase_add_loop_test(tc, nothing_waits_for_a_clear_link_that_went, 0, 2 * WAYS * ENDS);
    return run_suite("session one way", tc);
}

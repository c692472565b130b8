/* test_session_padding.c - messages with random bytes behind them: never too long, never alone,
 * never held against the sender, and with nothing lost. */
#include "suite.h"
#include "wire.h"

#define PADDING 300u
#define MESSAGE 2048u

static struct pair p;

/* What was seen in the messages of one direction. */
static struct sizes {
    unsigned messages, padded, longest;
    unsigned lengths; /* different ones among the paddings */
    uint8_t seen[PADDING + 1];
} sizes[2];

static void look(struct sizes *s, struct tws_span m)
{
    unsigned frames = 0, padding = 0;
    struct tws_frame f;
    size_t n = m.n;

    while (m.n > 0) {
        size_t used = 0;
        ck_assert_int_eq(tws_frame_decode(m, &f, &used), TWS_OK);
        m.p += used;
        m.n -= used;
        frames++;
        if (f.type != TWS_FRAME_PADDING)
            continue;
        padding++;
        ck_assert_uint_eq(m.n, 0); /* behind all others */
        ck_assert_uint_le(f.len, PADDING);
        s->lengths += s->seen[f.len] == 0;
        s->seen[f.len] = 1;
    }
    ck_assert_uint_le(padding, 1);
    ck_assert_uint_gt(frames, padding); /* never alone */
    ck_assert_uint_le(n, MESSAGE);
    s->messages++;
    s->padded += padding;
    s->longest = n > s->longest ? (unsigned)n : s->longest;
}

static void look_at_all(struct side *d, struct sizes *s)
{
    for (unsigned i = 0; i < PAIR_LINKS; i++)
        for (unsigned k = d->head[i]; k != d->tail[i]; k++)
            look(s, d->out[i][k % PAIR_QUEUE]);
}

/* As pair_run(), with a look at every message. */
static void run(void)
{
    bool moved = true;

    while (moved) {
        moved = false;
        for (unsigned i = 0; i < PAIR_LINKS; i++) {
            side_flush(&p.c, i);
            side_flush(&p.s, i);
        }
        look_at_all(&p.c, &sizes[0]);
        look_at_all(&p.s, &sizes[1]);
        for (unsigned i = 0; i < PAIR_LINKS; i++) {
            while (p.c.head[i] != p.c.tail[i])
                moved = deliver(&p.c, &p.s, i) || moved;
            while (p.s.head[i] != p.s.tail[i])
                moved = deliver(&p.s, &p.c, i) || moved;
        }
    }
}

static void begin(uint32_t padding)
{
    memset(sizes, 0, sizeof sizes);
    pair_init_with(&p, (struct tws_session_config){.padding = padding, .max_message = MESSAGE});
    pair_link(&p, 0);
    run();
}

START_TEST(streams_cross_whole_and_no_message_is_too_long)
{
    struct app *a;

    begin(PADDING);
    a = side_open(&p.c, 300000, true);
    run();
    side_send(&p.s, side_app(&p.s, a->id), 300000, true);
    run();
    ck_assert_uint_eq(a->got, 300000);
    ck_assert(a->ended);
    ck_assert(!p.c.closed && !p.s.closed);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(sizes[i].longest, MESSAGE);
    pair_fini(&p);
}
END_TEST

START_TEST(small_messages_have_many_sizes)
{
    struct app *a;

    begin(PADDING);
    a = side_open(&p.c, 1, false);
    for (int i = 0; i < 200; i++) {
        side_send(&p.c, a, 1, false);
        run();
        side_tick(&p.c, 20 * MS);
        side_tick(&p.s, 20 * MS);
    }
    ck_assert_uint_gt(sizes[0].lengths, 90);
    ck_assert_uint_gt(sizes[1].lengths, 90); /* ACKs too */
    ck_assert_uint_eq(sizes[0].padded, sizes[0].messages);
    ck_assert_uint_eq(sizes[1].padded, sizes[1].messages);
    ck_assert_uint_gt(tws_session_stats(p.c.s).padding, 200 * 50);
    pair_fini(&p);
}
END_TEST

START_TEST(without_padding_there_is_none)
{
    begin(0);
    side_open(&p.c, 5000, true);
    run();
    ck_assert_uint_eq(sizes[0].padded + sizes[1].padded, 0);
    ck_assert_uint_eq(tws_session_stats(p.c.s).padding, 0);
    pair_fini(&p);
}
END_TEST

/* 12,000 messages within a second, as good as all of them without data: no flood. */
START_TEST(padded_acknowledgements_are_no_flood)
{
    struct app *a;

    begin(8);
    a = side_open(&p.c, 1, false);
    for (int i = 0; i < 12000; i++) {
        side_send(&p.c, a, 1, false);
        run();
        tws_session_probe(p.s.s, p.s.link[0], p.s.now);
        run();
        side_tick(&p.c, 80);
        side_tick(&p.s, 80);
    }
    ck_assert(!p.c.closed && !p.s.closed);
    pair_fini(&p);
}
END_TEST

static unsigned messages_of_a_quiet_minute(uint32_t padding)
{
    begin(padding);
    side_open(&p.c, 100, false);
    for (int i = 0; i < 600; i++) {
        run();
        side_tick(&p.c, 100 * MS);
        side_tick(&p.s, 100 * MS);
    }
    pair_fini(&p);
    return sizes[0].messages + sizes[1].messages;
}

START_TEST(padding_makes_no_messages)
{
    ck_assert_uint_eq(messages_of_a_quiet_minute(PADDING), messages_of_a_quiet_minute(0));
}
END_TEST

/* A socket that was said to have bytes, and has none after all. */
START_TEST(a_message_that_got_nothing_is_not_sent_for_its_padding)
{
    struct app *a;

    begin(PADDING);
    a = side_open(&p.c, 1, false);
    for (int i = 0; i < 10; i++) {
        run();
        side_tick(&p.c, 12 * MS);
        side_tick(&p.s, 12 * MS);
    }
    unsigned before = sizes[0].messages;
    tws_channel_set_ready(a->ch, true, p.c.now);
    run();
    ck_assert_uint_eq(sizes[0].messages, before);
    pair_fini(&p);
}
END_TEST

START_TEST(padded_messages_of_a_lost_link_go_again)
{
    struct app *a;

    begin(PADDING);
    a = side_open(&p.c, 0, false);
    run();
    side_send(&p.c, a, 20000, true);
    side_flush(&p.c, 0);
    pair_cut(&p, 0); /* nothing of it arrived */
    pair_link(&p, 1);
    pair_run(&p); /* LINK has become PADDING in what goes again: not as run() wants it */
    ck_assert_uint_eq(side_app(&p.s, a->id)->got, 20000);
    ck_assert(side_app(&p.s, a->id)->ended);
    ck_assert(!p.c.closed && !p.s.closed);
    pair_fini(&p);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session_padding");

    tcase_add_test(tc, streams_cross_whole_and_no_message_is_too_long);
    tcase_add_test(tc, small_messages_have_many_sizes);
    tcase_add_test(tc, without_padding_there_is_none);
    tcase_add_test(tc, padded_acknowledgements_are_no_flood);
    tcase_add_test(tc, padding_makes_no_messages);
    tcase_add_test(tc, a_message_that_got_nothing_is_not_sent_for_its_padding);
    tcase_add_test(tc, padded_messages_of_a_lost_link_go_again);
    return run_suite("mux/session_padding", tc);
}

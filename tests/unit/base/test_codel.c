/* test_codel.c - a queue that stands is shortened, one that only takes up bursts is left alone. */
#include "suite.h"

#include "tws/base/codel.h"

#define MS   1000u
#define MUCH 1000000u

static struct tws_codel c;

static void set_up(void)
{
    c = (struct tws_codel){.dropping = false};
}

/* One that waited `waited_ms`, with much behind it, at `ms`. */
static bool drops(uint64_t ms, uint64_t waited_ms)
{
    return tws_codel_drops(&c, waited_ms * MS, MUCH, 1000 * MS + ms * MS);
}

START_TEST(a_burst_that_empties_within_an_interval_loses_nothing)
{
    for (uint64_t burst = 0; burst < 20; burst++) {
        for (uint64_t ms = 0; ms < 99; ms++)
            ck_assert(!drops(burst * 200 + ms, 99));
        ck_assert(!drops(burst * 200 + 99, 4));
    }
}
END_TEST

/* RFC 8289, 5.3: at 100 ms, then after INTERVAL / sqrt(count): 100, 70.7, 57.7, 50, 44.7 ms. */
START_TEST(a_queue_that_stands_loses_one_after_ever_shorter_pauses)
{
    static const uint64_t at[] = {100, 200, 271, 329, 379, 424};
    unsigned next = 0;

    for (uint64_t ms = 0; ms < 430; ms++) {
        bool gone = drops(ms, 10);
        ck_assert_msg(gone == (next < 6 && ms == at[next]), "at %u ms", (unsigned)ms);
        next += gone;
    }
    ck_assert_uint_eq(next, 6);
}
END_TEST

START_TEST(one_that_hardly_waited_ends_it)
{
    for (uint64_t ms = 0; ms < 300; ms++)
        (void)drops(ms, 10);
    ck_assert(!drops(300, 4));
    for (uint64_t ms = 301; ms < 401; ms++)
        ck_assert(!drops(ms, 10));
    ck_assert(drops(401, 10));
}
END_TEST

/* The rate that was found is not searched for again: the second pause is not 100 ms. */
START_TEST(one_that_stands_again_soon_is_dropped_from_faster)
{
    uint64_t ms = 0;
    unsigned first = 0, second = 0;

    for (; ms < 1000; ms++)
        first += drops(ms, 10);
    ck_assert(!drops(ms++, 4));
    for (; ms < 1301; ms++)
        second += drops(ms, 10);
    ck_assert_uint_gt(first, 20);
    ck_assert_uint_gt(second, 6); /* three, if it began anew */
}
END_TEST

START_TEST(the_last_ones_always_stay)
{
    for (uint64_t ms = 0; ms < 1000; ms++)
        ck_assert(!tws_codel_drops(&c, 500 * MS, TWS_CODEL_PACKET, 1000 * MS + ms * MS));
}
END_TEST

/* A sender that does not listen sends `in` for each that the way takes, one in 100 us. */
static uint64_t worst_wait(unsigned in, unsigned *sent)
{
    static uint64_t came[1 << 20];
    uint64_t head = 0, tail = 0, worst = 0;

    for (uint64_t now = 1; now < 3000 * MS; now += 100) {
        for (unsigned i = 0; i < in; i++)
            came[tail++] = now;
        while (head < tail && tws_codel_drops(&c, now - came[head], (tail - head - 1) * 100, now))
            head++;
        ck_assert_uint_lt(head, tail);
        *sent += 1;
        if (now > 300 * MS && now - came[head] > worst)
            worst = now - came[head];
        head++;
    }
    return worst;
}

START_TEST(a_flood_waits_no_longer_than_the_most)
{
    unsigned sent = 0;

    ck_assert_uint_le(worst_wait(8, &sent), TWS_CODEL_MOST_US);
    ck_assert_uint_eq(sent, 30000); /* the way was never idle */
}
END_TEST

START_TEST(what_fits_is_not_touched)
{
    unsigned sent = 0;

    ck_assert_uint_eq(worst_wait(1, &sent), 0);
    ck_assert_uint_eq(c.count, 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("codel");

    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, a_burst_that_empties_within_an_interval_loses_nothing);
    tcase_add_test(tc, a_queue_that_stands_loses_one_after_ever_shorter_pauses);
    tcase_add_test(tc, one_that_hardly_waited_ends_it);
    tcase_add_test(tc, one_that_stands_again_soon_is_dropped_from_faster);
    tcase_add_test(tc, the_last_ones_always_stay);
    tcase_add_test(tc, a_flood_waits_no_longer_than_the_most);
    tcase_add_test(tc, what_fits_is_not_touched);
    return run_suite("codel", tc);
}

/*
 * test_parting.c - the end of a connection whose channel is no more: its last words reach a reader
 * that takes its time, and one that takes nothing is not waited for without end.
 */
#include "parting_priv.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORDS      600000u /* more than a socket takes at once */
#define STEP_US    1000u
#define FAILING_US 20000000u
#define PATIENT_US 60000000u

static struct tws_loop *loop;
static struct tws_partings partings;
static struct tws_timer failsafe, step;
static int end[2]; /* [1] is given away */
static size_t got;
static bool ended;

static void on_failsafe(struct tws_timer *t)
{
    (void)t;
    ck_abort_msg("what the test waits for did not come");
}

static void setup(void)
{
    got = 0;
    ended = false;
    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    tws_partings_init(&partings, loop);
    tws_timer_init(&failsafe, loop, on_failsafe);
    tws_timer_start(&failsafe, FAILING_US);
    int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    ck_assert_int_eq(socketpair(AF_UNIX, kind, 0, end), 0);
}

static void teardown(void)
{
    tws_timer_stop(&failsafe);
    tws_timer_stop(&step);
    tws_partings_fini(&partings);
    ck_assert_uint_eq(partings.n, 0);
    ck_assert_uint_eq(partings.unsaid, 0);
    close(end[0]);
    tws_loop_free(loop);
}

static uint8_t *words(void)
{
    uint8_t *w = malloc(WORDS);

    ck_assert_ptr_nonnull(w);
    for (size_t i = 0; i < WORDS; i++)
        w[i] = (uint8_t)(i * 7 + i / 1000);
    return w;
}

static void take_some(void)
{
    static uint8_t buf[20000];
    ssize_t n = read(end[0], buf, sizeof buf);

    for (ssize_t i = 0; i < n; i++)
        ck_assert_uint_eq(buf[i], (uint8_t)((got + (size_t)i) * 7 + (got + (size_t)i) / 1000));
    got += n > 0 ? (size_t)n : 0;
    ended = ended || n == 0;
}

static void read_slowly(struct tws_timer *t)
{
    take_some();
    if (ended)
        close(end[0]);
    if (ended)
        end[0] = -1;
    if (partings.n == 0)
        tws_loop_stop(loop);
    else
        tws_timer_start(t, STEP_US);
}

static void wait_for_end(struct tws_timer *t)
{
    if (partings.n == 0)
        tws_loop_stop(loop);
    else
        tws_timer_start(t, STEP_US);
}

static void run(tws_timer_fn *fn)
{
    tws_timer_init(&step, loop, fn);
    tws_timer_start(&step, STEP_US);
    tws_loop_run(loop);
}

START_TEST(long_words_reach_a_slow_reader_and_then_the_end_does)
{
    ck_assert_int_eq(tws_part_with(&partings, end[1], words(), WORDS, PATIENT_US), TWS_OK);
    ck_assert_uint_gt(partings.unsaid, 0);
    ck_assert_uint_lt(partings.unsaid, WORDS);
    run(read_slowly);
    ck_assert(ended);
    ck_assert_uint_eq(got, WORDS);
    ck_assert_uint_eq(partings.unsaid, 0);
}
END_TEST

START_TEST(short_words_are_said_at_once)
{
    ck_assert_int_eq(tws_part_with(&partings, end[1], words(), 100, 0), TWS_OK);
    ck_assert_uint_eq(partings.unsaid, 0);
    take_some();
    take_some();
    ck_assert_uint_eq(got, 100);
    ck_assert(ended);
}
END_TEST

START_TEST(who_takes_nothing_is_not_waited_for)
{
    ck_assert_int_eq(tws_part_with(&partings, end[1], words(), WORDS, 20000), TWS_OK);
    run(wait_for_end);
    while (!ended && errno != ECONNRESET)
        take_some();
    ck_assert_uint_lt(got, WORDS);
}
END_TEST

START_TEST(who_goes_away_is_not_waited_for)
{
    ck_assert_int_eq(tws_part_with(&partings, end[1], words(), WORDS, 0), TWS_OK);
    ck_assert_int_eq(close(end[0]), 0);
    end[0] = -1;
    run(wait_for_end);
}
END_TEST

START_TEST(too_many_words_are_not_kept)
{
    partings.unsaid = TWS_PARTINGS_BYTES_MAX - 50;
    ck_assert_int_eq(tws_part_with(&partings, end[1], words(), 100, 0), TWS_FULL);
    partings.unsaid = 0;
    take_some();
    ck_assert(ended);
    ck_assert_uint_eq(got, 0);
    partings.n = TWS_PARTINGS_WORDY_MAX;
    ck_assert_int_eq(tws_part_with(&partings, dup(end[0]), words(), 100, 0), TWS_FULL);
    partings.n = 0;
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("parting");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, long_words_reach_a_slow_reader_and_then_the_end_does);
    tcase_add_test(tc, short_words_are_said_at_once);
    tcase_add_test(tc, who_takes_nothing_is_not_waited_for);
    tcase_add_test(tc, who_goes_away_is_not_waited_for);
    tcase_add_test(tc, too_many_words_are_not_kept);
    return run_suite("tunnel/parting", tc);
}

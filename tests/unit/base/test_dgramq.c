/* test_dgramq.c - datagrams come out as they went in, within the limit. */
#include "fail_mem.h"
#include "suite.h"

#include "tws/base/dgramq.h"

#include <string.h>

#define LIMIT 65536u

static struct fail_mem mem;
static struct tws_dgramq q;

static void set_up(void)
{
    fail_mem_init(&mem, 0);
    tws_dgramq_init(&q, &mem.mem, LIMIT);
}

static void tear_down(void)
{
    tws_dgramq_fini(&q);
    ck_assert_uint_eq(mem.live, 0);
}

static uint8_t byte_of(uint32_t number, size_t i)
{
    return (uint8_t)(number * 31 + i * 7);
}

static tws_err put(uint32_t number, size_t n)
{
    static uint8_t bytes[70000];

    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_of(number, i);
    return tws_dgramq_put(&q, (struct tws_span){bytes, n}, number);
}

static void take(uint32_t number, size_t n)
{
    struct tws_span out;
    uint32_t at;

    ck_assert(tws_dgramq_peek(&q, &out, &at));
    ck_assert_uint_eq(at, number);
    ck_assert_uint_eq(out.n, n);
    for (size_t i = 0; i < n; i++)
        if (out.p[i] != byte_of(number, i))
            ck_abort_msg("byte %zu of %u", i, number);
    tws_dgramq_pop(&q);
}

START_TEST(what_goes_in_comes_out_whole_and_in_order)
{
    static const size_t sizes[] = {0, 1, 7, 8, 9, 1400, 4096, 30000};
    struct tws_span out;
    uint32_t at;

    for (uint32_t i = 0; i < 8; i++)
        ck_assert_int_eq(put(i, sizes[i]), TWS_OK);
    for (uint32_t i = 0; i < 8; i++)
        take(i, sizes[i]);
    ck_assert(!tws_dgramq_peek(&q, &out, &at));
}
END_TEST

/* Against the simplest model: two counters. Every place in the ring is passed many times. */
START_TEST(the_ring_goes_round_with_every_mixture_of_sizes)
{
    uint32_t in = 0, out = 0, full = 0;

    for (uint32_t step = 0; step < 60000; step++) {
        size_t n = (in * 2654435761u >> 8) % 3000;
        if (in - out < 20 + step % 60) {
            tws_err err = put(in, n);
            ck_assert(err == TWS_OK || err == TWS_FULL);
            in += err == TWS_OK;
            full += err == TWS_FULL;
            if (err == TWS_OK)
                continue;
        }
        if (out < in) {
            take(out, (out * 2654435761u >> 8) % 3000);
            out++;
        }
        ck_assert_uint_eq(q.count, in - out);
    }
    ck_assert_uint_gt(full, 0);
    ck_assert_uint_gt(out, 20000);
}
END_TEST

START_TEST(the_limit_holds_and_the_queue_stays_as_it_was)
{
    uint32_t n = 0;

    while (put(n, 1000) == TWS_OK)
        n++;
    ck_assert_uint_eq(n, LIMIT / 1008);
    ck_assert_uint_le(q.cap, LIMIT);
    ck_assert_int_eq(put(n, 1000), TWS_FULL);
    ck_assert_int_eq(put(n, LIMIT), TWS_FULL);
    for (uint32_t i = 0; i < n; i++)
        take(i, 1000);
}
END_TEST

START_TEST(memory_is_given_back_when_it_is_empty)
{
    for (uint32_t i = 0; i < 30; i++)
        ck_assert_int_eq(put(i, 1400), TWS_OK);
    for (uint32_t i = 0; i < 30; i++)
        take(i, 1400);
    ck_assert_uint_eq(mem.live, 0);
    ck_assert_int_eq(put(1, 5), TWS_OK);
    take(1, 5);
    ck_assert_uint_eq(mem.live, 1); /* a small ring stays */
}
END_TEST

START_TEST(without_memory_the_queue_stays_as_it_was)
{
    ck_assert_int_eq(put(0, 1000), TWS_OK);
    mem.fail_at = mem.calls + 1;
    ck_assert_int_eq(put(1, 5000), TWS_NOMEM);
    take(0, 1000);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("dgramq");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, what_goes_in_comes_out_whole_and_in_order);
    tcase_add_test(tc, the_ring_goes_round_with_every_mixture_of_sizes);
    tcase_add_test(tc, the_limit_holds_and_the_queue_stays_as_it_was);
    tcase_add_test(tc, memory_is_given_back_when_it_is_empty);
    tcase_add_test(tc, without_memory_the_queue_stays_as_it_was);
    return run_suite("dgramq", tc);
}

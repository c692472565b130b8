/* test_ranges.c - the set of seen ids against a plain array of flags. */
#include "fail_mem.h"
#include "suite.h"

#include "tws/mux/ranges.h"

#include <string.h>

#define DOMAIN 200

static uint64_t chance = 1;

static unsigned below(unsigned n)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance >> 33) % n;
}

/* Sorted, disjoint, not adjacent. */
static void check_shape(const struct tws_ranges *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        ck_assert_uint_lt(s->r[i].from, s->r[i].to);
        if (i > 0)
            ck_assert_uint_lt(s->r[i - 1].to, s->r[i].from);
    }
}

START_TEST(random_ids_are_found_exactly_when_they_were_added)
{
    struct tws_ranges s;
    bool model[DOMAIN + 1] = {false};

    chance = (uint64_t)_i * 977 + 1;
    tws_ranges_init(&s, &tws_mem_default, DOMAIN);
    for (int step = 0; step < 300; step++) {
        unsigned v = below(DOMAIN);
        ck_assert_int_eq(tws_ranges_add(&s, v), TWS_OK);
        model[v] = true;
        check_shape(&s);
        unsigned wrong = 0; /* Check counts every assertion: a million of them take a minute */
        for (unsigned i = 0; i <= DOMAIN; i++)
            wrong += tws_ranges_has(&s, i) != model[i];
        ck_assert_uint_eq(wrong, 0);
    }
    tws_ranges_fini(&s);
}
END_TEST

START_TEST(ids_that_count_up_need_one_range)
{
    struct tws_ranges s;

    tws_ranges_init(&s, &tws_mem_default, 1);
    for (uint64_t v = 0; v < 10000; v++)
        ck_assert_int_eq(tws_ranges_add(&s, v), TWS_OK);
    ck_assert_uint_eq(s.n, 1);
    ck_assert(!tws_ranges_has(&s, 10000));
    tws_ranges_fini(&s);
}
END_TEST

START_TEST(one_range_too_many_is_refused_and_changes_nothing)
{
    struct tws_ranges s;

    tws_ranges_init(&s, &tws_mem_default, 3);
    for (uint64_t v = 0; v < 30; v += 10)
        ck_assert_int_eq(tws_ranges_add(&s, v), TWS_OK);
    ck_assert_int_eq(tws_ranges_add(&s, 30), TWS_FULL);
    ck_assert(!tws_ranges_has(&s, 30));
    ck_assert_int_eq(tws_ranges_add(&s, 20), TWS_OK);
    ck_assert_int_eq(tws_ranges_add(&s, 21), TWS_OK);
    ck_assert_int_eq(tws_ranges_add(&s, 9), TWS_OK);
    ck_assert_uint_eq(s.n, 3);
    tws_ranges_fini(&s);
}
END_TEST

START_TEST(the_greatest_numbers_fit)
{
    struct tws_ranges s;

    tws_ranges_init(&s, &tws_mem_default, 4);
    ck_assert_int_eq(tws_ranges_add(&s, UINT32_MAX), TWS_OK);
    ck_assert_int_eq(tws_ranges_add(&s, UINT32_MAX - 1u), TWS_OK);
    ck_assert(tws_ranges_has(&s, UINT32_MAX));
    ck_assert(!tws_ranges_has(&s, (uint64_t)UINT32_MAX + 1));
    ck_assert_uint_eq(s.n, 1);
    tws_ranges_fini(&s);
}
END_TEST

START_TEST(without_memory_nothing_is_added_and_nothing_leaks)
{
    struct fail_mem f;
    struct tws_ranges s;

    for (size_t n = 1; n <= 3; n++) {
        tws_err err = TWS_OK;
        fail_mem_init(&f, n);
        tws_ranges_init(&s, &f.mem, 64);
        for (uint64_t v = 0; v < 30 && err == TWS_OK; v += 2) {
            err = tws_ranges_add(&s, v);
            ck_assert_int_eq(tws_ranges_has(&s, v), err == TWS_OK);
            check_shape(&s);
        }
        ck_assert_int_eq(err, TWS_NOMEM);
        tws_ranges_fini(&s);
        ck_assert_uint_eq(f.live, 0);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ranges");
    tcase_add_loop_test(tc, random_ids_are_found_exactly_when_they_were_added, 0, 40);
    tcase_add_test(tc, ids_that_count_up_need_one_range);
    tcase_add_test(tc, one_range_too_many_is_refused_and_changes_nothing);
    tcase_add_test(tc, the_greatest_numbers_fit);
    tcase_add_test(tc, without_memory_nothing_is_added_and_nothing_leaks);
    return run_suite("ranges", tc);
}

/* test_map.c - the channel table against a plain array, and with every allocation failing once. */
#include "fail_mem.h"
#include "suite.h"

#include "tws/base/map.h"

#define KEYS  700u
#define STEPS 20000

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

START_TEST(behaves_as_an_array_would)
{
    static int values[KEYS];
    void *model[KEYS] = {NULL};
    uint32_t seed = 7, count = 0;
    struct tws_map m;

    tws_map_init(&m, &tws_mem_default, 1);
    for (int step = 0; step < STEPS; step++) {
        uint32_t k = next_random(&seed) % KEYS, key = 2 * k + 1;
        if (model[k] == NULL) {
            ck_assert_int_eq(tws_map_add(&m, key, &values[k]), TWS_OK);
            model[k] = &values[k];
            count++;
        } else {
            tws_map_remove(&m, key);
            model[k] = NULL;
            count--;
        }
        ck_assert_uint_eq(m.count, count);
        if (step % 64 != 0)
            continue;
        for (uint32_t i = 0; i < KEYS; i++)
            ck_assert_ptr_eq(tws_map_get(&m, 2 * i + 1), model[i]);
    }
    tws_map_fini(&m);
}
END_TEST

START_TEST(removal_leaves_no_hole_in_a_probe_that_wraps)
{
    static int values[12];
    struct tws_map m;

    /* Every order of removal of a full small table. */
    for (uint32_t first = 0; first < 12; first++) {
        tws_map_init(&m, &tws_mem_default, 1);
        for (uint32_t i = 0; i < 12; i++)
            ck_assert_int_eq(tws_map_add(&m, 1000003u * (i + 1), &values[i]), TWS_OK);
        for (uint32_t i = 0; i < 12; i++) {
            uint32_t gone = (first + 5 * i) % 12;
            tws_map_remove(&m, 1000003u * (gone + 1));
            ck_assert_ptr_null(tws_map_get(&m, 1000003u * (gone + 1)));
            for (uint32_t j = i + 1; j < 12; j++) {
                uint32_t left = (first + 5 * j) % 12;
                ck_assert_ptr_eq(tws_map_get(&m, 1000003u * (left + 1)), &values[left]);
            }
        }
        ck_assert_uint_eq(m.count, 0);
        tws_map_fini(&m);
    }
}
END_TEST

START_TEST(an_empty_map_holds_no_memory_and_finds_nothing)
{
    struct fail_mem f;
    struct tws_map m;

    fail_mem_init(&f, 0);
    tws_map_init(&m, &f.mem, 1);
    ck_assert_ptr_null(tws_map_get(&m, 1));
    tws_map_remove(&m, 1);
    ck_assert_uint_eq(f.calls, 0);
    tws_map_fini(&m);
}
END_TEST

/* Adds until an allocation fails; what was there before must still be there. */
static void fill(struct tws_map *m, struct fail_mem *f)
{
    static int value;
    uint32_t n = 0;

    while (n < 200 && tws_map_add(m, n + 1, &value) == TWS_OK)
        n++;
    ck_assert(n == 200 || f->failed);
    ck_assert_uint_eq(m->count, n);
    for (uint32_t i = 0; i < 200; i++)
        ck_assert_ptr_eq(tws_map_get(m, i + 1), i < n ? &value : NULL);
    if (n < 200) /* and it can go on later */
        ck_assert_int_eq(tws_map_add(m, n + 1, &value), TWS_OK);
}

START_TEST(a_failed_allocation_changes_nothing_and_leaks_nothing)
{
    bool failed = true;
    size_t runs = 0;

    for (; failed; runs++) {
        struct fail_mem f;
        struct tws_map m;

        fail_mem_init(&f, runs + 1);
        tws_map_init(&m, &f.mem, 1);
        fill(&m, &f);
        tws_map_fini(&m);
        ck_assert_uint_eq(f.live, 0);
        failed = f.failed;
    }
    ck_assert_uint_gt(runs, 4); /* 16, 32, ... 512 slots */
}
END_TEST

static int one_value;

static void add_ids(struct tws_map *m, uint32_t seed, uint32_t n)
{
    tws_map_init(m, &tws_mem_default, seed);
    for (uint32_t i = 0; i < n; i++)
        ck_assert_int_eq(tws_map_add(m, 2 * i + 1, &one_value), TWS_OK);
}

/* The most keys that stand side by side: what a lookup may have to pass. */
static uint32_t longest_run(const struct tws_map *m)
{
    uint32_t run = 0, longest = 0;

    for (uint32_t i = 0; i <= m->mask; i++) {
        run = m->slots[i].key != 0 ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

START_TEST(ids_that_count_up_are_spread)
{
    struct tws_map m;

    add_ids(&m, (uint32_t)_i * 0x9e3779b9u, 6000); /* of 8192 slots */
    ck_assert_uint_eq(m.mask, 8191);
    ck_assert_uint_lt(longest_run(&m), 300);
    tws_map_fini(&m);
}
END_TEST

/* Keys that a small map would have side by side, whoever wanted that, are all over another one. */
START_TEST(keys_that_meet_under_one_seed_do_not_under_another)
{
    struct tws_map one, two;

    add_ids(&one, 7, 3100);
    ck_assert_uint_eq(one.mask, 8191);
    tws_map_init(&two, &tws_mem_default, 8);
    for (uint32_t i = 0; i <= one.mask; i++)
        if (i % 512 < 32 && one.slots[i].key != 0)
            ck_assert_int_eq(tws_map_add(&two, one.slots[i].key, &one_value), TWS_OK);
    ck_assert_uint_gt(two.count, 128);
    ck_assert_uint_le(two.mask, 511);
    ck_assert_uint_lt(longest_run(&two), 64);
    tws_map_fini(&one);
    tws_map_fini(&two);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("map");
    tcase_add_loop_test(tc, ids_that_count_up_are_spread, 0, 8);
    tcase_add_test(tc, keys_that_meet_under_one_seed_do_not_under_another);
    tcase_add_test(tc, behaves_as_an_array_would);
    tcase_add_test(tc, removal_leaves_no_hole_in_a_probe_that_wraps);
    tcase_add_test(tc, an_empty_map_holds_no_memory_and_finds_nothing);
    tcase_add_test(tc, a_failed_allocation_changes_nothing_and_leaks_nothing);
    return run_suite("base/map", tc);
}

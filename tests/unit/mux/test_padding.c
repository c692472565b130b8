/* test_padding.c - numbers of bytes to add: within their bound, the same for a seed, and of a
 * generator that is what it says. */
#include "suite.h"

#include "tws/mux/padding.h"

START_TEST(siphash_is_the_published_one)
{
    /* The key 00..0f and the input 00..07 of the reference implementation. */
    static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

    ck_assert_uint_eq(tws_siphash(key, 0x0706050403020100u), 0x93f5f5799a932462u);
}
END_TEST

START_TEST(every_number_up_to_the_bound_comes_about_as_often)
{
    struct tws_padding p;
    unsigned seen[17] = {0};

    tws_padding_init(&p, 16, 42);
    for (int i = 0; i < 17000; i++) {
        uint32_t n = tws_padding_next(&p);
        ck_assert_uint_le(n, 16);
        seen[n]++;
    }
    for (int i = 0; i < 17; i++) {
        ck_assert_uint_gt(seen[i], 800);
        ck_assert_uint_lt(seen[i], 1200);
    }
}
END_TEST

START_TEST(a_seed_gives_the_same_numbers_and_another_seed_others)
{
    struct tws_padding a, b, c;
    unsigned same = 0;

    tws_padding_init(&a, 4096, 1);
    tws_padding_init(&b, 4096, 1);
    tws_padding_init(&c, 4096, 2);
    for (int i = 0; i < 1000; i++) {
        uint32_t n = tws_padding_next(&a);
        ck_assert_uint_eq(n, tws_padding_next(&b));
        same += n == tws_padding_next(&c);
    }
    ck_assert_uint_lt(same, 10);
}
END_TEST

START_TEST(the_bound_has_a_bound)
{
    struct tws_padding p;

    tws_padding_init(&p, UINT32_MAX, 1);
    ck_assert_uint_eq(p.max, TWS_PADDING_MAX);
    tws_padding_init(&p, 0, 1);
    ck_assert_uint_eq(tws_padding_next(&p), 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("padding");

    tcase_add_test(tc, siphash_is_the_published_one);
    tcase_add_test(tc, every_number_up_to_the_bound_comes_about_as_often);
    tcase_add_test(tc, a_seed_gives_the_same_numbers_and_another_seed_others);
    tcase_add_test(tc, the_bound_has_a_bound);
    return run_suite("mux/padding", tc);
}

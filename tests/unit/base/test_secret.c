/* test_secret.c - wiping and comparing. */
#include "suite.h"

#include "tws/base/secret.h"

#include <string.h>

START_TEST(wiping_zeroes_exactly_what_it_was_given)
{
    char b[8];

    memset(b, 'x', sizeof b);
    tws_wipe(b + 2, 4);
    ck_assert_mem_eq(b, "xx\0\0\0\0xx", sizeof b);
    tws_wipe(b, 0);
    ck_assert_mem_eq(b, "xx\0\0\0\0xx", sizeof b);
}
END_TEST

START_TEST(one_flipped_bit_anywhere_is_another_secret)
{
    unsigned char a[32], b[32];

    for (unsigned i = 0; i < sizeof a; i++)
        a[i] = (unsigned char)(37 * i);
    memcpy(b, a, sizeof b);
    ck_assert(tws_equal_secret(a, b, sizeof a));
    ck_assert(tws_equal_secret(a, b, 0));
    for (unsigned bit = 0; bit < 8 * sizeof b; bit++) {
        b[bit / 8] ^= (unsigned char)(1u << bit % 8);
        ck_assert(!tws_equal_secret(a, b, sizeof a));
        b[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("secret");
    tcase_add_test(tc, wiping_zeroes_exactly_what_it_was_given);
    tcase_add_test(tc, one_flipped_bit_anywhere_is_another_secret);
    return run_suite("base/secret", tc);
}

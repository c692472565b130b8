/* test_mem.c - the allocator interface. */
#include "fail_mem.h"
#include "suite.h"

#include "tws/base/mem.h"

#include <string.h>

START_TEST(memory_can_be_had_grown_and_given_back)
{
    char *p = tws_alloc(&tws_mem_default, 4);

    ck_assert_ptr_nonnull(p);
    memcpy(p, "abc", 4);
    p = tws_realloc(&tws_mem_default, p, 4096);
    ck_assert_ptr_nonnull(p);
    ck_assert_str_eq(p, "abc");
    tws_free(&tws_mem_default, p);
}
END_TEST

START_TEST(zeroed_memory_is_zero)
{
    static const char zero[64];
    struct fail_mem f;

    fail_mem_init(&f, 0);
    char *dirty = tws_alloc(&f.mem, sizeof zero);
    memset(dirty, 0xff, sizeof zero);
    tws_free(&f.mem, dirty);
    char *p = tws_alloc_zero(&f.mem, sizeof zero);
    ck_assert_mem_eq(p, zero, sizeof zero);
    tws_free(&f.mem, p);
    ck_assert_uint_eq(f.live, 0);
}
END_TEST

START_TEST(freeing_nothing_does_not_reach_the_allocator)
{
    tws_free(&(struct tws_mem){NULL, NULL}, NULL);
}
END_TEST

START_TEST(a_failure_is_passed_on)
{
    struct fail_mem f;

    fail_mem_init(&f, 1);
    ck_assert_ptr_null(tws_alloc_zero(&f.mem, 8));
    ck_assert(f.failed);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("mem");
    tcase_add_test(tc, memory_can_be_had_grown_and_given_back);
    tcase_add_test(tc, zeroed_memory_is_zero);
    tcase_add_test(tc, freeing_nothing_does_not_reach_the_allocator);
    tcase_add_test(tc, a_failure_is_passed_on);
    return run_suite("base/mem", tc);
}

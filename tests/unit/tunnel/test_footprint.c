/* test_footprint.c - names and numbers that are known again, and have one owner at a time. */
#include "suite.h"

#include "tws/tunnel/footprint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *table;
} names[] = {
    {"laptop", "tws_laptop"},
    {"box-7.example.com", "tws_box_7_example_com"},
    {"a b;{}\"$(x)\n", "tws_a_b______x__"},
    {"M\303\274ller", "tws_M__ller"},
    {"0123456789012345678901234567890123456789012345678901234567890123456789",
     "tws_0123456789012345678901234567890123456789012345678901234567890123"},
};

START_TEST(a_table_has_the_clients_name_in_letters_nft_takes)
{
    struct tws_footprint f, again;

    tws_footprint_of(names[_i].name, &f);
    ck_assert_str_eq(f.table, names[_i].table);
    ck_assert_uint_eq(f.mark & ~TWS_MARK_HASH, TWS_MARK_CAUGHT);
    ck_assert_int_eq(tws_footprint_of_table(f.table, &again), TWS_OK);
    ck_assert_str_eq(again.table, f.table);
    ck_assert_uint_eq(again.mark, f.mark);
}
END_TEST

/* A cleanup by another version has to find what this one left. */
START_TEST(a_name_has_the_same_mark_for_ever)
{
    struct tws_footprint f;

    tws_footprint_of("laptop", &f);
    ck_assert_uint_eq(f.mark, 0x54580000 | 0x5aa);
}
END_TEST

START_TEST(what_is_not_ours_is_not_known)
{
    static const char *const tables[] = {"filter", "tws", "twsx_a", "tws_a-b", "TWS_a", ""};
    struct tws_footprint f;

    for (int i = 0; i < COUNT_OF(tables); i++)
        ck_assert_msg(tws_footprint_of_table(tables[i], &f) == TWS_ABSENT, "%s", tables[i]);
    ck_assert_int_eq(tws_footprint_of_mark(TWS_MARK_OWN, &f), TWS_ABSENT);
    ck_assert_int_eq(tws_footprint_of_mark(0xca6c, &f), TWS_ABSENT);
    ck_assert_int_eq(tws_footprint_of_mark(0x54581000, &f), TWS_ABSENT);
    ck_assert_int_eq(tws_footprint_of_mark(0x54580fff, &f), TWS_OK);
    ck_assert_str_eq(f.table, "");
}
END_TEST

START_TEST(no_mark_has_a_bit_that_others_test_alone)
{
    struct tws_footprint f;
    char name[24];

    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "host-%d", i);
        tws_footprint_of(name, &f);
        ck_assert_uint_eq(f.mark & 0xc000, 0);
        ck_assert_uint_eq(f.mark & 0xff0000, 0x580000);
        ck_assert_uint_ne(f.mark, TWS_MARK_OWN);
    }
}
END_TEST

START_TEST(a_footprint_has_one_owner_until_that_lets_go)
{
    struct tws_footprint f, other;
    char name[32];
    int fd = -1, second = -1;

    snprintf(name, sizeof name, "test-%d", (int)getpid());
    tws_footprint_of(name, &f);
    ck_assert_int_eq(tws_footprint_hold(&f, &fd), TWS_OK);
    ck_assert_int_eq(tws_footprint_hold(&f, &second), TWS_SYS);
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_int_eq(tws_footprint_of_mark(f.mark, &other), TWS_OK);
    ck_assert_int_eq(tws_footprint_hold(&other, &second), TWS_SYS);
    close(fd);
    ck_assert_int_eq(tws_footprint_hold(&f, &fd), TWS_OK);
    close(fd);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("footprint");
    tcase_add_loop_test(tc, a_table_has_the_clients_name_in_letters_nft_takes, 0, COUNT_OF(names));
    tcase_add_test(tc, a_name_has_the_same_mark_for_ever);
    tcase_add_test(tc, what_is_not_ours_is_not_known);
    tcase_add_test(tc, no_mark_has_a_bit_that_others_test_alone);
    tcase_add_test(tc, a_footprint_has_one_owner_until_that_lets_go);

    return run_suite("tunnel/footprint", tc);
}

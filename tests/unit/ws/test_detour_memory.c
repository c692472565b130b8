/* test_detour_memory.c - which addresses of proxies go behind the others, and for how long. */
#include "suite.h"

#include "tws/ws/detour_memory.h"

#include <stdio.h>
#include <string.h>

#define NOW 1000000u

static struct tws_detour_memory m;

static void set_up(void)
{
    memset(&m, 0, sizeof m);
}

static struct tws_detour_place place(unsigned n)
{
    struct tws_detour_place p = {.port = 1080};
    char text[32];

    snprintf(text, sizeof text, "192.0.2.%u", n);
    ck_assert_int_eq(tws_ip_parse(text, &p.ip), TWS_OK);
    return p;
}

static uint64_t rank(unsigned n, uint64_t now)
{
    struct tws_detour_place p = place(n);

    return tws_detour_memory_rank(&m, &p, now);
}

static void blame(unsigned n, uint64_t now)
{
    struct tws_detour_place p = place(n);

    tws_detour_memory_blame(&m, &p, now);
}

START_TEST(what_failed_goes_last_for_a_minute)
{
    ck_assert_uint_eq(rank(1, NOW), 0);
    blame(1, NOW);
    ck_assert_uint_gt(rank(1, NOW), 0);
    ck_assert_uint_gt(rank(1, NOW + TWS_DETOUR_MEMORY_US - 1), 0);
    ck_assert_uint_eq(rank(1, NOW + TWS_DETOUR_MEMORY_US), 0);
    ck_assert_uint_eq(rank(2, NOW), 0);
}
END_TEST

START_TEST(of_several_that_failed_the_last_one_goes_last)
{
    blame(1, NOW);
    blame(2, NOW + 1);
    ck_assert_uint_lt(rank(1, NOW + 2), rank(2, NOW + 2));
    blame(1, NOW + 2);
    ck_assert_uint_gt(rank(1, NOW + 2), rank(2, NOW + 2));
}
END_TEST

START_TEST(what_works_is_cleared)
{
    struct tws_detour_place p = place(1);

    tws_detour_memory_clear(&m, &p); /* of which nothing is known */
    blame(1, NOW);
    blame(2, NOW);
    tws_detour_memory_clear(&m, &p);
    ck_assert_uint_eq(rank(1, NOW), 0);
    ck_assert_uint_gt(rank(2, NOW), 0);
}
END_TEST

/* When the minute is over, one tries it: the others wait for what comes of it. */
START_TEST(while_one_gives_it_another_chance_the_rest_go_past_it)
{
    struct tws_detour_place p = place(1);
    uint64_t later = NOW + TWS_DETOUR_MEMORY_US;

    tws_detour_memory_retry(&m, &p, NOW);
    ck_assert_uint_eq(rank(1, NOW), 0); /* nothing was held against it */
    blame(1, NOW);
    ck_assert_uint_eq(rank(1, later), 0);
    tws_detour_memory_retry(&m, &p, later);
    ck_assert_uint_gt(rank(1, later), 0);
    ck_assert_uint_gt(rank(1, later + TWS_DETOUR_MEMORY_US - 1), 0);
    tws_detour_memory_clear(&m, &p);
    ck_assert_uint_eq(rank(1, later), 0);
}
END_TEST

START_TEST(the_oldest_makes_room)
{
    for (unsigned i = 0; i <= TWS_DETOUR_MEMORY; i++)
        blame(i, NOW + i);
    ck_assert_uint_eq(rank(0, NOW), 0);
    for (unsigned i = 1; i <= TWS_DETOUR_MEMORY; i++)
        ck_assert_uint_gt(rank(i, NOW), 0);
    blame(TWS_DETOUR_MEMORY, NOW + 99); /* it has its place */
    ck_assert_uint_gt(rank(1, NOW), 0);
}
END_TEST

START_TEST(port_and_uplink_are_part_of_it)
{
    struct tws_detour_place p = place(1), other = p;

    tws_detour_memory_blame(&m, &p, NOW);
    other.port++;
    ck_assert_uint_eq(tws_detour_memory_rank(&m, &other, NOW), 0);
    other = p;
    other.from.mark = 7;
    ck_assert_uint_eq(tws_detour_memory_rank(&m, &other, NOW), 0);
    other = p;
    snprintf(other.from.interface, sizeof other.from.interface, "wwan0");
    ck_assert_uint_eq(tws_detour_memory_rank(&m, &other, NOW), 0);
    other = p;
    other.from.ip = place(9).ip;
    ck_assert_uint_eq(tws_detour_memory_rank(&m, &other, NOW), 0);
    ck_assert_uint_gt(tws_detour_memory_rank(&m, &p, NOW), 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("detour_memory");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, what_failed_goes_last_for_a_minute);
    tcase_add_test(t, of_several_that_failed_the_last_one_goes_last);
    tcase_add_test(t, what_works_is_cleared);
    tcase_add_test(t, while_one_gives_it_another_chance_the_rest_go_past_it);
    tcase_add_test(t, the_oldest_makes_room);
    tcase_add_test(t, port_and_uplink_are_part_of_it);
    return run_suite("ws/detour_memory", t);
}

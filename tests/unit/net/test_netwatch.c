/* test_netwatch.c - a change of the network is told once it has settled. */
#include "driver.h"
#include "netns.h"

#include "tws/net/netwatch.h"

struct watch {
    struct tws_loop *loop;
    struct tws_netwatch *w;
    int calls;
    uint64_t at_us;
};

static void on_change(void *arg)
{
    struct watch *k = arg;

    k->calls++;
    k->at_us = tws_loop_now(k->loop);
    tws_loop_stop(k->loop);
}

static void watch_open(struct watch *k)
{
    *k = (struct watch){.loop = driver_loop()};
    ck_assert_int_eq(tws_netwatch_open(k->loop, on_change, k, &k->w), TWS_OK);
}

static void watch_close(struct watch *k)
{
    tws_netwatch_close(k->w);
    tws_loop_free(k->loop);
}

START_TEST(a_watch_is_opened_and_closed_where_nothing_happens)
{
    struct watch k;

    watch_open(&k);
    watch_close(&k);
    tws_netwatch_close(NULL);
}
END_TEST

START_TEST(many_changes_at_once_are_one_call_200_ms_later)
{
    struct watch k;

    if (!netns_enter())
        return;
    watch_open(&k);
    driver_run_for(k.loop, 5000);
    uint64_t start = tws_loop_now_fresh(k.loop);
    for (int i = 0; i < 20; i++)
        netns_set_link("lo", i % 2 != 0);
    driver_run(k.loop);
    ck_assert_int_eq(k.calls, 1);
    ck_assert_uint_ge(k.at_us, start + 200000);
    driver_run_for(k.loop, 300000);
    ck_assert_int_eq(k.calls, 1);
    netns_set_link("lo", false); /* the next change is told too */
    driver_run(k.loop);
    ck_assert_int_eq(k.calls, 2);
    watch_close(&k);
}
END_TEST

START_TEST(more_changes_than_the_kernel_keeps_are_a_change)
{
    struct watch k;

    if (!netns_enter())
        return;
    watch_open(&k);
    for (int i = 0; i < 2000; i++) /* overruns the socket: ENOBUFS */
        netns_set_link("lo", i % 2 != 0);
    driver_run(k.loop);
    ck_assert_int_eq(k.calls, 1);
    watch_close(&k);
}
END_TEST

static void close_in_callback(void *arg)
{
    struct watch *k = arg;

    on_change(k);
    tws_netwatch_close(k->w);
    k->w = NULL;
}

START_TEST(a_watch_may_be_closed_in_its_callback)
{
    struct watch k = {.loop = NULL};

    if (!netns_enter())
        return;
    k.loop = driver_loop();
    ck_assert_int_eq(tws_netwatch_open(k.loop, close_in_callback, &k, &k.w), TWS_OK);
    netns_set_link("lo", false);
    driver_run(k.loop);
    ck_assert_int_eq(k.calls, 1);
    watch_close(&k);
}
END_TEST

START_TEST(a_watch_closed_before_the_network_settled_is_silent)
{
    struct watch k;

    if (!netns_enter())
        return;
    watch_open(&k);
    netns_set_link("lo", false);
    driver_run_for(k.loop, 5000);
    tws_netwatch_close(k.w);
    k.w = NULL;
    driver_run_for(k.loop, 250000);
    ck_assert_int_eq(k.calls, 0);
    watch_close(&k);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("netwatch");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_watch_is_opened_and_closed_where_nothing_happens);
    tcase_add_test(tc, many_changes_at_once_are_one_call_200_ms_later);
    tcase_add_test(tc, more_changes_than_the_kernel_keeps_are_a_change);
    tcase_add_test(tc, a_watch_may_be_closed_in_its_callback);
    tcase_add_test(tc, a_watch_closed_before_the_network_settled_is_silent);

    return run_suite("net/netwatch", tc);
}

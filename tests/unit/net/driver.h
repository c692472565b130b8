/*
 * driver.h - runs a loop until a test has seen what it waits for; a failsafe timer ends the test
 * if that never comes.
 */
#ifndef TWS_TEST_NET_DRIVER_H
#define TWS_TEST_NET_DRIVER_H

#include "suite.h"

#include "tws/net/loop.h"

#include <check.h>
#include <stdlib.h>

#define FAILSAFE_US 20000000

static inline void driver_on_failsafe(struct tws_timer *t)
{
    (void)t;
    ck_abort_msg("the event did not come");
}

static inline struct tws_loop *driver_loop(void)
{
    struct tws_loop *loop = NULL;

    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    return loop;
}

/* Runs until something calls tws_loop_stop(). */
static inline void driver_run(struct tws_loop *loop)
{
    struct tws_timer failsafe;

    tws_timer_init(&failsafe, loop, driver_on_failsafe);
    tws_timer_start(&failsafe, FAILSAFE_US);
    tws_loop_run(loop);
    tws_timer_stop(&failsafe);
}

static inline void driver_on_stop(struct tws_timer *t)
{
    tws_loop_stop(t->loop);
}

/* Runs for `us`: for tests that something does not happen. */
static inline void driver_run_for(struct tws_loop *loop, uint64_t us)
{
    struct tws_timer end;

    tws_timer_init(&end, loop, driver_on_stop);
    tws_timer_start(&end, us);
    driver_run(loop);
    tws_timer_stop(&end);
}

#endif

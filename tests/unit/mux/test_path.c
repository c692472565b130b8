/*
 * test_path.c - rate, round trip and bound of a link, from synthetic streams of ACKs: a pipe of a
 * known rate and delay, a sender that always fills the bound.
 */
#include "suite.h"

#include "tws/mux/path.h"

#define MS      UINT64_C(1000)
#define S       UINT64_C(1000000)
#define MESSAGE 32768u
#define FLYING  4096

/* Messages on their way through the pipe, oldest first. */
struct flow {
    struct tws_path p;
    struct tws_path_mark mark[FLYING];
    uint64_t back_at[FLYING]; /* when their ACK is here */
    unsigned head, tail;
    uint64_t in_flight, free_at, now;
    uint64_t rate, rtt; /* of the pipe */
    uint64_t delivered;
};

static struct flow flow;

static void flow_init(uint64_t rate, uint64_t rtt)
{
    flow = (struct flow){.rate = rate, .rtt = rtt, .now = S};
    tws_path_init(&flow.p);
}

/* Fills the bound, then goes on to the next ACK. */
static void flow_step(void)
{
    struct flow *f = &flow;

    while (f->in_flight < tws_path_bound(&f->p, MESSAGE, f->now) && f->tail - f->head < FLYING) {
        uint64_t start = f->free_at > f->now ? f->free_at : f->now;
        f->mark[f->tail % FLYING] = tws_path_mark(&f->p, f->in_flight == 0, f->now);
        f->free_at = start + MESSAGE * S / f->rate;
        f->back_at[f->tail++ % FLYING] = f->free_at + f->rtt;
        f->in_flight += MESSAGE;
    }
    unsigned i = f->head++ % FLYING;
    f->now = f->back_at[i];
    f->in_flight -= MESSAGE;
    f->delivered += MESSAGE;
    tws_path_delivered(&f->p, &f->mark[i], MESSAGE, f->now - f->mark[i].sent_at, f->now);
}

static void flow_run(uint64_t us)
{
    uint64_t end = flow.now + us;
    while (flow.now < end)
        flow_step();
}

START_TEST(without_a_sample_the_bound_is_one_mebibyte)
{
    struct tws_path p;

    tws_path_init(&p);
    ck_assert_uint_eq(tws_path_bound(&p, MESSAGE, S), 1024 * 1024);
    ck_assert_uint_eq(tws_path_rate(&p), 0);
    tws_path_round_trip(&p, 50 * MS, S); /* a PONG alone tells no rate */
    ck_assert_uint_eq(tws_path_bound(&p, MESSAGE, S), 1024 * 1024);
}
END_TEST

static const struct {
    uint64_t rate, rtt, warm_s;
} pipes[] = {
    {125000000, 100 * MS, 5}, /* 1 Gbit/s over an ocean */
    {125000000, 1 * MS, 5},   {1250000, 20 * MS, 9}, {12500000, 300 * MS, 4},
    {1250000000, 100, 5},     {62500, 50 * MS, 60},  {12500000, 5 * MS, 5},
};

START_TEST(the_rate_is_found_within_a_tenth)
{
    flow_init(pipes[_i].rate, pipes[_i].rtt);
    flow_run(pipes[_i].warm_s * S);
    uint64_t rate = tws_path_rate(&flow.p);
    ck_assert_uint_gt(rate, pipes[_i].rate * 9 / 10);
    ck_assert_uint_lt(rate, pipes[_i].rate * 11 / 10);
    ck_assert(flow.p.started);
}
END_TEST

START_TEST(the_pipe_is_kept_busy)
{
    flow_init(pipes[_i].rate, pipes[_i].rtt);
    flow_run(pipes[_i].warm_s * S);
    uint64_t before = flow.delivered;
    flow_run(5 * S);
    ck_assert_uint_ge(flow.delivered - before, pipes[_i].rate * 5 / 100 * 98);
}
END_TEST

START_TEST(the_bound_is_the_pipe_and_eight_milliseconds_more)
{
    flow_init(pipes[_i].rate, pipes[_i].rtt);
    flow_run(pipes[_i].warm_s * S);
    uint64_t message_us = MESSAGE * S / pipes[_i].rate;
    uint64_t most = pipes[_i].rate * (pipes[_i].rtt + 2 * message_us + 8 * MS) / S;
    uint64_t bound = tws_path_bound(&flow.p, MESSAGE, flow.now), least = 2 * MESSAGE;
    ck_assert_uint_ge(bound, least);
    ck_assert_uint_le(bound, most * 11 / 10 > least ? most * 11 / 10 : least);
}
END_TEST

START_TEST(the_bound_is_at_least_two_messages)
{
    struct tws_path p;
    struct tws_path_mark m;

    tws_path_init(&p);
    m = tws_path_mark(&p, true, S);
    tws_path_delivered(&p, &m, 1024 * 1024, 10 * MS, 100 * S); /* 10 kB/s */
    ck_assert_uint_eq(tws_path_bound(&p, MESSAGE, 100 * S), 2 * MESSAGE);
    ck_assert_uint_eq(tws_path_bound(&p, 65535, 100 * S), 2 * 65535);
}
END_TEST

START_TEST(a_slower_pipe_is_noticed_within_seconds)
{
    flow_init(12500000, 20 * MS);
    flow_run(5 * S);
    flow.rate = 1250000;
    flow_run(10 * S);
    ck_assert_uint_lt(tws_path_rate(&flow.p), 1250000 * 11 / 10);
}
END_TEST

START_TEST(a_faster_pipe_is_noticed_too)
{
    flow_init(1250000, 20 * MS);
    flow_run(5 * S);
    flow.rate = 12500000;
    flow_run(30 * S);
    ck_assert_uint_gt(tws_path_rate(&flow.p), 12500000 / 2);
}
END_TEST

/* One message of `bytes`, acknowledged before the next, every `gap`. */
static void trickle(uint64_t bytes, uint64_t gap, int n)
{
    struct flow *f = &flow;

    for (; n > 0; n--) {
        struct tws_path_mark m = tws_path_mark(&f->p, true, f->now);
        f->now += f->rtt;
        tws_path_delivered(&f->p, &m, bytes, f->rtt, f->now);
        f->now += gap;
    }
}

START_TEST(light_traffic_first_does_not_slow_the_bulk_behind_it)
{
    flow_init(125000000, 100 * MS);
    trickle(100, 50 * MS, 200);
    ck_assert_uint_eq(tws_path_bound(&flow.p, MESSAGE, flow.now), 1024 * 1024);
    flow_run(2 * S);
    uint64_t before = flow.delivered;
    flow_run(1 * S);
    ck_assert_uint_ge(flow.delivered - before, 125000000 / 100 * 98);
}
END_TEST

START_TEST(light_traffic_does_not_make_it_forget_a_rate)
{
    flow_init(125000000, 100 * MS);
    flow_run(5 * S);
    while (flow.head != flow.tail)
        flow.now = flow.back_at[flow.head++ % FLYING];
    flow.in_flight = 0;
    trickle(1000, 50 * MS, 400); /* a minute */
    ck_assert_uint_ge(tws_path_bound(&flow.p, MESSAGE, flow.now), 125000000 / 10);
}
END_TEST

START_TEST(what_took_no_time_tells_no_rate)
{
    struct tws_path p;

    tws_path_init(&p);
    for (uint64_t now = S; now < 2 * S; now += MS) {
        struct tws_path_mark m = tws_path_mark(&p, true, now);
        tws_path_delivered(&p, &m, 1024 * 1024, 0, now);
    }
    ck_assert(!p.estimated);
    ck_assert_uint_eq(tws_path_bound(&p, MESSAGE, 2 * S), 1024 * 1024);
}
END_TEST

START_TEST(the_first_estimate_of_a_slow_way_ends_the_first_bound)
{
    flow_init(62500, 50 * MS);
    flow_run(8 * S);
    ck_assert_uint_le(tws_path_bound(&flow.p, MESSAGE, flow.now), 3 * MESSAGE);
}
END_TEST

START_TEST(idle_time_does_not_count_as_slow_delivery)
{
    flow_init(12500000, 20 * MS);
    flow_run(2 * S);
    while (flow.head != flow.tail) { /* drain, then rest */
        unsigned i = flow.head++ % FLYING;
        flow.now = flow.back_at[i];
        flow.in_flight -= MESSAGE;
        tws_path_delivered(&flow.p, &flow.mark[i], MESSAGE, flow.now - flow.mark[i].sent_at,
                           flow.now);
    }
    flow.now += 2 * S;
    struct tws_path_mark m = tws_path_mark(&flow.p, true, flow.now);
    ck_assert_uint_eq(m.delivered_at, flow.now);
}
END_TEST

START_TEST(a_longer_way_is_believed_after_a_probe)
{
    flow_init(12500000, 20 * MS);
    flow_run(5 * S);
    uint64_t message_us = MESSAGE * S / 12500000;
    ck_assert_uint_le(flow.p.min_rtt_us, 20 * MS + 2 * message_us);
    flow.rtt = 60 * MS;
    flow_run(20 * S);
    ck_assert_uint_ge(flow.p.min_rtt_us, 60 * MS);
    ck_assert_uint_le(flow.p.min_rtt_us, 70 * MS);
}
END_TEST

START_TEST(the_bound_falls_while_it_probes)
{
    struct tws_path *p = &flow.p;

    flow_init(12500000, 20 * MS);
    flow_run(5 * S);
    flow.rtt = 60 * MS;
    while (p->probe_until == 0)
        flow_step();
    uint64_t bound = tws_path_bound(p, MESSAGE, flow.now);
    ck_assert_uint_lt(bound, 12500000 / S * 20 * MS);
    ck_assert_uint_gt(tws_path_bound(p, MESSAGE, p->probe_until), bound);
}
END_TEST

START_TEST(the_smoothed_round_trip_moves_by_an_eighth)
{
    struct tws_path p;

    tws_path_init(&p);
    tws_path_round_trip(&p, 8000, S);
    ck_assert_uint_eq(p.srtt_us, 8000);
    tws_path_round_trip(&p, 16000, S + 1);
    ck_assert_uint_eq(p.srtt_us, 9000);
    ck_assert_uint_eq(p.min_rtt_us, 8000);
    tws_path_round_trip(&p, 0, S + 2); /* a clock too coarse: never "no sample" */
    ck_assert_uint_eq(p.min_rtt_us, 1);
}
END_TEST

START_TEST(while_it_starts_the_bound_doubles_what_the_way_holds)
{
    struct tws_path p;
    struct tws_path_mark m;

    tws_path_init(&p);
    m = tws_path_mark(&p, true, S);
    tws_path_delivered(&p, &m, 10 * 1024 * 1024, 100 * MS, S + 100 * MS);
    ck_assert(!p.started);
    uint64_t rate = tws_path_rate(&p);
    ck_assert_uint_eq(rate, 10u * 1024u * 1024u * 10u);
    ck_assert_uint_eq(tws_path_bound(&p, MESSAGE, S + 100 * MS), rate * 208 / 1000);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("path");
    tcase_add_test(tc, without_a_sample_the_bound_is_one_mebibyte);
    tcase_add_loop_test(tc, the_rate_is_found_within_a_tenth, 0, COUNT_OF(pipes));
    tcase_add_loop_test(tc, the_pipe_is_kept_busy, 0, COUNT_OF(pipes));
    tcase_add_loop_test(tc, the_bound_is_the_pipe_and_eight_milliseconds_more, 0, COUNT_OF(pipes));
    tcase_add_test(tc, the_bound_is_at_least_two_messages);
    tcase_add_test(tc, a_slower_pipe_is_noticed_within_seconds);
    tcase_add_test(tc, a_faster_pipe_is_noticed_too);
    tcase_add_test(tc, light_traffic_first_does_not_slow_the_bulk_behind_it);
    tcase_add_test(tc, light_traffic_does_not_make_it_forget_a_rate);
    tcase_add_test(tc, what_took_no_time_tells_no_rate);
    tcase_add_test(tc, the_first_estimate_of_a_slow_way_ends_the_first_bound);
    tcase_add_test(tc, idle_time_does_not_count_as_slow_delivery);
    tcase_add_test(tc, a_longer_way_is_believed_after_a_probe);
    tcase_add_test(tc, the_bound_falls_while_it_probes);
    tcase_add_test(tc, the_smoothed_round_trip_moves_by_an_eighth);
    tcase_add_test(tc, while_it_starts_the_bound_doubles_what_the_way_holds);
    return run_suite("path", tc);
}

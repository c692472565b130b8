/*
 * test_recvq.c - the receive queue against a plain array: puts that overlap, leave gaps and come
 * twice, in any order, with consumption and drops between them.
 */
#include "fail_mem.h"
#include "suite.h"

#include "tws/mux/recvq.h"

#include <string.h>

#define STREAM 60000

static uint8_t stream[STREAM + 1]; /* byte i of every stream */
static uint64_t chance = 1;
static struct fail_mem mem;

static unsigned below(unsigned n)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance >> 33) % n;
}

static void set_up(void)
{
    for (unsigned i = 0; i < sizeof stream; i++)
        stream[i] = (uint8_t)(i * 31 + i / 251);
    fail_mem_init(&mem, 0);
}

static void tear_down(void)
{
    ck_assert_uint_eq(mem.live, 0);
}

/* What came so far: one flag a byte. */
struct model {
    bool have[STREAM];
    uint64_t consumed, next;
};

static struct model model;

static tws_err put(struct tws_recvq *q, uint64_t offset, size_t n)
{
    return tws_recvq_put(q, &mem.mem, offset, (struct tws_span){stream + offset, n});
}

static void model_put(uint64_t offset, size_t n)
{
    memset(model.have + offset, true, n);
    while (model.next < STREAM && model.have[model.next])
        model.next++;
}

static uint32_t model_pieces(void)
{
    uint32_t n = 0;

    for (uint64_t i = model.next + 1; i < STREAM; i++)
        n += model.have[i] && !model.have[i - 1];
    return n;
}

static void compare(const struct tws_recvq *q)
{
    struct tws_span s = tws_recvq_peek(q);

    ck_assert_uint_eq(q->consumed, model.consumed);
    ck_assert_uint_eq(q->next, model.next);
    ck_assert_uint_eq(q->pieces, model_pieces());
    ck_assert_int_eq(s.n > 0, model.next > model.consumed);
    ck_assert_uint_le(model.consumed + s.n, model.next);
    ck_assert_int_eq(
        memcmp(s.p == NULL ? stream : s.p, s.p == NULL ? stream : stream + q->consumed, s.n), 0);
    ck_assert_int_eq(q->memory == 0, mem.live == 0);
}

static void consume_some(struct tws_recvq *q)
{
    struct tws_span s = tws_recvq_peek(q);
    size_t n = s.n == 0 ? 0 : 1 + below((unsigned)s.n);

    if (below(3) == 0)
        n = s.n;
    tws_recvq_consume(q, &mem.mem, n);
    model.consumed += n;
}

static void put_some(struct tws_recvq *q)
{
    uint64_t from = model.consumed > 500 ? model.consumed - 500 : 0;
    uint64_t offset = below(2) == 0 ? model.next : from + below(6000);
    size_t n = below(4) == 0 ? below(20000) : below(300);

    if (offset + n > STREAM)
        return;
    ck_assert_int_eq(put(q, offset, n), TWS_OK);
    model_put(offset, n);
}

START_TEST(random_puts_and_takes_give_the_stream_of_the_model)
{
    struct tws_recvq q = {0};

    memset(&model, 0, sizeof model);
    chance = (uint64_t)_i * 7919 + 3;
    for (int step = 0; step < 120; step++) {
        unsigned what = below(10);
        if (what < 6) {
            put_some(&q);
        } else if (what < 9) {
            consume_some(&q);
        } else if (below(20) == 0) {
            memset(model.have + model.next, false, STREAM - model.next);
            tws_recvq_drop(&q, &mem.mem);
            model.consumed = model.next;
        }
        if (below(2) == 0)
            ck_assert_int_eq(tws_recvq_settle(&q, &mem.mem), TWS_OK);
        compare(&q);
    }
    tws_recvq_fini(&q, &mem.mem);
}
END_TEST

START_TEST(bytes_in_order_are_lent_not_copied)
{
    struct tws_recvq q = {0};

    ck_assert_int_eq(put(&q, 0, 1000), TWS_OK);
    ck_assert_ptr_eq(tws_recvq_peek(&q).p, stream);
    tws_recvq_consume(&q, &mem.mem, 1000);
    ck_assert_int_eq(tws_recvq_settle(&q, &mem.mem), TWS_OK);
    ck_assert_uint_eq(mem.calls, 0);
    tws_recvq_fini(&q, &mem.mem);
}
END_TEST

START_TEST(what_was_lent_survives_its_message_once_settled)
{
    struct tws_recvq q = {0};
    uint8_t message[64];

    memcpy(message, stream, sizeof message);
    ck_assert_int_eq(tws_recvq_put(&q, &mem.mem, 0, (struct tws_span){message, sizeof message}),
                     TWS_OK);
    tws_recvq_consume(&q, &mem.mem, 10);
    ck_assert_int_eq(tws_recvq_settle(&q, &mem.mem), TWS_OK);
    memset(message, 0xee, sizeof message);
    struct tws_span s = tws_recvq_peek(&q);
    ck_assert_uint_eq(s.n, 54);
    ck_assert_mem_eq(s.p, stream + 10, 54);
    tws_recvq_fini(&q, &mem.mem);
}
END_TEST

START_TEST(of_bytes_that_come_twice_the_first_copy_counts)
{
    struct tws_recvq q = {0};
    uint8_t other[100];

    memset(other, 0xee, sizeof other);
    ck_assert_int_eq(put(&q, 50, 20), TWS_OK); /* behind a gap */
    ck_assert_int_eq(put(&q, 0, 10), TWS_OK);
    ck_assert_int_eq(tws_recvq_put(&q, &mem.mem, 0, (struct tws_span){other, 100}), TWS_OK);
    ck_assert_uint_eq(q.next, 100);
    for (uint64_t at = 0; at < 100;) {
        struct tws_span s = tws_recvq_peek(&q);
        for (size_t i = 0; i < s.n; i++) {
            bool first = at + i < 10 || (at + i >= 50 && at + i < 70);
            ck_assert_uint_eq(s.p[i], first ? stream[at + i] : 0xee);
        }
        at += s.n;
        tws_recvq_consume(&q, &mem.mem, s.n);
    }
    tws_recvq_fini(&q, &mem.mem);
}
END_TEST

START_TEST(at_most_1024_pieces_wait_behind_gaps)
{
    struct tws_recvq q = {0};

    for (uint64_t i = 0; i < TWS_RECVQ_PIECES; i++)
        ck_assert_int_eq(put(&q, 2 + 2 * i, 1), TWS_OK);
    ck_assert_uint_eq(q.pieces, TWS_RECVQ_PIECES);
    ck_assert_int_eq(put(&q, 4 + 2 * TWS_RECVQ_PIECES, 1), TWS_E_FRAGMENTED);
    ck_assert_int_eq(put(&q, 0, 3), TWS_OK); /* closes the first gap */
    ck_assert_uint_eq(q.pieces, TWS_RECVQ_PIECES - 1);
    tws_recvq_fini(&q, &mem.mem);
}
END_TEST

START_TEST(bytes_that_come_last_first_share_their_memory)
{
    enum { N = 20000 };
    struct tws_recvq q = {0};

    for (uint64_t at = N; at > 1; at--) {
        ck_assert_int_eq(put(&q, at - 1, 1), TWS_OK);
        ck_assert_int_eq(put(&q, at - 1, 1), TWS_OK); /* and twice */
    }
    ck_assert_uint_eq(q.pieces, 1);
    ck_assert_uint_le(q.memory, 4 * N);
    ck_assert_int_eq(put(&q, 0, 1), TWS_OK);
    ck_assert_uint_eq(q.next, N);
    while (tws_recvq_readable(&q)) {
        struct tws_span s = tws_recvq_peek(&q);
        ck_assert_mem_eq(s.p, stream + q.consumed, s.n);
        tws_recvq_consume(&q, &mem.mem, s.n);
    }
    ck_assert_uint_eq(q.consumed, N);
    tws_recvq_fini(&q, &mem.mem);
}
END_TEST

START_TEST(empty_puts_change_nothing)
{
    struct tws_recvq q = {0};

    ck_assert_int_eq(put(&q, 0, 0), TWS_OK);
    ck_assert_int_eq(put(&q, 100, 0), TWS_OK);
    ck_assert(!tws_recvq_readable(&q));
    ck_assert_uint_eq(q.pieces, 0);
    ck_assert_uint_eq(mem.calls, 0);
}
END_TEST

START_TEST(dropping_throws_away_what_waits_behind_gaps_too)
{
    struct tws_recvq q = {0};

    ck_assert_int_eq(put(&q, 0, 10), TWS_OK);
    ck_assert_int_eq(put(&q, 20, 10), TWS_OK);
    tws_recvq_drop(&q, &mem.mem);
    ck_assert_uint_eq(q.consumed, 10);
    ck_assert_uint_eq(q.next, 10);
    ck_assert_uint_eq(q.pieces, 0);
    ck_assert_uint_eq(q.memory, 0);
    ck_assert_uint_eq(mem.live, 0);
}
END_TEST

START_TEST(without_memory_a_put_fails_and_nothing_leaks)
{
    bool failed = true;

    for (size_t n = 1; failed; n++) {
        struct tws_recvq q = {0};
        tws_err err;
        fail_mem_init(&mem, n);
        err = put(&q, 100, 10);
        if (err == TWS_OK)
            err = put(&q, 0, 40);
        if (err == TWS_OK)
            err = put(&q, 30, 30000);
        if (err == TWS_OK)
            err = tws_recvq_settle(&q, &mem.mem);
        failed = mem.failed;
        ck_assert_int_eq(err, failed ? TWS_NOMEM : TWS_OK);
        tws_recvq_fini(&q, &mem.mem);
        ck_assert_uint_eq(mem.live, 0);
    }
}
END_TEST

START_TEST(bytes_that_could_not_be_copied_are_not_readable)
{
    struct tws_recvq q = {0};

    mem.fail_at = (size_t)_i;
    ck_assert_int_eq(put(&q, 0, 40000), TWS_OK);
    ck_assert_int_eq(tws_recvq_settle(&q, &mem.mem), TWS_NOMEM);
    for (struct tws_span s; (s = tws_recvq_peek(&q)).n > 0;) {
        ck_assert_mem_eq(s.p, stream + q.consumed, s.n);
        tws_recvq_consume(&q, &mem.mem, s.n);
    }
    ck_assert_uint_eq(q.consumed, q.next);
    tws_recvq_fini(&q, &mem.mem);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("recvq");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, random_puts_and_takes_give_the_stream_of_the_model, 0, 100);
    tcase_add_test(tc, bytes_in_order_are_lent_not_copied);
    tcase_add_test(tc, what_was_lent_survives_its_message_once_settled);
    tcase_add_test(tc, of_bytes_that_come_twice_the_first_copy_counts);
    tcase_add_test(tc, at_most_1024_pieces_wait_behind_gaps);
    tcase_add_test(tc, bytes_that_come_last_first_share_their_memory);
    tcase_add_test(tc, empty_puts_change_nothing);
    tcase_add_test(tc, dropping_throws_away_what_waits_behind_gaps_too);
    tcase_add_test(tc, without_memory_a_put_fails_and_nothing_leaks);
    tcase_add_loop_test(tc, bytes_that_could_not_be_copied_are_not_readable, 1, 4);
    return run_suite("recvq", tc);
}

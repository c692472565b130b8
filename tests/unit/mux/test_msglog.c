/* test_msglog.c - numbers, order and memory of the messages of a link. */
#include "fail_mem.h"
#include "suite.h"

#include "tws/mux/msglog.h"

#include <string.h>

#define MESSAGE 4096

static struct fail_mem mem;
static struct tws_blocks blocks;
static struct tws_msglog log_a, log_b;

static void set_up(void)
{
    fail_mem_init(&mem, 0);
    tws_blocks_init(&blocks, &mem.mem, MESSAGE);
    tws_msglog_init(&log_a);
    tws_msglog_init(&log_b);
}

static void tear_down(void)
{
    tws_msglog_fini(&log_a, &blocks);
    tws_msglog_fini(&log_b, &blocks);
    ck_assert_uint_eq(blocks.used, 0);
    tws_blocks_fini(&blocks);
    ck_assert_uint_eq(mem.live, 0);
}

/* A message of `len` bytes that all are `fill`. */
static struct tws_record *add(struct tws_msglog *log, uint32_t len, uint8_t fill, bool logged)
{
    struct tws_record *r = tws_msglog_begin(log, &blocks);

    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(r->cap, MESSAGE);
    memset(r->data, fill, len);
    tws_msglog_end(log, r, len, logged);
    return r;
}

static void check_record(const struct tws_record *r, uint64_t number, uint32_t len, uint8_t fill)
{
    ck_assert_uint_eq(r->number, number);
    ck_assert_uint_eq(r->len, len);
    for (uint32_t i = 0; i < len; i++)
        ck_assert_uint_eq(r->data[i], fill);
}

static struct tws_record *behind(struct tws_record *r)
{
    return TWS_CONTAINER(r->log_node.next, struct tws_record, log_node);
}

START_TEST(messages_are_numbered_from_one_whether_kept_or_not)
{
    for (uint64_t n = 1; n <= 5; n++) {
        struct tws_record *r = add(&log_a, 10, (uint8_t)n, n % 2 == 1);
        check_record(r, n, 10, (uint8_t)n);
        ck_assert_ptr_eq(log_a.unsent, r);
        tws_msglog_sent(&log_a, &blocks);
        ck_assert_ptr_null(log_a.unsent);
    }
    ck_assert_uint_eq(log_a.next, 6);
    ck_assert_uint_eq(log_a.in_flight, 30);
    ck_assert_uint_eq(log_a.kept, 30);
    struct tws_record *r = tws_msglog_oldest(&log_a);
    check_record(r, 1, 10, 1);
    check_record(behind(r), 3, 10, 3);
    check_record(behind(behind(r)), 5, 10, 5);
}
END_TEST

START_TEST(a_cancelled_message_uses_no_number_and_no_room)
{
    for (int i = 0; i < 100; i++)
        tws_msglog_cancel(&log_a, tws_msglog_begin(&log_a, &blocks), &blocks);
    ck_assert_uint_eq(log_a.next, 1);
    check_record(add(&log_a, MESSAGE, 7, true), 1, MESSAGE, 7);
    ck_assert_uint_eq(mem.calls, 1);
}
END_TEST

START_TEST(an_inserted_message_takes_the_number_of_the_first_unsent_one)
{
    struct tws_record *first = add(&log_a, 10, 1, true);
    tws_msglog_sent(&log_a, &blocks);
    struct tws_record *second = add(&log_a, 10, 2, true), *third = add(&log_a, 10, 3, true);
    struct tws_record *own = tws_msglog_begin(&log_a, &blocks);

    memset(own->data, 9, 5);
    tws_msglog_insert(&log_a, own, 5);
    check_record(first, 1, 10, 1);
    check_record(own, 2, 5, 9);
    check_record(second, 3, 10, 2);
    check_record(third, 4, 10, 3);
    ck_assert_uint_eq(log_a.next, 5);
    ck_assert_ptr_eq(log_a.unsent, own);
    tws_msglog_sent(&log_a, &blocks); /* not logged: gone */
    ck_assert_ptr_eq(log_a.unsent, second);
    ck_assert_ptr_eq(behind(first), second);
    ck_assert_uint_eq(log_a.in_flight, 10);
}
END_TEST

START_TEST(moved_messages_keep_order_and_bytes_and_get_new_numbers)
{
    for (uint8_t i = 1; i <= 5; i++) {
        add(&log_a, 100u * i, i, true);
        tws_msglog_sent(&log_a, &blocks);
    }
    add(&log_b, 10, 50, true);
    for (struct tws_record *r; (r = tws_msglog_oldest(&log_a)) != NULL;)
        tws_msglog_move(&log_a, r, &log_b);
    ck_assert_uint_eq(log_a.in_flight, 0);
    ck_assert_uint_eq(log_a.kept, 0);
    ck_assert_uint_eq(log_b.in_flight, 0);
    struct tws_record *r = tws_msglog_oldest(&log_b);
    check_record(r, 1, 10, 50);
    ck_assert_ptr_eq(log_b.unsent, r);
    for (uint8_t i = 1; i <= 5; i++) {
        r = behind(r);
        check_record(r, 1u + i, 100u * i, i);
        ck_assert(r->again && !r->sent && r->logged);
    }
    tws_msglog_fini(&log_a, &blocks); /* its log may die before them */
    check_record(r, 6, 500, 5);
    for (int i = 0; i < 6; i++)
        tws_msglog_sent(&log_b, &blocks);
    ck_assert_uint_eq(log_b.in_flight, 10 + 100 + 200 + 300 + 400 + 500);
}
END_TEST

START_TEST(dropping_what_is_covered_leaves_the_rest_in_flight)
{
    for (uint8_t i = 1; i <= 4; i++) {
        add(&log_a, 100, i, true);
        tws_msglog_sent(&log_a, &blocks);
    }
    tws_msglog_drop(&log_a, tws_msglog_oldest(&log_a), &blocks);
    tws_msglog_drop(&log_a, tws_msglog_oldest(&log_a), &blocks);
    check_record(tws_msglog_oldest(&log_a), 3, 100, 3);
    ck_assert_uint_eq(log_a.in_flight, 200);
    ck_assert_uint_eq(log_a.kept, 200);
}
END_TEST

START_TEST(an_ack_frees_what_it_covers_and_tells_of_the_newest)
{
    for (uint8_t i = 1; i <= 5; i++) {
        struct tws_record *r = add(&log_a, 100u * i, i, true);
        r->mark.sent_at = i;
        if (i <= 4)
            tws_msglog_sent(&log_a, &blocks);
    }
    ck_assert_uint_eq(tws_msglog_acknowledge(&log_a, 0, &blocks).bytes, 0);
    struct tws_acked acked = tws_msglog_acknowledge(&log_a, 3, &blocks);
    ck_assert_uint_eq(acked.bytes, 100 + 200 + 300);
    ck_assert_uint_eq(acked.last, 3);
    ck_assert_uint_eq(acked.mark.sent_at, 3);
    check_record(tws_msglog_oldest(&log_a), 4, 400, 4);
    ck_assert_uint_eq(log_a.in_flight, 400);
    ck_assert_uint_eq(log_a.kept, 400 + 500);
    /* What was not sent cannot have come. */
    ck_assert_uint_eq(tws_msglog_acknowledge(&log_a, 9, &blocks).last, 4);
    check_record(tws_msglog_oldest(&log_a), 5, 500, 5);
    ck_assert_ptr_eq(log_a.unsent, tws_msglog_oldest(&log_a));
    ck_assert_uint_eq(log_a.in_flight, 0);
    tws_msglog_sent(&log_a, &blocks);
    ck_assert_uint_eq(tws_msglog_acknowledge(&log_a, 5, &blocks).bytes, 500);
    ck_assert_ptr_null(tws_msglog_oldest(&log_a));
    ck_assert_uint_eq(tws_msglog_acknowledge(&log_a, 5, &blocks).bytes, 0);
    check_record(add(&log_a, 10, 6, true), 6, 10, 6);
}
END_TEST

START_TEST(a_steady_flow_allocates_nothing_once_it_runs)
{
    size_t calls = 0;

    for (int i = 0; i < 2000; i++) {
        add(&log_a, (uint32_t)(i * 37 % MESSAGE) + 1, (uint8_t)i, true);
        tws_msglog_sent(&log_a, &blocks);
        if (i >= 8)
            tws_msglog_drop(&log_a, tws_msglog_oldest(&log_a), &blocks);
        if (i == 100)
            calls = mem.calls;
    }
    ck_assert_uint_le(mem.calls, calls + 2);
    ck_assert_uint_le(blocks.memory, 12u * 2u * (MESSAGE + 256u));
}
END_TEST

START_TEST(small_messages_share_a_block)
{
    for (int i = 0; i < 10; i++)
        add(&log_a, 16, (uint8_t)i, true);
    ck_assert_uint_eq(mem.calls, 1);
}
END_TEST

START_TEST(every_record_holds_a_full_message_and_is_aligned)
{
    for (uint32_t i = 0; i < 200; i++) {
        struct tws_record *r = add(&log_a, i % 3 == 0 ? MESSAGE : i + 1, (uint8_t)i, true);
        ck_assert_uint_eq((uintptr_t)r % _Alignof(struct tws_record), 0);
    }
    uint32_t i = 0;
    for (struct tws_record *r; (r = tws_msglog_oldest(&log_a)) != NULL; i++) {
        check_record(r, i + 1, i % 3 == 0 ? MESSAGE : i + 1, (uint8_t)i);
        tws_msglog_drop(&log_a, r, &blocks);
    }
    ck_assert_uint_eq(i, 200);
}
END_TEST

START_TEST(spare_blocks_are_few_and_can_be_given_back)
{
    for (int i = 0; i < 200; i++)
        add(&log_a, MESSAGE, 1, true);
    for (struct tws_record *r; (r = tws_msglog_oldest(&log_a)) != NULL;)
        tws_msglog_drop(&log_a, r, &blocks);
    ck_assert_uint_gt(blocks.nspare, 0);
    ck_assert_uint_le(blocks.nspare, 32);
    tws_blocks_trim(&blocks);
    ck_assert_uint_eq(blocks.nspare, 0);
    ck_assert_uint_eq(blocks.memory, blocks.used);
    ck_assert_uint_le(mem.live, 1); /* the block still being filled */
}
END_TEST

START_TEST(without_memory_no_message_begins)
{
    mem.fail_at = 1;
    ck_assert_ptr_null(tws_msglog_begin(&log_a, &blocks));
    check_record(add(&log_a, 10, 3, true), 1, 10, 3);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("msglog");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, messages_are_numbered_from_one_whether_kept_or_not);
    tcase_add_test(tc, a_cancelled_message_uses_no_number_and_no_room);
    tcase_add_test(tc, an_inserted_message_takes_the_number_of_the_first_unsent_one);
    tcase_add_test(tc, moved_messages_keep_order_and_bytes_and_get_new_numbers);
    tcase_add_test(tc, dropping_what_is_covered_leaves_the_rest_in_flight);
    tcase_add_test(tc, an_ack_frees_what_it_covers_and_tells_of_the_newest);
    tcase_add_test(tc, a_steady_flow_allocates_nothing_once_it_runs);
    tcase_add_test(tc, small_messages_share_a_block);
    tcase_add_test(tc, every_record_holds_a_full_message_and_is_aligned);
    tcase_add_test(tc, spare_blocks_are_few_and_can_be_given_back);
    tcase_add_test(tc, without_memory_no_message_begins);
    return run_suite("msglog", tc);
}

/* test_packet_queue.c - packets come out as they went in, and what does not fit does not go in. */
#include "suite.h"

#include "tws/tunnel/packet_queue.h"

#include <string.h>

START_TEST(packets_come_out_in_order_and_whole)
{
    struct tws_packet_queue q;
    uint8_t packet[64];
    unsigned in = 0, out = 0, refused = 0;

    ck_assert_int_eq(tws_packet_queue_init(&q, 257), TWS_OK);
    for (unsigned step = 0; step < 20000; step++) {
        /* Now filling, now emptying, with sizes that meet the end in every way. */
        if (step / 7 % 3 != 0) {
            memset(packet, (int)in, sizeof packet);
            if (tws_packet_queue_push(&q, (struct tws_span){packet, in % 61}))
                in++;
            else
                refused++;
            continue;
        }
        struct tws_span front = tws_packet_queue_front(&q);
        if (front.p == NULL) {
            ck_assert_uint_eq(in, out);
            continue;
        }
        ck_assert_uint_eq(front.n, out % 61);
        for (size_t i = 0; i < front.n; i++)
            ck_assert_uint_eq(front.p[i], out & 0xff);
        tws_packet_queue_pop(&q);
        out++;
    }
    ck_assert_uint_gt(refused, 100);
    ck_assert_uint_gt(out, 1000);
    tws_packet_queue_fini(&q);
}
END_TEST

START_TEST(an_empty_queue_takes_all_it_has_room_for)
{
    struct tws_packet_queue q;
    uint8_t packet[64] = {0};

    ck_assert_int_eq(tws_packet_queue_init(&q, 64), TWS_OK);
    ck_assert_ptr_null(tws_packet_queue_front(&q).p);
    for (int round = 0; round < 200; round++) {
        ck_assert(!tws_packet_queue_push(&q, (struct tws_span){packet, 60}));
        ck_assert(tws_packet_queue_push(&q, (struct tws_span){packet, 59}));
        ck_assert(!tws_packet_queue_push(&q, (struct tws_span){packet, 0}));
        ck_assert_uint_eq(tws_packet_queue_front(&q).n, 59);
        tws_packet_queue_pop(&q);
        ck_assert_ptr_null(tws_packet_queue_front(&q).p);
    }
    tws_packet_queue_fini(&q);
    tws_packet_queue_fini(&q);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("packet_queue");

    tcase_add_test(tc, packets_come_out_in_order_and_whole);
    tcase_add_test(tc, an_empty_queue_takes_all_it_has_room_for);
    return run_suite("packet_queue", tc);
}

/* test_bytes.c - cursors never leave their bytes, and remember the first time they would have. */
#include "suite.h"

#include "tws/base/bytes.h"

START_TEST(what_is_written_is_read_back_in_network_order)
{
    uint8_t buf[17];
    struct tws_writer w = tws_writer(buf, sizeof buf);

    tws_write_u8(&w, 0x01);
    tws_write_u16(&w, 0x0203);
    tws_write_u32(&w, 0x04050607);
    tws_write_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
    tws_write_bytes(&w, "\x10", 1);
    tws_write_zeros(&w, 1);
    ck_assert(!w.failed);
    ck_assert_uint_eq(w.len, sizeof buf);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(buf[i], i + 1);
    ck_assert_uint_eq(buf[16], 0);

    struct tws_reader r = tws_reader((struct tws_span){buf, sizeof buf});
    ck_assert_uint_eq(tws_read_u8(&r), 0x01);
    ck_assert_uint_eq(tws_read_u16(&r), 0x0203);
    ck_assert_uint_eq(tws_read_u32(&r), 0x04050607);
    ck_assert_uint_eq(tws_read_u64(&r), UINT64_C(0x08090a0b0c0d0e0f));
    struct tws_span rest = tws_read_span(&r, 2);
    ck_assert_ptr_eq(rest.p, buf + 15);
    ck_assert_uint_eq(r.left, 0);
    ck_assert(!r.failed);
}
END_TEST

START_TEST(a_read_past_the_end_fails_for_good_and_gives_zero)
{
    const uint8_t buf[3] = {0xff, 0xff, 0xff};
    uint8_t out[4] = {1, 1, 1, 1};
    struct tws_reader r = tws_reader((struct tws_span){buf, sizeof buf});

    ck_assert_uint_eq(tws_read_u32(&r), 0);
    ck_assert(r.failed);
    ck_assert_uint_eq(tws_read_u8(&r), 0);
    ck_assert_uint_eq(tws_read_u16(&r), 0);
    ck_assert_uint_eq(tws_read_u64(&r), 0);
    ck_assert_ptr_null(tws_read_span(&r, 0).p);
    tws_read_bytes(&r, out, sizeof out);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(out[i], 0);
}
END_TEST

START_TEST(a_length_near_the_end_of_the_address_space_does_not_wrap)
{
    uint8_t buf[3] = {0};
    struct tws_reader r = tws_reader((struct tws_span){buf, sizeof buf});
    struct tws_writer w = tws_writer(buf, sizeof buf);

    tws_write_u8(&w, 1);
    tws_write_zeros(&w, SIZE_MAX);
    ck_assert(w.failed);
    (void)tws_read_u8(&r);
    (void)tws_read_span(&r, SIZE_MAX);
    ck_assert(r.failed);
}
END_TEST

START_TEST(a_write_that_does_not_fit_changes_nothing)
{
    uint8_t buf[4] = {9, 9, 9, 9};
    struct tws_writer w = tws_writer(buf, 3);

    tws_write_u32(&w, 0);
    ck_assert(w.failed);
    ck_assert_uint_eq(w.len, 0);
    tws_write_u8(&w, 0);
    tws_write_u16(&w, 0);
    tws_write_u64(&w, 0);
    ck_assert_uint_eq(w.len, 0);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(buf[i], 9);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("bytes");
    tcase_add_test(tc, what_is_written_is_read_back_in_network_order);
    tcase_add_test(tc, a_read_past_the_end_fails_for_good_and_gives_zero);
    tcase_add_test(tc, a_length_near_the_end_of_the_address_space_does_not_wrap);
    tcase_add_test(tc, a_write_that_does_not_fit_changes_nothing);
    return run_suite("base/bytes", tc);
}

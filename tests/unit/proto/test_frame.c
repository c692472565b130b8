/* test_frame.c - the frame header, byte for byte; names of types and codes. */
#include "suite.h"

#include "tws/proto/code.h"
#include "tws/proto/frame.h"

static const uint8_t wire[] = {0x01, 0x01, 0x00, 0x03, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00,
                               0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 'a',  'b',  'c',  'x'};

START_TEST(a_frame_is_read_and_its_header_written_back)
{
    struct tws_frame f;
    uint8_t header[TWS_FRAME_HDR];
    size_t used = 0;

    ck_assert_int_eq(tws_frame_decode((struct tws_span){wire, sizeof wire}, &f, &used), TWS_OK);
    ck_assert_uint_eq(used, 19);
    ck_assert_uint_eq(f.type, TWS_FRAME_DATA);
    ck_assert_uint_eq(f.flags, TWS_FLAG_FIN);
    ck_assert_uint_eq(f.len, 3);
    ck_assert_uint_eq(f.channel, 0x102);
    ck_assert_uint_eq(f.offset, UINT64_C(0x102030405));
    ck_assert_ptr_eq(f.payload, wire + 16);
    tws_frame_put_header(header, &f);
    ck_assert_mem_eq(header, wire, sizeof header);
}
END_TEST

START_TEST(a_part_of_a_frame_is_short_wherever_it_was_cut)
{
    struct tws_frame f;
    size_t used = 77;

    for (size_t n = 0; n < 19; n++)
        ck_assert_int_eq(tws_frame_decode((struct tws_span){wire, n}, &f, &used), TWS_SHORT);
    ck_assert_uint_eq(used, 77);
}
END_TEST

START_TEST(types_have_their_names)
{
    for (unsigned t = 0; t < TWS_FRAME_TYPE_END; t++)
        ck_assert_uint_gt(strlen(tws_frame_name((uint8_t)t)), 1);
    ck_assert_str_eq(tws_frame_name(TWS_FRAME_WINDOW), "WINDOW");
    ck_assert_str_eq(tws_frame_name(TWS_FRAME_DATAGRAM), "DATAGRAM");
    ck_assert_str_eq(tws_frame_name(TWS_FRAME_TYPE_END), "?");
    ck_assert_str_eq(tws_frame_name(0xff), "?");
}
END_TEST

START_TEST(codes_have_their_texts)
{
    for (unsigned a = 0; a < TWS_CODE_END; a++)
        for (unsigned b = 0; b < a; b++)
            ck_assert_str_ne(tws_code_text((uint16_t)a), tws_code_text((uint16_t)b));
    ck_assert_str_eq(tws_code_text(TWS_CODE_REFUSED), "connection refused");
    ck_assert_str_eq(tws_code_text(TWS_CODE_END), "code");
    ck_assert_str_eq(tws_code_text(UINT16_MAX), "code");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("frame");
    tcase_add_test(tc, a_frame_is_read_and_its_header_written_back);
    tcase_add_test(tc, a_part_of_a_frame_is_short_wherever_it_was_cut);
    tcase_add_test(tc, types_have_their_names);
    tcase_add_test(tc, codes_have_their_texts);
    return run_suite("proto/frame", tc);
}

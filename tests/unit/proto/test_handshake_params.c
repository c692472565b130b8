/* test_handshake_params.c - the parameter list is read strictly and written as it is read. */
#include "suite.h"

#include "tws/base/text.h"
#include "tws/proto/handshake.h"

#include <string.h>

static tws_err read_hex(const char *hex, struct tws_hs_params *out)
{
    uint8_t bytes[512];
    size_t n = strlen(hex) / 2;

    ck_assert_int_eq(tws_hex_decode(hex, bytes, n), TWS_OK);
    return tws_hs_params_read((struct tws_span){bytes, n}, out);
}

START_TEST(an_empty_list_is_all_defaults)
{
    struct tws_hs_params p;

    ck_assert_int_eq(read_hex("", &p), TWS_OK);
    ck_assert_uint_eq(p.given, 0);
    ck_assert_str_eq(p.client_name, "");
    ck_assert_str_eq(p.uplink_name, "");
    ck_assert_uint_eq(p.max_message, 32768);
    ck_assert_uint_eq(p.grace_ms, 120000);
    ck_assert_uint_eq(p.heartbeat_ms, 15000);
    ck_assert_uint_eq(p.early_data, 0);
    ck_assert_uint_eq(p.early_datagrams, 0);
    ck_assert_uint_eq(p.padding, 0);
    ck_assert_uint_eq(p.max_channels, 65536);
    ck_assert_uint_eq(p.link_weight, 1);
    ck_assert_uint_eq(p.seal, TWS_HS_SEAL_ALLOW);
}
END_TEST

/* Every parameter, in the order and with the flags we write. */
static const char full[] = "01000006"
                           "6c6170746f70"
                           "02800004"
                           "0000ffff"
                           "03000004"
                           "000003e8"
                           "04000004"
                           "00001388"
                           "05000004"
                           "00004000"
                           "07000004"
                           "00000007"
                           "08000003"
                           "6c7465"
                           "09000002"
                           "0102"
                           "0a800001"
                           "02"
                           "0b000004"
                           "00010000"
                           "0c000004"
                           "00001000";

START_TEST(every_parameter_is_read_and_written_back_the_same)
{
    struct tws_hs_params p;
    uint8_t out[256];
    char hex[513];
    struct tws_writer w = tws_writer(out, sizeof out);

    ck_assert_int_eq(read_hex(full, &p), TWS_OK);
    ck_assert_uint_eq(p.given, TWS_HS_GIVEN_ALL);
    ck_assert_str_eq(p.client_name, "laptop");
    ck_assert_str_eq(p.uplink_name, "lte");
    ck_assert_uint_eq(p.max_message, 65535);
    ck_assert_uint_eq(p.grace_ms, 1000);
    ck_assert_uint_eq(p.heartbeat_ms, 5000);
    ck_assert_uint_eq(p.early_data, 16384);
    ck_assert_uint_eq(p.early_datagrams, 65536);
    ck_assert_uint_eq(p.padding, 4096);
    ck_assert_uint_eq(p.max_channels, 7);
    ck_assert_uint_eq(p.link_weight, 0x0102);
    ck_assert_uint_eq(p.seal, TWS_HS_SEAL_REQUIRE);
    tws_hs_params_write(&w, &p);
    ck_assert(!w.failed);
    ck_assert_int_eq(tws_hex_encode(out, w.len, hex, sizeof hex), TWS_OK);
    ck_assert_str_eq(hex, full);
}
END_TEST

START_TEST(a_list_cut_inside_a_parameter_is_refused)
{
    uint8_t bytes[256];
    size_t n = strlen(full) / 2, whole = 0;
    struct tws_hs_params p;

    ck_assert_int_eq(tws_hex_decode(full, bytes, n), TWS_OK);
    for (size_t cut = 0; cut <= n; cut++) {
        tws_err err = tws_hs_params_read((struct tws_span){bytes, cut}, &p);
        ck_assert(err == TWS_OK || err == TWS_E_PROTOCOL);
        whole += err == TWS_OK;
    }
    ck_assert_uint_eq(whole, 12); /* between parameters, and at both ends */
}
END_TEST

static const char *const bad[] = {
    "0100000161"
    "0100000162", /* twice */
    "6300000161"
    "6300000162", /* twice, though unknown */
    "63800000",   /* unknown and critical */
    "06800000",   /* 6 is not used */
    "6340000161", /* a reserved flag */
    "0101000161", /* a reserved flag on a known one */
    "01000000",   /* an empty name */
    "010000010a", /* control characters in a name */
    "0100000100",
    "010000017f",
    "02000004"
    "000003ff", /* max_message out of its range */
    "02000004"
    "00010000",
    "02000002"
    "8000", /* not as long as it must be */
    "0200000500"
    "00008000",
    "04000004"
    "00000000", /* a heartbeat without pause */
    "05000004"
    "00004001", /* early data above 16 KiB */
    "07000004"
    "00000000",
    "09000002"
    "0000",
    "0a000001"
    "03",
    "0a000000",
};

START_TEST(what_breaks_a_rule_is_refused)
{
    struct tws_hs_params p;
    ck_assert_msg(read_hex(bad[_i], &p) == TWS_E_PROTOCOL, "%s", bad[_i]);
}
END_TEST

START_TEST(unknown_parameters_are_skipped)
{
    struct tws_hs_params p;

    ck_assert_int_eq(read_hex("630000020102"
                              "09000002"
                              "0005"
                              "ff000000",
                              &p),
                     TWS_OK);
    ck_assert_uint_eq(p.given, TWS_HS_GIVEN(TWS_HS_LINK_WEIGHT));
    ck_assert_uint_eq(p.link_weight, 5);
    ck_assert_int_eq(read_hex("03800004"
                              "00000001",
                              &p),
                     TWS_OK); /* known, so critical is fine */
}
END_TEST

START_TEST(a_name_may_have_64_bytes_and_no_more)
{
    struct tws_hs_params p;
    uint8_t list[4 + 65] = {TWS_HS_CLIENT_NAME, 0, 0, 64};

    memset(list + 4, 'n', 65);
    ck_assert_int_eq(tws_hs_params_read((struct tws_span){list, 68}, &p), TWS_OK);
    ck_assert_uint_eq(strlen(p.client_name), 64);
    list[3] = 65;
    ck_assert_int_eq(tws_hs_params_read((struct tws_span){list, 69}, &p), TWS_E_PROTOCOL);
}
END_TEST

START_TEST(nothing_is_written_that_would_not_be_read)
{
    struct tws_hs_params p;
    uint8_t out[256];
    struct tws_writer w = tws_writer(out, sizeof out);

    tws_hs_params_init(&p);
    p.given = TWS_HS_GIVEN_ALL;
    p.max_message = 65536;
    tws_hs_params_write(&w, &p);
    ck_assert(w.failed);
    tws_hs_params_init(&p);
    p.given = TWS_HS_GIVEN(TWS_HS_CLIENT_NAME);
    memcpy(p.client_name, "a\nb", 4);
    w = tws_writer(out, sizeof out);
    tws_hs_params_write(&w, &p);
    ck_assert(w.failed);
    p.client_name[0] = '\0'; /* not given after all */
    w = tws_writer(out, sizeof out);
    tws_hs_params_write(&w, &p);
    ck_assert(!w.failed);
    ck_assert_uint_eq(w.len, 0);
    tws_hs_params_init(&p);
    p.given = TWS_HS_GIVEN_ALL;
    w = tws_writer(out, 10);
    tws_hs_params_write(&w, &p);
    ck_assert(w.failed);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("handshake_params");
    tcase_add_test(tc, an_empty_list_is_all_defaults);
    tcase_add_test(tc, every_parameter_is_read_and_written_back_the_same);
    tcase_add_test(tc, a_list_cut_inside_a_parameter_is_refused);
    tcase_add_loop_test(tc, what_breaks_a_rule_is_refused, 0, COUNT_OF(bad));
    tcase_add_test(tc, unknown_parameters_are_skipped);
    tcase_add_test(tc, a_name_may_have_64_bytes_and_no_more);
    tcase_add_test(tc, nothing_is_written_that_would_not_be_read);
    return run_suite("proto/handshake_params", tc);
}

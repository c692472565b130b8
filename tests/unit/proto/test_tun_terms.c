/* test_tun_terms.c - what a client is told of its end of an IP link. */
#include "suite.h"

#include "tws/base/text.h"
#include "tws/proto/tun_terms.h"

#define V4                                                                                         \
    "01000005"                                                                                     \
    "0a090002"                                                                                     \
    "18"
#define V6                                                                                         \
    "02000011"                                                                                     \
    "fd090000000000000000000000000002"                                                             \
    "40"
#define MTU                                                                                        \
    "03000002"                                                                                     \
    "05dc"

static tws_err read_hex(const char *hex, struct tws_tun_terms *out)
{
    uint8_t bytes[128];
    size_t n = strlen(hex) / 2;

    ck_assert_int_eq(tws_hex_decode(hex, bytes, n), TWS_OK);
    return tws_tun_terms_read((struct tws_span){bytes, n}, out);
}

static const char *const good[] = {V4, V6, V4 V6, V4 MTU, V4 V6 MTU};

START_TEST(terms_are_read_and_written_back)
{
    uint8_t again[TWS_TUN_TERMS_MAX];
    struct tws_writer w = tws_writer(again, sizeof again);
    char hex[2 * TWS_TUN_TERMS_MAX + 1];
    struct tws_tun_terms t;

    ck_assert_int_eq(read_hex(good[_i], &t), TWS_OK);
    tws_tun_terms_write(&w, &t);
    ck_assert(!w.failed);
    ck_assert_int_eq(tws_hex_encode(again, w.len, hex, sizeof hex), TWS_OK);
    ck_assert_str_eq(hex, good[_i]);
}
END_TEST

START_TEST(every_value_has_its_place)
{
    struct tws_tun_terms t;
    char ip[TWS_IP_TEXT];

    ck_assert_int_eq(read_hex(MTU V6 "7f000003616263" V4, &t), TWS_OK); /* unknown ones between */
    tws_ip_format(&t.address[TWS_TUN_V4].ip, ip, sizeof ip);
    ck_assert_str_eq(ip, "10.9.0.2");
    ck_assert_uint_eq(t.address[TWS_TUN_V4].bits, 24);
    tws_ip_format(&t.address[TWS_TUN_V6].ip, ip, sizeof ip);
    ck_assert_str_eq(ip, "fd09::2");
    ck_assert_uint_eq(t.address[TWS_TUN_V6].bits, 64);
    ck_assert_uint_eq(t.mtu, 1500);
    ck_assert_int_eq(read_hex(V4, &t), TWS_OK);
    ck_assert_uint_eq(t.mtu, 0);
    ck_assert_uint_eq(t.address[TWS_TUN_V6].ip.family, 0);
}
END_TEST

static const char *const bad[] = {
    "",
    MTU, /* no address */
    "01000005"
    "0a090002", /* cut short */
    "01000006"
    "0a090002"
    "1800", /* too long */
    "01000005"
    "0a090002"
    "00", /* the whole world */
    "01000005"
    "0a090002"
    "21", /* longer than an address */
    "01000005"
    "00000000"
    "18", /* nobody's */
    "01000005"
    "e0000001"
    "18", /* a group's */
    "01000005"
    "7f000001"
    "08", /* everybody's own */
    V4 V4,
    V4 "03000002"
       "0100", /* too small a MTU */
    V4 "03000001"
       "05",
    V4 "7f800000", /* an unknown one that matters */
};

START_TEST(what_is_no_terms_is_refused)
{
    struct tws_tun_terms t;

    ck_assert_int_eq(read_hex(bad[_i], &t), TWS_E_PROTOCOL);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("tun_terms");

    tcase_add_loop_test(tc, terms_are_read_and_written_back, 0, COUNT_OF(good));
    tcase_add_test(tc, every_value_has_its_place);
    tcase_add_loop_test(tc, what_is_no_terms_is_refused, 0, COUNT_OF(bad));
    return run_suite("tun_terms", tc);
}

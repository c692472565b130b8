/* test_target.c - targets and OPEN payloads: what is written is read, what is not is refused. */
#include "suite.h"

#include "tws/base/text.h"
#include "tws/proto/frame.h"
#include "tws/proto/target.h"

static const struct {
    const char *hex, *text;
    uint8_t type;
} targets[] = {
    {"017f0000010050", "127.0.0.1:80", TWS_TARGET_IPV4},
    {"04000000000000000000000000000000010050", "[::1]:80", TWS_TARGET_IPV6},
    {"030b6578616d706c652e636f6d01bb", "example.com:443", TWS_TARGET_NAME},
    {"05022f780000", "unix:/x", TWS_TARGET_UNIX},
    {"03016100ff", "a:255", TWS_TARGET_NAME},
};

START_TEST(a_target_is_read_shown_and_written_back)
{
    uint8_t bytes[64], again[TWS_TARGET_MAX];
    size_t n = strlen(targets[_i].hex) / 2;
    char text[TWS_HOSTPORT_TEXT];
    struct tws_target t;

    ck_assert_int_eq(tws_hex_decode(targets[_i].hex, bytes, n), TWS_OK);
    struct tws_reader r = tws_reader((struct tws_span){bytes, n});
    ck_assert_int_eq(tws_target_read(&r, &t), TWS_OK);
    ck_assert_uint_eq(r.left, 0);
    ck_assert_uint_eq(t.type, targets[_i].type);
    tws_target_format(&t, text, sizeof text);
    ck_assert_str_eq(text, targets[_i].text);
    struct tws_writer w = tws_writer(again, sizeof again);
    tws_target_write(&w, &t);
    ck_assert(!w.failed);
    ck_assert_uint_eq(w.len, n);
    ck_assert_mem_eq(again, bytes, n);
    for (size_t cut = 0; cut < n; cut++) {
        r = tws_reader((struct tws_span){bytes, cut});
        ck_assert_int_eq(tws_target_read(&r, &t), TWS_SHORT);
    }
}
END_TEST

static const char *const bad_targets[] = {
    "00",
    "02",
    "067f0000010050",
    "ff",
    "03000050", /* an empty name */
    "05000000",
    "030361006200500000", /* NUL inside */
    "03020a610050",
    "0302617f0050",
    "0502000a",
    "05022f780001", /* a path with a port */
};

START_TEST(what_is_not_a_target_is_refused)
{
    uint8_t bytes[64];
    size_t n = strlen(bad_targets[_i]) / 2;
    struct tws_target t;

    ck_assert_int_eq(tws_hex_decode(bad_targets[_i], bytes, n), TWS_OK);
    struct tws_reader r = tws_reader((struct tws_span){bytes, n});
    ck_assert_msg(tws_target_read(&r, &t) == TWS_E_PROTOCOL, "%s", bad_targets[_i]);
}
END_TEST

START_TEST(a_host_and_port_becomes_an_address_or_a_name)
{
    struct tws_hostport hp = {"10.0.0.1", 8};
    struct tws_target t;

    tws_target_from_hostport(&hp, &t);
    ck_assert_uint_eq(t.type, TWS_TARGET_IPV4);
    ck_assert_uint_eq(t.port, 8);
    hp = (struct tws_hostport){"fe80::1", 9};
    tws_target_from_hostport(&hp, &t);
    ck_assert_uint_eq(t.type, TWS_TARGET_IPV6);
    hp = (struct tws_hostport){"10.0.0.1.example", 10};
    tws_target_from_hostport(&hp, &t);
    ck_assert_uint_eq(t.type, TWS_TARGET_NAME);
    ck_assert_str_eq(t.name, hp.host);
}
END_TEST

START_TEST(the_longest_name_fits_in_the_announced_size)
{
    struct tws_open o = {.kind = TWS_KIND_TCP};
    uint8_t out[TWS_OPEN_MAX];
    struct tws_writer w = tws_writer(out, sizeof out);
    struct tws_open back;

    o.target = (struct tws_target){.type = TWS_TARGET_NAME, .port = 1};
    memset(o.target.name, 'n', TWS_HOST_MAX);
    o.source = o.original = o.target;
    o.accepts = TWS_KIND_TCP;
    o.listener = UINT32_MAX;
    o.speaks = TWS_SPEAKS_PROXY;
    o.wanted4 = (struct tws_ip){.family = 4, .bytes = {10, 9, 0, 2}};
    o.wanted6 = (struct tws_ip){.family = 6, .bytes = {0xfd, 9, [15] = 2}};
    tws_open_write(&w, &o);
    ck_assert(!w.failed);
    ck_assert_uint_eq(w.len, TWS_OPEN_MAX);
    ck_assert_int_eq(tws_open_read((struct tws_span){out, w.len}, &back), TWS_OK);
    ck_assert_uint_eq(back.kind, o.kind);
    ck_assert_str_eq(back.target.name, o.target.name);
    ck_assert_str_eq(back.source.name, o.source.name);
    ck_assert_str_eq(back.original.name, o.original.name);
    ck_assert_uint_eq(back.accepts, o.accepts);
    ck_assert_uint_eq(back.listener, o.listener);
    ck_assert_uint_eq(back.speaks, o.speaks);
    ck_assert(tws_ip_equal(&back.wanted4, &o.wanted4));
    ck_assert(tws_ip_equal(&back.wanted6, &o.wanted6));
}
END_TEST

START_TEST(what_no_reader_would_take_is_not_written)
{
    uint8_t out[TWS_TARGET_MAX];
    struct tws_target t = {.type = TWS_TARGET_NAME, .port = 1};
    struct tws_writer w = tws_writer(out, sizeof out);

    tws_target_write(&w, &t);
    ck_assert(w.failed);
    w = tws_writer(out, sizeof out);
    t.type = 2;
    tws_target_write(&w, &t);
    ck_assert(w.failed);
    w = tws_writer(out, sizeof out);
    t = (struct tws_target){.type = TWS_TARGET_NAME, .name = "a\nb"};
    tws_target_write(&w, &t);
    ck_assert(w.failed);
}
END_TEST

#define TARGET "017f0000010050"

static const struct {
    const char *hex;
    bool source, original;
    uint8_t accepts;
    uint32_t listener;
} opens[] = {
    {"01" TARGET, false, false, 0, 0},
    {"02" TARGET, false, false, 0, 0},
    {"04" TARGET "01000007" TARGET, true, false, 0, 0},
    {"01" TARGET "01000007" TARGET "02000007" TARGET, true, true, 0, 0},
    {"01" TARGET "02800007" TARGET "63000000", false, true, 0, 0},
    {"05" TARGET "0300000101", false, false, 1, 0},
    {"05" TARGET "05000001030300000101", false, false, 1, 0},
    {"01" TARGET "01000007" TARGET "0400000400000103", true, false, 0, 0x103},
};

START_TEST(an_open_is_read_with_its_parameters)
{
    uint8_t bytes[64];
    size_t n = strlen(opens[_i].hex) / 2;
    struct tws_open o;

    ck_assert_int_eq(tws_hex_decode(opens[_i].hex, bytes, n), TWS_OK);
    ck_assert_int_eq(tws_open_read((struct tws_span){bytes, n}, &o), TWS_OK);
    ck_assert_uint_eq(o.kind, bytes[0]);
    ck_assert_uint_eq(o.target.port, 80);
    ck_assert_int_eq(o.source.type != 0, opens[_i].source);
    ck_assert_int_eq(o.original.type != 0, opens[_i].original);
    ck_assert_uint_eq(o.accepts, opens[_i].accepts);
    ck_assert_uint_eq(o.listener, opens[_i].listener);
}
END_TEST

static const char *const bad_opens[] = {
    "",
    "01",
    "00" TARGET,
    "06" TARGET,
    "05" TARGET "03000000", /* accepts nothing */
    "05" TARGET "0300000100",
    "05" TARGET "0300000105", /* a listener that accepts listeners */
    "05" TARGET "030000020101",
    "05" TARGET "0500000100",
    "05" TARGET "0500000104", /* no such protocol */
    "05" TARGET "05000000",
    "01" TARGET "0400000400000000", /* no channel has the id 0 */
    "01" TARGET "04000003000001",
    "01" TARGET "040000050000000100",
    "01017f00000100",
    "01" TARGET "00", /* goes on without a parameter */
    "01" TARGET "01000006"
    "017f00000100",                                  /* the source is cut short */
    "01" TARGET "01000008" TARGET "00",              /* or goes on */
    "01" TARGET "01000007" TARGET "01000007" TARGET, /* twice */
    "01" TARGET "63800000",                          /* unknown and critical */
    "01" TARGET "63010000",                          /* a reserved flag */
    "01" TARGET "0200000400000000",
    "04" TARGET "060000030a0900", /* no address */
    "04" TARGET "060000050a09000200",
    "04" TARGET "070000040a090002",
};

START_TEST(what_is_not_an_open_is_refused)
{
    uint8_t bytes[64];
    size_t n = strlen(bad_opens[_i]) / 2;
    struct tws_open o;

    ck_assert_int_eq(tws_hex_decode(bad_opens[_i], bytes, n), TWS_OK);
    ck_assert_msg(tws_open_read((struct tws_span){bytes, n}, &o) == TWS_E_PROTOCOL, "%s",
                  bad_opens[_i]);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("target");
    tcase_add_loop_test(tc, a_target_is_read_shown_and_written_back, 0, COUNT_OF(targets));
    tcase_add_loop_test(tc, what_is_not_a_target_is_refused, 0, COUNT_OF(bad_targets));
    tcase_add_test(tc, a_host_and_port_becomes_an_address_or_a_name);
    tcase_add_test(tc, the_longest_name_fits_in_the_announced_size);
    tcase_add_test(tc, what_no_reader_would_take_is_not_written);
    tcase_add_loop_test(tc, an_open_is_read_with_its_parameters, 0, COUNT_OF(opens));
    tcase_add_loop_test(tc, what_is_not_an_open_is_refused, 0, COUNT_OF(bad_opens));
    return run_suite("proto/target", tc);
}

/* test_text.c - strict reading, bounded writing, the nearest word. */
#include "suite.h"

#include "tws/base/text.h"

#include <string.h>

enum reader { NUMBER, DURATION, SIZE };

static tws_err read_as(enum reader how, const char *text, uint64_t max, uint64_t *out)
{
    switch (how) {
    case NUMBER:
        return tws_text_u64(text, max, out);
    case DURATION:
        return tws_text_duration_ms(text, max, out);
    case SIZE:
        return tws_text_size(text, max, out);
    }
    return TWS_BUG;
}

static const struct {
    enum reader how;
    const char *text;
    uint64_t max;
    tws_err err;
    uint64_t value;
} reads[] = {
    {NUMBER, "0", 0, TWS_OK, 0},
    {NUMBER, "65535", 65535, TWS_OK, 65535},
    {NUMBER, "65536", 65535, TWS_FULL, 0},
    {NUMBER, "18446744073709551615", UINT64_MAX, TWS_OK, UINT64_MAX},
    {NUMBER, "18446744073709551616", UINT64_MAX, TWS_FULL, 0},
    {NUMBER, "99999999999999999999999999", UINT64_MAX, TWS_FULL, 0},
    {NUMBER, "", 9, TWS_ABSENT, 0},
    {NUMBER, "-1", 9, TWS_ABSENT, 0},
    {NUMBER, "+1", 9, TWS_ABSENT, 0},
    {NUMBER, " 1", 9, TWS_ABSENT, 0},
    {NUMBER, "1 ", 9, TWS_ABSENT, 0},
    {NUMBER, "01", 9, TWS_ABSENT, 0},
    {NUMBER, "0x1", 9, TWS_ABSENT, 0},
    {NUMBER, "1s", 9, TWS_ABSENT, 0},
    {DURATION, "5000", UINT64_MAX, TWS_OK, 5000},
    {DURATION, "500ms", UINT64_MAX, TWS_OK, 500},
    {DURATION, "5s", 5000, TWS_OK, 5000},
    {DURATION, "5s", 4999, TWS_FULL, 0},
    {DURATION, "2m", UINT64_MAX, TWS_OK, 120000},
    {DURATION, "1h", UINT64_MAX, TWS_OK, 3600000},
    {DURATION, "5 s", UINT64_MAX, TWS_ABSENT, 0},
    {DURATION, "5S", UINT64_MAX, TWS_ABSENT, 0},
    {DURATION, "1.5s", UINT64_MAX, TWS_ABSENT, 0},
    {DURATION, "s", UINT64_MAX, TWS_ABSENT, 0},
    {DURATION, "5d", UINT64_MAX, TWS_ABSENT, 0},
    {DURATION, "18446744073709551615h", UINT64_MAX, TWS_FULL, 0},
    {DURATION, "99999999999999999999x", UINT64_MAX, TWS_ABSENT, 0},
    {SIZE, "65536", UINT64_MAX, TWS_OK, 65536},
    {SIZE, "1k", UINT64_MAX, TWS_OK, 1024},
    {SIZE, "64KiB", UINT64_MAX, TWS_OK, 65536},
    {SIZE, "64MiB", UINT64_MAX, TWS_OK, 64 << 20},
    {SIZE, "3MB", UINT64_MAX, TWS_OK, 3 << 20},
    {SIZE, "2G", UINT64_MAX, TWS_OK, UINT64_C(2) << 30},
    {SIZE, "2GiB", (UINT64_C(2) << 30) - 1, TWS_FULL, 0},
    {SIZE, "64 MiB", UINT64_MAX, TWS_ABSENT, 0},
    {SIZE, "64T", UINT64_MAX, TWS_ABSENT, 0},
    {SIZE, "MiB", UINT64_MAX, TWS_ABSENT, 0},
    {SIZE, "17179869184g", UINT64_MAX, TWS_FULL, 0},
    {SIZE, "000000000000000000000000000000000001", UINT64_MAX, TWS_ABSENT, 0},
};

START_TEST(a_number_is_read_whole_or_not_at_all)
{
    uint64_t v = 12345;
    tws_err err = read_as(reads[_i].how, reads[_i].text, reads[_i].max, &v);

    ck_assert_msg(err == reads[_i].err, "%s: %s", reads[_i].text, tws_err_text(err));
    ck_assert_msg(v == (err == TWS_OK ? reads[_i].value : 12345), "%s", reads[_i].text);
}
END_TEST

START_TEST(formatting_fits_or_fails)
{
    char out[6];

    ck_assert_int_eq(tws_text_format(out, sizeof out, "%d", 12345), TWS_OK);
    ck_assert_str_eq(out, "12345");
    ck_assert_int_eq(tws_text_format(out, sizeof out, "%d", 123456), TWS_FULL);
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(tws_text_format(NULL, 0, "%d", 1), TWS_FULL);
}
END_TEST

START_TEST(hex_goes_there_and_back)
{
    uint8_t all[256], back[256];
    char text[513];

    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    ck_assert_int_eq(tws_hex_encode(all, 256, text, sizeof text), TWS_OK);
    ck_assert_int_eq(strlen(text), 512);
    ck_assert_int_eq(strncmp(text + 2 * 0x9a, "9a9b", 4), 0);
    ck_assert_int_eq(tws_hex_decode(text, back, 256), TWS_OK);
    ck_assert_mem_eq(all, back, 256);
    ck_assert_int_eq(tws_hex_encode(all, 256, text, 512), TWS_FULL);
    ck_assert_int_eq(tws_hex_encode(all, 0, text, 0), TWS_FULL);
    ck_assert_int_eq(tws_hex_decode("AbCd", back, 2), TWS_OK);
    ck_assert_uint_eq(back[0] << 8 | back[1], 0xabcd);
}
END_TEST

static const char *const bad_hex[] = {"", "ab", "abc", "abcde", "abcdef", "abcg", "ab c", " bcd"};

START_TEST(hex_of_another_length_or_alphabet_is_refused)
{
    uint8_t out[2];
    ck_assert_int_eq(tws_hex_decode(bad_hex[_i], out, 2), TWS_ABSENT);
}
END_TEST

static const struct {
    const char *text, *out;
    tws_err err;
} percents[] = {
    {"", "", TWS_OK},           {"a%20b%2F", "a b/", TWS_OK}, {"%ff%FF", "\xff\xff", TWS_OK},
    {"12345", "12345", TWS_OK}, {"123456", NULL, TWS_FULL},   {"%", NULL, TWS_ABSENT},
    {"%4", NULL, TWS_ABSENT},   {"%4g", NULL, TWS_ABSENT},    {"%00", NULL, TWS_ABSENT},
};

START_TEST(percent_encoding_is_undone_or_refused)
{
    char out[6];

    ck_assert_int_eq(
        tws_percent_decode(percents[_i].text, strlen(percents[_i].text), out, sizeof out),
        percents[_i].err);
    if (percents[_i].out != NULL)
        ck_assert_str_eq(out, percents[_i].out);
}
END_TEST

START_TEST(no_text_equals_only_no_text)
{
    ck_assert(tws_text_equal(NULL, NULL) && tws_text_equal("a", "a"));
    ck_assert(!tws_text_equal(NULL, "") && !tws_text_equal("", NULL) && !tws_text_equal("a", "b"));
}
END_TEST

static const struct {
    const char *bytes, *text;
} base64s[] = {
    {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
    {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"},
};

START_TEST(base64url_has_one_text_for_each_value)
{
    size_t n = strlen(base64s[_i].bytes);
    char text[16];
    uint8_t back[8];

    ck_assert_uint_eq(TWS_BASE64URL_TEXT(n), strlen(base64s[_i].text) + 1);
    ck_assert_int_eq(tws_base64url_encode(base64s[_i].bytes, n, text, TWS_BASE64URL_TEXT(n)),
                     TWS_OK);
    ck_assert_str_eq(text, base64s[_i].text);
    ck_assert_int_eq(tws_base64url_encode(base64s[_i].bytes, n, text, TWS_BASE64URL_TEXT(n) - 1),
                     TWS_FULL);
    ck_assert_int_eq(tws_base64url_decode(base64s[_i].text, back, n), TWS_OK);
    ck_assert_mem_eq(back, base64s[_i].bytes, n);
}
END_TEST

static const char *const bad_base64s[] = {
    "", "Zm", "Zm8=", "Zm9", "Zm+", "Zm/", "Z m", "Zm9v",
};

START_TEST(base64url_with_padding_stray_bits_or_another_length_is_refused)
{
    uint8_t out[2];
    ck_assert_msg(tws_base64url_decode(bad_base64s[_i], out, 2) == TWS_ABSENT, "%s",
                  bad_base64s[_i]);
}
END_TEST

static const char *const words[] = {"listen",  "remote",        "server", "connections",
                                    "timeout", "retry_timeout", "passwd", "c"};

static const struct {
    const char *typed, *meant;
} typos[] = {
    {"lisen", "listen"},
    {"lsiten", "listen"}, /* two neighbours swapped count as one */
    {"remot", "remote"},
    {"time_out", "timeout"},
    {"retry-timeout", "retry_timeout"},
    {"conections", "connections"},
    {"passwrod", "passwd"},
    {"listen", "listen"},
    {"d", "c"},
    {"key_file", NULL},
    {"lxyten", "listen"},
    {"lxyzen", NULL},
    {"", NULL},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
};

START_TEST(the_nearest_word_is_near)
{
    const char *got = tws_text_nearest(typos[_i].typed, words, (size_t)COUNT_OF(words));

    if (typos[_i].meant == NULL)
        ck_assert_msg(got == NULL, "%s: %s", typos[_i].typed, got);
    else
        ck_assert_msg(got != NULL && strcmp(got, typos[_i].meant) == 0, "%s", typos[_i].typed);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("text");
    tcase_add_loop_test(tc, a_number_is_read_whole_or_not_at_all, 0, COUNT_OF(reads));
    tcase_add_test(tc, formatting_fits_or_fails);
    tcase_add_test(tc, hex_goes_there_and_back);
    tcase_add_loop_test(tc, hex_of_another_length_or_alphabet_is_refused, 0, COUNT_OF(bad_hex));
    tcase_add_loop_test(tc, percent_encoding_is_undone_or_refused, 0, COUNT_OF(percents));
    tcase_add_test(tc, no_text_equals_only_no_text);
    tcase_add_loop_test(tc, base64url_has_one_text_for_each_value, 0, COUNT_OF(base64s));
    tcase_add_loop_test(tc, base64url_with_padding_stray_bits_or_another_length_is_refused, 0,
                        COUNT_OF(bad_base64s));
    tcase_add_loop_test(tc, the_nearest_word_is_near, 0, COUNT_OF(typos));
    return run_suite("base/text", tc);
}

/* test_aead.c - sealed records: known answers, order, and every way to be forged. */
#include "suite.h"
#include "vectors.h"

#include "tws/crypto/aead.h"

#include <openssl/err.h>

static const struct {
    uint8_t suite;
    const char *section;
} cases[] = {
    {TWS_SUITE_AES_256_GCM, "suite 1 new"},
    {TWS_SUITE_AES_256_GCM, "suite 1 join"},
    {TWS_SUITE_CHACHA20_POLY1305, "suite 2 new"},
    {TWS_SUITE_CHACHA20_POLY1305, "suite 2 join"},
};

static const uint8_t zero_key[TWS_AEAD_KEY];

static void start(struct tws_aead *a, uint8_t suite, const uint8_t *key, enum tws_aead_use use)
{
    ck_assert_int_eq(tws_aead_init(a, suite, key, use), TWS_OK);
}

/* Opens the known record and seals what was in it again, both with the counter at `counter`. */
static void there_and_back(int i, const char *key_name, const char *record_name, uint64_t counter,
                           size_t n)
{
    struct vector key = vector_of(cases[i].section, key_name, TWS_AEAD_KEY);
    struct vector record = vector_of(cases[i].section, record_name, n + TWS_AEAD_TAG);
    struct tws_aead opener, sealer;
    uint8_t plain[256], again[256];
    size_t len = 0;

    start(&opener, cases[i].suite, key.bytes, TWS_AEAD_OPEN);
    start(&sealer, cases[i].suite, key.bytes, TWS_AEAD_SEAL);
    opener.counter = sealer.counter = counter;
    ck_assert_int_eq(tws_aead_open(&opener, (struct tws_span){record.bytes, record.n}, plain, &len),
                     TWS_OK);
    ck_assert_uint_eq(len, n);
    ck_assert_int_eq(tws_aead_seal(&sealer, (struct tws_span){plain, len}, again), TWS_OK);
    ck_assert_mem_eq(again, record.bytes, record.n);
    ck_assert_uint_eq(opener.counter, counter + 1);
    tws_aead_fini(&opener);
    tws_aead_fini(&sealer);
}

START_TEST(records_are_the_known_ones)
{
    there_and_back(_i, "k_c2s", "c2s_record_0", 0, 11);
    there_and_back(_i, "k_c2s", "c2s_record_1", 1, 0);
    there_and_back(_i, "k_s2c", "s2c_record_258", 258, 64);
}
END_TEST

START_TEST(aes_gives_the_published_record)
{
    /* The GCM specification's test case 14: key, nonce and text of zeros. */
    static const uint8_t zero[16];
    uint8_t want[32], got[32];
    struct tws_aead a;

    ck_assert_int_eq(tws_hex_decode("cea7403d4d606b6e074ec5d3baf39d18"
                                    "d0d1c8a799996bf0265b98b5d48ab919",
                                    want, 32),
                     TWS_OK);
    start(&a, TWS_SUITE_AES_256_GCM, zero_key, TWS_AEAD_SEAL);
    ck_assert_int_eq(tws_aead_seal(&a, (struct tws_span){zero, 16}, got), TWS_OK);
    ck_assert_mem_eq(got, want, 32);
    tws_aead_fini(&a);
}
END_TEST

#define MESSAGES 300

START_TEST(many_records_open_in_order_in_place_or_not)
{
    static uint8_t text[32768], wire[32768 + TWS_AEAD_TAG], back[32768];
    struct tws_aead s, o;
    size_t n = 0;

    start(&s, cases[_i].suite, zero_key, TWS_AEAD_SEAL);
    start(&o, cases[_i].suite, zero_key, TWS_AEAD_OPEN);
    for (int i = 0; i < MESSAGES; i++) {
        size_t len = (size_t)i * 109 % sizeof text;
        memset(text, i, len);
        if (i % 2 == 0) {
            ck_assert_int_eq(tws_aead_seal(&s, (struct tws_span){text, len}, wire), TWS_OK);
            ck_assert_int_eq(
                tws_aead_open(&o, (struct tws_span){wire, len + TWS_AEAD_TAG}, back, &n), TWS_OK);
            ck_assert_mem_eq(back, text, len);
        } else {
            memcpy(wire, text, len);
            ck_assert_int_eq(tws_aead_seal(&s, (struct tws_span){wire, len}, wire), TWS_OK);
            ck_assert_int_eq(
                tws_aead_open(&o, (struct tws_span){wire, len + TWS_AEAD_TAG}, wire, &n), TWS_OK);
            ck_assert_mem_eq(wire, text, len);
        }
        ck_assert_uint_eq(n, len);
    }
    ck_assert_uint_eq(s.counter, MESSAGES);
    ck_assert_uint_eq(o.counter, MESSAGES);
    tws_aead_fini(&s);
    tws_aead_fini(&o);
}
END_TEST

/* A record of 11 bytes under the zero key, as the first of its direction. */
static void seal_one(uint8_t suite, uint8_t wire[27])
{
    struct tws_aead s;

    start(&s, suite, zero_key, TWS_AEAD_SEAL);
    ck_assert_int_eq(tws_aead_seal(&s, (struct tws_span){(const uint8_t *)"hello world", 11}, wire),
                     TWS_OK);
    tws_aead_fini(&s);
}

START_TEST(every_flipped_bit_and_every_cut_is_found_and_gives_nothing_away)
{
    static const uint8_t zero[27];
    uint8_t wire[27], out[27];
    struct tws_aead o;
    size_t n = 99;

    seal_one(cases[_i].suite, wire);
    start(&o, cases[_i].suite, zero_key, TWS_AEAD_OPEN);
    for (unsigned bit = 0; bit < 8 * sizeof wire; bit++) {
        memset(out, 0, sizeof out);
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(tws_aead_open(&o, (struct tws_span){wire, sizeof wire}, out, &n),
                         TWS_E_AUTH);
        ck_assert_mem_eq(out, zero, sizeof out);
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < sizeof wire; cut++)
        ck_assert_int_eq(tws_aead_open(&o, (struct tws_span){wire, cut}, out, &n), TWS_E_AUTH);
    ck_assert_uint_eq(n, 99);
    ck_assert_uint_eq(o.counter, 0);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert_int_eq(tws_aead_open(&o, (struct tws_span){wire, sizeof wire}, out, &n), TWS_OK);
    tws_aead_fini(&o);
}
END_TEST

START_TEST(a_record_opens_once_and_only_at_its_place)
{
    uint8_t wire[27], out[27];
    struct tws_aead o;
    size_t n;

    seal_one(cases[_i].suite, wire);
    start(&o, cases[_i].suite, zero_key, TWS_AEAD_OPEN);
    o.counter = 1;
    ck_assert_int_eq(tws_aead_open(&o, (struct tws_span){wire, 27}, out, &n), TWS_E_AUTH);
    o.counter = UINT64_C(1) << 32;
    ck_assert_int_eq(tws_aead_open(&o, (struct tws_span){wire, 27}, out, &n), TWS_E_AUTH);
    o.counter = 0;
    ck_assert_int_eq(tws_aead_open(&o, (struct tws_span){wire, 27}, out, &n), TWS_OK);
    ck_assert_int_eq(tws_aead_open(&o, (struct tws_span){wire, 27}, out, &n), TWS_E_AUTH);
    tws_aead_fini(&o);
}
END_TEST

START_TEST(the_suites_do_not_understand_each_other)
{
    uint8_t wire[27], out[27];
    struct tws_aead o;
    size_t n;

    seal_one(TWS_SUITE_AES_256_GCM, wire);
    start(&o, TWS_SUITE_CHACHA20_POLY1305, zero_key, TWS_AEAD_OPEN);
    ck_assert_int_eq(tws_aead_open(&o, (struct tws_span){wire, 27}, out, &n), TWS_E_AUTH);
    tws_aead_fini(&o);
}
END_TEST

START_TEST(a_counter_that_is_used_up_seals_nothing)
{
    struct tws_aead s;
    uint8_t out[17];

    start(&s, TWS_SUITE_AES_256_GCM, zero_key, TWS_AEAD_SEAL);
    s.counter = UINT64_MAX;
    ck_assert_int_eq(tws_aead_seal(&s, (struct tws_span){zero_key, 1}, out), TWS_BUG);
    tws_aead_fini(&s);
}
END_TEST

START_TEST(an_unknown_suite_is_refused)
{
    struct tws_aead a;

    ck_assert_int_eq(tws_aead_init(&a, 0, zero_key, TWS_AEAD_SEAL), TWS_E_PROTOCOL);
    ck_assert_int_eq(tws_aead_init(&a, 3, zero_key, TWS_AEAD_SEAL), TWS_E_PROTOCOL);
    ck_assert_ptr_null(a.cipher);
    tws_aead_fini(&a);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("aead");
    tcase_add_loop_test(tc, records_are_the_known_ones, 0, COUNT_OF(cases));
    tcase_add_test(tc, aes_gives_the_published_record);
    tcase_add_loop_test(tc, many_records_open_in_order_in_place_or_not, 0, COUNT_OF(cases));
    tcase_add_loop_test(tc, every_flipped_bit_and_every_cut_is_found_and_gives_nothing_away, 0,
                        COUNT_OF(cases));
    tcase_add_loop_test(tc, a_record_opens_once_and_only_at_its_place, 0, COUNT_OF(cases));
    tcase_add_test(tc, the_suites_do_not_understand_each_other);
    tcase_add_test(tc, a_counter_that_is_used_up_seals_nothing);
    tcase_add_test(tc, an_unknown_suite_is_refused);
    return run_suite("crypto/aead", tc);
}

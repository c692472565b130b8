/* test_passphrase.c - a passphrase becomes the known key; random bytes are random. */
#include "suite.h"
#include "vectors.h"

#include "tws/crypto/passphrase.h"
#include "tws/crypto/random.h"

static struct tws_span text(const char *s)
{
    return (struct tws_span){(const uint8_t *)s, strlen(s)};
}

START_TEST(a_passphrase_becomes_the_known_key)
{
    static const uint8_t no_id[TWS_KEY_ID_LEN];
    struct vector passphrase = vector("passphrase", "passphrase");
    struct vector salt = vector_of("passphrase", "salt", 24);
    struct vector want = vector_of("passphrase", "psk", TWS_PSK_LEN);
    uint8_t psk[TWS_PSK_LEN];

    ck_assert_mem_eq(salt.bytes, "tws/2 passphrase\0\0\0\0\0\0\0\0", salt.n);
    ck_assert_uint_eq(vector_number("passphrase", "scrypt_N"), 32768);
    ck_assert_uint_eq(vector_number("passphrase", "scrypt_r"), 8);
    ck_assert_uint_eq(vector_number("passphrase", "scrypt_p"), 1);
    ck_assert_int_eq(
        tws_passphrase_to_psk((struct tws_span){passphrase.bytes, passphrase.n}, no_id, psk),
        TWS_OK);
    ck_assert_mem_eq(psk, want.bytes, sizeof psk);
}
END_TEST

START_TEST(another_key_id_or_passphrase_makes_another_key)
{
    static const uint8_t id_a[TWS_KEY_ID_LEN], id_b[TWS_KEY_ID_LEN] = {[7] = 1};
    uint8_t a[TWS_PSK_LEN], b[TWS_PSK_LEN], c[TWS_PSK_LEN];

    ck_assert_int_eq(tws_passphrase_to_psk(text("x"), id_a, a), TWS_OK);
    ck_assert_int_eq(tws_passphrase_to_psk(text("x"), id_b, b), TWS_OK);
    ck_assert_int_eq(tws_passphrase_to_psk(text("y"), id_a, c), TWS_OK);
    ck_assert_mem_ne(a, b, sizeof a);
    ck_assert_mem_ne(a, c, sizeof a);
}
END_TEST

static const struct {
    const char *passphrase;
    bool weak;
} phrases[] = {
    {"", true},
    {"secret", true},
    {"Tr0ub4dor&3xyz!", true},
    {"aaaaaaaaaaaaaaaaaaaaaaaa", true},
    {"abcabcabcabcabcabcabc", true},
    {"correct horse battery staple", false},
    {"my_super_safe_passwd", false},
};

START_TEST(short_or_monotonous_is_weak)
{
    ck_assert_msg(tws_passphrase_is_weak(text(phrases[_i].passphrase)) == phrases[_i].weak, "%s",
                  phrases[_i].passphrase);
}
END_TEST

START_TEST(random_bytes_fill_all_of_the_buffer_differently_each_time)
{
    uint8_t a[64] = {0}, b[64] = {0};

    ck_assert_int_eq(tws_random_bytes(NULL, a, sizeof a), TWS_OK);
    ck_assert_int_eq(tws_random_bytes(NULL, b, sizeof b), TWS_OK);
    for (size_t i = 0; i < sizeof a; i += 16)
        ck_assert_mem_ne(a + i, b + i, 16);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("passphrase");
    tcase_add_test(tc, a_passphrase_becomes_the_known_key);
    tcase_add_test(tc, another_key_id_or_passphrase_makes_another_key);
    tcase_add_loop_test(tc, short_or_monotonous_is_weak, 0, COUNT_OF(phrases));
    tcase_add_test(tc, random_bytes_fill_all_of_the_buffer_differently_each_time);
    return run_suite("crypto/passphrase", tc);
}

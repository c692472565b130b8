/* test_hash.c - SHA-256, HMAC and HKDF against their published answers. */
#include "suite.h"

#include "tws/base/text.h"
#include "tws/crypto/hash.h"
#include "tws/crypto/hkdf.h"

#include <string.h>

static struct tws_span text(const char *s)
{
    return (struct tws_span){(const uint8_t *)s, strlen(s)};
}

static void expect(const uint8_t got[TWS_HASH_LEN], const char *hex)
{
    char out[2 * TWS_HASH_LEN + 1];
    ck_assert_int_eq(tws_hex_encode(got, TWS_HASH_LEN, out, sizeof out), TWS_OK);
    ck_assert_str_eq(out, hex);
}

static const struct {
    const char *message, *digest; /* FIPS 180-4 examples */
} shas[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

START_TEST(sha256_gives_the_published_digests)
{
    struct tws_span part = text(shas[_i].message);
    uint8_t out[TWS_HASH_LEN];

    ck_assert_int_eq(tws_sha256(&part, 1, out), TWS_OK);
    expect(out, shas[_i].digest);
}
END_TEST

START_TEST(parts_are_hashed_as_if_they_lay_together)
{
    const struct tws_span whole = text("abc");
    const struct tws_span parts[] = {text("a"), text(""), {NULL, 0}, text("bc")};
    uint8_t a[TWS_HASH_LEN], b[TWS_HASH_LEN];

    ck_assert_int_eq(tws_sha256(&whole, 1, a), TWS_OK);
    ck_assert_int_eq(tws_sha256(parts, 4, b), TWS_OK);
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_int_eq(tws_hmac(whole, &whole, 1, a), TWS_OK);
    ck_assert_int_eq(tws_hmac(whole, parts, 4, b), TWS_OK);
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

START_TEST(hmac_gives_the_published_codes)
{
    /* RFC 4231, cases 1, 2 and 6 */
    uint8_t key[131], out[TWS_HASH_LEN];
    struct tws_span m = text("Hi There");

    memset(key, 0x0b, 20);
    ck_assert_int_eq(tws_hmac((struct tws_span){key, 20}, &m, 1, out), TWS_OK);
    expect(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    m = text("what do ya want for nothing?");
    ck_assert_int_eq(tws_hmac(text("Jefe"), &m, 1, out), TWS_OK);
    expect(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    m = text("Test Using Larger Than Block-Size Key - Hash Key First");
    ck_assert_int_eq(tws_hmac((struct tws_span){key, sizeof key}, &m, 1, out), TWS_OK);
    expect(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

START_TEST(hmac_takes_an_empty_key_and_an_empty_message)
{
    uint8_t out[TWS_HASH_LEN];
    ck_assert_int_eq(tws_hmac((struct tws_span){NULL, 0}, NULL, 0, out), TWS_OK);
    expect(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}
END_TEST

START_TEST(hkdf_gives_the_published_keys)
{
    /* RFC 5869, A.1; the first block of its output */
    uint8_t ikm[22], salt[13], prk[TWS_HASH_LEN], okm[TWS_HASH_LEN];
    const char info[] = "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9";

    memset(ikm, 0x0b, sizeof ikm);
    for (unsigned i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)i;
    ck_assert_int_eq(tws_hkdf_extract((struct tws_span){salt, sizeof salt},
                                      (struct tws_span){ikm, 9}, (struct tws_span){ikm + 9, 13},
                                      prk),
                     TWS_OK);
    expect(prk, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    ck_assert_int_eq(tws_hkdf_expand(prk, "", text(info), okm), TWS_OK);
    expect(okm, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    ck_assert_int_eq(tws_hkdf_expand(prk, "\xf0\xf1\xf2\xf3", text(info + 4), okm), TWS_OK);
    expect(okm, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("hash");
    tcase_add_loop_test(tc, sha256_gives_the_published_digests, 0, COUNT_OF(shas));
    tcase_add_test(tc, parts_are_hashed_as_if_they_lay_together);
    tcase_add_test(tc, hmac_gives_the_published_codes);
    tcase_add_test(tc, hmac_takes_an_empty_key_and_an_empty_message);
    tcase_add_test(tc, hkdf_gives_the_published_keys);
    return run_suite("crypto/hash", tc);
}

/* test_x25519.c - the published answers, and shares that are traps. */
#include "suite.h"

#include "tws/base/text.h"
#include "tws/crypto/x25519.h"

#include <openssl/err.h>

static const char bob_secret[] = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";

static void bytes(const char *hex, uint8_t out[TWS_X25519_LEN])
{
    ck_assert_int_eq(tws_hex_decode(hex, out, TWS_X25519_LEN), TWS_OK);
}

static const struct {
    const char *secret, *share, *result; /* RFC 7748, 5.2 and 6.1 */
} answers[] = {
    {"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
     "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
    {bob_secret, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
     "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
};

START_TEST(gives_the_published_results)
{
    uint8_t secret[32], share[32], want[32], got[32];

    bytes(answers[_i].secret, secret);
    bytes(answers[_i].share, share);
    bytes(answers[_i].result, want);
    ck_assert_int_eq(tws_x25519(secret, share, got), TWS_OK);
    ck_assert_mem_eq(got, want, sizeof got);
}
END_TEST

START_TEST(a_secret_has_the_published_share)
{
    uint8_t secret[32], want[32], got[32];

    bytes(bob_secret, secret);
    bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", want);
    ck_assert_int_eq(tws_x25519_share(secret, got), TWS_OK);
    ck_assert_mem_eq(got, want, sizeof got);
}
END_TEST

/* Every point of small order, and their forms above the prime (RFC 7748, 6.1). */
static const char *const traps[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
};

START_TEST(a_share_of_small_order_is_refused_without_a_trace)
{
    uint8_t secret[32], share[32], got[32];

    bytes(bob_secret, secret);
    bytes(traps[_i], share);
    ck_assert_int_eq(tws_x25519(secret, share, got), TWS_E_PROTOCOL);
    /* What is left in the queue would be taken for a TLS error by whoever asks next. */
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("x25519");
    tcase_add_loop_test(tc, gives_the_published_results, 0, COUNT_OF(answers));
    tcase_add_test(tc, a_secret_has_the_published_share);
    tcase_add_loop_test(tc, a_share_of_small_order_is_refused_without_a_trace, 0, COUNT_OF(traps));
    return run_suite("crypto/x25519", tc);
}

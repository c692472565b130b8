/* test_handshake_vectors.c - the handshake gives every known answer, byte for byte. */
#include "pair.h"
#include "suite.h"
#include "vectors.h"

#include "tws/crypto/hkdf.h"

static const struct {
    const char *section;
    uint8_t suite;
    bool join;
} cases[] = {
    {"suite 1 new", TWS_SUITE_AES_256_GCM, false},
    {"suite 1 join", TWS_SUITE_AES_256_GCM, true},
    {"suite 2 new", TWS_SUITE_CHACHA20_POLY1305, false},
    {"suite 2 join", TWS_SUITE_CHACHA20_POLY1305, true},
};

#define EXPECT(section, name, got, len)                                                            \
    do {                                                                                           \
        struct vector v_ = vector_of(section, name, len);                                          \
        ck_assert_mem_eq(got, v_.bytes, v_.n);                                                     \
    } while (0)

/* The client as the vectors have it: named, and with the biggest message written out. */
static void configure(struct pair *p, int i)
{
    const char *s = cases[i].section;

    pair_init(p);
    memcpy(p->cfg.psk, vector_of(s, "psk", TWS_PSK_LEN).bytes, TWS_PSK_LEN);
    memcpy(p->cfg.key_id, vector_of(s, "key_id", TWS_KEY_ID_LEN).bytes, TWS_KEY_ID_LEN);
    p->cfg.prefer = cases[i].suite;
    p->cfg.params.given = TWS_HS_GIVEN(TWS_HS_CLIENT_NAME) | TWS_HS_GIVEN(TWS_HS_MAX_MESSAGE);
    memcpy(p->cfg.params.client_name, "laptop", 7);
    if (!cases[i].join)
        return;
    p->cfg.mode = TWS_HS_JOIN;
    struct vector js = vector_of(s, "join_secret_in", TWS_HASH_LEN);
    memcpy(p->cfg.join_secret, js.bytes, js.n);
    memcpy(p->session_secret, js.bytes, js.n);
    memcpy(p->cfg.session_id, vector(s, "welcome").bytes + 8, TWS_HS_SESSION_ID_LEN);
}

static void make_hello(struct pair *p, int i)
{
    const char *s = cases[i].section;
    struct vector challenge = vector_of(s, "challenge", TWS_HS_CHALLENGE_LEN);
    struct script random = {.n = 64};

    configure(p, i);
    memcpy(random.bytes, vector(s, "hello").bytes + 32, 32);
    memcpy(random.bytes + 32, vector_of(s, "client_private", 32).bytes, 32);
    tws_hs_server_init(&p->server, challenge.bytes + 8, challenge.bytes + 16);
    tws_hs_client_init(&p->client, &p->cfg);
    ck_assert_int_eq(tws_hs_client_hello(&p->client,
                                         (struct tws_span){challenge.bytes, challenge.n}, scripted,
                                         &random, &p->hello),
                     TWS_OK);
}

static void judge(struct pair *p)
{
    ck_assert_int_eq(tws_hs_server_read(&p->server, p->hello), TWS_OK);
    ck_assert_int_eq(tws_hs_server_authenticate(&p->server, p->cfg.psk), TWS_OK);
    if (p->cfg.mode == TWS_HS_JOIN)
        ck_assert_int_eq(tws_hs_server_prove(&p->server, p->session_secret), TWS_OK);
}

START_TEST(challenge_and_hello_are_the_known_ones)
{
    struct pair p;

    make_hello(&p, _i);
    EXPECT(cases[_i].section, "challenge", p.server.challenge, TWS_HS_CHALLENGE_LEN);
    EXPECT(cases[_i].section, "hello", p.hello.p, p.hello.n);
}
END_TEST

static void expect_keys(const char *s, const struct tws_hs_result *r)
{
    EXPECT(s, "k_c2s", r->k_c2s, 32);
    EXPECT(s, "k_s2c", r->k_s2c, 32);
    EXPECT(s, "join_secret", r->join_secret, 32);
}

START_TEST(welcome_and_the_keys_of_both_sides_are_the_known_ones)
{
    const char *s = cases[_i].section;
    struct vector welcome = vector(s, "welcome");
    struct script random = {.n = 32};
    struct pair p;

    make_hello(&p, _i);
    judge(&p);
    ck_assert_str_eq(p.server.params.client_name, "laptop");
    memcpy(random.bytes, vector_of(s, "server_private", 32).bytes, 32);
    memcpy(p.accept.session_id, welcome.bytes + 8, TWS_HS_SESSION_ID_LEN);
    p.accept.link_id = tws_get32(welcome.bytes + 24);
    p.accept.params.given = TWS_HS_GIVEN(TWS_HS_GRACE);
    p.accept.params.seal = TWS_HS_SEAL_REQUIRE;
    ck_assert_int_eq(
        tws_hs_server_accept(&p.server, &p.accept, scripted, &random, &p.welcome, &p.at_server),
        TWS_OK);
    EXPECT(s, "welcome", p.welcome.p, p.welcome.n);
    expect_keys(s, &p.at_server);

    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_OK);
    expect_keys(s, &p.at_client);
    ck_assert_uint_eq(p.at_client.status, 0);
    ck_assert_uint_eq(p.at_client.suite, cases[_i].suite);
    ck_assert_uint_eq(p.at_client.link_id, p.accept.link_id);
    ck_assert_mem_eq(p.at_client.session_id, welcome.bytes + 8, TWS_HS_SESSION_ID_LEN);
    ck_assert(p.at_client.sealed);
    ck_assert_uint_eq(p.at_client.peer.grace_ms, 120000);
}
END_TEST

START_TEST(the_refusal_is_the_known_one_and_the_client_believes_it)
{
    struct pair p;

    make_hello(&p, _i);
    judge(&p);
    ck_assert_int_eq(tws_hs_server_refuse(&p.server, TWS_CODE_SERVER_RESTARTED, &p.welcome),
                     TWS_OK);
    EXPECT(cases[_i].section, "refusal_status_17", p.welcome.p, p.welcome.n);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_OK);
    ck_assert_uint_eq(p.at_client.status, 17);
}
END_TEST

/* The values in between, from the formulas of docs/protocol.md. */
START_TEST(the_key_schedule_goes_through_the_known_values)
{
    const char *s = cases[_i].section;
    struct vector psk = vector(s, "psk"), id = vector(s, "key_id"), pk = vector(s, "psk_key");
    struct vector dh = vector(s, "dh"), js = vector(s, "join_secret_in");
    struct vector ch = vector(s, "challenge"), he = vector(s, "hello"), we = vector(s, "welcome");
    const struct tws_span whole[] = {{ch.bytes, ch.n}, {he.bytes, he.n}, {we.bytes, we.n}};
    uint8_t out[32], salt[32];

    ck_assert_int_eq(tws_hkdf_extract((struct tws_span){(const uint8_t *)"tws/2 psk", 9},
                                      (struct tws_span){psk.bytes, psk.n},
                                      (struct tws_span){id.bytes, id.n}, out),
                     TWS_OK);
    EXPECT(s, "psk_key", out, 32);
    ck_assert_int_eq(tws_x25519(vector(s, "client_private").bytes, we.bytes + 28, out), TWS_OK);
    EXPECT(s, "dh", out, 32);
    ck_assert_int_eq(tws_x25519(vector(s, "server_private").bytes, he.bytes + 64, out), TWS_OK);
    EXPECT(s, "dh", out, 32);
    ck_assert_int_eq(tws_hkdf_expand(pk.bytes, "tws/2 derived", (struct tws_span){NULL, 0}, salt),
                     TWS_OK);
    ck_assert_int_eq(tws_hkdf_extract((struct tws_span){salt, 32}, (struct tws_span){dh.bytes, 32},
                                      (struct tws_span){js.bytes, js.n}, out),
                     TWS_OK);
    EXPECT(s, "master", out, 32);
    ck_assert_int_eq(tws_sha256(whole, 3, out), TWS_OK);
    EXPECT(s, "transcript_hash", out, 32);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("vectors");
    tcase_add_loop_test(tc, challenge_and_hello_are_the_known_ones, 0, COUNT_OF(cases));
    tcase_add_loop_test(tc, welcome_and_the_keys_of_both_sides_are_the_known_ones, 0,
                        COUNT_OF(cases));
    tcase_add_loop_test(tc, the_refusal_is_the_known_one_and_the_client_believes_it, 0,
                        COUNT_OF(cases));
    tcase_add_loop_test(tc, the_key_schedule_goes_through_the_known_values, 0, COUNT_OF(cases));
    return run_suite("proto/handshake_vectors", tc);
}

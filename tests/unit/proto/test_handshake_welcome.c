/* test_handshake_welcome.c - what a client believes of a WELCOME, sealing, and what is wiped. */
#include "pair.h"
#include "suite.h"

START_TEST(a_flipped_bit_anywhere_in_welcome_is_refused)
{
    struct pair p;
    uint8_t bad[TWS_HS_MESSAGE_MAX];
    bool refusal = _i >= 2;

    pair_init_mode(&p, _i % 2);
    p.accept.params.given = TWS_HS_GIVEN_ALL;
    pair_welcome(&p);
    if (refusal)
        ck_assert_int_eq(tws_hs_server_refuse(&p.server, TWS_CODE_RESOURCES, &p.welcome), TWS_OK);
    for (size_t bit = 0; bit < 8 * p.welcome.n; bit++) {
        memcpy(bad, p.welcome.p, p.welcome.n);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        tws_err err =
            tws_hs_client_welcome(&p.client, (struct tws_span){bad, p.welcome.n}, &p.at_client);
        ck_assert_msg(err == TWS_E_PROTOCOL || err == TWS_E_AUTH, "bit %zu: %s", bit,
                      tws_err_text(err));
        expect_nothing(&p.at_client);
    }
}
END_TEST

START_TEST(a_welcome_that_is_cut_or_goes_on_is_not_one)
{
    struct pair p;
    uint8_t longer[TWS_HS_MESSAGE_MAX] = {0};

    pair_init_mode(&p, _i);
    pair_welcome(&p);
    for (size_t n = 0; n < p.welcome.n; n++)
        ck_assert_int_eq(
            tws_hs_client_welcome(&p.client, (struct tws_span){p.welcome.p, n}, &p.at_client),
            TWS_E_PROTOCOL);
    memcpy(longer, p.welcome.p, p.welcome.n);
    ck_assert_int_eq(
        tws_hs_client_welcome(&p.client, (struct tws_span){longer, p.welcome.n + 1}, &p.at_client),
        TWS_E_PROTOCOL);
    expect_nothing(&p.at_client);
}
END_TEST

START_TEST(a_welcome_is_good_for_its_hello_only)
{
    struct pair a, b;

    pair_init_mode(&a, _i);
    pair_init_mode(&b, _i);
    pair_welcome(&a);
    pair_welcome(&b);
    ck_assert_int_eq(tws_hs_client_welcome(&a.client, b.welcome, &a.at_client), TWS_E_AUTH);
    ck_assert_int_eq(tws_hs_server_refuse(&b.server, TWS_CODE_RESOURCES, &b.welcome), TWS_OK);
    ck_assert_int_eq(tws_hs_client_welcome(&a.client, b.welcome, &a.at_client), TWS_E_AUTH);
}
END_TEST

START_TEST(a_server_without_the_key_is_not_believed)
{
    struct pair p;

    pair_init(&p);
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_OK);
    p.server.pk[0] ^= 1;
    ck_assert_int_eq(pair_accept(&p), TWS_OK);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_E_AUTH);
    ck_assert_int_eq(tws_hs_server_refuse(&p.server, TWS_CODE_RESOURCES, &p.welcome), TWS_OK);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_E_AUTH);
}
END_TEST

START_TEST(a_servers_share_of_small_order_is_refused)
{
    struct pair p;
    uint8_t bad[TWS_HS_MESSAGE_MAX];

    pair_init(&p);
    pair_welcome(&p);
    memcpy(bad, p.welcome.p, p.welcome.n);
    memset(bad + 28, 0, 32);
    ck_assert_int_eq(
        tws_hs_client_welcome(&p.client, (struct tws_span){bad, p.welcome.n}, &p.at_client),
        TWS_E_PROTOCOL);
    expect_nothing(&p.at_client);
}
END_TEST

/* The client's view of p->welcome with other bytes at `at` and a mac that fits, which only a holder
 * of the key can make. */
static tws_err after_forged(struct pair *p, size_t at, const char *bytes, size_t n)
{
    uint8_t bad[TWS_HS_MESSAGE_MAX], dh[32], salt[32], master[32];
    size_t mac_at = p->welcome.n - 32;

    memcpy(bad, p->welcome.p, p->welcome.n);
    memcpy(bad + at, bytes, n);
    const struct tws_span parts[] = {{p->server.challenge, 48}, p->hello, {bad, mac_at}};
    const struct tws_span none = {NULL, 0};
    ck_assert_int_eq(tws_x25519(p->client.secret, bad + 28, dh), TWS_OK);
    ck_assert_int_eq(tws_hkdf_expand(p->client.pk, "tws/2 derived", none, salt), TWS_OK);
    ck_assert_int_eq(
        tws_hkdf_extract((struct tws_span){salt, 32}, (struct tws_span){dh, 32}, none, master),
        TWS_OK);
    mac_of(master, "tws/2 welcome", parts, 3, bad + mac_at);
    return tws_hs_client_welcome(&p->client, (struct tws_span){bad, p->welcome.n}, &p->at_client);
}

static const struct {
    const char *what;
    size_t at;
    const char *bytes;
    size_t n;
    tws_err err;
} lies[] = {
    {"nothing wrong", 27, "\2", 1, TWS_OK},
    {"another suite than HELLO's", 6, "\2", 1, TWS_E_PROTOCOL},
    {"an unknown flag", 7, "\2", 1, TWS_E_PROTOCOL},
    {"no link id", 24, "\0\0\0\0", 4, TWS_E_PROTOCOL},
    {"an unknown critical parameter", 62, "\x63\x80", 2, TWS_E_PROTOCOL},
    {"a parameter out of its range", 66, "\0\0\0\0", 4, TWS_E_PROTOCOL},
};

START_TEST(a_server_that_has_the_key_must_still_keep_to_the_rules)
{
    struct pair p;

    pair_init(&p);
    p.accept.params.given = TWS_HS_GIVEN(TWS_HS_MAX_MESSAGE);
    pair_welcome(&p);
    tws_err err = after_forged(&p, lies[_i].at, lies[_i].bytes, lies[_i].n);
    ck_assert_msg(err == lies[_i].err, "%s: %s", lies[_i].what, tws_err_text(err));
    if (err != TWS_OK)
        expect_nothing(&p.at_client);
}
END_TEST

/* A refusal that says more than no, with a mac that fits. */
static tws_err after_wordy_refusal(struct pair *p, size_t at)
{
    uint8_t bad[94];

    ck_assert_int_eq(tws_hs_server_refuse(&p->server, TWS_CODE_RESOURCES, &p->welcome), TWS_OK);
    ck_assert_uint_eq(p->welcome.n, sizeof bad);
    memcpy(bad, p->welcome.p, sizeof bad);
    bad[at] ^= 1;
    const struct tws_span parts[] = {{p->server.challenge, 48}, p->hello, {bad, 62}};
    mac_of(p->client.pk, "tws/2 refusal", parts, 3, bad + 62);
    return tws_hs_client_welcome(&p->client, (struct tws_span){bad, sizeof bad}, &p->at_client);
}

static const size_t refusal_fields[] = {7, 8, 23, 24, 27, 28, 59};

START_TEST(a_refusal_carries_nothing_but_its_status)
{
    struct pair p;

    pair_init(&p);
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_OK);
    ck_assert_int_eq(after_wordy_refusal(&p, refusal_fields[_i]), TWS_E_PROTOCOL);
    expect_nothing(&p.at_client);
    ck_assert_int_eq(after_wordy_refusal(&p, 5), TWS_OK); /* another status is one */
    ck_assert_uint_eq(p.at_client.status, TWS_CODE_RESOURCES ^ 1);
}
END_TEST

static void welcome_as(struct pair *p, int mode, const uint8_t *session_id, uint32_t link_id)
{
    pair_init_mode(p, mode);
    pair_hello(p);
    ck_assert_int_eq(pair_judge(p, p->hello), TWS_OK);
    memcpy(p->server.session_id, session_id, TWS_HS_SESSION_ID_LEN); /* what a join answers with */
    memcpy(p->accept.session_id, session_id, TWS_HS_SESSION_ID_LEN);
    p->accept.link_id = link_id;
    ck_assert_int_eq(pair_accept(p), TWS_OK);
}

START_TEST(a_welcome_names_a_session_and_for_a_join_that_session)
{
    static const uint8_t none[TWS_HS_SESSION_ID_LEN];
    struct pair p;

    welcome_as(&p, TWS_HS_NEW, none, 1);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_E_PROTOCOL);
    welcome_as(&p, TWS_HS_JOIN, (const uint8_t *)"session number 2", 1);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_E_PROTOCOL);
    expect_nothing(&p.at_client);
    welcome_as(&p, TWS_HS_JOIN, pair_session, 1);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_OK);
}
END_TEST

/* ---- sealing ---- */

enum { NO = -1 };

static const struct {
    uint8_t client, server;
    int sealed; /* NO: refused */
} policies[] = {
    {TWS_HS_SEAL_OFF, TWS_HS_SEAL_OFF, 0},         {TWS_HS_SEAL_OFF, TWS_HS_SEAL_ALLOW, 0},
    {TWS_HS_SEAL_OFF, TWS_HS_SEAL_REQUIRE, NO},    {TWS_HS_SEAL_ALLOW, TWS_HS_SEAL_OFF, 0},
    {TWS_HS_SEAL_ALLOW, TWS_HS_SEAL_ALLOW, 0},     {TWS_HS_SEAL_ALLOW, TWS_HS_SEAL_REQUIRE, 1},
    {TWS_HS_SEAL_REQUIRE, TWS_HS_SEAL_OFF, NO},    {TWS_HS_SEAL_REQUIRE, TWS_HS_SEAL_ALLOW, 1},
    {TWS_HS_SEAL_REQUIRE, TWS_HS_SEAL_REQUIRE, 1},
};

START_TEST(records_are_sealed_if_either_side_requires_it)
{
    struct pair p;

    pair_init(&p);
    p.cfg.params.given = p.accept.params.given = TWS_HS_GIVEN(TWS_HS_SEAL);
    p.cfg.params.seal = policies[_i].client;
    p.accept.params.seal = policies[_i].server;
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_OK);
    if (policies[_i].sealed == NO) {
        ck_assert_int_eq(pair_accept(&p), TWS_E_AUTH);
        ck_assert_uint_eq(tws_err_code(TWS_E_AUTH), 19);
        expect_nothing(&p.at_server);
        return;
    }
    ck_assert_int_eq(pair_accept(&p), TWS_OK);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_OK);
    ck_assert_int_eq(p.at_server.sealed, policies[_i].sealed);
    ck_assert_int_eq(p.at_client.sealed, policies[_i].sealed);
}
END_TEST

START_TEST(a_client_holds_the_server_to_its_policy)
{
    struct pair p;

    /* The server never hears of the policy, so it decides against it. */
    pair_init(&p);
    p.cfg.params.seal = TWS_HS_SEAL_REQUIRE;
    pair_welcome(&p);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_E_AUTH);
    expect_nothing(&p.at_client);
    pair_init(&p);
    p.cfg.params.seal = TWS_HS_SEAL_OFF;
    p.accept.params.seal = TWS_HS_SEAL_REQUIRE;
    pair_welcome(&p);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_E_AUTH);
}
END_TEST

/* ---- randomness and wiping ---- */

START_TEST(without_randomness_there_is_no_handshake)
{
    struct script none = {.n = 0}, half = {.n = 32};
    uint8_t random[TWS_HS_RANDOM_LEN] = {0};
    struct tws_span hello = {NULL, 0};
    struct pair p;

    pair_init(&p);
    tws_hs_server_init(&p.server, pair_boot_id, random);
    tws_hs_client_init(&p.client, &p.cfg);
    struct tws_span challenge = {p.server.challenge, TWS_HS_CHALLENGE_LEN};
    ck_assert_int_eq(tws_hs_client_hello(&p.client, challenge, scripted, &none, &hello), TWS_BUG);
    ck_assert_int_eq(tws_hs_client_hello(&p.client, challenge, scripted, &half, &hello), TWS_BUG);
    ck_assert_ptr_null(hello.p);
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_OK);
    ck_assert_int_eq(
        tws_hs_server_accept(&p.server, &p.accept, scripted, &none, &p.welcome, &p.at_server),
        TWS_BUG);
    expect_nothing(&p.at_server);
}
END_TEST

START_TEST(nothing_secret_is_left_behind)
{
    static const uint8_t zero[sizeof(struct tws_hs_client) + sizeof(struct tws_hs_server)];
    struct pair p;

    pair_init_join(&p);
    pair_welcome(&p);
    tws_hs_client_fini(&p.client);
    tws_hs_server_fini(&p.server);
    tws_hs_result_fini(&p.at_server);
    ck_assert_mem_eq(&p.client, zero, sizeof p.client);
    ck_assert_mem_eq(&p.server, zero, sizeof p.server);
    expect_nothing(&p.at_server);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("handshake_welcome");
    tcase_add_loop_test(tc, a_flipped_bit_anywhere_in_welcome_is_refused, 0, 4);
    tcase_add_loop_test(tc, a_welcome_that_is_cut_or_goes_on_is_not_one, 0, 2);
    tcase_add_loop_test(tc, a_welcome_is_good_for_its_hello_only, 0, 2);
    tcase_add_test(tc, a_server_without_the_key_is_not_believed);
    tcase_add_test(tc, a_servers_share_of_small_order_is_refused);
    tcase_add_loop_test(tc, a_server_that_has_the_key_must_still_keep_to_the_rules, 0,
                        COUNT_OF(lies));
    tcase_add_loop_test(tc, a_refusal_carries_nothing_but_its_status, 0, COUNT_OF(refusal_fields));
    tcase_add_test(tc, a_welcome_names_a_session_and_for_a_join_that_session);
    tcase_add_loop_test(tc, records_are_sealed_if_either_side_requires_it, 0, COUNT_OF(policies));
    tcase_add_test(tc, a_client_holds_the_server_to_its_policy);
    tcase_add_test(tc, without_randomness_there_is_no_handshake);
    tcase_add_test(tc, nothing_secret_is_left_behind);
    return run_suite("proto/handshake_welcome", tc);
}

/* test_handshake.c - what both sides agree on, and every way a CHALLENGE or HELLO must fail. */
#include "pair.h"
#include "suite.h"

START_TEST(both_sides_end_with_the_same_keys)
{
    struct pair p;

    pair_init_mode(&p, _i);
    pair_welcome(&p);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_OK);
    ck_assert_mem_eq(p.at_client.k_c2s, p.at_server.k_c2s, 32);
    ck_assert_mem_eq(p.at_client.k_s2c, p.at_server.k_s2c, 32);
    ck_assert_mem_eq(p.at_client.join_secret, p.at_server.join_secret, 32);
    ck_assert_mem_ne(p.at_client.k_c2s, p.at_client.k_s2c, 32);
    ck_assert_mem_eq(p.at_client.session_id, pair_session, sizeof pair_session);
    ck_assert_mem_eq(p.at_server.session_id, pair_session, sizeof pair_session);
    ck_assert_uint_eq(p.at_client.link_id, p.accept.link_id);
    ck_assert_uint_eq(p.at_server.link_id, p.accept.link_id);
    ck_assert_uint_eq(p.at_client.suite, TWS_SUITE_AES_256_GCM);
}
END_TEST

START_TEST(each_handshake_has_its_own_keys)
{
    struct pair a, b;

    pair_init(&a);
    pair_init(&b);
    pair_welcome(&a);
    pair_welcome(&b);
    ck_assert_mem_ne(a.at_server.k_c2s, b.at_server.k_c2s, 32);
    ck_assert_mem_ne(a.at_server.join_secret, b.at_server.join_secret, 32);
}
END_TEST

START_TEST(each_side_learns_the_others_parameters)
{
    struct pair p;

    pair_init(&p);
    p.cfg.params.given = p.accept.params.given = TWS_HS_GIVEN_ALL;
    memcpy(p.cfg.params.client_name, "laptop", 7);
    p.cfg.params.link_weight = 7;
    p.accept.params.max_message = 65535;
    pair_welcome(&p);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_OK);
    ck_assert_str_eq(p.at_server.peer.client_name, "laptop");
    ck_assert_uint_eq(p.at_server.peer.link_weight, 7);
    ck_assert_uint_eq(p.at_client.peer.max_message, 65535);
}
END_TEST

/* ---- HELLO: nothing but the exact bytes passes ---- */

START_TEST(a_flipped_bit_anywhere_in_hello_is_refused)
{
    struct pair p;
    uint8_t bad[TWS_HS_MESSAGE_MAX];

    pair_init_mode(&p, _i);
    pair_hello(&p);
    for (size_t bit = 0; bit < 8 * p.hello.n; bit++) {
        struct tws_hs_server fresh = p.server;
        memcpy(bad, p.hello.p, p.hello.n);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        tws_err err = pair_judge(&p, (struct tws_span){bad, p.hello.n});
        ck_assert_msg(err == TWS_E_PROTOCOL || err == TWS_E_AUTH, "bit %zu: %s", bit,
                      tws_err_text(err));
        /* Only a bad binder may be explained: whoever sent it has the key. */
        bool in_binder = _i == TWS_HS_JOIN && bit >= 8 * (p.hello.n - TWS_HASH_LEN);
        ck_assert_msg(p.server.authenticated == in_binder, "bit %zu", bit);
        ck_assert(!p.server.proved);
        p.server = fresh;
    }
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_OK);
}
END_TEST

START_TEST(a_hello_that_is_cut_or_goes_on_is_not_one)
{
    struct pair p;
    uint8_t longer[TWS_HS_MESSAGE_MAX] = {0};

    pair_init_mode(&p, _i);
    pair_hello(&p);
    for (size_t n = 0; n < p.hello.n; n++)
        ck_assert_int_eq(tws_hs_server_read(&p.server, (struct tws_span){p.hello.p, n}),
                         TWS_E_PROTOCOL);
    memcpy(longer, p.hello.p, p.hello.n);
    for (size_t n = p.hello.n + 1; n <= sizeof longer; n++)
        ck_assert_int_eq(tws_hs_server_read(&p.server, (struct tws_span){longer, n}),
                         TWS_E_PROTOCOL);
}
END_TEST

START_TEST(a_hello_above_the_limit_is_refused)
{
    static uint8_t big[70000];
    struct pair p;

    pair_init(&p);
    pair_hello(&p);
    memcpy(big, p.hello.p, 96);
    for (size_t params = 900; params <= 65535; params += 4305) {
        tws_put16(big + 96, (uint16_t)params);
        tws_err err = tws_hs_server_read(&p.server, (struct tws_span){big, 98 + params + 32});
        ck_assert_int_eq(err, TWS_E_PROTOCOL);
    }
}
END_TEST

START_TEST(the_wrong_key_is_refused)
{
    struct pair p;

    pair_init_mode(&p, _i);
    p.cfg.psk[31] ^= 1;
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_E_AUTH);
    ck_assert(!p.server.authenticated);
}
END_TEST

START_TEST(an_unknown_key_id_is_refused_as_a_wrong_key_is)
{
    struct pair p;

    pair_init_mode(&p, _i);
    p.cfg.key_id[0] ^= 1;
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_E_AUTH);
    ck_assert(!p.server.authenticated);
}
END_TEST

START_TEST(the_key_that_stands_in_for_unknown_ones_opens_nothing)
{
    struct pair p;

    pair_init(&p);
    p.cfg.key_id[0] ^= 1;
    memset(p.cfg.psk, 0, sizeof p.cfg.psk);
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_E_AUTH);
    ck_assert(!p.server.authenticated);
}
END_TEST

START_TEST(a_hello_is_good_for_its_challenge_only)
{
    struct pair p;
    uint8_t other[TWS_HS_RANDOM_LEN] = "another challenge's random bytes";

    pair_init_mode(&p, _i);
    pair_hello(&p);
    tws_hs_server_init(&p.server, pair_boot_id, other);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_E_AUTH);
}
END_TEST

START_TEST(a_hello_is_not_good_for_another_process)
{
    struct pair p;
    uint8_t random[TWS_HS_RANDOM_LEN];

    pair_init(&p);
    pair_hello(&p);
    memcpy(random, p.server.challenge + 16, sizeof random);
    tws_hs_server_init(&p.server, (const uint8_t *)"boot 002", random);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_E_AUTH);
}
END_TEST

/* ---- downgrades ---- */

/* What the client makes of a CHALLENGE in which someone set one byte. */
static tws_err hello_after(struct pair *p, size_t at, uint8_t value)
{
    uint8_t challenge[TWS_HS_CHALLENGE_LEN], random[TWS_HS_RANDOM_LEN] = {1};

    tws_hs_server_init(&p->server, pair_boot_id, random);
    memcpy(challenge, p->server.challenge, sizeof challenge);
    challenge[at] = value;
    tws_hs_client_init(&p->client, &p->cfg);
    return tws_hs_client_hello(&p->client, (struct tws_span){challenge, sizeof challenge},
                               tws_random_bytes, NULL, &p->hello);
}

static const struct {
    size_t at;
    uint8_t value;
} touched[] = {{5, 1}, {6, 3}, {6, 255}, {7, 2}, {7, 1}, {7, 0xff}, {8, 0}, {47, 9}};

START_TEST(a_challenge_that_was_touched_on_the_way_is_found)
{
    struct pair p;

    pair_init(&p);
    ck_assert_int_eq(hello_after(&p, touched[_i].at, touched[_i].value), TWS_OK);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_E_AUTH);
    ck_assert(!p.server.authenticated);
}
END_TEST

START_TEST(nothing_in_common_is_told_apart_from_nonsense)
{
    struct pair p;

    pair_init(&p);
    ck_assert_int_eq(hello_after(&p, 7, 0), TWS_ABSENT);     /* no suite */
    ck_assert_int_eq(hello_after(&p, 7, 0xfc), TWS_ABSENT);  /* none we know */
    ck_assert_int_eq(hello_after(&p, 5, 3), TWS_E_PROTOCOL); /* least above greatest */
    ck_assert_int_eq(hello_after(&p, 0, 'X'), TWS_E_PROTOCOL);
    ck_assert_int_eq(hello_after(&p, 3, '1'), TWS_E_PROTOCOL);
    ck_assert_int_eq(hello_after(&p, 4, 2), TWS_E_PROTOCOL);
    p.cfg.suites = TWS_SUITE_BIT(TWS_SUITE_CHACHA20_POLY1305);
    ck_assert_int_eq(hello_after(&p, 7, 1), TWS_ABSENT);
}
END_TEST

START_TEST(another_version_range_is_not_joined)
{
    uint8_t ch[TWS_HS_CHALLENGE_LEN] = "TWS2\1";
    struct tws_span msg = {ch, sizeof ch}, hello;
    struct tws_hs_challenge read;
    struct tws_hs_client c;
    struct pair p;

    pair_init(&p);
    tws_hs_client_init(&c, &p.cfg);
    ch[7] = TWS_SUITES_ALL;
    ch[5] = 3, ch[6] = 4;
    ck_assert_int_eq(tws_hs_client_hello(&c, msg, tws_random_bytes, NULL, &hello), TWS_ABSENT);
    ck_assert_int_eq(tws_hs_challenge_read(msg, &read), TWS_OK);
    ck_assert_uint_eq(read.version_min, 3);
    ch[5] = 0, ch[6] = 1;
    ck_assert_int_eq(tws_hs_client_hello(&c, msg, tws_random_bytes, NULL, &hello), TWS_ABSENT);
    for (size_t n = 0; n < sizeof ch; n++)
        ck_assert_int_eq(tws_hs_challenge_read((struct tws_span){ch, n}, &read), TWS_E_PROTOCOL);
}
END_TEST

static const struct {
    uint8_t ours, prefer, offered, chosen;
} choices[] = {
    {0, 0, 3, 1}, {0, 2, 3, 2}, {0, 1, 3, 1}, {0, 2, 1, 1},
    {0, 1, 2, 2}, {1, 2, 3, 1}, {2, 0, 3, 2}, {0, 0, 0xff, 1},
};

START_TEST(the_preferred_suite_is_taken_if_both_have_it)
{
    struct pair p;

    pair_init(&p);
    p.cfg.suites = choices[_i].ours;
    p.cfg.prefer = choices[_i].prefer;
    ck_assert_int_eq(hello_after(&p, 7, choices[_i].offered), TWS_OK);
    ck_assert_uint_eq(p.hello.p[6], choices[_i].chosen);
}
END_TEST

/* ---- a holder of the key that says something wrong ---- */

/* The client's HELLO with other bytes at `at` and a mac that fits, for the server to judge. */
static tws_err judge_forged(struct pair *p, size_t at, const void *bytes, size_t n)
{
    uint8_t hello[TWS_HS_MESSAGE_MAX];
    size_t mac_at = p->hello.n - 32;

    memcpy(hello, p->hello.p, p->hello.n);
    memcpy(hello + at, bytes, n);
    const struct tws_span parts[] = {{p->server.challenge, 48}, {hello, mac_at}};
    mac_of(p->client.pk, "tws/2 hello", parts, 2, hello + mac_at);
    return pair_judge(p, (struct tws_span){hello, p->hello.n});
}

static const struct {
    const char *what;
    size_t at;
    const char *bytes;
    size_t n;
} lies[] = {
    {"version 1", 5, "\1", 1},
    {"version 3", 5, "\3", 1},
    {"suite 0", 6, "\0", 1},
    {"suite 3", 6, "\3", 1},
    {"suite 255", 6, "\377", 1},
    {"a session id in a new session", 31, "\1", 1},
    {"an unknown critical parameter", 98, "\x63\x80", 2},
    {"a reserved flag", 99, "\1", 1},
    {"a parameter longer than the list", 100, "\0\6", 2},
    {"a parameter shorter than its number", 100, "\0\3", 2},
    {"a message of 1 TiB", 102, "\377\377\377\377", 4},
    {"a message of nothing", 102, "\0\0\0\0", 4},
};

START_TEST(what_only_a_holder_of_the_key_can_get_wrong_is_explained)
{
    struct pair p;

    pair_init(&p);
    p.cfg.params.given = TWS_HS_GIVEN(TWS_HS_MAX_MESSAGE);
    pair_hello(&p);
    tws_err err = judge_forged(&p, lies[_i].at, lies[_i].bytes, lies[_i].n);
    ck_assert_msg(err == TWS_E_PROTOCOL, "%s: %s", lies[_i].what, tws_err_text(err));
    ck_assert_msg(p.server.authenticated, "%s", lies[_i].what);
    ck_assert_int_eq(tws_hs_server_refuse(&p.server, (uint8_t)tws_err_code(err), &p.welcome),
                     TWS_OK);
}
END_TEST

START_TEST(an_honest_hello_made_anew_passes)
{
    struct pair p;

    pair_init(&p);
    p.cfg.params.given = TWS_HS_GIVEN(TWS_HS_MAX_MESSAGE);
    pair_hello(&p);
    ck_assert_int_eq(judge_forged(&p, 98, "\x63", 1), TWS_E_PROTOCOL);
    pair_hello(&p);
    ck_assert_int_eq(judge_forged(&p, 98, "\x63\x00", 2), TWS_OK); /* unknown, not critical */
    ck_assert_uint_eq(p.server.params.given, 0);
}
END_TEST

START_TEST(a_clients_share_of_small_order_is_refused_and_makes_no_keys)
{
    static const uint8_t zero[sizeof(struct tws_hs_result)];
    struct pair p;

    pair_init(&p);
    pair_hello(&p);
    ck_assert_int_eq(judge_forged(&p, 64, zero, 32), TWS_OK);
    ck_assert_int_eq(pair_accept(&p), TWS_E_PROTOCOL);
    ck_assert_mem_eq(&p.at_server, zero, sizeof p.at_server);
    ck_assert_int_eq(tws_hs_server_refuse(&p.server, TWS_CODE_PROTOCOL, &p.welcome), TWS_OK);
}
END_TEST

/* ---- joins ---- */

START_TEST(a_join_without_the_sessions_secret_is_refused_and_leaves_nothing)
{
    static const uint8_t zero[32];
    struct pair p;

    pair_init_join(&p);
    p.cfg.join_secret[0] ^= 1;
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_E_AUTH);
    ck_assert(p.server.authenticated);
    ck_assert(!p.server.proved);
    ck_assert_mem_eq(p.server.join_secret, zero, 32);
    ck_assert_int_eq(tws_hs_server_refuse(&p.server, TWS_CODE_AUTH, &p.welcome), TWS_OK);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_OK);
    ck_assert_uint_eq(p.at_client.status, TWS_CODE_AUTH);
}
END_TEST

START_TEST(a_join_secret_works_for_its_own_handshakes_session_only)
{
    struct pair a, b;

    pair_init(&a);
    pair_welcome(&a);
    pair_init_join(&b);
    memcpy(b.cfg.join_secret, a.at_server.join_secret, 32);
    memcpy(b.session_secret, a.at_server.join_secret, 32);
    pair_hello(&b);
    ck_assert_int_eq(pair_judge(&b, b.hello), TWS_OK);
    b.session_secret[31] ^= 1;
    pair_hello(&b);
    ck_assert_int_eq(pair_judge(&b, b.hello), TWS_E_AUTH);
}
END_TEST

START_TEST(a_server_without_the_sessions_secret_cannot_welcome_a_join)
{
    struct pair p;

    pair_init_join(&p);
    pair_hello(&p);
    ck_assert_int_eq(pair_judge(&p, p.hello), TWS_OK);
    p.server.join_secret[5] ^= 1;
    ck_assert_int_eq(pair_accept(&p), TWS_OK);
    ck_assert_int_eq(tws_hs_client_welcome(&p.client, p.welcome, &p.at_client), TWS_E_AUTH);
}
END_TEST

static TCase *hello_cases(void)
{
    TCase *tc = tcase_create("handshake");
    tcase_add_loop_test(tc, both_sides_end_with_the_same_keys, 0, 2);
    tcase_add_test(tc, each_handshake_has_its_own_keys);
    tcase_add_test(tc, each_side_learns_the_others_parameters);
    tcase_add_loop_test(tc, a_flipped_bit_anywhere_in_hello_is_refused, 0, 2);
    tcase_add_loop_test(tc, a_hello_that_is_cut_or_goes_on_is_not_one, 0, 2);
    tcase_add_test(tc, a_hello_above_the_limit_is_refused);
    tcase_add_loop_test(tc, the_wrong_key_is_refused, 0, 2);
    tcase_add_loop_test(tc, an_unknown_key_id_is_refused_as_a_wrong_key_is, 0, 2);
    tcase_add_test(tc, the_key_that_stands_in_for_unknown_ones_opens_nothing);
    tcase_add_loop_test(tc, a_hello_is_good_for_its_challenge_only, 0, 2);
    tcase_add_test(tc, a_hello_is_not_good_for_another_process);
    tcase_add_loop_test(tc, a_challenge_that_was_touched_on_the_way_is_found, 0, COUNT_OF(touched));
    tcase_add_test(tc, nothing_in_common_is_told_apart_from_nonsense);
    tcase_add_test(tc, another_version_range_is_not_joined);
    tcase_add_loop_test(tc, the_preferred_suite_is_taken_if_both_have_it, 0, COUNT_OF(choices));
    tcase_add_loop_test(tc, what_only_a_holder_of_the_key_can_get_wrong_is_explained, 0,
                        COUNT_OF(lies));
    tcase_add_test(tc, an_honest_hello_made_anew_passes);
    return tc;
}

int main(void)
{
    TCase *tc = hello_cases();
    tcase_add_test(tc, a_clients_share_of_small_order_is_refused_and_makes_no_keys);
    tcase_add_test(tc, a_join_without_the_sessions_secret_is_refused_and_leaves_nothing);
    tcase_add_test(tc, a_join_secret_works_for_its_own_handshakes_session_only);
    tcase_add_test(tc, a_server_without_the_sessions_secret_cannot_welcome_a_join);
    return run_suite("proto/handshake", tc);
}

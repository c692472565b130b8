/* test_socks_client.c - the client's side of SOCKS5: what it says, and how each answer ends. */
#include "suite.h"

#include "tws/base/text.h"
#include "tws/proto/code.h"
#include "tws/proto/socks_client.h"

#include <stdio.h>
#include <string.h>

static struct tws_socks_client c;

static struct tws_target target_of(const char *host, uint16_t port)
{
    struct tws_hostport hp = {.port = port};
    struct tws_target t;

    snprintf(hp.host, sizeof hp.host, "%s", host);
    tws_target_from_hostport(&hp, &t);
    return t;
}

static void begin(const char *user, const char *password)
{
    struct tws_target t = target_of("example.com", 443);

    ck_assert_int_eq(tws_socks_client_init(&c, user, password, TWS_SOCKS_CONNECT, &t), TWS_OK);
}

/* Takes the whole output, which must be this. */
static void says(const char *hex)
{
    struct tws_span out = tws_socks_client_output(&c);
    char text[2 * TWS_SOCKS_OUTPUT_MAX + 1];

    ck_assert_int_eq(tws_hex_encode(out.p, out.n, text, sizeof text), TWS_OK);
    ck_assert_str_eq(text, hex);
    ck_assert_uint_eq(tws_socks_client_wants(&c), 0);
    tws_socks_client_sent(&c, out.n);
}

/* Hands over as much as is wanted at a time; the last result. *taken: of all the bytes. */
static tws_err hear(const char *hex, size_t piece, size_t *taken)
{
    uint8_t bytes[600];
    size_t n = strlen(hex) / 2, at = 0;
    tws_err err = TWS_SHORT;

    ck_assert_int_eq(tws_hex_decode(hex, bytes, n), TWS_OK);
    while (at < n && err == TWS_SHORT && tws_socks_client_wants(&c) > 0) {
        size_t k = tws_socks_client_wants(&c);

        k = k < piece ? k : piece;
        k = k < n - at ? k : n - at;
        err = tws_socks_client_input(&c, (struct tws_span){bytes + at, k});
        at += k;
    }
    if (taken != NULL)
        *taken = at;
    return err;
}

#define CONNECT_NAME                                                                               \
    "05010003"                                                                                     \
    "0b"                                                                                           \
    "6578616d706c652e636f6d"                                                                       \
    "01bb"

START_TEST(without_a_login_none_is_offered)
{
    begin(NULL, NULL);
    says("050100");
    ck_assert_int_eq(hear("0500", 9, NULL), TWS_SHORT);
    says(CONNECT_NAME);
    ck_assert_int_eq(hear("05000001"
                          "7f000001"
                          "0050",
                          9, NULL),
                     TWS_OK);
    ck_assert_uint_eq(c.reply, 0);
    ck_assert_uint_eq(c.bound.type, TWS_TARGET_IPV4);
    ck_assert_uint_eq(c.bound.port, 80);
    ck_assert_uint_eq(tws_socks_client_wants(&c), 0);
}
END_TEST

START_TEST(a_login_is_sent_when_the_proxy_wants_it)
{
    begin("me", "x");
    says("05020002");
    ck_assert_int_eq(hear("0502", 1, NULL), TWS_SHORT);
    says("01026d650178");
    ck_assert_int_eq(hear("0100", 1, NULL), TWS_SHORT);
    says(CONNECT_NAME);
}
END_TEST

START_TEST(a_login_is_not_sent_to_a_proxy_that_wants_none)
{
    begin("me", "secret");
    says("05020002");
    ck_assert_int_eq(hear("0500", 9, NULL), TWS_SHORT);
    says(CONNECT_NAME);
}
END_TEST

START_TEST(an_empty_password_is_one)
{
    begin("me", NULL);
    says("05020002");
    ck_assert_int_eq(hear("0502", 9, NULL), TWS_SHORT);
    says("01026d6500");
}
END_TEST

static const struct {
    const char *host, *hex;
} targets[] = {
    {"192.0.2.7", "05010001c00002070050"},
    {"2001:db8::1", "0501000420010db8000000000000000000000001"
                    "0050"},
    {"a", "050100030161"
          "0050"},
};

START_TEST(a_target_is_an_address_or_a_name)
{
    struct tws_target t = target_of(targets[_i].host, 80);

    ck_assert_int_eq(tws_socks_client_init(&c, NULL, NULL, TWS_SOCKS_CONNECT, &t), TWS_OK);
    says("050100");
    ck_assert_int_eq(hear("0500", 9, NULL), TWS_SHORT);
    says(targets[_i].hex);
}
END_TEST

START_TEST(what_socks_has_no_form_for_is_refused_at_once)
{
    struct tws_target t = {.type = TWS_TARGET_UNIX, .name = "/run/x"};
    char user[TWS_SOCKS_LOGIN_MAX + 2];

    ck_assert_int_eq(tws_socks_client_init(&c, NULL, NULL, TWS_SOCKS_CONNECT, &t), TWS_ABSENT);
    t = target_of("", 1);
    ck_assert_int_eq(tws_socks_client_init(&c, NULL, NULL, TWS_SOCKS_CONNECT, &t), TWS_ABSENT);
    t = target_of("h", 1);
    memset(user, 'u', sizeof user);
    user[sizeof user - 1] = '\0';
    ck_assert_int_eq(tws_socks_client_init(&c, user, "", TWS_SOCKS_CONNECT, &t), TWS_ABSENT);
    ck_assert_int_eq(tws_socks_client_init(&c, "u", user, TWS_SOCKS_CONNECT, &t), TWS_ABSENT);
    user[TWS_SOCKS_LOGIN_MAX] = '\0';
    ck_assert_int_eq(tws_socks_client_init(&c, user, user, TWS_SOCKS_UDP, &t), TWS_OK);
}
END_TEST

/* Answers to the request; `behind` bytes of them belong to the tunnel. */
static const struct {
    const char *hex;
    size_t behind;
    tws_err err;
    uint8_t reply;
} answers[] = {
    {"05000001000000000000", 0, TWS_OK, 0},
    {"05000001000000000000aabb", 2, TWS_OK, 0},
    {"0500000400000000000000000000000000000001"
     "0001"
     "16",
     1, TWS_OK, 0},
    {"050000030161"
     "0050"
     "ff",
     1, TWS_OK, 0},
    {"050000030000"
     "50"
     "ff",
     1, TWS_OK, 0}, /* an empty name: no address, but granted */
    {"0500000300"
     "0000",
     0, TWS_OK, 0},
    {"05010001", 0, TWS_OK, 1},
    {"05050001000000000000", 6, TWS_OK, 5},
    {"050900", 0, TWS_SHORT, 0},
    {"05090001", 0, TWS_OK, 9},
    {"05ff0001", 0, TWS_OK, 0xff},
    {"05000005", 0, TWS_E_PROTOCOL, 0},
    {"05000000", 0, TWS_E_PROTOCOL, 0},
    {"04000001", 0, TWS_E_PROTOCOL, 0},
    {"48545450", 0, TWS_E_PROTOCOL, 0}, /* HTTP */
    {"0500000100000000"
     "00",
     0, TWS_SHORT, 0},
};

START_TEST(an_answer_is_read_to_its_end_and_no_further)
{
    size_t n = strlen(answers[_i].hex) / 2;

    for (size_t piece = 1; piece <= n; piece++) {
        size_t taken = 0;

        begin(NULL, NULL);
        says("050100");
        ck_assert_int_eq(hear("0500", 9, NULL), TWS_SHORT);
        says(CONNECT_NAME);
        ck_assert_int_eq(hear(answers[_i].hex, piece, &taken), answers[_i].err);
        ck_assert_uint_eq(taken, n - answers[_i].behind);
        if (answers[_i].err == TWS_OK)
            ck_assert_uint_eq(c.reply, answers[_i].reply);
    }
}
END_TEST

static const struct {
    const char *method, *login;
    bool has_login;
    tws_err err;
} logins[] = {
    {"05ff", NULL, false, TWS_E_AUTH},     {"0502", NULL, false, TWS_E_AUTH},
    {"05ff", NULL, true, TWS_E_AUTH},      {"0501", NULL, true, TWS_E_AUTH},
    {"0502", "0101", true, TWS_E_AUTH},    {"0502", "05ff", true, TWS_E_AUTH},
    {"0502", "0500", true, TWS_SHORT},     {"0400", NULL, false, TWS_E_PROTOCOL},
    {"4854", NULL, false, TWS_E_PROTOCOL},
};

START_TEST(a_login_that_is_wanted_or_refused_is_told_apart_from_nonsense)
{
    tws_err err;

    begin(logins[_i].has_login ? "me" : NULL, NULL);
    says(logins[_i].has_login ? "05020002" : "050100");
    err = hear(logins[_i].method, 9, NULL);
    if (logins[_i].login != NULL) {
        ck_assert_int_eq(err, TWS_SHORT);
        says("01026d6500");
        err = hear(logins[_i].login, 9, NULL);
    }
    ck_assert_int_eq(err, logins[_i].err);
    if (err != TWS_SHORT)
        ck_assert_uint_eq(tws_socks_client_wants(&c), 0);
}
END_TEST

START_TEST(output_may_leave_in_pieces)
{
    begin(NULL, NULL);
    tws_socks_client_sent(&c, 1);
    ck_assert_uint_eq(tws_socks_client_wants(&c), 0);
    says("0100");
    ck_assert_uint_eq(tws_socks_client_wants(&c), 2);
}
END_TEST

START_TEST(every_reply_has_a_text_and_a_code)
{
    ck_assert_uint_eq(tws_socks_reply_code(0), TWS_CODE_NONE);
    ck_assert_uint_eq(tws_socks_reply_code(2), TWS_CODE_FORBIDDEN);
    ck_assert_uint_eq(tws_socks_reply_code(5), TWS_CODE_REFUSED);
    ck_assert_uint_eq(tws_socks_reply_code(6), TWS_CODE_TIMEOUT);
    for (unsigned i = 0; i < 256; i++)
        ck_assert_uint_gt(strlen(tws_socks_reply_text((uint8_t)i)), 0);
    ck_assert_uint_eq(tws_socks_reply_code(200), TWS_CODE_INTERNAL);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("socks_client");

    tcase_add_test(tc, without_a_login_none_is_offered);
    tcase_add_test(tc, a_login_is_sent_when_the_proxy_wants_it);
    tcase_add_test(tc, a_login_is_not_sent_to_a_proxy_that_wants_none);
    tcase_add_test(tc, an_empty_password_is_one);
    tcase_add_loop_test(tc, a_target_is_an_address_or_a_name, 0, COUNT_OF(targets));
    tcase_add_test(tc, what_socks_has_no_form_for_is_refused_at_once);
    tcase_add_loop_test(tc, an_answer_is_read_to_its_end_and_no_further, 0, COUNT_OF(answers));
    tcase_add_loop_test(tc, a_login_that_is_wanted_or_refused_is_told_apart_from_nonsense, 0,
                        COUNT_OF(logins));
    tcase_add_test(tc, output_may_leave_in_pieces);
    tcase_add_test(tc, every_reply_has_a_text_and_a_code);
    return run_suite("proto/socks_client", tc);
}

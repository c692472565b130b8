/* test_log.c - lines, levels and the limit for what strangers can cause. */
#include "suite.h"

#include "tws/base/log.h"

#include <string.h>

static char last[2048];
static size_t last_len;
static int lines;

static void keep(void *ctx, enum tws_log_level level, const char *line, size_t len)
{
    ck_assert_ptr_eq(ctx, last);
    ck_assert_int_le(level, TWS_LOG_TRACE);
    memcpy(last, line, len);
    last[len] = '\0';
    last_len = len;
    lines++;
}

static void set_up(void)
{
    lines = 0;
    tws_log_set(TWS_LOG_INFO, keep, last);
}

START_TEST(the_event_comes_first_then_its_values)
{
    tws_log(TWS_LOG_INFO, "link up", "link=%u peer=%s", 3u, "[::1]:80");
    ck_assert_str_eq(last, "link up link=3 peer=[::1]:80");
    tws_log(TWS_LOG_INFO, "ready", "");
    ck_assert_str_eq(last, "ready");
    ck_assert_uint_eq(last_len, 5);
}
END_TEST

static int asked;

static int expensive(void)
{
    return ++asked;
}

START_TEST(a_level_that_is_off_does_not_evaluate_its_arguments)
{
    tws_log(TWS_LOG_DEBUG, "x", "n=%d", expensive());
    ck_assert_int_eq(asked, 0);
    ck_assert_int_eq(lines, 0);
    tws_log_set(TWS_LOG_DEBUG, keep, last);
    tws_log(TWS_LOG_DEBUG, "x", "n=%d", expensive());
    ck_assert_int_eq(asked, 1);
    ck_assert_int_eq(lines, 1);
    ck_assert_int_eq(tws_log_level(), TWS_LOG_DEBUG);
}
END_TEST

START_TEST(without_a_sink_nothing_happens)
{
    tws_log_set(TWS_LOG_TRACE, NULL, NULL);
    tws_log(TWS_LOG_ERROR, "x", "");
    ck_assert_int_eq(lines, 0);
}
END_TEST

START_TEST(a_peers_text_cannot_forge_a_line_or_move_a_terminal)
{
    tws_log(TWS_LOG_WARN, "refused", "name=%s", "a\nroot login\x1b[2J\x7f");
    ck_assert_str_eq(last, "refused name=a?root login?[2J?");
    tws_log(TWS_LOG_WARN, "refused", "name=%s",
            "\xc2\x9b"
            "2J \xc3\x9b \xc2\xa0 \xc2");
    ck_assert_str_eq(last, "refused name=??2J \xc3\x9b \xc2\xa0 \xc2");
}
END_TEST

START_TEST(a_peers_word_cannot_forge_another_value)
{
    char word[] = "laptop user=root reason=\"x\"\ty", text[] = {'a', '"', ' ', 'b', '"'};

    tws_log_word(word);
    ck_assert_str_eq(word, "laptop?user=root?reason=?x??y");
    tws_log_quoted(text, 4);
    ck_assert_mem_eq(text, "a' b\"", 5);
}
END_TEST

START_TEST(a_long_line_ends_at_its_limit)
{
    char big[4000];

    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    tws_log(TWS_LOG_WARN, "x", "%s", big);
    ck_assert_uint_eq(last_len, 1023);
    tws_log(TWS_LOG_WARN, big, "%s", "tail");
    ck_assert_uint_eq(last_len, 1023);
}
END_TEST

START_TEST(ten_lines_at_once_then_one_a_second)
{
    struct tws_log_limit l = {0};
    uint64_t now = 5000000;

    for (int i = 0; i < 10; i++)
        ck_assert(tws_log_allow(&l, now));
    ck_assert(!tws_log_allow(&l, now));
    ck_assert(!tws_log_allow(&l, now + 900000));
    ck_assert_uint_eq(l.dropped, 2);
    ck_assert(tws_log_allow(&l, now + 1100000));
    ck_assert(!tws_log_allow(&l, now + 1200000));
}
END_TEST

START_TEST(what_was_not_said_is_counted_once_and_nothing_is_not_said)
{
    struct tws_log_limit l = {0};
    char text[TWS_LOG_UNSAID];

    for (int i = 0; i < 13; i++)
        (void)tws_log_allow(&l, 5000000);
    ck_assert_str_eq(tws_log_unsaid(&l, text), " unsaid=3");
    ck_assert_str_eq(tws_log_unsaid(&l, text), "");
}
END_TEST

START_TEST(asking_often_does_not_stop_the_refill)
{
    struct tws_log_limit l = {0};
    uint64_t now = 1000000;
    int allowed = 0;

    for (int i = 0; i < 20000; i++, now += 500) /* ten seconds, asked every half millisecond */
        allowed += tws_log_allow(&l, now);
    ck_assert_int_ge(allowed, 19);
    ck_assert_int_le(allowed, 20);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("log");
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, the_event_comes_first_then_its_values);
    tcase_add_test(tc, a_level_that_is_off_does_not_evaluate_its_arguments);
    tcase_add_test(tc, without_a_sink_nothing_happens);
    tcase_add_test(tc, a_peers_text_cannot_forge_a_line_or_move_a_terminal);
    tcase_add_test(tc, a_peers_word_cannot_forge_another_value);
    tcase_add_test(tc, a_long_line_ends_at_its_limit);
    tcase_add_test(tc, ten_lines_at_once_then_one_a_second);
    tcase_add_test(tc, what_was_not_said_is_counted_once_and_nothing_is_not_said);
    tcase_add_test(tc, asking_often_does_not_stop_the_refill);
    return run_suite("base/log", tc);
}

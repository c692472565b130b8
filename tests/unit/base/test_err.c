/* test_err.c - every error has a text and a wire code. */
#include "suite.h"

#include "tws/base/err.h"

#include <string.h>

START_TEST(every_error_has_its_own_text)
{
    for (int a = 0; a < TWS_ERR_END; a++) {
        ck_assert_ptr_nonnull(tws_err_text(a));
        for (int b = 0; b < a; b++)
            ck_assert_str_ne(tws_err_text(a), tws_err_text(b));
    }
}
END_TEST

static const struct {
    tws_err err;
    uint16_t code;
} rows[] = {
    {TWS_OK, 0},       {TWS_BLOCKED, 2},      {TWS_FULL, 14},         {TWS_E_PROTOCOL, 1},
    {TWS_E_FLOW, 3},   {TWS_E_FINAL_SIZE, 4}, {TWS_E_TOO_BIG, 5},     {TWS_E_STATE, 6},
    {TWS_E_EXCESS, 7}, {TWS_E_AUTH, 19},      {TWS_E_FRAGMENTED, 20}, {TWS_NOMEM, 14},
    {TWS_CONFIG, 2},   {TWS_BUG, 2},
};

START_TEST(an_error_says_what_the_peer_is_told)
{
    ck_assert_uint_eq(tws_err_code(rows[_i].err), rows[_i].code);
}
END_TEST

START_TEST(a_value_that_is_no_error_is_a_bug)
{
    ck_assert_uint_eq(tws_err_code(TWS_ERR_END), tws_err_code(TWS_BUG));
    ck_assert_str_eq(tws_err_text((tws_err)-1), tws_err_text(TWS_BUG));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("err");
    tcase_add_test(tc, every_error_has_its_own_text);
    tcase_add_loop_test(tc, an_error_says_what_the_peer_is_told, 0, COUNT_OF(rows));
    tcase_add_test(tc, a_value_that_is_no_error_is_a_bug);
    return run_suite("base/err", tc);
}

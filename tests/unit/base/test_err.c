/* test_err.c - every error has a text, a scope and a wire code. */
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
    enum tws_scope scope;
    uint16_t code;
} rows[] = {
    {TWS_OK, TWS_SCOPE_NONE, 0},
    {TWS_BLOCKED, TWS_SCOPE_NONE, 2},
    {TWS_FULL, TWS_SCOPE_NONE, 14},
    {TWS_E_PROTOCOL, TWS_SCOPE_SESSION, 1},
    {TWS_E_FLOW, TWS_SCOPE_SESSION, 3},
    {TWS_E_FINAL_SIZE, TWS_SCOPE_SESSION, 4},
    {TWS_E_TOO_BIG, TWS_SCOPE_SESSION, 5},
    {TWS_E_STATE, TWS_SCOPE_SESSION, 6},
    {TWS_E_EXCESS, TWS_SCOPE_SESSION, 7},
    {TWS_E_AUTH, TWS_SCOPE_SESSION, 19},
    {TWS_E_FRAGMENTED, TWS_SCOPE_SESSION, 20},
    {TWS_NOMEM, TWS_SCOPE_SESSION, 14},
    {TWS_CONFIG, TWS_SCOPE_PROCESS, 2},
    {TWS_BUG, TWS_SCOPE_PROCESS, 2},
};

START_TEST(an_error_says_what_dies_and_what_the_peer_is_told)
{
    ck_assert_int_eq(tws_err_scope(rows[_i].err), rows[_i].scope);
    ck_assert_uint_eq(tws_err_code(rows[_i].err), rows[_i].code);
}
END_TEST

START_TEST(a_value_that_is_no_error_is_a_bug)
{
    ck_assert_int_eq(tws_err_scope(TWS_ERR_END), TWS_SCOPE_PROCESS);
    ck_assert_str_eq(tws_err_text((tws_err)-1), tws_err_text(TWS_BUG));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("err");
    tcase_add_test(tc, every_error_has_its_own_text);
    tcase_add_loop_test(tc, an_error_says_what_dies_and_what_the_peer_is_told, 0, COUNT_OF(rows));
    tcase_add_test(tc, a_value_that_is_no_error_is_a_bug);
    return run_suite("base/err", tc);
}

/* test_balance.c - which of several servers gets the next channel. */
#include "suite.h"

#include "tws/tunnel/balance.h"

#define STEPS 4

static const struct script {
    const char *name;
    enum tws_balance how;
    size_t n;
    struct tws_candidate c[3];
    size_t picks[STEPS]; /* in a row, nothing else changing */
} scripts[] = {
    {"the first that is there gets all",
     TWS_BALANCE_ACTIVE_BACKUP,
     3,
     {{true, 90}, {true, 0}, {true, 0}},
     {0, 0, 0, 0}},
    {"the next one stands in for the first",
     TWS_BALANCE_ACTIVE_BACKUP,
     3,
     {{false, 0}, {true, 7}, {true, 0}},
     {1, 1, 1, 1}},
    {"in turn", TWS_BALANCE_ROUND_ROBIN, 3, {{true, 9}, {true, 0}, {true, 5}}, {0, 1, 2, 0}},
    {"in turn without those that are gone",
     TWS_BALANCE_ROUND_ROBIN,
     3,
     {{true, 0}, {false, 0}, {true, 0}},
     {0, 2, 0, 2}},
    {"the fewest channels",
     TWS_BALANCE_LEAST_LOADED,
     3,
     {{true, 3}, {true, 2}, {true, 4}},
     {1, 1, 1, 1}},
    {"equals take turns",
     TWS_BALANCE_LEAST_LOADED,
     3,
     {{true, 2}, {true, 2}, {true, 4}},
     {0, 1, 0, 1}},
    {"the fewest of those that are there",
     TWS_BALANCE_LEAST_LOADED,
     3,
     {{false, 0}, {true, 8}, {true, 9}},
     {1, 1, 1, 1}},
    {"none is there", TWS_BALANCE_ROUND_ROBIN, 2, {{false, 0}, {false, 0}}, {2, 2, 2, 2}},
    {"only one", TWS_BALANCE_LEAST_LOADED, 1, {{true, 5}}, {0, 0, 0, 0}},
};

START_TEST(picks_as_the_script_says)
{
    const struct script *s = &scripts[_i];
    size_t turn = 0;

    for (size_t i = 0; i < STEPS; i++) {
        size_t pick = tws_balance_pick(s->how, s->c, s->n, &turn);
        ck_assert_msg(pick == s->picks[i], "%s: step %zu: %zu", s->name, i, pick);
    }
}
END_TEST

START_TEST(a_server_that_comes_back_gets_its_turn)
{
    struct tws_candidate c[] = {{true, 0}, {false, 0}};
    size_t turn = 0;

    ck_assert_uint_eq(tws_balance_pick(TWS_BALANCE_ROUND_ROBIN, c, 2, &turn), 0);
    ck_assert_uint_eq(tws_balance_pick(TWS_BALANCE_ROUND_ROBIN, c, 2, &turn), 0);
    c[1].ready = true;
    ck_assert_uint_eq(tws_balance_pick(TWS_BALANCE_ROUND_ROBIN, c, 2, &turn), 1);
    ck_assert_uint_eq(tws_balance_pick(TWS_BALANCE_ROUND_ROBIN, c, 2, &turn), 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("balance");

    tcase_add_loop_test(tc, picks_as_the_script_says, 0, sizeof scripts / sizeof *scripts);
    tcase_add_test(tc, a_server_that_comes_back_gets_its_turn);
    return run_suite("tunnel/balance", tc);
}

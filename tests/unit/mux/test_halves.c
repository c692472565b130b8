/*
 * test_halves.c - how a channel ends: every event in every cell of the two machines, against grids
 * written down independently of the rules.
 */
#include "suite.h"

#include "tws/mux/halves.h"

#define EVENTS TWS_HALVES_EVENT_END
#define TXS    5
#define RXS    5

/* One letter a state: where each event leads from each. tx: Open, Fin due, fin Sent, Reset due,
 * reset sent ("T"). rx: Open, Draining, Aborted, discarding ("X"), Ended. */
static const char *const tx_grid[EVENTS] = {
    [TWS_HALVES_LOCAL_FIN] = "SFSRT",  [TWS_HALVES_LOCAL_RESET] = "RRSRT",
    [TWS_HALVES_LOCAL_STOP] = "OFSRT", [TWS_HALVES_DUE_SENT] = "OSSTT",
    [TWS_HALVES_PEER_FIN] = "OFSRT",   [TWS_HALVES_PEER_RESET] = "RRSRT",
    [TWS_HALVES_PEER_STOP] = "FFSRT",  [TWS_HALVES_ALL_CONSUMED] = "OFSRT",
};
static const char *const rx_grid[EVENTS] = {
    [TWS_HALVES_LOCAL_FIN] = "ODAXE",  [TWS_HALVES_LOCAL_RESET] = "XEEXE",
    [TWS_HALVES_LOCAL_STOP] = "XEEXE", [TWS_HALVES_DUE_SENT] = "ODAXE",
    [TWS_HALVES_PEER_FIN] = "DDAEE",   [TWS_HALVES_PEER_RESET] = "AAAEE",
    [TWS_HALVES_PEER_STOP] = "ODAXE",  [TWS_HALVES_ALL_CONSUMED] = "OEEXE",
};
static const char tx_letters[] = "OFSRT", rx_letters[] = "ODAXE";

static bool over(char tx, char rx)
{
    return (tx == 'S' || tx == 'T') && rx == 'E';
}

/* What must be done when (tx, rx) became (tx2, rx2). */
static unsigned expected_actions(enum tws_halves_event ev, const char *was, const char *is)
{
    unsigned todo = 0;

    if (was[0] != 'F' && is[0] == 'F')
        todo |= TWS_HALVES_SEND_FIN;
    if (was[0] != 'R' && is[0] == 'R')
        todo |= TWS_HALVES_SEND_RESET;
    if (ev == TWS_HALVES_LOCAL_STOP && was[1] == 'O')
        todo |= TWS_HALVES_SEND_STOP;
    if ((ev == TWS_HALVES_LOCAL_STOP || ev == TWS_HALVES_LOCAL_RESET) && was[1] != is[1])
        todo |= TWS_HALVES_DROP_RECEIVED;
    if (over(is[0], is[1]) && !over(was[0], was[1]))
        todo |= TWS_HALVES_RELEASE;
    return todo;
}

START_TEST(every_event_in_every_cell_leads_where_the_grids_say)
{
    int ev = _i / (TXS * RXS), tx = _i / RXS % TXS, rx = _i % RXS;
    struct tws_halves h = {(enum tws_tx_half)tx, (enum tws_rx_half)rx};
    char was[2] = {tx_letters[tx], rx_letters[rx]};
    char want[2] = {tx_grid[ev][tx], rx_grid[ev][rx]};

    /* The one rule across the halves: a reset behind our FIN is for a peer that still sends. */
    if (ev == TWS_HALVES_LOCAL_RESET && was[0] == 'S' && was[1] == 'O')
        want[0] = 'R';
    unsigned todo = tws_halves_step(&h, (enum tws_halves_event)ev);
    ck_assert_msg(tx_letters[h.tx] == want[0], "event %d in %c%c: tx became %c", ev, was[0], was[1],
                  tx_letters[h.tx]);
    ck_assert_msg(rx_letters[h.rx] == want[1], "event %d in %c%c: rx became %c", ev, was[0], was[1],
                  rx_letters[h.rx]);
    ck_assert_msg(todo == expected_actions((enum tws_halves_event)ev, was, want),
                  "event %d in %c%c: actions %x", ev, was[0], was[1], todo);
}
END_TEST

START_TEST(the_predicates_name_their_cells)
{
    for (int tx = 0; tx < TXS; tx++)
        for (int rx = 0; rx < RXS; rx++) {
            struct tws_halves h = {(enum tws_tx_half)tx, (enum tws_rx_half)rx};
            ck_assert_int_eq(tws_halves_sending(&h), tx_letters[tx] == 'O');
            ck_assert_int_eq(tws_halves_delivering(&h),
                             rx_letters[rx] != 'X' && rx_letters[rx] != 'E');
            ck_assert_int_eq(tws_halves_over(&h), over(tx_letters[tx], rx_letters[rx]));
        }
}
END_TEST

/* All sequences of five events from the beginning, each digit of the number one event. */
START_TEST(a_channel_is_released_at_most_once_and_ends_only_move_right)
{
    for (int n = 0; n < 8 * 8 * 8 * 8 * 8; n++) {
        struct tws_halves h = {TWS_TX_OPEN, TWS_RX_OPEN};
        int released = 0;
        for (int i = 0, rest = n; i < 5; i++, rest /= 8) {
            struct tws_halves was = h;
            unsigned todo = tws_halves_step(&h, (enum tws_halves_event)(rest % 8));
            if (h.tx < was.tx || h.rx < was.rx)
                ck_abort_msg("sequence %o: a half moved left", (unsigned)n);
            released += (todo & TWS_HALVES_RELEASE) != 0;
        }
        if (released != tws_halves_over(&h))
            ck_abort_msg("sequence %o: released %d times", (unsigned)n, released);
    }
}
END_TEST

/* Two channel ends and the frames between them, delivered at once. */
static void end_both(const enum tws_halves_event *a, int na, const enum tws_halves_event *b, int nb)
{
    struct tws_halves x = {TWS_TX_OPEN, TWS_RX_OPEN}, y = x;

    for (int i = 0; i < na; i++)
        tws_halves_step(&x, a[i]);
    for (int i = 0; i < nb; i++)
        tws_halves_step(&y, b[i]);
    ck_assert(tws_halves_over(&x) && tws_halves_over(&y));
}

START_TEST(reset_answered_by_reset_releases_both_ends)
{
    const enum tws_halves_event a[] = {TWS_HALVES_LOCAL_RESET, TWS_HALVES_DUE_SENT,
                                       TWS_HALVES_PEER_RESET};
    const enum tws_halves_event b[] = {TWS_HALVES_PEER_RESET, TWS_HALVES_DUE_SENT,
                                       TWS_HALVES_ALL_CONSUMED};
    end_both(a, COUNT_OF(a), b, COUNT_OF(b));
}
END_TEST

START_TEST(a_reset_that_meets_a_fin_needs_no_answer)
{
    const enum tws_halves_event a[] = {TWS_HALVES_LOCAL_RESET, TWS_HALVES_DUE_SENT,
                                       TWS_HALVES_PEER_FIN};
    const enum tws_halves_event b[] = {TWS_HALVES_LOCAL_FIN, TWS_HALVES_PEER_RESET,
                                       TWS_HALVES_ALL_CONSUMED};
    end_both(a, COUNT_OF(a), b, COUNT_OF(b));
}
END_TEST

START_TEST(stop_is_answered_by_fin)
{
    const enum tws_halves_event a[] = {TWS_HALVES_LOCAL_STOP, TWS_HALVES_PEER_FIN,
                                       TWS_HALVES_LOCAL_FIN};
    const enum tws_halves_event b[] = {TWS_HALVES_PEER_STOP, TWS_HALVES_DUE_SENT,
                                       TWS_HALVES_PEER_FIN, TWS_HALVES_ALL_CONSUMED};
    end_both(a, COUNT_OF(a), b, COUNT_OF(b));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("halves");
    tcase_add_loop_test(tc, every_event_in_every_cell_leads_where_the_grids_say, 0,
                        EVENTS * TXS * RXS);
    tcase_add_test(tc, the_predicates_name_their_cells);
    tcase_add_test(tc, a_channel_is_released_at_most_once_and_ends_only_move_right);
    tcase_add_test(tc, reset_answered_by_reset_releases_both_ends);
    tcase_add_test(tc, a_reset_that_meets_a_fin_needs_no_answer);
    tcase_add_test(tc, stop_is_answered_by_fin);
    return run_suite("halves", tc);
}

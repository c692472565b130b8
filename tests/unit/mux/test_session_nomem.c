/*
 * test_session_nomem.c - a whole life, with the n-th allocation failing, for every n: an error or a
 * closed session, never a crash, a leak or a wrong byte.
 */
#include "suite.h"
#include "wire.h"

static struct pair p;

static bool start(size_t client_fails_at, size_t server_fails_at)
{
    struct tws_session_config cfg = {
        .early_data = 4096, .peer_early_data = 4096, .peer_early_datagrams = 4096};
    tws_err c, s;

    cfg.client = true;
    c = side_init(&p.c, &cfg, client_fails_at);
    cfg.client = false;
    s = side_init(&p.s, &cfg, server_fails_at);
    ck_assert(c == TWS_OK || c == TWS_NOMEM);
    ck_assert(s == TWS_OK || s == TWS_NOMEM);
    return c == TWS_OK && s == TWS_OK;
}

static bool link_up(unsigned i)
{
    tws_err s = side_link(&p.s, i), c = TWS_OK;

    if (s == TWS_OK)
        c = side_link(&p.c, i);
    ck_assert(s == TWS_OK || s == TWS_NOMEM);
    ck_assert(c == TWS_OK || c == TWS_NOMEM);
    return s == TWS_OK && c == TWS_OK;
}

static void answer(const struct app *a)
{
    struct app *b = a == NULL ? NULL : side_app(&p.s, a->id);

    if (b != NULL && b->ch != NULL)
        side_send(&p.s, b, 120000, true);
}

/* Opens, sends both ways, loses a link, resumes, reorders, ends. */
static bool live(void)
{
    if (!link_up(0))
        return false;
    pair_run(&p);
    struct app *a = side_open(&p.c, 200000, true), *b = side_open(&p.c, 50000, false);
    p.s.pause_new = true;
    struct app *stalled = side_open(&p.c, 100000, true);
    struct app *flow = side_open_kind(&p.c, TWS_KIND_UDP, 20, false);
    pair_run(&p);
    answer(a);
    side_flush(&p.s, 0);
    pair_cut(&p, 0);
    if (!link_up(1) || !link_up(2))
        return false;
    pair_run(&p);
    if (b != NULL && b->ch != NULL)
        tws_channel_reset(b->ch, TWS_CODE_TARGET_RESET, "gone", p.c.now);
    side_events(&p.c);
    pair_run(&p);
    for (struct app *x = p.s.apps; x != NULL; x = x->next)
        if (x->ch != NULL)
            app_read(&p.s, x);
    side_events(&p.s);
    pair_pass(&p, 100 * MS, 20 * MS);
    return a != NULL && b != NULL && stalled != NULL && flow != NULL && a->got == 120000 &&
           side_app(&p.s, a->id) != NULL && side_app(&p.s, a->id)->got == 200000 &&
           side_app(&p.s, stalled->id)->got == 100000 && side_app(&p.s, flow->id)->got == 20;
}

/* True: no allocation was left to fail. */
static bool run(size_t client_fails_at, size_t server_fails_at)
{
    bool whole = start(client_fails_at, server_fails_at) && live();
    bool failed = p.c.mem.failed || p.s.mem.failed;

    ck_assert_msg(failed || whole, "nothing failed, but not all arrived");
    ck_assert_msg(failed || (!p.c.closed && !p.s.closed),
                  "nothing failed, but a session is closed");
    if (p.c.s != NULL)
        tws_session_close(p.c.s, TWS_CODE_NONE, NULL, p.c.now);
    side_fini(&p.c);
    side_fini(&p.s);
    return !failed;
}

START_TEST(every_allocation_of_the_client_may_fail)
{
    size_t n = 1;

    while (!run(n, 0))
        n++;
    ck_assert_uint_gt(n, 10);
}
END_TEST

START_TEST(every_allocation_of_the_server_may_fail)
{
    size_t n = 1;

    while (!run(0, n))
        n++;
    ck_assert_uint_gt(n, 10);
}
END_TEST

START_TEST(a_session_that_ran_out_of_memory_says_so_with_code_14)
{
    size_t n = 1, closed = 0;

    for (bool done = false; !done; n++) {
        done = start(0, n) && live() && !p.s.mem.failed;
        done = done || !p.s.mem.failed;
        if (p.s.closed && p.s.mem.failed) {
            ck_assert_uint_eq(p.s.code, TWS_CODE_RESOURCES);
            closed++;
        }
        side_fini(&p.c);
        side_fini(&p.s);
    }
    ck_assert_uint_gt(closed, 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("session nomem");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_allocation_of_the_client_may_fail);
    tcase_add_test(tc, every_allocation_of_the_server_may_fail);
    tcase_add_test(tc, a_session_that_ran_out_of_memory_says_so_with_code_14);
    return run_suite("session nomem", tc);
}

/* test_resolver.c - lookups that block, stall, fail and are given up, behind a faked getaddrinfo.
 */
#include "driver.h"

#include "tws/net/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* "silent-*" waits until the gate is opened; "four" is 192.0.2.1; anything else does not exist. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int begun, ended;

static int fake(const char *host, struct tws_ip ips[TWS_RESOLVED_MAX], size_t *count)
{
    pthread_mutex_lock(&mutex);
    begun++;
    pthread_cond_broadcast(&changed);
    while (strncmp(host, "silent-", 7) == 0 && !gate_open)
        pthread_cond_wait(&changed, &mutex);
    ended++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    if (strcmp(host, "broken") == 0) {
        errno = EIO;
        return EAI_SYSTEM;
    }
    if (strcmp(host, "empty") == 0)
        return 0;
    if (strcmp(host, "unknown") == 0)
        return EAI_NONAME;
    ips[0] = (struct tws_ip){.family = 4, .bytes = {192, 0, 2, 1}};
    *count = 1;
    return 0;
}

static void await(const int *value, int at_least)
{
    pthread_mutex_lock(&mutex);
    while (*value < at_least)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void open_gate(void)
{
    pthread_mutex_lock(&mutex);
    gate_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

struct question {
    struct tws_resolve query;
    struct tws_loop *loop;
    int answers, *left; /* stops the loop at 0 */
    size_t count;
    char error[128];
    struct question *cancels;
};

static void on_answer(struct tws_resolve *q, const struct tws_resolved *r)
{
    struct question *k = TWS_CONTAINER(q, struct question, query);

    k->answers++;
    k->count = r->count;
    snprintf(k->error, sizeof k->error, "%s", r->error != NULL ? r->error : "");
    if (k->cancels != NULL)
        tws_resolve_cancel(&k->cancels->query);
    if (--*k->left == 0)
        tws_loop_stop(k->loop);
}

static tws_err ask_for(const void *owner, struct question *k, struct tws_loop *loop,
                       const char *host, int *left)
{
    *k = (struct question){.loop = loop, .left = left};
    tws_resolve_init(&k->query, on_answer);
    return tws_resolve_start(loop, &k->query, host, owner);
}

static tws_err ask(struct question *k, struct tws_loop *loop, const char *host, int *left)
{
    return ask_for(NULL, k, loop, host, left);
}

static struct tws_loop *fake_loop(void)
{
    struct tws_loop *loop = driver_loop();

    gate_open = false;
    begun = ended = 0;
    ck_assert_int_eq(tws_resolver_replace(loop, fake), TWS_OK);
    return loop;
}

static const struct {
    const char *host, *error;
    size_t count;
} answers[] = {
    {"four", "", 1},
    {"unknown", "Name or service not known", 0},
    {"broken", "Input/output error", 0},
    {"empty", "no address of a known family", 0},
};

START_TEST(an_answer_or_its_reason_comes_once_and_not_at_once)
{
    struct tws_loop *loop = fake_loop();
    struct question k;
    int left = 1;

    ck_assert_int_eq(ask(&k, loop, answers[_i].host, &left), TWS_OK);
    ck_assert_int_eq(k.answers, 0);
    driver_run(loop);
    ck_assert_int_eq(k.answers, 1);
    ck_assert_uint_eq(k.count, answers[_i].count);
    ck_assert_str_eq(k.error, answers[_i].error);
    tws_loop_free(loop);
}
END_TEST

START_TEST(the_system_resolves_localhost)
{
    struct tws_loop *loop = driver_loop();
    struct question k;
    int left = 1;

    ck_assert_int_eq(ask(&k, loop, "localhost", &left), TWS_OK);
    driver_run(loop);
    ck_assert_str_eq(k.error, "");
    ck_assert_uint_ge(k.count, 1);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_name_that_does_not_exist_says_so)
{
    struct tws_loop *loop = driver_loop();
    struct question k;
    int left = 1;

    ck_assert_int_eq(ask(&k, loop, "no such name", &left), TWS_OK);
    driver_run(loop);
    ck_assert_str_ne(k.error, "");
    tws_loop_free(loop);
}
END_TEST

static struct question many[TWS_RESOLVER_LINE + 1];

START_TEST(a_thousand_who_ask_for_one_silent_name_hold_one_thread)
{
    struct tws_loop *loop = fake_loop();
    struct question other;
    int left = 1;

    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(ask(&many[i], loop, "silent-1", &left), TWS_OK);
    ck_assert_int_eq(ask(&other, loop, "four", &left), TWS_OK);
    driver_run(loop);
    ck_assert_int_eq(other.answers, 1);
    ck_assert_int_eq(begun, 2);
    left = 1000;
    open_gate();
    driver_run(loop);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(many[i].answers, 1);
    tws_loop_free(loop);
}
END_TEST

static void ask_silent(struct tws_loop *loop, int n, int *left)
{
    for (int i = 0; i < n; i++) {
        char host[32];

        snprintf(host, sizeof host, "silent-%d", i);
        ck_assert_int_eq(ask(&many[i], loop, host, left), TWS_OK);
    }
}

START_TEST(lookups_under_way_are_bounded_and_the_others_wait_in_order)
{
    struct tws_loop *loop = fake_loop();
    int left = 1000;

    ask_silent(loop, 1000, &left);
    await(&begun, TWS_RESOLVER_THREADS);
    driver_run_for(loop, 20000);
    ck_assert_int_eq(begun, TWS_RESOLVER_THREADS);
    open_gate();
    driver_run(loop);
    ck_assert_int_eq(ended, 1000);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_cancelled_lookup_that_waits_is_never_made)
{
    struct tws_loop *loop = fake_loop();
    int left = TWS_RESOLVER_THREADS;

    ask_silent(loop, 100, &left);
    await(&begun, TWS_RESOLVER_THREADS);
    for (int i = TWS_RESOLVER_THREADS; i < 100; i++)
        tws_resolve_cancel(&many[i].query);
    tws_resolve_cancel(&many[99].query);
    open_gate();
    driver_run(loop);
    driver_run_for(loop, 5000);
    ck_assert_int_eq(begun, TWS_RESOLVER_THREADS);
    ck_assert_int_eq(many[99].answers, 0);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_cancelled_lookup_that_runs_answers_nobody)
{
    struct tws_loop *loop = fake_loop();
    struct question other;
    int left = 1;

    ask_silent(loop, 1, &left);
    await(&begun, 1);
    tws_resolve_cancel(&many[0].query);
    open_gate();
    await(&ended, 1);
    ck_assert_int_eq(ask(&other, loop, "four", &left), TWS_OK);
    driver_run(loop);
    ck_assert_int_eq(many[0].answers, 0);
    tws_loop_free(loop);
}
END_TEST

START_TEST(one_who_gets_the_answer_may_cancel_the_next_who_would)
{
    struct tws_loop *loop = fake_loop();
    int left = 1;

    ask_silent(loop, 1, &left);
    ck_assert_int_eq(ask(&many[1], loop, "silent-0", &left), TWS_OK);
    many[0].cancels = &many[1];
    open_gate();
    driver_run(loop);
    driver_run_for(loop, 5000);
    ck_assert_int_eq(many[0].answers, 1);
    ck_assert_int_eq(many[1].answers, 0);
    tws_loop_free(loop);
}
END_TEST

START_TEST(the_loop_ends_while_lookups_are_stuck_and_they_end_later_unharmed)
{
    struct tws_loop *loop = fake_loop();
    int left = 1;

    ask_silent(loop, 100, &left);
    await(&begun, TWS_RESOLVER_THREADS);
    for (int i = 0; i < 100; i++)
        tws_resolve_cancel(&many[i].query);
    tws_loop_free(loop);
    open_gate();
    await(&ended, TWS_RESOLVER_THREADS);
    ck_assert_int_eq(begun, TWS_RESOLVER_THREADS);
}
END_TEST

/* Owners are only compared. */
static const char one_user[1], another[1];

/* silent-0, silent-1, ... of one user, as many as may wait for one. */
static void fill_line(struct tws_loop *loop, int *left)
{
    for (int i = 0; i < TWS_RESOLVER_LINE; i++) {
        char host[32];

        snprintf(host, sizeof host, "silent-%d", i);
        ck_assert_int_eq(ask_for(one_user, &many[i], loop, host, left), TWS_OK);
    }
    ck_assert_int_eq(ask_for(one_user, &many[TWS_RESOLVER_LINE], loop, "four", left), TWS_FULL);
    await(&begun, TWS_RESOLVER_SHARE);
}

START_TEST(one_users_silent_names_leave_the_others_theirs)
{
    struct tws_loop *loop = fake_loop();
    struct question k, own;
    int left = 1;

    fill_line(loop, &left);
    ck_assert_int_eq(ask_for(another, &k, loop, "four", &left), TWS_OK);
    driver_run(loop);
    ck_assert_uint_eq(k.count, 1);
    left = 1;
    ck_assert_int_eq(ask(&own, loop, "four", &left), TWS_OK);
    driver_run(loop);
    ck_assert_uint_eq(own.count, 1);
    ck_assert_int_eq(begun, TWS_RESOLVER_SHARE + 2);
    left = TWS_RESOLVER_LINE;
    open_gate();
    driver_run(loop);
    for (int i = 0; i < TWS_RESOLVER_LINE; i++)
        ck_assert_int_eq(many[i].answers, 1);
    left = 1;
    ck_assert_int_eq(ask_for(one_user, &k, loop, "four", &left), TWS_OK);
    driver_run(loop);
    tws_loop_free(loop);
}
END_TEST

START_TEST(nobody_waits_in_the_line_of_another)
{
    struct tws_loop *loop = fake_loop();
    struct question first, second, k;
    int left = 1;

    for (int i = 0; i < TWS_RESOLVER_SHARE; i++) {
        char host[32];

        snprintf(host, sizeof host, "silent-%d", i);
        ck_assert_int_eq(ask_for(one_user, &many[i], loop, host, &left), TWS_OK);
    }
    ck_assert_int_eq(ask_for(one_user, &first, loop, "four", &left), TWS_OK);
    ck_assert_int_eq(ask_for(one_user, &second, loop, "four", &left), TWS_OK);
    ck_assert_int_eq(ask_for(another, &k, loop, "four", &left), TWS_OK);
    driver_run(loop);
    ck_assert_int_eq(k.answers, 1);
    ck_assert_int_eq(first.answers + second.answers, 0);
    left = TWS_RESOLVER_SHARE + 2;
    open_gate();
    driver_run(loop);
    ck_assert_int_eq(first.answers + second.answers, 2);
    ck_assert_int_eq(begun, TWS_RESOLVER_SHARE + 2); /* the two asked as one */
    tws_loop_free(loop);
}
END_TEST

START_TEST(who_gives_up_leaves_the_line_and_makes_room_in_it)
{
    struct tws_loop *loop = fake_loop();
    struct question k;
    int last = TWS_RESOLVER_LINE - 1, left = TWS_RESOLVER_SHARE + 1;

    fill_line(loop, &left);
    for (int i = TWS_RESOLVER_SHARE; i < last; i++)
        tws_resolve_cancel(&many[i].query);
    ck_assert_int_eq(ask_for(one_user, &k, loop, "four", &left), TWS_OK);
    tws_resolve_cancel(&k.query);
    open_gate();
    driver_run(loop);
    driver_run_for(loop, 5000);
    ck_assert_int_eq(many[last].answers, 1);
    ck_assert_int_eq(begun, TWS_RESOLVER_SHARE + 1);
    tws_loop_free(loop);
}
END_TEST

START_TEST(the_loop_ends_while_a_line_waits)
{
    struct tws_loop *loop = fake_loop();
    int left = 1;

    fill_line(loop, &left);
    tws_loop_free(loop);
    open_gate();
    await(&ended, TWS_RESOLVER_SHARE);
    ck_assert_int_eq(begun, TWS_RESOLVER_SHARE);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_not_asked_for)
{
    struct tws_loop *loop = fake_loop();
    struct question k;
    char host[TWS_HOST_MAX + 2];
    int left = 1;

    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    ck_assert_int_eq(ask(&k, loop, host, &left), TWS_FULL);
    host[sizeof host - 2] = '\0';
    ck_assert_int_eq(ask(&k, loop, host, &left), TWS_OK);
    driver_run(loop);
    tws_loop_free(loop);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("resolver");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, an_answer_or_its_reason_comes_once_and_not_at_once, 0,
                        COUNT_OF(answers));
    tcase_add_test(tc, the_system_resolves_localhost);
    tcase_add_test(tc, a_name_that_does_not_exist_says_so);
    tcase_add_test(tc, a_thousand_who_ask_for_one_silent_name_hold_one_thread);
    tcase_add_test(tc, lookups_under_way_are_bounded_and_the_others_wait_in_order);
    tcase_add_test(tc, a_cancelled_lookup_that_waits_is_never_made);
    tcase_add_test(tc, a_cancelled_lookup_that_runs_answers_nobody);
    tcase_add_test(tc, one_who_gets_the_answer_may_cancel_the_next_who_would);
    tcase_add_test(tc, the_loop_ends_while_lookups_are_stuck_and_they_end_later_unharmed);
    tcase_add_test(tc, one_users_silent_names_leave_the_others_theirs);
    tcase_add_test(tc, nobody_waits_in_the_line_of_another);
    tcase_add_test(tc, who_gives_up_leaves_the_line_and_makes_room_in_it);
    tcase_add_test(tc, the_loop_ends_while_a_line_waits);
    tcase_add_test(tc, a_name_that_is_too_long_is_not_asked_for);

    return run_suite("net/resolver", tc);
}

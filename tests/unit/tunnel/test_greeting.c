/*
 * test_greeting.c - the first bytes of a connection, until it is an arrival or is sent away; and
 * the words a front says between socket and stream. The protocol here is "?" (answered by "!"),
 * then "name\n"; a name of "bad" is refused with "no\n".
 */
#include "front_priv.h"
#include "greeting_priv.h"
#include "suite.h"

#include "tws/base/log.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_US 20000000u

static struct tws_loop *loop;
static struct tws_partings partings;
static struct tws_greetings greetings;
static const struct tws_forward record = {.kind = TWS_FORWARD_TCP};
static const struct tws_forward *conf = &record;
static unsigned arrivals, lines, stopping_lines;
static char name[TWS_HOST_MAX + 1], early[1024], last_line[256];
static int arrived_fd, owner;
static bool watched;

/* ---- the protocol ---- */

static enum tws_greet read_name(struct tws_greeting *g, struct tws_span in, size_t *used)
{
    const uint8_t *end = in.n == 0 ? NULL : memchr(in.p, '\n', in.n);

    ck_assert_ptr_eq(*g->conf, conf);
    if (g->stage == 0) {
        if (in.n == 0)
            return TWS_GREET_MORE;
        ck_assert_int_eq(in.p[0], '?');
        tws_greeting_say(g, "!", 1);
        g->stage = 1;
        *used = 1;
        return TWS_GREET_MORE;
    }
    if (end == NULL)
        return TWS_GREET_MORE;
    *used = (size_t)(end - in.p) + 1;
    if (*used == 4 && memcmp(in.p, "bad", 3) == 0) {
        tws_greeting_say(g, "no\n", 3);
        g->why = "a bad name";
        return TWS_GREET_FAIL;
    }
    g->arrival.target.type = TWS_TARGET_NAME;
    memcpy(g->arrival.target.name, in.p, *used - 1);
    return TWS_GREET_DONE;
}

static void give_up(struct tws_greeting *g, tws_err why)
{
    tws_greeting_say(g, why == TWS_FULL ? "long\n" : "slow\n", 5);
}

static const struct tws_greeter greeter = {.name = "test", .read = read_name, .give_up = give_up};

/* ---- the world ---- */

static void on_done(void *o, const struct tws_arrival *a)
{
    ck_assert_ptr_eq(o, &owner);
    ck_assert_uint_lt(a->early.n, sizeof early);
    arrivals++;
    arrived_fd = a->fd;
    snprintf(name, sizeof name, "%s", a->target.name);
    memcpy(early, a->early.p, a->early.n);
    early[a->early.n] = '\0';
    watched = a->io != NULL;
    if (watched)
        tws_io_stop(a->io);
    tws_loop_stop(loop);
}

static void sink(void *ctx, enum tws_log_level level, const char *line, size_t len)
{
    (void)ctx;
    if (level > TWS_LOG_WARN)
        return;
    lines++;
    snprintf(last_line, sizeof last_line, "%.*s", (int)len, line);
    if (lines == stopping_lines)
        tws_loop_stop(loop);
}

static void setup(void)
{
    arrivals = lines = stopping_lines = 0;
    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    tws_partings_init(&partings, loop);
    tws_greetings_init(&greetings, loop, &partings, on_done);
    tws_log_set(TWS_LOG_INFO, sink, NULL);
}

static void teardown(void)
{
    tws_greetings_drop(&greetings, NULL);
    tws_partings_fini(&partings);
    ck_assert_uint_eq(greetings.n, 0);
    ck_assert_uint_eq(partings.n, 0);
    tws_loop_free(loop);
    tws_log_set(TWS_LOG_INFO, NULL, NULL);
}

static void on_failsafe(struct tws_timer *t)
{
    (void)t;
    ck_abort_msg("what the test waits for did not come");
}

static void run(void)
{
    struct tws_timer t;

    tws_timer_init(&t, loop, on_failsafe);
    tws_timer_start(&t, PATIENCE_US);
    tws_loop_run(loop);
    tws_timer_stop(&t);
}

/* Two ends of a connection; [1] is the program's. */
static void connect_pair(int fd[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
}

/* One that has said `words` before. */
static int start_saying(const char *words, const char *ip_text)
{
    struct tws_greeting_config cfg = {.greeter = &greeter, .conf = &conf, .owner = &owner};
    struct tws_ip ip;
    int fd[2];

    connect_pair(fd);
    cfg.arrival.fd = fd[1];
    ck_assert_int_eq(tws_ip_parse(ip_text, &ip), TWS_OK);
    tws_sockaddr_set(&cfg.arrival.source, &ip, 4711);
    ck_assert_int_eq(send(fd[0], words, strlen(words), 0), (ssize_t)strlen(words));
    tws_greeting_start(&greetings, &cfg);
    return fd[0];
}

static int start_from(const char *ip_text)
{
    return start_saying("", ip_text);
}

static void put(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void expect(int fd, const char *text)
{
    char got[64];
    ssize_t n = recv(fd, got, sizeof got - 1, 0);

    ck_assert_msg(n >= 0, "%s", strerror(errno));
    got[n] = '\0';
    ck_assert_str_eq(got, text);
}

/* ---- greetings ---- */

START_TEST(what_is_not_used_belongs_to_the_stream)
{
    int fd = start_from("192.0.2.1");

    put(fd, "?host\nGET /");
    run();
    ck_assert_uint_eq(arrivals, 1);
    ck_assert_str_eq(name, "host");
    ck_assert_str_eq(early, "GET /");
    expect(fd, "!");
    ck_assert_uint_eq(greetings.n, 0);
    close(arrived_fd);
    close(fd);
}
END_TEST

START_TEST(what_came_before_is_understood_at_once)
{
    int fd = start_saying("?host\nGET /", "192.0.2.1");

    ck_assert_uint_eq(arrivals, 1);
    ck_assert_str_eq(name, "host");
    ck_assert_str_eq(early, "GET /");
    ck_assert_uint_eq(greetings.n, 0);
    close(arrived_fd);
    close(fd);
}
END_TEST

START_TEST(what_came_before_may_be_a_part)
{
    int fd = start_saying("?ho", "192.0.2.1");

    ck_assert_uint_eq(arrivals, 0);
    expect(fd, "!");
    put(fd, "st\n");
    run();
    ck_assert_uint_eq(arrivals, 1);
    ck_assert_str_eq(name, "host");
    close(arrived_fd);
    close(fd);
}
END_TEST

/* What was read to its end is not read again: the next edge is that of bytes yet to come. */
START_TEST(who_was_read_empty_is_still_watched)
{
    int fd = start_saying("?", "192.0.2.1");

    put(fd, "host\nGET /");
    run();
    ck_assert(watched);
    close(arrived_fd);
    close(fd);
}
END_TEST

START_TEST(who_may_have_said_more_is_watched_anew)
{
    char much[511] = "host\n"; /* with the byte before, all that the first buffer holds */
    int fd = start_saying("", "192.0.2.1");

    memset(much + 5, 'x', sizeof much - 5);
    put(fd, "?");
    ck_assert_int_eq(send(fd, much, sizeof much, 0), (ssize_t)sizeof much);
    run();
    ck_assert_uint_eq(strlen(early), sizeof much - 5);
    ck_assert(!watched);
    close(arrived_fd);
    close(fd);
}
END_TEST

START_TEST(whose_end_has_come_is_watched_anew)
{
    int fd = start_saying("?", "192.0.2.1");

    put(fd, "host\n");
    shutdown(fd, SHUT_WR);
    run();
    ck_assert(!watched);
    close(arrived_fd);
    close(fd);
}
END_TEST

static int slow_fd;

static void put_slowly(struct tws_timer *t)
{
    static const char text[] = "?host\n";
    static size_t at;

    if (at == strlen(text))
        return;
    ck_assert_int_eq(send(slow_fd, text + at++, 1, 0), 1);
    tws_timer_start(t, 1000);
}

START_TEST(bytes_may_come_one_by_one)
{
    struct tws_timer t;

    slow_fd = start_from("192.0.2.1");
    tws_timer_init(&t, loop, put_slowly);
    tws_timer_start(&t, 0);
    run();
    ck_assert_str_eq(name, "host");
    ck_assert_str_eq(early, "");
    close(arrived_fd);
    close(slow_fd);
}
END_TEST

START_TEST(a_refusal_is_heard_although_more_bytes_are_on_their_way)
{
    int fd = start_from("192.0.2.1");

    stopping_lines = 1;
    put(fd, "?bad\nmuch more that nobody reads");
    run();
    expect(fd, "!no\n");
    expect(fd, ""); /* our end, and no reset */
    ck_assert_uint_eq(arrivals, 0);
    ck_assert_ptr_nonnull(
        strstr(last_line, "source=192.0.2.1:4711 kind=test reason=\"a bad name\""));
    close(fd);
}
END_TEST

START_TEST(too_many_bytes_are_refused)
{
    char much[TWS_GREETING_MAX + 1];
    int fd = start_from("192.0.2.1");

    memset(much, 'x', sizeof much);
    much[0] = '?';
    stopping_lines = 1;
    ck_assert_int_eq(send(fd, much, sizeof much, 0), (ssize_t)sizeof much);
    run();
    ck_assert_uint_eq(arrivals, 0);
    ck_assert_ptr_nonnull(strstr(last_line, "too many bytes"));
    close(fd);
}
END_TEST

START_TEST(a_source_gets_one_line_a_second_and_does_not_silence_another)
{
    int fd[21];

    for (int i = 0; i < 20; i++) {
        fd[i] = start_from("192.0.2.1");
        put(fd[i], "?bad\n");
    }
    fd[20] = start_from("192.0.2.2");
    put(fd[20], "?bad\n");
    stopping_lines = 2;
    run();
    ck_assert_uint_eq(lines, 2);
    ck_assert_ptr_nonnull(strstr(last_line, "source=192.0.2.2:4711"));
    for (int i = 0; i < 21; i++) {
        expect(fd[i], "!no\n");
        close(fd[i]);
    }
}
END_TEST

START_TEST(of_too_many_the_one_that_took_longest_goes)
{
    static int fd[TWS_GREETINGS_MAX];

    if (tws_raise_fd_limit() < 2 * TWS_GREETINGS_MAX + 64)
        return;
    for (unsigned i = 0; i < TWS_GREETINGS_MAX; i++)
        fd[i] = start_from("192.0.2.1");
    int last = start_from("192.0.2.1");
    ck_assert_uint_eq(greetings.n, TWS_GREETINGS_MAX);
    expect(fd[0], "slow\n");
    put(last, "?host\n");
    run();
    ck_assert_str_eq(name, "host");
    close(arrived_fd);
    close(last);
    for (unsigned i = 0; i < TWS_GREETINGS_MAX; i++)
        close(fd[i]);
}
END_TEST

START_TEST(a_connection_that_ends_before_it_asked_leaves_nothing)
{
    int gone = start_from("192.0.2.1"), fd = start_from("192.0.2.1");

    close(gone);
    put(fd, "?host\n");
    run();
    ck_assert_uint_eq(greetings.n, 0);
    ck_assert_uint_eq(lines, 0);
    close(arrived_fd);
    close(fd);
}
END_TEST

START_TEST(an_owner_takes_its_greetings_with_it)
{
    int other, fd = start_from("192.0.2.1");

    put(fd, "?");
    tws_greetings_drop(&greetings, &other);
    ck_assert_uint_eq(greetings.n, 1);
    tws_greetings_drop(&greetings, &owner);
    ck_assert_uint_eq(greetings.n, 0);
    close(fd);
}
END_TEST

/* ---- fronts ---- */

static size_t say_opened(struct tws_span bound, uint8_t *out)
{
    return (size_t)snprintf((char *)out, TWS_REPLY_MAX, "open %zu\n", bound.n);
}

static size_t say_refused(uint16_t code, struct tws_span text, uint8_t *out)
{
    return (size_t)snprintf((char *)out, TWS_REPLY_MAX, "refused %u %zu\n", (unsigned)code, text.n);
}

static const struct tws_reply reply = {say_opened, say_refused};

static struct tws_front *new_front(const char *early_text, const struct tws_reply *r)
{
    const struct tws_front_config cfg = {
        .early = {(const uint8_t *)early_text, strlen(early_text)},
        .reply = r,
        .partings = &partings,
    };
    struct tws_front *f = tws_front_new(&cfg);

    ck_assert_ptr_nonnull(f);
    return f;
}

START_TEST(early_bytes_come_in_pieces_and_once)
{
    struct tws_front *f = new_front("abcde", NULL);
    char buf[8];

    ck_assert(tws_front_has_early(f));
    ck_assert_int_eq(tws_front_read(f, buf, 3), 3);
    ck_assert(tws_front_has_early(f));
    ck_assert_int_eq(tws_front_read(f, buf + 3, sizeof buf - 3), 2);
    ck_assert(!tws_front_has_early(f));
    ck_assert_mem_eq(buf, "abcde", 5);
    ck_assert(!tws_front_owes_answer(f));
    tws_front_free(f);
    ck_assert(!tws_front_has_early(NULL) && !tws_front_owes_answer(NULL));
}
END_TEST

START_TEST(an_answer_is_given_once)
{
    struct tws_front *f = new_front("", &reply);
    const uint8_t bound[7] = {1};
    int fd[2];

    connect_pair(fd);
    ck_assert(tws_front_owes_answer(f));
    ck_assert_int_eq(tws_front_opened(f, fd[1], (struct tws_span){bound, sizeof bound}), 0);
    ck_assert(!tws_front_owes_answer(f));
    expect(fd[0], "open 7\n");
    tws_front_free(f);
    close(fd[0]);
    close(fd[1]);
}
END_TEST

START_TEST(a_client_that_is_gone_is_an_error_not_a_signal)
{
    struct tws_front *f = new_front("", &reply);
    int fd[2];

    connect_pair(fd);
    close(fd[0]);
    ck_assert_int_eq(tws_front_opened(f, fd[1], (struct tws_span){NULL, 0}), EPIPE);
    tws_front_free(f);
    close(fd[1]);
}
END_TEST

START_TEST(a_refusal_parts_from_the_client)
{
    struct tws_front *f = new_front("", &reply);
    int fd[2];

    connect_pair(fd);
    tws_front_refused(f, fd[1], 10, (struct tws_span){NULL, 0});
    ck_assert_uint_eq(partings.n, 1);
    expect(fd[0], "refused 10 0\n");
    expect(fd[0], "");
    tws_front_free(f);
    close(fd[0]);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("greeting");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_not_used_belongs_to_the_stream);
    tcase_add_test(tc, what_came_before_is_understood_at_once);
    tcase_add_test(tc, what_came_before_may_be_a_part);
    tcase_add_test(tc, who_was_read_empty_is_still_watched);
    tcase_add_test(tc, who_may_have_said_more_is_watched_anew);
    tcase_add_test(tc, whose_end_has_come_is_watched_anew);
    tcase_add_test(tc, bytes_may_come_one_by_one);
    tcase_add_test(tc, a_refusal_is_heard_although_more_bytes_are_on_their_way);
    tcase_add_test(tc, too_many_bytes_are_refused);
    tcase_add_test(tc, a_source_gets_one_line_a_second_and_does_not_silence_another);
    tcase_add_test(tc, of_too_many_the_one_that_took_longest_goes);
    tcase_add_test(tc, a_connection_that_ends_before_it_asked_leaves_nothing);
    tcase_add_test(tc, an_owner_takes_its_greetings_with_it);
    tcase_add_test(tc, early_bytes_come_in_pieces_and_once);
    tcase_add_test(tc, an_answer_is_given_once);
    tcase_add_test(tc, a_client_that_is_gone_is_an_error_not_a_signal);
    tcase_add_test(tc, a_refusal_parts_from_the_client);
    return run_suite("tunnel/greeting", tc);
}

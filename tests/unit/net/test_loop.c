/* test_loop.c - descriptors, tasks and turns: who is called when, and who must not be. */
#include "driver.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define PAIRS 300 /* more than one batch */

struct end {
    struct tws_io io;
    int fd, peer;
    int calls;
    unsigned events;
    void (*then)(struct end *);
    struct end *other;
    struct tws_loop *loop;
};

static void on_end(struct tws_io *io, unsigned events)
{
    struct end *e = TWS_CONTAINER(io, struct end, io);

    e->calls++;
    e->events |= events;
    if (e->then != NULL)
        e->then(e);
}

static void end_open(struct end *e, struct tws_loop *loop, void (*then)(struct end *))
{
    int sv[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
    *e = (struct end){.fd = sv[0], .peer = sv[1], .loop = loop, .then = then};
    ck_assert_int_eq(tws_io_start(loop, &e->io, e->fd, on_end), TWS_OK);
}

static void end_close(struct end *e)
{
    tws_io_stop(&e->io);
    tws_socket_close(e->fd);
    tws_socket_close(e->peer);
}

static void stop_loop(struct end *e)
{
    tws_loop_stop(e->loop);
}

START_TEST(a_new_loop_is_freed_without_having_run)
{
    tws_loop_free(driver_loop());
    tws_loop_free(NULL);
}
END_TEST

START_TEST(a_socket_is_writable_at_once_and_readable_when_bytes_come)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    end_open(&e, loop, stop_loop);
    driver_run(loop);
    ck_assert_uint_eq(e.events, TWS_IO_WRITE);
    ck_assert_int_eq(write(e.peer, "x", 1), 1);
    driver_run(loop);
    ck_assert_uint_eq(e.events, TWS_IO_WRITE | TWS_IO_READ);
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

START_TEST(the_end_of_the_peer_is_a_hup_that_can_be_read)
{
    struct tws_loop *loop = driver_loop();
    struct end e;
    char c;

    end_open(&e, loop, stop_loop);
    driver_run(loop);
    ck_assert_int_eq(shutdown(e.peer, SHUT_WR), 0);
    driver_run(loop);
    ck_assert_uint_eq(e.events & (TWS_IO_HUP | TWS_IO_READ), TWS_IO_HUP | TWS_IO_READ);
    ck_assert_int_eq(read(e.fd, &c, 1), 0);
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

START_TEST(an_edge_comes_once)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    end_open(&e, loop, NULL);
    driver_run_for(loop, 20000);
    ck_assert_int_eq(e.calls, 1);
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

START_TEST(what_epoll_cannot_watch_is_refused_with_errno)
{
    struct tws_loop *loop = driver_loop();
    struct tws_io io = {.fd = -1};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(tws_io_start(loop, &io, fd, on_end), TWS_SYS);
    ck_assert_int_eq(errno, EPERM);
    ck_assert(!tws_io_running(&io));
    tws_io_stop(&io);
    tws_socket_close(fd);
    tws_loop_free(loop);
}
END_TEST

static struct end crowd[PAIRS];
static int crowd_calls;

static void stop_everyone_else(struct end *e)
{
    crowd_calls++;
    for (size_t i = 0; i < PAIRS; i++)
        if (&crowd[i] != e)
            tws_io_stop(&crowd[i].io);
}

START_TEST(an_io_stopped_by_another_in_the_same_batch_is_not_called)
{
    struct tws_loop *loop = driver_loop();

    crowd_calls = 0;
    for (size_t i = 0; i < PAIRS; i++)
        end_open(&crowd[i], loop, stop_everyone_else);
    driver_run_for(loop, 20000);
    ck_assert_int_eq(crowd_calls, 1);
    for (size_t i = 0; i < PAIRS; i++)
        end_close(&crowd[i]);
    tws_loop_free(loop);
}
END_TEST

static void count_until_all(struct end *e)
{
    if (++crowd_calls == PAIRS)
        tws_loop_stop(e->loop);
}

START_TEST(more_events_than_a_batch_all_arrive)
{
    struct tws_loop *loop = driver_loop();

    crowd_calls = 0;
    for (size_t i = 0; i < PAIRS; i++)
        end_open(&crowd[i], loop, count_until_all);
    driver_run(loop);
    for (size_t i = 0; i < PAIRS; i++) {
        ck_assert_int_eq(crowd[i].calls, 1);
        end_close(&crowd[i]);
    }
    tws_loop_free(loop);
}
END_TEST

static void restart_other(struct end *e)
{
    /* The struct watches a new descriptor now: the old one's pending event is not its. */
    e->then = e->other->then = NULL;
    tws_io_stop(&e->other->io);
    ck_assert_int_eq(tws_io_start(e->loop, &e->other->io, e->other->fd, on_end), TWS_OK);
}

START_TEST(an_io_restarted_in_the_batch_gets_its_events_once)
{
    struct tws_loop *loop = driver_loop();
    struct end a, b;

    end_open(&a, loop, restart_other);
    end_open(&b, loop, restart_other);
    a.other = &b;
    b.other = &a;
    driver_run_for(loop, 20000);
    ck_assert_int_eq(a.calls, 1);
    ck_assert_int_eq(b.calls, 1);
    end_close(&a);
    end_close(&b);
    tws_loop_free(loop);
}
END_TEST

static void stop_and_free(struct end *e)
{
    struct tws_loop *loop = e->loop;

    end_close(e);
    tws_loop_free_later(loop, e);
    ck_assert_ptr_eq(e->loop, loop); /* still there in this turn */
    tws_loop_stop(loop);
}

START_TEST(an_io_may_stop_and_free_itself_in_its_callback)
{
    struct tws_loop *loop = driver_loop();
    struct end *e = malloc(sizeof *e);

    end_open(e, loop, stop_and_free);
    driver_run(loop);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_stopped_descriptor_with_a_living_dup_stays_silent)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    end_open(&e, loop, NULL);
    int copy = dup(e.fd);
    tws_io_stop(&e.io);
    tws_socket_close(e.fd);
    ck_assert_int_eq(write(e.peer, "x", 1), 1);
    driver_run_for(loop, 10000);
    ck_assert_int_eq(e.calls, 0);
    tws_socket_close(copy);
    tws_socket_close(e.peer);
    tws_loop_free(loop);
}
END_TEST

static void ask_again_thrice(struct end *e)
{
    if (e->calls < 4)
        tws_io_again(&e->io, TWS_IO_READ);
    else
        tws_loop_stop(e->loop);
}

START_TEST(an_io_that_asks_is_called_again_without_an_event)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    end_open(&e, loop, ask_again_thrice);
    driver_run(loop);
    ck_assert_int_eq(e.calls, 4);
    ck_assert_uint_eq(e.events, TWS_IO_WRITE | TWS_IO_READ);
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

static void ask_again_and_stop(struct end *e)
{
    tws_io_again(&e->io, TWS_IO_READ);
    tws_io_again(&e->io, TWS_IO_WRITE);
    tws_io_stop(&e->io);
}

START_TEST(an_io_that_asked_to_be_called_again_and_stopped_is_not)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    end_open(&e, loop, ask_again_and_stop);
    driver_run_for(loop, 10000);
    ck_assert_int_eq(e.calls, 1);
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

static struct end heir;

static void bequeath(struct end *e)
{
    if (e->then == NULL)
        return;
    e->then = NULL;
    tws_io_again(&e->io, TWS_IO_HUP);
    tws_io_pass(&e->io, &heir.io, on_end);
    ck_assert(!tws_io_running(&e->io));
    ck_assert(tws_io_running(&heir.io));
}

START_TEST(who_takes_over_a_descriptor_gets_what_was_asked_for_and_what_comes)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    heir = (struct end){.loop = loop, .then = stop_loop};
    end_open(&e, loop, bequeath);
    driver_run(loop);
    ck_assert_int_eq(heir.calls, 1);
    ck_assert_uint_eq(heir.events, TWS_IO_HUP);
    ck_assert_int_eq(write(e.peer, "x", 1), 1);
    driver_run(loop);
    ck_assert_uint_eq(heir.events, TWS_IO_HUP | TWS_IO_READ | TWS_IO_WRITE);
    ck_assert_int_eq(e.calls, 1);
    tws_io_stop(&e.io); /* nothing of it is left to stop */
    ck_assert_int_eq(write(e.peer, "x", 1), 1);
    driver_run(loop);
    ck_assert_int_eq(heir.calls, 3);
    tws_io_stop(&heir.io);
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

static void ask_for_ever(struct end *e)
{
    tws_io_again(&e->io, TWS_IO_READ);
}

START_TEST(an_io_that_always_asks_starves_nobody)
{
    struct tws_loop *loop = driver_loop();
    struct end greedy, other;

    end_open(&greedy, loop, ask_for_ever);
    end_open(&other, loop, NULL);
    driver_run_for(loop, 2000); /* the timer is served too */
    ck_assert_int_eq(other.calls, 1);
    ck_assert_int_gt(greedy.calls, 10);
    ck_assert_int_eq(write(other.peer, "x", 1), 1);
    other.then = stop_loop;
    driver_run(loop);
    ck_assert_uint_ne(other.events & TWS_IO_READ, 0);
    end_close(&greedy);
    end_close(&other);
    tws_loop_free(loop);
}
END_TEST

/* ---- tasks ---- */

struct job {
    struct tws_task task;
    struct tws_loop *loop;
    struct job *next;
    char name;
};

static char order[16];

static void on_job(struct tws_task *t)
{
    struct job *j = TWS_CONTAINER(t, struct job, task);

    order[strlen(order)] = j->name;
    if (j->next != NULL)
        tws_task_post(j->loop, &j->next->task);
    else
        tws_loop_stop(j->loop);
}

static void job_init(struct job *j, struct tws_loop *loop, char name, struct job *next)
{
    *j = (struct job){.loop = loop, .name = name, .next = next};
    tws_task_init(&j->task, on_job);
}

START_TEST(tasks_run_in_order_and_those_they_post_in_the_same_turn)
{
    struct tws_loop *loop = driver_loop();
    struct job a, b, c, d;

    memset(order, 0, sizeof order);
    job_init(&d, loop, 'd', NULL);
    job_init(&c, loop, 'c', &d);
    job_init(&b, loop, 'b', &c);
    job_init(&a, loop, 'a', &b);
    tws_task_post(loop, &a.task);
    tws_task_post(loop, &b.task);
    tws_task_post(loop, &a.task);
    driver_run(loop);
    ck_assert_str_eq(order, "abcd");
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_cancelled_task_does_not_run)
{
    struct tws_loop *loop = driver_loop();
    struct job a, b;

    memset(order, 0, sizeof order);
    job_init(&a, loop, 'a', NULL);
    job_init(&b, loop, 'b', NULL);
    tws_task_post(loop, &a.task);
    tws_task_post(loop, &b.task);
    tws_task_cancel(&a.task);
    tws_task_cancel(&a.task);
    driver_run(loop);
    ck_assert_str_eq(order, "b");
    tws_loop_free(loop);
}
END_TEST

static struct job flush;

static void post_flush(struct end *e)
{
    order[strlen(order)] = 'e';
    tws_task_post(e->loop, &flush.task);
}

START_TEST(a_task_runs_behind_all_events_of_the_turn)
{
    struct tws_loop *loop = driver_loop();
    struct end e[3];

    memset(order, 0, sizeof order);
    job_init(&flush, loop, 'T', NULL);
    for (int i = 0; i < 3; i++)
        end_open(&e[i], loop, post_flush);
    driver_run(loop);
    ck_assert_str_eq(order, "eeeT");
    for (int i = 0; i < 3; i++)
        end_close(&e[i]);
    tws_loop_free(loop);
}
END_TEST

static void post_flush_and_stop(struct end *e)
{
    tws_task_post(e->loop, &flush.task);
    tws_loop_stop(e->loop);
}

START_TEST(the_turn_that_stops_the_loop_still_runs_its_tasks)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    memset(order, 0, sizeof order);
    job_init(&flush, loop, 'T', NULL);
    end_open(&e, loop, post_flush_and_stop);
    driver_run(loop);
    ck_assert_str_eq(order, "T");
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

START_TEST(freeing_later_takes_any_number)
{
    struct tws_loop *loop = driver_loop();

    for (int i = 0; i < 1000; i++)
        tws_loop_free_later(loop, malloc(16)); /* leaks are the sanitizer's to find */
    driver_run_for(loop, 1);
    for (int i = 0; i < 10; i++)
        tws_loop_free_later(loop, malloc(16));
    tws_loop_free(loop);
}
END_TEST

static void on_uv_timer(uv_timer_t *t)
{
    struct job *j = t->data;

    tws_task_post(j->loop, &j->task);
    uv_close((uv_handle_t *)t, NULL);
}

START_TEST(a_task_posted_by_libuvs_own_timer_runs_before_the_loop_sleeps)
{
    struct tws_loop *loop = driver_loop();
    struct job j;
    uv_timer_t timer;

    memset(order, 0, sizeof order);
    job_init(&j, loop, 'u', NULL);
    timer.data = &j;
    ck_assert_int_eq(uv_timer_init(tws_loop_uv(loop), &timer), 0);
    ck_assert_int_eq(uv_timer_start(&timer, on_uv_timer, 1, 0), 0);
    driver_run(loop);
    ck_assert_str_eq(order, "u");
    tws_loop_free(loop);
}
END_TEST

static uv_poll_t watch;

static void on_watch(uv_poll_t *w, int status, int events)
{
    struct end *e = w->data;

    ck_assert_int_eq(status, 0);
    ck_assert_int_ne(events & UV_READABLE, 0);
    uv_close((uv_handle_t *)w, NULL);
    tws_loop_stop(e->loop);
}

static void let_libuv_watch(struct end *e)
{
    watch.data = e;
    ck_assert_int_eq(uv_poll_init(tws_loop_uv(e->loop), &watch, e->other->fd), 0);
    ck_assert_int_eq(uv_poll_start(&watch, UV_READABLE, on_watch), 0);
}

START_TEST(what_libuv_is_given_in_a_turn_is_watched_before_the_loop_sleeps)
{
    struct tws_loop *loop = driver_loop();
    struct end e, other;

    end_open(&other, loop, NULL);
    tws_io_stop(&other.io);
    ck_assert_int_eq(write(other.peer, "x", 1), 1);
    end_open(&e, loop, let_libuv_watch);
    e.other = &other;
    driver_run(loop);
    end_close(&e);
    end_close(&other);
    tws_loop_free(loop);
}
END_TEST

START_TEST(a_turn_by_itself_takes_what_is_there_and_does_not_sleep)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    end_open(&e, loop, NULL);
    tws_loop_turn(loop);
    ck_assert_int_eq(e.calls, 1);
    tws_loop_turn(loop);
    ck_assert_int_eq(e.calls, 1);
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

static uint64_t seen_now[2];

static void compare_now(struct end *e)
{
    struct tws_loop *loop = e->loop;
    uint64_t fresh = tws_loop_now_fresh(loop);

    seen_now[0] = tws_loop_now(loop);
    while (tws_loop_now_fresh(loop) < fresh + 1000)
        ;
    seen_now[1] = tws_loop_now(loop);
    tws_loop_stop(loop);
}

START_TEST(now_stands_still_within_a_turn)
{
    struct tws_loop *loop = driver_loop();
    struct end e;

    end_open(&e, loop, compare_now);
    driver_run(loop);
    ck_assert_uint_eq(seen_now[0], seen_now[1]);
    ck_assert_uint_gt(tws_loop_now(loop), seen_now[1] + 999);
    end_close(&e);
    tws_loop_free(loop);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("loop");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_new_loop_is_freed_without_having_run);
    tcase_add_test(tc, a_socket_is_writable_at_once_and_readable_when_bytes_come);
    tcase_add_test(tc, the_end_of_the_peer_is_a_hup_that_can_be_read);
    tcase_add_test(tc, an_edge_comes_once);
    tcase_add_test(tc, what_epoll_cannot_watch_is_refused_with_errno);
    tcase_add_test(tc, an_io_stopped_by_another_in_the_same_batch_is_not_called);
    tcase_add_test(tc, more_events_than_a_batch_all_arrive);
    tcase_add_test(tc, an_io_restarted_in_the_batch_gets_its_events_once);
    tcase_add_test(tc, an_io_may_stop_and_free_itself_in_its_callback);
    tcase_add_test(tc, a_stopped_descriptor_with_a_living_dup_stays_silent);
    tcase_add_test(tc, an_io_that_asks_is_called_again_without_an_event);
    tcase_add_test(tc, an_io_that_asked_to_be_called_again_and_stopped_is_not);
    tcase_add_test(tc, who_takes_over_a_descriptor_gets_what_was_asked_for_and_what_comes);
    tcase_add_test(tc, an_io_that_always_asks_starves_nobody);
    tcase_add_test(tc, tasks_run_in_order_and_those_they_post_in_the_same_turn);
    tcase_add_test(tc, a_cancelled_task_does_not_run);
    tcase_add_test(tc, a_task_runs_behind_all_events_of_the_turn);
    tcase_add_test(tc, the_turn_that_stops_the_loop_still_runs_its_tasks);
    tcase_add_test(tc, freeing_later_takes_any_number);
    tcase_add_test(tc, a_task_posted_by_libuvs_own_timer_runs_before_the_loop_sleeps);
    tcase_add_test(tc, what_libuv_is_given_in_a_turn_is_watched_before_the_loop_sleeps);
    tcase_add_test(tc, a_turn_by_itself_takes_what_is_there_and_does_not_sleep);
    tcase_add_test(tc, now_stands_still_within_a_turn);

    return run_suite("net/loop", tc);
}

/*
 * loop.h - one event loop per process: an edge-triggered epoll for the data path, with a libuv loop
 * nested in it, timers in a heap, and tasks that run at the end of a turn.
 *
 * Invariants: single-threaded; a callback is the last thing its caller does with its own object;
 * an object may stop its own io, timer or task inside any callback, and after stop no callback of
 * it comes, not even one that was already pending in this turn.
 */
#ifndef TWS_NET_LOOP_H
#define TWS_NET_LOOP_H

#include "tws/base/err.h"
#include "tws/base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct tws_loop;

/* TWS_NOMEM, TWS_SYS. */
TWS_MUST_USE tws_err tws_loop_new(struct tws_loop **out);
/* Nothing may be started on it any more. Asserts that uv_loop_close() returns 0. */
void tws_loop_free(struct tws_loop *loop);
/* For what libuv does directly: signals, libwebsockets' foreign loop. */
struct uv_loop_s *tws_loop_uv(struct tws_loop *loop);
/* Runs until tws_loop_stop(); the turn that stops it is finished, its tasks run. */
void tws_loop_run(struct tws_loop *loop);
void tws_loop_stop(struct tws_loop *loop);
/* One turn that does not sleep: for what ends while nobody runs the loop. */
void tws_loop_turn(struct tws_loop *loop);
/* Microseconds, monotonic, counting time asleep (CLOCK_BOOTTIME); read once per turn. */
uint64_t tws_loop_now(struct tws_loop *loop);
/* The same, read from the kernel now. */
uint64_t tws_loop_now_fresh(struct tws_loop *loop);

/* ---- descriptors: edge-triggered ---- */

/*
 * Beside a uv_poll_t per socket (tests/bench/bench_loop.c; docs/performance.md): watching both ways
 * costs one system call in a descriptor's life, none when the direction changes or when another io
 * takes over; 48 bytes and not 160; and memory is free as soon as it stops.
 */

#define TWS_IO_READ  1u
#define TWS_IO_WRITE 2u
#define TWS_IO_HUP   4u /* RDHUP, HUP or ERR: read until the end to learn which */
#define TWS_IO_ERROR 8u /* beside HUP: ERR, which SO_ERROR tells more of */
/* Beside READ: TCP's urgent data; a read stops in front of it, with more behind. */
#define TWS_IO_URGENT 16u

struct tws_io;
typedef void tws_io_fn(struct tws_io *io, unsigned events);

struct tws_io {
    struct tws_node again_node; /* linked: called again in the next turn */
    struct tws_loop *loop;      /* NULL: not running */
    tws_io_fn *fn;
    int fd;
    unsigned again;
};

/*
 * Watches `fd` (borrowed) for all events, edge-triggered: after a callback, read or write until
 * EAGAIN or call tws_io_again(). The owner embeds *io. TWS_SYS.
 */
TWS_MUST_USE tws_err tws_io_start(struct tws_loop *loop, struct tws_io *io, int fd, tws_io_fn *fn);
/* Before the descriptor is closed. Does nothing to an io that is zeroed or stopped already. */
void tws_io_stop(struct tws_io *io);
/* Stops, and closes the descriptor; one call to the kernel less. Only for a descriptor without a
 * dup(), which would keep the kernel watching. */
void tws_io_close(struct tws_io *io);
bool tws_io_running(const struct tws_io *io);
/* `to` takes the place of `from`, which is running and then is not, with what it had asked to be
 * called again for; the kernel is not told. An edge that `from` was told of comes no more. */
void tws_io_pass(struct tws_io *from, struct tws_io *to, tws_io_fn *fn);
/* Calls fn(io, events) once more in the next turn: for a reader that stops early to be fair. */
void tws_io_again(struct tws_io *io, unsigned events);

/* ---- timers ---- */

struct tws_timer;
typedef void tws_timer_fn(struct tws_timer *t);

struct tws_timer {
    struct tws_loop *loop;
    tws_timer_fn *fn;
    uint64_t at_us;
    size_t index; /* in the heap, + 1; 0: not running */
};

void tws_timer_init(struct tws_timer *t, struct tws_loop *loop, tws_timer_fn *fn);
/*
 * (Re)starts: fires once when tws_loop_now() reaches `at_us`, in the order of at_us (equal ones in
 * any order), in the same turn if that is past; but started by a timer, in the next one at the
 * earliest. UINT64_MAX never comes. Running out of memory aborts.
 */
void tws_timer_start_at(struct tws_timer *t, uint64_t at_us);
void tws_timer_start(struct tws_timer *t, uint64_t delay_us);
void tws_timer_stop(struct tws_timer *t);
bool tws_timer_running(const struct tws_timer *t);

/* ---- tasks: run once at the end of this turn, before the loop sleeps, in order of posting ---- */

struct tws_task;
typedef void tws_task_fn(struct tws_task *t);

struct tws_task {
    struct tws_node task_node;
    tws_task_fn *fn;
};

void tws_task_init(struct tws_task *t, tws_task_fn *fn);
/* Does nothing if it is posted already. A task posted by a task runs in the same end of turn. */
void tws_task_post(struct tws_loop *loop, struct tws_task *t);
/* The same at the end of the next turn, which does not sleep: for long work in fair pieces. */
void tws_task_post_next(struct tws_loop *loop, struct tws_task *t);
void tws_task_cancel(struct tws_task *t);

/*
 * free(p) after this turn: the memory outlives every callback of the turn. Running out of
 * memory aborts.
 */
void tws_loop_free_later(struct tws_loop *loop, void *p);

#endif

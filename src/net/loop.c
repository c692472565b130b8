/*
 * loop.c - see loop.h. A turn:
 *
 *   events   one batch of our ios; then libuv (libwebsockets, signals), if it wants to run
 *   timers   those that are due, then the ios that asked to be called again
 *   tasks    and what was given to tws_loop_free_later(); then the loop may sleep
 *
 * libuv is nested in our epoll, not the other way round: its own descriptor is watched like any
 * other (level-triggered), and uv_backend_timeout() says when it wants to run without one; it says
 * at once when it was given something to watch meanwhile. The data path so waits once for each
 * turn, and passes through nobody else's loop.
 *
 * Ios are found by their descriptor: the kernel need not be told when one takes another's place.
 * The time is read at most once per turn, by the first who asks.
 */
#include "loop_priv.h"

#include "tws/net/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t read_clock(clockid_t clock)
{
    struct timespec ts;
    int failed = clock_gettime(clock, &ts);

    assert(failed == 0);
    (void)failed;
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t tws_loop_now_fresh(struct tws_loop *loop)
{
    return read_clock(loop->clock);
}

uint64_t tws_loop_now(struct tws_loop *loop)
{
    if (loop->now_us == 0)
        loop->now_us = read_clock(loop->clock);
    return loop->now_us;
}

/* ---- a turn ---- */

static unsigned translate(uint32_t epoll_events)
{
    unsigned events = 0;

    if (epoll_events & EPOLLIN)
        events |= TWS_IO_READ;
    if (epoll_events & EPOLLOUT)
        events |= TWS_IO_WRITE;
    if (epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        events |= TWS_IO_HUP;
    if (epoll_events & EPOLLERR)
        events |= TWS_IO_ERROR;
    if (epoll_events & EPOLLPRI)
        events |= TWS_IO_READ | TWS_IO_URGENT;
    return events;
}

/* Calls the io, also for what it had asked to be called for again. */
static void call(struct tws_io *io, unsigned events)
{
    events |= io->again;
    io->again = 0;
    tws_list_unlink(&io->again_node);
    io->fn(io, events);
}

static struct tws_io *find_io(const struct tws_loop *loop, int fd)
{
    return fd >= 0 && (size_t)fd < loop->watched_cap ? loop->watched[fd].io : NULL;
}

/* Whether libuv wants to run: its descriptor is ready, or the time it gave is over. */
static bool take_batch(struct tws_loop *loop, int wait_ms)
{
    loop->batch_next = 0;
    loop->batch_len = epoll_wait(loop->epfd, loop->batch, TWS_LOOP_BATCH, wait_ms);
    bool uv_is_ready = loop->batch_len == 0 && wait_ms > 0;
    while (loop->batch_next < loop->batch_len) {
        struct epoll_event *ev = &loop->batch[loop->batch_next++];
        struct tws_io *io = find_io(loop, ev->data.fd);

        if (ev->data.fd == uv_backend_fd(&loop->uv))
            uv_is_ready = true;
        else if (io != NULL) /* else stopped by an io before it in the batch */
            call(io, translate(ev->events));
    }
    loop->batch_len = 0;
    return uv_is_ready;
}

static void call_timers_and_again(struct tws_loop *loop)
{
    tws_timers_fire(loop);
    while (!tws_list_empty(&loop->again_now))
        call(TWS_CONTAINER(loop->again_now.next, struct tws_io, again_node), 0);
}

static void run_tasks(struct tws_loop *loop)
{
    while (!tws_list_empty(&loop->tasks)) {
        struct tws_task *t = TWS_CONTAINER(loop->tasks.next, struct tws_task, task_node);

        tws_list_unlink(&t->task_node);
        t->fn(t);
    }
}

static void free_garbage(struct tws_loop *loop)
{
    for (size_t i = 0; i < loop->garbage_count; i++)
        free(loop->garbage[i]);
    loop->garbage_count = 0;
}

static void end_turn(struct tws_loop *loop)
{
    run_tasks(loop);
    free_garbage(loop);
    tws_timers_arm(loop);
    tws_list_append_all(&loop->again_now, &loop->again_next);
    tws_list_append_all(&loop->tasks, &loop->tasks_next);
    loop->now_us = 0;
}

static bool has_more(const struct tws_loop *loop)
{
    return !tws_list_empty(&loop->again_now) || !tws_list_empty(&loop->tasks);
}

static void turn(struct tws_loop *loop, bool may_sleep)
{
    uv_update_time(&loop->uv);
    int uv_ms = uv_backend_timeout(&loop->uv);

    if (take_batch(loop, may_sleep && !has_more(loop) ? uv_ms : 0) || uv_ms == 0)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    call_timers_and_again(loop);
    end_turn(loop);
}

void tws_loop_turn(struct tws_loop *loop)
{
    turn(loop, false);
}

void tws_loop_run(struct tws_loop *loop)
{
    end_turn(loop); /* what was posted before */
    while (!loop->stopping)
        turn(loop, true);
    loop->stopping = false;
}

void tws_loop_stop(struct tws_loop *loop)
{
    loop->stopping = true;
}

struct uv_loop_s *tws_loop_uv(struct tws_loop *loop)
{
    return &loop->uv;
}

/* ---- life ---- */

static void on_anchor(uv_prepare_t *handle)
{
    (void)handle; /* being active is all it does: without a handle libuv never wants to sleep */
}

static void on_anchor_closed(uv_handle_t *handle)
{
    handle->data = NULL;
}

static void close_anchor(struct tws_loop *loop)
{
    if (loop->anchor.data == NULL) /* never initialised */
        return;
    uv_close((uv_handle_t *)&loop->anchor, on_anchor_closed);
    while (loop->anchor.data != NULL)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
}

static tws_err watch_uv(struct tws_loop *loop)
{
    int fd = uv_backend_fd(&loop->uv);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    uv_prepare_init(&loop->uv, &loop->anchor);
    loop->anchor.data = loop;
    uv_prepare_start(&loop->anchor, on_anchor);
    return epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) == 0 ? TWS_OK : TWS_SYS;
}

tws_err tws_loop_new(struct tws_loop **out)
{
    struct tws_loop *loop = calloc(1, sizeof *loop);
    int uv_err = 0;

    if (loop == NULL)
        return TWS_NOMEM;
    loop->epfd = -1;
    loop->clock = CLOCK_BOOTTIME;
    tws_list_init(&loop->again_next);
    tws_list_init(&loop->again_now);
    tws_list_init(&loop->tasks);
    tws_list_init(&loop->tasks_next);

    uv_err = uv_loop_init(&loop->uv);
    if (uv_err != 0) {
        free(loop);
        errno = -uv_err;
        return uv_err == UV_ENOMEM ? TWS_NOMEM : TWS_SYS;
    }
    loop->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epfd < 0)
        goto fail;
    if (tws_timers_init(loop) != TWS_OK)
        goto fail;
    if (watch_uv(loop) != TWS_OK)
        goto fail;
    *out = loop;
    return TWS_OK;

fail:;
    int saved = errno;
    tws_loop_free(loop);
    errno = saved;
    return TWS_SYS;
}

void tws_loop_free(struct tws_loop *loop)
{
    if (loop == NULL)
        return;
    tws_resolver_free(loop->resolver);
    tws_timers_fini(loop);
    free_garbage(loop);
    free(loop->garbage);

    free(loop->watched);

    close_anchor(loop);
    tws_socket_close(loop->epfd);

    int busy = uv_loop_close(&loop->uv);
    assert(busy == 0); /* someone left a handle or a request open */
    (void)busy;
    free(loop);
}

/* ---- descriptors ---- */

/* TWS_SYS with ENOMEM. */
static tws_err make_room(struct tws_loop *loop, int fd)
{
    size_t cap = loop->watched_cap == 0 ? 64 : loop->watched_cap;

    if (fd < 0 || (size_t)fd < loop->watched_cap)
        return TWS_OK;
    while (cap <= (size_t)fd)
        cap *= 2;
    struct tws_watched *watched = realloc(loop->watched, cap * sizeof *watched);
    if (watched == NULL) {
        errno = ENOMEM;
        return TWS_SYS;
    }
    memset(watched + loop->watched_cap, 0, (cap - loop->watched_cap) * sizeof *watched);
    loop->watched = watched;
    loop->watched_cap = cap;
    return TWS_OK;
}

static void begin(struct tws_loop *loop, struct tws_io *io, int fd, tws_io_fn *fn)
{
    *io = (struct tws_io){.loop = loop, .fn = fn, .fd = fd};
    tws_list_init(&io->again_node);
    loop->watched[fd].io = io;
}

tws_err tws_io_start(struct tws_loop *loop, struct tws_io *io, int fd, tws_io_fn *fn)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                             .data.fd = fd};

    if (make_room(loop, fd) != TWS_OK || epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) != 0)
        return TWS_SYS;
    begin(loop, io, fd, fn);
    return TWS_OK;
}

/* Events of `io` that the kernel has handed out already must not reach it, nor who comes next. */
static void forget_pending(struct tws_loop *loop, const struct tws_io *io)
{
    for (int i = loop->batch_next; i < loop->batch_len; i++)
        if (loop->batch[i].data.fd == io->fd)
            loop->batch[i].data.fd = -1;
}

/* The kernel goes on watching. */
static void let_go(struct tws_io *io)
{
    io->loop->watched[io->fd].io = NULL;
    tws_list_unlink(&io->again_node);
    io->again = 0;
    io->loop = NULL;
}

void tws_io_pass(struct tws_io *from, struct tws_io *to, tws_io_fn *fn)
{
    struct tws_loop *loop = from->loop;
    unsigned again = from->again;

    let_go(from);
    begin(loop, to, from->fd, fn);
    if (again != 0)
        tws_io_again(to, again);
}

void tws_io_stop(struct tws_io *io)
{
    if (io->loop == NULL)
        return;
    /* Not left to close(): a dup() of the descriptor would keep the kernel's entry alive. */
    epoll_ctl(io->loop->epfd, EPOLL_CTL_DEL, io->fd, NULL);
    forget_pending(io->loop, io);
    let_go(io);
}

void tws_io_close(struct tws_io *io)
{
    int fd = io->fd;

    if (io->loop == NULL)
        return;
    forget_pending(io->loop, io);
    let_go(io);
    io->fd = -1;
    tws_socket_close(fd);
}

bool tws_io_running(const struct tws_io *io)
{
    return io->loop != NULL;
}

void tws_io_again(struct tws_io *io, unsigned events)
{
    io->again |= events;
    if (!tws_list_linked(&io->again_node))
        tws_list_push_back(&io->loop->again_next, &io->again_node);
}

/* ---- tasks ---- */

void tws_task_init(struct tws_task *t, tws_task_fn *fn)
{
    tws_list_init(&t->task_node);
    t->fn = fn;
}

void tws_task_post(struct tws_loop *loop, struct tws_task *t)
{
    if (!tws_list_linked(&t->task_node))
        tws_list_push_back(&loop->tasks, &t->task_node);
}

void tws_task_post_next(struct tws_loop *loop, struct tws_task *t)
{
    if (!tws_list_linked(&t->task_node))
        tws_list_push_back(&loop->tasks_next, &t->task_node);
}

void tws_task_cancel(struct tws_task *t)
{
    tws_list_unlink(&t->task_node);
}

void tws_loop_free_later(struct tws_loop *loop, void *p)
{
    if (loop->garbage_count == loop->garbage_cap) {
        size_t cap = loop->garbage_cap == 0 ? 64 : loop->garbage_cap * 2;
        void **garbage = realloc(loop->garbage, cap * sizeof(void *));

        if (garbage == NULL)
            abort();
        loop->garbage = garbage;
        loop->garbage_cap = cap;
    }
    loop->garbage[loop->garbage_count++] = p;
}

/*
 * loop.c - see loop.h. A turn, in libuv's order:
 *
 *   poll     uv callbacks (libwebsockets, signals) and, if epfd is ready, one batch of our ios
 *   check    timers that are due, then the ios that asked to be called again
 *   timers   libuv's own
 *   prepare  tasks; what was given to tws_loop_free_later(); then the loop may sleep
 *
 * libuv computes how long it may sleep after prepare, so an idle handle started there still keeps
 * it awake. The time is read at most once per turn, by the first who asks.
 */
#include "loop_priv.h"

#include "tws/net/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

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

static void on_ready(uv_poll_t *handle, int status, int uv_events)
{
    struct tws_loop *loop = handle->data;

    (void)status;
    (void)uv_events;
    loop->batch_next = 0;
    loop->batch_len = epoll_wait(loop->epfd, loop->batch, TWS_LOOP_BATCH, 0);
    while (loop->batch_next < loop->batch_len) {
        struct epoll_event *ev = &loop->batch[loop->batch_next++];

        if (ev->data.ptr != NULL) /* else stopped by an io before it in the batch */
            call(ev->data.ptr, translate(ev->events));
    }
    loop->batch_len = 0;
}

static void on_polled(uv_check_t *handle)
{
    struct tws_loop *loop = handle->data;

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

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* being active is all it does */
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

static void on_prepare(uv_prepare_t *handle)
{
    struct tws_loop *loop = handle->data;

    end_turn(loop);
    if (tws_list_empty(&loop->again_now) && tws_list_empty(&loop->tasks))
        uv_idle_stop(&loop->awake);
    else
        uv_idle_start(&loop->awake, on_idle);
}

void tws_loop_run(struct tws_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    end_turn(loop); /* libuv stops between check and prepare */
}

void tws_loop_stop(struct tws_loop *loop)
{
    uv_stop(&loop->uv);
}

struct uv_loop_s *tws_loop_uv(struct tws_loop *loop)
{
    return &loop->uv;
}

/* ---- life ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct tws_loop *loop = handle->data;

    loop->handles_open--;
}

static void close_handle(struct tws_loop *loop, uv_handle_t *handle)
{
    if (handle->data == NULL) /* never initialised */
        return;
    loop->handles_open++;
    uv_close(handle, on_handle_closed);
}

static void start_handles(struct tws_loop *loop)
{
    uv_check_init(&loop->uv, &loop->polled);
    uv_prepare_init(&loop->uv, &loop->asleep);
    uv_idle_init(&loop->uv, &loop->awake);
    loop->polled.data = loop->asleep.data = loop->awake.data = loop;
    uv_check_start(&loop->polled, on_polled);
    uv_prepare_start(&loop->asleep, on_prepare);
    loop->ready.data = loop;
    uv_poll_start(&loop->ready, UV_READABLE, on_ready);
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
    uv_err = uv_poll_init(&loop->uv, &loop->ready, loop->epfd);
    if (uv_err != 0) {
        errno = -uv_err;
        goto fail;
    }
    start_handles(loop);
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

    close_handle(loop, (uv_handle_t *)&loop->ready);
    close_handle(loop, (uv_handle_t *)&loop->polled);
    close_handle(loop, (uv_handle_t *)&loop->asleep);
    close_handle(loop, (uv_handle_t *)&loop->awake);
    while (loop->handles_open > 0)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    tws_socket_close(loop->epfd);

    int busy = uv_loop_close(&loop->uv);
    assert(busy == 0); /* someone left a handle or a request open */
    (void)busy;
    free(loop);
}

/* ---- descriptors ---- */

tws_err tws_io_start(struct tws_loop *loop, struct tws_io *io, int fd, tws_io_fn *fn)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = io};

    if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) != 0)
        return TWS_SYS;
    *io = (struct tws_io){.loop = loop, .fn = fn, .fd = fd};
    tws_list_init(&io->again_node);
    return TWS_OK;
}

/* Events of `io` that the kernel has handed out already must not reach it. */
static void forget_pending(struct tws_loop *loop, const struct tws_io *io)
{
    for (int i = loop->batch_next; i < loop->batch_len; i++)
        if (loop->batch[i].data.ptr == io)
            loop->batch[i].data.ptr = NULL;
}

static void let_go(struct tws_io *io)
{
    forget_pending(io->loop, io);
    tws_list_unlink(&io->again_node);
    io->again = 0;
    io->loop = NULL;
}

void tws_io_stop(struct tws_io *io)
{
    if (io->loop == NULL)
        return;
    /* Not left to close(): a dup() of the descriptor would keep the kernel's entry alive. */
    epoll_ctl(io->loop->epfd, EPOLL_CTL_DEL, io->fd, NULL);
    let_go(io);
}

void tws_io_close(struct tws_io *io)
{
    int fd = io->fd;

    if (io->loop == NULL)
        return;
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

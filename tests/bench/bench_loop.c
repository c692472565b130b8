/*
 * bench_loop.c - what a small message costs: a uv_poll_t per socket against the loop's own
 * edge-triggered epoll. Pairs of sockets throw 64 bytes to and fro in one loop; a JSON line per
 * variant and number of pairs gives round trips per second and the CPU time of one.
 */
#include "support.h"

#include "tws/net/loop.h"
#include "tws/net/socket.h"

#include <stdio.h>
#include <unistd.h>
#include <uv.h>

#define MESSAGE   64
#define PAIRS_MAX 4096
#define RUN_US    1000000

struct side {
    struct tws_io io;
    uv_poll_t poll;
    int fd;
};

static struct side sides[2 * PAIRS_MAX];
static uint64_t messages;

static void require(int ok, const char *what)
{
    if (!ok)
        bench_die(what);
}

/* Returns what is there: the stream is empty when it was less than asked for. */
static void throw_back(int fd)
{
    char bytes[MESSAGE * 4];
    ssize_t n = read(fd, bytes, sizeof bytes);

    if (n <= 0)
        return;
    require(write(fd, bytes, (size_t)n) == n, "write");
    messages++;
}

static void on_io(struct tws_io *io, unsigned events)
{
    if (events & TWS_IO_READ)
        throw_back(io->fd);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct side *s = poll->data;

    if (status == 0 && (events & UV_READABLE))
        throw_back(s->fd);
}

static void start_own(struct tws_loop *loop, struct side *s)
{
    require(tws_io_start(loop, &s->io, s->fd, on_io) == TWS_OK, "tws_io_start");
}

static void stop_own(struct side *s)
{
    tws_io_stop(&s->io);
}

static void start_uv_poll(struct tws_loop *loop, struct side *s)
{
    s->poll.data = s;
    require(uv_poll_init(tws_loop_uv(loop), &s->poll, s->fd) == 0, "uv_poll_init");
    require(uv_poll_start(&s->poll, UV_READABLE, on_poll) == 0, "uv_poll_start");
}

static void stop_uv_poll(struct side *s)
{
    uv_close((uv_handle_t *)&s->poll, NULL);
}

static const struct variant {
    const char *name;
    void (*start)(struct tws_loop *loop, struct side *s);
    void (*stop)(struct side *s);
} variants[] = {
    {"uv_poll", start_uv_poll, stop_uv_poll},
    {"own", start_own, stop_own},
};

/* A TCP connection over loopback: local sockets wake a writer whenever the reader read. */
static void connect_pair(int fds[2])
{
    bench_tcp_pair(fds);
    tws_socket_set_nodelay(fds[0]);
    tws_socket_set_nodelay(fds[1]);
    tws_socket_set_abort(fds[0]); /* no ports left in TIME_WAIT */
}

static void on_end(struct tws_timer *t)
{
    tws_loop_stop(t->loop);
}

static void run(const struct variant *v, int pairs, int busy)
{
    static const char ball[MESSAGE];
    struct tws_loop *loop = NULL;
    struct tws_timer end;

    require(tws_loop_new(&loop) == TWS_OK, "tws_loop_new");
    for (int i = 0; i < pairs; i++) {
        int sv[2];

        connect_pair(sv);
        sides[2 * i].fd = sv[0];
        sides[2 * i + 1].fd = sv[1];
        v->start(loop, &sides[2 * i]);
        v->start(loop, &sides[2 * i + 1]);
        if (i < busy)
            require(write(sv[0], ball, sizeof ball) == sizeof ball, "write");
    }
    tws_timer_init(&end, loop, on_end);
    tws_timer_start(&end, RUN_US);
    messages = 0;
    double cpu = bench_cpu_seconds();
    uint64_t start = tws_loop_now_fresh(loop);
    tws_loop_run(loop);
    double seconds = (double)(tws_loop_now_fresh(loop) - start) / 1e6;
    cpu = bench_cpu_seconds() - cpu;
    double trips = (double)messages / 2;

    printf("{\"bench\":\"loop\",\"variant\":\"%s\",\"sockets\":%d,\"busy_pairs\":%d,"
           "\"round_trips_per_s\":%.0f,\"cpu_us_per_round_trip\":%.3f}\n",
           v->name, 2 * pairs, busy, trips / seconds, cpu * 1e6 / trips);
    for (int i = 0; i < 2 * pairs; i++) {
        v->stop(&sides[i]);
        tws_socket_close(sides[i].fd);
    }
    tws_loop_free(loop);
}

int main(void)
{
    static const struct {
        int pairs, busy;
    } loads[] = {{1, 1}, {16, 16}, {64, 64}, {1024, 1024}, {4096, 16}};

    tws_raise_fd_limit();
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
        for (size_t j = 0; j < sizeof variants / sizeof variants[0]; j++)
            run(&variants[j], loads[i].pairs, loads[i].busy);
    return 0;
}

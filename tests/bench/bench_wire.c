/*
 * bench_wire.c - how fast one link carries messages of 32 KiB over loopback TCP, both ends in one
 * process: GB/s and CPU seconds per GB (of both ends together), a JSON line for each case.
 *
 *      bench_wire [GB for each case, default 4]
 */
#include "support.h"

#include "tws/net/loop.h"
#include "tws/ws/codec.h"
#include "tws/ws/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE 32768

struct end {
    struct tws_loop *loop;
    struct tws_wire *wire;
    uint64_t left, received, wanted;
    bool staged;
    uint8_t buffer[TWS_WIRE_HEADROOM + MESSAGE];
};

static void pump(struct end *e)
{
    tws_err err = TWS_OK;

    while (err == TWS_OK && e->left > 0) {
        e->left -= MESSAGE;
        if (e->staged) {
            memset(tws_wire_stage(e->wire, MESSAGE), 7, MESSAGE); /* stands for sealing */
            err = tws_wire_send_staged(e->wire, MESSAGE);
        } else {
            err = tws_wire_send(e->wire, (struct tws_span){e->buffer + TWS_WIRE_HEADROOM, MESSAGE});
        }
    }
}

static void on_message(void *arg, uint8_t *msg, size_t n)
{
    struct end *e = arg;

    (void)msg;
    e->received += n;
    if (e->received >= e->wanted)
        tws_loop_stop(e->loop);
}

static void on_burst_end(void *arg)
{
    (void)arg;
}

static void on_writable(void *arg)
{
    pump(arg);
}

static void on_over(void *arg, uint16_t code, const char *why)
{
    (void)arg;
    fprintf(stderr, "over: %u %s\n", code, why);
    exit(1);
}

static const struct tws_wire_events events = {on_message, on_burst_end, on_writable, on_over};

static void run(const char *name, bool client_sends, bool staged, uint64_t bytes)
{
    static struct end a, b;
    struct end *from = client_sends ? &a : &b, *to = client_sends ? &b : &a;
    struct tws_loop *loop = NULL;
    double cpu, seconds;
    uint64_t start;
    int fds[2];

    bench_tcp_pair(fds);
    if (tws_loop_new(&loop) != TWS_OK)
        exit(1);
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    a.loop = b.loop = loop;
    if (tws_wire_new(loop, fds[0], true, &a.wire) != TWS_OK ||
        tws_wire_new(loop, fds[1], false, &b.wire) != TWS_OK)
        exit(1);
    tws_wire_start(a.wire, &events, &a);
    tws_wire_start(b.wire, &events, &b);
    from->left = to->wanted = bytes / MESSAGE * MESSAGE;
    from->staged = staged;
    cpu = bench_cpu_seconds();
    start = tws_loop_now_fresh(loop);
    pump(from);
    tws_loop_run(loop);
    seconds = (double)(tws_loop_now_fresh(loop) - start) / 1e6;
    cpu = bench_cpu_seconds() - cpu;
    printf("{\"bench\":\"wire\",\"case\":\"%s\",\"GB_per_s\":%.2f,\"cpu_s_per_GB\":%.3f}\n", name,
           (double)bytes / 1e9 / seconds, cpu / ((double)bytes / 1e9));
    tws_wire_close(a.wire, 1000);
    tws_wire_close(b.wire, 1000);
    tws_loop_free(loop);
}

static void run_mask(uint64_t bytes)
{
    static uint8_t src[MESSAGE], dst[MESSAGE];
    const uint8_t key[4] = {1, 2, 3, 4};
    double cpu = bench_cpu_seconds();

    for (uint64_t i = 0; i < bytes / MESSAGE; i++)
        tws_ws_mask_copy(dst, src, MESSAGE, key);
    cpu = bench_cpu_seconds() - cpu;
    printf("{\"bench\":\"wire\",\"case\":\"mask_copy alone\",\"GB_per_s\":%.2f}\n",
           (double)bytes / 1e9 / cpu);
}

int main(int argc, char **argv)
{
    uint64_t bytes = (uint64_t)((argc > 1 ? strtod(argv[1], NULL) : 4) * 1e9);

    run("server to client", false, false, bytes);
    run("client to server (masked)", true, false, bytes);
    run("server to client, staged", false, true, bytes);
    run("client to server, staged", true, true, bytes);
    run_mask(bytes);
    return 0;
}

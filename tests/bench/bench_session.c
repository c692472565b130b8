/*
 * bench_session.c - what the session engine costs by itself: two sessions in one process, messages
 * handed over by pointer. One JSON line a result:
 *
 *   throughput and time per DATA frame with 1, 100 and 10,000 busy channels, whole messages and
 *   64-byte pieces, and how much faster than without the message log (median of neighbours, and the
 *   mean of all of these);
 *   with no byte filled in or looked at, which shows the engine's own nanoseconds, and with each
 *   copied in and out, as a relay's read() and write() do;
 *   memory per idle channel on each side.
 *
 *   bench_session [MILLISECONDS per round [PADDING]]
 *
 * With PADDING, up to that many bytes are added to each message.
 */
#include "support.h"

#include "tws/mux/session.h"
#include "tws/proto/frame.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 201

struct end {
    struct tws_session *s;
    struct tws_link *l;
};

static struct end client, server;
static uint64_t now = 1000000, frames, received;
static uint32_t padding;
static bool copies;
static uint8_t source[TWS_FRAME_MAX_PAYLOAD], sink[TWS_FRAME_MAX_PAYLOAD];

static void take(struct end *e)
{
    struct tws_event ev;
    struct tws_span s;

    while (tws_session_next_event(e->s, &ev)) {
        if (ev.type == TWS_EVENT_OPEN)
            tws_channel_accept(ev.channel, (struct tws_span){NULL, 0}, now);
        if (ev.type != TWS_EVENT_READABLE)
            continue;
        while (tws_channel_peek(ev.channel, &s) == TWS_OK) {
            received += s.n;
            if (copies)
                memcpy(sink, s.p, s.n < sizeof sink ? s.n : sizeof sink);
            tws_channel_consume(ev.channel, s.n, now);
        }
    }
}

/* All that `from` has, in pieces of at most `piece` bytes. */
static bool carry(struct end *from, struct end *to, size_t piece)
{
    struct tws_pull p;
    struct tws_span m;
    bool any = false;

    for (int n = 0; n < 16; n++) {
        while (tws_session_pull(from->s, from->l, now, &p)) {
            size_t size = p.cap < piece ? p.cap : piece;
            if (copies)
                memcpy(p.buf, source, size);
            tws_session_pulled(from->s, size, TWS_PULLED_MORE);
            frames++;
        }
        if (!tws_session_next_message(from->s, from->l, now, &m))
            break;
        tws_session_sent(from->s, from->l, now);
        /* The log keeps it until the ACK; without a log it is only good because nothing is sent. */
        tws_session_recv(to->s, to->l, m, now);
        take(to);
        any = true;
    }
    take(from);
    return any;
}

static void turn(size_t piece)
{
    now += 20;
    carry(&client, &server, piece);
    now += 20; /* a way that takes no time has no rate */
    carry(&server, &client, piece);
    if (tws_session_deadline(client.s) <= now)
        tws_session_tick(client.s, now);
    if (tws_session_deadline(server.s) <= now)
        tws_session_tick(server.s, now);
}

static void start(bool no_log)
{
    struct tws_session_config cfg = {.client = true, .no_log = no_log, .padding = padding};
    struct tws_link_config link = {.id = 1};
    tws_err err = tws_session_new(&cfg, &tws_mem_default, 1, now, &client.s);

    cfg.client = false;
    if (err == TWS_OK)
        err = tws_session_new(&cfg, &tws_mem_default, 1, now, &server.s);
    if (err == TWS_OK)
        err = tws_session_link_add(server.s, &link, now, &server.l);
    if (err == TWS_OK)
        err = tws_session_link_add(client.s, &link, now, &client.l);
    if (err != TWS_OK)
        exit(1);
    turn(0);
}

static void stop(void)
{
    tws_session_free(client.s);
    tws_session_free(server.s);
}

/* All open and known to both sides; only then do they have bytes. */
static void open_channels(int n, bool ready)
{
    static struct tws_channel *opened[10000];
    static const uint8_t target[] = {1, 1, 127, 0, 0, 1, 0, 80};
    struct tws_channel *ch;

    for (int i = 0; i < n; i++) {
        if (tws_session_open(client.s, (struct tws_span){target, sizeof target}, NULL, now, &ch) !=
            TWS_OK)
            exit(1);
        opened[i] = ch;
        if (i % 64 == 63)
            turn(0);
    }
    for (int i = 0; i < 1000; i++)
        turn(0);
    for (int i = 0; i < n && ready; i++)
        tws_channel_set_ready(opened[i], true, now);
}

struct result {
    double gb_per_s, ns_per_frame;
};

static struct result run(int channels, size_t piece, bool no_log, double length)
{
    start(no_log);
    open_channels(channels, true);
    for (int i = 0; i < 200; i++)
        turn(piece);
    frames = received = 0;
    uint64_t from = bench_now_ns();
    double took;
    do {
        for (int i = 0; i < 50; i++)
            turn(piece);
        took = (double)(bench_now_ns() - from) / 1e9;
    } while (took < length);
    stop();
    return (struct result){(double)received / took / 1e9, took * 1e9 / (double)frames};
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *all, int n)
{
    qsort(all, (size_t)n, sizeof *all, by_size);
    return all[n / 2];
}

/* The machine may be twice as fast the next moment: what is compared are neighbours, short ones and
 * many. With 10,000 channels it takes longer to begin than to measure. */
static double compare(int channels, size_t piece, double length)
{
    double speed[ROUNDS], took[ROUNDS], ratio[ROUNDS];
    int rounds = channels > 1000 ? ROUNDS / 10 : ROUNDS;

    for (int i = 0; i < rounds; i++) {
        bool first = i % 2 == 1;
        struct result a = run(channels, piece, first, length);
        struct result b = run(channels, piece, !first, length);
        const struct result *with = first ? &b : &a, *without = first ? &a : &b;
        speed[i] = with->gb_per_s;
        took[i] = with->ns_per_frame;
        ratio[i] = with->gb_per_s / without->gb_per_s;
    }
    double log_ratio = median(ratio, rounds);
    printf("{\"bench\": \"session\", \"channels\": %d, \"piece\": %zu, \"copied\": %s, "
           "\"gb_per_s\": %.2f, \"ns_per_frame\": %.0f, \"log_ratio\": %.3f}\n",
           channels, piece, copies ? "true" : "false", median(speed, rounds), median(took, rounds),
           log_ratio);
    fflush(stdout);
    return log_ratio;
}

static void idle_memory(int channels)
{
    start(false);
    size_t client_before = tws_session_stats(client.s).memory;
    size_t server_before = tws_session_stats(server.s).memory;
    open_channels(channels, false);
    printf("{\"bench\": \"session_idle\", \"channels\": %d, \"client_bytes\": %.0f, "
           "\"server_bytes\": %.0f}\n",
           channels, (double)(tws_session_stats(client.s).memory - client_before) / channels,
           (double)(tws_session_stats(server.s).memory - server_before) / channels);
    stop();
}

int main(int argc, char **argv)
{
    double length = (argc > 1 ? strtod(argv[1], NULL) : 6) / 1000;
    static const int channels[] = {1, 100, 10000};
    enum { HALF = 2 * sizeof channels / sizeof *channels };
    double sum = 0;

    padding = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;

    for (size_t i = 0; i < HALF; i++) {
        copies = i % 2 == 1;
        sum += log(compare(channels[i / 2], TWS_FRAME_MAX_PAYLOAD, length));
        sum += log(compare(channels[i / 2], 64, length));
    }
    printf("{\"bench\": \"session_log\", \"geometric_mean\": %.3f}\n", exp(sum / (2 * HALF)));
    idle_memory(1000);
    idle_memory(10000);
    return 0;
}

/*
 * udp.c - makes and answers datagrams, in C so that it is not what is measured.
 *
 *      bench_udp echo PORT                          sends every datagram back
 *      bench_udp flow PORT SIZE RATE SECONDS        RATE datagrams a second, there and back
 *      bench_udp most PORT SIZE SECONDS             the greatest rate with less than 1 % lost
 *
 * Everything is on 127.0.0.1. The result is one line of JSON on standard output:
 *
 *      {"size": 64, "rate": 50000, "sent_per_s": .., "back_per_s": .., "lost": 0.001,
 *       "p50_us": .., "p99_us": ..}
 *
 * Delays are there and back. `most` doubles and then halves steps, SECONDS for each, and says what
 * the last rate that passed gave. Any failure ends the program.
 */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH     32u
#define LARGEST   65507u
#define BUFFER    (8 << 20)
#define LATE_NS   500000000 /* answers are waited for so long */
#define LOSS_MAX  0.01
#define BUCKETS   200000u /* of 10 us: delays up to 2 s */
#define BUCKET_NS 10000u

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = BUFFER;

    if (fd < 0)
        bench_die("socket");
    /* As root beyond net.core.rmem_max: what is lost shall not be lost here. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return fd;
}

/* ---- many at once ---- */

struct batch {
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_in peers[BATCH];
    uint8_t *bytes;
    uint32_t size;
};

static void init_batch(struct batch *b, uint32_t size, bool peers)
{
    memset(b, 0, sizeof *b);
    b->size = size;
    b->bytes = calloc(BATCH, size);
    if (b->bytes == NULL)
        bench_die("memory");
    for (unsigned i = 0; i < BATCH; i++) {
        b->iov[i] = (struct iovec){b->bytes + (size_t)i * size, size};
        b->msgs[i].msg_hdr.msg_iov = &b->iov[i];
        b->msgs[i].msg_hdr.msg_iovlen = 1;
        if (peers)
            b->msgs[i].msg_hdr.msg_name = &b->peers[i];
    }
}

static void echo(uint32_t port)
{
    struct sockaddr_in at = bench_address("127.0.0.1", port);
    struct batch b;
    int fd = new_socket();

    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        bench_die("bind");
    init_batch(&b, LARGEST, true);
    for (;;) {
        for (unsigned i = 0; i < BATCH; i++) {
            b.iov[i].iov_len = b.size;
            b.msgs[i].msg_hdr.msg_namelen = sizeof b.peers[i];
        }
        int n = recvmmsg(fd, b.msgs, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < n; i++)
            b.iov[i].iov_len = b.msgs[i].msg_len;
        for (int sent = 0; sent < n;) {
            int k = sendmmsg(fd, b.msgs + sent, (unsigned)(n - sent), 0);
            sent += k > 0 ? k : 1; /* one that cannot be sent is lost */
        }
    }
}

/* ---- a flow ---- */

struct flow {
    int fd;
    uint32_t size, rate, seconds;
    uint64_t sent, back, took_ns;
    uint32_t *delays; /* how many, by BUCKETS */
};

static void note_delay(struct flow *f, const uint8_t *datagram, uint64_t now)
{
    uint64_t at;

    memcpy(&at, datagram, sizeof at);
    uint64_t bucket = (now - at) / BUCKET_NS;
    f->delays[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    f->back++;
}

static void *receive(void *arg)
{
    struct flow *f = arg;
    struct batch b;
    struct timeval late = {.tv_usec = LATE_NS / 1000};

    init_batch(&b, f->size, false);
    setsockopt(f->fd, SOL_SOCKET, SO_RCVTIMEO, &late, sizeof late);
    for (;;) {
        int n = recvmmsg(f->fd, b.msgs, BATCH, MSG_WAITFORONE, NULL);
        if (n <= 0 && (errno == EAGAIN || errno == ECONNREFUSED))
            break;
        uint64_t now = bench_now_ns();
        for (int i = 0; i < n; i++)
            if (b.msgs[i].msg_len == f->size)
                note_delay(f, b.iov[i].iov_base, now);
    }
    free(b.bytes);
    return NULL;
}

/* What is due by now, at most a batch; sleeps when nothing is. */
static unsigned due(const struct flow *f, uint64_t since)
{
    uint64_t want = since * f->rate / 1000000000;

    if (want <= f->sent) {
        struct timespec nap = {.tv_nsec = 50000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
        return 0;
    }
    return want - f->sent < BATCH ? (unsigned)(want - f->sent) : BATCH;
}

static void send_all(struct flow *f)
{
    uint64_t begin = bench_now_ns(), until = (uint64_t)f->seconds * 1000000000, since;
    struct batch b;

    init_batch(&b, f->size, false);
    while ((since = bench_now_ns() - begin) < until) {
        unsigned n = due(f, since);
        uint64_t now = bench_now_ns();
        for (unsigned i = 0; i < n; i++)
            memcpy(b.iov[i].iov_base, &now, sizeof now);
        int k = n > 0 ? sendmmsg(f->fd, b.msgs, n, 0) : 0;
        f->sent += k > 0 ? (uint64_t)k : 0;
    }
    f->took_ns = bench_now_ns() - begin;
    free(b.bytes);
}

static void run(struct flow *f, uint32_t port)
{
    struct sockaddr_in to = bench_address("127.0.0.1", port);
    pthread_t receiver;

    memset(f->delays, 0, BUCKETS * sizeof *f->delays);
    f->sent = f->back = 0;
    f->fd = new_socket();
    if (connect(f->fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_die("connect");
    if (pthread_create(&receiver, NULL, receive, f) != 0)
        bench_die("thread");
    send_all(f);
    pthread_join(receiver, NULL);
    close(f->fd);
}

static double lost(const struct flow *f)
{
    return f->sent == 0 || f->back >= f->sent ? 0 : 1 - (double)f->back / (double)f->sent;
}

static double percentile(const struct flow *f, unsigned percent)
{
    uint64_t seen = 0;

    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += f->delays[i];
        if (seen * 100 >= f->back * percent)
            return (double)i * BUCKET_NS / 1000;
    }
    return 0;
}

static void say(const struct flow *f)
{
    double s = (double)f->took_ns / 1e9;

    printf("{\"size\": %u, \"rate\": %u, \"sent_per_s\": %.0f, \"back_per_s\": %.0f, "
           "\"lost\": %.5f, \"p50_us\": %.0f, \"p99_us\": %.0f}\n",
           f->size, f->rate, (double)f->sent / s, (double)f->back / s, lost(f), percentile(f, 50),
           percentile(f, 99));
    fflush(stdout);
}

/* Whether the rate was reached, and enough came back. */
static bool passes(struct flow *f, uint32_t port, uint32_t rate)
{
    f->rate = rate;
    run(f, port);
    return lost(f) < LOSS_MAX && f->sent > (uint64_t)rate * f->seconds * 9 / 10;
}

static void find_most(struct flow *f, uint32_t port)
{
    uint32_t good = 1000, bad;

    while (good < 50000000 && passes(f, port, good * 2))
        good *= 2;
    bad = good * 2;
    for (int i = 0; i < 4; i++) {
        uint32_t middle = good + (bad - good) / 2;
        if (passes(f, port, middle))
            good = middle;
        else
            bad = middle;
    }
    (void)passes(f, port, good);
}

int main(int argc, char **argv)
{
    struct flow f = {.fd = -1};
    bool most = argc == 5 && strcmp(argv[1], "most") == 0;

    if (argc == 3 && strcmp(argv[1], "echo") == 0)
        echo(bench_number(argv[2]));
    if (!most && (argc != 6 || strcmp(argv[1], "flow") != 0)) {
        fprintf(stderr, "usage: bench_udp echo PORT | flow PORT SIZE RATE SECONDS | most PORT SIZE "
                        "SECONDS\n");
        return EXIT_FAILURE;
    }
    f.delays = calloc(BUCKETS, sizeof *f.delays);
    f.size = bench_number(argv[3]);
    f.seconds = bench_number(argv[most ? 4 : 5]);
    if (f.delays == NULL || f.size < sizeof(uint64_t) || f.size > LARGEST) {
        errno = f.delays == NULL ? ENOMEM : EINVAL;
        bench_die("SIZE");
    }
    if (most) {
        find_most(&f, bench_number(argv[2]));
    } else {
        f.rate = bench_number(argv[4]);
        run(&f, bench_number(argv[2]));
    }
    say(&f);
    free(f.delays);
    return EXIT_SUCCESS;
}

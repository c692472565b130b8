/*
 * load.c - makes and answers the load of compare.sh, in C so that it is not what is measured.
 *
 *      bench_load echo PORT                  answers every connection with its own bytes
 *      bench_load ping PORT COUNT            64 bytes there and back: p50 and p99 in microseconds
 *      bench_load rate PORT COUNT AT_ONCE    opens COUNT connections, one byte each: per second
 *      bench_load idle PORT COUNT            opens COUNT connections, says so, holds them until a
 *                                            line comes on standard input
 *      bench_load pour PORT [ADDR]           sends without end to one connection after the other;
 *                                            one that is not from ADDR is a failure
 *      bench_load take PORT MIB              Gbit/s of MIB that come
 *
 * In front of any of them: "socks TARGET", to get to the port TARGET through a SOCKS5 server at
 * PORT; "from ADDR", to say so in a PROXY protocol header; "to ADDR", instead of 127.0.0.1. Results
 * are one line on standard output. Any failure ends the program.
 */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE     64
#define EVENTS      256
#define ECHO_BYTES  65536
#define WARM_UP     100
#define MAX_AT_ONCE 1024
#define MAX_FD      65536
#define PIECE       (1 << 18)

/* What stands in front of the mode. */
static uint32_t socks_target;
static const char *claimed, *host = "127.0.0.1";

static int open_to(uint32_t port)
{
    struct sockaddr_in to = bench_address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0)
            bench_die("send");
        p += sent;
        n -= (size_t)sent;
    }
}

static void receive_all(int fd, uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t got = recv(fd, p, n, 0);
        if (got <= 0)
            bench_die("receive");
        p += got;
        n -= (size_t)got;
    }
}

/* ---- what comes before the first byte ---- */

static void ask_method(int fd)
{
    static const uint8_t greeting[] = {5, 1, 0};

    send_all(fd, greeting, sizeof greeting);
}

static void ask_target(int fd)
{
    uint8_t request[] = {
        5, 1, 0, 1, 127, 0, 0, 1, (uint8_t)(socks_target >> 8), (uint8_t)socks_target};
    uint8_t answer[2];

    receive_all(fd, answer, sizeof answer);
    send_all(fd, request, sizeof request);
}

static void take_reply(int fd)
{
    uint8_t reply[10];

    receive_all(fd, reply, sizeof reply);
    if (reply[1] != 0) {
        errno = ECONNREFUSED;
        bench_die("socks");
    }
}

/* With a port of its own, as every client has: this connection's. */
static void claim(int fd)
{
    char header[108];
    struct sockaddr_in own;
    socklen_t len = sizeof own;

    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        bench_die("getsockname");
    int n = snprintf(header, sizeof header, "PROXY TCP4 %s 127.0.0.1 %u 80\r\n", claimed,
                     (unsigned)ntohs(own.sin_port));

    send_all(fd, (const uint8_t *)header, (size_t)n);
}

static int connect_to(uint32_t port)
{
    int fd = open_to(port);

    if (claimed != NULL)
        claim(fd);
    if (socks_target != 0) {
        ask_method(fd);
        ask_target(fd);
        take_reply(fd);
    }
    return fd;
}

/* ---- echo ---- */

static int listen_on(uint32_t port)
{
    struct sockaddr_in at = bench_address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        bench_die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0)
        bench_die("listen");
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
        bench_die("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int fd = -1, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(epoll, fd);
    }
}

/* The loads never send more than they read back, so that a blocking send does not block. */
static void answer(int fd)
{
    static uint8_t bytes[ECHO_BYTES];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);

    if (n <= 0 || send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
        close(fd);
}

static _Noreturn void echo(uint32_t port)
{
    struct epoll_event events[EVENTS];
    int listener = listen_on(port), epoll = epoll_create1(EPOLL_CLOEXEC);

    watch(epoll, listener);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                answer(events[i].data.fd);
        }
    }
}

/* ---- ping ---- */

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t round_trip(int fd)
{
    uint8_t message[MESSAGE] = {0};
    uint64_t begin = bench_now_ns();

    send_all(fd, message, sizeof message);
    receive_all(fd, message, sizeof message);
    return bench_now_ns() - begin;
}

static int ping(uint32_t port, uint32_t count)
{
    uint64_t *times = calloc(count, sizeof *times);
    int fd = connect_to(port);

    if (times == NULL)
        bench_die("memory");
    for (int i = 0; i < WARM_UP; i++)
        round_trip(fd);
    for (uint32_t i = 0; i < count; i++)
        times[i] = round_trip(fd);
    qsort(times, count, sizeof *times, compare);
    const uint32_t p50 = count / 2, p99 = (uint32_t)((uint64_t)count * 99 / 100);
    printf("{\"p50_us\": %.1f, \"p99_us\": %.1f}\n", (double)times[p50] / 1000,
           (double)times[p99] / 1000);
    free(times);
    close(fd);
    return EXIT_SUCCESS;
}

/* ---- rate ---- */

/* By descriptor: what is waited for. */
static enum { BYTE, METHOD, REPLY } awaited[MAX_FD];

static void begin_one(int epoll, uint32_t port)
{
    int fd = open_to(port);

    if (fd >= MAX_FD)
        bench_die("too many descriptors");
    if (claimed != NULL)
        claim(fd);
    if (socks_target != 0)
        ask_method(fd);
    else
        send_all(fd, (const uint8_t *)"x", 1);
    awaited[fd] = socks_target != 0 ? METHOD : BYTE;
    watch(epoll, fd);
}

/* Something came; whether the connection is done with. */
static bool go_on(int fd)
{
    uint8_t byte = 0;

    if (awaited[fd] == METHOD) {
        ask_target(fd);
        awaited[fd] = REPLY;
        return false;
    }
    if (awaited[fd] == REPLY) {
        take_reply(fd);
        send_all(fd, (const uint8_t *)"x", 1);
        awaited[fd] = BYTE;
        return false;
    }
    receive_all(fd, &byte, 1);
    close(fd);
    return true;
}

static int rate(uint32_t port, uint32_t count, uint32_t at_once)
{
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint32_t begun = 0, done = 0;
    uint64_t begin = bench_now_ns();

    while (begun < at_once && begun < count) {
        begin_one(epoll, port);
        begun++;
    }
    while (done < count) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (!go_on(events[i].data.fd))
                continue;
            done++;
            if (begun < count) {
                begin_one(epoll, port);
                begun++;
            }
        }
    }
    printf("{\"per_second\": %.0f}\n", (double)count * 1e9 / (double)(bench_now_ns() - begin));
    close(epoll);
    return EXIT_SUCCESS;
}

/* ---- idle ---- */

static int idle(uint32_t port, uint32_t count)
{
    uint8_t byte = 'x';

    for (uint32_t i = 0; i < count; i++) {
        int fd = connect_to(port);
        send_all(fd, &byte, 1);
        receive_all(fd, &byte, 1);
    }
    puts("{\"open\": true}");
    fflush(stdout);
    return getchar() == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- bulk ---- */

static void check_source(const struct sockaddr_in *peer, const char *expected)
{
    if (expected != NULL && peer->sin_addr.s_addr != inet_addr(expected)) {
        fprintf(stderr, "bench_load: a connection from %s, not %s\n", inet_ntoa(peer->sin_addr),
                expected);
        exit(EXIT_FAILURE);
    }
}

static _Noreturn void pour(uint32_t port, const char *expected)
{
    static uint8_t bytes[PIECE];
    int listener = listen_on(port);

    fcntl(listener, F_SETFL, 0);
    for (;;) {
        struct sockaddr_in peer;
        socklen_t len = sizeof peer;
        int fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
        if (fd < 0)
            bench_die("accept");
        check_source(&peer, expected);
        while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
            ;
        close(fd);
    }
}

static int take(uint32_t port, uint32_t mib)
{
    static uint8_t bytes[PIECE];
    int fd = connect_to(port);
    uint64_t left = (uint64_t)mib << 20, begin = bench_now_ns();

    while (left > 0) {
        ssize_t n = recv(fd, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
        if (n <= 0)
            bench_die("receive");
        left -= (uint64_t)n;
    }
    printf("{\"gbit\": %.3f}\n",
           (double)((uint64_t)mib << 20) * 8 / (double)(bench_now_ns() - begin));
    close(fd);
    return EXIT_SUCCESS;
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Takes what stands in front of the mode; how many words that were. */
static int take_front(int argc, char **argv)
{
    int i = 1;

    for (; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "socks") == 0)
            socks_target = bench_number(argv[i + 1]);
        else if (strcmp(argv[i], "from") == 0)
            claimed = argv[i + 1];
        else if (strcmp(argv[i], "to") == 0)
            host = argv[i + 1];
        else
            break;
    }
    return i - 1;
}

int main(int argc, char **argv)
{
    int front = take_front(argc, argv);

    argc -= front;
    argv += front;
    raise_limit();
    if (argc == 3 && strcmp(argv[1], "echo") == 0)
        echo(bench_number(argv[2]));
    if (argc == 4 && strcmp(argv[1], "ping") == 0)
        return ping(bench_number(argv[2]), bench_number(argv[3]));
    if (argc == 5 && strcmp(argv[1], "rate") == 0 && bench_number(argv[4]) <= MAX_AT_ONCE)
        return rate(bench_number(argv[2]), bench_number(argv[3]), bench_number(argv[4]));
    if (argc == 4 && strcmp(argv[1], "idle") == 0)
        return idle(bench_number(argv[2]), bench_number(argv[3]));
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "pour") == 0)
        pour(bench_number(argv[2]), argv[3]);
    if (argc == 4 && strcmp(argv[1], "take") == 0)
        return take(bench_number(argv[2]), bench_number(argv[3]));
    fputs("usage: bench_load [socks PORT] [from ADDR] [to ADDR] echo PORT | ping PORT COUNT | "
          "rate PORT COUNT AT_ONCE | idle PORT COUNT | pour PORT [ADDR] | take PORT MIB\n",
          stderr);
    return 2;
}

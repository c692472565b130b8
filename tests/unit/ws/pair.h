/*
 * pair.h - two connected TCP sockets on loopback, and a wire whose callbacks keep what happened.
 */
#ifndef TWS_TEST_WS_PAIR_H
#define TWS_TEST_WS_PAIR_H

#include "tws/net/loop.h"
#include "tws/ws/wire.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAILSAFE_US 20000000

static inline void pair_on_failsafe(struct tws_timer *t)
{
    (void)t;
    ck_abort_msg("what the test waits for did not come");
}

/* Runs until a callback stops the loop. */
static inline void pair_run(struct tws_loop *loop)
{
    struct tws_timer failsafe;

    tws_timer_init(&failsafe, loop, pair_on_failsafe);
    tws_timer_start(&failsafe, FAILSAFE_US);
    tws_loop_run(loop);
    tws_timer_stop(&failsafe);
}

static inline void pair_on_stop(struct tws_timer *t)
{
    tws_loop_stop(t->loop);
}

static inline void pair_run_for(struct tws_loop *loop, uint64_t us)
{
    struct tws_timer end;

    tws_timer_init(&end, loop, pair_on_stop);
    tws_timer_start(&end, us);
    pair_run(loop);
    tws_timer_stop(&end);
}

static inline void pair_nonblocking(int fd)
{
    ck_assert_int_eq(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static inline int pair_listen(uint16_t *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, len), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    *port = ntohs(sin.sin_port);
    return fd;
}

/* A blocking connection to that port of loopback. */
static inline int pair_connect(uint16_t port)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    return fd;
}

/* A thread's work: bytes from fds[0] to fds[1] until their end, which is handed on. */
static inline void *pair_copy(void *arg)
{
    int *fds = arg;
    char buf[4096];
    ssize_t n;

    while ((n = recv(fds[0], buf, sizeof(buf), 0)) > 0)
        (void)!send(fds[1], buf, (size_t)n, MSG_NOSIGNAL);
    shutdown(fds[1], SHUT_RDWR);
    return NULL;
}

/* Both ways between two connections until both have ended. */
static inline void pair_relay(int a, int b)
{
    int there[2] = {a, b}, back[2] = {b, a};
    pthread_t other;

    pthread_create(&other, NULL, pair_copy, back);
    pair_copy(there);
    pthread_join(other, NULL);
}

/* fds[0] is non-blocking, for a wire; fds[1] blocks. */
static inline void pair_sockets(int fds[2])
{
    uint16_t port;
    int l = pair_listen(&port);

    fds[0] = pair_connect(port);
    fds[1] = accept(l, NULL, NULL);
    ck_assert_int_ge(fds[1], 0);
    close(l);
    pair_nonblocking(fds[0]);
}

/* FNV-1a over everything received, in order. */
static inline uint64_t pair_hash(uint64_t h, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

#define PAIR_HASH_START 0xcbf29ce484222325u

/* One end: sends `to_send` bytes in messages, checks nothing, counts everything. */
struct end {
    struct tws_loop *loop;
    struct tws_wire *wire;
    uint64_t received, hash;
    unsigned messages, bursts, writables, overs;
    uint16_t over_code;
    char over_why[128];
    uint64_t to_send, sent, sent_hash;
    size_t message; /* bytes of each; 0: a different size each time */
    bool staged;
    uint64_t stop_at;      /* stops the loop when that much was received */
    bool close_in_message; /* closes the wire on the first message */
    uint8_t last[256];     /* the beginning of the last message */
    size_t last_n;
    uint8_t buffer[TWS_WIRE_HEADROOM + 65535];
};

static inline size_t end_message_size(const struct end *e)
{
    static const size_t sizes[] = {1, 125, 126, 127, 4096, 32768, 65535, 17};
    size_t n = e->message > 0 ? e->message : sizes[(e->sent / 7) % 8];

    return n < e->to_send - e->sent ? n : (size_t)(e->to_send - e->sent);
}

static inline tws_err end_send_one(struct end *e, size_t n)
{
    uint8_t *p = e->staged ? tws_wire_stage(e->wire, n) : e->buffer + TWS_WIRE_HEADROOM;

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)((e->sent + i) * 131 >> 3);
    e->sent_hash = pair_hash(e->sent_hash, p, n);
    e->sent += n;
    if (e->staged)
        return tws_wire_send_staged(e->wire, n);
    return tws_wire_send(e->wire, (struct tws_span){p, n});
}

/* Sends until blocked or done. */
static inline tws_err end_pump(struct end *e)
{
    tws_err err = TWS_OK;

    while (err == TWS_OK && e->sent < e->to_send)
        err = end_send_one(e, end_message_size(e));
    return err;
}

static inline void end_on_message(void *arg, uint8_t *msg, size_t n)
{
    struct end *e = arg;

    e->messages++;
    e->received += n;
    e->hash = pair_hash(e->hash, msg, n);
    e->last_n = n < sizeof(e->last) ? n : sizeof(e->last);
    memcpy(e->last, msg, e->last_n);
    if (e->close_in_message) {
        tws_wire_close(e->wire, 1000);
        e->wire = NULL;
        memset(msg, 0, n); /* still ours during the call */
        tws_loop_stop(e->loop);
    } else if (e->stop_at > 0 && e->received >= e->stop_at) {
        tws_loop_stop(e->loop);
    }
}

static inline void end_on_burst_end(void *arg)
{
    ((struct end *)arg)->bursts++;
}

static inline void end_on_writable(void *arg)
{
    struct end *e = arg;

    e->writables++;
    (void)!end_pump(e);
}

static inline void end_on_over(void *arg, uint16_t code, const char *why)
{
    struct end *e = arg;

    e->overs++;
    e->over_code = code;
    snprintf(e->over_why, sizeof(e->over_why), "%s", why);
    tws_wire_close(e->wire, 1000);
    e->wire = NULL;
    tws_loop_stop(e->loop);
}

static const struct tws_wire_events end_events = {
    .on_message = end_on_message,
    .on_burst_end = end_on_burst_end,
    .on_writable = end_on_writable,
    .on_over = end_on_over,
};

static inline struct end *end_new(struct tws_loop *loop)
{
    struct end *e = calloc(1, sizeof(*e));

    e->loop = loop;
    e->hash = e->sent_hash = PAIR_HASH_START;
    return e;
}

static inline void end_adopt(struct end *e, struct tws_wire *w)
{
    e->wire = w;
    tws_wire_start(w, &end_events, e);
}

/* Sends that many bytes from one end to the other, and sees that they are the same there. */
static inline void end_transfer(struct end *from, struct end *to, uint64_t bytes, bool staged)
{
    from->to_send = to->stop_at = bytes;
    from->message = 32768;
    from->staged = staged;
    (void)!end_pump(from);
    if (to->received < bytes)
        pair_run(from->loop);
    ck_assert_uint_eq(to->received, bytes);
    ck_assert_uint_eq(to->hash, from->sent_hash);
}

static inline void end_free(struct end *e)
{
    tws_wire_close(e->wire, 1000);
    free(e);
}

#endif

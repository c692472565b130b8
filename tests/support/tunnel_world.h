/*
 * tunnel_world.h - a server and a client in one process, on a loop in a thread of its own, with
 * the test's thread at both ends: it connects to the client's forward and accepts what the server
 * dials. The test's sockets block, with a time-out that only fails tests.
 *
 * What happens inside is seen in the log: world_await_log() waits for a line.
 */
#ifndef TWS_TESTS_TUNNEL_WORLD_H
#define TWS_TESTS_TUNNEL_WORLD_H

#include "tws/base/log.h"
#include "tws/tunnel/client.h"
#include "tws/tunnel/server.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define WORLD_PATIENCE_S 20
#define WORLD_LOG_BYTES  (1 << 20)

struct world;
typedef void world_fn(struct world *w);

struct world {
    struct tws_loop *loop;
    struct tws_ws *ws;
    struct tws_server_config server_cfg;
    struct tws_client_config client_cfg;
    struct tws_user user;
    struct tws_endpoint endpoints[2];
    struct tws_uplink uplinks[2];
    struct tws_forward forwards[2]; /* to the target, and to a port nobody listens on */
    struct tws_server *server;
    struct tws_client *client;
    uint16_t forward_port[8];
    int target; /* listening */

    pthread_t thread;
    uv_async_t async;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    world_fn *todo; /* for the loop's thread */
    bool drained, settled;
    char log[WORLD_LOG_BYTES]; /* lines, '\n' between */
    size_t log_len;
};

/* ---- the log ---- */

static inline void world_sink(void *ctx, enum tws_log_level level, const char *line, size_t len)
{
    struct world *w = ctx;

    pthread_mutex_lock(&w->lock);
    if (getenv("TWS_TEST_LOG") != NULL)
        fprintf(stderr, "%d %.*s\n", (int)level, (int)len, line);
    if (w->log_len + len + 2 < sizeof w->log) {
        memcpy(w->log + w->log_len, line, len);
        w->log[w->log_len + len] = '\n';
        w->log_len += len + 1;
        w->log[w->log_len] = '\0';
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* How many lines have `text` in them; the lock is held. */
static inline unsigned count_locked(const struct world *w, const char *text)
{
    unsigned n = 0;

    for (const char *p = w->log; (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

static inline unsigned world_count_log(struct world *w, const char *text)
{
    pthread_mutex_lock(&w->lock);
    unsigned n = count_locked(w, text);
    pthread_mutex_unlock(&w->lock);
    return n;
}

static inline struct timespec patience(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_sec += WORLD_PATIENCE_S;
    return ts;
}

/* Waits until `text` was logged `n` times. */
static inline void world_await_log(struct world *w, const char *text, unsigned n)
{
    struct timespec until = patience();
    int err = 0;

    pthread_mutex_lock(&w->lock);
    while (count_locked(w, text) < n && err == 0)
        err = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    pthread_mutex_unlock(&w->lock);
    ck_assert_msg(err == 0, "never logged %u times: %s\n%s", n, text, w->log);
}

/* ---- the loop's thread ---- */

static inline void on_async(uv_async_t *a)
{
    struct world *w = a->data;

    pthread_mutex_lock(&w->lock);
    world_fn *fn = w->todo;
    pthread_mutex_unlock(&w->lock);
    if (fn == NULL)
        return;
    fn(w);
    pthread_mutex_lock(&w->lock);
    w->todo = NULL;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* Runs `fn` in the loop's thread and waits for its end. */
static inline void world_do(struct world *w, world_fn *fn)
{
    struct timespec until = patience();
    int err = 0;

    pthread_mutex_lock(&w->lock);
    w->todo = fn;
    uv_async_send(&w->async);
    while (w->todo != NULL && err == 0)
        err = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    pthread_mutex_unlock(&w->lock);
    ck_assert_msg(err == 0, "the loop does not answer\n%s", w->log);
}

static inline void *run_loop(void *arg)
{
    struct world *w = arg;

    tws_loop_run(w->loop);
    return NULL;
}

/* ---- configuration ---- */

static const struct tws_link_limits world_limits = {
    .grace_ms = 30000,
    .heartbeat_ms = 15000,
    .give_up_ms = 10000,
    .memory = 64 << 20,
    .max_message = 32768,
    .max_channels = 65536,
    .encrypt = TWS_ENCRYPT_ALLOW,
    .half_close_timeout_ms = 0,
    .drain_ms = 20000,
};

static inline struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline uint16_t port_of(int fd)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    return ntohs(sa.sin_port);
}

static inline int bind_any(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = loopback(0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

/* A port to which nobody listens. It stays bound until the test's process ends, which keeps the
 * kernel from giving it to anybody else, and not a listener (SO_REUSEADDR) from opening there. */
static inline uint16_t free_port(void)
{
    return port_of(bind_any());
}

static inline struct tws_hostport local_port(uint16_t port)
{
    return (struct tws_hostport){.host = "127.0.0.1", .port = port};
}

static inline struct tws_spot local_spot(uint16_t port)
{
    return tws_spot_of(&(struct tws_hostport){.host = "127.0.0.1", .port = port});
}

static inline void configure(struct world *w)
{
    static char path[] = "/tws", name[] = "laptop", user[] = "alice";
    struct tws_key key = {.id = {1, 2, 3}, .psk = {9, 8, 7}};
    uint16_t port = free_port();

    w->user = (struct tws_user){.name = user, .key = key, .allow_all = true};
    w->server_cfg = (struct tws_server_config){
        .listen = local_spot(port),
        .users = &w->user,
        .nusers = 1,
        .connect_timeout_ms = 10000,
        .link = world_limits,
    };
    w->forwards[0] =
        (struct tws_forward){.listen = local_spot(0), .remote = local_spot(port_of(w->target))};
    w->forwards[1] =
        (struct tws_forward){.listen = local_spot(free_port()), .remote = local_spot(free_port())};
    w->endpoints[0] = (struct tws_endpoint){.server = local_port(port), .path = path};
    w->uplinks[0] = (struct tws_uplink){.connections = 2, .weight = 1};
    w->client_cfg = (struct tws_client_config){
        .servers = w->endpoints,
        .nservers = 1,
        .uplinks = w->uplinks,
        .nuplinks = 1,
        .name = name,
        .key = key,
        .retry_timeout_ms = 200,
        .connect_timeout_ms = 10000,
        .forwards = w->forwards,
        .nforwards = 2,
        .link = world_limits,
    };
}

/* ---- life ---- */

static inline void world_start_server(struct world *w)
{
    ck_assert_int_eq(tws_server_new(w->loop, w->ws, &w->server_cfg, &w->server), TWS_OK);
}

static inline void world_stop_server(struct world *w)
{
    tws_server_free(w->server);
    w->server = NULL;
}

static inline void world_start_client(struct world *w)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    ck_assert_int_eq(tws_client_new(w->loop, w->ws, &w->client_cfg, &w->client), TWS_OK);
    for (size_t i = 0; i < w->client_cfg.nforwards; i++) {
        tws_client_forward_address(w->client, i, &sa);
        tws_sockaddr_get(&sa, &ip, &w->forward_port[i]);
    }
}

static inline void world_stop_client(struct world *w)
{
    tws_client_free(w->client);
    w->client = NULL;
}

static inline void stop_loop(struct world *w)
{
    world_stop_client(w);
    world_stop_server(w);
    uv_close((uv_handle_t *)&w->async, NULL);
    tws_loop_stop(w->loop);
}

/* Nothing runs yet: change the configuration, then start what is wanted. */
static inline struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);

    alarm(3 * WORLD_PATIENCE_S);
    signal(SIGPIPE, SIG_IGN); /* as the process does */
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    tws_raise_fd_limit();
    w->target = bind_any();
    ck_assert_int_eq(listen(w->target, 4096), 0);
    configure(w);
    tws_log_set(TWS_LOG_DEBUG, world_sink, w);
    ck_assert_int_eq(tws_loop_new(&w->loop), TWS_OK);
    ck_assert_int_eq(tws_ws_new(w->loop, &w->ws), TWS_OK);
    w->async.data = w;
    uv_async_init(tws_loop_uv(w->loop), &w->async, on_async);
    ck_assert_int_eq(pthread_create(&w->thread, NULL, run_loop, w), 0);
    return w;
}

static inline void world_free(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    w->todo = stop_loop;
    uv_async_send(&w->async);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    tws_ws_free(w->ws);
    tws_loop_free(w->loop);
    tws_log_set(TWS_LOG_INFO, NULL, NULL);
    close(w->target);
    free(w);
}

/* Both running, all links up. */
static inline struct world *world_ready(void)
{
    struct world *w = world_new();

    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "link up", 4); /* two on each side */
    return w;
}

/* Another name is another route: a new session, and the old one drains. For world_do(). */
static inline void world_reload_to_another_name(struct world *w)
{
    static struct tws_client_config next;
    static char name[] = "desktop";

    next = w->client_cfg;
    next.name = name;
    ck_assert_int_eq(tws_client_reload(w->client, &next), TWS_OK);
}

/* ---- the two ends ---- */

static inline void be_patient(int fd)
{
    struct timeval tv = {.tv_sec = WORLD_PATIENCE_S};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
}

static inline int world_connect(struct world *w, int forward)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = loopback(w->forward_port[forward]);

    be_patient(fd);
    ck_assert_msg(connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0, "connect: %s",
                  strerror(errno));
    return fd;
}

static inline int world_accept(struct world *w)
{
    struct pollfd p = {.fd = w->target, .events = POLLIN};

    ck_assert_msg(poll(&p, 1, WORLD_PATIENCE_S * 1000) == 1, "nothing dialled\n%s", w->log);
    int fd = accept4(w->target, NULL, NULL, SOCK_CLOEXEC);
    be_patient(fd);
    return fd;
}

/* A connection through the tunnel: its two ends. */
struct ends {
    int near, far;
};

static inline struct ends world_open(struct world *w)
{
    struct ends e = {.near = world_connect(w, 0)};

    e.far = world_accept(w);
    return e;
}

static inline void ends_close(struct ends *e)
{
    close(e->near);
    close(e->far);
}

/* close(2) with RST. */
static inline void abort_socket(int fd)
{
    struct linger l = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(fd);
}

static inline void put_text(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline void expect_text(int fd, const char *text)
{
    char got[256] = "";
    size_t n = 0, want = strlen(text);

    while (n < want) {
        ssize_t r = recv(fd, got + n, want - n, 0);
        ck_assert_msg(r > 0, "after \"%s\": %s", got, r == 0 ? "end of file" : strerror(errno));
        n += (size_t)r;
    }
    ck_assert_str_eq(got, text);
}

static inline void expect_eof(int fd)
{
    char c;
    ssize_t r = recv(fd, &c, 1, 0);

    ck_assert_msg(r == 0, "%s", r > 0 ? "a byte" : strerror(errno));
}

static inline void expect_reset(int fd)
{
    char c;
    ssize_t r = recv(fd, &c, 1, 0);

    ck_assert_msg(r < 0 && errno == ECONNRESET, "%s",
                  r > 0    ? "a byte"
                  : r == 0 ? "end of file"
                           : strerror(errno));
}

/* The n-th byte of a stream that repeats only after 251 * 256 bytes. */
static inline uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i % 251 + i / 251);
}

struct sending {
    int fd;
    uint64_t n;
};

/* As a thread's result. */
static inline void *failure(const char *text)
{
    return (void *)(uintptr_t)text;
}

static inline void *send_pattern(void *arg)
{
    struct sending *s = arg;
    uint8_t buf[65536];
    uint64_t at = 0;

    while (at < s->n) {
        size_t want = s->n - at < sizeof buf ? (size_t)(s->n - at) : sizeof buf;
        for (size_t i = 0; i < want; i++)
            buf[i] = pattern(at + i);
        for (size_t done = 0; done < want;) {
            ssize_t r = send(s->fd, buf + done, want - done, MSG_NOSIGNAL);
            if (r <= 0)
                return failure("send failed");
            done += (size_t)r;
        }
        at += want;
    }
    return NULL;
}

static inline void *receive_pattern(void *arg)
{
    struct sending *s = arg;
    uint8_t buf[65536];
    uint64_t at = 0;

    while (at < s->n) {
        ssize_t r = recv(s->fd, buf, sizeof buf, 0);
        if (r <= 0)
            return failure("the stream ended early");
        for (ssize_t i = 0; i < r; i++)
            if (buf[i] != pattern(at + (uint64_t)i))
                return failure("a byte was altered");
        at += (uint64_t)r;
    }
    return NULL;
}

static inline void expect_fine(pthread_t t, const char *what)
{
    void *why = NULL;

    pthread_join(t, &why);
    ck_assert_msg(why == NULL, "%s: %s", what, (const char *)why);
}

/* `n` bytes both ways at once, each one checked. */
static inline void exchange(const struct ends *e, uint64_t n)
{
    struct sending near = {e->near, n}, far = {e->far, n};
    pthread_t t[4];

    pthread_create(&t[0], NULL, send_pattern, &near);
    pthread_create(&t[1], NULL, send_pattern, &far);
    pthread_create(&t[2], NULL, receive_pattern, &near);
    pthread_create(&t[3], NULL, receive_pattern, &far);
    expect_fine(t[0], "near sends");
    expect_fine(t[1], "far sends");
    expect_fine(t[2], "near receives");
    expect_fine(t[3], "far receives");
}

/* Cuts every TCP connection of this process that leads to the server's port. */
static inline unsigned world_cut_links(struct world *w)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;
    unsigned n = 0;

    while ((e = readdir(d)) != NULL) {
        struct sockaddr_in sa;
        socklen_t len = sizeof sa;
        int fd = (int)strtol(e->d_name, NULL, 10);
        if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0 && sa.sin_family == AF_INET &&
            ntohs(sa.sin_port) == w->server_cfg.listen.port)
            n += shutdown(fd, SHUT_RDWR) == 0;
    }
    closedir(d);
    return n;
}

#endif

/* tls_pipe.c - see tls_pipe_priv.h. */
#include "stream_priv.h"
#include "tls_pipe_priv.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER      (16 * 1024)
#define PAIR_BUFFER (16 * 1024) /* of the kernel, for each end of the pair */
#define QUIET_US    30000000    /* for the last bytes, while none is taken */
#define LINGER_US   2000000     /* for the other side's end */
#define TURN_READS  4           /* buffers taken before the others have their turn */

/* One direction. */
struct half {
    size_t have, sent;
    bool eof;  /* nothing more comes in */
    bool over; /* and all of it went out */
    uint8_t bytes[BUFFER];
};

struct tws_tls_pipe {
    struct tws_loop *loop;
    struct tws_tls_pipe_events ev;
    void *arg;
    struct tws_io io, near_io;
    struct tws_timer timer; /* of the handshake, then of the end */
    int fd, near;
    SSL *ssl;
    bool ready;
    const char *why;   /* the handshake is not done; static */
    bool failed;       /* the handshake: only lingers, so that its alert is not lost to a reset */
    bool deaf;         /* nobody reads the plain side any more: what comes is thrown away */
    struct half *up;   /* from TLS to plain; NULL before ready */
    struct half *down; /* from plain to TLS */
};

/* ---- life ---- */

void tws_tls_pipe_free(struct tws_tls_pipe *p)
{
    if (p == NULL)
        return;
    tws_io_stop(&p->io);
    tws_io_stop(&p->near_io);
    tws_timer_stop(&p->timer);
    SSL_free(p->ssl);
    tws_socket_close(p->fd);
    tws_socket_close(p->near);
    free(p->up);
    free(p->down);
    tws_loop_free_later(p->loop, p);
}

static void over(struct tws_tls_pipe *p)
{
    void (*on_over)(void *arg, const char *why) = p->ev.on_over;
    const char *why = p->ready ? NULL : p->why;
    void *arg = p->arg;

    tws_tls_pipe_free(p);
    on_over(arg, why);
}

static void on_timer(struct tws_timer *t)
{
    over(TWS_CONTAINER(t, struct tws_tls_pipe, timer));
}

/* ---- one direction ---- */

/* Bytes, or a tws_stream_end. */
static long take_plain(struct tws_tls_pipe *p, struct half *h)
{
    ssize_t n = recv(p->near, h->bytes, sizeof(h->bytes), MSG_DONTWAIT);

    if (n > 0)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return TWS_STREAM_BLOCKED;
    return n == 0 ? TWS_STREAM_EOF : TWS_STREAM_BROKEN;
}

static long take_tls(struct tws_tls_pipe *p, struct half *h)
{
    struct tws_stream s = {p->fd, p->ssl};
    struct tws_ws_room room = {.first = h->bytes, .nfirst = sizeof(h->bytes)};
    const char *why = NULL;

    return tws_stream_read(&s, &room, &why);
}

/* Nobody there any more is as good as taken. */
static long give_plain(struct tws_tls_pipe *p, const uint8_t *bytes, size_t n)
{
    ssize_t k = p->deaf ? (ssize_t)n : send(p->near, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (k >= 0)
        return k;
    if (errno == EAGAIN || errno == EINTR)
        return TWS_STREAM_BLOCKED;
    p->deaf = true;
    return (long)n;
}

static long give_tls(struct tws_tls_pipe *p, const uint8_t *bytes, size_t n)
{
    struct tws_stream s = {p->fd, p->ssl};
    const char *why = NULL;

    return tws_stream_write(&s, bytes, n, &why);
}

/* Moves what it can upwards, and may be called again for more; false: broken. */
static bool pump_up(struct tws_tls_pipe *p)
{
    struct half *h = p->up;

    for (int reads = 0; !h->over;) {
        long n;

        if (h->sent < h->have) {
            n = give_plain(p, h->bytes + h->sent, h->have - h->sent);
            if (n <= 0)
                return true;
            h->sent += (size_t)n;
            continue;
        }
        if (reads++ == TURN_READS) {
            tws_io_again(&p->io, TWS_IO_READ); /* nobody takes it: it could go on for ever */
            return true;
        }
        n = take_tls(p, h);
        if (n == TWS_STREAM_BLOCKED)
            return true;
        if (n < 0) {
            h->over = true;
            (void)shutdown(p->near, SHUT_WR);
            return n == TWS_STREAM_EOF;
        }
        h->sent = 0;
        h->have = (size_t)n;
    }
    return true;
}

/* All of the plain side has left: says so, and waits a little for the other side's end. */
static void finish_down(struct tws_tls_pipe *p)
{
    struct tws_stream s = {p->fd, p->ssl};

    p->down->over = true;
    tws_stream_finish(&s);
    tws_timer_start(&p->timer, LINGER_US);
}

static bool pump_down(struct tws_tls_pipe *p)
{
    struct half *h = p->down;

    while (!h->over) {
        long n;

        if (h->sent < h->have) {
            n = give_tls(p, h->bytes + h->sent, h->have - h->sent);
            if (n <= 0)
                return n == TWS_STREAM_BLOCKED;
            h->sent += (size_t)n;
            if (h->eof)
                tws_timer_start(&p->timer, QUIET_US);
        } else if (h->eof) {
            finish_down(p);
        } else {
            n = take_plain(p, h);
            if (n == TWS_STREAM_BLOCKED)
                return true;
            h->eof = n < 0;
            h->sent = 0;
            h->have = n > 0 ? (size_t)n : 0;
        }
    }
    return true;
}

static void move(struct tws_tls_pipe *p)
{
    if (!pump_up(p) || !pump_down(p) || (p->up->over && p->down->over))
        over(p);
    else if (p->down->eof && !tws_timer_running(&p->timer))
        tws_timer_start(&p->timer, QUIET_US);
}

static void on_near(struct tws_io *io, unsigned events)
{
    (void)events;
    move(TWS_CONTAINER(io, struct tws_tls_pipe, near_io));
}

/* ---- the handshake ---- */

static bool open_pair(struct tws_tls_pipe *p, int *plain)
{
    int fds[2], size = PAIR_BUFFER;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        return false;
    p->near = fds[0];
    *plain = fds[1];
    for (int i = 0; i < 2; i++)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    p->up = calloc(1, sizeof(*p->up));
    p->down = calloc(1, sizeof(*p->down));
    if (p->up != NULL && p->down != NULL &&
        tws_io_start(p->loop, &p->near_io, p->near, on_near) == TWS_OK)
        return true;
    tws_socket_close(*plain);
    return false;
}

static void done(struct tws_tls_pipe *p)
{
    int plain = -1;

    tws_timer_stop(&p->timer);
    if (!open_pair(p, &plain)) {
        over(p);
        return;
    }
    p->ready = true;
    tws_io_again(&p->io, TWS_IO_READ); /* OpenSSL may hold more already */
    p->ev.on_ready(p->arg, plain);
}

/* The alert has left; a close with bytes unread would take it back. */
static void fail(struct tws_tls_pipe *p)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    p->why = why != NULL ? why : "connection closed";
    ERR_clear_error();
    p->failed = true;
    (void)shutdown(p->fd, SHUT_WR);
    if (tws_timer_running(&p->timer) && p->timer.at_us > tws_loop_now(p->loop) + LINGER_US)
        tws_timer_start(&p->timer, LINGER_US);
}

/* False: the other side ended, or sends and sends. */
static bool discard(struct tws_tls_pipe *p)
{
    uint8_t scrap[4096];

    for (int i = 0; i < 64; i++) {
        ssize_t n = recv(p->fd, scrap, sizeof(scrap), MSG_TRUNC | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0)
            return false;
    }
    return false;
}

static void shake(struct tws_tls_pipe *p)
{
    int ret;

    ERR_clear_error();
    ret = SSL_do_handshake(p->ssl);
    if (ret == 1) {
        done(p);
        return;
    }
    ret = SSL_get_error(p->ssl, ret);
    if (ret != SSL_ERROR_WANT_READ && ret != SSL_ERROR_WANT_WRITE)
        fail(p);
}

static void on_io(struct tws_io *io, unsigned events)
{
    struct tws_tls_pipe *p = TWS_CONTAINER(io, struct tws_tls_pipe, io);

    (void)events;
    if (p->ready) {
        move(p);
        return;
    }
    if (!p->failed)
        shake(p);
    if (p->failed && !discard(p))
        over(p);
}

tws_err tws_tls_pipe_new(struct tws_loop *loop, SSL *ssl, uint64_t handshake_until_us,
                         const struct tws_tls_pipe_events *ev, void *arg, struct tws_tls_pipe **out)
{
    struct tws_tls_pipe *p = calloc(1, sizeof(*p));
    tws_err err = TWS_NOMEM;

    if (p == NULL) {
        tws_socket_close(SSL_get_fd(ssl));
        SSL_free(ssl);
        return TWS_NOMEM;
    }
    p->loop = loop;
    p->ev = *ev;
    p->arg = arg;
    p->fd = SSL_get_fd(ssl);
    p->near = -1;
    p->ssl = ssl;
    p->why = "timed out";
    tws_timer_init(&p->timer, loop, on_timer);
    err = tws_io_start(loop, &p->io, p->fd, on_io);
    if (err != TWS_OK) {
        tws_tls_pipe_free(p);
        return err;
    }
    tws_timer_start_at(&p->timer, handshake_until_us);
    *out = p;
    return TWS_OK;
}

/* ---- handing over ---- */

tws_err tws_tls_pipe_take(struct tws_tls_pipe *p, int *fd, SSL **ssl)
{
    if (p->up->sent < p->up->have || p->up->over || SSL_pending(p->ssl) > 0 || !pump_down(p) ||
        p->down->sent < p->down->have || p->down->eof)
        return TWS_SYS;
    tws_io_stop(&p->io);
    tws_io_stop(&p->near_io);
    *fd = p->fd;
    *ssl = p->ssl;
    p->fd = -1;
    p->ssl = NULL;
    return TWS_OK;
}

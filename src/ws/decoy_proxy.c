/*
 * decoy_proxy.c - passes a stranger's request on to another web server, and the bytes of both
 * sides to each other, unchanged but for "Connection: close": a connection that stayed open could
 * be used for our upgrade later, which the other server would refuse.
 */
#include "decoy_priv.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define BUFFER     (16 * 1024)
#define TURN_READS 16 /* buffers taken before the others have their turn */

/* One direction: from `in` through the buffer to `out`. */
struct pipe {
    size_t have, sent;
    bool eof;  /* nothing more comes in */
    bool over; /* and all of it went out */
    uint8_t bytes[BUFFER];
};

struct relay {
    struct tws_decoy_job job;
    struct tws_connector *connector;
    struct tws_io near_io, far_io;
    int near_fd, far_fd;
    struct pipe up, down; /* to the other server, to the stranger */
};

static void end(struct tws_decoy_job *job)
{
    struct relay *r = TWS_CONTAINER(job, struct relay, job);

    if (r->connector != NULL)
        tws_connector_cancel(r->connector);
    tws_io_stop(&r->near_io);
    tws_io_stop(&r->far_io);
    tws_socket_close(r->near_fd);
    tws_socket_close(r->far_fd);
    tws_decoy_job_finish(job);
    tws_loop_free_later(job->decoy->loop, r);
}

/* ---- the head ---- */

static void put(struct pipe *p, const void *bytes, size_t n)
{
    memcpy(p->bytes + p->have, bytes, n);
    p->have += n;
}

/* Whether a header line is about the connection, which ends at us. */
static bool is_hop_line(const uint8_t *line, size_t n)
{
    static const char *const names[] = {"connection:", "keep-alive:", "proxy-connection:"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (n >= strlen(names[i]) &&
            strncasecmp((const char *)line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Copies the head line by line; it is at most TWS_HTTP_HEAD_MAX long, so it fits. */
static void rewrite_head(struct pipe *p, const uint8_t *head, size_t n)
{
    static const char close_line[] = "Connection: close\r\n";
    const uint8_t *line = head, *end_of_head = head + n;
    bool first = true;

    while (line < end_of_head) {
        const uint8_t *lf = memchr(line, '\n', (size_t)(end_of_head - line));
        const uint8_t *next = lf != NULL ? lf + 1 : end_of_head;

        if (!is_hop_line(line, (size_t)(next - line)))
            put(p, line, (size_t)(next - line));
        if (first)
            put(p, close_line, sizeof(close_line) - 1);
        first = false;
        line = next;
    }
}

/* ---- the bytes ---- */

/* Moves what it can, and may be called again for more; false: broken. */
static bool pump(struct pipe *p, struct tws_io *in, int out)
{
    ssize_t n;

    for (int reads = 0; !p->over;) {
        if (p->sent < p->have) {
            n = send(out, p->bytes + p->sent, p->have - p->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0)
                return errno == EAGAIN || errno == EINTR;
            p->sent += (size_t)n;
        } else if (p->eof) {
            p->over = true;
            (void)shutdown(out, SHUT_WR);
        } else if (reads++ == TURN_READS) {
            tws_io_again(in, TWS_IO_READ);
            return true;
        } else {
            n = recv(in->fd, p->bytes, sizeof(p->bytes), MSG_DONTWAIT);
            if (n < 0)
                return errno == EAGAIN || errno == EINTR;
            p->sent = 0;
            p->have = (size_t)n;
            p->eof = n == 0;
        }
    }
    return true;
}

static void move(struct relay *r)
{
    tws_timer_start(&r->job.quiet, TWS_DECOY_QUIET_US);
    if (!pump(&r->up, &r->near_io, r->far_fd) || !pump(&r->down, &r->far_io, r->near_fd) ||
        r->down.over)
        end(&r->job);
}

static void on_near(struct tws_io *io, unsigned events)
{
    (void)events;
    move(TWS_CONTAINER(io, struct relay, near_io));
}

static void on_far(struct tws_io *io, unsigned events)
{
    (void)events;
    move(TWS_CONTAINER(io, struct relay, far_io));
}

static void on_connected(void *arg, const struct tws_connect_result *result)
{
    static const char bad[] = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n"
                              "Connection: close\r\n\r\n";
    struct relay *r = arg;
    struct tws_loop *loop = r->job.decoy->loop;

    r->connector = NULL;
    r->far_fd = result->fd;
    if (result->failure != TWS_CONNECT_OK) {
        (void)!send(r->near_fd, bad, sizeof(bad) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        end(&r->job);
    } else if (tws_io_start(loop, &r->near_io, r->near_fd, on_near) != TWS_OK ||
               tws_io_start(loop, &r->far_io, r->far_fd, on_far) != TWS_OK) {
        end(&r->job);
    } else {
        tws_io_again(&r->near_io, TWS_IO_READ);
    }
}

void tws_decoy_proxy_serve(struct tws_decoy *d, int fd, const struct tws_http_head *head)
{
    struct tws_connect_options o = {.host = d->origin.host, .port = d->origin.port};
    struct relay *r = calloc(1, sizeof(*r));
    uint8_t bytes[TWS_HTTP_HEAD_MAX];

    if (r == NULL || recv(fd, bytes, head->size, MSG_DONTWAIT) != (ssize_t)head->size) {
        free(r);
        tws_socket_close(fd);
        return;
    }
    r->near_fd = fd;
    r->far_fd = -1;
    rewrite_head(&r->up, bytes, head->size);
    tws_decoy_job_begin(d, &r->job, end);
    if (tws_connector_start(d->loop, &o, on_connected, r, &r->connector) != TWS_OK)
        end(&r->job);
}

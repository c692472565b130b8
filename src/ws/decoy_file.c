/*
 * decoy_file.c - answers of our own: a file below the root, 404, 400.
 *
 * The path is decoded and must not have an empty, "." or ".." component, nor one that begins with
 * a dot, so it cannot leave the root (links in it are its owner's business). After the answer the
 * rest of what the peer sends is thrown away, so that the answer is not lost to a reset.
 */
#include "decoy_priv.h"

#include "tws/base/text.h"
#include "tws/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_MAX_LEN 1024
#define LINGER_US    2000000

struct answer {
    struct tws_decoy_job job;
    struct tws_io io;
    int fd, file;
    off_t offset, size;
    size_t nhead, sent;
    bool sent_all;
    char head[1024];
};

/* ---- what to answer ---- */

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".htm", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".xml", "application/xml"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".pdf", "application/pdf"},
};

static const char *type_of(const char *path)
{
    size_t n = strlen(path);

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t k = strlen(types[i].suffix);

        if (n > k && strcasecmp(path + n - k, types[i].suffix) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* Every component is a plain name; the last may be empty (a directory). */
static bool is_tame(const char *path)
{
    if (path[0] != '/')
        return false;
    for (const char *p = path; *p != '\0'; p++)
        if (*p == '/' && (p[1] == '.' || p[1] == '/'))
            return false;
    return true;
}

/* The path as a file system has it; false: malformed, too long, or not tame. */
static bool take_path(const struct tws_http_head *head, char *out, size_t cap)
{
    struct tws_span in = tws_http_head_path(head);

    return tws_percent_decode((const char *)in.p, in.n, out, cap) == TWS_OK && is_tame(out);
}

/* The file for a path, or -1; its name for the type in `path`. */
static int open_file(const char *root, char *path, size_t cap, struct stat *st)
{
    char full[PATH_MAX_LEN * 2];
    size_t n = strlen(path);
    int fd;

    if (path[n - 1] == '/' && n + sizeof("index.html") <= cap)
        memcpy(path + n, "index.html", sizeof("index.html"));
    if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
        return -1;
    fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
        return fd;
    tws_socket_close(fd);
    return -1;
}

/* ---- the answer's head ---- */

static void format_head(struct answer *a, const char *status, const char *type, long long size)
{
    char date[64];
    time_t now = time(NULL);
    struct tm tm;
    int n;

    (void)gmtime_r(&now, &tm);
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    n = snprintf(a->head, sizeof(a->head),
                 "HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %lld\r\n"
                 "Connection: close\r\n\r\n",
                 status, date, type, size);
    a->nhead = (size_t)n;
}

static void format_error(struct answer *a, const char *status, bool with_body)
{
    char body[256];
    int n = snprintf(body, sizeof(body),
                     "<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n"
                     "<center><h1>%s</h1></center>\r\n</body>\r\n</html>\r\n",
                     status, status);

    format_head(a, status, "text/html", n);
    if (!with_body)
        return;
    memcpy(a->head + a->nhead, body, (size_t)n);
    a->nhead += (size_t)n;
}

static bool method_is(const struct tws_http_head *h, const char *name)
{
    return h->method.n == strlen(name) && memcmp(h->method.p, name, h->method.n) == 0;
}

static void choose(struct answer *a, const char *root, const struct tws_http_head *head)
{
    char path[PATH_MAX_LEN];
    bool with_body;
    struct stat st;

    if (head == NULL) {
        format_error(a, "400 Bad Request", true);
        return;
    }
    with_body = !method_is(head, "HEAD");
    if (root == NULL || (with_body && !method_is(head, "GET")) ||
        !take_path(head, path, sizeof(path))) {
        format_error(a, "404 Not Found", with_body);
        return;
    }
    a->file = open_file(root, path, sizeof(path), &st);
    if (a->file < 0) {
        format_error(a, "404 Not Found", with_body);
        return;
    }
    a->size = with_body ? st.st_size : 0;
    format_head(a, "200 OK", type_of(path), (long long)st.st_size);
}

/* ---- sending it ---- */

static void end(struct tws_decoy_job *job)
{
    struct answer *a = TWS_CONTAINER(job, struct answer, job);

    tws_io_stop(&a->io);
    tws_socket_close(a->fd);
    tws_socket_close(a->file);
    tws_decoy_job_finish(job);
    tws_loop_free_later(job->decoy->loop, a);
}

/* One step; false: blocked or broken, with errno. */
static bool send_some(struct answer *a)
{
    ssize_t n;

    if (a->sent < a->nhead) {
        n = send(a->fd, a->head + a->sent, a->nhead - a->sent, MSG_NOSIGNAL);
        a->sent += n > 0 ? (size_t)n : 0;
    } else {
        n = sendfile(a->fd, a->file, &a->offset, (size_t)(a->size - a->offset));
        if (n == 0) /* the file was cut meanwhile */
            errno = EIO;
    }
    return n > 0;
}

static void on_io(struct tws_io *io, unsigned events)
{
    struct answer *a = TWS_CONTAINER(io, struct answer, io);

    (void)events;
    while (a->sent < a->nhead || a->offset < a->size) {
        if (!send_some(a)) {
            if (errno != EAGAIN && errno != EINTR)
                end(&a->job);
            return;
        }
        tws_timer_start(&a->job.quiet, TWS_DECOY_QUIET_US);
    }
    if (!a->sent_all) {
        a->sent_all = true;
        (void)shutdown(a->fd, SHUT_WR);
        tws_timer_start(&a->job.quiet, LINGER_US);
    }
    for (int i = 0; i < 64; i++) {
        char scrap[4096];
        ssize_t n = recv(a->fd, scrap, sizeof(scrap), MSG_TRUNC | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            end(&a->job);
            return;
        }
    }
    end(&a->job); /* it sends and sends */
}

void tws_decoy_file_serve(struct tws_decoy *d, int fd, const struct tws_http_head *head)
{
    struct answer *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        tws_socket_close(fd);
        return;
    }
    a->fd = fd;
    a->file = -1;
    choose(a, d->root, head);
    tws_decoy_job_begin(d, &a->job, end);
    if (tws_io_start(d->loop, &a->io, fd, on_io) != TWS_OK)
        end(&a->job);
}

/*
 * stream.c - see stream_priv.h.
 *
 * With TLS either direction may wait for the other one's event; the wire tries both on any event,
 * so which one OpenSSL wants is of no interest here. OpenSSL writes with write(2): the process
 * ignores SIGPIPE (context.c).
 */
#include "stream_priv.h"
#include "tls_control_priv.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TLS_READ_BUFFER 98304 /* several records for each read(2) */
#define RECORDS         32    /* taken at once: a record may have one byte */

void tws_stream_adopt_ssl(SSL *ssl)
{
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* The size counts when the buffer is made, and reading ahead only now that nobody decides by
     * SSL_pending() whether more is to come. */
    if (SSL_has_pending(ssl) == 0 && SSL_free_buffers(ssl) == 1)
        SSL_set_default_read_buffer_len(ssl, TLS_READ_BUFFER);
    SSL_set_read_ahead(ssl, 1);
}

/* What an SSL call that returned `ret` <= 0 means. */
static long ssl_end(SSL *ssl, int ret, const char **why)
{
    int saved = errno;
    unsigned long e;

    if (tws_tls_has_too_much_control(ssl)) {
        *why = "TLS: too many records without data";
        return TWS_STREAM_BROKEN;
    }
    switch (SSL_get_error(ssl, ret)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TWS_STREAM_BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return TWS_STREAM_EOF;
    case SSL_ERROR_SYSCALL:
        if (saved == 0)
            return TWS_STREAM_EOF;
        *why = strerror(saved);
        return TWS_STREAM_BROKEN;
    default:
        e = ERR_peek_last_error();
        if (ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return TWS_STREAM_EOF;
        *why = ERR_reason_error_string(e);
        if (*why == NULL)
            *why = "TLS error";
        return TWS_STREAM_BROKEN;
    }
}

static int ssl_size(size_t n)
{
    return n > 1 << 30 ? 1 << 30 : (int)n;
}

static long read_ssl(SSL *ssl, const struct tws_ws_room *room, const char **why)
{
    size_t have = 0;

    for (int i = 0; i < RECORDS && have < room->nfirst; i++) {
        int n;

        ERR_clear_error();
        errno = 0;
        n = SSL_read(ssl, room->first + have, ssl_size(room->nfirst - have));
        if (n <= 0)
            return have > 0 ? (long)have : ssl_end(ssl, n, why);
        have += (size_t)n;
    }
    return (long)have;
}

static long read_plain(int fd, const struct tws_ws_room *room, const char **why)
{
    struct iovec iov[2] = {{room->first, room->nfirst}, {room->second, room->nsecond}};
    ssize_t n;

    do
        n = readv(fd, iov, room->second != NULL ? 2 : 1);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    if (n == 0)
        return TWS_STREAM_EOF;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return TWS_STREAM_BLOCKED;
    *why = strerror(errno);
    return TWS_STREAM_BROKEN;
}

long tws_stream_read(struct tws_stream *s, const struct tws_ws_room *room, const char **why)
{
    return s->ssl != NULL ? read_ssl(s->ssl, room, why) : read_plain(s->fd, room, why);
}

static long write_ssl(SSL *ssl, const uint8_t *p, size_t n, const char **why)
{
    int done;
    long end;

    ERR_clear_error();
    errno = 0;
    done = SSL_write(ssl, p, ssl_size(n));
    if (done > 0)
        return done;
    end = ssl_end(ssl, done, why);
    if (end != TWS_STREAM_EOF)
        return end;
    *why = "connection closed";
    return TWS_STREAM_BROKEN;
}

static long write_plain(int fd, const uint8_t *p, size_t n, const char **why)
{
    ssize_t done;

    do
        done = send(fd, p, n, MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    if (done >= 0)
        return done;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return TWS_STREAM_BLOCKED;
    *why = strerror(errno);
    return TWS_STREAM_BROKEN;
}

long tws_stream_write(struct tws_stream *s, const uint8_t *p, size_t n, const char **why)
{
    size_t done = 0;

    if (s->ssl == NULL)
        return write_plain(s->fd, p, n, why);
    /* One record at a time. */
    while (done < n) {
        long k = write_ssl(s->ssl, p + done, n - done, why);

        if (k <= 0)
            return done > 0 ? (long)done : k;
        done += (size_t)k;
    }
    return (long)done;
}

void tws_stream_finish(struct tws_stream *s)
{
    if (s->ssl != NULL) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
    }
    (void)shutdown(s->fd, SHUT_WR);
}

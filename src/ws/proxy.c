/* proxy.c - see proxy_priv.h. */
#include "advice_priv.h"
#include "proxy_priv.h"

#include "tws/base/secret.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define ANSWER_MAX 8192
#define USER_MAX   380 /* its base64 fits auth */

/* ---- the URL ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decodes n characters; the length, or 0 if it is too long or malformed. */
static size_t decode(const char *p, size_t n, char *out, size_t cap)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)p[i];

        if (c == '%') {
            if (i + 2 >= n || hex(p[i + 1]) < 0 || hex(p[i + 2]) < 0)
                return 0;
            c = hex(p[i + 1]) * 16 + hex(p[i + 2]);
            i += 2;
        }
        if (len == cap)
            return 0;
        out[len++] = (char)c;
    }
    return len;
}

static tws_err parse_user(const char *p, size_t n, struct tws_proxy_url *out)
{
    char user[USER_MAX];
    size_t len = decode(p, n, user, sizeof(user));

    if (len == 0)
        return TWS_ABSENT;
    (void)EVP_EncodeBlock((unsigned char *)out->auth, (const unsigned char *)user, (int)len);
    tws_wipe(user, sizeof(user));
    return TWS_OK;
}

tws_err tws_proxy_parse(const char *url, struct tws_proxy_url *out)
{
    char address[TWS_HOSTPORT_TEXT];
    const char *end, *at;
    size_t n;

    *out = (struct tws_proxy_url){0};
    if (strncasecmp(url, "http://", 7) != 0)
        return TWS_ABSENT;
    url += 7;
    end = url + strcspn(url, "/?#");
    at = memchr(url, '@', (size_t)(end - url));
    if (at != NULL) {
        if (parse_user(url, (size_t)(at - url), out) != TWS_OK)
            return TWS_ABSENT;
        url = at + 1;
    }
    n = (size_t)(end - url);
    if (n == 0 || n + 4 > sizeof(address))
        return TWS_ABSENT;
    (void)snprintf(address, sizeof(address), "%.*s", (int)n, url);
    if (tws_hostport_parse(address, &out->address) != TWS_OK) {
        (void)snprintf(address, sizeof(address), "%.*s:80", (int)n, url);
        if (tws_hostport_parse(address, &out->address) != TWS_OK)
            return TWS_ABSENT;
    }
    return out->address.host[0] != '\0' ? TWS_OK : TWS_ABSENT;
}

/* ---- the exchange ---- */

void tws_proxy_stop(struct tws_proxy *p)
{
    tws_io_stop(&p->io);
    tws_wipe(p->request, sizeof(p->request));
}

static void done(struct tws_proxy *p, const char *why)
{
    tws_proxy_stop(p);
    p->fn(p, why);
}

/* The end of the answer's head in n bytes, or 0. */
static size_t head_end(const char *p, size_t n)
{
    const char *end = n >= 4 ? memmem(p, n, "\r\n\r\n", 4) : NULL;

    return end != NULL ? (size_t)(end - p) + 4 : 0;
}

/* The status of "HTTP/1.x NNN"; 0: not HTTP. */
static unsigned status_of(const char *head)
{
    unsigned status = 0;

    if (strncmp(head, "HTTP/1.", 7) != 0 || (head[7] != '0' && head[7] != '1') || head[8] != ' ')
        return 0;
    for (size_t i = 9; i < 12; i++) {
        if (head[i] < '0' || head[i] > '9')
            return 0;
        status = status * 10 + (unsigned)(head[i] - '0');
    }
    return status;
}

static void judge(struct tws_proxy *p, const char *head)
{
    char why[64];
    unsigned status = status_of(head);

    if (status == 0) {
        done(p, "does not speak HTTP");
        return;
    }
    if (status >= 200 && status < 300) {
        done(p, NULL);
        return;
    }
    (void)snprintf(why, sizeof(why), "HTTP %u%s", status, tws_advice_proxy(status));
    done(p, why);
}

/* Looks at what is there, and takes it only when it is the whole head. */
static void read_answer(struct tws_proxy *p)
{
    char head[ANSWER_MAX + 1];
    ssize_t n = recv(p->io.fd, head, ANSWER_MAX, MSG_PEEK | MSG_DONTWAIT);
    size_t len;

    if (n == 0) {
        done(p, "connection closed");
    } else if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            done(p, strerror(errno));
    } else {
        len = head_end(head, (size_t)n);
        if (len == 0 && n < ANSWER_MAX)
            return;
        if (len == 0 || recv(p->io.fd, head, len, 0) != (ssize_t)len) {
            done(p, "answer too long");
            return;
        }
        head[len] = '\0';
        judge(p, head);
    }
}

static void on_io(struct tws_io *io, unsigned events)
{
    struct tws_proxy *p = TWS_CONTAINER(io, struct tws_proxy, io);
    ssize_t n;

    (void)events;
    while (p->sent < p->nrequest) {
        n = send(io->fd, p->request + p->sent, p->nrequest - p->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                done(p, strerror(errno));
            return;
        }
        p->sent += (size_t)n;
    }
    read_answer(p);
}

tws_err tws_proxy_start(struct tws_loop *loop, struct tws_proxy *p, int fd,
                        const struct tws_proxy_url *url, const struct tws_hostport *target,
                        tws_proxy_fn *fn)
{
    char address[TWS_HOSTPORT_TEXT];
    int n;

    tws_hostport_format(target, address, sizeof(address));
    n = snprintf(p->request, sizeof(p->request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n",
                 address, address, url->auth[0] != '\0' ? "Proxy-Authorization: Basic " : "",
                 url->auth, url->auth[0] != '\0' ? "\r\n" : "");
    p->fn = fn;
    p->sent = 0;
    p->nrequest = (size_t)n;
    return tws_io_start(loop, &p->io, fd, on_io);
}

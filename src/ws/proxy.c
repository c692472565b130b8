/*
 * proxy.c - see proxy.h. One on_io for each protocol; both send what they have to say and then look
 * at the answer. done() is the one way to the end.
 */
#include "tws/ws/proxy.h"

#include "advice_priv.h"

#include "tws/base/secret.h"
#include "tws/proto/code.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_MAX 8192
#define LOGIN_MAX  (2 * TWS_PROXY_LOGIN_MAX + 1)
#define BASE64(n)  (((n) + 2) / 3 * 4 + 1)

void tws_proxy_stop(struct tws_proxy *p)
{
    tws_io_stop(&p->io);
    tws_wipe(&p->u, sizeof(p->u));
}

static void done(struct tws_proxy *p, uint16_t code, const char *why)
{
    tws_proxy_stop(p);
    p->fn(p, code, why);
}

/* recv(2) or send(2) gave `n` <= 0, of which EAGAIN is no end. */
static void judge_io(struct tws_proxy *p, ssize_t n)
{
    if (n == 0)
        done(p, TWS_CODE_UNREACHABLE, "connection closed by the proxy");
    else if (errno != EAGAIN && errno != EINTR)
        done(p, TWS_CODE_UNREACHABLE, strerror(errno));
}

/* Sends from *sent on; false: not all of it left. */
static bool send_bytes(struct tws_proxy *p, const void *bytes, size_t n)
{
    ssize_t k = 1;

    while (n > 0 && k > 0) {
        k = send(p->io.fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (k <= 0)
            break;
        p->sent += (size_t)k;
        bytes = (const char *)bytes + k;
        n -= (size_t)k;
    }
    if (n > 0)
        judge_io(p, k);
    return n == 0;
}

/* ---- HTTP CONNECT ---- */

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

static void judge_http(struct tws_proxy *p, const char *head)
{
    char why[96];
    unsigned status = status_of(head);

    if (status == 0) {
        done(p, TWS_CODE_INTERNAL, "does not speak HTTP");
        return;
    }
    if (status >= 200 && status < 300) {
        done(p, TWS_CODE_NONE, NULL);
        return;
    }
    (void)snprintf(why, sizeof(why), "HTTP %u%s", status, tws_advice_proxy(status));
    done(p, status == 403 || status == 405 ? TWS_CODE_FORBIDDEN : TWS_CODE_UNREACHABLE, why);
}

/* Looks at what is there, and takes it only when it is the whole head. */
static void read_http(struct tws_proxy *p)
{
    char head[ANSWER_MAX + 1];
    ssize_t n = recv(p->io.fd, head, ANSWER_MAX, MSG_PEEK | MSG_DONTWAIT);
    size_t len;

    if (n <= 0) {
        judge_io(p, n);
        return;
    }
    len = head_end(head, (size_t)n);
    if (len == 0 && n < ANSWER_MAX)
        return;
    if (len == 0 || recv(p->io.fd, head, len, 0) != (ssize_t)len) {
        done(p, TWS_CODE_INTERNAL, "answer too long");
        return;
    }
    head[len] = '\0';
    judge_http(p, head);
}

static void on_http(struct tws_io *io, unsigned events)
{
    struct tws_proxy *p = TWS_CONTAINER(io, struct tws_proxy, io);

    (void)events;
    if (send_bytes(p, p->u.request + p->sent, p->nrequest - p->sent))
        read_http(p);
}

static void format_login(const struct tws_proxy_url *url, char *out, size_t cap)
{
    char login[LOGIN_MAX + 1], text[BASE64(LOGIN_MAX)];

    out[0] = '\0';
    if (!url->has_login)
        return;
    int n = snprintf(login, sizeof(login), "%s:%s", url->user, url->password);
    (void)EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)login, n);
    (void)snprintf(out, cap, "Proxy-Authorization: Basic %s\r\n", text);
    tws_wipe(login, sizeof(login));
    tws_wipe(text, sizeof(text));
}

static void prepare_http(struct tws_proxy *p, const struct tws_proxy_url *url,
                         const struct tws_hostport *target)
{
    char address[TWS_HOSTPORT_TEXT], login[BASE64(LOGIN_MAX) + 32];
    int n;

    tws_hostport_format(target, address, sizeof(address));
    format_login(url, login, sizeof(login));
    n = snprintf(p->u.request, sizeof(p->u.request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
                 address, address, login);
    p->nrequest = (size_t)n;
    tws_wipe(login, sizeof(login));
}

/* ---- SOCKS5 ---- */

static void judge_socks(struct tws_proxy *p, tws_err err)
{
    uint8_t reply = p->u.socks.reply;

    if (err == TWS_OK && reply == 0)
        done(p, TWS_CODE_NONE, NULL);
    else if (err == TWS_OK)
        done(p, tws_socks_reply_code(reply), tws_socks_reply_text(reply));
    else if (err == TWS_E_AUTH)
        done(p, TWS_CODE_FORBIDDEN,
             p->u.socks.has_login ? "user or password refused"
                                  : "the proxy wants a login: socks5://user:password@host:port");
    else
        done(p, TWS_CODE_INTERNAL, "does not speak SOCKS5");
}

/* Never more than the answer has. */
static tws_err read_socks(struct tws_proxy *p)
{
    uint8_t bytes[sizeof(p->u.socks.in)];
    size_t wants = tws_socks_client_wants(&p->u.socks);
    ssize_t n = recv(p->io.fd, bytes, wants, MSG_DONTWAIT);

    if (n <= 0) {
        judge_io(p, n);
        return TWS_BLOCKED;
    }
    return tws_socks_client_input(&p->u.socks, (struct tws_span){bytes, (size_t)n});
}

static void on_socks(struct tws_io *io, unsigned events)
{
    struct tws_proxy *p = TWS_CONTAINER(io, struct tws_proxy, io);
    tws_err err = TWS_SHORT;

    (void)events;
    while (err == TWS_SHORT) {
        struct tws_span out = tws_socks_client_output(&p->u.socks);

        p->sent = 0;
        if (!send_bytes(p, out.p, out.n)) {
            /* done() has wiped it, if it came to that. */
            if (tws_io_running(&p->io))
                tws_socks_client_sent(&p->u.socks, p->sent);
            return;
        }
        tws_socks_client_sent(&p->u.socks, p->sent);
        err = read_socks(p);
    }
    if (err != TWS_BLOCKED)
        judge_socks(p, err);
}

static tws_err prepare_socks(struct tws_proxy *p, const struct tws_proxy_url *url,
                             const struct tws_hostport *hp)
{
    struct tws_target target;

    tws_target_from_hostport(hp, &target);
    return tws_socks_client_init(&p->u.socks, url->has_login ? url->user : NULL, url->password,
                                 TWS_SOCKS_CONNECT, &target);
}

/* ---- life ---- */

tws_err tws_proxy_start(struct tws_loop *loop, struct tws_proxy *p, int fd,
                        const struct tws_proxy_url *url, const struct tws_hostport *target,
                        tws_proxy_fn *fn)
{
    tws_err err = TWS_OK;

    p->fn = fn;
    p->kind = url->kind;
    p->sent = 0;
    if (p->kind == TWS_PROXY_HTTP)
        prepare_http(p, url, target);
    else
        err = prepare_socks(p, url, target);
    if (err == TWS_OK)
        err = tws_io_start(loop, &p->io, fd, p->kind == TWS_PROXY_HTTP ? on_http : on_socks);
    return err;
}

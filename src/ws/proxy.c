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

bool tws_proxy_asked(const struct tws_proxy *p)
{
    return p->asked;
}

static void done(struct tws_proxy *p, enum tws_proxy_verdict verdict, uint16_t code,
                 const char *why)
{
    const struct tws_proxy_answer a = {verdict, p->asked, code, why};

    tws_proxy_stop(p);
    p->fn(p, &a);
}

static void broken(struct tws_proxy *p, const char *why)
{
    done(p, TWS_PROXY_BROKEN, TWS_CODE_UNREACHABLE, why);
}

/* No target is to blame for that. */
static void is_no_proxy(struct tws_proxy *p, const char *why)
{
    p->asked = false;
    done(p, TWS_PROXY_BROKEN, TWS_CODE_INTERNAL, why);
}

static void closed(struct tws_proxy *p)
{
    broken(p, "connection closed by the proxy");
}

/* recv(2) or send(2) gave `n` <= 0, of which EAGAIN is no end. */
static void judge_io(struct tws_proxy *p, ssize_t n)
{
    if (n == 0 || errno == ECONNRESET || errno == EPIPE)
        closed(p);
    else if (errno != EAGAIN && errno != EINTR)
        broken(p, strerror(errno));
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

/* Of the errors of its own side these are about what it does at all, the rest about the target. */
static bool blames_target(unsigned status)
{
    return status >= 500 && status < 600 && status != 501 && status != 505 && status != 511;
}

static uint16_t code_of(unsigned status)
{
    if (status == 403 || status == 405)
        return TWS_CODE_FORBIDDEN;
    return status == 504 ? TWS_CODE_TIMEOUT : TWS_CODE_UNREACHABLE;
}

static void judge_http(struct tws_proxy *p, const char *head)
{
    char why[96];
    unsigned status = status_of(head);

    if (status == 0) {
        is_no_proxy(p, "does not speak HTTP");
        return;
    }
    if (status >= 200 && status < 300) {
        done(p, TWS_PROXY_UP, TWS_CODE_NONE, NULL);
        return;
    }
    (void)snprintf(why, sizeof(why), "HTTP %u%s", status, tws_advice_proxy(status));
    done(p, blames_target(status) ? TWS_PROXY_NO_TARGET : TWS_PROXY_REFUSES, code_of(status), why);
}

static bool begins_like_http(const char *head, size_t n)
{
    static const char version[] = "HTTP/1.";

    return memcmp(head, version, n < sizeof(version) - 1 ? n : sizeof(version) - 1) == 0;
}

/* Looks at what is there, and takes it only when it is the whole head; behind `last` nothing more
 * comes. */
static void read_http(struct tws_proxy *p, bool last)
{
    char head[ANSWER_MAX + 1];
    ssize_t n = recv(p->io.fd, head, ANSWER_MAX, MSG_PEEK | MSG_DONTWAIT);
    size_t len;

    if (n <= 0) {
        judge_io(p, n);
        return;
    }
    if (!begins_like_http(head, (size_t)n)) {
        is_no_proxy(p, "does not speak HTTP");
        return;
    }
    len = head_end(head, (size_t)n);
    if (len == 0 && n < ANSWER_MAX) {
        if (last)
            closed(p);
        return;
    }
    if (len == 0 || recv(p->io.fd, head, len, 0) != (ssize_t)len) {
        is_no_proxy(p, "answer too long");
        return;
    }
    head[len] = '\0';
    judge_http(p, head);
}

/* An edge says that it hung up once only: it may come before all is sent. */
static void on_http(struct tws_io *io, unsigned events)
{
    struct tws_proxy *p = TWS_CONTAINER(io, struct tws_proxy, io);

    p->hung_up |= (events & TWS_IO_HUP) != 0;
    if (!send_bytes(p, p->u.request + p->sent, p->nrequest - p->sent))
        return;
    p->asked = true;
    read_http(p, p->hung_up);
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
        done(p, TWS_PROXY_UP, TWS_CODE_NONE, NULL);
    else if (err == TWS_OK)
        done(p, tws_socks_reply_blames_target(reply) ? TWS_PROXY_NO_TARGET : TWS_PROXY_REFUSES,
             tws_socks_reply_code(reply), tws_socks_reply_text(reply));
    else if (err == TWS_E_AUTH)
        done(p, TWS_PROXY_REFUSES, TWS_CODE_UNREACHABLE,
             p->u.socks.has_login ? "user or password refused"
                                  : "the proxy wants a login: socks5://user:password@host:port");
    else
        is_no_proxy(p, "does not speak SOCKS5");
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
        p->asked = p->u.socks.phase >= TWS_SOCKS_HEAD;
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
    p->hung_up = p->asked = false;
    if (p->kind == TWS_PROXY_HTTP)
        prepare_http(p, url, target);
    else
        err = prepare_socks(p, url, target);
    if (err == TWS_OK)
        err = tws_io_start(loop, &p->io, fd, p->kind == TWS_PROXY_HTTP ? on_http : on_socks);
    return err;
}

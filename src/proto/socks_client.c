/*
 * socks_client.c - see socks_client.h.
 *
 * Each phase wants a number of bytes that is known when it begins; when they are there, its handler
 * looks at them and begins the next.
 */
#include "tws/proto/socks_client.h"

#include "tws/proto/code.h"

#include <assert.h>
#include <string.h>

#define VERSION       5
#define LOGIN_VERSION 1
#define NO_LOGIN      0x00
#define BY_PASSWORD   0x02
#define HEAD          4u /* version, reply, reserved, kind of address */

static void begin(struct tws_socks_client *c, enum tws_socks_phase phase, size_t wanted)
{
    c->phase = phase;
    c->wanted = wanted;
}

static void say(struct tws_socks_client *c, const uint8_t *p, size_t n)
{
    memcpy(c->out, p, n);
    c->nout = n;
    c->sent = 0;
    c->nin = 0;
}

/* ---- what we say ---- */

static void write_login(struct tws_writer *w, const char *user, const char *password)
{
    tws_write_u8(w, LOGIN_VERSION);
    tws_write_u8(w, (uint8_t)strlen(user));
    tws_write_bytes(w, user, strlen(user));
    tws_write_u8(w, (uint8_t)strlen(password));
    tws_write_bytes(w, password, strlen(password));
}

static void greet(struct tws_socks_client *c)
{
    static const uint8_t plain[] = {VERSION, 1, NO_LOGIN};
    static const uint8_t with_login[] = {VERSION, 2, NO_LOGIN, BY_PASSWORD};

    if (c->has_login)
        say(c, with_login, sizeof with_login);
    else
        say(c, plain, sizeof plain);
    begin(c, TWS_SOCKS_METHOD, 2);
}

static void request(struct tws_socks_client *c)
{
    say(c, c->request, c->nrequest);
    begin(c, TWS_SOCKS_HEAD, HEAD);
}

tws_err tws_socks_client_init(struct tws_socks_client *c, const char *user, const char *password,
                              enum tws_socks_command command, const struct tws_target *target)
{
    struct tws_writer w;

    memset(c, 0, sizeof *c);
    if (password == NULL)
        password = "";
    if (user != NULL) {
        if (strlen(user) > TWS_SOCKS_LOGIN_MAX || strlen(password) > TWS_SOCKS_LOGIN_MAX)
            return TWS_ABSENT;
        w = tws_writer(c->login, sizeof c->login);
        write_login(&w, user, password);
        c->nlogin = w.len;
        c->has_login = true;
    }
    w = tws_writer(c->request, sizeof c->request);
    tws_write_u8(&w, VERSION);
    tws_write_u8(&w, (uint8_t)command);
    tws_write_u8(&w, 0);
    tws_target_write(&w, target);
    if (w.failed || target->type == TWS_TARGET_UNIX)
        return TWS_ABSENT;
    c->nrequest = w.len;
    greet(c);
    return TWS_OK;
}

struct tws_span tws_socks_client_output(const struct tws_socks_client *c)
{
    return (struct tws_span){c->out + c->sent, c->nout - c->sent};
}

void tws_socks_client_sent(struct tws_socks_client *c, size_t n)
{
    assert(n <= c->nout - c->sent);
    c->sent += n;
}

/* ---- what the proxy says ---- */

static tws_err take_method(struct tws_socks_client *c)
{
    if (c->in[0] != VERSION)
        return TWS_E_PROTOCOL;
    if (c->in[1] == BY_PASSWORD && c->has_login) {
        say(c, c->login, c->nlogin);
        begin(c, TWS_SOCKS_LOGIN, 2);
        return TWS_SHORT;
    }
    if (c->in[1] != NO_LOGIN)
        return TWS_E_AUTH;
    request(c);
    return TWS_SHORT;
}

/* RFC 1929 has version 1 here; some proxies write 5. Only the status counts. */
static tws_err take_login(struct tws_socks_client *c)
{
    if (c->in[1] != 0)
        return TWS_E_AUTH;
    request(c);
    return TWS_SHORT;
}

/* A refusal may be all that a proxy sends before it closes: its address is not waited for. */
static tws_err take_head(struct tws_socks_client *c)
{
    if (c->in[0] != VERSION)
        return TWS_E_PROTOCOL;
    c->reply = c->in[1];
    if (c->reply != 0)
        return TWS_OK;
    switch (c->in[3]) {
    case TWS_TARGET_IPV4:
        begin(c, TWS_SOCKS_ADDRESS, HEAD + 4 + 2);
        return TWS_SHORT;
    case TWS_TARGET_IPV6:
        begin(c, TWS_SOCKS_ADDRESS, HEAD + 16 + 2);
        return TWS_SHORT;
    case TWS_TARGET_NAME:
        begin(c, TWS_SOCKS_LENGTH, HEAD + 1);
        return TWS_SHORT;
    default:
        return TWS_E_PROTOCOL;
    }
}

static tws_err take_length(struct tws_socks_client *c)
{
    begin(c, TWS_SOCKS_ADDRESS, HEAD + 1u + c->in[HEAD] + 2);
    return TWS_SHORT;
}

/* The address is of use for UDP only, so a nonsensical one is no reason to fail. */
static tws_err take_address(struct tws_socks_client *c)
{
    struct tws_reader r = tws_reader((struct tws_span){c->in + HEAD - 1, c->nin - HEAD + 1});

    if (tws_target_read(&r, &c->bound) != TWS_OK)
        c->bound = (struct tws_target){.type = 0};
    return TWS_OK;
}

static tws_err take(struct tws_socks_client *c)
{
    switch (c->phase) {
    case TWS_SOCKS_METHOD:
        return take_method(c);
    case TWS_SOCKS_LOGIN:
        return take_login(c);
    case TWS_SOCKS_HEAD:
        return take_head(c);
    case TWS_SOCKS_LENGTH:
        return take_length(c);
    case TWS_SOCKS_ADDRESS:
        return take_address(c);
    case TWS_SOCKS_OVER:
    default:
        return TWS_E_PROTOCOL;
    }
}

size_t tws_socks_client_wants(const struct tws_socks_client *c)
{
    return c->phase == TWS_SOCKS_OVER || c->sent < c->nout ? 0 : c->wanted - c->nin;
}

tws_err tws_socks_client_input(struct tws_socks_client *c, struct tws_span in)
{
    tws_err err = TWS_SHORT;

    assert(in.n <= tws_socks_client_wants(c));
    if (in.n > 0)
        memcpy(c->in + c->nin, in.p, in.n);
    c->nin += in.n;
    if (c->nin < c->wanted)
        return TWS_SHORT;
    err = take(c);
    if (err != TWS_SHORT)
        c->phase = TWS_SOCKS_OVER;
    return err;
}

/* ---- replies ---- */

/* "General failure" is what many proxies say of an address for want of a better word. */
static const struct {
    const char *text;
    uint16_t code;
    bool blames_target;
} replies[] = {
    {"granted", TWS_CODE_NONE, false},
    {"general failure of the proxy", TWS_CODE_INTERNAL, true},
    {"forbidden by the proxy's rules", TWS_CODE_FORBIDDEN, false},
    {"network unreachable from the proxy", TWS_CODE_UNREACHABLE, true},
    {"host unreachable from the proxy", TWS_CODE_UNREACHABLE, true},
    {"connection refused at the proxy's other side", TWS_CODE_REFUSED, true},
    {"timed out at the proxy's other side", TWS_CODE_TIMEOUT, true},
    {"command not supported by the proxy", TWS_CODE_INTERNAL, false},
    {"kind of address not supported by the proxy", TWS_CODE_UNREACHABLE, true},
};

#define REPLIES (sizeof replies / sizeof *replies)

const char *tws_socks_reply_text(uint8_t reply)
{
    return reply < REPLIES ? replies[reply].text : "refused by the proxy";
}

uint16_t tws_socks_reply_code(uint8_t reply)
{
    return reply < REPLIES ? replies[reply].code : TWS_CODE_INTERNAL;
}

bool tws_socks_reply_blames_target(uint8_t reply)
{
    return reply < REPLIES && replies[reply].blames_target;
}

/*
 * ingress_http.c - the kind `http`: an HTTP proxy for CONNECT and for requests of http URLs; and
 * the kind `proxy`, which is that or SOCKS, as the first byte tells.
 *
 * A request that is not CONNECT is rewritten and is the only one of its connection: its server is
 * told to close, and what the client sends behind its end goes nowhere.
 */
#include "inlet_priv.h"
#include "login_priv.h"

#include "tws/proto/code.h"
#include "tws/proto/http_proxy.h"

#define SOCKS_4 4
#define SOCKS_5 5

/* ---- answers ---- */

static size_t write_answer(unsigned status, const char *reason, uint8_t *out)
{
    struct tws_writer w = tws_writer(out, TWS_REPLY_MAX);

    tws_http_write_answer(&w, status, reason);
    return w.len;
}

static size_t connected(struct tws_span bound, uint8_t *out)
{
    struct tws_writer w = tws_writer(out, TWS_REPLY_MAX);

    (void)bound;
    tws_http_write_connected(&w);
    return w.len;
}

/* The server's own answer follows. */
static size_t silent(struct tws_span bound, uint8_t *out)
{
    (void)bound;
    (void)out;
    return 0;
}

static size_t refused(uint16_t code, struct tws_span text, uint8_t *out)
{
    (void)text;
    return write_answer(tws_http_status_of(code), tws_code_text(code), out);
}

static const struct tws_reply reply_connect = {connected, refused};
static const struct tws_reply reply_request = {silent, refused};

static enum tws_greet refuse(struct tws_greeting *g, unsigned status, const char *why)
{
    uint8_t words[TWS_REPLY_MAX];

    tws_greeting_say(g, words, write_answer(status, why, words));
    g->why = why;
    return TWS_GREET_FAIL;
}

static const char *why_of(unsigned status)
{
    switch (status) {
    case 501:
        return "only http URLs and CONNECT, and no transfer coding but chunked";
    case 505:
        return "only HTTP/1.0 and HTTP/1.1";
    default:
        return "not a request to an HTTP proxy";
    }
}

/* ---- requests ---- */

static enum tws_greet on_connect(struct tws_greeting *g)
{
    uint8_t words[TWS_REPLY_MAX];

    if ((*g->conf)->optimistic)
        tws_greeting_say(g, words, connected((struct tws_span){NULL, 0}, words));
    else
        g->arrival.reply = &reply_connect;
    return TWS_GREET_DONE;
}

static enum tws_greet on_request(struct tws_greeting *g, const struct tws_http_request *r,
                                 struct tws_span in)
{
    uint8_t head[TWS_GREETING_MAX + TWS_HTTP_GROWTH];
    struct tws_writer w = tws_writer(head, sizeof head);
    struct tws_arrival *a = &g->arrival;

    a->is_request = true;
    a->body = r->body;
    a->reply = &reply_request;
    size_t rest = tws_http_body_take(&a->body, (struct tws_span){in.p + r->n, in.n - r->n});
    if (a->body.state == TWS_BODY_WRONG)
        return refuse(g, 400, "a body with broken chunks");
    tws_http_rewrite(&w, r);
    if (w.failed || !tws_greeting_replace(g, r->n, (struct tws_span){head, w.len}, rest))
        return refuse(g, 503, "out of memory");
    return TWS_GREET_DONE;
}

static bool knows_login(const struct tws_forward *f, const struct tws_http_request *r)
{
    return f->user == NULL || tws_http_login_is(r->login, f->user, f->password);
}

static enum tws_greet greet_http(struct tws_greeting *g, struct tws_span in, size_t *used)
{
    struct tws_http_request r;
    unsigned status;
    tws_err err = tws_http_request_read(in, &r, &status);

    if (err == TWS_SHORT)
        return TWS_GREET_MORE;
    if (err != TWS_OK)
        return refuse(g, status, why_of(status));
    if (!knows_login(*g->conf, &r))
        return refuse(g, 407, r.login.n > 0 ? "wrong user or password" : "no user and password");
    g->arrival.target = r.target;
    if (!r.connect)
        return on_request(g, &r, in);
    *used = r.n;
    return on_connect(g);
}

static void give_up(struct tws_greeting *g, tws_err why)
{
    if (why == TWS_FULL)
        refuse(g, 431, "the request's head is too long");
    else
        refuse(g, 408, "no request");
}

static const struct tws_greeter greeter_http = {
    .name = "http", .read = greet_http, .give_up = give_up};

const struct tws_inlet_ops tws_inlet_http = {
    .open = tws_inlet_open_stream,
    .close = tws_inlet_close_stream,
    .pause = tws_inlet_pause_stream,
    .address = tws_inlet_stream_address,
    .greeter = &greeter_http,
};

/* ---- both ---- */

/* No method begins with a byte that is a version of SOCKS. */
static enum tws_greet greet_any(struct tws_greeting *g, struct tws_span in, size_t *used)
{
    if (in.n == 0)
        return TWS_GREET_MORE;
    g->greeter = in.p[0] == SOCKS_4 || in.p[0] == SOCKS_5 ? &tws_greeter_socks : &greeter_http;
    return g->greeter->read(g, in, used);
}

static const struct tws_greeter greeter_any = {.name = "proxy", .read = greet_any};

const struct tws_inlet_ops tws_inlet_proxy = {
    .open = tws_inlet_open_stream,
    .close = tws_inlet_close_stream,
    .pause = tws_inlet_pause_stream,
    .address = tws_inlet_stream_address,
    .greeter = &greeter_any,
};

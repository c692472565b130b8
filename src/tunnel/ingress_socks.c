/*
 * ingress_socks.c - the kind `socks`: clients say in SOCKS 4, 4a or 5 where they go.
 *
 * Stages of SOCKS5: methods, login (if one is asked for), request. A SOCKS4 client has no
 * password: where one is configured it is refused.
 */
#include "inlet_priv.h"
#include "login_priv.h"

#include "tws/proto/socks.h"

enum stage { METHODS, LOGIN, REQUEST };

static const struct tws_span nothing = {NULL, 0};

static enum tws_greet fail(struct tws_greeting *g, const char *why)
{
    g->why = why;
    return TWS_GREET_FAIL;
}

/* ---- what the server's answer is told as ---- */

static size_t opened_5(struct tws_span bound, uint8_t *out)
{
    struct tws_writer w = tws_writer(out, TWS_REPLY_MAX);

    tws_socks5_write_reply(&w, TWS_SOCKS_GRANTED, bound);
    return w.len;
}

static size_t refused_5(uint16_t code, struct tws_span text, uint8_t *out)
{
    struct tws_writer w = tws_writer(out, TWS_REPLY_MAX);

    tws_socks5_write_reply(&w, tws_socks_reply_of(code, text), nothing);
    return w.len;
}

static size_t opened_4(struct tws_span bound, uint8_t *out)
{
    struct tws_writer w = tws_writer(out, TWS_REPLY_MAX);

    tws_socks4_write_reply(&w, true, bound);
    return w.len;
}

static size_t refused_4(uint16_t code, struct tws_span text, uint8_t *out)
{
    struct tws_writer w = tws_writer(out, TWS_REPLY_MAX);

    (void)code; /* SOCKS4 has one word for all of them */
    (void)text;
    tws_socks4_write_reply(&w, false, nothing);
    return w.len;
}

static const struct tws_reply reply_5 = {opened_5, refused_5};
static const struct tws_reply reply_4 = {opened_4, refused_4};

/* The request is understood: whoever is in a hurry hears at once that all is well. */
static enum tws_greet done(struct tws_greeting *g, const struct tws_reply *reply)
{
    uint8_t words[TWS_REPLY_MAX];

    if ((*g->conf)->optimistic)
        tws_greeting_say(g, words, reply->opened(nothing, words));
    else
        g->arrival.reply = reply;
    return TWS_GREET_DONE;
}

/* ---- version 5 ---- */

static void say_5(struct tws_greeting *g, enum tws_socks_reply reply)
{
    uint8_t words[TWS_SOCKS5_REPLY_MAX];
    struct tws_writer w = tws_writer(words, sizeof words);

    tws_socks5_write_reply(&w, reply, nothing);
    tws_greeting_say(g, words, w.len);
}

static void say_method(struct tws_greeting *g, uint8_t method)
{
    const uint8_t words[] = {5, method};

    tws_greeting_say(g, words, sizeof words);
}

/* Where no login is configured any is taken: some clients offer nothing else. */
static uint8_t choose_method(const struct tws_forward *f, const struct tws_socks_methods *m)
{
    if (f->user == NULL && m->none)
        return TWS_SOCKS_METHOD_NONE;
    return m->password ? TWS_SOCKS_METHOD_PASSWORD : TWS_SOCKS_METHOD_NO;
}

static enum tws_greet read_methods(struct tws_greeting *g, struct tws_reader *r)
{
    struct tws_socks_methods m;
    tws_err err = tws_socks5_read_methods(r, &m);
    uint8_t method;

    if (err == TWS_SHORT)
        return TWS_GREET_MORE;
    method = err == TWS_OK ? choose_method(*g->conf, &m) : TWS_SOCKS_METHOD_NO;
    say_method(g, method);
    if (err != TWS_OK)
        return fail(g, "not a SOCKS request");
    if (method == TWS_SOCKS_METHOD_NO)
        return fail(g, (*g->conf)->user != NULL ? "no user and password" : "no method we have");
    g->stage = method == TWS_SOCKS_METHOD_PASSWORD ? LOGIN : REQUEST;
    return TWS_GREET_MORE;
}

static enum tws_greet read_login(struct tws_greeting *g, struct tws_reader *r)
{
    static const uint8_t yes[] = {1, 0}, no[] = {1, 1};
    struct tws_socks_login login;
    tws_err err = tws_socks5_read_login(r, &login);

    if (err == TWS_SHORT)
        return TWS_GREET_MORE;
    if (err != TWS_OK || !tws_login_fits(*g->conf, login.user, login.password)) {
        tws_greeting_say(g, no, sizeof no);
        return fail(g, err != TWS_OK ? "not a SOCKS login" : "wrong user or password");
    }
    tws_greeting_say(g, yes, sizeof yes);
    g->stage = REQUEST;
    return TWS_GREET_MORE;
}

static enum tws_greet read_request(struct tws_greeting *g, struct tws_reader *r)
{
    struct tws_socks_request request;
    enum tws_socks_reply reply;
    tws_err err = tws_socks5_read_request(r, &request, &reply);

    if (err == TWS_SHORT)
        return TWS_GREET_MORE;
    if (err != TWS_OK) {
        say_5(g, reply);
        return fail(g, "not a SOCKS request");
    }
    if (request.command == TWS_SOCKS_UDP) {
        g->arrival.is_association = true;
        return TWS_GREET_DONE;
    }
    if (request.command != TWS_SOCKS_CONNECT) {
        say_5(g, TWS_SOCKS_NO_COMMAND);
        return fail(g, "a SOCKS command other than CONNECT and UDP ASSOCIATE");
    }
    g->arrival.target = request.target;
    return done(g, &reply_5);
}

static enum tws_greet read_5(struct tws_greeting *g, struct tws_reader *r)
{
    switch (g->stage) {
    case METHODS:
        return read_methods(g, r);
    case LOGIN:
        return read_login(g, r);
    default:
        return read_request(g, r);
    }
}

/* ---- version 4 ---- */

static enum tws_greet refuse_4(struct tws_greeting *g, const char *why)
{
    uint8_t words[TWS_REPLY_MAX];

    tws_greeting_say(g, words, refused_4(0, nothing, words));
    return fail(g, why);
}

static enum tws_greet read_4(struct tws_greeting *g, struct tws_reader *r)
{
    struct tws_socks_request request;
    tws_err err = tws_socks4_read_request(r, &request);

    if (err == TWS_SHORT)
        return TWS_GREET_MORE;
    if (err != TWS_OK)
        return refuse_4(g, "not a SOCKS request");
    if ((*g->conf)->user != NULL)
        return refuse_4(g, "SOCKS4 has no password, and one is asked for");
    if (request.command != TWS_SOCKS_CONNECT)
        return refuse_4(g, "a SOCKS command other than CONNECT");
    g->arrival.target = request.target;
    return done(g, &reply_4);
}

/* ---- both ---- */

static enum tws_greet greet(struct tws_greeting *g, struct tws_span in, size_t *used)
{
    struct tws_reader r = tws_reader(in);
    unsigned stage = g->stage;
    bool is_4 = stage == METHODS && in.n > 0 && in.p[0] == 4;
    enum tws_greet what = is_4 ? read_4(g, &r) : read_5(g, &r);

    if (what == TWS_GREET_DONE || g->stage != stage)
        *used = in.n - r.left;
    return what;
}

const struct tws_greeter tws_greeter_socks = {.name = "socks", .read = greet};

const struct tws_inlet_ops tws_inlet_socks = {
    .open = tws_inlet_open_stream,
    .close = tws_inlet_close_stream,
    .pause = tws_inlet_pause_stream,
    .address = tws_inlet_stream_address,
    .greeter = &tws_greeter_socks,
};

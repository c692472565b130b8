/*
 * peers.h - a client and a server of the upgrade in one process: each sends its handshake message
 * (the server first, as in the real protocol), takes over, and goes on as an `end` of pair.h.
 */
#ifndef TWS_TEST_WS_PEERS_H
#define TWS_TEST_WS_PEERS_H

#include "pair.h"

#include "tws/ws/upgrade.h"

#define PEERS_SESSION "AAAAAAAAAAAAAAAAAAAAAA"

/* One side; the server's is for the latest connection. */
struct side {
    struct tws_loop *loop;
    struct tws_ws *ws;
    struct tws_upgrade *u;
    struct end *end;
    bool is_server;
    unsigned opens, messages, failures, wires;
    char session[64], why[300];
    uint16_t close_code;
    struct tws_sockaddr peer;
    bool silent;                            /* server: no first message; client: no answer */
    bool no_takeover;                       /* stays with libwebsockets */
    unsigned *wires_of_both, stop_at_wires; /* stops the loop when both have a wire */
};

static inline void side_send(struct side *s, const char *text)
{
    ck_assert_int_eq(tws_upgrade_send(s->u, (struct tws_span){(const uint8_t *)text, strlen(text)}),
                     TWS_OK);
}

static inline void side_on_open(void **arg, struct tws_upgrade *u, const char *session,
                                const struct tws_sockaddr *peer)
{
    struct side *s = *arg;

    s->u = u;
    s->opens++;
    s->peer = *peer;
    snprintf(s->session, sizeof(s->session), "%s", session);
    if (s->is_server && !s->silent)
        side_send(s, "challenge");
}

/* challenge -> hello -> welcome, then both take over. */
static inline void side_on_message(void *arg, struct tws_upgrade *u, struct tws_span msg)
{
    struct side *s = arg;

    s->messages++;
    if (s->silent)
        return;
    if (s->is_server) {
        ck_assert_mem_eq(msg.p, "hello", 5);
        side_send(s, "welcome");
        if (!s->no_takeover)
            tws_upgrade_take_over(u);
    } else if (s->messages == 1) {
        ck_assert_mem_eq(msg.p, "challenge", 9);
        side_send(s, "hello");
    } else {
        ck_assert_mem_eq(msg.p, "welcome", 7);
        if (!s->no_takeover)
            tws_upgrade_take_over(u);
    }
}

static inline void side_on_failed(void *arg, struct tws_upgrade *u, uint16_t code, const char *why)
{
    struct side *s = arg;

    (void)u;
    s->u = NULL;
    s->failures++;
    s->close_code = code;
    snprintf(s->why, sizeof(s->why), "%s", why);
    tws_loop_stop(s->loop);
}

static inline void side_on_wire(void *arg, struct tws_wire *w)
{
    struct side *s = arg;

    s->u = NULL;
    s->wires++;
    end_adopt(s->end, w);
    if (++*s->wires_of_both == s->stop_at_wires)
        tws_loop_stop(s->loop);
}

static const struct tws_upgrade_events side_events = {
    .on_open = side_on_open,
    .on_message = side_on_message,
    .on_failed = side_on_failed,
    .on_wire = side_on_wire,
};

struct peers {
    struct tws_loop *loop;
    struct tws_ws *ws;
    struct tws_ws_listener *listener;
    struct side client, server;
    unsigned wires;
    uint16_t port;
};

static inline void side_init(struct side *s, struct peers *p, bool is_server)
{
    *s = (struct side){.loop = p->loop, .ws = p->ws, .is_server = is_server};
    s->end = end_new(p->loop);
    s->wires_of_both = &p->wires;
    s->stop_at_wires = 2;
}

static inline struct peers *peers_new(void)
{
    struct peers *p = calloc(1, sizeof(*p));

    ck_assert_int_eq(tws_loop_new(&p->loop), TWS_OK);
    ck_assert_int_eq(tws_ws_new(p->loop, &p->ws), TWS_OK);
    side_init(&p->client, p, false);
    side_init(&p->server, p, true);
    return p;
}

/* tws_loop_free() asserts that uv_loop_close() returned 0. */
static inline void peers_free(struct peers *p)
{
    end_free(p->client.end);
    end_free(p->server.end);
    tws_ws_free(p->ws);
    tws_loop_free(p->loop);
    free(p);
}

static inline void peers_listen_as(struct peers *p, struct tws_upgrade_server *s)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    if (s->listen.host[0] == '\0')
        snprintf(s->listen.host, sizeof(s->listen.host), "127.0.0.1");
    ck_assert_int_eq(tws_upgrade_listen(p->ws, s, &side_events, &p->server, &p->listener), TWS_OK);
    tws_ws_listener_address(p->listener, &sa);
    tws_sockaddr_get(&sa, &ip, &p->port);
}

static inline void peers_listen(struct peers *p)
{
    struct tws_upgrade_server s = {.path = NULL};

    peers_listen_as(p, &s);
}

static inline struct tws_upgrade_client peers_client(const struct peers *p)
{
    return (struct tws_upgrade_client){
        .host = "127.0.0.1", .port = p->port, .path = "/tws", .session = PEERS_SESSION};
}

static inline void peers_connect_as(struct peers *p, const struct tws_upgrade_client *c)
{
    ck_assert_int_eq(tws_upgrade_connect(p->ws, c, &side_events, &p->client, &p->client.u), TWS_OK);
}

static inline void peers_connect(struct peers *p)
{
    struct tws_upgrade_client c = peers_client(p);

    peers_connect_as(p, &c);
}

#endif

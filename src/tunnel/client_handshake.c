/*
 * client_handshake.c - see client_handshake_priv.h.
 *
 *      upgrade --CHALLENGE--> HELLO --WELCOME--> take over --> wire
 */
#include "carrier_priv.h"
#include "client_handshake_priv.h"

#include "tws/base/secret.h"
#include "tws/proto/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_MAX 256

struct tws_attempt {
    struct tws_loop *loop;
    struct tws_upgrade *upgrade;
    struct tws_timer abandon_timer;
    const struct tws_attempt_events *events;
    void *arg;
    enum { CHALLENGE_DUE, WELCOME_DUE, WELCOMED } step;
    struct tws_hs_client hs;
    struct tws_hs_result result;
};

/* ---- ends ---- */

static void end_attempt(struct tws_attempt *a)
{
    tws_timer_stop(&a->abandon_timer);
    tws_hs_client_fini(&a->hs);
    tws_hs_result_fini(&a->result);
    tws_loop_free_later(a->loop, a);
}

static void report(struct tws_attempt *a, uint16_t status, const char *why)
{
    const struct tws_attempt_events *ev = a->events;
    void *arg = a->arg;

    end_attempt(a);
    ev->on_failed(arg, status, why);
}

/* We end it. */
static void fail(struct tws_attempt *a, uint16_t status, const char *why)
{
    tws_upgrade_close(a->upgrade, TWS_WS_CLOSE_BASE + TWS_CODE_AUTH);
    report(a, status, why);
}

void tws_attempt_cancel(struct tws_attempt *a)
{
    tws_upgrade_close(a->upgrade, TWS_WS_CLOSE_BASE + TWS_CODE_NONE);
    end_attempt(a);
}

static void on_abandon(struct tws_timer *t)
{
    fail(TWS_CONTAINER(t, struct tws_attempt, abandon_timer), 0, "connect: no answer in time");
}

/* ---- the handshake ---- */

static void read_challenge(struct tws_attempt *a, struct tws_span msg)
{
    struct tws_span hello;
    tws_err err = tws_hs_client_hello(&a->hs, msg, tws_random_bytes, NULL, &hello);

    if (err == TWS_E_PROTOCOL) {
        fail(a, 0, "handshake: this is not a tws/2 server (an old tws, or another program)");
    } else if (err == TWS_ABSENT) {
        fail(a, 0, "handshake: no common version: update the older side");
    } else if (err != TWS_OK) {
        fail(a, 0, tws_err_text(err));
    } else {
        a->step = WELCOME_DUE;
        (void)!tws_upgrade_send(a->upgrade, hello); /* if it fails, so does the upgrade */
    }
}

static const char *remedy(uint16_t status)
{
    switch (status) {
    case TWS_CODE_RESOURCES:
        return "the user's max_sessions is reached, or the server is full: raise it there";
    case TWS_CODE_SHUTDOWN:
        return "the server is going down: it is tried again";
    case TWS_CODE_SERVER_RESTARTED:
        return "it does not know the session: restarted, or another instance";
    case TWS_CODE_REVOKED:
        return "the key was removed: ask for a new one";
    case TWS_CODE_AUTH:
        return "encrypt is required on one side and off on the other: make them agree";
    case TWS_CODE_PROTOCOL:
        return "it did not understand our HELLO: update the older side";
    default:
        return tws_code_text(status);
    }
}

static void read_welcome(struct tws_attempt *a, struct tws_span msg)
{
    char why[WHY_MAX];
    tws_err err = tws_hs_client_welcome(&a->hs, msg, &a->result);

    if (err == TWS_E_AUTH) {
        fail(a, TWS_CODE_AUTH,
             "handshake: the server does not hold our key, or encrypt does not agree");
    } else if (err != TWS_OK) {
        fail(a, 0, "handshake: a WELCOME that makes no sense: something between alters it");
    } else if (a->result.status != TWS_CODE_NONE) {
        snprintf(why, sizeof why, "the server refused (%u): %s", (unsigned)a->result.status,
                 remedy(a->result.status));
        fail(a, a->result.status, why);
    } else {
        a->step = WELCOMED;
        tws_upgrade_take_over(a->upgrade);
    }
}

/* ---- what the upgrade tells ---- */

static void on_open(void **arg, struct tws_upgrade *u, const char *session,
                    const struct tws_sockaddr *peer)
{
    (void)arg;
    (void)u;
    (void)session;
    (void)peer; /* the server speaks first */
}

static void on_message(void *arg, struct tws_upgrade *u, struct tws_span msg)
{
    struct tws_attempt *a = arg;

    (void)u;
    if (a->step == CHALLENGE_DUE)
        read_challenge(a, msg);
    else if (a->step == WELCOME_DUE)
        read_welcome(a, msg);
}

static void on_failed(void *arg, struct tws_upgrade *u, uint16_t close_code, const char *why)
{
    struct tws_attempt *a = arg;

    (void)u;
    if (close_code == TWS_HS_CLOSE)
        report(a, TWS_CODE_AUTH,
               "the server does not know our key: compare key_file (or passwd) with its keys");
    else
        report(a, 0, why);
}

static void on_wire(void *arg, struct tws_wire *w)
{
    struct tws_attempt *a = arg;
    struct tws_hs_result result = a->result;
    const struct tws_attempt_events *ev = a->events;
    void *owner = a->arg;

    end_attempt(a);
    ev->on_link(owner, &result, w);
    tws_hs_result_fini(&result);
}

static const struct tws_upgrade_events upgrade_events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_failed = on_failed,
    .on_wire = on_wire,
};

/* ---- beginning ---- */

static void prepare(struct tws_attempt *a, const struct tws_attempt_config *cfg)
{
    struct tws_hs_client_config hs = {.mode = TWS_HS_NEW};

    memcpy(hs.key_id, cfg->route->key.id, sizeof hs.key_id);
    memcpy(hs.psk, cfg->route->key.psk, sizeof hs.psk);
    if (cfg->session_id != NULL) {
        hs.mode = TWS_HS_JOIN;
        memcpy(hs.session_id, cfg->session_id, sizeof hs.session_id);
        memcpy(hs.join_secret, cfg->join_secret, sizeof hs.join_secret);
    }
    tws_carrier_params(cfg->limits, &hs.params);
    snprintf(hs.params.client_name, sizeof hs.params.client_name, "%.*s", TWS_HS_NAME_MAX,
             cfg->route->name);
    hs.params.link_weight = cfg->weight;
    hs.params.given |= TWS_HS_GIVEN(TWS_HS_CLIENT_NAME) | TWS_HS_GIVEN(TWS_HS_LINK_WEIGHT);
    if (cfg->uplink[0] != '\0') {
        snprintf(hs.params.uplink_name, sizeof hs.params.uplink_name, "%.*s", TWS_HS_NAME_MAX,
                 cfg->uplink);
        hs.params.given |= TWS_HS_GIVEN(TWS_HS_UPLINK_NAME);
    }
    tws_hs_client_init(&a->hs, &hs);
    tws_wipe(&hs, sizeof hs);
}

tws_err tws_attempt_new(struct tws_loop *loop, struct tws_ws *ws,
                        const struct tws_attempt_config *cfg, const struct tws_attempt_events *ev,
                        void *arg, struct tws_attempt **out)
{
    const struct tws_route *route = cfg->route;
    const struct tws_upgrade_client o = {
        .tls = route->tls,
        .host = route->server.host,
        .port = route->server.port,
        .path = route->path,
        .session = cfg->session_text,
        .proxy = route->proxy,
        .ips = route->at.ips,
        .nips = route->at.n,
        .proxy_ips = route->proxy_at.ips,
        .nproxy_ips = route->proxy_at.n,
        .host_header = route->outbound.host,
        .headers = route->outbound.headers,
        .insecure = route->outbound.insecure,
        .ca_file = route->outbound.ca_file,
        .sni = route->outbound.sni,
        .cert_file = route->outbound.cert_file,
        .cert_key_file = route->outbound.cert_key_file,
        .pins = &route->outbound.pins,
        .tls13 = route->outbound.tls13,
        .interface = cfg->interface,
        .source = cfg->source,
        .mark = cfg->limits->mark,
    };
    struct tws_attempt *a = calloc(1, sizeof *a);

    if (a == NULL)
        return TWS_NOMEM;
    a->loop = loop;
    a->events = ev;
    a->arg = arg;
    prepare(a, cfg);
    tws_timer_init(&a->abandon_timer, loop, on_abandon);
    tws_err err = tws_upgrade_connect(ws, &o, &upgrade_events, a, &a->upgrade);
    if (err != TWS_OK) {
        end_attempt(a);
        return err;
    }
    if (cfg->abandon_us != 0)
        tws_timer_start(&a->abandon_timer, cfg->abandon_us);
    *out = a;
    return TWS_OK;
}

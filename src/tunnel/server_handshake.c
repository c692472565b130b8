/*
 * server_handshake.c - see server_priv.h: from the upgrade to a link, or to a refusal.
 *
 * The order of the checks is the protocol's: length, key id, HELLO.mac (cheap); then session id
 * and binder, limits; only then X25519. Until HELLO.mac was good a stranger learns nothing: one
 * close code, the same time for a known and an unknown key.
 */
#include "server_priv.h"

#include "tws/base/log.h"
#include "tws/crypto/random.h"
#include "tws/net/socket.h"
#include "tws/proto/code.h"
#include "tws/ws/upgrade.h"

#include <stdlib.h>

#define LINKS_MAX 16u

struct visit {
    struct tws_node visit_node; /* the server's */
    struct tws_server *server;
    struct tws_upgrade *upgrade;
    struct tws_sockaddr peer;
    bool answered; /* a WELCOME is on its way */
    struct tws_hs_server hs;
    struct tws_hs_result result;
};

/* ---- ends ---- */

static void end_visit(struct visit *v)
{
    tws_list_unlink(&v->visit_node);
    tws_hs_server_fini(&v->hs);
    tws_hs_result_fini(&v->result);
    tws_loop_free_later(v->server->loop, v);
}

static void log_refusal(struct visit *v, const char *why)
{
    struct tws_server *s = v->server;
    char from[TWS_HOSTPORT_TEXT], unsaid[TWS_LOG_UNSAID];

    s->handshakes_refused++;
    if (!tws_log_allow(&s->refused_limit, tws_loop_now(s->loop)))
        return;
    tws_sockaddr_format(&v->peer, from, sizeof from);
    tws_log(TWS_LOG_WARN, "handshake refused", "peer=%s reason=\"%s\"%s", from, why,
            tws_log_unsaid(&s->refused_limit, unsaid));
}

/* Whoever has not proved a key gets this and nothing else. */
static void turn_away(struct visit *v)
{
    log_refusal(v, "no such key, or not its holder: compare the key files of both sides");
    tws_upgrade_close(v->upgrade, TWS_HS_CLOSE);
    end_visit(v);
}

static void refuse(struct visit *v, uint16_t code, const char *why)
{
    struct tws_span welcome;

    log_refusal(v, why);
    if (tws_hs_server_refuse(&v->hs, (uint8_t)code, &welcome) == TWS_OK)
        (void)!tws_upgrade_send(v->upgrade, welcome);
    tws_upgrade_close(v->upgrade, (uint16_t)(TWS_WS_CLOSE_BASE + code));
    end_visit(v);
}

/* ---- the decision ---- */

/* What the HELLO asks for, once its sender is known; 0, or the code it is refused with. */
static uint16_t check_join(struct visit *v, struct tws_account *a, const char **why)
{
    struct tws_held *h = tws_held_find(v->server, v->hs.session_id);

    if (h == NULL || h->account != a) {
        *why = "the session is not known here: the server was started again, or grace is over";
        return TWS_CODE_SERVER_RESTARTED;
    }
    if (tws_hs_server_prove(&v->hs, h->join_secret) != TWS_OK) {
        *why = "a join without the session's secret";
        return TWS_CODE_AUTH;
    }
    if (h->carrier->nlinks >= LINKS_MAX) {
        *why = "the session has 16 links already";
        return TWS_CODE_RESOURCES;
    }
    return TWS_CODE_NONE;
}

static uint16_t check_new(struct visit *v, struct tws_account *a, const char **why)
{
    tws_held_end_older(a, v->hs.params.client_name);
    if (a->user->max_sessions == 0 || a->nsessions < a->user->max_sessions)
        return TWS_CODE_NONE;
    *why = "the user's max_sessions is reached";
    return TWS_CODE_RESOURCES;
}

static uint16_t check(struct visit *v, struct tws_account *a, const char **why)
{
    if (v->server->on_drained != NULL) {
        *why = "the server is going down";
        return TWS_CODE_SHUTDOWN;
    }
    return v->hs.mode == TWS_HS_JOIN ? check_join(v, a, why) : check_new(v, a, why);
}

static tws_err make_welcome(struct visit *v, struct tws_span *welcome)
{
    struct tws_hs_accept accept = {.link_id = 1};
    tws_err err = tws_random_bytes(NULL, accept.session_id, sizeof accept.session_id);

    if (err != TWS_OK)
        return err;
    tws_carrier_params(&v->server->limits, &accept.params);
    if (v->hs.mode == TWS_HS_JOIN)
        accept.link_id = ++tws_held_find(v->server, v->hs.session_id)->last_link_id;
    return tws_hs_server_accept(&v->hs, &accept, tws_random_bytes, NULL, welcome, &v->result);
}

static void welcome_in(struct visit *v, struct tws_account *a)
{
    struct tws_span welcome;
    struct tws_held *h = NULL;
    tws_err err = make_welcome(v, &welcome);

    if (err == TWS_E_AUTH) {
        refuse(v, TWS_CODE_AUTH, "one side requires encrypt and the other has it off");
        return;
    }
    if (err == TWS_OK && v->hs.mode == TWS_HS_NEW)
        err = tws_held_new(v->server, a, &v->result, &h);
    if (err != TWS_OK) {
        refuse(v, err == TWS_NOMEM ? TWS_CODE_RESOURCES : tws_err_code(err), tws_err_text(err));
        return;
    }
    v->answered = true;
    (void)!tws_upgrade_send(v->upgrade, welcome); /* if it fails, so does the take-over */
    tws_upgrade_take_over(v->upgrade);
}

/* ---- what the upgrade tells ---- */

static void on_message(void *arg, struct tws_upgrade *u, struct tws_span msg)
{
    struct visit *v = arg;
    struct tws_account *a = NULL;
    const char *why = NULL;

    (void)u;
    if (tws_hs_server_read(&v->hs, msg) != TWS_OK) {
        turn_away(v);
        return;
    }
    a = tws_server_account(v->server, v->hs.key_id);
    tws_err err = tws_hs_server_authenticate(&v->hs, a != NULL ? a->key.psk : NULL);
    if (!v->hs.authenticated) {
        turn_away(v);
        return;
    }
    if (err != TWS_OK) {
        refuse(v, tws_err_code(err), tws_err_text(err));
        return;
    }
    uint16_t code = check(v, a, &why);
    if (code != TWS_CODE_NONE)
        refuse(v, code, why);
    else
        welcome_in(v, a);
}

/* A session whose first link never came up is nobody's. */
static void forget_new_session(struct visit *v)
{
    struct tws_held *h = v->answered ? tws_held_find(v->server, v->result.session_id) : NULL;

    if (h != NULL && !h->linked)
        tws_held_free(h);
}

static void on_failed(void *arg, struct tws_upgrade *u, uint16_t close_code, const char *why)
{
    struct visit *v = arg;
    char from[TWS_HOSTPORT_TEXT];

    (void)u;
    tws_sockaddr_format(&v->peer, from, sizeof from);
    tws_log(TWS_LOG_DEBUG, "handshake failed", "peer=%s close=%u reason=\"%s\"", from,
            (unsigned)close_code, why);
    forget_new_session(v);
    end_visit(v);
}

static void on_wire(void *arg, struct tws_wire *w)
{
    struct visit *v = arg;
    struct tws_held *h = tws_held_find(v->server, v->result.session_id);

    if (h == NULL) /* it ended meanwhile */
        tws_wire_close(w, TWS_WS_CLOSE_BASE + TWS_CODE_SERVER_RESTARTED);
    else
        tws_held_link(h, &v->result, w, &v->peer);
    end_visit(v);
}

static void on_open(void **arg, struct tws_upgrade *u, const char *session,
                    const struct tws_sockaddr *peer)
{
    struct tws_server *s = *arg;
    struct visit *v = calloc(1, sizeof *v);
    uint8_t random[TWS_HS_RANDOM_LEN];

    (void)session; /* the balancer's business */
    if (v == NULL || tws_random_bytes(NULL, random, sizeof random) != TWS_OK) {
        free(v);
        tws_upgrade_close(u, TWS_WS_CLOSE_BASE + TWS_CODE_RESOURCES);
        return;
    }
    v->server = s;
    v->upgrade = u;
    v->peer = *peer;
    tws_list_init(&v->visit_node);
    tws_list_push_back(&s->visits, &v->visit_node);
    *arg = v;
    tws_hs_server_init(&v->hs, s->boot_id, random);
    (void)!tws_upgrade_send(u, (struct tws_span){v->hs.challenge, sizeof v->hs.challenge});
}

const struct tws_upgrade_events tws_server_upgrade_events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_failed = on_failed,
    .on_wire = on_wire,
};

void tws_server_end_visits(struct tws_server *s)
{
    struct visit *v;

    while ((v = TWS_LIST_FIRST(&s->visits, struct visit, visit_node)) != NULL) {
        tws_upgrade_close(v->upgrade, TWS_WS_CLOSE_BASE + TWS_CODE_SHUTDOWN);
        forget_new_session(v);
        end_visit(v);
    }
}

/* held.c - see server_priv.h: a session on the server's side. */
#include "listens_priv.h"
#include "server_priv.h"

#include "tws/base/log.h"
#include "tws/base/secret.h"
#include "tws/proto/code.h"

#include <stdio.h>
#include <stdlib.h>

static void on_open(void *arg, struct tws_channel *ch, struct tws_span payload)
{
    struct tws_held *h = arg;

    h->server->channels_opened++;
    tws_egress_open(&h->egress, ch, payload);
}

static void on_openable(void *arg)
{
    struct tws_held *h = arg;

    tws_listens_ready(h->egress.listens);
}

static void on_link_down(void *arg, void *owner, uint32_t link_id, uint64_t up_us, const char *why)
{
    struct tws_held *h = arg;

    (void)owner;
    tws_log(TWS_LOG_INFO, "link down", "session=%s user=%s link=%u up_s=%llu reason=\"%s\"",
            h->carrier->tag, h->account->name, (unsigned)link_id,
            (unsigned long long)(up_us / 1000000), why);
}

/* As the client says, in one word of a line. */
static void set_name(char out[TWS_HS_NAME_MAX + 1], const char *name)
{
    snprintf(out, TWS_HS_NAME_MAX + 1, "%s", name);
    tws_log_word(out);
}

static void log_over(const struct tws_held *h, uint16_t code, const char *text)
{
    tws_log(TWS_LOG_INFO, "session over", "session=%s user=%s client=%s code=%u reason=\"%s\"",
            h->carrier->tag, h->account->name, h->client_name, (unsigned)code,
            text[0] != '\0' ? text : tws_code_text(code));
}

static void on_over(void *arg, uint16_t code, const char *text)
{
    log_over(arg, code, text);
    tws_held_free(arg);
}

static const struct tws_carrier_events held_events = {
    .on_open = on_open,
    .on_openable = on_openable,
    .on_link_down = on_link_down,
    .on_over = on_over,
};

static tws_err make_carrier(struct tws_held *h, const struct tws_hs_result *hs)
{
    const struct tws_carrier_config cfg = {
        .client = false,
        .limits = &h->server->limits,
        .partings = &h->server->partings,
        .peer = &hs->peer,
        .session_id = hs->session_id,
        .user = h->account->name,
        .audit_level = TWS_LOG_INFO,
        .events = &held_events,
        .arg = h,
    };

    return tws_carrier_new(h->server->loop, &cfg, &h->carrier);
}

tws_err tws_held_new(struct tws_server *s, struct tws_account *a, const struct tws_hs_result *hs,
                     struct tws_held **out)
{
    struct tws_held *h = calloc(1, sizeof *h);

    if (h == NULL)
        return TWS_NOMEM;
    h->server = s;
    h->account = a;
    tws_err err = make_carrier(h, hs);
    if (err != TWS_OK) {
        free(h);
        return err;
    }
    tws_egress_init(&h->egress, h->carrier, &a->judge, &s->egress_cfg);
    memcpy(h->join_secret, hs->join_secret, sizeof h->join_secret);
    memcpy(h->registered.id, hs->session_id, sizeof h->registered.id);
    set_name(h->client_name, hs->peer.client_name[0] != '\0' ? hs->peer.client_name : "-");
    h->last_link_id = hs->link_id;
    tws_list_init(&h->held_node);
    tws_list_push_back(&a->sessions, &h->held_node);
    a->nsessions++;
    tws_registry_add(&s->sessions, &h->registered);
    tws_log(TWS_LOG_INFO, "session new", "session=%s user=%s client=%s", h->carrier->tag, a->name,
            h->client_name);
    *out = h;
    return TWS_OK;
}

static void count_bytes(struct tws_held *h)
{
    struct tws_session_stats st = tws_session_stats(h->carrier->session);

    h->server->ended_sent += st.bytes_sent;
    h->server->ended_received += st.bytes_received;
}

void tws_held_free(struct tws_held *h)
{
    struct tws_account *a = h->account;

    count_bytes(h);
    tws_carrier_free(h->carrier);
    tws_egress_fini(&h->egress);
    tws_registry_remove(&h->server->sessions, &h->registered);
    tws_list_unlink(&h->held_node);
    a->nsessions--;
    if (a->nsessions == 0 && a->user == NULL)
        tws_account_free(a);
    tws_wipe(h->join_secret, sizeof h->join_secret);
    tws_loop_free_later(h->server->loop, h);
}

struct tws_held *tws_held_find(const struct tws_server *s, const uint8_t *session_id)
{
    struct tws_registered *e = tws_registry_find(&s->sessions, session_id);

    if (e == NULL)
        return NULL;
    struct tws_held *h = TWS_CONTAINER(e, struct tws_held, registered);
    return h->carrier->over ? NULL : h;
}

void tws_held_link(struct tws_held *h, const struct tws_hs_result *hs, struct tws_wire *wire,
                   const struct tws_sockaddr *peer)
{
    char from[TWS_HOSTPORT_TEXT], uplink[TWS_HS_NAME_MAX + 1];
    const struct tws_link_terms terms = {.role = TWS_ROLE_AVAILABLE,
                                         .weight = hs->peer.link_weight};
    tws_err err = tws_carrier_add_link(h->carrier, hs, &terms, wire);

    tws_sockaddr_format(peer, from, sizeof from);
    if (err != TWS_OK) {
        tws_log(TWS_LOG_WARN, "link refused", "session=%s user=%s link=%u peer=%s reason=\"%s\"",
                h->carrier->tag, h->account->name, (unsigned)hs->link_id, from, tws_err_text(err));
        return;
    }
    h->linked = true;
    tws_listens_ready(h->egress.listens);
    set_name(uplink, hs->peer.uplink_name);
    tws_log(TWS_LOG_INFO, "link up", "session=%s user=%s link=%u peer=%s client=%s%s%s sealed=%d",
            h->carrier->tag, h->account->name, (unsigned)hs->link_id, from, h->client_name,
            uplink[0] != '\0' ? " uplink=" : "", uplink, hs->sealed);
}

void tws_held_end_older(struct tws_account *a, const char *client_name)
{
    char name[TWS_HS_NAME_MAX + 1];
    struct tws_node *it, *next;

    if (client_name[0] == '\0')
        return;
    set_name(name, client_name);
    TWS_LIST_EACH(it, next, &a->sessions)
    {
        struct tws_held *h = TWS_CONTAINER(it, struct tws_held, held_node);
        if (!h->linked || h->carrier->nlinks > 0 || strcmp(h->client_name, name) != 0)
            continue;
        log_over(h, TWS_CODE_NONE, "the client began a new session");
        tws_held_free(h);
    }
}

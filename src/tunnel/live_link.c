/*
 * live_link.c - see live_link_priv.h.
 *
 * A message that the wire took but has not wholly written counts as sent only when it is: a peer
 * that acknowledges what it cannot have read breaks the protocol, and can never make the session
 * drop bytes the wire is still reading from.
 */
#include "live_link_priv.h"

#include "tws/base/log.h"
#include "tws/proto/code.h"

#include <assert.h>
#include <stdlib.h>

#define TURN_MESSAGES 4 /* then other descriptors have their turn: what just came may be urgent */

_Static_assert(TWS_SESSION_HEADROOM >= TWS_WIRE_HEADROOM, "the wire writes its header there");

/* The rest of a message has left: before anything is read, since its ACK may be what comes. */
static void note_sent(struct tws_live_link *l)
{
    if (!l->unsent || tws_wire_blocked(l->wire))
        return;
    l->unsent = false;
    tws_session_sent(l->carrier->session, l->link, tws_carrier_now(l->carrier));
}

/* ---- receiving ---- */

static void on_message(void *arg, uint8_t *msg, size_t n)
{
    struct tws_live_link *l = arg;
    struct tws_carrier *c = l->carrier;

    note_sent(l);
    l->bytes += n;
    if (l->sealed && tws_aead_open(&l->open, (struct tws_span){msg, n}, msg, &n) != TWS_OK) {
        tws_carrier_link_over(c, l, TWS_CODE_AUTH, "a record was altered or is out of order");
        return;
    }
    tws_session_recv(c->session, l->link, (struct tws_span){msg, n}, tws_carrier_now(c));
    tws_carrier_hand_out(c);
    tws_carrier_kick(c);
}

static void on_burst_end(void *arg)
{
    struct tws_live_link *l = arg;

    tws_session_link_heard(l->link, tws_carrier_now(l->carrier));
    tws_carrier_kick(l->carrier);
}

static void on_writable(void *arg)
{
    struct tws_live_link *l = arg;

    note_sent(l);
    tws_carrier_kick(l->carrier);
}

static void on_over(void *arg, uint16_t close_code, const char *why)
{
    struct tws_live_link *l = arg;
    uint16_t code = TWS_CODE_NONE;

    if (close_code > TWS_WS_CLOSE_BASE && close_code < TWS_WS_CLOSE_BASE + TWS_CODE_END)
        code = (uint16_t)(close_code - TWS_WS_CLOSE_BASE);
    tws_carrier_link_over(l->carrier, l, code, why);
}

/* ---- sending ---- */

static void fill(struct tws_live_link *l, uint64_t now)
{
    struct tws_session *s = l->carrier->session;
    struct tws_pull p;

    while (tws_session_pull(s, l->link, now, &p)) {
        struct tws_local *local = p.user;

        if (local->ops->pull != NULL)
            local->ops->pull(local, &p);
        else
            tws_session_pulled(s, 0, 0);
    }
}

static tws_err send_sealed(struct tws_live_link *l, struct tws_span msg)
{
    uint8_t *room = tws_wire_stage(l->wire, msg.n + TWS_AEAD_TAG);

    if (room == NULL)
        return TWS_NOMEM;
    tws_err err = tws_aead_seal(&l->seal, msg, room);
    if (err != TWS_OK)
        return err;
    return tws_wire_send_staged(l->wire, msg.n + TWS_AEAD_TAG);
}

/* One message; false: no more now. */
static bool send_next(struct tws_live_link *l, uint64_t now)
{
    struct tws_session *s = l->carrier->session;
    struct tws_span msg;

    fill(l, now);
    if (!tws_session_next_message(s, l->link, now, &msg))
        return false;
    l->bytes += msg.n;
    tws_err err = l->sealed ? send_sealed(l, msg) : tws_wire_send(l->wire, msg);
    if (err == TWS_OK) {
        tws_session_sent(s, l->link, now);
        return true;
    }
    if (err == TWS_BLOCKED)
        l->unsent = true;
    else if (err != TWS_SYS) /* else the wire says so itself */
        tws_carrier_link_over(l->carrier, l, tws_err_code(err), tws_err_text(err));
    return false;
}

bool tws_live_link_flush(struct tws_live_link *l)
{
    uint64_t now = tws_carrier_now(l->carrier);
    unsigned n = 0;

    note_sent(l);
    while (!tws_wire_blocked(l->wire) && send_next(l, now))
        if (++n == TURN_MESSAGES)
            return true;
    return false;
}

bool tws_live_link_worn(const struct tws_live_link *l, uint64_t now)
{
    if (l->terms.retire_at_us != 0 && now >= l->terms.retire_at_us)
        return true;
    return l->sealed &&
           (l->bytes >= TWS_RECORD_BYTES_MAX || now - l->since_us >= TWS_RECORD_AGE_MAX_US);
}

/* ---- life ---- */

static const struct tws_wire_events wire_events = {
    .on_message = on_message,
    .on_burst_end = on_burst_end,
    .on_writable = on_writable,
    .on_over = on_over,
};

static tws_err set_keys(struct tws_live_link *l, const struct tws_hs_result *hs)
{
    bool client = l->carrier->client;

    l->sealed = hs->sealed;
    if (!hs->sealed)
        return TWS_OK;
    tws_err err = tws_aead_init(&l->seal, hs->suite, client ? hs->k_c2s : hs->k_s2c, TWS_AEAD_SEAL);
    if (err != TWS_OK)
        return err;
    return tws_aead_init(&l->open, hs->suite, client ? hs->k_s2c : hs->k_c2s, TWS_AEAD_OPEN);
}

static tws_err introduce(struct tws_live_link *l)
{
    struct tws_carrier *c = l->carrier;
    struct tws_link_config cfg = {
        .id = l->id,
        .role = l->terms.role,
        .weight = l->terms.weight,
        .user = l,
    };

    return tws_session_link_add(c->session, &cfg, tws_carrier_now(c), &l->link);
}

tws_err tws_live_link_new(struct tws_carrier *c, const struct tws_hs_result *hs,
                          const struct tws_link_terms *terms, struct tws_wire *wire,
                          struct tws_live_link **out)
{
    struct tws_live_link *l = calloc(1, sizeof *l);
    tws_err err = TWS_NOMEM;

    if (l == NULL) {
        tws_wire_close(wire, TWS_WS_CLOSE_BASE + TWS_CODE_RESOURCES);
        return TWS_NOMEM;
    }
    *l = (struct tws_live_link){.carrier = c,
                                .wire = wire,
                                .id = hs->link_id,
                                .terms = *terms,
                                .since_us = tws_carrier_now(c)};
    tws_list_init(&l->live_node);
    err = set_keys(l, hs);
    if (err == TWS_OK)
        err = introduce(l);
    if (err != TWS_OK) {
        tws_live_link_free(l, tws_err_code(err));
        return err;
    }
    tws_wire_start(wire, &wire_events, l);
    *out = l;
    return TWS_OK;
}

void tws_live_link_free(struct tws_live_link *l, uint16_t code)
{
    struct tws_carrier *c = l->carrier;
    struct tws_link *link = l->link;

    l->link = NULL;
    tws_wire_close(l->wire, (uint16_t)(TWS_WS_CLOSE_BASE + code));
    if (link != NULL)
        tws_session_link_lost(c->session, link, code, tws_carrier_now(c));
    tws_aead_fini(&l->seal);
    tws_aead_fini(&l->open);
    tws_list_unlink(&l->live_node);
    tws_loop_free_later(c->loop, l);
}

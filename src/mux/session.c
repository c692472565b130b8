/* session.c - a session's life, opening channels, time, and the end. */
#include "session_priv.h"

#include <assert.h>
#include <string.h>

#define S              1000000u
#define OPEN_IDS_LIMIT (UINT32_MAX / 4u * 3u) /* at three quarters a new session begins */
#define EARLY_MAX      16384u

/* ---- memory, counted ---- */

struct header {
    _Alignas(16) size_t n;
};

/* As tws_mem.realloc, and keeps the sum of what is allocated. */
static void *counting_realloc(void *ctx, void *p, size_t n)
{
    struct tws_session *s = ctx;
    struct header *h = p == NULL ? NULL : (struct header *)p - 1;
    size_t old = h == NULL ? 0 : h->n;

    if (n == 0) {
        s->allocated -= old;
        tws_free(s->outer, h);
        return NULL;
    }
    h = tws_realloc(s->outer, h, sizeof *h + n);
    if (h == NULL)
        return NULL;
    s->allocated += n - old;
    h->n = n;
    return h + 1;
}

/* ---- life ---- */

static void set_defaults(struct tws_session_config *c)
{
    if (c->max_message == 0)
        c->max_message = TWS_MESSAGE_DEFAULT;
    if (c->heartbeat_us == 0)
        c->heartbeat_us = 15 * S;
    if (c->grace_us == 0)
        c->grace_us = 120 * S;
    if (c->give_up_us == 0)
        c->give_up_us = 10 * S;
    if (c->memory == 0)
        c->memory = 64u * 1024u * 1024u;
    if (c->max_channels == 0)
        c->max_channels = 65536;
    if (c->peer_max_channels == 0)
        c->peer_max_channels = 65536;
    if (c->early_data > EARLY_MAX)
        c->early_data = EARLY_MAX;
    if (c->peer_early_data > EARLY_MAX)
        c->peer_early_data = EARLY_MAX;
}

tws_err tws_session_new(const struct tws_session_config *cfg, const struct tws_mem *mem,
                        uint64_t seed, uint64_t now, struct tws_session **out)
{
    struct tws_session *s = tws_alloc_zero(mem, sizeof *s);

    if (s == NULL)
        return TWS_NOMEM;
    s->cfg = *cfg;
    set_defaults(&s->cfg);
    s->outer = mem;
    s->mem = (struct tws_mem){counting_realloc, s};
    s->now = s->suspended_at = now;
    tws_list_init(&s->links);
    tws_list_init(&s->graves);
    tws_list_init(&s->orphans);
    tws_list_init(&s->fresh);
    tws_list_init(&s->bulk);
    s->schedule = s->cfg.schedule;
    tws_list_init(&s->events);
    tws_ranges_init(&s->link_ids, &s->mem, TWS_ID_RANGES);
    tws_ranges_init(&s->peer_ids, &s->mem, TWS_ID_RANGES);
    tws_blocks_init(&s->blocks, &s->mem, s->cfg.max_message - s->cfg.message_overhead);
    tws_map_init(&s->channels, &s->mem, (uint32_t)(seed >> 32));
    s->next_id = s->cfg.client ? 1 : 2;
    s->open_limit = s->cfg.peer_max_channels;
    s->peer_limit = s->cfg.max_channels;
    tws_padding_init(&s->padding, s->cfg.padding, seed);
    tws_flood_init(&s->useless, 10000, 330);
    tws_flood_init(&s->early_resets, 1000, 33);
    *out = s;
    return TWS_OK;
}

static void free_links(struct tws_session *s, struct tws_node *list)
{
    struct tws_link *l;

    while ((l = TWS_LIST_FIRST(list, struct tws_link, link_node)) != NULL) {
        tws_list_unlink(&l->link_node);
        tws_msglog_fini(&l->log, &s->blocks);
        tws_free(&s->mem, l);
    }
}

void tws_session_free(struct tws_session *s)
{
    if (s == NULL)
        return;
    if (s->tx.r != NULL)
        tws_compose_abandon(s->tx.link);
    for (uint32_t i = 0; s->channels.slots != NULL && i <= s->channels.mask;)
        if (s->channels.slots[i].value != NULL)
            tws_channel_destroy(s->channels.slots[i].value); /* the next may move here */
        else
            i++;
    free_links(s, &s->links);
    free_links(s, &s->graves);
    tws_map_fini(&s->channels);
    tws_ranges_fini(&s->link_ids);
    tws_ranges_fini(&s->peer_ids);
    tws_blocks_fini(&s->blocks);
    assert(s->allocated == 0);
    tws_free(s->outer, s);
}

/* ---- opening ---- */

bool tws_session_openable(const struct tws_session *s)
{
    return !s->closed && !s->draining && !s->peer_draining && s->next_id < OPEN_IDS_LIMIT &&
           s->opened < s->open_limit;
}

static bool keep_hello(struct tws_channel *ch, struct tws_span payload)
{
    ch->hello = tws_alloc(&ch->s->mem, payload.n > 0 ? payload.n : 1);
    if (ch->hello == NULL)
        return false;
    memcpy(ch->hello, payload.p, payload.n);
    ch->hello_len = (uint16_t)payload.n;
    return true;
}

tws_err tws_session_open(struct tws_session *s, struct tws_span payload, void *user, uint64_t now,
                         struct tws_channel **out)
{
    s->now = now;
    assert(payload.n <= 1024);
    if (!tws_session_openable(s)) {
        bool limit = !s->closed && !s->draining && !s->peer_draining && s->opened >= s->open_limit;
        return limit ? TWS_FULL : TWS_E_STATE;
    }
    struct tws_channel *ch = tws_channel_new(s, s->next_id);
    if (ch == NULL)
        return TWS_NOMEM;
    if (!keep_hello(ch, payload)) {
        tws_channel_destroy(ch);
        return TWS_NOMEM;
    }
    s->next_id += 2;
    s->opened++;
    s->stats.channels++;
    ch->user = user;
    tws_datagram_begin(ch, payload);
    ch->tx_limit = s->cfg.peer_early_data;
    tws_credit_grant(ch);
    tws_channel_owe(ch, DUE_OPEN);
    *out = ch;
    return TWS_OK;
}

/* ---- the end ---- */

void tws_session_fail(struct tws_session *s, uint16_t code, const char *text)
{
    struct tws_node *it, *tmp;
    size_t n = text == NULL ? 0 : strlen(text);

    if (s->closed)
        return;
    s->closed = true;
    s->close_code = code;
    if (n >= sizeof s->close_text)
        n = sizeof s->close_text - 1;
    if (n > 0)
        memcpy(s->close_text, text, n);
    s->close_text[n] = '\0';
    TWS_LIST_EACH(it, tmp, &s->links)
    TWS_CONTAINER(it, struct tws_link, link_node)->close_due = true;
    tws_event_session(s, TWS_EVENT_CLOSED);
}

void tws_session_close(struct tws_session *s, uint16_t code, const char *text, uint64_t now)
{
    s->now = now;
    tws_session_fail(s, code, text);
}

void tws_session_goaway(struct tws_session *s, uint16_t code, uint32_t deadline_ms)
{
    if (s->draining && deadline_ms >= s->drain_ms)
        return;
    s->draining = true;
    s->drain_code = code;
    s->drain_ms = deadline_ms;
    s->goaway_due = true;
}

void tws_session_drain(struct tws_session *s, uint16_t code, uint32_t deadline_ms, uint64_t now)
{
    s->now = now;
    tws_session_goaway(s, code, deadline_ms);
}

/* A silent link's record may wait for the link's end although all of it is in good hands. */
static bool owes(const struct tws_link *l)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &l->log.records)
    {
        const struct tws_record *r = TWS_CONTAINER(it, const struct tws_record, log_node);
        if (r->logged && !tws_resend_superseded(l->s, r))
            return true;
    }
    return false;
}

static bool any_owes(const struct tws_node *links)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, links)
    {
        if (owes(TWS_CONTAINER(it, const struct tws_link, link_node)))
            return true;
    }
    return false;
}

bool tws_session_acknowledged(const struct tws_session *s)
{
    return !any_owes(&s->links) && !any_owes(&s->graves);
}

bool tws_session_settled(struct tws_session *s, uint64_t now)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->links)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (l->uncovered > 0 || tws_session_wants_write(s, l, now))
            return false;
    }
    return tws_session_acknowledged(s);
}

/* ---- time ---- */

uint64_t tws_session_deadline(const struct tws_session *s)
{
    uint64_t at = TWS_NEVER;
    struct tws_node *it, *tmp;

    if (s->closed)
        return TWS_NEVER;
    if (s->suspended_at != TWS_NEVER)
        at = s->suspended_at + s->cfg.grace_us;
    TWS_LIST_EACH(it, tmp, &s->links)
    {
        uint64_t d = tws_link_deadline(TWS_CONTAINER(it, const struct tws_link, link_node));
        at = d < at ? d : at;
    }
    return at;
}

void tws_session_tick(struct tws_session *s, uint64_t now)
{
    struct tws_node *it, *tmp;

    s->now = now;
    if (s->closed)
        return;
    TWS_LIST_EACH(it, tmp, &s->links)
    tws_link_tick(TWS_CONTAINER(it, struct tws_link, link_node), now);
    if (s->suspended_at != TWS_NEVER && now - s->suspended_at >= s->cfg.grace_us)
        tws_session_fail(s, TWS_CODE_TIMEOUT, "no link came back within the grace time");
}

struct tws_session_stats tws_session_stats(const struct tws_session *s)
{
    struct tws_session_stats stats = s->stats;

    stats.memory = s->allocated;
    return stats;
}

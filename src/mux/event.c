/*
 * event.c - what the caller is told, polled by tws_session_next_event().
 *
 * Nothing is allocated: what a channel has to tell is a set of bits on it, given out in the order
 * of their numbers. Frames of the message being received are applied one by one, and only when all
 * events before them were taken, so spans into the message stay valid as long as promised.
 */
#include "session_priv.h"

#include <string.h>

#define BIT(type) ((uint16_t)(1u << (unsigned)(type)))

void tws_event_channel(struct tws_channel *ch, enum tws_event_type type)
{
    ch->events |= BIT(type);
    if (!tws_list_linked(&ch->event_node))
        tws_list_push_back(&ch->s->events, &ch->event_node);
}

void tws_event_session(struct tws_session *s, enum tws_event_type type)
{
    s->session_events |= BIT(type);
}

static enum tws_event_type lowest(uint16_t bits)
{
    unsigned i = 0;

    while (((unsigned)bits >> i & 1u) == 0)
        i++;
    return (enum tws_event_type)i;
}

static void fill_channel(struct tws_channel *ch, struct tws_event *out)
{
    struct tws_session *s = ch->s;

    out->type = lowest(ch->events);
    out->channel = ch;
    out->user = ch->user;
    ch->events &= (uint16_t)~BIT(out->type);
    if (ch->events == 0)
        tws_list_unlink(&ch->event_node);
    if (out->type == TWS_EVENT_OPEN || out->type == TWS_EVENT_OPENED ||
        out->type == TWS_EVENT_DATAGRAM || out->type == TWS_EVENT_RESET) {
        out->payload = s->ev_payload;
        s->ev_payload = (struct tws_span){NULL, 0};
    }
    if (out->type == TWS_EVENT_RESET || out->type == TWS_EVENT_STOPPED)
        out->code = ch->peer_code;
    if (out->type == TWS_EVENT_RELEASED)
        s->released = ch;
}

static bool pop_channel(struct tws_session *s, struct tws_event *out)
{
    struct tws_channel *ch = TWS_LIST_FIRST(&s->events, struct tws_channel, event_node);

    if (ch == NULL)
        return false;
    fill_channel(ch, out);
    return true;
}

/* Lost links are told once; then only the grave's business is left of them. */
static bool pop_link(struct tws_session *s, struct tws_event *out)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &s->graves)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (!l->report)
            continue;
        l->report = false;
        l->told = true;
        *out = (struct tws_event){
            .type = TWS_EVENT_LINK_LOST, .link = l, .user = l->user, .code = l->lost_code};
        return true;
    }
    TWS_LIST_EACH(it, tmp, &s->links)
    {
        struct tws_link *l = TWS_CONTAINER(it, struct tws_link, link_node);
        if (!l->role_changed)
            continue;
        l->role_changed = false;
        *out = (struct tws_event){.type = TWS_EVENT_LINK_ROLE, .link = l, .user = l->user};
        return true;
    }
    return false;
}

static bool pop_session(struct tws_session *s, struct tws_event *out)
{
    if (s->session_events == 0)
        return false;
    out->type = lowest(s->session_events);
    s->session_events &= (uint16_t)~BIT(out->type);
    if (out->type == TWS_EVENT_GOAWAY) {
        out->code = s->goaway_code;
        out->deadline_ms = s->goaway_ms;
    }
    if (out->type == TWS_EVENT_CLOSED) {
        out->code = s->close_code;
        out->payload.p = (const uint8_t *)s->close_text;
        out->payload.n = strlen(s->close_text);
        s->closed_told = true;
    }
    return true;
}

bool tws_event_pop(struct tws_session *s, struct tws_event *out)
{
    *out = (struct tws_event){.type = TWS_EVENT_CLOSED};
    if (s->closed_told)
        return false;
    if (pop_channel(s, out))
        return true;
    if ((s->session_events & (BIT(TWS_EVENT_LINK_LOST) | BIT(TWS_EVENT_LINK_ROLE))) != 0) {
        if (pop_link(s, out))
            return true;
        s->session_events &= (uint16_t) ~(BIT(TWS_EVENT_LINK_LOST) | BIT(TWS_EVENT_LINK_ROLE));
    }
    return pop_session(s, out);
}

bool tws_session_next_event(struct tws_session *s, struct tws_event *out)
{
    if (s->released != NULL) {
        tws_channel_destroy(s->released);
        s->released = NULL;
    }
    for (;;) {
        if (tws_event_pop(s, out))
            return true;
        if (!tws_receive_next(s))
            return false;
    }
}

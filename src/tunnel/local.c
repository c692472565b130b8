/* local.c - see local_priv.h. */
#include "carrier_priv.h"

#include "tws/base/log.h"

#include <stdlib.h>
#include <string.h>

void tws_local_attach(struct tws_local *l, const struct tws_local_ops *ops,
                      struct tws_carrier *carrier, struct tws_channel *ch)
{
    l->ops = ops;
    l->carrier = carrier;
    l->channel = ch;
    l->lingers = false;
    tws_list_init(&l->local_node);
    tws_list_push_back(&carrier->locals, &l->local_node);
    carrier->nlocals++;
    tws_channel_set_user(ch, l);
}

uint8_t *tws_local_take_rest(struct tws_local *l, size_t n)
{
    uint8_t *rest = malloc(n > 0 ? n : 1);
    struct tws_span in;

    for (size_t done = 0; rest != NULL && done < n;) {
        if (tws_channel_peek(l->channel, &in) != TWS_OK) {
            free(rest);
            return NULL;
        }
        memcpy(rest + done, in.p, in.n);
        done += in.n;
        tws_channel_consume(l->channel, in.n, tws_carrier_now(l->carrier));
    }
    return rest;
}

void tws_local_linger(struct tws_local *l)
{
    l->carrier->nlingering += !l->lingers;
    l->lingers = true;
}

void tws_local_detach(struct tws_local *l)
{
    if (!tws_list_linked(&l->local_node))
        return;
    l->carrier->nlingering -= l->lingers;
    l->lingers = false;
    tws_list_unlink(&l->local_node);
    l->carrier->nlocals--;
}

/* What the peer opened is this side's way out, and always has its line. */
static enum tws_log_level audit_level(const struct tws_local *l)
{
    const struct tws_carrier *c = l->carrier;
    bool ours = (tws_channel_id(l->channel) % 2 != 0) == c->client;

    return ours ? c->audit_level : TWS_LOG_INFO;
}

void tws_local_audit(const struct tws_local *l, const char *source, const char *target,
                     uint64_t opened_us, const char *reason)
{
    const struct tws_carrier *c = l->carrier;
    struct tws_channel_stats st = tws_channel_stats(l->channel);
    enum tws_log_level level = audit_level(l);

    tws_log(level, "channel",
            "session=%s user=%s ch=%u source=%s target=%s sent=%llu received=%llu ms=%llu "
            "reason=\"%s\"",
            c->tag, c->user, (unsigned)tws_channel_id(l->channel), source, target,
            (unsigned long long)st.sent, (unsigned long long)st.received,
            (unsigned long long)((tws_carrier_now(c) - opened_us) / 1000), reason);
}

/* account.c - see account_priv.h. */
#include "account_priv.h"
#include "listens_priv.h"

#include "tws/base/secret.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the user's rules ---- */

static struct tws_account *from_judge(struct tws_judge *j)
{
    return TWS_CONTAINER(j, struct tws_account, judge);
}

static uint16_t judge_listening(const struct tws_user *u, const struct tws_open *open,
                                const char **why)
{
    struct tws_spot where;

    if (tws_acl_listen(u, tws_listens_kind(open), &open->target, &where))
        return TWS_CODE_NONE;
    *why = "no listen rule of the user allows the address";
    return TWS_CODE_FORBIDDEN;
}

static uint16_t judge_opening(struct tws_judge *j, const struct tws_open *open,
                              struct tws_permit *permit, const char **why)
{
    const struct tws_user *u = from_judge(j)->user;

    if (u == NULL)
        return TWS_CODE_REVOKED;
    if (u->max_channels != 0 && j->nchannels > u->max_channels) {
        *why = "the user's max_channels is reached";
        return TWS_CODE_RESOURCES;
    }
    if (open->kind == TWS_KIND_LISTEN)
        return judge_listening(u, open, why);
    permit->verdict = tws_acl_target(u, open->kind, &open->target);
    if (permit->verdict == TWS_ACL_DENY) {
        *why = open->kind == TWS_KIND_TUN ? "the user's entry has no tun"
                                          : "no rule of the user allows the target";
        return TWS_CODE_FORBIDDEN;
    }
    return TWS_CODE_NONE;
}

static bool judge_address(struct tws_judge *j, const struct tws_permit *permit,
                          const struct tws_ip *ip, uint16_t port)
{
    const struct tws_user *u = from_judge(j)->user;

    return u != NULL && tws_acl_address(u, permit->kind, permit->verdict, ip, port);
}

static bool judge_listen(struct tws_judge *j, uint8_t kind, const struct tws_target *t,
                         struct tws_spot *where)
{
    const struct tws_user *u = from_judge(j)->user;

    return u != NULL && tws_acl_listen(u, kind, t, where);
}

static bool judge_room(struct tws_judge *j)
{
    const struct tws_user *u = from_judge(j)->user;

    return u != NULL && (u->max_channels == 0 || j->nchannels < u->max_channels);
}

static bool judge_terms(struct tws_judge *j, struct tws_judge_terms *out)
{
    struct tws_account *a = from_judge(j);

    if (a->user == NULL)
        return false;
    *out = (struct tws_judge_terms){.user = a->user,
                                    .up = a->user->rate != 0 ? &a->up : NULL,
                                    .down = a->user->rate != 0 ? &a->down : NULL,
                                    .max_listens = a->user->max_listens};
    return true;
}

static const struct tws_judge_ops judge_ops = {
    .opening = judge_opening,
    .address = judge_address,
    .listen = judge_listen,
    .room = judge_room,
    .terms = judge_terms,
};

/* ---- life ---- */

tws_err tws_account_new(struct tws_loop *loop, const struct tws_user *u, struct tws_account **out)
{
    struct tws_account *a = calloc(1, sizeof *a);

    if (a == NULL)
        return TWS_NOMEM;
    a->name = strdup(u->name);
    if (a->name == NULL) {
        free(a);
        return TWS_NOMEM;
    }
    a->key = u->key;
    a->user = u;
    a->judge.ops = &judge_ops;
    tws_list_init(&a->judge.listens);
    tws_list_init(&a->account_node);
    tws_list_init(&a->sessions);
    tws_throttle_init(&a->up, loop, u->rate);
    tws_throttle_init(&a->down, loop, u->rate);
    *out = a;
    return TWS_OK;
}

void tws_account_free(struct tws_account *a)
{
    if (a == NULL)
        return;
    assert(tws_list_empty(&a->sessions));
    tws_list_unlink(&a->account_node);
    tws_throttle_fini(&a->up);
    tws_throttle_fini(&a->down);
    tws_wipe(&a->key, sizeof a->key);
    free(a->name);
    /* Later: whoever walks the users may stand on this one. */
    tws_loop_free_later(a->up.loop, a);
}

void tws_account_set_user(struct tws_account *a, const struct tws_user *u)
{
    a->user = u;
    if (u == NULL)
        return;
    tws_throttle_set_rate(&a->up, u->rate);
    tws_throttle_set_rate(&a->down, u->rate);
}

bool tws_account_is(const struct tws_account *a, const struct tws_user *u)
{
    return memcmp(a->key.id, u->key.id, sizeof a->key.id) == 0 &&
           tws_equal_secret(a->key.psk, u->key.psk, sizeof a->key.psk) &&
           strcmp(a->name, u->name) == 0;
}

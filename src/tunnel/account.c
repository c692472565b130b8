/* account.c - see account_priv.h. */
#include "account_priv.h"

#include "tws/base/secret.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

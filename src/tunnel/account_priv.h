/*
 * account_priv.h - a user at run time: what all the user's sessions share, and what outlives a
 * reload of the configuration.
 */
#ifndef TWS_TUNNEL_ACCOUNT_PRIV_H
#define TWS_TUNNEL_ACCOUNT_PRIV_H

#include "judge_priv.h"
#include "throttle_priv.h"

#include "tws/tunnel/config.h"

struct tws_account {
    struct tws_node account_node; /* the server's */
    char *name;                   /* its own copy: sessions log it to their end */
    struct tws_key key;
    const struct tws_user *user; /* rules and limits; NULL: the key was removed */
    struct tws_node sessions;    /* struct tws_held */
    uint32_t nsessions;
    struct tws_judge judge;       /* by the user's rules */
    struct tws_throttle up, down; /* target -> client, client -> target */
};

/* TWS_NOMEM. */
TWS_MUST_USE tws_err tws_account_new(struct tws_loop *loop, const struct tws_user *u,
                                     struct tws_account **out);
/* No session is left. NULL is fine. */
void tws_account_free(struct tws_account *a);
/* The user's entry in the next configuration; NULL: there is none any more. */
void tws_account_set_user(struct tws_account *a, const struct tws_user *u);
/* Whether `u` is this user with this very key. */
bool tws_account_is(const struct tws_account *a, const struct tws_user *u);

#endif

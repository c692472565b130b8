/*
 * judge_priv.h - who decides what a peer may reach through this process: on a server the user's
 * rules (account.c), on a client its own configuration.
 *
 * A kind of egress asks for the opening as it was named, then for each address it is about to dial,
 * to listen on or to send to, at that moment: the rules may have changed in between, or be gone.
 */
#ifndef TWS_TUNNEL_JUDGE_PRIV_H
#define TWS_TUNNEL_JUDGE_PRIV_H

#include "throttle_priv.h"

#include "tws/proto/target.h"
#include "tws/tunnel/acl.h"

struct tws_judge;

/* What an opening was allowed as; every later question about it carries this. */
struct tws_permit {
    uint8_t kind; /* enum tws_kind */
    enum tws_acl_verdict verdict;
    uint32_t listener; /* the listening channel it came in by; 0: none */
};

/* What an allowed opening is bound to while it lasts. */
struct tws_judge_terms {
    struct tws_throttle *up, *down; /* target -> peer, peer -> target; NULL: no limit */
    uint32_t max_listens;           /* of all its sessions; 0: no limit */
    const struct tws_user *user;    /* whose it is, until the next turn; NULL: no user's */
};

struct tws_judge_ops {
    /* 0 and permit->verdict, or the code to refuse the opening with; *why may be told the peer. */
    uint16_t (*opening)(struct tws_judge *j, const struct tws_open *open, struct tws_permit *permit,
                        const char **why);
    bool (*address)(struct tws_judge *j, const struct tws_permit *permit, const struct tws_ip *ip,
                    uint16_t port);
    /* Whether the peer may have us listen on `t` for `kind` (TCP or UDP), and on what exactly. */
    bool (*listen)(struct tws_judge *j, uint8_t kind, const struct tws_target *t,
                   struct tws_spot *where);
    /* Whether another channel may be opened to the peer. */
    bool (*room)(struct tws_judge *j);
    /* False: it allows nothing any more (a removed key). */
    bool (*terms)(struct tws_judge *j, struct tws_judge_terms *out);
};

struct tws_judge {
    const struct tws_judge_ops *ops;
    uint32_t nchannels; /* open through this judge, refused ones until they are over included */
    uint32_t nlistens;
    struct tws_node listens; /* struct tws_listens, of its sessions */
};

#endif

/*
 * client_priv.h - the client's insides.
 */
#ifndef TWS_TUNNEL_CLIENT_PRIV_H
#define TWS_TUNNEL_CLIENT_PRIV_H

#include "ingress_priv.h"
#include "pool_priv.h"

#include "tws/net/netwatch.h"
#include "tws/net/wakewatch.h"
#include "tws/tunnel/client.h"

struct tws_client {
    struct tws_loop *loop;
    struct tws_ws *ws;
    const struct tws_client_config *cfg;
    struct tws_link_limits limits; /* a copy: sessions point here whatever is reloaded */
    struct tws_ingress ingress;
    struct tws_stdio *stdio;                   /* NULL: stdin and stdout are not ours */
    struct tws_node pools;                     /* struct tws_pool, the retiring ones too */
    struct tws_pool *current[TWS_SERVERS_MAX]; /* those that open channels: of each server one */
    size_t ncurrent;                           /* as many as cfg->nservers */
    size_t turn;                               /* of tws_balance_pick() */
    struct tws_client_stats ended;             /* of pools that are over */

    struct tws_netwatch *netwatch; /* NULL: the kernel tells nothing here */
    struct tws_wakewatch wakewatch;
    struct tws_timer redial_timer;
    uint64_t redialled_at_us;

    tws_drained_fn *on_drained; /* NULL: not draining */
    void *drained_arg;
    bool sessions_drain; /* they know of it */
    uint64_t drain_until_us, cut_before_drain;
    struct tws_timer drain_timer;
};

#endif

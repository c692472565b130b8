/*
 * decoy_priv.h - what a stranger meets: an ordinary web server.
 *
 * Each request that is not our upgrade is answered with 404, with a file, or by another server it
 * is passed on to; then the connection ends. libwebsockets never sees these bytes.
 */
#ifndef TWS_WS_DECOY_PRIV_H
#define TWS_WS_DECOY_PRIV_H

#include "http_head_priv.h"

#include "tws/base/list.h"
#include "tws/net/loop.h"

struct tws_decoy;

/* `site` as in struct tws_upgrade_server. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_decoy_new(struct tws_loop *loop, const char *site, struct tws_decoy **out);
/* Ends what it is serving. NULL is fine. */
void tws_decoy_free(struct tws_decoy *d);
/*
 * Takes `fd`, on which the request is still to be read; `head` NULL: it is no HTTP.
 */
void tws_decoy_serve(struct tws_decoy *d, int fd, const struct tws_http_head *head);

#endif

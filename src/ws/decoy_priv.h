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
#include "tws/net/connector.h"
#include "tws/net/loop.h"

#define TWS_DECOY_JOBS     256      /* at the same time; one above is closed */
#define TWS_DECOY_QUIET_US 30000000 /* a job without progress for that long ends */

enum tws_decoy_kind { TWS_DECOY_NONE, TWS_DECOY_FILES, TWS_DECOY_PROXY };

struct tws_decoy {
    struct tws_loop *loop;
    enum tws_decoy_kind kind;
    char *root;                 /* FILES */
    struct tws_hostport origin; /* PROXY */
    struct tws_node jobs;
    unsigned njobs;
};

/* `site` as in struct tws_upgrade_server. TWS_NOMEM; TWS_SYS (EINVAL: no such form). */
TWS_MUST_USE tws_err tws_decoy_new(struct tws_loop *loop, const char *site, struct tws_decoy **out);
/* Ends what it is serving. NULL is fine. */
void tws_decoy_free(struct tws_decoy *d);
/*
 * Takes `fd`, on which the request is still to be read; `head` NULL: it is no HTTP.
 */
void tws_decoy_serve(struct tws_decoy *d, int fd, const struct tws_http_head *head);

/* ---- between decoy.c, decoy_file.c and decoy_proxy.c ---- */

/* One answer on its way: what all kinds begin with. */
struct tws_decoy_job {
    struct tws_node jobs_node;
    struct tws_decoy *decoy;
    struct tws_timer quiet;
    void (*end)(struct tws_decoy_job *job); /* closes and frees it */
};

void tws_decoy_job_begin(struct tws_decoy *d, struct tws_decoy_job *job,
                         void (*end)(struct tws_decoy_job *job));
void tws_decoy_job_finish(struct tws_decoy_job *job);

/* Answers from the files below the root; `root` NULL: 404 for everything; head NULL: 400. */
void tws_decoy_file_serve(struct tws_decoy *d, int fd, const struct tws_http_head *head);
/* Passes the request on and relays until both sides are done. */
void tws_decoy_proxy_serve(struct tws_decoy *d, int fd, const struct tws_http_head *head);

#endif

/*
 * context.c - one libwebsockets context per process on our loop, with one vhost and one callback.
 *
 * What libwebsockets must not do by itself, and how it is kept from it:
 * - listen or dial: the vhost has no port, and descriptors are ours (upgrade_*.c);
 * - take a proxy from the environment: the vhost is given an empty one, which counts as none;
 * - ping: the validity policy is empty, so nothing is written after a take-over;
 * - end what takes long, without our words for it: its time-out is an hour, ours come first;
 * - allocate for 10^9 descriptors: fd_limit_per_thread;
 * - talk: its log goes to ours, at debug.
 */
#include "lws_priv.h"
#include "tls_priv.h"

#include "tws/base/log.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define DESTROY_TURNS 1000 /* of the loop, until all connections are gone: two or three */
#define CLOSE_TURNS   4    /* until libuv has closed the context's handles: one */
#define PATIENCE_S    3600 /* its default is 5 s, as our own for a handshake: a race */

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct tws_upgrade *u = wsi != NULL ? lws_get_opaque_user_data(wsi) : NULL;

    (void)user;
    if (u != NULL)
        return tws_upgrade_event(u, wsi, reason, in, len);
    switch ((int)reason) {
    /* Nobody of ours is behind it: never become another protocol. */
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {TWS_SUBPROTOCOL, on_lws, 0, TWS_UPGRADE_MESSAGE, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

const lws_retry_bo_t tws_lws_no_pings;

static void on_log(int level, const char *line)
{
    int n = (int)strcspn(line, "\n");

    (void)level;
    tws_log(TWS_LOG_DEBUG, "libwebsockets", "text=\"%.*s\"", n, line);
}

/* What goes wrong before the context is there is why it will not be: a missing plugin, say. */
static void on_log_at_start(int level, const char *line)
{
    int n = (int)strcspn(line, "\n");

    if (level == LLL_ERR)
        tws_log(TWS_LOG_ERROR, "libwebsockets does not start", "why=\"%.*s\"", n, line);
    else
        on_log(level, line);
}

/* OpenSSL writes with write(2). */
static void ignore_sigpipe(void)
{
    struct sigaction sa = {0};

    sa.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &sa, NULL);
}

static struct lws_context *make_context(struct tws_ws *ws)
{
    void *foreign = tws_loop_uv(ws->loop);
    struct lws_context_creation_info info = {0};

    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                   LWS_SERVER_OPTION_HTTP_HEADERS_SECURITY_BEST_PRACTICES_ENFORCE;
    info.foreign_loops = &foreign;
    info.fd_limit_per_thread = tws_raise_fd_limit();
    info.max_http_header_data = 8192;
    info.uid = -1;
    info.gid = -1;
    info.timeout_secs = PATIENCE_S;
    info.retry_and_idle_policy = &tws_lws_no_pings;
    info.server_string = "http";
    info.pcontext = &ws->lws; /* set to NULL when it is gone */
    return lws_create_context(&info);
}

static struct lws_vhost *make_vhost(struct tws_ws *ws)
{
    struct lws_context_creation_info info = {0};

    info.port = CONTEXT_PORT_NO_LISTEN;
    info.vhost_name = "tws";
    info.protocols = protocols;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.provided_client_ssl_ctx = tws_tls_context(ws->tls);
    info.http_proxy_address = "";
    info.http_proxy_port = 0;
    info.timeout_secs = PATIENCE_S;
    info.retry_and_idle_policy = &tws_lws_no_pings;
    return lws_create_vhost(ws->lws, &info);
}

tws_err tws_ws_new(struct tws_loop *loop, struct tws_ws **out)
{
    struct tws_ws *ws = calloc(1, sizeof(*ws));
    tws_err err = TWS_NOMEM;

    if (ws == NULL)
        return TWS_NOMEM;
    ws->loop = loop;
    tws_list_init(&ws->upgrades);
    tws_list_init(&ws->listeners);
    ignore_sigpipe();
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log_at_start);
    if (tws_tls_new(ws, &ws->tls) != TWS_OK)
        goto fail;
    ws->lws = make_context(ws);
    if (ws->lws == NULL) {
        err = TWS_SYS;
        goto fail;
    }
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    ws->vhost = make_vhost(ws);
    if (ws->vhost == NULL)
        goto fail;
    *out = ws;
    return TWS_OK;
fail:
    tws_ws_free(ws);
    errno = ELIBACC;
    return err;
}

static void kill_all(struct tws_ws *ws)
{
    struct tws_node *it, *tmp;

    tws_server_free_all(ws);
    TWS_LIST_EACH(it, tmp, &ws->upgrades)
    tws_upgrade_kill(TWS_CONTAINER(it, struct tws_upgrade, upgrades_node));
}

static void run_loop(struct tws_ws *ws)
{
    for (int i = 0; i < DESTROY_TURNS && !tws_list_empty(&ws->upgrades); i++)
        tws_loop_turn(ws->loop);
    for (int i = 0; i < CLOSE_TURNS; i++)
        tws_loop_turn(ws->loop);
}

/*
 * On a foreign loop libwebsockets destroys in two steps: the first begins to close its handles,
 * which the loop must finish before the second frees what they live in.
 */
static void destroy_context(struct tws_ws *ws)
{
    if (ws->lws == NULL)
        return;
    kill_all(ws);
    run_loop(ws);
    lws_context_destroy(ws->lws);
    run_loop(ws);
    if (ws->lws != NULL)
        lws_context_destroy(ws->lws);
    run_loop(ws);
    assert(ws->lws == NULL && tws_list_empty(&ws->upgrades));
}

void tws_ws_free(struct tws_ws *ws)
{
    if (ws == NULL)
        return;
    destroy_context(ws);
    tws_tls_free(ws->tls);
    free(ws);
}

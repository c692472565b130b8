/*
 * upgrade.c - what both sides do between the upgrade and the wire: handshake messages, closing,
 * the take-over at the quiet point. See upgrade.h and lws_priv.h.
 *
 * The take-over happens in a WRITEABLE callback after everything queued has left. A whole message
 * that came too early is then a RECEIVE that comes first, and is seen. From the take-over on
 * libwebsockets does not poll the descriptor; its wsi stays as the owner of the SSL, until the
 * wire lets go of it.
 */
#include "advice_priv.h"
#include "lws_priv.h"
#include "stream_priv.h"
#include "wire_priv.h"

#include "tws/ws/codec.h"
#include "tws/ws/mask_keys.h"

#include <assert.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLOSE_US 2000000 /* for a close frame to leave and be answered */

static void on_deadline(struct tws_timer *t);
static void on_wire_task(struct tws_task *t);

/* ---- life ---- */

tws_err tws_upgrade_make(struct tws_ws *ws, const struct tws_upgrade_events *ev, void *arg,
                         bool client, struct tws_upgrade **out)
{
    struct tws_upgrade *u = calloc(1, sizeof(*u));

    if (u == NULL)
        return TWS_NOMEM;
    u->buffers = calloc(1, sizeof(*u->buffers));
    if (u->buffers == NULL) {
        free(u);
        return TWS_NOMEM;
    }
    u->ws = ws;
    u->ev = *ev;
    u->arg = arg;
    u->client = client;
    u->fd = -1;
    u->step = "connect";
    tws_timer_init(&u->deadline, ws->loop, on_deadline);
    tws_task_init(&u->wire_task, on_wire_task);
    tws_list_init(&u->upgrades_node);
    tws_list_init(&u->pending_node);
    tws_list_push_back(&ws->upgrades, &u->upgrades_node);
    *out = u;
    return TWS_OK;
}

/* Frees it if nothing of it remains. */
static void upgrade_end(struct tws_upgrade *u)
{
    if (u->wsi != NULL)
        return;
    tws_server_settled(u);
    tws_tls_guest_hold(u->tls_guest, NULL); /* it ends by itself */
    tws_dial_free(u->dial);
    u->dial = NULL;
    tws_timer_stop(&u->deadline);
    tws_task_cancel(&u->wire_task);
    tws_list_unlink(&u->upgrades_node);
    free(u->buffers);
    tws_loop_free_later(u->ws->loop, u);
}

/* The wire that is, or would have become, the owner's. */
static void drop_wire(struct tws_upgrade *u, const char *why)
{
    struct tws_wire *w = u->wire;

    if (w == NULL)
        return;
    u->wire = NULL;
    if (!u->detached)
        tws_wire_lose_owner(w, why);
    if (tws_list_linked(&u->wire_task.task_node)) {
        tws_task_cancel(&u->wire_task);
        tws_wire_close(w, TWS_WS_CLOSE_ABNORMAL);
    }
}

void tws_upgrade_kill(struct tws_upgrade *u)
{
    struct lws *wsi = u->wsi;

    u->reported = true;
    if (u->state == TWS_UPGRADE_DYING)
        return;
    drop_wire(u, "shutting down");
    u->state = TWS_UPGRADE_DYING;
    tws_server_settled(u);
    tws_dial_free(u->dial);
    u->dial = NULL;
    if (wsi == NULL) {
        upgrade_end(u);
        return;
    }
    /* Else libwebsockets may wait for the peer to take what it holds. */
    (void)shutdown(u->fd, SHUT_RDWR);
    if (!u->in_callback && !u->in_connect) /* else its callback returns -1 */
        lws_set_timeout(wsi, 1, LWS_TO_KILL_SYNC);
}

void tws_upgrade_fail(struct tws_upgrade *u, uint16_t code, const char *step, const char *fmt, ...)
{
    char reason[TWS_WHY_MAX], why[TWS_WHY_MAX + 32];
    va_list ap;

    if (!u->reported) {
        u->reported = true;
        va_start(ap, fmt);
        (void)vsnprintf(reason, sizeof(reason), fmt, ap);
        va_end(ap);
        (void)snprintf(why, sizeof(why), "%s: %s", step != NULL ? step : u->step, reason);
        u->ev.on_failed(u->arg, u, code, why);
    }
    tws_upgrade_kill(u);
}

static void on_deadline(struct tws_timer *t)
{
    struct tws_upgrade *u = TWS_CONTAINER(t, struct tws_upgrade, deadline);

    if (u->reported)
        tws_upgrade_kill(u);
    else
        tws_upgrade_fail(u, 0, NULL, "%s%s", u->tls_why[0] != '\0' ? u->tls_why : "timed out",
                         u->tls_why[0] == '\0' && u->client
                             ? ": something accepts connections there and does not answer"
                             : "");
}

/* ---- messages ---- */

tws_err tws_upgrade_send(struct tws_upgrade *u, struct tws_span msg)
{
    struct tws_upgrade_buffers *b = u->buffers;

    assert(u->state == TWS_UPGRADE_OPEN);
    if (msg.n > TWS_UPGRADE_MESSAGE || b->nout > 0)
        return TWS_FULL;
    if (msg.n > 0)
        memcpy(b->out + LWS_PRE, msg.p, msg.n);
    b->nout = msg.n;
    (void)lws_callback_on_writable(u->wsi);
    return TWS_OK;
}

void tws_upgrade_take_over(struct tws_upgrade *u)
{
    assert(u->state == TWS_UPGRADE_OPEN);
    u->state = TWS_UPGRADE_TAKING;
    (void)lws_callback_on_writable(u->wsi);
}

void tws_upgrade_close(struct tws_upgrade *u, uint16_t close_code)
{
    if (u == NULL)
        return;
    u->reported = true;
    if (u->state != TWS_UPGRADE_OPEN && u->state != TWS_UPGRADE_TAKING) {
        tws_upgrade_kill(u);
        return;
    }
    u->state = TWS_UPGRADE_CLOSING;
    u->close_code = close_code;
    tws_server_settled(u);
    tws_timer_start(&u->deadline, CLOSE_US);
    (void)lws_callback_on_writable(u->wsi);
}

static int receive(struct tws_upgrade *u, const uint8_t *p, size_t n)
{
    struct tws_upgrade_buffers *b = u->buffers;

    if (u->state == TWS_UPGRADE_CLOSING)
        return 0;
    if (u->state != TWS_UPGRADE_OPEN) {
        tws_upgrade_fail(u, 0, NULL, "a message came before the take-over");
        return -1;
    }
    if (!lws_frame_is_binary(u->wsi) || n > TWS_UPGRADE_MESSAGE - b->nin) {
        tws_upgrade_fail(u, 0, NULL,
                         "the peer does not speak " TWS_SUBPROTOCOL ": another program");
        return -1;
    }
    if (n > 0)
        memcpy(b->in + b->nin, p, n);
    b->nin += n;
    if (lws_remaining_packet_payload(u->wsi) > 0 || !lws_is_final_fragment(u->wsi))
        return 0;
    n = b->nin;
    b->nin = 0;
    u->ev.on_message(u->arg, u, (struct tws_span){b->in, n});
    /* Only from this callback does -1 send the close frame first: from the writeable one it stands
     * for a broken socket (libwebsockets 4.1.6). */
    if (u->state == TWS_UPGRADE_CLOSING && b->nout == 0) {
        lws_close_reason(u->wsi, (enum lws_close_status)u->close_code, NULL, 0);
        return -1;
    }
    return 0;
}

/* ---- take-over ---- */

/* The wire is done with the SSL. */
static void release(void *arg)
{
    struct tws_upgrade *u = arg;

    u->wire = NULL;
    tws_upgrade_kill(u);
}

static void on_wire_task(struct tws_task *t)
{
    struct tws_upgrade *u = TWS_CONTAINER(t, struct tws_upgrade, wire_task);
    struct tws_wire *w = u->wire;

    u->reported = true;
    if (u->detached) {
        u->wire = NULL;
        u->ev.on_wire(u->arg, w);
        tws_upgrade_kill(u);
        return;
    }
    u->ev.on_wire(u->arg, w);
}

/* The wire is done with an SSL that is not libwebsockets'. */
static void release_ssl(void *arg)
{
    SSL_free(arg);
}

/* Socket and SSL are libwebsockets', which keeps the SSL alive. */
static const char *take_from_lws(struct tws_upgrade *u, struct tws_wire_parts *parts)
{
    parts->fd = fcntl(u->fd, F_DUPFD_CLOEXEC, 0);
    if (parts->fd < 0)
        return strerror(errno);
    (void)lws_rx_flow_control(u->wsi, 0);
    lws_set_timeout(u->wsi, NO_PENDING_TIMEOUT, 0);
    parts->ssl = lws_get_ssl(u->wsi);
    parts->release = release;
    parts->release_arg = u;
    return NULL;
}

/* They are behind libwebsockets' descriptor, and it is needed no more. */
static const char *take_from_guest(struct tws_upgrade *u, struct tws_wire_parts *parts)
{
    if (tws_tls_guest_take(u, &parts->fd, &parts->ssl) != TWS_OK)
        return "a message came before the take-over";
    (void)lws_rx_flow_control(u->wsi, 0);
    lws_set_timeout(u->wsi, NO_PENDING_TIMEOUT, 0);
    parts->release = release_ssl;
    parts->release_arg = parts->ssl;
    u->detached = true;
    return NULL;
}

/* In a WRITEABLE callback, all sent. */
static int take_over(struct tws_upgrade *u)
{
    struct tws_wire_parts parts = {.client = u->client};
    const char *why = NULL;

    if (u->buffers->nin > 0)
        why = "a message came before the take-over";
    else if (u->tls_guest != NULL)
        why = take_from_guest(u, &parts);
    else
        why = take_from_lws(u, &parts);
    if (why != NULL) {
        tws_upgrade_fail(u, 0, NULL, "%s", why);
        return -1;
    }
    if (tws_wire_make(u->ws->loop, &parts, &u->wire) != TWS_OK) {
        if (u->detached)
            SSL_free(parts.ssl);
        tws_upgrade_fail(u, 0, NULL, "out of memory");
        return -1;
    }
    u->state = TWS_UPGRADE_TAKEN;
    tws_server_settled(u);
    tws_timer_stop(&u->deadline);
    free(u->buffers);
    u->buffers = NULL;
    tws_task_post(u->ws->loop, &u->wire_task);
    return 0;
}

static int broken(struct tws_upgrade *u)
{
    tws_upgrade_fail(u, 0, NULL, "connection closed while sending");
    return -1;
}

/* By hand: what libwebsockets does when a WRITEABLE callback returns -1 differs by state. The
 * connection ends with the peer's answer, or with the deadline. */
static int send_close(struct tws_upgrade *u)
{
    struct tws_stream stream = {u->fd, lws_get_ssl(u->wsi)};
    uint8_t payload[2], frame[2 + 6], key[4];
    const char *why;
    size_t n;

    if (u->close_code == 0)
        return 0;
    tws_put16(payload, u->close_code);
    u->close_code = 0;
    tws_ws_mask_key(key);
    n = tws_ws_put_control(frame, TWS_WS_OP_CLOSE, payload, 2, u->client ? key : NULL);
    return tws_stream_write(&stream, frame, n, &why) == (long)n ? 0 : -1;
}

static int writeable(struct tws_upgrade *u)
{
    struct tws_upgrade_buffers *b = u->buffers;
    size_t n;

    if (u->state == TWS_UPGRADE_TAKEN || u->state == TWS_UPGRADE_DYING)
        return u->state == TWS_UPGRADE_DYING ? -1 : 0;
    if (b->nout > 0) {
        n = b->nout;
        b->nout = 0;
        if (lws_write(u->wsi, b->out + LWS_PRE, n, LWS_WRITE_BINARY) < (int)n)
            return broken(u);
        if (u->state == TWS_UPGRADE_CLOSING) /* one write for each callback */
            (void)lws_callback_on_writable(u->wsi);
    } else if (u->state == TWS_UPGRADE_CLOSING && !lws_partial_buffered(u->wsi)) {
        return send_close(u);
    }
    if (lws_partial_buffered(u->wsi)) {
        (void)lws_callback_on_writable(u->wsi);
        return 0;
    }
    /* In the callback that sent the last message, so that the peer's answer to it cannot come in
     * between. */
    return u->state == TWS_UPGRADE_TAKING ? take_over(u) : 0;
}

/* ---- events ---- */

/* Its answer to our close frame needs none of libwebsockets'. */
static int peer_closes(struct tws_upgrade *u, const uint8_t *p, size_t n)
{
    if (u->state == TWS_UPGRADE_CLOSING)
        return -1;
    u->close_code = n >= 2 ? tws_get16(p) : TWS_WS_CLOSE_NO_CODE;
    return 0;
}

/* libwebsockets ends the connection. */
static void closed(struct tws_upgrade *u)
{
    drop_wire(u, "connection closed");
    if (u->state == TWS_UPGRADE_CLOSING)
        return;
    if (u->close_code > 0)
        tws_upgrade_fail(u, u->close_code, NULL, "closed by the peer with %u", u->close_code);
    else if (u->tls_why[0] != '\0') /* an alert behind the TLS handshake */
        tws_upgrade_fail(u, 0, "TLS", "%s", u->tls_why);
    else
        tws_upgrade_fail(u, 0, NULL, "%s",
                         u->client && u->state == TWS_UPGRADE_OPENING
                             ? tws_advice_no_answer()
                             : "connection closed by the peer");
}

static int dispatch(struct tws_upgrade *u, enum lws_callback_reasons reason, void *in, size_t len)
{
    switch ((int)reason) {
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return receive(u, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return writeable(u);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return peer_closes(u, in, len);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLIENT_CLOSED:
        closed(u);
        return 0;
    default:
        return u->client ? tws_client_event(u, reason, in, len)
                         : tws_server_event(u, reason, in, len);
    }
}

int tws_upgrade_event(struct tws_upgrade *u, struct lws *wsi, enum lws_callback_reasons reason,
                      void *in, size_t len)
{
    int result;

    if (reason == LWS_CALLBACK_WSI_DESTROY) {
        u->wsi = NULL;
        lws_set_opaque_user_data(wsi, NULL);
        if (u->state == TWS_UPGRADE_DYING || u->state == TWS_UPGRADE_CLOSING)
            upgrade_end(u);
        else
            closed(u);
        return 0;
    }
    if (reason == LWS_CALLBACK_WSI_CREATE && u->client)
        tws_client_created(u, wsi);
    if (reason == LWS_CALLBACK_CLIENT_CONNECTION_ERROR && u->wsi == NULL)
        u->wsi = wsi;   /* without memory it fails before it says that it is there */
    if (u->in_callback) /* of its own doing: it knows */
        return 0;
    u->in_callback = true;
    result = dispatch(u, reason, in, len);
    u->in_callback = false;
    return u->state == TWS_UPGRADE_DYING ? -1 : result;
}

/*
 * upgrade_server.c - from an accepted connection to an open WebSocket.
 *
 *      listener -> guest: peeks at the request head -> our upgrade: libwebsockets
 *                                                   -> anything else: decoy.c
 *
 * A guest looks at the bytes without taking them (MSG_PEEK), so that whoever gets the connection
 * reads all of it. Only a request that is our upgrade in every detail reaches libwebsockets: it
 * would also answer "Upgrade: h2c" and CONNECT, and its HTTP parser is no place for strangers.
 *
 * A connection is pending from accept to take-over; the limits count those, and each has one
 * deadline for all of it.
 */
#include "listener_priv.h"

#include "tws/net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HANDSHAKE_US 5000000
#define PENDING      1024
#define PER_SOURCE   64

struct guest {
    struct tws_node guests_node;
    struct tws_io io;
    struct tws_timer deadline;
    struct tws_ws_listener *listener;
    struct tws_tls_guest *tls; /* it comes through; NULL: without TLS */
    struct tws_sockaddr peer;
    uint64_t since_us;
    int fd;
};

/* ---- the end of a listener: when it is closed and nothing is pending ---- */

static void free_listener(struct tws_ws_listener *l)
{
    if (l == NULL)
        return;
    tws_listener_close(l->net);
    tws_tls_server_free(l->tls);
    tws_decoy_free(l->decoy);
    tws_list_unlink(&l->listeners_node);
    free(l->path);
    free(l->trusted);
    free(l);
}

static void settle_one(struct tws_ws_listener *l)
{
    l->npending--;
}

/* ---- sources ---- */

bool tws_ws_listener_trusts(const struct tws_ws_listener *l, const struct tws_sockaddr *peer)
{
    struct tws_ip ip;
    uint16_t port;

    tws_sockaddr_get(peer, &ip, &port);
    if (ip.family == 0)
        return true; /* who may open our unix socket is a proxy of ours */
    if (l->ntrusted == 0)
        return tws_ip_is_loopback(&ip);
    for (size_t i = 0; i < l->ntrusted; i++)
        if (tws_prefix_contains(&l->trusted[i], &ip))
            return true;
    return false;
}

/* "1.2.3.4", "1.2.3.4:80", "::1", "[::1]:80" */
static bool parse_source(struct tws_span text, struct tws_ip *ip, uint16_t *port)
{
    struct tws_hostport hp;
    char buf[TWS_HOSTPORT_TEXT];

    if (text.n == 0 || text.n >= sizeof(buf))
        return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = '\0';
    *port = 0;
    if (tws_ip_parse(buf, ip) == TWS_OK)
        return true;
    if (tws_hostport_parse(buf, &hp) != TWS_OK || tws_ip_parse(hp.host, ip) != TWS_OK)
        return false;
    *port = hp.port;
    return true;
}

/* Where the request came from, as far as the peer is to be believed. */
static void find_source(const struct tws_ws_listener *l, const struct tws_http_head *h,
                        struct tws_sockaddr *peer)
{
    struct tws_ip ip;
    uint16_t port;

    if (!tws_ws_listener_trusts(l, peer) || !parse_source(h->forwarded_for, &ip, &port))
        return;
    ip = tws_ip_unmap(ip);
    tws_sockaddr_set(peer, &ip, port);
}

static unsigned count_source(struct tws_ws_listener *l, const struct tws_sockaddr *peer)
{
    struct tws_node *it, *tmp;
    struct tws_ip wanted, ip;
    unsigned n = 0;
    uint16_t port;

    tws_sockaddr_get(peer, &wanted, &port);
    TWS_LIST_EACH(it, tmp, &l->pending)
    {
        tws_sockaddr_get(&TWS_CONTAINER(it, struct tws_upgrade, pending_node)->peer, &ip, &port);
        n += tws_ip_equal(&ip, &wanted);
    }
    return n;
}

void tws_ws_listener_turn_away(struct tws_ws_listener *l, int fd, const struct tws_sockaddr *peer,
                               const char *limit)
{
    char text[TWS_HOSTPORT_TEXT];

    if (tws_log_allow(&l->full_log, tws_loop_now(l->ws->loop))) {
        tws_sockaddr_format(peer, text, sizeof(text));
        tws_log(TWS_LOG_WARN, "connection turned away", "peer=%s limit=%s", text, limit);
    }
    tws_socket_set_abort(fd);
    tws_socket_close(fd);
}

/* ---- handing the descriptor over ---- */

static void adopt(struct tws_ws_listener *l, struct tws_upgrade *u, int fd)
{
    struct tws_ws *ws = l->ws;
    lws_adopt_desc_t desc = {0};

    desc.vh = ws->vhost;
    desc.type = LWS_ADOPT_HTTP | LWS_ADOPT_SOCKET;
    desc.fd.sockfd = fd;
    desc.opaque = u;
    u->fd = fd;
    u->state = TWS_UPGRADE_OPENING;
    u->step = "upgrade";
    u->in_connect = true;
    u->wsi = lws_adopt_descriptor_vhost_via_info(&desc);
    u->in_connect = false;
    if (u->wsi == NULL) /* the descriptor is closed */
        tws_upgrade_kill(u);
    else if (u->state == TWS_UPGRADE_DYING)
        lws_set_timeout(u->wsi, 1, LWS_TO_KILL_SYNC);
}

static void begin_upgrade(struct tws_ws_listener *l, int fd, const struct tws_http_head *h,
                          const struct tws_sockaddr *peer, const struct guest *g)
{
    struct tws_upgrade *u = NULL;

    if (count_source(l, peer) >= l->max_per_source) {
        tws_ws_listener_turn_away(l, fd, peer, "max_pending_per_source");
        return;
    }
    if (tws_upgrade_make(l->ws, &l->ev, l->arg, false, &u) != TWS_OK) {
        tws_socket_close(fd);
        return;
    }
    memcpy(u->session, h->session, sizeof(u->session));
    u->peer = *peer;
    u->listener = l;
    u->reported = true; /* the owner does not know it before on_open */
    tws_list_push_back(&l->pending, &u->pending_node);
    l->npending++;
    tws_timer_start_at(&u->deadline, g->since_us + l->handshake_us);
    tws_tls_guest_hold(g->tls, &u->tls_guest);
    adopt(l, u, fd);
}

void tws_server_settled(struct tws_upgrade *u)
{
    struct tws_ws_listener *l = u->listener;

    if (l == NULL)
        return;
    u->listener = NULL;
    tws_list_unlink(&u->pending_node);
    settle_one(l);
}

/* ---- guests ---- */

/* Frees the guest; the descriptor goes on without it. */
static int leave(struct guest *g)
{
    int fd = g->fd;

    tws_io_stop(&g->io);
    tws_timer_stop(&g->deadline);
    tws_list_unlink(&g->guests_node);
    settle_one(g->listener);
    tws_loop_free_later(g->listener->ws->loop, g);
    return fd;
}

static void end_guest(struct guest *g)
{
    tws_socket_close(leave(g));
    tws_tls_guest_hold(g->tls, NULL);
}

static bool is_ours(const struct tws_ws_listener *l, const struct tws_http_head *h)
{
    struct tws_span path = tws_http_head_path(h);

    return h->upgrade &&
           (l->path == NULL || (path.n == strlen(l->path) && memcmp(path.p, l->path, path.n) == 0));
}

static void judge(struct guest *g, struct tws_span in)
{
    struct tws_ws_listener *l = g->listener;
    struct tws_sockaddr peer = g->peer;
    struct tws_http_head head;
    tws_err err = tws_http_head_parse(in, &head);
    int fd;

    if (err == TWS_SHORT)
        return;
    fd = leave(g);
    if (err != TWS_OK) {
        tws_decoy_serve(l->decoy, fd, NULL);
    } else if (is_ours(l, &head)) {
        find_source(l, &head, &peer);
        begin_upgrade(l, fd, &head, &peer, g);
    } else {
        tws_decoy_serve(l->decoy, fd, &head);
    }
    tws_tls_guest_hold(g->tls, NULL); /* unless the upgrade has it */
}

static void on_guest_io(struct tws_io *io, unsigned events)
{
    struct guest *g = TWS_CONTAINER(io, struct guest, io);
    uint8_t head[TWS_HTTP_HEAD_MAX];
    ssize_t n = recv(g->fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        end_guest(g);
    else
        judge(g, (struct tws_span){head, (size_t)n});
}

static void on_guest_deadline(struct tws_timer *t)
{
    end_guest(TWS_CONTAINER(t, struct guest, deadline));
}

void tws_guest_begin(struct tws_ws_listener *l, int fd, const struct tws_sockaddr *peer,
                     uint64_t since_us, struct tws_tls_guest *tls)
{
    struct guest *g = calloc(1, sizeof(*g));

    if (g == NULL || tws_io_start(l->ws->loop, &g->io, fd, on_guest_io) != TWS_OK) {
        free(g);
        tws_socket_close(fd);
        return;
    }
    g->fd = fd;
    g->listener = l;
    g->peer = *peer;
    g->since_us = since_us;
    tws_tls_guest_hold(tls, &g->tls);
    tws_timer_init(&g->deadline, l->ws->loop, on_guest_deadline);
    tws_timer_start_at(&g->deadline, since_us + l->handshake_us);
    tws_list_init(&g->guests_node);
    tws_list_push_back(&l->guests, &g->guests_node);
    l->npending++;
}

/* Who has said nothing for longest gives way: connections that never speak keep nobody out. */
static bool make_room(struct tws_ws_listener *l)
{
    struct guest *g = TWS_LIST_FIRST(&l->guests, struct guest, guests_node);

    if (l->npending < l->max_pending)
        return true;
    if (g == NULL)
        return false;
    tws_ws_listener_turn_away(l, leave(g), &g->peer, "max_pending");
    tws_tls_guest_hold(g->tls, NULL);
    return true;
}

static void on_accept(void *arg, int fd, const struct tws_sockaddr *peer)
{
    struct tws_ws_listener *l = arg;

    if (!make_room(l))
        tws_ws_listener_turn_away(l, fd, peer, "max_pending");
    else if (l->tls != NULL)
        tws_tls_guest_accept(l, fd, peer);
    else
        tws_guest_begin(l, fd, peer, tws_loop_now(l->ws->loop), NULL);
}

/* ---- life ---- */

static tws_err fill(struct tws_ws_listener *l, const struct tws_upgrade_server *s)
{
    l->handshake_us = s->handshake_timeout_us > 0 ? s->handshake_timeout_us : HANDSHAKE_US;
    l->max_pending = s->max_pending > 0 ? s->max_pending : PENDING;
    l->max_per_source = s->max_pending_per_source > 0 ? s->max_pending_per_source : PER_SOURCE;
    if (s->path != NULL) {
        l->path = strdup(s->path);
        if (l->path == NULL)
            return TWS_NOMEM;
    }
    if (s->ntrusted > 0) {
        l->trusted = calloc(s->ntrusted, sizeof(*l->trusted));
        if (l->trusted == NULL)
            return TWS_NOMEM;
        memcpy(l->trusted, s->trusted, s->ntrusted * sizeof(*l->trusted));
        l->ntrusted = s->ntrusted;
    }
    return tws_decoy_new(l->ws->loop, s->decoy, &l->decoy);
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tws_socket_close(fds[i]);
}

static tws_err open_listener(struct tws_ws_listener *l, const struct tws_upgrade_server *s)
{
    if (s->nfds == 0)
        return tws_listener_open(l->ws->loop, &s->listen, on_accept, l, &l->net);
    return tws_listener_adopt(l->ws->loop, s->fds, s->nfds, on_accept, l, &l->net);
}

tws_err tws_upgrade_listen(struct tws_ws *ws, const struct tws_upgrade_server *s,
                           const struct tws_upgrade_events *ev, void *arg,
                           struct tws_ws_listener **out)
{
    struct tws_ws_listener *l = calloc(1, sizeof(*l));
    tws_err err;
    int saved;

    if (l == NULL) {
        close_all(s->fds, s->nfds);
        return TWS_NOMEM;
    }
    l->ws = ws;
    l->ev = *ev;
    l->arg = arg;
    tws_list_init(&l->guests);
    tws_list_init(&l->pending);
    tws_list_init(&l->tls_guests);
    tws_list_init(&l->listeners_node);
    tws_list_push_back(&ws->listeners, &l->listeners_node);
    err = fill(l, s);
    if (err == TWS_OK)
        err = open_listener(l, s);
    else
        close_all(s->fds, s->nfds);
    if (err != TWS_OK) {
        saved = errno;
        l->net = NULL;
        free_listener(l);
        errno = saved;
        return err;
    }
    tws_listener_address(l->net, &l->address);
    *out = l;
    return TWS_OK;
}

void tws_ws_listener_close(struct tws_ws_listener *l)
{
    if (l == NULL)
        return;
    tws_listener_close(l->net);
    l->net = NULL;
}

/* Upgrades that on_open has told of are their owner's to close. */
static void end_strangers(struct tws_ws_listener *l)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &l->guests)
    end_guest(TWS_CONTAINER(it, struct guest, guests_node));
    TWS_LIST_EACH(it, tmp, &l->pending)
    {
        struct tws_upgrade *u = TWS_CONTAINER(it, struct tws_upgrade, pending_node);

        if (u->state == TWS_UPGRADE_OPENING)
            tws_upgrade_kill(u);
    }
    tws_tls_guests_end_shaking(l);
}

void tws_ws_listener_end(struct tws_ws_listener *l)
{
    if (l == NULL)
        return;
    tws_ws_listener_close(l);
    end_strangers(l);
}

void tws_ws_listener_set_tls(struct tws_ws_listener *l, struct tws_tls_server *tls)
{
    tws_tls_server_free(l->tls);
    l->tls = tls;
}

void tws_ws_listener_address(const struct tws_ws_listener *l, struct tws_sockaddr *out)
{
    *out = l->address;
}

void tws_server_free_all(struct tws_ws *ws)
{
    struct tws_node *it, *tmp, *jt, *jtmp;

    TWS_LIST_EACH(it, tmp, &ws->listeners)
    {
        struct tws_ws_listener *l = TWS_CONTAINER(it, struct tws_ws_listener, listeners_node);

        TWS_LIST_EACH(jt, jtmp, &l->guests)
        end_guest(TWS_CONTAINER(jt, struct guest, guests_node));
        TWS_LIST_EACH(jt, jtmp, &l->pending)
        tws_upgrade_kill(TWS_CONTAINER(jt, struct tws_upgrade, pending_node));
        tws_tls_guests_free(l);
        free_listener(l);
    }
}

/* ---- events ---- */

static int confirm(struct tws_upgrade *u, const char *protocol)
{
    /* Never more than 0: libwebsockets would go on with a freed connection. */
    return strcasecmp(protocol, "websocket") == 0 && u->state == TWS_UPGRADE_OPENING ? 0 : -1;
}

static int established(struct tws_upgrade *u)
{
    u->state = TWS_UPGRADE_OPEN;
    u->step = "handshake";
    u->reported = false;
    u->ev.on_open(&u->arg, u, u->session, &u->peer);
    return 0;
}

int tws_server_event(struct tws_upgrade *u, enum lws_callback_reasons reason, void *in, size_t len)
{
    (void)len;
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return confirm(u, in);
    case LWS_CALLBACK_ESTABLISHED:
        return established(u);
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return 0;
    }
}

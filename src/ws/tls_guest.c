/*
 * tls_guest.c - strangers in front of a listener with TLS: each is a pipe (tls_pipe_priv.h) whose
 * plain side is an ordinary guest as soon as the handshake is done.
 *
 * Until then it is pending, and bounded as such: in number, for each source, and in time. A pipe
 * stays for as long as its plain side does, a decoy's too, so there is a bound on all of them.
 */
#include "listener_priv.h"
#include "tls_pipe_priv.h"
#include "tls_server_priv.h"

#include <stdlib.h>

struct tws_tls_guest {
    struct tws_node guests_node;
    struct tws_ws_listener *listener;
    struct tws_tls_pipe *pipe;
    struct tws_tls_guest **holder; /* whoever has to know its end; NULL: nobody */
    struct tws_sockaddr peer;
    uint64_t since_us;
    bool shaking; /* pending */
};

static unsigned count_source(const struct tws_ws_listener *l, const struct tws_sockaddr *peer)
{
    struct tws_node *it, *tmp;
    struct tws_ip wanted, ip;
    unsigned n = 0;
    uint16_t port;

    tws_sockaddr_get(peer, &wanted, &port);
    TWS_LIST_EACH(it, tmp, &l->tls_guests)
    {
        tws_sockaddr_get(&TWS_CONTAINER(it, struct tws_tls_guest, guests_node)->peer, &ip, &port);
        n += tws_ip_equal(&ip, &wanted);
    }
    return n;
}

/* Its pipe is gone or given away. */
static void forget(struct tws_tls_guest *g)
{
    struct tws_ws_listener *l = g->listener;

    tws_tls_guest_hold(g, NULL);
    l->npending -= g->shaking;
    l->ntls_guests--;
    tws_list_unlink(&g->guests_node);
    tws_loop_free_later(l->ws->loop, g);
}

static void on_ready(void *arg, int plain)
{
    struct tws_tls_guest *g = arg;

    g->shaking = false;
    g->listener->npending--;
    tws_guest_begin(g->listener, plain, &g->peer, g->since_us, g);
}

static void on_over(void *arg, const char *why)
{
    struct tws_tls_guest *g = arg;
    char peer[TWS_HOSTPORT_TEXT];

    if (why != NULL) {
        tws_sockaddr_format(&g->peer, peer, sizeof(peer));
        tws_log(TWS_LOG_DEBUG, "TLS handshake failed", "peer=%s reason=\"%s\"", peer, why);
    }
    forget(g);
}

static const struct tws_tls_pipe_events pipe_events = {.on_ready = on_ready, .on_over = on_over};

static void begin(struct tws_ws_listener *l, int fd, const struct tws_sockaddr *peer)
{
    struct tws_tls_guest *g = calloc(1, sizeof(*g));
    SSL *ssl = g != NULL ? SSL_new(l->tls->ctx) : NULL;

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        free(g);
        tws_socket_close(fd);
        return;
    }
    SSL_set_accept_state(ssl);
    g->listener = l;
    g->peer = *peer;
    g->since_us = tws_loop_now(l->ws->loop);
    g->shaking = true;
    tws_list_init(&g->guests_node);
    if (tws_tls_pipe_new(l->ws->loop, ssl, g->since_us + l->handshake_us, &pipe_events, g,
                         &g->pipe) != TWS_OK) {
        free(g);
        return;
    }
    tws_list_push_back(&l->tls_guests, &g->guests_node);
    l->ntls_guests++;
    l->npending++;
}

void tws_tls_guest_accept(struct tws_ws_listener *l, int fd, const struct tws_sockaddr *peer)
{
    if (l->ntls_guests >= l->max_pending + TWS_DECOY_JOBS)
        tws_ws_listener_turn_away(l, fd, peer, "max_pending");
    else if (!tws_ws_listener_trusts(l, peer) && count_source(l, peer) >= l->max_per_source)
        tws_ws_listener_turn_away(l, fd, peer, "max_pending_per_source");
    else
        begin(l, fd, peer);
}

static void end_guest(struct tws_tls_guest *g)
{
    tws_tls_pipe_free(g->pipe);
    forget(g);
}

void tws_tls_guests_end_shaking(struct tws_ws_listener *l)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &l->tls_guests)
    {
        struct tws_tls_guest *g = TWS_CONTAINER(it, struct tws_tls_guest, guests_node);

        if (g->shaking)
            end_guest(g);
    }
}

void tws_tls_guests_free(struct tws_ws_listener *l)
{
    struct tws_tls_guest *g;

    while ((g = TWS_LIST_FIRST(&l->tls_guests, struct tws_tls_guest, guests_node)) != NULL)
        end_guest(g);
}

/* ---- the upgrade that goes through it ---- */

void tws_tls_guest_hold(struct tws_tls_guest *g, struct tws_tls_guest **holder)
{
    if (g == NULL)
        return;
    if (g->holder != NULL)
        *g->holder = NULL;
    g->holder = holder;
    if (holder != NULL)
        *holder = g;
}

tws_err tws_tls_guest_take(struct tws_upgrade *u, int *fd, SSL **ssl)
{
    struct tws_tls_guest *g = u->tls_guest;
    tws_err err = tws_tls_pipe_take(g->pipe, fd, ssl);

    if (err != TWS_OK)
        return err;
    tws_tls_pipe_free(g->pipe);
    forget(g);
    return TWS_OK;
}

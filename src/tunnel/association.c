/* association.c - see association_priv.h. */
#include "address_priv.h"
#include "association_priv.h"
#include "flow_table_priv.h"
#include "inlet_priv.h"

#include "tws/net/udp.h"
#include "tws/proto/frame.h"
#include "tws/proto/socks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_READS 4

struct association {
    struct tws_node association_node;
    struct tws_inlet *inlet;
    struct tws_io tcp;
    struct tws_udp_watch udp;
    struct tws_flows *flows;
    struct tws_ip client;     /* the address that is listened to */
    struct tws_sockaddr peer; /* what it sends from; len 0: it has not yet */
};

/* ---- ends ---- */

static void end(struct association *a)
{
    struct tws_ingress *in = a->inlet->ingress;
    int tcp = a->tcp.fd;

    tws_list_unlink(&a->association_node);
    in->nassociations--;
    tws_flows_free(a->flows);
    tws_io_stop(&a->tcp);
    tws_socket_close(tcp);
    tws_udp_watch_stop(&a->udp);
    tws_loop_free_later(in->loop, a);
}

/* The connection has nothing more to say; its end is what is waited for. */
static void on_tcp(struct tws_io *io, unsigned events)
{
    struct association *a = TWS_CONTAINER(io, struct association, tcp);
    uint8_t buf[4096];
    ssize_t n = 1;

    (void)events;
    for (int i = 0; i < TURN_READS && n > 0; i++)
        n = read(io->fd, buf, sizeof buf);
    if (n > 0 || (n < 0 && errno == EINTR))
        tws_io_again(io, TWS_IO_READ); /* it talks without end: the others have their turn */
    else if (n == 0 || errno != EAGAIN)
        end(a);
}

/* ---- datagrams ---- */

static bool is_client(struct association *a, const struct tws_sockaddr *peer)
{
    struct tws_ip ip;
    uint16_t port;

    if (a->peer.len > 0)
        return tws_sockaddr_equal(&a->peer, peer);
    tws_sockaddr_get(peer, &ip, &port);
    ip = tws_ip_unmap(ip);
    if (!tws_ip_equal(&ip, &a->client))
        return false;
    a->peer = *peer;
    return true;
}

/* The header is the flow's key: what comes back carries it too. */
static void take(struct tws_udp_watch *w, const struct tws_udp_datagram *d)
{
    struct association *a = TWS_CONTAINER(w, struct association, udp);
    struct tws_open open = {.kind = TWS_KIND_UDP};
    uint8_t key[TWS_SOCKS5_DATAGRAM_HEADER_MAX];
    size_t n = 0;

    if (!is_client(a, &d->peer) || tws_socks5_read_datagram(d->data, &open.target, &n) != TWS_OK)
        return;
    memcpy(key, d->data.p, n);
    key[0] = key[1] = 0; /* reserved: clients may write what they like, we may not */
    open.source = tws_address_target(&d->peer);
    tws_flows_send(a->flows, (struct tws_span){key, n}, &open,
                   (struct tws_span){d->data.p + n, d->data.n - n});
}

static void deliver(void *owner, struct tws_span key, struct tws_span in)
{
    struct association *a = owner;
    const struct tws_udp_datagram d = {.head = key, .data = in, .peer = a->peer};

    tws_udp_send(&a->udp.sender, &d);
}

/* ---- the request ---- */

static void answer(const struct tws_arrival *a, enum tws_socks_reply reply, struct tws_span bound,
                   struct tws_partings *partings)
{
    uint8_t words[TWS_SOCKS5_REPLY_MAX];
    struct tws_writer w = tws_writer(words, sizeof words);

    tws_socks5_write_reply(&w, reply, bound);
    if (partings != NULL)
        tws_part(partings, a->fd, (struct tws_span){words, w.len});
    else
        (void)!send(a->fd, words, w.len, MSG_NOSIGNAL); /* who does not hear it sends nothing */
}

/* Our end of it, as the client sees it. */
static bool own_address(int fd, struct tws_target *out)
{
    struct tws_sockaddr sa = tws_socket_address(fd);

    if (sa.len == 0)
        return false;
    *out = tws_address_target(&sa);
    return out->ip.family != 0;
}

/* A UDP socket on the address that the client connected to; *at becomes its own. */
static int open_socket(const struct tws_arrival *a, struct tws_target *at)
{
    int fds[TWS_UDP_SOCKETS];
    struct tws_hostport hp = {.port = 0};
    unsigned n = 0;

    if (!own_address(a->fd, at))
        return -1;
    tws_ip_format(&at->ip, hp.host, sizeof hp.host);
    if (tws_udp_bind(&hp, fds, &n) != TWS_OK)
        return -1;
    if (!tws_fd_is_reserved(fds[0]) && own_address(fds[0], at))
        return fds[0];
    tws_socket_close(fds[0]);
    return -1;
}

/* Watches both sockets, of which it takes the second, also on failure; false: neither. */
static bool watch(struct association *a, int tcp, int udp)
{
    struct tws_loop *loop = a->inlet->ingress->loop;

    if (tws_udp_watch_start(loop, &a->udp, udp, take) != TWS_OK)
        return false;
    if (tws_io_start(loop, &a->tcp, tcp, on_tcp) == TWS_OK)
        return true;
    tws_udp_watch_stop(&a->udp);
    return false;
}

/* Takes `udp`, also on failure. */
static struct association *new_association(struct tws_inlet *l, const struct tws_arrival *arrival,
                                           int udp)
{
    struct association *a = calloc(1, sizeof *a);
    uint16_t port;

    if (a == NULL) {
        tws_socket_close(udp);
        return NULL;
    }
    a->inlet = l;
    tws_list_init(&a->association_node);
    tws_sockaddr_get(&arrival->source, &a->client, &port);
    if (tws_flows_of_ingress(l->ingress, TWS_ASSOCIATION_FLOWS, deliver, a, &a->flows) != TWS_OK)
        tws_socket_close(udp);
    else if (watch(a, arrival->fd, udp))
        return a;
    tws_flows_free(a->flows);
    free(a);
    return NULL;
}

void tws_associate(struct tws_inlet *l, const struct tws_arrival *arrival)
{
    struct tws_ingress *in = l->ingress;
    struct tws_target at = {0};
    uint8_t bound[TWS_TARGET_MAX];
    struct tws_writer w = tws_writer(bound, sizeof bound);
    bool fits = !in->no_udp && in->nassociations < TWS_ASSOCIATIONS_MAX;
    int udp = fits ? open_socket(arrival, &at) : -1;
    struct association *a = udp >= 0 ? new_association(l, arrival, udp) : NULL;

    if (a == NULL) {
        answer(arrival, in->no_udp ? TWS_SOCKS_NO_COMMAND : TWS_SOCKS_FAILURE,
               (struct tws_span){NULL, 0}, &in->partings);
        return;
    }
    tws_list_push_back(&in->associations, &a->association_node);
    in->nassociations++;
    tws_target_write(&w, &at);
    answer(arrival, TWS_SOCKS_GRANTED, (struct tws_span){bound, w.len}, NULL);
}

/* ---- all ---- */

void tws_associations_ready(struct tws_ingress *in)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &in->associations)
    tws_flows_ready(TWS_CONTAINER(it, struct association, association_node)->flows);
}

void tws_associations_drop(struct tws_ingress *in, const struct tws_inlet *l)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &in->associations)
    {
        struct association *a = TWS_CONTAINER(it, struct association, association_node);
        if (l == NULL || a->inlet == l)
            end(a);
    }
}

/*
 * answerers.c - see answerers_priv.h.
 *
 * Found by a hash of the address, given up in the order of their last use.
 */
#include "answerers_priv.h"

#include "tws/net/socket.h"
#include "tws/net/udp.h"
#include "tws/tunnel/footprint.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u

struct answerer {
    struct tws_node bucket_node, use_node;
    struct tws_udp_sender sender;
    struct tws_ip ip;
    uint16_t port;
};

struct tws_answerers {
    struct tws_node buckets[BUCKETS];
    struct tws_node used; /* least recently first */
    unsigned n;
};

static struct tws_node *bucket_of(struct tws_answerers *all, const struct tws_ip *ip, uint16_t port)
{
    uint32_t h = port;

    for (size_t i = 0; i < (ip->family == 4 ? 4u : 16u); i++)
        h = h * 31u + ip->bytes[i];
    return &all->buckets[(h ^ h >> 8 ^ h >> 16) % BUCKETS];
}

static void end(struct tws_answerers *all, struct answerer *a)
{
    int fd = a->sender.fd;

    tws_list_unlink(&a->bucket_node);
    tws_list_unlink(&a->use_node);
    all->n--;
    tws_udp_forget(&a->sender);
    tws_socket_close(fd);
    free(a);
}

/* ---- a new one ---- */

static tws_err bind_elsewhere(int fd, const struct tws_sockaddr *sa)
{
    uint32_t mark = TWS_MARK_OWN;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
        return TWS_SYS;
    tws_err err = tws_socket_set_transparent(fd, sa->ss.ss_family);
    if (err != TWS_OK)
        return err;
    return bind(fd, (const struct sockaddr *)&sa->ss, sa->len) == 0 ? TWS_OK : TWS_SYS;
}

static int open_at(const struct tws_ip *ip, uint16_t port)
{
    struct tws_sockaddr sa;

    tws_sockaddr_set(&sa, ip, port);
    int fd = socket(sa.ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind_elsewhere(fd, &sa) != TWS_OK) {
        tws_socket_close(fd);
        return -1;
    }
    return fd;
}

static struct answerer *make(struct tws_answerers *all, const struct tws_ip *ip, uint16_t port)
{
    struct answerer *a = calloc(1, sizeof *a);

    if (a == NULL)
        return NULL;
    a->sender.fd = open_at(ip, port);
    if (a->sender.fd < 0) {
        free(a);
        return NULL;
    }
    a->ip = *ip;
    a->port = port;
    tws_list_init(&a->bucket_node);
    tws_list_init(&a->use_node);
    tws_list_push_back(bucket_of(all, ip, port), &a->bucket_node);
    tws_list_push_back(&all->used, &a->use_node);
    all->n++;
    return a;
}

/* ---- use ---- */

static struct answerer *find(struct tws_answerers *all, const struct tws_ip *ip, uint16_t port)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, bucket_of(all, ip, port))
    {
        struct answerer *a = TWS_CONTAINER(it, struct answerer, bucket_node);
        if (a->port == port && tws_ip_equal(&a->ip, ip))
            return a;
    }
    return NULL;
}

bool tws_answerers_send(struct tws_answerers *all, const struct tws_ip *ip, uint16_t port,
                        const struct tws_udp_datagram *d)
{
    struct answerer *a = find(all, ip, port);

    if (a == NULL) {
        if (all->n == TWS_ANSWERERS_MAX)
            end(all, TWS_LIST_FIRST(&all->used, struct answerer, use_node));
        a = make(all, ip, port);
        if (a == NULL)
            return false;
    } else {
        tws_list_unlink(&a->use_node);
        tws_list_push_back(&all->used, &a->use_node);
    }
    tws_udp_send(&a->sender, d);
    return true;
}

/* ---- life ---- */

struct tws_answerers *tws_answerers_new(void)
{
    struct tws_answerers *all = calloc(1, sizeof *all);

    if (all == NULL)
        return NULL;
    for (unsigned i = 0; i < BUCKETS; i++)
        tws_list_init(&all->buckets[i]);
    tws_list_init(&all->used);
    return all;
}

void tws_answerers_free(struct tws_answerers *all)
{
    struct answerer *a;

    if (all == NULL)
        return;
    while ((a = TWS_LIST_FIRST(&all->used, struct answerer, use_node)) != NULL)
        end(all, a);
    free(all);
}

/* parting.c - see parting_priv.h. */
#include "parting_priv.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_US 2000000u
#define LISTEN_MAX  (1u << 20) /* bytes thrown away before patience ends */

struct parting {
    struct tws_node parting_node;
    struct tws_partings *partings;
    struct tws_io io;
    struct tws_timer timer;
    size_t heard;
};

static void end(struct parting *p)
{
    struct tws_partings *all = p->partings;
    int fd = p->io.fd;

    tws_list_unlink(&p->parting_node);
    all->n--;
    tws_timer_stop(&p->timer);
    tws_io_stop(&p->io);
    tws_socket_close(fd);
    tws_loop_free_later(all->loop, p);
}

static void on_timer(struct tws_timer *t)
{
    end(TWS_CONTAINER(t, struct parting, timer));
}

static void on_io(struct tws_io *io, unsigned events)
{
    struct parting *p = TWS_CONTAINER(io, struct parting, io);
    uint8_t buf[4096];

    (void)events;
    for (;;) {
        ssize_t n = read(io->fd, buf, sizeof buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0)
            p->heard += (size_t)n;
        if (n <= 0 || p->heard > LISTEN_MAX) {
            end(p);
            return;
        }
    }
}

void tws_part(struct tws_partings *all, int fd, struct tws_span words)
{
    struct parting *p = NULL;

    if (words.n > 0 && send(fd, words.p, words.n, MSG_NOSIGNAL) != (ssize_t)words.n)
        goto fail;
    shutdown(fd, SHUT_WR);
    if (all->n >= TWS_PARTINGS_MAX)
        goto fail;
    p = calloc(1, sizeof *p);
    if (p == NULL || tws_io_start(all->loop, &p->io, fd, on_io) != TWS_OK)
        goto fail;
    p->partings = all;
    tws_timer_init(&p->timer, all->loop, on_timer);
    tws_timer_start(&p->timer, PATIENCE_US);
    tws_list_init(&p->parting_node);
    tws_list_push_back(&all->list, &p->parting_node);
    all->n++;
    return;

fail:
    free(p);
    tws_socket_close(fd);
}

void tws_partings_init(struct tws_partings *p, struct tws_loop *loop)
{
    *p = (struct tws_partings){.loop = loop};
    tws_list_init(&p->list);
}

void tws_partings_fini(struct tws_partings *p)
{
    struct parting *one;

    while ((one = TWS_LIST_FIRST(&p->list, struct parting, parting_node)) != NULL)
        end(one);
}

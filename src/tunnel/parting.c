/*
 * parting.c - see parting_priv.h.
 *
 * The socket is watched edge-triggered: what it does not take or give now is tried at its next
 * edge. The timer runs for what is being waited for: room for words, or the peer's end.
 */
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
    uint8_t *words; /* NULL: all was said */
    size_t n, said;
    uint64_t patience_us;
    size_t heard;
};

static void forget_words(struct parting *p)
{
    p->partings->unsaid -= p->n - p->said;
    free(p->words);
    p->words = NULL;
    p->n = p->said = 0;
}

static void end(struct parting *p)
{
    struct tws_partings *all = p->partings;
    int fd = p->io.fd;

    if (p->words != NULL)
        tws_socket_set_abort(fd);
    forget_words(p);
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

/* Our end; from now on the peer's is waited for. */
static void finish_saying(struct parting *p)
{
    forget_words(p);
    shutdown(p->io.fd, SHUT_WR);
    tws_timer_start(&p->timer, PATIENCE_US);
}

/* False: it is over. */
static bool say(struct parting *p)
{
    while (p->said < p->n) {
        ssize_t n = send(p->io.fd, p->words + p->said, p->n - p->said, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0) {
            end(p);
            return false;
        }
        p->said += (size_t)n;
        p->partings->unsaid -= (size_t)n;
        if (p->patience_us > 0)
            tws_timer_start(&p->timer, p->patience_us);
    }
    finish_saying(p);
    return true;
}

static void hear(struct parting *p)
{
    uint8_t buf[4096];

    for (;;) {
        ssize_t n = read(p->io.fd, buf, sizeof buf);
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

static void on_io(struct tws_io *io, unsigned events)
{
    struct parting *p = TWS_CONTAINER(io, struct parting, io);

    (void)events;
    if (p->words != NULL && !say(p))
        return;
    if (p->words == NULL)
        hear(p);
}

/* NULL: `fd` was left as it is. */
static struct parting *begin(struct tws_partings *all, int fd)
{
    struct parting *p = calloc(1, sizeof *p);

    if (p == NULL || tws_io_start(all->loop, &p->io, fd, on_io) != TWS_OK) {
        free(p);
        return NULL;
    }
    p->partings = all;
    tws_timer_init(&p->timer, all->loop, on_timer);
    tws_list_init(&p->parting_node);
    tws_list_push_back(&all->list, &p->parting_node);
    all->n++;
    return p;
}

void tws_part(struct tws_partings *all, int fd, struct tws_span words)
{
    struct parting *p = NULL;

    if (words.n > 0 && send(fd, words.p, words.n, MSG_NOSIGNAL) != (ssize_t)words.n)
        goto fail;
    shutdown(fd, SHUT_WR);
    if (all->n >= TWS_PARTINGS_MAX)
        goto fail;
    p = begin(all, fd);
    if (p == NULL)
        goto fail;
    tws_timer_start(&p->timer, PATIENCE_US);
    return;

fail:
    tws_socket_close(fd);
}

tws_err tws_part_with(struct tws_partings *all, int fd, uint8_t *words, size_t n,
                      uint64_t patience_us)
{
    bool full = all->unsaid + n > TWS_PARTINGS_BYTES_MAX || all->n >= TWS_PARTINGS_WORDY_MAX;
    tws_err err = full ? TWS_FULL : TWS_OK;
    struct parting *p = full ? NULL : begin(all, fd);

    if (p == NULL) {
        free(words);
        tws_socket_set_abort(fd);
        tws_socket_close(fd);
        return err == TWS_OK ? TWS_NOMEM : err;
    }
    p->words = words;
    p->n = n;
    p->patience_us = patience_us;
    all->unsaid += n;
    if (patience_us > 0)
        tws_timer_start(&p->timer, patience_us);
    on_io(&p->io, 0);
    return TWS_OK;
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

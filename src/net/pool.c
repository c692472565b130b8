/*
 * pool.c - threads that block so that the loop need not.
 *
 * Everything in the pool is guarded by its mutex. It is shared by the loop and its threads and
 * freed by the last who leaves: the loop abandons it, a thread leaves when it found nothing to do
 * for a while or finds it abandoned. Threads are detached, and take no signals.
 */
#include "resolver_priv.h"

#include "tws/net/socket.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IDLE_S      10
#define STACK_BYTES ((size_t)1 << 20) /* NSS modules are strangers: room for them */

struct tws_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    tws_lookup_fn *fn;
    struct tws_node queue, done;
    unsigned threads, idle, queued;
    bool abandoned;
    int eventfd;
};

static void free_lookups(struct tws_node *list)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, list)
    {
        tws_list_unlink(it);
        free(TWS_CONTAINER(it, struct tws_lookup, pool_node));
    }
}

static void destroy(struct tws_pool *p)
{
    free_lookups(&p->queue);
    free_lookups(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mutex);
    tws_socket_close(p->eventfd);
    free(p);
}

tws_err tws_pool_new(tws_lookup_fn *fn, struct tws_pool **out)
{
    struct tws_pool *p = calloc(1, sizeof *p);
    pthread_condattr_t monotonic;

    if (p == NULL)
        return TWS_NOMEM;
    p->fn = fn;
    tws_list_init(&p->queue);
    tws_list_init(&p->done);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    p->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (p->eventfd < 0) {
        destroy(p);
        return TWS_SYS;
    }
    *out = p;
    return TWS_OK;
}

void tws_pool_abandon(struct tws_pool *p)
{
    pthread_mutex_lock(&p->mutex);
    p->abandoned = true;
    free_lookups(&p->queue);
    pthread_cond_broadcast(&p->work);
    bool last = p->threads == 0;
    pthread_mutex_unlock(&p->mutex);
    if (last)
        destroy(p);
}

int tws_pool_fd(const struct tws_pool *p)
{
    return p->eventfd;
}

/* ---- a thread ---- */

/* Waits for work, mutex held; false when there was none for IDLE_S. */
static bool wait_for_work(struct tws_pool *p)
{
    struct timespec until;
    int timed_out = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_S;
    p->idle++;
    while (tws_list_empty(&p->queue) && !p->abandoned && timed_out != ETIMEDOUT)
        timed_out = pthread_cond_timedwait(&p->work, &p->mutex, &until);
    p->idle--;
    return !tws_list_empty(&p->queue);
}

/* Takes one from the queue, runs it without the mutex, puts it among the done. */
static void run_one(struct tws_pool *p)
{
    struct tws_lookup *l = TWS_CONTAINER(p->queue.next, struct tws_lookup, pool_node);

    tws_list_unlink(&l->pool_node);
    l->queued = false;
    p->queued--;
    pthread_mutex_unlock(&p->mutex);

    l->error = p->fn(l->host, l->ips, &l->count);
    l->saved_errno = errno;

    pthread_mutex_lock(&p->mutex);
    tws_list_push_back(&p->done, &l->pool_node);
    eventfd_write(p->eventfd, 1);
}

static void *run_thread(void *arg)
{
    struct tws_pool *p = arg;

    pthread_mutex_lock(&p->mutex);
    while (!p->abandoned && (!tws_list_empty(&p->queue) || wait_for_work(p)))
        run_one(p);
    p->threads--;
    bool last = p->abandoned && p->threads == 0;
    pthread_mutex_unlock(&p->mutex);
    if (last)
        destroy(p);
    return NULL;
}

/* Mutex held. Returns 0 or an errno value. */
static int start_thread(struct tws_pool *p)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attr, run_thread, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (error == 0)
        p->threads++;
    return error;
}

/* ---- the loop's side ---- */

tws_err tws_pool_put(struct tws_pool *p, struct tws_lookup *l)
{
    int error = 0;

    pthread_mutex_lock(&p->mutex);
    if (p->queued >= p->idle && p->threads < TWS_RESOLVER_THREADS)
        error = start_thread(p);
    if (p->threads > 0) {
        error = 0; /* fewer threads than wanted will do */
        l->queued = true;
        p->queued++;
        tws_list_push_back(&p->queue, &l->pool_node);
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->mutex);
    errno = error;
    return error == 0 ? TWS_OK : TWS_SYS;
}

bool tws_pool_remove(struct tws_pool *p, struct tws_lookup *l)
{
    pthread_mutex_lock(&p->mutex);
    bool queued = l->queued;
    if (queued) {
        tws_list_unlink(&l->pool_node);
        l->queued = false;
        p->queued--;
    }
    pthread_mutex_unlock(&p->mutex);
    return queued;
}

struct tws_lookup *tws_pool_take_done(struct tws_pool *p)
{
    struct tws_lookup *l = NULL;
    eventfd_t count;

    pthread_mutex_lock(&p->mutex);
    if (tws_list_empty(&p->done)) {
        eventfd_read(p->eventfd, &count);
    } else {
        l = TWS_CONTAINER(p->done.next, struct tws_lookup, pool_node);
        tws_list_unlink(&l->pool_node);
    }
    pthread_mutex_unlock(&p->mutex);
    return l;
}

/*
 * workers.c - threads that block so that the loop need not.
 *
 * Everything of the workers is guarded by their mutex. It is shared by the loop and its threads and
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

struct tws_workers {
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
        free(TWS_CONTAINER(it, struct tws_lookup, work_node));
    }
}

static void destroy(struct tws_workers *w)
{
    free_lookups(&w->queue);
    free_lookups(&w->done);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->mutex);
    tws_socket_close(w->eventfd);
    free(w);
}

tws_err tws_workers_new(tws_lookup_fn *fn, struct tws_workers **out)
{
    struct tws_workers *w = calloc(1, sizeof *w);
    pthread_condattr_t monotonic;

    if (w == NULL)
        return TWS_NOMEM;
    w->fn = fn;
    tws_list_init(&w->queue);
    tws_list_init(&w->done);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->eventfd < 0) {
        destroy(w);
        return TWS_SYS;
    }
    *out = w;
    return TWS_OK;
}

void tws_workers_abandon(struct tws_workers *w)
{
    pthread_mutex_lock(&w->mutex);
    w->abandoned = true;
    free_lookups(&w->queue);
    pthread_cond_broadcast(&w->work);
    bool last = w->threads == 0;
    pthread_mutex_unlock(&w->mutex);
    if (last)
        destroy(w);
}

int tws_workers_fd(const struct tws_workers *w)
{
    return w->eventfd;
}

/* ---- a thread ---- */

/* Waits for work, mutex held; false when there was none for IDLE_S. */
static bool wait_for_work(struct tws_workers *w)
{
    struct timespec until;
    int timed_out = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_S;
    w->idle++;
    while (tws_list_empty(&w->queue) && !w->abandoned && timed_out != ETIMEDOUT)
        timed_out = pthread_cond_timedwait(&w->work, &w->mutex, &until);
    w->idle--;
    return !tws_list_empty(&w->queue);
}

/* Takes one from the queue, runs it without the mutex, puts it among the done. */
static void run_one(struct tws_workers *w)
{
    struct tws_lookup *l = TWS_CONTAINER(w->queue.next, struct tws_lookup, work_node);

    tws_list_unlink(&l->work_node);
    l->queued = false;
    w->queued--;
    pthread_mutex_unlock(&w->mutex);

    l->error = w->fn(l->host, l->ips, &l->count);
    l->saved_errno = errno;

    pthread_mutex_lock(&w->mutex);
    tws_list_push_back(&w->done, &l->work_node);
    eventfd_write(w->eventfd, 1);
}

static void *run_thread(void *arg)
{
    struct tws_workers *w = arg;

    pthread_mutex_lock(&w->mutex);
    while (!w->abandoned && (!tws_list_empty(&w->queue) || wait_for_work(w)))
        run_one(w);
    w->threads--;
    bool last = w->abandoned && w->threads == 0;
    pthread_mutex_unlock(&w->mutex);
    if (last)
        destroy(w);
    return NULL;
}

/* Mutex held. Returns 0 or an errno value. */
static int start_thread(struct tws_workers *w)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attr, run_thread, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (error == 0)
        w->threads++;
    return error;
}

/* ---- the loop's side ---- */

tws_err tws_workers_put(struct tws_workers *w, struct tws_lookup *l)
{
    int error = 0;

    pthread_mutex_lock(&w->mutex);
    if (w->queued >= w->idle && w->threads < TWS_RESOLVER_THREADS)
        error = start_thread(w);
    if (w->threads > 0) {
        error = 0; /* fewer threads than wanted will do */
        l->queued = true;
        w->queued++;
        tws_list_push_back(&w->queue, &l->work_node);
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->mutex);
    errno = error;
    return error == 0 ? TWS_OK : TWS_SYS;
}

bool tws_workers_remove(struct tws_workers *w, struct tws_lookup *l)
{
    pthread_mutex_lock(&w->mutex);
    bool queued = l->queued;
    if (queued) {
        tws_list_unlink(&l->work_node);
        l->queued = false;
        w->queued--;
    }
    pthread_mutex_unlock(&w->mutex);
    return queued;
}

struct tws_lookup *tws_workers_take_done(struct tws_workers *w)
{
    struct tws_lookup *l = NULL;
    eventfd_t count;

    pthread_mutex_lock(&w->mutex);
    if (tws_list_empty(&w->done)) {
        eventfd_read(w->eventfd, &count);
    } else {
        l = TWS_CONTAINER(w->done.next, struct tws_lookup, work_node);
        tws_list_unlink(&l->work_node);
    }
    pthread_mutex_unlock(&w->mutex);
    return l;
}

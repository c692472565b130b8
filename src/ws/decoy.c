/* decoy.c - see decoy_priv.h: the site's form, and the jobs. */
#include "decoy_priv.h"

#include "tws/net/socket.h"
#include "tws/proto/proxy_url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static tws_err parse_site(struct tws_decoy *d, const char *site)
{
    struct tws_proxy_url url;
    const char *why;

    if (site == NULL)
        return TWS_OK;
    if (site[0] == '/') {
        d->kind = TWS_DECOY_FILES;
        d->root = strdup(site);
        return d->root != NULL ? TWS_OK : TWS_NOMEM;
    }
    if (tws_proxy_url_parse(site, &url, &why) != TWS_OK || url.kind != TWS_PROXY_HTTP) {
        errno = EINVAL;
        return TWS_SYS;
    }
    d->kind = TWS_DECOY_PROXY;
    d->origin = url.address;
    return TWS_OK;
}

tws_err tws_decoy_new(struct tws_loop *loop, const char *site, struct tws_decoy **out)
{
    struct tws_decoy *d = calloc(1, sizeof(*d));
    tws_err err;

    if (d == NULL)
        return TWS_NOMEM;
    d->loop = loop;
    tws_list_init(&d->jobs);
    err = parse_site(d, site);
    if (err != TWS_OK) {
        free(d);
        return err;
    }
    *out = d;
    return TWS_OK;
}

void tws_decoy_free(struct tws_decoy *d)
{
    struct tws_node *it, *tmp;

    if (d == NULL)
        return;
    TWS_LIST_EACH(it, tmp, &d->jobs)
    {
        struct tws_decoy_job *job = TWS_CONTAINER(it, struct tws_decoy_job, jobs_node);

        job->end(job);
    }
    free(d->root);
    free(d);
}

static void on_quiet(struct tws_timer *t)
{
    struct tws_decoy_job *job = TWS_CONTAINER(t, struct tws_decoy_job, quiet);

    job->end(job);
}

void tws_decoy_job_begin(struct tws_decoy *d, struct tws_decoy_job *job,
                         void (*end)(struct tws_decoy_job *job))
{
    job->decoy = d;
    job->end = end;
    tws_timer_init(&job->quiet, d->loop, on_quiet);
    tws_timer_start(&job->quiet, TWS_DECOY_QUIET_US);
    tws_list_init(&job->jobs_node);
    tws_list_push_back(&d->jobs, &job->jobs_node);
    d->njobs++;
}

void tws_decoy_job_finish(struct tws_decoy_job *job)
{
    tws_timer_stop(&job->quiet);
    tws_list_unlink(&job->jobs_node);
    job->decoy->njobs--;
}

void tws_decoy_serve(struct tws_decoy *d, int fd, const struct tws_http_head *head)
{
    if (d->njobs >= TWS_DECOY_JOBS)
        tws_socket_close(fd);
    else if (d->kind == TWS_DECOY_PROXY && head != NULL)
        tws_decoy_proxy_serve(d, fd, head);
    else
        tws_decoy_file_serve(d, fd, head);
}

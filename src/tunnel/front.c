/* front.c - see front_priv.h. */
#include "front_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tws_front {
    const struct tws_reply *reply; /* NULL: nothing is owed */
    struct tws_partings *partings;
    bool is_request;
    struct tws_http_body body;
    size_t at, n; /* in `early`: what was taken, what there is */
    uint8_t early[];
};

struct tws_front *tws_front_new(const struct tws_front_config *cfg)
{
    struct tws_front *f = malloc(sizeof *f + cfg->early.n);

    assert(cfg->reply == NULL || cfg->partings != NULL);
    if (f == NULL)
        return NULL;
    *f = (struct tws_front){.reply = cfg->reply, .partings = cfg->partings, .n = cfg->early.n};
    if (cfg->body != NULL) {
        f->is_request = true;
        f->body = *cfg->body;
    }
    if (cfg->early.n > 0)
        memcpy(f->early, cfg->early.p, cfg->early.n);
    return f;
}

void tws_front_free(struct tws_front *f)
{
    free(f);
}

bool tws_front_has_early(const struct tws_front *f)
{
    return f != NULL && f->at < f->n;
}

ssize_t tws_front_read(struct tws_front *f, void *buf, size_t cap)
{
    size_t n = f->n - f->at < cap ? f->n - f->at : cap;

    memcpy(buf, f->early + f->at, n);
    f->at += n;
    return (ssize_t)n;
}

bool tws_front_admit(struct tws_front *f, const void *bytes, size_t *n)
{
    if (f == NULL || !f->is_request)
        return true;
    *n = tws_http_body_take(&f->body, (struct tws_span){bytes, *n});
    return f->body.state != TWS_BODY_WRONG;
}

bool tws_front_owes_answer(const struct tws_front *f)
{
    return f != NULL && f->reply != NULL;
}

int tws_front_opened(struct tws_front *f, int fd, struct tws_span bound)
{
    uint8_t words[TWS_REPLY_MAX];
    size_t n = f->reply->opened(bound, words);

    f->reply = NULL;
    if (n == 0)
        return 0;
    ssize_t sent = send(fd, words, n, MSG_NOSIGNAL);
    if (sent < 0)
        return errno;
    return (size_t)sent == n ? 0 : ENOBUFS;
}

void tws_front_refused(struct tws_front *f, int fd, uint16_t code, struct tws_span text)
{
    uint8_t words[TWS_REPLY_MAX];
    size_t n = f->reply->refused(code, text, words);

    f->reply = NULL;
    tws_part(f->partings, fd, (struct tws_span){words, n});
}

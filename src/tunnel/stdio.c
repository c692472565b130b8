/*
 * stdio.c - see stdio_priv.h.
 *
 * Both descriptors are watched edge-triggered, as a relay's socket is. What the kernel does not
 * watch (files, /dev/null) is always ready. Reading goes on until EAGAIN: a terminal gives a line
 * at a time.
 */
#include "carrier_priv.h"
#include "stdio_priv.h"

#include "tws/net/shared_fd.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MS               1000u
#define HAND_ON_RESET_US 5000000u /* bytes before a reset get that long to be taken */
#define LOOK_AGAIN_US    1000000u

struct tws_stdio {
    struct tws_stdio_config cfg;
    struct tws_local local; /* once there is a channel */
    struct tws_shared_fd in, out;
    struct tws_io in_io, out_io;
    struct tws_timer timer; /* waiting for a link; then for bytes */
    char target[TWS_HOSTPORT_TEXT];
    char why[192]; /* why it ended before its time; "": it did not */
    uint8_t *rest; /* of a stream that came in full before its session ended; NULL: none is left */
    size_t rest_n, rest_done;
    uint64_t opened_us, active_us, abort_at_us;
    bool attached;   /* there is a channel */
    bool over;       /* on_end() was called */
    bool read_over;  /* nothing more is read from `in` */
    bool write_over; /* nothing more is written to `out` */
    bool unread;   /* stdout does not take what comes: no clean end, but no error to tell either */
    bool aborting; /* the peer reset the channel: hand on what came before */
};

static struct tws_stdio *from_local(struct tws_local *l)
{
    return TWS_CONTAINER(l, struct tws_stdio, local);
}

static uint64_t now_of(const struct tws_stdio *s)
{
    return tws_loop_now(s->cfg.loop);
}

/* ---- the end ---- */

__attribute__((format(printf, 2, 3))) static void blame(struct tws_stdio *s, const char *fmt, ...)
{
    va_list args;

    if (s->why[0] != '\0')
        return;
    va_start(args, fmt);
    (void)vsnprintf(s->why, sizeof s->why, fmt, args);
    va_end(args);
}

static void stop(struct tws_stdio *s)
{
    tws_io_stop(&s->in_io);
    tws_io_stop(&s->out_io);
    tws_timer_stop(&s->timer);
    tws_shared_fd_fini(&s->in);
    tws_shared_fd_fini(&s->out);
    s->read_over = s->write_over = true;
}

static void end(struct tws_stdio *s)
{
    if (s->over)
        return;
    s->over = true;
    stop(s);
    if (s->why[0] != '\0')
        tws_log(TWS_LOG_ERROR, "stdio ended", "target=%s reason=\"%s\"", s->target, s->why);
    s->cfg.on_end(s->cfg.arg, s->why[0] == '\0' && !s->unread);
}

/* Ends the channel, for a reason of this side. */
static void reset(struct tws_stdio *s, uint16_t code)
{
    if (s->rest != NULL) { /* it is over already */
        end(s);
        return;
    }
    stop(s);
    tws_channel_reset(s->local.channel, code, NULL, now_of(s));
    tws_carrier_kick(s->local.carrier);
}

/* ---- time ---- */

static uint64_t deadline(const struct tws_stdio *s)
{
    const struct tws_link_limits *lim = s->local.carrier->limits;
    uint64_t ms = lim->idle_timeout_ms;

    if (s->aborting)
        return s->abort_at_us;
    if ((s->read_over || s->write_over) && lim->half_close_timeout_ms != 0 &&
        (ms == 0 || lim->half_close_timeout_ms < ms))
        ms = lim->half_close_timeout_ms;
    return ms == 0 ? UINT64_MAX : s->active_us + ms * MS;
}

static void watch_time(struct tws_stdio *s)
{
    uint64_t at = deadline(s);

    if (at != UINT64_MAX && (!tws_timer_running(&s->timer) || at < s->timer.at_us))
        tws_timer_start_at(&s->timer, at);
}

static void look_at_time(struct tws_stdio *s)
{
    /* Without a link nothing can move; that is the session's time, not the channel's. */
    if (s->local.carrier->nlinks == 0 && !s->aborting)
        s->active_us = now_of(s);
    if (deadline(s) > now_of(s)) {
        watch_time(s);
        return;
    }
    blame(s, "no bytes for too long");
    reset(s, TWS_CODE_IDLE);
}

/* ---- in -> channel ---- */

static void pull(struct tws_local *l, const struct tws_pull *p)
{
    struct tws_stdio *s = from_local(l);
    struct tws_session *session = l->carrier->session;
    ssize_t n = -1;

    if (s->read_over) {
        tws_session_pulled(session, 0, 0);
        return;
    }
    n = tws_shared_fd_read(&s->in, p->buf, p->cap);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        tws_session_pulled(session, 0, errno == EINTR ? TWS_PULLED_MORE : 0);
        return;
    }
    s->active_us = now_of(s);
    if (n > 0) {
        tws_session_pulled(session, (size_t)n, TWS_PULLED_MORE);
        return;
    }
    if (n == 0) {
        s->read_over = true;
        tws_session_pulled(session, 0, TWS_PULLED_FIN);
        watch_time(s);
        return;
    }
    blame(s, "stdin: %s", strerror(errno));
    tws_session_pulled(session, 0, 0);
    reset(s, TWS_CODE_TARGET_RESET);
}

/* ---- channel -> out ---- */

/* Everything up to the peer's end was written. */
static void write_ended(struct tws_stdio *s)
{
    s->write_over = true;
    s->active_us = now_of(s);
    tws_io_stop(&s->out_io);
    tws_shared_fd_end(&s->out);
    if (!s->aborting)
        watch_time(s);
}

/* Nobody reads what we write: nobody is left to talk for. */
static void broken_out(struct tws_stdio *s, int error)
{
    s->unread = true;
    if (error != EPIPE && error != ECONNRESET)
        blame(s, "stdout: %s", strerror(error));
    else if (s->why[0] == '\0')
        tws_log(TWS_LOG_INFO, "stdout closed", "target=%s", s->target);
    reset(s, TWS_CODE_TARGET_RESET);
}

/* False: `out` takes no more for now, or ever. */
static bool write_some(struct tws_stdio *s, struct tws_span bytes)
{
    ssize_t n = tws_shared_fd_write(&s->out, bytes.p, bytes.n);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            broken_out(s, errno);
        return errno == EINTR;
    }
    s->active_us = now_of(s);
    tws_channel_consume(s->local.channel, (size_t)n, s->active_us);
    return true;
}

/* Without time-out: it is over for the peer, and this user's pipe has all the time it wants. */
static void write_rest(struct tws_stdio *s)
{
    while (!s->over && s->rest_done < s->rest_n) {
        ssize_t n = tws_shared_fd_write(&s->out, s->rest + s->rest_done, s->rest_n - s->rest_done);
        if (n >= 0)
            s->rest_done += (size_t)n;
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            broken_out(s, errno);
    }
    end(s);
}

static void deliver(struct tws_stdio *s)
{
    if (s->rest != NULL) {
        write_rest(s);
        return;
    }
    while (!s->write_over) {
        struct tws_span bytes;
        tws_err err = tws_channel_peek(s->local.channel, &bytes);

        if (err == TWS_BLOCKED)
            return;
        if (err != TWS_OK) {
            write_ended(s);
            return;
        }
        if (!write_some(s, bytes))
            return;
    }
}

/* ---- what the carrier tells ---- */

static void on_opened(struct tws_local *l, struct tws_span bound)
{
    struct tws_stdio *s = from_local(l);

    (void)bound;
    tws_log(TWS_LOG_INFO, "stdio connected", "target=%s", s->target);
}

static void on_readable(struct tws_local *l)
{
    deliver(from_local(l));
}

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    struct tws_stdio *s = from_local(l);

    const char *means = tws_code_text(code);
    bool more = text.n > 0 &&
                (strlen(means) != text.n || strncasecmp(means, (const char *)text.p, text.n) != 0);

    blame(s, "%s%s%.*s", means, more ? ": " : "", more ? (int)text.n : 0,
          more ? (const char *)text.p : "");
    s->read_over = true;
    s->aborting = true;
    tws_io_stop(&s->in_io);
    if (s->write_over) {
        tws_channel_reset(l->channel, code, NULL, now_of(s));
        return;
    }
    s->abort_at_us = now_of(s) + HAND_ON_RESET_US;
    watch_time(s);
    deliver(s);
}

static void on_stopped(struct tws_local *l, uint16_t code)
{
    struct tws_stdio *s = from_local(l);

    (void)code;
    s->read_over = true;
    tws_io_stop(&s->in_io);
    watch_time(s);
}

/* Both ends were done when the session ended; only `out` has not taken everything yet. False: it
 * was not like that. */
static bool keep_rest(struct tws_stdio *s)
{
    struct tws_channel *ch = s->local.channel;
    uint64_t left = 0;

    if (!s->read_over || s->write_over || s->aborting || !tws_channel_complete(ch, &left))
        return false;
    s->rest = tws_local_take_rest(&s->local, (size_t)left);
    s->rest_n = s->rest != NULL ? (size_t)left : 0;
    return s->rest != NULL;
}

static void on_over(struct tws_local *l, uint16_t code)
{
    struct tws_stdio *s = from_local(l);

    bool whole = tws_carrier_ended_in_peace(code) && keep_rest(s);
    if (whole && tws_session_acknowledged(l->carrier->session))
        code = TWS_CODE_NONE;
    if (code != TWS_CODE_NONE)
        blame(s, "the session ended: %s", tws_code_text(code));
    tws_local_audit(l, "stdio", s->target, s->opened_us, s->why[0] == '\0' ? "closed" : s->why);
    s->attached = false;
    if (s->rest == NULL) {
        end(s);
        return;
    }
    tws_timer_stop(&s->timer);
    write_rest(s);
}

static const struct tws_local_ops stdio_ops = {
    .on_opened = on_opened,
    .pull = pull,
    .on_readable = on_readable,
    .on_reset = on_reset,
    .on_stopped = on_stopped,
    .on_over = on_over,
};

/* ---- what the loop tells ---- */

static void on_in(struct tws_io *io, unsigned events)
{
    struct tws_stdio *s = TWS_CONTAINER(io, struct tws_stdio, in_io);

    (void)events;
    if (s->read_over)
        return;
    tws_channel_set_ready(s->local.channel, true, now_of(s));
    tws_carrier_kick(s->local.carrier);
}

static void on_out(struct tws_io *io, unsigned events)
{
    struct tws_stdio *s = TWS_CONTAINER(io, struct tws_stdio, out_io);

    /* A pipe tells of its reader's end with ERR, also when there is nothing to write. */
    if ((events & TWS_IO_ERROR) && !s->out.is_socket)
        broken_out(s, EPIPE);
    else
        deliver(s);
    if (s->attached)
        tws_carrier_kick(s->local.carrier);
}

/* ---- opening ---- */

/* What the kernel cannot watch is always ready. */
static tws_err watch(struct tws_stdio *s, struct tws_io *io, int fd, tws_io_fn *fn)
{
    tws_err err = tws_io_start(s->cfg.loop, io, fd, fn);

    return err == TWS_SYS && errno == EPERM ? TWS_OK : err;
}

static tws_err attach(struct tws_stdio *s, struct tws_carrier *carrier, struct tws_channel *ch)
{
    tws_err err = watch(s, &s->in_io, s->in.fd, on_in);

    if (err == TWS_OK)
        err = watch(s, &s->out_io, s->out.fd, on_out);
    if (err != TWS_OK)
        return err;
    tws_timer_stop(&s->timer);
    s->attached = true;
    s->opened_us = s->active_us = now_of(s);
    tws_local_attach(&s->local, &stdio_ops, carrier, ch);
    tws_channel_set_ready(ch, true, s->active_us);
    watch_time(s);
    tws_carrier_kick(carrier);
    return TWS_OK;
}

static void try_to_open(struct tws_stdio *s)
{
    bool is_unix = s->cfg.target.type == TWS_TARGET_UNIX;
    const struct tws_open open = {.kind = is_unix ? TWS_KIND_UNIX : TWS_KIND_TCP,
                                  .target = s->cfg.target};
    struct tws_carrier *carrier = NULL;
    struct tws_channel *ch = NULL;

    tws_err err = s->cfg.events->open(s->cfg.events_arg, &open, &carrier, &ch);
    if (err == TWS_NOMEM)
        tws_timer_start(&s->timer, LOOK_AGAIN_US); /* nobody says when there is memory again */
    if (err != TWS_OK)
        return;
    if (attach(s, carrier, ch) == TWS_OK)
        return;
    blame(s, "%s", strerror(errno));
    tws_channel_reset(ch, TWS_CODE_RESOURCES, NULL, now_of(s));
    tws_carrier_kick(carrier);
    end(s);
}

void tws_stdio_ready(struct tws_stdio *s)
{
    if (tws_stdio_waiting(s))
        try_to_open(s);
}

bool tws_stdio_waiting(const struct tws_stdio *s)
{
    return s != NULL && !s->attached && !s->over && s->rest == NULL;
}

bool tws_stdio_lives(const struct tws_stdio *s)
{
    return s != NULL && !s->over;
}

/* No channel in time: given up, unless only the server's limit of channels is in the way. */
static void look_at_waiting(struct tws_stdio *s)
{
    const char *failure = NULL;

    try_to_open(s);
    if (!tws_stdio_waiting(s))
        return;
    if (s->cfg.events->is_linked(s->cfg.events_arg)) {
        tws_timer_start(&s->timer, LOOK_AGAIN_US);
        return;
    }
    failure = s->cfg.failure(s->cfg.events_arg);
    blame(s, "no link to the server for %u ms%s%s", (unsigned)s->cfg.wait_ms,
          failure[0] != '\0' ? ": " : "", failure);
    end(s);
}

static void on_timer(struct tws_timer *t)
{
    struct tws_stdio *s = TWS_CONTAINER(t, struct tws_stdio, timer);

    if (s->attached)
        look_at_time(s);
    else
        look_at_waiting(s);
}

/* ---- life ---- */

static tws_err take(struct tws_shared_fd *s, int fd, enum tws_shared_fd_use use)
{
    tws_err err = tws_shared_fd_init(s, fd, use);
    int saved = errno;

    if (err == TWS_SYS)
        tws_log(TWS_LOG_ERROR, "stdio not usable", "reason=\"%s: %s\"",
                use == TWS_SHARED_READ ? "stdin" : "stdout", strerror(saved));
    errno = saved;
    return err;
}

tws_err tws_stdio_new(const struct tws_stdio_config *cfg, struct tws_stdio **out)
{
    struct tws_stdio *s = calloc(1, sizeof *s);
    tws_err err = TWS_NOMEM;

    if (s == NULL)
        return TWS_NOMEM;
    s->cfg = *cfg;
    tws_target_format(&cfg->target, s->target, sizeof s->target);
    tws_timer_init(&s->timer, cfg->loop, on_timer);
    err = take(&s->in, cfg->in, TWS_SHARED_READ);
    if (err == TWS_OK)
        err = take(&s->out, cfg->out, TWS_SHARED_WRITE);
    if (err != TWS_OK) {
        tws_stdio_free(s);
        return err;
    }
    tws_timer_start(&s->timer, (uint64_t)cfg->wait_ms * MS);
    *out = s;
    return TWS_OK;
}

void tws_stdio_free(struct tws_stdio *s)
{
    int saved = errno;

    if (s == NULL)
        return;
    stop(s);
    free(s->rest);
    tws_loop_free_later(s->cfg.loop, s);
    errno = saved;
}

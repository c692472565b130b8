/*
 * relay.c - see relay_priv.h.
 *
 * The socket is watched edge-triggered. A read that fills less than it was given room for has
 * emptied the socket, except after a hang-up, whose edge may have come before: then only end of
 * file ends the reading. A write that takes less than it was given has filled the socket; its
 * edge will come.
 *
 * A reset of the local side shows itself in three places: read(), write(), and SO_ERROR after a
 * hang-up. Bytes that the kernel still has from before it are sent first, as the receiver of an
 * RST could still read them: hence `broken`, in which reading goes on to its end and then resets.
 */
#include "parting_priv.h"
#include "relay_priv.h"

#include "tws/base/log.h"
#include "tws/net/socket.h"
#include "tws/proto/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS               1000u
#define HAND_ON_RESET_US 5000000u /* bytes before a reset get that long to be taken */
#define KEEPALIVE_US     60000000u

struct relay {
    struct tws_local local;
    struct tws_io io;
    struct tws_timer timer; /* running only while there is something to time */
    struct tws_waiter up_wait, down_wait;
    struct tws_throttle *up, *down;
    uint32_t *count;
    struct tws_front *front;
    uint64_t opened_us, active_us, abort_at_us;
    uint16_t reason;    /* why it ended before its time; 0: it did not */
    uint8_t read_over;  /* nothing more is read from the socket */
    uint8_t write_over; /* nothing more is written to it */
    uint8_t hung_up;    /* RDHUP, HUP or ERR was seen */
    uint8_t in_pieces;  /* a read may stop short of what is there: at urgent data, or where a unix
                         * socket's peer has passed descriptors */
    uint8_t broken;     /* the local side reset the connection: read what is left, then reset */
    uint8_t aborting;   /* the peer reset it: hand on what came before, then RST */
    uint8_t rst;        /* close with RST */
    uint8_t mortal;     /* keep-alive is still to be set: most are gone before it would matter */
    uint8_t eof;        /* the local side has sent all of its bytes, and they were read */
    uint16_t target_at; /* in `text` */
    char text[];        /* source NUL target NUL */
};

static struct relay *from_local(struct tws_local *l)
{
    return TWS_CONTAINER(l, struct relay, local);
}

static uint64_t now_of(const struct relay *r)
{
    return tws_carrier_now(r->local.carrier);
}

/* ---- time ---- */

static bool half_closed(const struct relay *r)
{
    return r->read_over || r->write_over;
}

/* When it is over if nothing happens; UINT64_MAX: never. */
static uint64_t deadline(const struct relay *r)
{
    const struct tws_link_limits *lim = r->local.carrier->limits;
    uint64_t ms = lim->idle_timeout_ms;

    if (r->aborting)
        return r->abort_at_us;
    if (half_closed(r) && lim->half_close_timeout_ms != 0 &&
        (ms == 0 || lim->half_close_timeout_ms < ms))
        ms = lim->half_close_timeout_ms;
    return ms == 0 ? UINT64_MAX : r->active_us + ms * MS;
}

/* Bytes only note the time; the timer is moved when it fires, not for each of them. */
static void watch_time(struct relay *r)
{
    uint64_t at = deadline(r);

    if (r->mortal && r->opened_us + KEEPALIVE_US < at)
        at = r->opened_us + KEEPALIVE_US;
    if (at == UINT64_MAX)
        return;
    if (!tws_timer_running(&r->timer) || at < r->timer.at_us)
        tws_timer_start_at(&r->timer, at);
}

/* ---- the socket's end ---- */

static void stop_timing(struct relay *r)
{
    tws_timer_stop(&r->timer);
    tws_waiter_leave(&r->up_wait);
    tws_waiter_leave(&r->down_wait);
    r->read_over = r->write_over = 1;
}

/* Its front says so over it, and closes it. */
static void leave_to_front(struct relay *r, uint16_t code, struct tws_span text)
{
    int fd = r->io.fd;

    stop_timing(r);
    tws_io_stop(&r->io);
    r->io.fd = -1;
    tws_front_refused(r->front, fd, code, text);
}

static void close_socket(struct relay *r)
{
    if (r->io.fd < 0)
        return;
    if (tws_front_owes_answer(r->front)) {
        leave_to_front(r, r->reason, (struct tws_span){NULL, 0});
        return;
    }
    stop_timing(r);
    if (r->rst)
        tws_socket_set_abort(r->io.fd);
    tws_io_close(&r->io);
}

/* Ends both ways at once, for a reason of ours or of the local side. */
static void reset(struct relay *r, uint16_t code)
{
    if (r->reason == 0)
        r->reason = code;
    r->rst = 1;
    close_socket(r);
    tws_channel_reset(r->local.channel, code, NULL, now_of(r));
    tws_carrier_kick(r->local.carrier);
}

static uint16_t code_of(int err)
{
    if (err == ETIMEDOUT)
        return TWS_CODE_TIMEOUT;
    if (err == EHOSTUNREACH || err == ENETUNREACH)
        return TWS_CODE_UNREACHABLE;
    return TWS_CODE_TARGET_RESET;
}

/* The local side takes nothing more: it reset the connection, or the network did. */
static void break_off(struct relay *r, int err)
{
    if (r->broken || r->io.fd < 0)
        return;
    r->reason = code_of(err);
    if (r->read_over || r->aborting) {
        reset(r, r->reason);
        return;
    }
    r->broken = 1;
    r->write_over = 1;
    tws_channel_stop(r->local.channel, r->reason, now_of(r));
    tws_channel_set_ready(r->local.channel, true, now_of(r));
    tws_carrier_kick(r->local.carrier);
}

/* ---- local -> peer ---- */

static void read_ended(struct relay *r, ssize_t n)
{
    uint16_t code = n < 0 ? code_of(errno) : r->reason;

    if (n == 0 && !r->broken) {
        r->read_over = r->eof = 1;
        r->active_us = now_of(r);
        tws_session_pulled(r->local.carrier->session, 0, TWS_PULLED_FIN);
        watch_time(r);
        return;
    }
    tws_session_pulled(r->local.carrier->session, 0, 0);
    reset(r, code);
}

static size_t up_allowance(struct relay *r, size_t want)
{
    return r->up == NULL ? want : tws_throttle_allows(r->up, want, &r->up_wait);
}

static void pull(struct tws_local *local, const struct tws_pull *p)
{
    struct relay *r = from_local(local);
    struct tws_session *s = local->carrier->session;
    size_t room = r->read_over ? 0 : up_allowance(r, p->cap);

    if (room == 0) {
        tws_session_pulled(s, 0, 0);
        return;
    }
    bool early = tws_front_has_early(r->front);
    ssize_t n = early ? tws_front_read(r->front, p->buf, room) : read(r->io.fd, p->buf, room);
    if (n > 0) {
        /* The edge of what came behind early bytes may have passed while they waited for credit. */
        bool more = early || (size_t)n == room || r->hung_up || r->in_pieces;
        size_t kept = (size_t)n;
        if (r->up != NULL)
            tws_throttle_take(r->up, (size_t)n);
        r->active_us = now_of(r);
        bool fine = early || tws_front_admit(r->front, p->buf, &kept);
        tws_session_pulled(s, fine ? kept : 0, more ? TWS_PULLED_MORE : 0);
        if (!fine)
            reset(r, TWS_CODE_PROTOCOL);
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        tws_session_pulled(s, 0, errno == EINTR ? TWS_PULLED_MORE : 0);
    } else {
        read_ended(r, n);
    }
}

static void resume_up(struct tws_waiter *w)
{
    struct relay *r = TWS_CONTAINER(w, struct relay, up_wait);

    tws_channel_set_ready(r->local.channel, true, now_of(r));
    tws_carrier_kick(r->local.carrier);
}

/* ---- peer -> local ---- */

/* Everything up to the peer's end was written. */
static void write_ended(struct relay *r)
{
    r->rst = r->rst || r->aborting;
    if (r->aborting || r->eof) {
        close_socket(r);
        return;
    }
    r->write_over = 1;
    r->active_us = now_of(r);
    shutdown(r->io.fd, SHUT_WR);
    watch_time(r);
}

/* Writes some of `in`; false: the socket takes no more for now, or ever. */
static bool write_some(struct relay *r, struct tws_span in)
{
    size_t room = r->down == NULL ? in.n : tws_throttle_allows(r->down, in.n, &r->down_wait);

    if (room == 0)
        return false;
    ssize_t n = send(r->io.fd, in.p, room, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno == EINTR)
            return true;
        if (errno != EAGAIN)
            break_off(r, errno);
        return false;
    }
    if (r->down != NULL)
        tws_throttle_take(r->down, (size_t)n);
    r->active_us = now_of(r);
    tws_channel_consume(r->local.channel, (size_t)n, r->active_us);
    return (size_t)n == room;
}

static void deliver(struct relay *r)
{
    while (!r->write_over && !tws_front_owes_answer(r->front)) {
        struct tws_span in;
        tws_err err = tws_channel_peek(r->local.channel, &in);

        if (err == TWS_BLOCKED)
            return;
        if (err != TWS_OK) {
            write_ended(r);
            return;
        }
        if (!write_some(r, in))
            return;
    }
}

static void resume_down(struct tws_waiter *w)
{
    struct relay *r = TWS_CONTAINER(w, struct relay, down_wait);

    deliver(r);
    tws_carrier_kick(r->local.carrier);
}

/* ---- what the carrier tells ---- */

static void on_opened(struct tws_local *l, struct tws_span bound)
{
    struct relay *r = from_local(l);

    if (r->io.fd < 0 || !tws_front_owes_answer(r->front))
        return;
    int err = tws_front_opened(r->front, r->io.fd, bound);
    if (err != 0)
        break_off(r, err);
    else
        deliver(r);
}

static void on_readable(struct tws_local *l)
{
    deliver(from_local(l));
}

/* Whether the code says that the server could not or would not connect to the target. */
static bool is_unreached(uint16_t code)
{
    return (code >= TWS_CODE_FORBIDDEN && code <= TWS_CODE_TIMEOUT) || code == TWS_CODE_RESOURCES;
}

/* A local program that gets no answer sees no more than a closed connection: its user looks here.
 */
static enum tws_log_level reset_level(const struct relay *r, uint16_t code)
{
    struct tws_carrier *c = r->local.carrier;

    if (c->client && is_unreached(code) && !tws_front_owes_answer(r->front) &&
        tws_channel_stats(r->local.channel).received == 0 &&
        tws_log_allow(&c->unreached_limit, now_of(r)))
        return TWS_LOG_WARN;
    return TWS_LOG_DEBUG;
}

static void on_reset(struct tws_local *l, uint16_t code, struct tws_span text)
{
    struct relay *r = from_local(l);
    enum tws_log_level level = reset_level(r, code); /* tws_log() evaluates it twice */

    if (r->reason == 0)
        r->reason = code;
    tws_log(level, "channel reset",
            "session=%s ch=%u target=%s code=%u reason=\"%s\" text=\"%.*s\"", l->carrier->tag,
            (unsigned)tws_channel_id(l->channel), r->text + r->target_at, (unsigned)code,
            tws_code_text(code), (int)text.n, text.n > 0 ? (const char *)text.p : "");
    if (r->io.fd >= 0 && tws_front_owes_answer(r->front)) {
        leave_to_front(r, code, text);
        tws_channel_reset(l->channel, code, NULL, now_of(r));
        return;
    }
    r->rst = 1;
    r->read_over = 1;
    r->aborting = 1;
    if (r->write_over) {
        close_socket(r);
        /* What was not delivered never will be; the engine need not keep it. */
        tws_channel_reset(l->channel, code, NULL, now_of(r));
        return;
    }
    r->abort_at_us = now_of(r) + HAND_ON_RESET_US;
    watch_time(r);
    deliver(r);
}

/* The engine has sent FIN for us. What the local side still writes is left unread: the kernel
 * answers with RST when the socket is closed, as a closed peer would. */
static void on_stopped(struct tws_local *l, uint16_t code)
{
    struct relay *r = from_local(l);

    (void)code;
    r->read_over = 1;
    tws_waiter_leave(&r->up_wait);
    watch_time(r);
}

/* Both ends were done when the session ended; only the socket has not taken everything yet.
 * False: it was not like that. */
static bool hand_over_rest(struct relay *r)
{
    const struct tws_carrier *c = r->local.carrier;
    uint64_t left = 0;
    uint8_t *rest;

    if (r->io.fd < 0 || !r->read_over || r->write_over || r->aborting || r->broken ||
        tws_front_owes_answer(r->front) || !tws_channel_complete(r->local.channel, &left))
        return false;
    rest = tws_local_take_rest(&r->local, (size_t)left);
    if (rest == NULL)
        return false;
    int fd = r->io.fd;
    stop_timing(r);
    tws_io_stop(&r->io);
    r->io.fd = -1;
    tws_err err = tws_part_with(c->partings, fd, rest, (size_t)left,
                                (uint64_t)c->limits->half_close_timeout_ms * MS);
    if (err != TWS_OK)
        r->reason = TWS_CODE_RESOURCES;
    return true;
}

static void on_over(struct tws_local *l, uint16_t code)
{
    struct relay *r = from_local(l);

    if (tws_carrier_ended_in_peace(code) && hand_over_rest(r))
        code = TWS_CODE_NONE;
    if (code != TWS_CODE_NONE) {
        r->rst = 1;
        if (r->reason == 0)
            r->reason = code;
    }
    close_socket(r);
    if (r->count != NULL)
        --*r->count;
    tws_local_audit(l, r->text, r->text + r->target_at, r->opened_us,
                    r->reason == 0 ? "closed" : tws_code_text(r->reason));
    tws_front_free(r->front);
    r->front = NULL;
    tws_loop_free_later(l->carrier->loop, r);
}

static const struct tws_local_ops relay_ops = {
    .on_opened = on_opened,
    .pull = pull,
    .on_readable = on_readable,
    .on_reset = on_reset,
    .on_stopped = on_stopped,
    .on_over = on_over,
};

/* ---- what the loop tells ---- */

static void on_hang_up(struct relay *r, bool error)
{
    int err = error ? tws_socket_error(r->io.fd) : 0;

    r->hung_up = 1;
    if (err != 0)
        break_off(r, err);
}

static void on_io(struct tws_io *io, unsigned events)
{
    struct relay *r = TWS_CONTAINER(io, struct relay, io);

    if (events & TWS_IO_HUP)
        on_hang_up(r, (events & TWS_IO_ERROR) != 0);
    if (events & TWS_IO_URGENT)
        r->in_pieces = 1;
    if ((events & (TWS_IO_READ | TWS_IO_HUP)) && !r->read_over)
        tws_channel_set_ready(r->local.channel, true, now_of(r));
    if (events & TWS_IO_WRITE)
        deliver(r);
    tws_carrier_kick(r->local.carrier);
}

static void on_timer(struct tws_timer *t)
{
    struct relay *r = TWS_CONTAINER(t, struct relay, timer);

    /* Without a link nothing can move; that is the session's time, not the channel's. */
    if (r->local.carrier->nlinks == 0 && !r->aborting)
        r->active_us = now_of(r);
    if (r->mortal && now_of(r) >= r->opened_us + KEEPALIVE_US) {
        r->mortal = 0;
        tws_socket_set_keepalive(r->io.fd);
    }
    if (deadline(r) > now_of(r))
        watch_time(r);
    else
        reset(r, r->aborting ? r->reason : TWS_CODE_IDLE);
}

/* ---- life ---- */

static struct relay *allocate(const struct tws_relay_config *cfg)
{
    size_t source = strlen(cfg->source) + 1, target = strlen(cfg->target) + 1;
    struct relay *r = calloc(1, sizeof *r + source + target);

    if (r == NULL)
        return NULL;
    memcpy(r->text, cfg->source, source);
    memcpy(r->text + source, cfg->target, target);
    r->target_at = (uint16_t)source;
    return r;
}

static tws_err watch(struct relay *r, const struct tws_relay_config *cfg)
{
    if (cfg->io == NULL)
        return tws_io_start(cfg->carrier->loop, &r->io, cfg->fd, on_io);
    tws_io_pass(cfg->io, &r->io, on_io);
    return TWS_OK;
}

tws_err tws_relay_new(const struct tws_relay_config *cfg)
{
    struct tws_loop *loop = cfg->carrier->loop;
    struct relay *r = allocate(cfg);
    tws_err err = TWS_NOMEM;

    if (r == NULL)
        goto fail;
    err = watch(r, cfg);
    if (err != TWS_OK)
        goto fail;
    tws_timer_init(&r->timer, loop, on_timer);
    tws_waiter_init(&r->up_wait, resume_up);
    tws_waiter_init(&r->down_wait, resume_down);
    r->up = cfg->up;
    r->down = cfg->down;
    r->count = cfg->count;
    r->front = cfg->front;
    r->mortal = cfg->dialled;
    r->in_pieces = cfg->is_unix;
    r->opened_us = r->active_us = tws_carrier_now(cfg->carrier);
    tws_local_attach(&r->local, &relay_ops, cfg->carrier, cfg->channel);
    watch_time(r);
    /* Who was accepted has mostly spoken by now; its bytes then travel right behind OPEN. */
    if ((!cfg->dialled && cfg->io == NULL) || tws_front_has_early(r->front))
        tws_channel_set_ready(cfg->channel, true, now_of(r));
    deliver(r); /* early data may be waiting */
    /* Nothing to carry the last ACK of the handshake: the target would wait for it. */
    if (cfg->dialled && tws_channel_stats(cfg->channel).received == 0)
        tws_socket_set_quickack(cfg->fd, true);
    tws_carrier_kick(cfg->carrier);
    return TWS_OK;

fail:
    if (cfg->io != NULL)
        tws_io_stop(cfg->io);
    tws_socket_close(cfg->fd);
    tws_front_free(cfg->front);
    free(r);
    return err;
}

/*
 * wire.c - see wire.h.
 *
 * Writing: at most one message (`rest`) and one control frame (`control`) are not yet with the
 * kernel. A control frame is made only between messages, so whenever both wait, the control frame
 * goes first and the message has not begun. Of pings only the last is remembered.
 *
 * Reading: bursts until the socket is empty or the turn's share is used up. The callee may close
 * the wire inside a callback: the wire is then only marked, and the burst that finds the mark
 * frees it. Everything the kernel has is read before the end of a connection is told.
 *
 * The end is told once, from the io's own callback (`broken` makes one come) or a task.
 */
#include "buffers_priv.h"
#include "stream_priv.h"
#include "wire_priv.h"

#include "tws/net/socket.h"
#include "tws/ws/codec.h"
#include "tws/ws/mask_keys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_BYTES    (128 * 1024) /* read from one wire before the others have their turn */
#define LEAST_BYTES   4096         /* what a read costs of that, however little it brings */
#define WHY_MAX       96
#define DISCARD_READS 32
#define CONTROL_MAX   (TWS_WS_CONTROL_MAX + 6)
#define STAGE_ROOM    8 /* in front of a staged message, for its header */

/* Bytes that the kernel has not taken yet. */
struct rest {
    const uint8_t *p;
    size_t n;
};

struct tws_wire {
    struct tws_io io;
    struct tws_task broken_task; /* tells the end of a wire whose io never ran */
    struct tws_loop *loop;
    struct tws_stream stream;
    bool client;
    bool reading;  /* on_message is wanted */
    bool in_burst; /* a callback is on the stack: closing only marks */
    bool closed;   /* by the callee: no callback any more */
    bool over;     /* on_over came */
    bool broken;   /* nothing can be written any more */
    bool hup;      /* the kernel said so: read until the end */
    bool close_sent;
    bool pong_due;
    uint8_t npong;
    struct tws_ws_input in;
    struct rest rest;    /* of a message */
    uint8_t *rest_stage; /* the staging buffer `rest` lies in, or NULL */
    struct rest control; /* in control_bytes */
    char why[WHY_MAX];   /* of `broken` */
    const struct tws_wire_events *ev;
    void *arg;
    tws_wire_release_fn *release;
    void *release_arg;
    uint8_t control_bytes[CONTROL_MAX];
    uint8_t pong[TWS_WS_CONTROL_MAX];
};

static void on_never_started(struct tws_task *t);

/* ---- life ---- */

tws_err tws_wire_make(struct tws_loop *loop, const struct tws_wire_parts *parts,
                      struct tws_wire **out)
{
    struct tws_wire *w = NULL;

    if (tws_buffers_ref() != TWS_OK)
        goto fail;
    w = calloc(1, sizeof(*w));
    if (w == NULL) {
        tws_buffers_unref();
        goto fail;
    }
    w->loop = loop;
    w->stream = (struct tws_stream){parts->fd, parts->ssl};
    w->client = parts->client;
    w->reading = true;
    w->release = parts->release;
    w->release_arg = parts->release_arg;
    tws_ws_input_init(&w->in, !parts->client);
    tws_task_init(&w->broken_task, on_never_started);
    if (parts->ssl != NULL)
        tws_stream_adopt_ssl(parts->ssl);
    *out = w;
    return TWS_OK;
fail:
    tws_socket_close(parts->fd);
    return TWS_NOMEM;
}

tws_err tws_wire_new(struct tws_loop *loop, int fd, bool client, struct tws_wire **out)
{
    struct tws_wire_parts parts = {.fd = fd, .client = client};

    return tws_wire_make(loop, &parts, out);
}

/* Nothing on the stack uses the wire any more, except its callers' locals. */
static void dispose(struct tws_wire *w)
{
    tws_ws_input_fini(&w->in);
    tws_buffers_give_stage(w->rest_stage);
    tws_buffers_unref();
    tws_loop_free_later(w->loop, w);
}

static void let_go(struct tws_wire *w)
{
    tws_wire_release_fn *release = w->release;

    w->release = NULL;
    w->stream.ssl = NULL;
    if (release != NULL)
        release(w->release_arg);
}

/* ---- the end ---- */

static void tell_over(struct tws_wire *w, uint16_t code, const char *why)
{
    char text[WHY_MAX];

    if (w->over || w->closed)
        return;
    w->over = true;
    (void)snprintf(text, sizeof(text), "%s", why);
    w->ev->on_over(w->arg, code, text);
}

/* Writing failed. Reading may still bring what the peer sent before, and ends with on_over. */
static void mark_broken(struct tws_wire *w, const char *why)
{
    if (w->broken)
        return;
    w->broken = true;
    (void)snprintf(w->why, sizeof(w->why), "%s", why);
    w->rest.n = w->control.n = 0;
    w->pong_due = false;
    if (tws_io_running(&w->io))
        tws_io_again(&w->io, TWS_IO_READ);
}

void tws_wire_lose_owner(struct tws_wire *w, const char *why)
{
    w->stream.ssl = NULL;
    w->release = NULL;
    /* Without its SSL there is nothing to read either. */
    w->reading = false;
    mark_broken(w, why);
}

/* ---- writing ---- */

/* False: the kernel has not taken all of it, or the connection is broken. */
static bool push(struct tws_wire *w, struct rest *r)
{
    const char *why = NULL;
    long n;

    if (r->n == 0)
        return true;
    n = tws_stream_write(&w->stream, r->p, r->n, &why);
    if (n < 0) {
        mark_broken(w, why);
        return false;
    }
    r->p += n;
    r->n -= (size_t)n;
    return r->n == 0;
}

static void free_stage(struct tws_wire *w)
{
    tws_buffers_give_stage(w->rest_stage);
    w->rest_stage = NULL;
}

static void make_control(struct tws_wire *w, enum tws_ws_opcode op, const uint8_t *p, size_t n)
{
    uint8_t key[4];

    if (w->client)
        tws_ws_mask_key(key);
    w->control.p = w->control_bytes;
    w->control.n = tws_ws_put_control(w->control_bytes, op, p, n, w->client ? key : NULL);
}

/* Writes what waits; true: no message waits any more. A pong that fails behind it is no failure of
 * the message: the peer may have read that, and acknowledge it over another link. */
static bool flush(struct tws_wire *w)
{
    if (w->broken || !push(w, &w->control) || !push(w, &w->rest))
        return false;
    free_stage(w);
    if (w->pong_due) {
        w->pong_due = false;
        make_control(w, TWS_WS_OP_PONG, w->pong, w->npong);
        (void)push(w, &w->control);
    }
    return true;
}

/* A frame that is put together: begins it, or keeps it for when what is before it has left. */
static tws_err send_frame(struct tws_wire *w, const uint8_t *p, size_t n)
{
    assert(w->rest.n == 0 && !w->close_sent);
    w->rest = (struct rest){p, n};
    if (flush(w))
        return TWS_OK;
    if (w->broken)
        return TWS_SYS;
    return w->rest.n > 0 ? TWS_BLOCKED : TWS_OK;
}

/* Sends a masked or plain payload of `n` bytes that stands behind STAGE_ROOM in the stage. */
static tws_err send_stage(struct tws_wire *w, uint8_t *stage, size_t n, const uint8_t *key)
{
    size_t header = tws_ws_header_size(n, key != NULL);
    uint8_t *frame = stage + STAGE_ROOM - header;
    tws_err err;

    (void)tws_ws_put_header(frame, TWS_WS_OP_BINARY, n, key);
    err = send_frame(w, frame, header + n);
    if (err == TWS_BLOCKED) {
        tws_buffers_take_stage();
        w->rest_stage = stage;
    }
    return err;
}

static tws_err send_masked(struct tws_wire *w, struct tws_span msg)
{
    uint8_t *stage = tws_buffers_stage();
    uint8_t key[4];

    if (stage == NULL) {
        mark_broken(w, "out of memory");
        return TWS_SYS;
    }
    tws_ws_mask_key(key);
    tws_ws_mask_copy(stage + STAGE_ROOM, msg.p, msg.n, key);
    return send_stage(w, stage, msg.n, key);
}

tws_err tws_wire_send(struct tws_wire *w, struct tws_span msg)
{
    uint8_t *frame;
    size_t header;

    assert(msg.n <= TWS_WS_MESSAGE_MAX && !w->closed);
    if (w->broken || w->over)
        return TWS_SYS;
    if (w->client)
        return send_masked(w, msg);
    header = tws_ws_header_size(msg.n, false);
    frame = (uint8_t *)(uintptr_t)msg.p - header; /* the headroom is ours to write */
    (void)tws_ws_put_header(frame, TWS_WS_OP_BINARY, msg.n, NULL);
    return send_frame(w, frame, header + msg.n);
}

uint8_t *tws_wire_stage(struct tws_wire *w, size_t n)
{
    uint8_t *stage = tws_buffers_stage();

    (void)w;
    assert(n <= TWS_WS_MESSAGE_MAX);
    return stage != NULL ? stage + STAGE_ROOM : NULL;
}

tws_err tws_wire_send_staged(struct tws_wire *w, size_t n)
{
    uint8_t *stage = tws_buffers_stage();
    uint8_t key[4];

    assert(n <= TWS_WS_MESSAGE_MAX && !w->closed);
    if (w->broken || w->over)
        return TWS_SYS;
    if (!w->client)
        return send_stage(w, stage, n, NULL);
    tws_ws_mask_key(key);
    tws_ws_mask(stage + STAGE_ROOM, n, key);
    return send_stage(w, stage, n, key);
}

bool tws_wire_blocked(const struct tws_wire *w)
{
    return w->rest.n > 0;
}

/* A close frame, unless something is half sent or the code is not for the wire. */
static void send_close(struct tws_wire *w, uint16_t code)
{
    uint8_t payload[2];

    if (w->broken || w->close_sent || w->rest.n > 0 || w->control.n > 0)
        return;
    if (code < 1000 || code == TWS_WS_CLOSE_ABNORMAL || code > 4999)
        return;
    w->close_sent = true;
    tws_put16(payload, code);
    make_control(w, TWS_WS_OP_CLOSE, payload, code == TWS_WS_CLOSE_NO_CODE ? 0 : 2);
    (void)push(w, &w->control);
}

/* ---- reading ---- */

static void take_ping(struct tws_wire *w, const struct tws_ws_item *it)
{
    w->pong_due = true;
    w->npong = (uint8_t)it->n;
    memcpy(w->pong, it->payload, it->n);
}

/* The peer's close, or a violation: answer, and it is over. */
static void take_end(struct tws_wire *w, const struct tws_ws_item *it)
{
    send_close(w, it->code);
    tell_over(w, it->code, it->type == TWS_WS_CLOSE ? "closed by the peer" : it->why);
}

/* Hands over everything whole; false: the wire is over or closed. */
static bool deliver(struct tws_wire *w)
{
    struct tws_ws_item it;

    for (tws_ws_input_next(&w->in, &it); it.type != TWS_WS_SHORT; tws_ws_input_next(&w->in, &it)) {
        if (it.type == TWS_WS_MESSAGE)
            w->ev->on_message(w->arg, it.payload, it.n);
        else if (it.type == TWS_WS_PING)
            take_ping(w, &it);
        else if (it.type != TWS_WS_PONG)
            take_end(w, &it);
        if (w->closed || w->over)
            return false;
    }
    if (w->pong_due)
        (void)flush(w);
    w->ev->on_burst_end(w->arg);
    return !w->closed;
}

/* One read(2) and what it brought; false: no more in this turn. */
static bool read_once(struct tws_wire *w, size_t *left)
{
    const char *why = "connection closed without a close frame";
    struct tws_ws_room room;
    long n;

    tws_ws_input_room(&w->in, tws_buffers_read(), TWS_READ_BUFFER, &room);
    n = tws_stream_read(&w->stream, &room, &why);
    if (n == TWS_STREAM_BLOCKED) {
        if (w->broken)
            tell_over(w, TWS_WS_CLOSE_ABNORMAL, w->why);
        return false;
    }
    if (n < 0) {
        tell_over(w, TWS_WS_CLOSE_ABNORMAL, w->broken ? w->why : why);
        return false;
    }
    tws_ws_input_fill(&w->in, (size_t)n);
    if (!deliver(w))
        return false;
    /* A short read has emptied the socket (epoll(7)); TLS may hold records of its own. */
    if ((size_t)n < room.nfirst + room.nsecond && w->stream.ssl == NULL && !w->hup && !w->broken)
        return false;
    size_t cost = n > LEAST_BYTES ? (size_t)n : LEAST_BYTES;
    *left -= cost < *left ? cost : *left;
    if (*left == 0)
        tws_io_again(&w->io, TWS_IO_READ);
    return *left > 0;
}

static void read_turn(struct tws_wire *w)
{
    size_t left = TURN_BYTES;

    while (w->reading && read_once(w, &left))
        ;
    if (w->broken && !w->reading && !w->closed)
        tell_over(w, TWS_WS_CLOSE_ABNORMAL, w->why);
}

static void write_turn(struct tws_wire *w)
{
    bool blocked = w->rest.n > 0;

    if (!blocked && w->control.n == 0)
        return;
    if (flush(w) && blocked)
        w->ev->on_writable(w->arg);
}

static void on_io(struct tws_io *io, unsigned events)
{
    struct tws_wire *w = TWS_CONTAINER(io, struct tws_wire, io);

    if (w->over)
        return;
    if (events & TWS_IO_HUP)
        w->hup = true;
    w->in_burst = true;
    write_turn(w);
    if (!w->closed)
        read_turn(w);
    w->in_burst = false;
    if (w->closed)
        dispose(w);
}

static void on_never_started(struct tws_task *t)
{
    struct tws_wire *w = TWS_CONTAINER(t, struct tws_wire, broken_task);

    tell_over(w, TWS_WS_CLOSE_ABNORMAL, w->why);
}

void tws_wire_start(struct tws_wire *w, const struct tws_wire_events *ev, void *arg)
{
    w->ev = ev;
    w->arg = arg;
    if (!w->broken && tws_io_start(w->loop, &w->io, w->stream.fd, on_io) != TWS_OK)
        mark_broken(w, strerror(errno));
    if (w->broken)
        tws_task_post(w->loop, &w->broken_task);
    else
        tws_io_again(&w->io, TWS_IO_READ); /* OpenSSL may hold bytes the kernel knows nothing of */
}

void tws_wire_set_reading(struct tws_wire *w, bool reading)
{
    w->reading = reading;
    if (reading && tws_io_running(&w->io))
        tws_io_again(&w->io, TWS_IO_READ);
}

/*
 * Unread bytes would make close() answer with RST, which throws away what we sent last: says that
 * nothing more comes, and discards what is there. A unix socket copies what TCP only skips, and
 * another wire may be handing over what is in the buffer of all.
 */
static void finish(struct tws_wire *w)
{
    static uint8_t scrap[65536];

    tws_stream_finish(&w->stream);
    for (int i = 0; i < DISCARD_READS; i++)
        if (recv(w->stream.fd, scrap, sizeof scrap, MSG_TRUNC | MSG_DONTWAIT) <= 0)
            return;
}

void tws_wire_close(struct tws_wire *w, uint16_t close_code)
{
    if (w == NULL)
        return;
    assert(!w->closed);
    send_close(w, close_code);
    w->closed = true;
    tws_io_stop(&w->io);
    tws_task_cancel(&w->broken_task);
    if (!w->broken && w->rest.n == 0)
        finish(w);
    tws_socket_close(w->stream.fd);
    let_go(w);
    if (!w->in_burst)
        dispose(w);
}

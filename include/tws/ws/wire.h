/*
 * wire.h - the data path of one WebSocket connection after libwebsockets opened it: our own
 * RFC 6455 codec on the same descriptor, with or without TLS.
 *
 * Binary messages only; ping is answered, pong ignored, close answered; text closes with 1003, a
 * message above the limit with 1009, anything malformed with 1002. The client masks (into a
 * staging buffer, word-wise, keys from a pool of getrandom bytes); the server sends messages from
 * where they are.
 *
 * The wire owns the descriptor and what libwebsockets keeps for it (wsi, SSL) from take-over to
 * tws_wire_close().
 */
#ifndef TWS_WS_WIRE_H
#define TWS_WS_WIRE_H

#include "tws/base/bytes.h"
#include "tws/net/loop.h"

#include <stdbool.h>

struct tws_wire;

#define TWS_WIRE_HEADROOM 16 /* bytes in front of a message that tws_wire_send() may overwrite */

struct tws_wire_events {
    /* One whole binary message; may be changed in place; valid during the call. The callee may
     * close the wire. */
    void (*on_message)(void *arg, uint8_t *msg, size_t n);
    /* What one read brought was handed over (so credit and ACKs can be flushed once, not per
     * message). */
    void (*on_burst_end)(void *arg);
    /* After TWS_BLOCKED: the next message can be sent. */
    void (*on_writable)(void *arg);
    /* The connection is over: the peer closed (its close code; 1005 if it gave none), broke RFC
     * 6455 (the code it was answered with), or vanished (1006). Everything it sent before was
     * handed over. Comes at most once, not after tws_wire_close(); the callee then calls
     * tws_wire_close(). `why` is valid during the call. */
    void (*on_over)(void *arg, uint16_t close_code, const char *why);
};

/*
 * A wire on a connected stream socket without TLS; tws_upgrade_take_over() makes the others. Owns
 * `fd` (non-blocking) from now on, also on failure. `client` says which side masks. TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_wire_new(struct tws_loop *loop, int fd, bool client,
                                  struct tws_wire **out);
/* From now on callbacks come, none before this returns. */
void tws_wire_start(struct tws_wire *w, const struct tws_wire_events *ev, void *arg);

/*
 * Sends one binary message. `msg` has TWS_WIRE_HEADROOM bytes of its owner's in front, and stays
 * unchanged until the next on_writable or successful send (a server may still be writing from it).
 * TWS_OK: wholly with the kernel. TWS_BLOCKED: taken, but send nothing more before on_writable.
 * TWS_SYS: broken; on_over follows.
 */
TWS_MUST_USE tws_err tws_wire_send(struct tws_wire *w, struct tws_span msg);
/*
 * The same for a message that its owner makes in place (sealing): room for `n` bytes in a staging
 * buffer that all wires share, to be sent before any other call to any wire. Not while blocked.
 * NULL: out of memory.
 */
uint8_t *tws_wire_stage(struct tws_wire *w, size_t n);
TWS_MUST_USE tws_err tws_wire_send_staged(struct tws_wire *w, size_t n);
bool tws_wire_blocked(const struct tws_wire *w);

/* Stops reading (false) or goes on; what was read already is still handed over. For tests; the
 * session always reads. */
void tws_wire_set_reading(struct tws_wire *w, bool reading);

/* Sends a close frame if it fits, then ends the connection and frees the wire. May be called in any
 * callback, which then uses the wire no more. NULL is fine. */
void tws_wire_close(struct tws_wire *w, uint16_t close_code);

#endif

/*
 * buffers_priv.h - the two large buffers that all wires of a thread share: one to read into, one
 * to put a message together in. They exist while a wire exists, stay in the cache, and keep an
 * idle wire small.
 *
 * A wire whose message the kernel did not take whole keeps the sending buffer until it did; the
 * next one who asks gets a new one.
 */
#ifndef TWS_WS_BUFFERS_PRIV_H
#define TWS_WS_BUFFERS_PRIV_H

#include "tws/base/err.h"
#include "tws/ws/codec.h"

#define TWS_READ_BUFFER  (256 * 1024 + TWS_WS_INPUT_ROOM)
#define TWS_STAGE_BUFFER (TWS_WS_MESSAGE_MAX + 1 + 16)

/* One more wire; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_buffers_ref(void);
void tws_buffers_unref(void);
/* TWS_READ_BUFFER bytes, for the length of a read burst. */
uint8_t *tws_buffers_read(void);
/* TWS_STAGE_BUFFER bytes, until the next call; NULL: out of memory. */
uint8_t *tws_buffers_stage(void);
/* The buffer of the last tws_buffers_stage() is the caller's from now on. */
void tws_buffers_take_stage(void);
/* Gives one back that was taken; NULL is fine. */
void tws_buffers_give_stage(uint8_t *p);

#endif

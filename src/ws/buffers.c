/* buffers.c - see buffers_priv.h. */
#include "buffers_priv.h"

#include <assert.h>
#include <stdlib.h>

static _Thread_local unsigned wires;
static _Thread_local uint8_t *reading, *stage;

tws_err tws_buffers_ref(void)
{
    if (reading == NULL)
        reading = malloc(TWS_READ_BUFFER);
    if (reading == NULL)
        return TWS_NOMEM;
    wires++;
    return TWS_OK;
}

void tws_buffers_unref(void)
{
    assert(wires > 0);
    if (--wires > 0)
        return;
    free(reading);
    free(stage);
    reading = stage = NULL;
}

uint8_t *tws_buffers_read(void)
{
    return reading;
}

uint8_t *tws_buffers_stage(void)
{
    if (stage == NULL)
        stage = malloc(TWS_STAGE_BUFFER);
    return stage;
}

void tws_buffers_take_stage(void)
{
    stage = NULL;
}

void tws_buffers_give_stage(uint8_t *p)
{
    if (stage == NULL && wires > 0)
        stage = p;
    else
        free(p);
}

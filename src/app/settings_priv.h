/* settings_priv.h - what settings.c and options.c share. */
#ifndef TWS_SRC_APP_SETTINGS_PRIV_H
#define TWS_SRC_APP_SETTINGS_PRIV_H

#include <stdint.h>

/* A number for a value's text. */
uint32_t tws_settings_mark(const char *text);

#endif

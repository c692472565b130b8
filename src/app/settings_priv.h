/* settings_priv.h - what settings.c, options.c and positional.c share. */
#ifndef TWS_SRC_APP_SETTINGS_PRIV_H
#define TWS_SRC_APP_SETTINGS_PRIV_H

#include "tws/app/settings.h"

/* A number for a value's text. */
uint32_t tws_settings_mark(const char *text);

/* The row `name` is `text` on the command line. TWS_USAGE: said so; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_settings_take_text(struct tws_settings *s, const char *name,
                                            const char *text, struct tws_diag *diag);
/* The words of the command line that are no options, and what the option `stdio` says. As above. */
TWS_MUST_USE tws_err tws_settings_take_words(struct tws_settings *s, char *const *words, size_t n,
                                             struct tws_diag *diag);
TWS_MUST_USE tws_err tws_settings_take_stdio(struct tws_settings *s, struct tws_diag *diag);

#endif

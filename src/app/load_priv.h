/* load_priv.h - settings from a command line and the file it names; exit codes of failures. */
#ifndef TWS_SRC_APP_LOAD_PRIV_H
#define TWS_SRC_APP_LOAD_PRIV_H

#include "tws/app/settings.h"

enum { TWS_EXIT_USAGE = 2, TWS_EXIT_CONFIG = 78 };

/* Defaults, command line, file, environment. As tws_settings_read_argv() and
 * tws_settings_read_file(); the settings are to be freed in any case. */
TWS_MUST_USE tws_err tws_load_settings(struct tws_settings *s, unsigned who, int argc, char **argv,
                                       struct tws_diag *diag);

/* The exit code that tells `err`. */
int tws_load_exit_code(tws_err err);

#endif

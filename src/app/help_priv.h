/* help_priv.h - what `tws --help` says. */
#ifndef TWS_SRC_APP_HELP_PRIV_H
#define TWS_SRC_APP_HELP_PRIV_H

#include <stdio.h>

void tws_help_program(FILE *out);

#endif

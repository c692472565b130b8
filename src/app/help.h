/* help.h - what `tws --help` says. */
#ifndef TWS_SRC_APP_HELP_H
#define TWS_SRC_APP_HELP_H

#include <stdio.h>

void help_program(FILE *out);

#endif

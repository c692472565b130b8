/* help_priv.h - what `tws --help` says, and how a command without options answers --help. */
#ifndef TWS_SRC_APP_HELP_PRIV_H
#define TWS_SRC_APP_HELP_PRIV_H

#include <stdbool.h>
#include <stdio.h>

void tws_help_program(FILE *out);

/* Whether the command line asks what the command is for: that goes to stdout, and is no error. */
bool tws_wants_help(int argc, char **argv);
/* The exit code of a command that printed its usage there. */
int tws_usage_code(FILE *out);

#endif

/* help_priv.h - what `tws --help` says, and how a command without options answers --help. */
#ifndef TWS_SRC_APP_HELP_PRIV_H
#define TWS_SRC_APP_HELP_PRIV_H

#include <stdbool.h>
#include <stdio.h>

void tws_help_program(FILE *out);

/* Whether the command line asks what the command is for: that goes to stdout, and is no error. */
bool tws_wants_help(int argc, char **argv);
/* Says what is wrong with a word of the command line, and where to read on; the exit code. */
int tws_wrong_word(const char *command, const char *word, const char *why);

#endif

/* reference.h - the option table as documents: the manual page's section, the README's table. */
#ifndef TWS_APP_REFERENCE_H
#define TWS_APP_REFERENCE_H

#include <stdio.h>

void tws_reference_man(FILE *out);      /* man(7), for tws.yaml(5) */
void tws_reference_markdown(FILE *out); /* GitHub's tables */

/* --help of TWS_OPT_CLIENT or TWS_OPT_SERVER. */
void tws_reference_help(FILE *out, unsigned who);
/* Its options, one a line, for the shell's completion. */
void tws_reference_words(FILE *out, unsigned who);

#endif

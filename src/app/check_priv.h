/* check_priv.h - what `tws check` looks at beside the file: this machine. */
#ifndef TWS_SRC_APP_CHECK_PRIV_H
#define TWS_SRC_APP_CHECK_PRIV_H

#include "tws/tunnel/config.h"

/*
 * Writes to standard output which answers to spoofed connections would not come back to this
 * process, and the commands that make them. Nothing if all would, or nothing is spoofed.
 */
void tws_check_spoof(const char *path, const struct tws_server_config *c);

#endif

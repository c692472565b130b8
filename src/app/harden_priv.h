/* harden_priv.h - what a process with keys in memory takes away from itself. */
#ifndef TWS_SRC_APP_HARDEN_PRIV_H
#define TWS_SRC_APP_HARDEN_PRIV_H

/* Stdin, stdout and stderr are open; no core dumps, not traceable by others of its user, as many
 * descriptors as allowed. */
void tws_harden(void);

#endif

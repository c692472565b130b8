/* access_priv.h - who may connect to a unix socket, as text. */
#ifndef TWS_SRC_APP_ACCESS_PRIV_H
#define TWS_SRC_APP_ACCESS_PRIV_H

#include "tws/net/unix_socket.h"

/* `mode` as "0660", `owner` as "user", "user:group" or ":group", names or numbers; NULL: 0600, and
 * the process's own. The result is NULL, or what is wrong with which of them (a constant). */
const char *tws_access_parse(const char *mode, const char *owner, struct tws_unix_access *out);

#endif

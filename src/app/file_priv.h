/* file_priv.h - a small file read as a whole: configuration, keys. Its bytes are wiped when freed.
 */
#ifndef TWS_SRC_APP_FILE_PRIV_H
#define TWS_SRC_APP_FILE_PRIV_H

#include "tws/app/diag.h"
#include "tws/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct tws_file {
    char *bytes; /* with a NUL behind them */
    size_t n;
    bool exposed; /* its group or others may read or change it */
};

/* TWS_SYS: errno; TWS_FULL: larger than `max`; TWS_ABSENT: no regular file; TWS_NOMEM.
 * *f can be freed in any case. */
TWS_MUST_USE tws_err tws_file_read(const char *path, size_t max, struct tws_file *f);
void tws_file_free(struct tws_file *f);
/* Why tws_file_read() failed with `err`, for a message. */
const char *tws_file_why(tws_err err);

/* Reads a file with secrets (the path as tws_secret_path() takes it); refuses one that others can
 * read. `where` is put in front of messages. TWS_CONFIG: said why; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_secret_file_read(const char *where, const char *path, struct tws_file *out,
                                          struct tws_diag *diag);

#endif

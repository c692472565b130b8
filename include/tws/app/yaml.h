/*
 * yaml.h - YAML to a record, by its table. Strict: an unknown or doubled key, a wrong type or range
 * is an error with file:line:column, what was found, what was expected and the nearest known key.
 * Every error of the file is reported, not only the first. Aliases are refused; anchors and tags
 * mean nothing.
 */
#ifndef TWS_APP_YAML_H
#define TWS_APP_YAML_H

#include "tws/app/diag.h"
#include "tws/app/option.h"

#define TWS_YAML_MAX (4u << 20) /* bytes of a file */

struct tws_yaml_job {
    const char *path; /* for messages */
    const char *bytes;
    size_t n;
    const struct tws_table *table;
    unsigned who; /* rows of others are unknown keys */
    struct tws_diag *diag;
    /* Called for each key of the outermost map, with its value or NULL for a list; may be NULL. */
    void (*seen)(void *ctx, size_t row, unsigned line, const char *text);
    void *ctx;
};

/* TWS_CONFIG: said why to `diag`; the record is to be freed all the same. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_yaml_read(const struct tws_yaml_job *job, void *record);

#endif

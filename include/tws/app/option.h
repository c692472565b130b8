/*
 * option.h - the option table: one row per key, and everything that is known of it.
 *
 * Defaults, the YAML reader, the command line, --help, the manual page and the README's table all
 * come from these rows; there is no second list of keys. A table describes the fields of one kind
 * of struct (a record): the settings of a process, a forward, a user of a keys file.
 *
 * To add a key: a field in settings.h, a row in option_table.c (of a record: option_rows_*.c); then
 * use the field.
 */
#ifndef TWS_APP_OPTION_H
#define TWS_APP_OPTION_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tws_option_type {
    TWS_TYPE_FLAG,     /* bool */
    TWS_TYPE_COUNT,    /* uint32_t: each -v adds one; true is one */
    TWS_TYPE_NUMBER,   /* uint32_t */
    TWS_TYPE_DURATION, /* uint32_t, milliseconds */
    TWS_TYPE_SIZE,     /* uint64_t, bytes */
    TWS_TYPE_CHOICE,   /* uint32_t: 1 for the first of `choices`; 0 is not given */
    TWS_TYPE_TEXT,     /* char *, owned */
    TWS_TYPE_SECRET,   /* char *, owned, never shown, wiped when freed */
    TWS_TYPE_ADDRESS,  /* struct tws_hostport; the host may be empty; port 0: not given */
    TWS_TYPE_SPOT,     /* struct tws_spot: `min` 1: a target; 0: to listen */
    TWS_TYPE_IP,       /* struct tws_ip */
    TWS_TYPE_PREFIX,   /* struct tws_prefix */
    TWS_TYPE_IFADDR,   /* struct tws_prefix, host bits set */
    TWS_TYPE_RULE,     /* struct tws_rule; "*" is the name of any target */
    TWS_TYPE_RECORDS,  /* struct tws_items of what `records` describes */
};

#define TWS_OPT_SERVER   1u /* a key of the server */
#define TWS_OPT_CLIENT   2u /* a key of the client */
#define TWS_OPT_BOTH     3u
#define TWS_OPT_ARGV     4u   /* on the command line too */
#define TWS_OPT_NO_FILE  8u   /* on the command line only */
#define TWS_OPT_RELOAD   16u  /* a reload changes it at once; else for new sessions only */
#define TWS_OPT_LIST     32u  /* the field is a struct tws_items of the type */
#define TWS_OPT_REQUIRED 64u  /* of a record: must be there */
#define TWS_OPT_ONE      128u /* of a list of records: one of them, written as a map */

/* A list that was read: `n` elements at `p`, owned. */
struct tws_items {
    void *p;
    size_t n;
};

struct tws_table;

struct tws_option {
    const char *name;
    enum tws_option_type type;
    unsigned flags;
    size_t offset;              /* of the field in its record */
    const char *fallback;       /* the default, as a user would write it; NULL: not given */
    uint64_t min, max;          /* of numbers, durations, sizes */
    const char *const *choices; /* ends with NULL */
    const struct tws_table *records;
    char short_name;   /* on the command line; 0: none */
    const char *alias; /* a second name in files; NULL: none */
    const char *arg;   /* what --help calls the value */
    const char *brief; /* for --help: a few words; NULL: only the manual has it */
    const char *help;  /* for the manual: sentences */
};

/* The rows of one kind of record. The record's first member is `unsigned line`, where it began. */
struct tws_table {
    const char *noun; /* "user", for messages */
    const struct tws_option *rows;
    size_t nrows, size;
};

#define TWS_OPTIONS_MAX 96 /* rows of one table */

const struct tws_table *tws_table_settings(void); /* struct tws_settings */
const struct tws_table *tws_table_keys(void);     /* struct tws_keys_file */

/* The row named `name` that belongs to `who` (TWS_OPT_SERVER, TWS_OPT_CLIENT), or NULL. */
const struct tws_option *tws_option_find(const struct tws_table *t, unsigned who, const char *name);
/* The key of `who`'s files that was probably meant by `name`, or NULL when none is near. */
const char *tws_option_nearest(const struct tws_table *t, unsigned who, const char *name);

/* Sets every field of the zeroed `record` to its default. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_record_init(const struct tws_table *t, void *record);
/* Frees what the fields own, secrets wiped; the record is zero afterwards. */
void tws_record_fini(const struct tws_table *t, void *record);
/* Adds a zeroed element of `size` bytes. NULL: out of memory. */
void *tws_items_add(struct tws_items *items, size_t size);

#endif

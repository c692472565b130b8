/*
 * yaml.c - see yaml.h. Walks libyaml's events along the table: the recursion is as deep as the
 * table is, never as deep as the file. A wrong value does not end the reading, wrong YAML does.
 */
#include "tws/app/yaml.h"

#include "tws/app/value.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct walk {
    const struct tws_yaml_job *job;
    yaml_parser_t parser;
    tws_err err; /* once set, the walk is over */
};

/* Lines of the keys of one map, by row, to find doubled ones. */
struct map {
    const struct tws_table *table;
    unsigned who;
    void *record;
    unsigned lines[TWS_OPTIONS_MAX];
};

#define COMPLAIN(w, mark, fmt, ...)                                                                \
    tws_diag_error((w)->job->diag, "%s:%zu:%zu: " fmt, (w)->job->path, (mark).line + 1,            \
                   (mark).column + 1, __VA_ARGS__)

/* Of bytes that are no characters libyaml knows only the offset. */
static yaml_mark_t problem_mark(const struct walk *w)
{
    yaml_mark_t at = {0};

    if (w->parser.error != YAML_READER_ERROR)
        return w->parser.problem_mark;
    for (; at.index < w->parser.problem_offset && at.index < w->job->n; at.index++) {
        bool ends = w->job->bytes[at.index] == '\n';
        at.line += ends;
        at.column = ends ? 0 : at.column + 1;
    }
    return at;
}

/* The next event, to be deleted by the caller; on wrong YAML a false and no event. */
static bool next(struct walk *w, yaml_event_t *ev)
{
    yaml_mark_t at;

    if (w->err != TWS_OK)
        return false;
    if (yaml_parser_parse(&w->parser, ev) == 1)
        return true;
    w->err = w->parser.error == YAML_MEMORY_ERROR ? TWS_NOMEM : TWS_CONFIG;
    at = problem_mark(w);
    if (w->err == TWS_CONFIG)
        COMPLAIN(w, at, "this is not YAML: %s",
                 w->parser.problem != NULL ? w->parser.problem : "the input cannot be read");
    return false;
}

static bool is_start(yaml_event_type_t type)
{
    return type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
}

static bool is_end(yaml_event_type_t type)
{
    return type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
}

/* Reads over the rest of a value that began with an event of type `first`. */
static void skip(struct walk *w, yaml_event_type_t first)
{
    size_t depth = is_start(first) ? 1 : 0;
    yaml_event_t ev;

    while (depth > 0 && next(w, &ev)) {
        depth += is_start(ev.type) ? 1 : 0;
        depth -= is_end(ev.type) ? 1 : 0;
        yaml_event_delete(&ev);
    }
}

static const char *text_of(const yaml_event_t *ev)
{
    return (const char *)ev->data.scalar.value;
}

/* What stands there, for a message. */
static void found(const struct tws_option *o, const yaml_event_t *ev, char *out, size_t cap)
{
    const char *what = ev->type == YAML_SEQUENCE_START_EVENT  ? "a list"
                       : ev->type == YAML_MAPPING_START_EVENT ? "a map"
                       : ev->type == YAML_ALIAS_EVENT         ? "an alias"
                                                              : NULL;

    if (what == NULL && ev->data.scalar.length == 0 &&
        ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        what = "nothing";
    if (what != NULL)
        snprintf(out, cap, "%s", what);
    else
        tws_value_found(o, text_of(ev), out, cap);
}

static void complain_value(struct walk *w, const struct tws_option *o, const yaml_event_t *ev,
                           const char *expected)
{
    char seen[TWS_FOUND];

    found(o, ev, seen, sizeof seen);
    COMPLAIN(w, ev->start_mark, "%s: found %s, expected %s", o->name, seen, expected);
}

/* A quoted "2" is a text, not a number. */
static bool takes_quotes(enum tws_option_type type)
{
    return type != TWS_TYPE_FLAG && type != TWS_TYPE_COUNT && type != TWS_TYPE_NUMBER;
}

static bool is_scalar_for(const struct tws_option *o, const yaml_event_t *ev)
{
    bool is_plain =
        ev->type == YAML_SCALAR_EVENT && ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (ev->type != YAML_SCALAR_EVENT || strlen(text_of(ev)) != ev->data.scalar.length)
        return false;
    if (is_plain && (ev->data.scalar.length == 0 || strcmp(text_of(ev), "~") == 0))
        return false;
    return is_plain || takes_quotes(o->type);
}

static void read_scalar(struct walk *w, const struct tws_option *o, yaml_event_t *ev, void *out)
{
    char expected[TWS_EXPECTED];
    tws_err err = TWS_ABSENT;

    if (is_scalar_for(o, ev))
        err = tws_value_parse(o, text_of(ev), out);
    if (err == TWS_NOMEM)
        w->err = TWS_NOMEM;
    if (err == TWS_ABSENT) {
        tws_value_expected(o, expected, sizeof expected);
        complain_value(w, o, ev, expected);
        skip(w, ev->type);
    }
}

/* NOLINTBEGIN(misc-no-recursion): as deep as the tables, which end */
static void read_map(struct walk *w, struct map *m, yaml_mark_t start);

static void read_record(struct walk *w, const struct tws_option *o, yaml_event_t *ev, void *element)
{
    /* A record belongs to its table as a whole: all rows, whoever reads it. */
    struct map m = {.table = o->records, .who = TWS_OPT_BOTH, .record = element};

    *(unsigned *)element = (unsigned)ev->start_mark.line + 1;
    if (tws_record_init(o->records, element) != TWS_OK)
        w->err = TWS_NOMEM;
    if (ev->type == YAML_MAPPING_START_EVENT) {
        read_map(w, &m, ev->start_mark);
        return;
    }
    complain_value(w, o, ev, "a map in each entry of the list");
    skip(w, ev->type);
}

static void read_element(struct walk *w, const struct tws_option *o, yaml_event_t *ev,
                         struct tws_items *items)
{
    bool records = o->type == TWS_TYPE_RECORDS;
    void *element = tws_items_add(items, records ? o->records->size : tws_value_size(o));

    if (element == NULL)
        w->err = TWS_NOMEM;
    else if (records)
        read_record(w, o, ev, element);
    else
        read_scalar(w, o, ev, element);
}

static void read_list(struct walk *w, const struct tws_option *o, const yaml_event_t *first,
                      struct tws_items *items)
{
    yaml_event_t ev;

    if (first->type != YAML_SEQUENCE_START_EVENT) {
        complain_value(w, o, first,
                       o->type == TWS_TYPE_RECORDS ? "a list of maps" : "a list of values");
        skip(w, first->type);
        return;
    }
    while (next(w, &ev)) {
        bool end = ev.type == YAML_SEQUENCE_END_EVENT;

        if (!end)
            read_element(w, o, &ev, items);
        yaml_event_delete(&ev);
        if (end)
            return;
    }
}

static void read_one(struct walk *w, const struct tws_option *o, yaml_event_t *ev,
                     struct tws_items *items)
{
    if (ev->type == YAML_MAPPING_START_EVENT) {
        read_element(w, o, ev, items);
        return;
    }
    complain_value(w, o, ev, "a map");
    skip(w, ev->type);
}

static void complain_unknown(struct walk *w, const struct map *m, const yaml_event_t *key)
{
    const char *nearest = tws_option_nearest(m->table, m->who, text_of(key));
    const struct tws_option *other = tws_option_find(m->table, TWS_OPT_BOTH, text_of(key));
    char name[TWS_FOUND];

    tws_value_found(NULL, text_of(key), name, sizeof name);
    if (other != NULL && (other->flags & TWS_OPT_NO_FILE))
        COMPLAIN(w, key->start_mark, "%s belongs on the command line", name);
    else if (other != NULL)
        COMPLAIN(w, key->start_mark, "%s is a key of the %s, not of the %s", name,
                 m->who == TWS_OPT_SERVER ? "client" : "server",
                 m->who == TWS_OPT_SERVER ? "server" : "client");
    else if (nearest != NULL)
        COMPLAIN(w, key->start_mark, "unknown key %s, the nearest is \"%s\"", name, nearest);
    else
        COMPLAIN(w, key->start_mark, "unknown key %s", name);
}

/* The row of a key; NULL: complained. */
static const struct tws_option *take_key(struct walk *w, struct map *m, const yaml_event_t *key)
{
    const struct tws_option *o = NULL;
    unsigned *line = NULL;

    if (key->type != YAML_SCALAR_EVENT) {
        COMPLAIN(w, key->start_mark, "found %s, expected a key",
                 key->type == YAML_ALIAS_EVENT ? "an alias" : "a list or map");
        skip(w, key->type);
        return NULL;
    }
    o = tws_option_find(m->table, m->who, text_of(key));
    if (o == NULL || (o->flags & TWS_OPT_NO_FILE)) {
        complain_unknown(w, m, key);
        return NULL;
    }
    line = &m->lines[o - m->table->rows];
    if (*line != 0) {
        COMPLAIN(w, key->start_mark, "%s is given twice, first on line %u", o->name, *line);
        return NULL;
    }
    *line = (unsigned)key->start_mark.line + 1;
    return o;
}

static void read_value(struct walk *w, struct map *m, const struct tws_option *o, yaml_event_t *ev)
{
    void *field = (char *)m->record + o->offset;
    size_t row = (size_t)(o - m->table->rows);

    if (m->table == w->job->table && w->job->seen != NULL)
        w->job->seen(w->job->ctx, row, m->lines[row],
                     ev->type == YAML_SCALAR_EVENT ? text_of(ev) : NULL);
    if (o->flags & TWS_OPT_ONE)
        read_one(w, o, ev, field);
    else if (o->flags & TWS_OPT_LIST)
        read_list(w, o, ev, field);
    else
        read_scalar(w, o, ev, field);
}

static void require_rows(struct walk *w, const struct map *m, yaml_mark_t start)
{
    for (size_t i = 0; i < m->table->nrows && w->err == TWS_OK; i++)
        if ((m->table->rows[i].flags & TWS_OPT_REQUIRED) && m->lines[i] == 0)
            COMPLAIN(w, start, "this %s has no \"%s\"", m->table->noun, m->table->rows[i].name);
}

static void read_map(struct walk *w, struct map *m, yaml_mark_t start)
{
    yaml_event_t key, value;

    while (next(w, &key)) {
        bool end = key.type == YAML_MAPPING_END_EVENT;
        const struct tws_option *o = end ? NULL : take_key(w, m, &key);

        yaml_event_delete(&key);
        if (end) {
            require_rows(w, m, start);
            return;
        }
        if (!next(w, &value))
            return;
        if (o != NULL)
            read_value(w, m, o, &value);
        else
            skip(w, value.type);
        yaml_event_delete(&value);
    }
}

/* NOLINTEND(misc-no-recursion) */

/* A key for an example. */
static const char *first_key(const struct map *m)
{
    for (size_t i = 0; i < m->table->nrows; i++)
        if ((m->table->rows[i].flags & m->who) && !(m->table->rows[i].flags & TWS_OPT_NO_FILE))
            return m->table->rows[i].name;
    return "key";
}

/* The outermost value: a map, or nothing. */
static void read_document(struct walk *w, struct map *m)
{
    yaml_event_t ev;

    if (!next(w, &ev))
        return;
    if (ev.type == YAML_MAPPING_START_EVENT) {
        read_map(w, m, ev.start_mark);
    } else if (ev.type != YAML_SCALAR_EVENT || ev.data.scalar.length != 0) {
        COMPLAIN(w, ev.start_mark, "found %s, expected keys and values such as \"%s: ...\"",
                 ev.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a text", first_key(m));
        skip(w, ev.type);
    }
    yaml_event_delete(&ev);
}

static void read_stream(struct walk *w, void *record)
{
    struct map m = {.table = w->job->table, .who = w->job->who, .record = record};
    bool end = false, seen = false;
    yaml_event_t ev;

    while (!end && next(w, &ev)) {
        end = ev.type == YAML_STREAM_END_EVENT;
        if (ev.type == YAML_DOCUMENT_START_EVENT && seen) {
            COMPLAIN(w, ev.start_mark, "%s", "a second document begins here, expected one");
            end = true;
        } else if (ev.type == YAML_DOCUMENT_START_EVENT) {
            seen = true;
            read_document(w, &m);
        } else if (end && !seen) {
            require_rows(w, &m, ev.start_mark);
        }
        yaml_event_delete(&ev);
    }
}

tws_err tws_yaml_read(const struct tws_yaml_job *job, void *record)
{
    struct walk w = {.job = job};
    unsigned errors = job->diag->errors;

    if (yaml_parser_initialize(&w.parser) != 1)
        return TWS_NOMEM;
    yaml_parser_set_input_string(&w.parser, (const unsigned char *)job->bytes, job->n);
    read_stream(&w, record);
    yaml_parser_delete(&w.parser);
    if (w.err == TWS_OK && job->diag->errors != errors)
        return TWS_CONFIG;
    return w.err;
}

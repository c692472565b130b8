/*
 * options.c - the command line, read by getopt_long(3) from the option table. Names may be written
 * with - instead of _. Words that are no options are positional.c's.
 */
#include "settings_priv.h"

#include "tws/app/settings.h"
#include "tws/app/value.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 32
#define ROW        256 /* getopt's value of row i is ROW + i */

/* getopt's view of the table. */
struct grammar {
    char shorts[3 * TWS_OPTIONS_MAX + 4];
    struct option longs[2 * TWS_OPTIONS_MAX + 2];
    char hyphened[TWS_OPTIONS_MAX][NAME_BYTES];
    size_t nlongs, nshorts;
};

static bool takes_value(const struct tws_option *o)
{
    return o->type != TWS_TYPE_FLAG && o->type != TWS_TYPE_COUNT;
}

static void add_long(struct grammar *g, const char *name, const struct tws_option *o, size_t row)
{
    g->longs[g->nlongs++] = (struct option){name, takes_value(o) ? required_argument : no_argument,
                                            NULL, (int)(ROW + row)};
}

static void add_row(struct grammar *g, const struct tws_option *o, size_t row)
{
    char *other = g->hyphened[row];

    add_long(g, o->name, o, row);
    snprintf(other, NAME_BYTES, "%s", o->name);
    for (char *c = strchr(other, '_'); c != NULL; c = strchr(c, '_'))
        *c = '-';
    if (strcmp(other, o->name) != 0)
        add_long(g, other, o, row);
    if (o->short_name == '\0')
        return;
    g->shorts[g->nshorts++] = o->short_name;
    if (takes_value(o))
        g->shorts[g->nshorts++] = ':';
}

static void build(struct grammar *g, unsigned who)
{
    const struct tws_table *t = tws_table_settings();

    memset(g, 0, sizeof *g);
    g->shorts[g->nshorts++] = ':';
    g->shorts[g->nshorts++] = 'h';
    for (size_t i = 0; i < t->nrows; i++)
        if ((t->rows[i].flags & who) && (t->rows[i].flags & TWS_OPT_ARGV))
            add_row(g, &t->rows[i], i);
    g->longs[g->nlongs] = (struct option){"help", no_argument, NULL, 'h'};
}

static const struct tws_option *row_of(const struct tws_settings *s, int c)
{
    const struct tws_table *t = tws_table_settings();

    if (c >= ROW)
        return &t->rows[c - ROW];
    for (size_t i = 0; i < t->nrows; i++)
        if ((t->rows[i].flags & s->who) && t->rows[i].short_name == c)
            return &t->rows[i];
    return NULL;
}

static tws_err complain_unknown(const struct tws_settings *s, const char *arg,
                                struct tws_diag *diag)
{
    const struct tws_table *t = tws_table_settings();
    const struct tws_option *in_file = NULL;
    const char *nearest = NULL;
    char shown[TWS_FOUND], name[64] = "";

    tws_value_found(NULL, arg, shown, sizeof shown);
    if (strncmp(arg, "--", 2) == 0) {
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
        in_file = tws_option_find(t, s->who, name);
        nearest = tws_option_nearest(t, s->who, name);
    }
    if (in_file != NULL && !(in_file->flags & TWS_OPT_ARGV))
        tws_diag_error(diag,
                       "--%s is no option: write \"%s: ...\" into a file, given with --config",
                       name, in_file->name);
    else if (nearest != NULL)
        tws_diag_error(diag, "unknown option %s, the nearest is --%s", shown, nearest);
    else
        tws_diag_error(diag, "unknown option %s", shown);
    return TWS_USAGE;
}

static tws_err take_value(struct tws_settings *s, const struct tws_option *o, const char *text,
                          struct tws_diag *diag)
{
    struct tws_given *g = &s->given[o - tws_table_settings()->rows];
    void *field = (char *)s + o->offset;
    char expected[TWS_EXPECTED], found[TWS_FOUND];
    tws_err err = TWS_OK;

    if (o->type == TWS_TYPE_COUNT) {
        *(uint32_t *)field += 1;
        return TWS_OK;
    }
    if (g->argv && takes_value(o)) {
        tws_diag_error(diag, "--%s is given twice", o->name);
        return TWS_USAGE;
    }
    err = tws_value_parse(o, takes_value(o) ? text : "true", field);
    *g = (struct tws_given){.argv = true, .mark = takes_value(o) ? tws_settings_mark(text) : 1};
    if (err == TWS_ABSENT) {
        tws_value_expected(o, expected, sizeof expected);
        tws_value_found(o, text, found, sizeof found);
        tws_diag_error(diag, "--%s: found %s, expected %s", o->name, found, expected);
        err = TWS_USAGE;
    }
    return err;
}

tws_err tws_settings_take_text(struct tws_settings *s, const char *name, const char *text,
                               struct tws_diag *diag)
{
    return take_value(s, tws_option_find(tws_table_settings(), s->who, name), text, diag);
}

static tws_err take_option(struct tws_settings *s, int c, char **argv, struct tws_diag *diag)
{
    const struct tws_option *o = NULL;

    if (c == 'h')
        return TWS_ABSENT;
    if (c == '?')
        return complain_unknown(s, argv[optind - 1], diag);
    o = row_of(s, c == ':' ? optopt : c);
    if (c == ':') {
        tws_diag_error(diag, "%s needs a value: %s", argv[optind - 1], o->arg);
        return TWS_USAGE;
    }
    return take_value(s, o, optarg, diag);
}

/* Who talks through stdin and stdout sees what goes wrong, and nothing else, unless asked for. */
static void quieten(struct tws_settings *s)
{
    const struct tws_table *t = tws_table_settings();

    if (!s->given[tws_option_find(t, s->who, "log") - t->rows].argv)
        s->log = 1 + TWS_LOG_WARN;
}

tws_err tws_settings_read_argv(struct tws_settings *s, int argc, char **argv, struct tws_diag *diag)
{
    struct grammar g;
    int c = 0;

    build(&g, s->who);
    optind = 0; /* begin anew, also after an earlier command line */
    opterr = 0;
    while ((c = getopt_long(argc, argv, g.shorts, g.longs, NULL)) != -1) {
        tws_err err = take_option(s, c, argv, diag);

        if (err != TWS_OK)
            return err;
    }
    tws_err err = tws_settings_take_words(s, argv + optind, (size_t)(argc - optind), diag);
    if (err == TWS_OK)
        err = tws_settings_take_stdio(s, diag);
    if (err == TWS_OK && tws_settings_has_stdio(s))
        quieten(s);
    return err;
}

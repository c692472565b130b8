/* settings.c - see settings.h; the command line is in options.c. */
#include "tws/app/settings.h"

#include "file_priv.h"
#include "settings_priv.h"

#include "tws/app/value.h"
#include "tws/app/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tws_err tws_settings_init(struct tws_settings *s, unsigned who)
{
    memset(s, 0, sizeof *s);
    s->who = who;
    return tws_record_init(tws_table_settings(), s);
}

void tws_settings_fini(struct tws_settings *s)
{
    free(s->remotes.p);
    tws_record_fini(tws_table_settings(), s);
}

/* NOLINTBEGIN(misc-no-recursion): as deep as the tables, which end */
static void forget(const struct tws_table *t, char *record)
{
    for (size_t i = 0; i < t->nrows; i++) {
        const struct tws_option *o = &t->rows[i];
        struct tws_items *items = (void *)(record + o->offset);

        if (o->type == TWS_TYPE_SECRET)
            tws_value_fini(o, record + o->offset);
        for (size_t k = 0; o->type == TWS_TYPE_RECORDS && k < items->n; k++)
            forget(o->records, (char *)items->p + k * o->records->size);
    }
}

/* NOLINTEND(misc-no-recursion) */

void tws_settings_forget(struct tws_settings *s)
{
    forget(tws_table_settings(), (char *)s);
}

/* FNV-1a: only tells "another text" from "the same". */
uint32_t tws_settings_mark(const char *text)
{
    uint32_t h = 2166136261u;

    for (; *text != '\0'; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

static void note_key(void *ctx, size_t row, unsigned line, const char *text)
{
    struct tws_settings *s = ctx;

    s->given[row] = (struct tws_given){.line = line, .mark = tws_settings_mark(text ? text : "")};
}

tws_err tws_settings_read_yaml(struct tws_settings *s, const char *path, const char *bytes,
                               size_t n, struct tws_diag *diag)
{
    struct tws_yaml_job job = {.path = path,
                               .bytes = bytes,
                               .n = n,
                               .table = tws_table_settings(),
                               .who = s->who,
                               .diag = diag,
                               .seen = note_key,
                               .ctx = s};
    char *copy = strdup(path);

    if (copy == NULL)
        return TWS_NOMEM;
    free(s->config);
    s->config = copy;
    return tws_yaml_read(&job, s);
}

tws_err tws_settings_read_file(struct tws_settings *s, const char *path, struct tws_diag *diag)
{
    struct tws_file f;
    tws_err err = tws_file_read(path, TWS_YAML_MAX, &f);

    if (err == TWS_OK) {
        s->file_is_exposed = f.exposed;
        err = tws_settings_read_yaml(s, path, f.bytes, f.n, diag);
    } else if (err != TWS_NOMEM) {
        tws_diag_error(diag, "%s: %s", path, tws_file_why(err));
        err = TWS_CONFIG;
    }
    tws_file_free(&f);
    return err;
}

void tws_settings_place(const struct tws_settings *s, const char *name, char *out, size_t cap)
{
    const struct tws_table *t = tws_table_settings();
    const struct tws_option *o = tws_option_find(t, s->who, name);
    const struct tws_given *g = &s->given[o - t->rows];

    out[0] = '\0';
    if (g->env != NULL)
        snprintf(out, cap, "%s: ", g->env);
    else if (g->line != 0 && s->config != NULL)
        snprintf(out, cap, "%.*s:%u: ", TWS_PLACE - 16, s->config, g->line);
    else if (s->config != NULL && !g->argv)
        snprintf(out, cap, "%.*s: ", TWS_PLACE - 16, s->config);
}

void tws_settings_compare(const struct tws_settings *old, const struct tws_settings *now,
                          struct tws_diag *diag)
{
    const struct tws_table *t = tws_table_settings();

    for (size_t i = 0; i < t->nrows; i++)
        if ((t->rows[i].flags & now->who) && !(t->rows[i].flags & TWS_OPT_RELOAD) &&
            !(t->rows[i].flags & TWS_OPT_NO_FILE) && old->given[i].mark != now->given[i].mark)
            tws_diag_warn(diag, "%s changed: this holds for new sessions", t->rows[i].name);
}

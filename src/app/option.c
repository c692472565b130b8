/* option.c - working with rows of the option table; see option.h. */
#include "tws/app/option.h"

#include "tws/app/value.h"
#include "tws/base/text.h"

#include <stdlib.h>
#include <string.h>

static bool belongs(const struct tws_option *o, unsigned who)
{
    return (o->flags & who) != 0;
}

const struct tws_option *tws_option_find(const struct tws_table *t, unsigned who, const char *name)
{
    for (size_t i = 0; i < t->nrows; i++) {
        const struct tws_option *o = &t->rows[i];

        if (belongs(o, who) &&
            (strcmp(o->name, name) == 0 || (o->alias != NULL && strcmp(o->alias, name) == 0)))
            return o;
    }
    return NULL;
}

const char *tws_option_nearest(const struct tws_table *t, unsigned who, const char *name)
{
    const char *words[TWS_OPTIONS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < t->nrows; i++)
        if (belongs(&t->rows[i], who) && !(t->rows[i].flags & TWS_OPT_NO_FILE))
            words[n++] = t->rows[i].name;
    return tws_text_nearest(name, words, n);
}

static void *field(const struct tws_option *o, void *record)
{
    return (char *)record + o->offset;
}

tws_err tws_record_init(const struct tws_table *t, void *record)
{
    for (size_t i = 0; i < t->nrows; i++) {
        const struct tws_option *o = &t->rows[i];
        tws_err err = TWS_OK;

        if (o->fallback != NULL)
            err = tws_value_parse(o, o->fallback, field(o, record));
        if (err != TWS_OK)
            return err == TWS_NOMEM ? err : TWS_BUG;
    }
    return TWS_OK;
}

/* NOLINTBEGIN(misc-no-recursion): as deep as the tables, which end */
static void free_items(const struct tws_option *o, struct tws_items *items)
{
    size_t size = o->type == TWS_TYPE_RECORDS ? o->records->size : tws_value_size(o);

    for (size_t i = 0; i < items->n; i++) {
        char *element = (char *)items->p + i * size;

        if (o->type == TWS_TYPE_RECORDS)
            tws_record_fini(o->records, element);
        else
            tws_value_fini(o, element);
    }
    free(items->p);
}

void tws_record_fini(const struct tws_table *t, void *record)
{
    for (size_t i = 0; i < t->nrows; i++) {
        const struct tws_option *o = &t->rows[i];

        if (o->flags & TWS_OPT_LIST)
            free_items(o, field(o, record));
        else
            tws_value_fini(o, field(o, record));
    }
    memset(record, 0, t->size);
}

/* NOLINTEND(misc-no-recursion) */

void *tws_items_add(struct tws_items *items, size_t size)
{
    char *p = realloc(items->p, (items->n + 1) * size);

    if (p == NULL)
        return NULL;
    items->p = p;
    p += items->n++ * size;
    memset(p, 0, size);
    return p;
}

/* settings_env.c - secrets from the environment, where neither the process list nor a file shows
 * them; see settings.h. */
#include "settings_priv.h"

#include "tws/app/value.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *variable, *row;
    unsigned who;
} variables[] = {{"TWS_KEY_FILE", "key_file", TWS_OPT_CLIENT},
                 {"TWS_KEYS_FILE", "keys_file", TWS_OPT_SERVER},
                 {"TWS_PASSWD", "passwd", TWS_OPT_BOTH}};

#define NVARIABLES (sizeof variables / sizeof *variables)

static size_t row_of(const struct tws_settings *s, size_t i)
{
    const struct tws_table *t = tws_table_settings();

    return (size_t)(tws_option_find(t, s->who, variables[i].row) - t->rows);
}

static const char *value_of(const struct tws_settings *s, size_t i)
{
    const char *text = (variables[i].who & s->who) != 0 ? getenv(variables[i].variable) : NULL;

    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Whoever wrote a key somewhere means that one. */
static bool is_given(const struct tws_settings *s)
{
    for (size_t i = 0; i < NVARIABLES; i++) {
        if ((variables[i].who & s->who) == 0)
            continue;
        const struct tws_given *g = &s->given[row_of(s, i)];
        if (g->argv || g->line != 0)
            return true;
    }
    return false;
}

static tws_err take(struct tws_settings *s, size_t i, const char *text, struct tws_diag *diag)
{
    const struct tws_option *o = &tws_table_settings()->rows[row_of(s, i)];
    char expected[TWS_EXPECTED], found[TWS_FOUND];
    tws_err err = tws_value_parse(o, text, (char *)s + o->offset);

    s->given[row_of(s, i)] =
        (struct tws_given){.env = variables[i].variable, .mark = tws_settings_mark(text)};
    if (err != TWS_ABSENT)
        return err;
    tws_value_expected(o, expected, sizeof expected);
    tws_value_found(o, text, found, sizeof found);
    tws_diag_error(diag, "%s: found %s, expected %s", variables[i].variable, found, expected);
    return TWS_CONFIG;
}

tws_err tws_settings_read_env(struct tws_settings *s, struct tws_diag *diag)
{
    tws_err err = TWS_OK;

    if (is_given(s))
        return TWS_OK;
    for (size_t i = 0; i < NVARIABLES && err == TWS_OK; i++) {
        const char *text = value_of(s, i);
        if (text != NULL)
            err = take(s, i, text, diag);
    }
    return err;
}

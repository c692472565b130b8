/* reference.c - see tws/app/reference.h. */
#include "tws/app/reference.h"

#include "tws/app/option.h"
#include "tws/app/value.h"

#include <ctype.h>
#include <string.h>

#define HELP_COLUMN 30

/* ---- --help ---- */

static void help_row(FILE *out, const struct tws_option *o)
{
    char left[HELP_COLUMN + 8], brief_short[8] = "    ";

    if (o->short_name != '\0')
        snprintf(brief_short, sizeof brief_short, "-%c, ", o->short_name);
    snprintf(left, sizeof left, "  %s--%s%s%s", brief_short, o->name, o->arg != NULL ? " " : "",
             o->arg != NULL ? o->arg : "");
    fprintf(out, "%-*s%s", HELP_COLUMN, left, o->brief);
    if (o->fallback != NULL && o->arg != NULL)
        fprintf(out, " (%s)", o->fallback);
    fputc('\n', out);
}

void tws_reference_help(FILE *out, unsigned who)
{
    const struct tws_table *t = tws_table_settings();
    const char *name = who == TWS_OPT_CLIENT ? "client" : "server";

    fprintf(out, "Usage: tws %s [options]%s; all of them: tws.yaml(5)\n", name,
            who == TWS_OPT_CLIENT ? " [URL] [FORWARD...]" : "");
    if (who == TWS_OPT_CLIENT)
        fputs("FORWARD: [R:][[HOST:]PORT:]HOST:PORT[/udp]   R: the server listens\n"
              "         [[HOST:]PORT:]socks|http|proxy    8000-8010 is a range of ports\n"
              "         stdio:HOST:PORT    unix:/path for either side, fd:NAME to listen\n",
              out);
    for (size_t i = 0; i < t->nrows; i++)
        if ((t->rows[i].flags & who) && (t->rows[i].flags & TWS_OPT_ARGV) &&
            t->rows[i].brief != NULL)
            help_row(out, &t->rows[i]);
}

void tws_reference_words(FILE *out, unsigned who)
{
    const struct tws_table *t = tws_table_settings();

    for (size_t i = 0; i < t->nrows; i++)
        if ((t->rows[i].flags & who) && (t->rows[i].flags & TWS_OPT_ARGV))
            fprintf(out, "--%s\n", t->rows[i].name);
    fputs("--help\n", out);
}

/* ---- what a row says, for both documents ---- */

static const char *who_has(const struct tws_option *o)
{
    if ((o->flags & TWS_OPT_BOTH) == TWS_OPT_BOTH)
        return "both";
    return (o->flags & TWS_OPT_CLIENT) != 0 ? "client" : "server";
}

static void format_type(const struct tws_option *o, char *out, size_t cap)
{
    char expected[TWS_EXPECTED];

    tws_value_expected(o, expected, sizeof expected);
    if (o->type == TWS_TYPE_RECORDS)
        snprintf(out, cap, o->flags & TWS_OPT_ONE ? "a map" : "a list of maps");
    else if (o->flags & TWS_OPT_LIST)
        snprintf(out, cap, "a list; each is %s", expected);
    else
        snprintf(out, cap, "%s", expected);
}

static bool in_file(const struct tws_option *o)
{
    return (o->flags & TWS_OPT_NO_FILE) == 0;
}

/* ---- man(7) ---- */

/* A line of text: "-" and "\" are escaped, a leading "." or "'" too. */
static void man_text(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == '\\')
            fputs(*text == '-' ? "\\-" : "\\e", out);
        else
            fputc(*text, out);
    }
}

static void man_row(FILE *out, const struct tws_option *o, bool top)
{
    char type[TWS_EXPECTED + 32];

    format_type(o, type, sizeof type);
    fprintf(out, ".TP\n.B %s", o->name);
    if (o->alias != NULL)
        fprintf(out, " \\fR(or\\fP %s\\fR)\\fP", o->alias);
    fputc('\n', out);
    man_text(out, o->help);
    fputs("\n.br\nValue: ", out);
    man_text(out, type);
    fputs(".", out);
    if (o->fallback != NULL)
        fprintf(out, " Default: %s.", o->fallback);
    if (o->flags & TWS_OPT_REQUIRED)
        fputs(" Required.", out);
    if (top && (o->flags & TWS_OPT_ARGV) && o->short_name != '\0')
        fprintf(out, " Option: \\-%c, \\-\\-%s.", o->short_name, o->name);
    else if (top && (o->flags & TWS_OPT_ARGV))
        fprintf(out, " Option: \\-\\-%s.", o->name);
    if (top && !(o->flags & TWS_OPT_RELOAD))
        fputs(" A reload changes it for new sessions.", out);
    fputc('\n', out);
}

static void man_section(FILE *out, const char *title, const struct tws_table *t, unsigned who)
{
    fprintf(out, ".SS %s\n", title);
    for (size_t i = 0; i < t->nrows; i++)
        if ((t->rows[i].flags & TWS_OPT_BOTH) == who && in_file(&t->rows[i]))
            man_row(out, &t->rows[i], true);
}

static void man_records(FILE *out, const char *title, const struct tws_option *list)
{
    fprintf(out, ".SS %s\n", title);
    for (size_t i = 0; i < list->records->nrows; i++)
        man_row(out, &list->records->rows[i], false);
}

void tws_reference_man(FILE *out)
{
    const struct tws_table *t = tws_table_settings();

    man_section(out, "Keys of the client", t, TWS_OPT_CLIENT);
    man_records(out, "Each entry of forwards", tws_option_find(t, TWS_OPT_CLIENT, "forwards"));
    man_records(out, "Each entry of uplinks", tws_option_find(t, TWS_OPT_CLIENT, "uplinks"));
    man_section(out, "Keys of the server", t, TWS_OPT_SERVER);
    man_records(out, "Keys of tun", tws_option_find(t, TWS_OPT_SERVER, "tun"));
    man_section(out, "Keys of both", t, TWS_OPT_BOTH);
    man_section(out, "Keys of the keys file", tws_table_keys(), TWS_OPT_SERVER);
    man_records(out, "Each entry of users",
                tws_option_find(tws_table_keys(), TWS_OPT_SERVER, "users"));
}

/* ---- markdown ---- */

static void markdown_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("|*<_", *text) != NULL)
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void markdown_row(FILE *out, const struct tws_option *o)
{
    char type[TWS_EXPECTED + 32];

    format_type(o, type, sizeof type);
    fprintf(out, "| `%s` | %s | ", o->name, who_has(o));
    if (o->flags & TWS_OPT_ARGV) {
        if (o->short_name != '\0')
            fprintf(out, "`-%c`, ", o->short_name);
        fprintf(out, "`--%s`", o->name);
    }
    fprintf(out, " | %s%s%s | ", o->fallback != NULL ? "`" : "",
            o->fallback != NULL ? o->fallback : "", o->fallback != NULL ? "`" : "");
    markdown_text(out, o->help);
    fputs(" Value: ", out);
    markdown_text(out, type);
    fputs(". |\n", out);
}

void tws_reference_markdown(FILE *out)
{
    const struct tws_table *t = tws_table_settings();

    fputs("| key | of | option | default | meaning |\n| --- | --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < t->nrows; i++)
        markdown_row(out, &t->rows[i]);
}

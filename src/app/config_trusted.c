/*
 * config_trusted.c - the proxies a forward trusts: networks in the record, and in a file of which
 * each line is one, as go-mmproxy has it.
 */
#include "config_priv.h"
#include "file_priv.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (1u << 20)

static tws_err add(struct tws_forward *out, const struct tws_prefix *p)
{
    struct tws_prefix *grown = realloc(out->trusted, (out->ntrusted + 1) * sizeof *grown);

    if (grown == NULL)
        return TWS_NOMEM;
    out->trusted = grown;
    out->trusted[out->ntrusted++] = *p;
    return TWS_OK;
}

/* What is on the line but comment and spaces around; the line is cut up. */
static char *bare(char *line)
{
    char *end = line + strcspn(line, "#\r");

    while (*line == ' ' || *line == '\t')
        line++;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return line;
}

static tws_err take_line(const char *path, unsigned number, char *line, struct tws_diag *diag,
                         struct tws_forward *out)
{
    const char *text = bare(line);
    struct tws_prefix p;

    if (*text == '\0')
        return TWS_OK;
    if (tws_prefix_parse(text, &p) == TWS_OK)
        return add(out, &p);
    tws_diag_error(
        diag,
        "%s:%u: found \"%.40s\", expected an address or a network such as 10.0.0.0/8 (no "
        "bits set behind the /)",
        path, number, text);
    return TWS_OK;
}

static tws_err take_file(const char *path, char *text, struct tws_diag *diag,
                         struct tws_forward *out)
{
    tws_err err = TWS_OK;

    for (unsigned number = 1; text != NULL && err == TWS_OK; number++) {
        char *end = strchr(text, '\n');

        if (end != NULL)
            *end = '\0';
        err = take_line(path, number, text, diag, out);
        text = end != NULL ? end + 1 : NULL;
    }
    return err;
}

tws_err tws_config_take_trusted(const struct tws_settings *s, struct tws_diag *diag,
                                const struct tws_forward_settings *f, struct tws_forward *out)
{
    const struct tws_prefix *list = f->trusted.p;
    struct tws_file file;
    tws_err err = TWS_OK;

    for (size_t i = 0; i < f->trusted.n && err == TWS_OK; i++)
        err = add(out, &list[i]);
    if (err != TWS_OK || f->trusted_file == NULL)
        return err;
    err = tws_file_read(f->trusted_file, FILE_MAX_BYTES, &file);
    if (err == TWS_OK)
        err = take_file(f->trusted_file, file.bytes, diag, out);
    else if (err != TWS_NOMEM)
        tws_diag_error(diag, "%s:%u: trusted_file %s: %s", s->config, f->line, f->trusted_file,
                       tws_file_why(err));
    tws_file_free(&file);
    return err == TWS_NOMEM ? err : TWS_OK;
}

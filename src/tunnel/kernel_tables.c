/* kernel_tables.c - see kernel_tables_priv.h. */
#include "kernel_tables_priv.h"

#include "tws/net/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const nft[] = {"nft", "-f", "-", NULL};
static const char *const list_tables[] = {"nft", "list", "tables", "inet", NULL};
static const char *const ip4[] = {"ip", "-4", "-batch", "-", NULL};
static const char *const ip6[] = {"ip", "-6", "-batch", "-", NULL};
/* Goes on behind a line that fails. */
static const char *const ip4_all[] = {"ip", "-4", "-force", "-batch", "-", NULL};
static const char *const ip6_all[] = {"ip", "-6", "-force", "-batch", "-", NULL};
static const char *const rules4[] = {"ip", "-4", "rule", "show", NULL};
static const char *const rules6[] = {"ip", "-6", "rule", "show", NULL};

/* ---- running ---- */

static void explain(const char *tool, tws_err err, char why[TWS_COMPLAINT])
{
    bool is_nft = strcmp(tool, "nft") == 0;

    if (err != TWS_SYS)
        snprintf(why, TWS_COMPLAINT, "%s", tws_err_text(err));
    else if (errno == ENOENT)
        snprintf(why, TWS_COMPLAINT, "%s is not installed: install the package %s (Debian's name)",
                 tool, is_nft ? "nftables" : "iproute2");
    else if (errno == ETIMEDOUT)
        snprintf(why, TWS_COMPLAINT, "%s did not end within %d s", tool, TWS_TOOL_SECONDS);
    else
        snprintf(why, TWS_COMPLAINT, "%s cannot be run: %s", tool, strerror(errno));
}

/* Runs it; the result's output is to be freed if TWS_OK. */
static tws_err run(const char *const argv[], const char *input, struct tws_tool_result *r,
                   char why[TWS_COMPLAINT])
{
    char text[TWS_COMPLAINT - 32];
    tws_err err = tws_tool_run(argv, input, r);

    if (err != TWS_OK) {
        explain(argv[0], err, why);
        return err;
    }
    if (r->status == 0)
        return TWS_OK;
    tws_tool_complaint(r, text, sizeof text);
    snprintf(why, TWS_COMPLAINT, "%s: %s", argv[0], text);
    errno = EIO;
    return TWS_SYS;
}

/* The same, when the output is of no interest. */
static tws_err feed(const char *const argv[], const char *input, char why[TWS_COMPLAINT])
{
    struct tws_tool_result r = {.status = 0};
    tws_err err = run(argv, input, &r, why);

    free(r.output);
    return err;
}

/* ---- texts ---- */

struct text {
    char *text;
    size_t n;
    FILE *file;
};

static tws_err open_text(struct text *t, char why[TWS_COMPLAINT])
{
    *t = (struct text){.n = 0};
    t->file = open_memstream(&t->text, &t->n);
    if (t->file != NULL)
        return TWS_OK;
    explain("", TWS_NOMEM, why);
    return TWS_NOMEM;
}

static tws_err feed_text(const char *const argv[], struct text *t, char why[TWS_COMPLAINT])
{
    tws_err err = TWS_NOMEM;

    if (fclose(t->file) == 0)
        err = feed(argv, t->text, why);
    else
        explain("", err, why);
    free(t->text);
    return err;
}

tws_err tws_tables_install(const struct tws_ruleset *r, char why[TWS_COMPLAINT])
{
    struct text t;
    tws_err err = open_text(&t, why);

    if (err != TWS_OK)
        return err;
    tws_ruleset_nft(t.file, r);
    return feed_text(nft, &t, why);
}

tws_err tws_tables_remove(const struct tws_footprint *f, char why[TWS_COMPLAINT])
{
    struct text t;
    tws_err err = open_text(&t, why);

    if (err != TWS_OK)
        return err;
    tws_ruleset_nft_remove(t.file, f);
    return feed_text(nft, &t, why);
}

static tws_err try_routes(const struct tws_footprint *f, uint8_t family, char why[TWS_COMPLAINT])
{
    struct text t;
    tws_err err = open_text(&t, why);

    if (err != TWS_OK)
        return err;
    tws_ruleset_ip(t.file, f);
    return feed_text(family == 4 ? ip4 : ip6, &t, why);
}

tws_err tws_routes_install(const struct tws_footprint *f, uint8_t family, char why[TWS_COMPLAINT])
{
    char ignored[TWS_COMPLAINT];
    tws_err err = try_routes(f, family, why);

    if (err != TWS_SYS)
        return err;
    /* A killed client's rule was in the way, or one of two lines worked. */
    bool again = strstr(why, "File exists") != NULL;
    int saved = errno;
    (void)!tws_routes_remove(f, family, ignored);
    errno = saved;
    return again ? try_routes(f, family, why) : err;
}

tws_err tws_routes_remove(const struct tws_footprint *f, uint8_t family, char why[TWS_COMPLAINT])
{
    struct text t;
    tws_err err = open_text(&t, why);

    if (err != TWS_OK)
        return err;
    tws_ruleset_ip_remove(t.file, f);
    err = feed_text(family == 4 ? ip4_all : ip6_all, &t, why);
    return err == TWS_SYS && strstr(why, "No such") != NULL ? TWS_OK : err;
}

/* ---- what is there ---- */

static tws_err list(const char *const argv[], char **out, char why[TWS_COMPLAINT])
{
    struct tws_tool_result r = {.status = 0};
    tws_err err = run(argv, "", &r, why);

    if (err == TWS_OK)
        *out = r.output;
    else
        free(r.output);
    return err;
}

tws_err tws_tables_list(char **out, char why[TWS_COMPLAINT])
{
    return list(list_tables, out, why);
}

tws_err tws_rules_list(uint8_t family, char **out, char why[TWS_COMPLAINT])
{
    return list(family == 4 ? rules4 : rules6, out, why);
}

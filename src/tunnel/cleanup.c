/* cleanup.c - see cleanup.h. */
#include "tws/tunnel/cleanup.h"

#include "kernel_tables_priv.h"

#include "tws/net/rtnetlink.h"
#include "tws/net/socket.h"
#include "tws/net/tool.h"
#include "tws/net/tun.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct sweep {
    const struct tws_cleanup_report *report;
    struct tws_cleanup_result *result;
};

__attribute__((format(printf, 2, 3))) static void say(const struct sweep *s, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->report->line(s->report->arg, text);
}

static tws_err fail(struct sweep *s, const char *what, tws_err err, const char *why)
{
    s->result->failed++;
    say(s, "%s: not removed: %s", what, why);
    return err == TWS_NOMEM ? TWS_NOMEM : TWS_OK;
}

/* Whether it is nobody's; then it is ours until *fd is closed. */
static bool take(struct sweep *s, const struct tws_footprint *f, const char *what, int *fd)
{
    if (tws_footprint_hold(f, fd) == TWS_OK)
        return true;
    if (errno == EADDRINUSE) {
        s->result->kept++;
        say(s, "%s: kept, a tws client that runs uses it", what);
    } else {
        (void)!fail(s, what, TWS_SYS, strerror(errno));
    }
    return false;
}

/* ---- tables ---- */

static tws_err sweep_table(struct sweep *s, const struct tws_footprint *f)
{
    char what[TWS_TABLE_NAME + 32], why[TWS_COMPLAINT];
    int hold = -1;

    snprintf(what, sizeof what, "nftables table inet %s", f->table);
    if (!take(s, f, what, &hold))
        return TWS_OK;
    tws_err err = tws_tables_remove(f, why);
    tws_socket_close(hold);
    if (err != TWS_OK)
        return fail(s, what, err, why);
    s->result->removed++;
    say(s, "%s: removed", what);
    return TWS_OK;
}

static tws_err sweep_tables(struct sweep *s)
{
    static const char before[] = "table inet ";
    char why[TWS_COMPLAINT], *text = NULL, *rest = NULL;
    struct tws_footprint f;
    tws_err err = tws_tables_list(&text, why);

    if (err != TWS_OK)
        return fail(s, "nftables tables", err, why);
    rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL && err == TWS_OK;
         line = strsep(&rest, "\n"))
        if (strncmp(line, before, sizeof before - 1) == 0 &&
            tws_footprint_of_table(line + sizeof before - 1, &f) == TWS_OK)
            err = sweep_table(s, &f);
    free(text);
    return err;
}

/* ---- rules and their routes ---- */

static tws_err sweep_rule(struct sweep *s, uint8_t family, const struct tws_footprint *f)
{
    char what[96], why[TWS_COMPLAINT];
    int hold = -1;

    snprintf(what, sizeof what, "ip -%u rule fwmark 0x%08x and routing table %u", family, f->mark,
             f->mark);
    if (!take(s, f, what, &hold))
        return TWS_OK;
    tws_err err = tws_routes_remove(f, family, why);
    tws_socket_close(hold);
    if (err != TWS_OK)
        return fail(s, what, err, why);
    s->result->removed++;
    say(s, "%s: removed", what);
    return TWS_OK;
}

/* "900:  from all fwmark 0x54580abc lookup 1415056060 proto 120" */
static tws_err rule_of_line(const char *line, struct tws_footprint *f)
{
    static const char before[] = "fwmark ";
    const char *p = strstr(line, before);
    char *end = NULL;

    if (p == NULL)
        return TWS_ABSENT;
    unsigned long mark = strtoul(p + sizeof before - 1, &end, 16);
    if (*end != ' ' || mark > UINT32_MAX)
        return TWS_ABSENT;
    return tws_footprint_of_mark((uint32_t)mark, f);
}

static tws_err sweep_rules(struct sweep *s, uint8_t family)
{
    char why[TWS_COMPLAINT], *text = NULL, *rest = NULL;
    struct tws_footprint f;
    tws_err err = tws_rules_list(family, &text, why);

    if (err != TWS_OK)
        return fail(s, family == 4 ? "ip -4 rules" : "ip -6 rules", err, why);
    rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL && err == TWS_OK;
         line = strsep(&rest, "\n"))
        if (rule_of_line(line, &f) == TWS_OK)
            err = sweep_rule(s, family, &f);
    free(text);
    return err;
}

/* ---- IP links ---- */

/* Whether any were set is not known, nor whether there is a resolver that could know it. */
static void revert_resolvers(const struct sweep *s, unsigned device)
{
    char name[IF_NAMESIZE];
    const char *const argv[] = {"resolvectl", "revert", name, NULL};
    struct tws_tool_result r;

    if (if_indextoname(device, name) == NULL || tws_tool_run(argv, "", &r) != TWS_OK)
        return;
    if (r.status == 0)
        say(s, "resolvers of %s: as they were before", name);
    free(r.output);
}

/* What belongs to a device that a process has open is kept. */
static tws_err sweep_links(struct sweep *s)
{
    static const char what[] = "rules, routes and addresses of IP links";
    struct tws_rtnl_devices devices = {.n = 0};
    struct tws_rtnl r;
    unsigned count = 0;
    tws_err err = tws_rtnl_open(&r);

    if (err == TWS_OK) {
        err = tws_rtnl_sweep_stale(&r, &count, &devices);
        int saved = errno;
        tws_rtnl_close(&r);
        errno = saved;
    }
    if (count > 0)
        say(s, "%s: removed %u", what, count);
    for (size_t i = 0; i < devices.n; i++)
        revert_resolvers(s, devices.index[i]);
    s->result->removed += count;
    if (err != TWS_OK)
        return fail(s, what, err, err == TWS_SYS ? strerror(errno) : tws_err_text(err));
    return TWS_OK;
}

/* Prepared devices, whose packets nobody cuts any more. */
static void sweep_devices(struct sweep *s)
{
    struct if_nameindex *all = if_nameindex();

    for (size_t i = 0; all != NULL && all[i].if_index != 0; i++) {
        if (!tws_tun_restore(all[i].if_name))
            continue;
        s->result->removed++;
        say(s, "device %s: gives plain packets again", all[i].if_name);
    }
    if (all != NULL)
        if_freenameindex(all);
}

tws_err tws_cleanup(const struct tws_cleanup_report *report, struct tws_cleanup_result *result)
{
    struct sweep s = {report, result};
    tws_err err;

    *result = (struct tws_cleanup_result){0};
    err = sweep_tables(&s);
    if (err == TWS_OK)
        err = sweep_rules(&s, 4);
    if (err == TWS_OK)
        err = sweep_rules(&s, 6);
    if (err == TWS_OK)
        err = sweep_links(&s);
    if (err == TWS_OK)
        sweep_devices(&s);
    return err;
}

/* ip_detour.c - see ip_detour_priv.h. */
#include "ip_detour_priv.h"

#include "tws/base/log.h"
#include "tws/net/tool.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST TWS_NET_RULES
#define DNS   53

enum { LINKS, EXCLUDED, RESOLVERS, NEIGHBOURS, ALL, END };
_Static_assert(END < TWS_NET_NRULES, "our rules are known by their priorities");

/* ---- rules and routes ---- */

static tws_err add_route(struct tws_ip_detour *t, uint8_t family, unsigned device)
{
    const struct tws_ip_route all = {
        .to = {.ip = {.family = family}}, .table = TWS_NET_TABLE, .device = device};

    return tws_rtnl_route(&t->rtnl, TWS_RTNL_ADD, &all);
}

static tws_err add_rules(struct tws_ip_detour *t, uint8_t family, uint32_t mark)
{
    const struct tws_ip_rule rules[] = {
        {.priority = FIRST + END},
        {.priority = FIRST + LINKS, .mark = mark, .go_to = FIRST + END},
        {.priority = FIRST + RESOLVERS, .protocol = IPPROTO_UDP, .port = DNS},
        {.priority = FIRST + RESOLVERS, .protocol = IPPROTO_TCP, .port = DNS},
        {.priority = FIRST + NEIGHBOURS, .table = TWS_TABLE_MAIN, .no_default = true},
        {.priority = FIRST + ALL},
    };
    tws_err err = TWS_OK;

    for (size_t i = 0; i < sizeof rules / sizeof *rules && err == TWS_OK; i++) {
        struct tws_ip_rule rule = rules[i];
        rule.family = family;
        if (rule.table == 0 && rule.go_to == 0 && rule.priority != FIRST + END)
            rule.table = TWS_NET_TABLE;
        err = tws_rtnl_rule(&t->rtnl, TWS_RTNL_ADD, &rule);
    }
    return err;
}

static tws_err add_exclusions(struct tws_ip_detour *t, const struct tws_tun_config *conf)
{
    tws_err err = TWS_OK;

    for (size_t i = 0; i < conf->nexclude && err == TWS_OK; i++) {
        const struct tws_ip_rule rule = {.family = conf->exclude[i].ip.family,
                                         .priority = FIRST + EXCLUDED,
                                         .to = conf->exclude[i],
                                         .go_to = FIRST + END};
        err = tws_rtnl_rule(&t->rtnl, TWS_RTNL_ADD, &rule);
    }
    return err;
}

static tws_err add_v6(struct tws_ip_detour *t, unsigned device, uint32_t mark)
{
    tws_err err = add_route(t, 6, device);

    if (err == TWS_OK)
        err = add_rules(t, 6, mark);
    return err == TWS_SYS && errno == EAFNOSUPPORT ? TWS_OK : err; /* a machine without IPv6 */
}

static const char *advice(int error)
{
    if (error == EPERM || error == EACCES)
        return ": all needs CAP_NET_ADMIN";
    if (error == EEXIST)
        return ": another tws has all on this machine; if none runs: tws cleanup";
    return "";
}

/* `begun`: some of it is there, and it is ours. */
static tws_err complain(struct tws_ip_detour *t, bool begun)
{
    int saved = errno;
    unsigned count = 0;

    tws_log(TWS_LOG_ERROR, "cannot lead everything into the device", "device=%s reason=\"%s%s\"",
            t->device, strerror(saved), advice(saved));
    if (begun)
        (void)!tws_rtnl_sweep_table(&t->rtnl, &count);
    tws_rtnl_close(&t->rtnl);
    t->device[0] = '\0';
    errno = saved;
    return TWS_SYS;
}

/* Replies to our links are looked up without their mark: a strict filter takes them for forged. */
static void warn_of_filter(const struct tws_ip_device *d)
{
    if (tws_ip_setting("/proc/sys/net/ipv4/conf/all/rp_filter") == '1')
        tws_log(TWS_LOG_WARN, "links may be cut off",
                "device=%s reason=\"the kernel filters by reverse path: sysctl -w "
                "net.ipv4.conf.all.rp_filter=2\"",
                d->tun.name);
}

/* ---- the system's resolver ---- */

/* False: it could not be told, and the log says so. */
static bool tell_resolver(const char *const argv[])
{
    struct tws_tool_result r;
    char why[160] = "resolvectl is not installed";
    tws_err err = tws_tool_run(argv, "", &r);

    if (err == TWS_OK && r.status == 0) {
        free(r.output);
        return true;
    }
    if (err == TWS_OK) {
        tws_tool_complaint(&r, why, sizeof why);
        free(r.output);
    } else if (err != TWS_SYS || errno != ENOENT) {
        snprintf(why, sizeof why, "%s", err == TWS_SYS ? strerror(errno) : tws_err_text(err));
    }
    tws_log(TWS_LOG_WARN, "cannot set the resolvers",
            "device=%s reason=\"%s: %sname them in /etc/resolv.conf\"", argv[2], why,
            geteuid() != 0 ? "run the client as root, or " : "");
    return false;
}

static void set_resolvers(struct tws_ip_detour *t, const struct tws_tun_config *conf)
{
    const char *servers[TWS_TOOL_ARGUMENTS] = {"resolvectl", "dns", t->device};
    const char *const domain[] = {"resolvectl", "domain", t->device, "~.", NULL};
    char text[TWS_TOOL_ARGUMENTS][TWS_IP_TEXT];

    if (conf->ndns == 0)
        return;
    for (size_t i = 0; i < conf->ndns && i + 4 < TWS_TOOL_ARGUMENTS; i++) {
        tws_ip_format(&conf->dns[i], text[i], sizeof text[i]);
        servers[3 + i] = text[i];
    }
    t->resolver_told = tell_resolver(servers);
    if (t->resolver_told)
        (void)tell_resolver(domain);
}

/* ---- life ---- */

/* Nothing is led into a table without a route. */
static tws_err add_rest(struct tws_ip_detour *t, const struct tws_tun_config *conf,
                        unsigned device6, uint32_t mark)
{
    tws_err err = add_exclusions(t, conf);

    if (err == TWS_OK)
        err = add_rules(t, 4, mark);
    return err == TWS_OK ? add_v6(t, device6, mark) : err;
}

/* The route of IPv4 is the first of all: where it stands already, another process has all, and
 * nothing of ours may come between its rules. */
tws_err tws_ip_detour_start(struct tws_ip_detour *t, const struct tws_ip_device *d,
                            const struct tws_tun_config *conf, uint32_t mark, bool v4, bool v6)
{
    unsigned count = 0;
    bool begun = false;
    tws_err err = tws_rtnl_open(&t->rtnl);

    memcpy(t->device, d->tun.name, sizeof t->device);
    if (err == TWS_OK)
        err = tws_rtnl_sweep_stale(&t->rtnl, &count, NULL);
    if (count > 0)
        tws_log(TWS_LOG_INFO, "removed what a killed process left", "routes=%u", count);
    if (err == TWS_OK)
        err = add_route(t, 4, v4 ? d->tun.index : 0);
    begun = err == TWS_OK;
    if (begun)
        err = add_rest(t, conf, v6 ? d->tun.index : 0, mark);
    if (err != TWS_OK)
        return complain(t, begun);
    warn_of_filter(d);
    set_resolvers(t, conf);
    tws_log(TWS_LOG_INFO, "everything goes into the device", "device=%s ipv4=%s ipv6=%s", t->device,
            v4 ? "yes" : "no", v6 ? "yes" : "no");
    return TWS_OK;
}

void tws_ip_detour_stop(struct tws_ip_detour *t)
{
    const char *const revert[] = {"resolvectl", "revert", t->device, NULL};
    unsigned count = 0;

    if (t->device[0] == '\0')
        return;
    if (tws_rtnl_sweep_table(&t->rtnl, &count) != TWS_OK)
        tws_log(TWS_LOG_ERROR, "routes are left", "reason=\"%s: tws cleanup removes them\"",
                strerror(errno));
    if (t->resolver_told)
        (void)tell_resolver(revert);
    tws_rtnl_close(&t->rtnl);
    *t = (struct tws_ip_detour){.resolver_told = false};
}

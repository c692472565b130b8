/* config_uplinks.c - the client's ways out of its machine, and the schedule; see config.h. */
#include "config_priv.h"

#include <stdlib.h>
#include <string.h>

/* Names stand in log lines as they are. */
static bool is_plain(const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    return name[strspn(name, plain)] == '\0';
}

static void judge_name(const struct tws_settings *s, struct tws_diag *diag,
                       const struct tws_client_config *c, const struct tws_uplink_settings *u)
{
    if (!is_plain(u->name))
        tws_diag_error(
            diag,
            "%s:%u: uplink name: found \"%.64s\", expected letters, digits, dots, dashes "
            "and underscores",
            s->config, u->line, u->name);
    for (size_t i = 0; i < c->nuplinks; i++)
        if (strcmp(c->uplinks[i].name, u->name) == 0)
            tws_diag_error(diag, "%s:%u: two uplinks are named %s", s->config, u->line, u->name);
}

static tws_err add_uplink(const struct tws_settings *s, struct tws_diag *diag,
                          struct tws_client_config *c, const struct tws_uplink_settings *u)
{
    struct tws_uplink *out = &c->uplinks[c->nuplinks];

    *out = (struct tws_uplink){.source = u->source,
                               .connections = u->connections,
                               .weight = (uint16_t)u->weight,
                               .backup = u->role == TWS_UPLINK_BACKUP};
    judge_name(s, diag, c, u);
    c->nuplinks++;
    tws_err err = tws_config_copy(u->name, &out->name);
    if (err == TWS_OK)
        err = tws_config_copy(u->interface, &out->interface);
    return err;
}

static void judge_sum(const struct tws_settings *s, struct tws_diag *diag,
                      const struct tws_client_config *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < c->nuplinks; i++)
        sum += c->uplinks[i].connections;
    if (sum > TWS_UPLINK_LINKS)
        tws_config_error(s, diag, "uplinks",
                         "uplinks: found %llu connections together, expected at most %u",
                         (unsigned long long)sum, TWS_UPLINK_LINKS);
}

static tws_err add_uplinks(const struct tws_settings *s, struct tws_diag *diag,
                           struct tws_client_config *c)
{
    const struct tws_uplink_settings *list = s->uplinks.p;
    tws_err err = TWS_OK;

    if (tws_config_given(s, "connections"))
        tws_config_error(s, diag, "connections",
                         "both connections and uplinks are given: say connections in each uplink");
    for (size_t i = 0; i < s->uplinks.n && err == TWS_OK; i++)
        err = add_uplink(s, diag, c, &list[i]);
    judge_sum(s, diag, c);
    return err;
}

tws_err tws_config_take_uplinks(const struct tws_settings *s, struct tws_diag *diag,
                                struct tws_client_config *c)
{
    c->schedule = (enum tws_schedule)(s->schedule - 1);
    c->max_age_ms = s->max_age_ms;
    c->uplinks = calloc(s->uplinks.n + 1, sizeof *c->uplinks);
    if (c->uplinks == NULL)
        return TWS_NOMEM;
    if (s->uplinks.n > 0)
        return add_uplinks(s, diag, c);
    c->uplinks[0] = (struct tws_uplink){.connections = s->connections, .weight = 1};
    c->nuplinks = 1;
    if (tws_config_given(s, "uplinks"))
        tws_config_error(s, diag, "uplinks", "uplinks is an empty list: name at least one");
    return TWS_OK;
}

void tws_config_free_uplinks(struct tws_client_config *c)
{
    for (size_t i = 0; i < c->nuplinks; i++) {
        free(c->uplinks[i].name);
        free(c->uplinks[i].interface);
    }
    free(c->uplinks);
}

/* rules.c - see rules_priv.h. */
#include "config_priv.h"
#include "rules_priv.h"

#include <stdlib.h>
#include <string.h>

/* "*" stands for every address of both families. */
static void add_any(struct tws_rule *rules, size_t *n, const struct tws_rule *any)
{
    static const uint8_t families[] = {4, 6};

    for (size_t i = 0; i < sizeof families; i++)
        rules[(*n)++] = (struct tws_rule){.prefix = {.ip = {.family = families[i]}},
                                          .port_min = any->port_min,
                                          .port_max = any->port_max,
                                          .protocol = any->protocol};
}

tws_err tws_rules_copy(const struct tws_items *from, struct tws_rule **to, size_t *n)
{
    const struct tws_rule *rules = from->p;

    *n = 0;
    *to = calloc(2 * from->n + 1, sizeof **to);
    if (*to == NULL)
        return TWS_NOMEM;
    for (size_t i = 0; i < from->n; i++) {
        struct tws_rule *r = NULL;

        if (rules[i].name != NULL && strcmp(rules[i].name, "*") == 0) {
            add_any(*to, n, &rules[i]);
            continue;
        }
        r = &(*to)[(*n)++];
        *r = rules[i];
        if (tws_config_copy(rules[i].name, &r->name) != TWS_OK)
            return TWS_NOMEM;
    }
    return TWS_OK;
}

void tws_rules_free(struct tws_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(rules[i].name);
    free(rules);
}

const char *tws_rules_not_to_listen(const struct tws_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rules[i].name != NULL && !rules[i].is_path && strcmp(rules[i].name, "localhost") != 0)
            return rules[i].name;
    return NULL;
}

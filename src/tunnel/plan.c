/* plan.c - see plan.h. */
#include "tws/tunnel/plan.h"

#include "tws/tunnel/ruleset.h"

#include <stdlib.h>

/* The port that stands for one the kernel will choose. */
#define SOME_PORT 65535

static void catch_of(const struct tws_client_config *cfg, const struct tws_forward *f,
                     struct tws_catch *out)
{
    uint16_t port = f->listen.port != 0 ? f->listen.port : SOME_PORT;

    *out = (struct tws_catch){.networks = f->networks,
                              .nnetworks = f->nnetworks,
                              .exclude = f->exclude,
                              .nexclude = f->nexclude,
                              .port = port,
                              .udp_port = f->tproxy && !cfg->link.no_udp ? port : 0,
                              .tproxy = f->tproxy,
                              .only_own = f->local};
}

static void write_routes(FILE *out, const struct tws_ruleset *r, uint8_t family)
{
    if (!tws_ruleset_needs_route(r, family))
        return;
    fprintf(out, "ip -%u -batch - <<'END'\n", family);
    tws_ruleset_ip(out, r->footprint);
    fputs("END\n", out);
}

static void write_all(FILE *out, const struct tws_ruleset *r, bool some_port)
{
    if (some_port)
        fprintf(out, "# %d stands for the port that the kernel chooses at the start\n", SOME_PORT);
    write_routes(out, r, 4);
    write_routes(out, r, 6);
    fputs("nft -f - <<'END'\n", out);
    tws_ruleset_nft(out, r);
    fputs("END\n", out);
}

tws_err tws_plan_write(const struct tws_client_config *cfg, FILE *out)
{
    struct tws_catch *catches = calloc(cfg->nforwards + 1, sizeof *catches);
    struct tws_footprint footprint = {.mark = 0};
    struct tws_ruleset r = {.footprint = &footprint, .catches = catches};
    bool some_port = false;

    if (catches == NULL)
        return TWS_NOMEM;
    tws_footprint_of(cfg->name, &footprint);
    for (size_t i = 0; i < cfg->nforwards; i++) {
        const struct tws_forward *f = &cfg->forwards[i];
        if (f->kind != TWS_FORWARD_TRANSPARENT)
            continue;
        catch_of(cfg, f, &catches[r.n++]);
        some_port = some_port || f->listen.port == 0;
    }
    if (r.n > 0)
        write_all(out, &r, some_port);
    else
        fputs("# nothing of this machine is changed\n", out);
    free(catches);
    return TWS_OK;
}

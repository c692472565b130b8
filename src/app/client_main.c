/* client_main.c - `tws client`: wires the client into a process; no logic. */
#include "tws/app/commands.h"
#include "tws/app/config.h"
#include "tws/app/process.h"
#include "tws/tunnel/client.h"
#include "tws/tunnel/plan.h"

#include <stdio.h>
#include <unistd.h>

static tws_err configure(const struct tws_settings *s, struct tws_diag *diag, void **config)
{
    struct tws_client_config *c = NULL;
    tws_err err = tws_client_config_new(s, diag, &c);

    *config = c;
    return err;
}

static void discard(void *config)
{
    tws_client_config_free(config);
}

static tws_err start(struct tws_loop *loop, struct tws_ws *ws, const void *config, void **tunnel)
{
    struct tws_client *c = NULL;
    tws_err err = tws_client_new(loop, ws, config, &c);

    *tunnel = c;
    return err;
}

static tws_err reload(void *tunnel, const void *config)
{
    return tws_client_reload(tunnel, config);
}

static void redial(void *tunnel)
{
    tws_client_redial(tunnel);
}

static void drain(void *tunnel, void (*on_done)(void *arg, bool settled), void *arg)
{
    tws_client_drain(tunnel, on_done, arg);
}

static void status(const void *tunnel, char *out, size_t cap)
{
    tws_client_status(tunnel, out, cap);
}

static void stop(void *tunnel)
{
    tws_client_free(tunnel);
}

static tws_err serve(void *tunnel, const void *config, void (*on_end)(void *arg, bool clean),
                     void *arg, bool *serving)
{
    const struct tws_client_config *c = config;

    *serving = c->stdio.type != TWS_SPOT_NONE;
    if (!*serving)
        return TWS_OK;
    return tws_client_serve_stdio(tunnel, STDIN_FILENO, STDOUT_FILENO, on_end, arg);
}

static tws_err dry_run(const void *config)
{
    return tws_plan_write(config, stdout);
}

int tws_command_client(int argc, char **argv, unsigned verbose)
{
    static const struct tws_role role = {
        .who = TWS_OPT_CLIENT,
        .name = "tws client",
        .configure = configure,
        .discard = discard,
        .start = start,
        .reload = reload,
        .redial = redial,
        .drain = drain,
        .status = status,
        .stop = stop,
        .serve = serve,
        .dry_run = dry_run,
    };

    return tws_process_run(&role, argc, argv, verbose);
}

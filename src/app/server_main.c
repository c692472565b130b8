/* server_main.c - `tws server`: wires the server into a process; no logic. */
#include "tws/app/commands.h"
#include "tws/app/config.h"
#include "tws/app/process.h"
#include "tws/tunnel/server.h"

static tws_err configure(const struct tws_settings *s, struct tws_diag *diag, void **config)
{
    struct tws_server_config *c = NULL;
    tws_err err = tws_server_config_new(s, diag, &c);

    *config = c;
    return err;
}

static void discard(void *config)
{
    tws_server_config_free(config);
}

static tws_err start(struct tws_loop *loop, struct tws_ws *ws, const void *config, void **tunnel)
{
    struct tws_server *s = NULL;
    tws_err err = tws_server_new(loop, ws, config, &s);

    *tunnel = s;
    return err;
}

static tws_err reload(void *tunnel, const void *config)
{
    return tws_server_reload(tunnel, config);
}

static void drain(void *tunnel, void (*on_done)(void *arg, bool settled), void *arg)
{
    tws_server_drain(tunnel, on_done, arg);
}

static void status(const void *tunnel, char *out, size_t cap)
{
    tws_server_status(tunnel, out, cap);
}

static void stop(void *tunnel)
{
    tws_server_free(tunnel);
}

int tws_command_server(int argc, char **argv, unsigned verbose)
{
    static const struct tws_role role = {
        .who = TWS_OPT_SERVER,
        .name = "tws server",
        .configure = configure,
        .discard = discard,
        .start = start,
        .reload = reload,
        .drain = drain,
        .status = status,
        .stop = stop,
    };

    return tws_process_run(&role, argc, argv, verbose);
}

/*
 * process.h - what a client process and a server process have in common: settings, hardening,
 * log, loop, signals, service manager, reload, end. What differs is a struct tws_role.
 *
 *      SIGHUP           read the configuration again; on an error nothing changes
 *      SIGTERM, SIGINT  drain; a second one ends at once
 *      SIGUSR1          dial every missing link now (client)
 *
 * A process that serves stdin and stdout ends with them: SIGTERM and SIGINT end it at once, and
 * SIGHUP, which ssh sends to its ProxyCommand when it is done, lets it drain.
 */
#ifndef TWS_APP_PROCESS_H
#define TWS_APP_PROCESS_H

#include "tws/app/settings.h"
#include "tws/net/loop.h"
#include "tws/ws/upgrade.h"

/* `config` and `tunnel` are the role's own types. */
struct tws_role {
    unsigned who;     /* TWS_OPT_CLIENT, TWS_OPT_SERVER */
    const char *name; /* "tws client" */
    tws_err (*configure)(const struct tws_settings *s, struct tws_diag *diag, void **config);
    void (*discard)(void *config);
    tws_err (*start)(struct tws_loop *loop, struct tws_ws *ws, const void *config, void **tunnel);
    tws_err (*reload)(void *tunnel, const void *config);
    void (*redial)(void *tunnel); /* may be NULL */
    /* `settled`: nothing was cut off. */
    void (*drain)(void *tunnel, void (*on_done)(void *arg, bool settled), void *arg);
    void (*status)(const void *tunnel, char *out, size_t cap);
    void (*stop)(void *tunnel);
    /* Begins to serve stdin and stdout if the configuration wants that, and says so in *serving.
     * on_end() is the end of the process. May be NULL. */
    tws_err (*serve)(void *tunnel, const void *config, void (*on_end)(void *arg, bool clean),
                     void *arg, bool *serving);
    /* Prints what it would change of this machine; NULL: nothing. */
    tws_err (*dry_run)(const void *config);
};

/* Runs until a signal ends it. `verbose`: -v given before the subcommand. The exit code. */
int tws_process_run(const struct tws_role *role, int argc, char **argv, unsigned verbose);

#endif

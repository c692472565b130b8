/* load.c - see load_priv.h. */
#include "load_priv.h"

#include <stdlib.h>
#include <string.h>

tws_err tws_load_settings(struct tws_settings *s, unsigned who, int argc, char **argv,
                          struct tws_diag *diag)
{
    tws_err err = tws_settings_init(s, who);
    char *path = NULL;

    if (err == TWS_OK)
        err = tws_settings_read_argv(s, argc, argv, diag);
    if (err != TWS_OK || s->config == NULL)
        return err;
    path = strdup(s->config);
    if (path == NULL)
        return TWS_NOMEM;
    err = tws_settings_read_file(s, path, diag);
    free(path);
    return err;
}

int tws_load_exit_code(tws_err err)
{
    if (err == TWS_OK)
        return EXIT_SUCCESS;
    if (err == TWS_USAGE)
        return TWS_EXIT_USAGE;
    return err == TWS_CONFIG ? TWS_EXIT_CONFIG : EXIT_FAILURE;
}

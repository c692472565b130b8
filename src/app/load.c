/* load.c - see load_priv.h. */
#include "load_priv.h"

#include <stdlib.h>
#include <string.h>

/* The name is a setting itself, and is replaced by reading. */
static tws_err read_file(struct tws_settings *s, struct tws_diag *diag)
{
    char *path = strdup(s->config);
    tws_err err = path != NULL ? tws_settings_read_file(s, path, diag) : TWS_NOMEM;

    free(path);
    return err;
}

tws_err tws_load_settings(struct tws_settings *s, unsigned who, int argc, char **argv,
                          struct tws_diag *diag)
{
    tws_err err = tws_settings_init(s, who);

    if (err == TWS_OK)
        err = tws_settings_read_argv(s, argc, argv, diag);
    if (err == TWS_OK && s->config != NULL)
        err = read_file(s, diag);
    return err == TWS_OK ? tws_settings_read_env(s, diag) : err;
}

int tws_load_exit_code(tws_err err)
{
    if (err == TWS_OK)
        return EXIT_SUCCESS;
    if (err == TWS_USAGE)
        return TWS_EXIT_USAGE;
    return err == TWS_CONFIG ? TWS_EXIT_CONFIG : EXIT_FAILURE;
}

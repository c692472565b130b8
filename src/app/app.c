/* app.c - see app.h: finds the subcommand. */
#include "tws/app/app.h"

#include "help_priv.h"
#include "load_priv.h"

#include "tws/app/commands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TWS_VERSION
#error "the build gives TWS_VERSION"
#endif

static bool is(const char *arg, const char *short_form, const char *long_form)
{
    return strcmp(arg, short_form) == 0 || strcmp(arg, long_form) == 0;
}

static int print_version(void)
{
    puts("tws " TWS_VERSION);
    return EXIT_SUCCESS;
}

static int run(int argc, char **argv, unsigned verbose)
{
    const char *command = argv[0];

    if (is(command, "-V", "--version") || (argc == 2 && is(argv[1], "-V", "--version")))
        return print_version();
    if (strcmp(command, "client") == 0)
        return tws_command_client(argc, argv, verbose);
    if (strcmp(command, "server") == 0)
        return tws_command_server(argc, argv, verbose);
    if (is(command, "-t", "check"))
        return tws_command_check(argc, argv);
    if (strcmp(command, "keygen") == 0)
        return tws_command_keygen(argc, argv);
    if (strcmp(command, "cleanup") == 0)
        return tws_command_cleanup(argc, argv);
    if (is(command, "-h", "--help") || strcmp(command, "help") == 0)
        return tws_command_help(argc, argv);
    fprintf(stderr, "tws: \"%.40s\" is not a command; see tws --help\n", command);
    return TWS_EXIT_USAGE;
}

/* The same exit code, unless what was printed is lost: "ok" that nobody got is not ok. */
static int printed(int code)
{
    bool lost = fflush(stdout) != 0 || ferror(stdout);

    if (!lost || code != EXIT_SUCCESS)
        return code;
    fprintf(stderr, "tws: standard output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

int tws_app_main(int argc, char **argv)
{
    unsigned verbose = 0;
    int i = 1;

    /* -v may stand in front of the subcommand too. */
    for (; i < argc && is(argv[i], "-v", "--verbose"); i++)
        verbose++;
    if (i < argc)
        return printed(run(argc - i, argv + i, verbose));
    tws_help_program(stderr);
    return TWS_EXIT_USAGE;
}

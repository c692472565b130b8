/* cleanup.c - `tws cleanup`: removes what killed clients left in the kernel. */
#include "tws/tunnel/cleanup.h"

#include "help_priv.h"
#include "load_priv.h"

#include "tws/app/commands.h"

#include <stdio.h>
#include <stdlib.h>

static void print_line(void *arg, const char *text)
{
    (void)arg;
    puts(text);
}

static int help(void)
{
    fputs("Usage: tws cleanup\n"
          "Removes the nftables tables, routing rules and routes that a killed tws left.\n"
          "What a tws that runs uses is kept. Needs CAP_NET_ADMIN.\n",
          stdout);
    return EXIT_SUCCESS;
}

int tws_command_cleanup(int argc, char **argv)
{
    const struct tws_cleanup_report report = {print_line, NULL};
    struct tws_cleanup_result result = {0};

    if (tws_wants_help(argc, argv))
        return help();
    if (argc > 1)
        return tws_wrong_word("cleanup", argv[1], "is not expected");
    if (tws_cleanup(&report, &result) != TWS_OK) {
        fputs("tws cleanup: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    if (result.removed + result.kept + result.failed == 0)
        puts("nothing to clean up");
    return result.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

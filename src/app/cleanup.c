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

static int usage(FILE *out)
{
    fputs("Usage: tws cleanup\n"
          "Removes the nftables tables, routing rules and routes that a killed tws left.\n"
          "What a tws that runs uses is kept. Needs CAP_NET_ADMIN.\n",
          out);
    return tws_usage_code(out);
}

int tws_command_cleanup(int argc, char **argv)
{
    const struct tws_cleanup_report report = {print_line, NULL};
    struct tws_cleanup_result result = {0};

    if (argc > 1)
        return usage(tws_wants_help(argc, argv) ? stdout : stderr);
    if (tws_cleanup(&report, &result) != TWS_OK) {
        fputs("tws cleanup: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    if (result.removed + result.kept + result.failed == 0)
        puts("nothing to clean up");
    return result.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* help.c - `tws --help` and `tws help`. */
#include "help_priv.h"
#include "load_priv.h"

#include "tws/app/commands.h"
#include "tws/app/reference.h"

#include <stdlib.h>
#include <string.h>

void tws_help_program(FILE *out)
{
    fputs("tws - TCP tunnel over WebSocket\n"
          "\n"
          "  tws server --config FILE       take clients, usually behind nginx\n"
          "  tws client --config FILE       accept connections and carry them to a server\n"
          "  tws check FILE...              read configuration files, say what is wrong (also -t)\n"
          "  tws keygen -o FILE [-n NAME]   make a client's key\n"
          "  tws cleanup                    remove what a killed client left in the kernel\n"
          "  tws help COMMAND               its options (also tws COMMAND --help)\n"
          "  tws --version\n"
          "\n"
          "  tws server -l 127.0.0.1:5202 -p SECRET\n"
          "  TWS_PASSWD=SECRET tws client wss://example.com/tws 8080:127.0.0.1:80 1080:socks\n"
          "  ssh -o ProxyCommand='tws client --config FILE -W %h:%p' host\n"
          "\n"
          "Exit status: 0 done, 1 failed at run time, 2 usage, 78 configuration.\n"
          "Manual: tws(1), tws.yaml(5).\n",
          out);
}

static int help_options(const char *form)
{
    if (form != NULL && strcmp(form, "--markdown") == 0)
        tws_reference_markdown(stdout);
    else
        tws_reference_man(stdout);
    return EXIT_SUCCESS;
}

bool tws_wants_help(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0);
}

int tws_wrong_word(const char *command, const char *word, const char *why)
{
    fprintf(stderr, "tws %s: \"%.40s\" %s; see tws %s --help\n", command, word, why, command);
    return TWS_EXIT_USAGE;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} with_usage[] = {
    {"check", tws_command_check}, {"keygen", tws_command_keygen}, {"cleanup", tws_command_cleanup}};

/* What the command itself says when it is asked. */
static int help_command(const char *name)
{
    char asks[] = "--help", *argv[] = {NULL, asks, NULL};

    for (size_t i = 0; i < sizeof with_usage / sizeof *with_usage; i++)
        if (strcmp(name, with_usage[i].name) == 0)
            return with_usage[i].run(2, argv);
    fprintf(stderr, "tws help: \"%.40s\" is not a command; see tws --help\n", name);
    return TWS_EXIT_USAGE;
}

int tws_command_help(int argc, char **argv)
{
    const char *topic = argc > 1 ? argv[1] : "";

    if (strcmp(topic, "client") == 0)
        tws_reference_help(stdout, TWS_OPT_CLIENT);
    else if (strcmp(topic, "server") == 0)
        tws_reference_help(stdout, TWS_OPT_SERVER);
    else if (strcmp(topic, "words") == 0)
        tws_reference_words(stdout, argc > 2 && strcmp(argv[2], "server") == 0 ? TWS_OPT_SERVER
                                                                               : TWS_OPT_CLIENT);
    else if (strcmp(topic, "options") == 0)
        return help_options(argc > 2 ? argv[2] : NULL);
    else if (topic[0] != '\0')
        return help_command(topic);
    else
        tws_help_program(stdout);
    return EXIT_SUCCESS;
}

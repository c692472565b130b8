/* keygen.c - `tws keygen`: a new key, and what the server's keys file needs of it. */
#include "help_priv.h"
#include "load_priv.h"

#include "tws/app/commands.h"
#include "tws/app/key.h"
#include "tws/base/secret.h"
#include "tws/proto/handshake.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int help(void)
{
    fputs("Usage: tws keygen [-o FILE] [-n NAME]\n"
          "  -o FILE   write the key there, for its owner only, and print what the server needs\n"
          "  -n NAME   the user's name in the server's log (client)\n"
          "Without -o the key is printed, for a place of your own.\n",
          stdout);
    return EXIT_SUCCESS;
}

/* It stands in quotes in the keys file, and in every line of the log. */
static bool is_name(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)s[i]) || s[i] == '"' || s[i] == '\\')
            return false;
    return n >= 1 && n <= TWS_HS_NAME_MAX;
}

static int wrong_name(void)
{
    fprintf(stderr,
            "tws keygen: -n: a name has 1 to %d bytes, no control characters, no \" and no \\\n",
            TWS_HS_NAME_MAX);
    return TWS_EXIT_USAGE;
}

static int fail(const char *path)
{
    fprintf(stderr, "tws keygen: %s: %s\n", path, strerror(errno));
    return EXIT_FAILURE;
}

/* Never over an existing file: that key may be in use. */
static int write_key(const char *path, const char *key)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    int written = 0;

    if (f == NULL)
        return fail(path);
    written = fprintf(f, "%s\n", key);
    if (fclose(f) != 0 || written < 0) {
        int why = errno;

        unlink(path);
        errno = why;
        return fail(path);
    }
    return EXIT_SUCCESS;
}

static void print_stanza(const char *name, const char *key)
{
    printf("# Add this to users: in the server's keys file, say what the user may reach,\n"
           "# and reload the server (SIGHUP).\n"
           "  - name: \"%s\"\n"
           "    key: %s\n"
           "    allow: []   # such as [\"127.0.0.1:22\", \"*.example.com:443\"]\n",
           name, key);
}

static int make_key(const char *path, const char *name)
{
    struct tws_key key;
    char text[TWS_KEY_TEXT];
    int code = EXIT_SUCCESS;

    if (tws_key_generate(&key) != TWS_OK) {
        fputs("tws keygen: the system has no random bytes\n", stderr);
        return EXIT_FAILURE;
    }
    tws_key_format(&key, text);
    if (path != NULL)
        code = write_key(path, text);
    if (code == EXIT_SUCCESS && path != NULL)
        print_stanza(name, text);
    else if (code == EXIT_SUCCESS)
        puts(text);
    tws_wipe(&key, sizeof key);
    tws_wipe(text, sizeof text);
    if (fflush(stdout) != 0)
        return fail("standard output");
    return code;
}

int tws_command_keygen(int argc, char **argv)
{
    const char *path = NULL, *name = "client";

    if (tws_wants_help(argc, argv))
        return help();
    for (int i = 1; i < argc; i += 2) {
        const char **value = strcmp(argv[i], "-o") == 0   ? &path
                             : strcmp(argv[i], "-n") == 0 ? &name
                                                          : NULL;
        if (value == NULL)
            return tws_wrong_word("keygen", argv[i], "is not expected");
        if (i + 1 == argc)
            return tws_wrong_word("keygen", argv[i], "needs a value");
        *value = argv[i + 1];
    }
    if (!is_name(name))
        return wrong_name();
    return make_key(path, name);
}

/*
 * check.c - `tws check`: reads configuration files exactly as a process would, keys and all, and
 * starts nothing.
 */
#include "check_priv.h"
#include "file_priv.h"
#include "help_priv.h"
#include "load_priv.h"

#include "tws/app/commands.h"
#include "tws/app/config.h"
#include "tws/app/log_stderr.h"
#include "tws/app/yaml.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { GUESS, CLIENT, SERVER, KEYS };

static const char *const kind_names[] = {"", "client", "server", "keys"};

/* Keys that only one kind of file has at its left margin. */
static const struct {
    const char *key;
    enum kind kind;
} telling[] = {{"server:", CLIENT},   {"servers:", CLIENT},  {"remote:", CLIENT},
               {"forwards:", CLIENT}, {"key_file:", CLIENT}, {"connections:", CLIENT},
               {"uplinks:", CLIENT},  {"schedule:", CLIENT}, {"users:", KEYS}};

static enum kind kind_of_line(const char *line)
{
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
        if (strncmp(line, telling[i].key, strlen(telling[i].key)) == 0)
            return telling[i].kind;
    return GUESS;
}

static enum kind guess(const char *path)
{
    struct tws_file f;
    enum kind kind = GUESS;

    if (tws_file_read(path, TWS_YAML_MAX, &f) == TWS_OK) {
        for (const char *line = f.bytes; line != NULL && kind == GUESS;) {
            kind = kind_of_line(line);
            line = strchr(line, '\n');
            line = line != NULL ? line + 1 : NULL;
        }
    }
    tws_file_free(&f);
    return kind != GUESS ? kind : SERVER;
}

static tws_err check_settings(const char *path, unsigned who, struct tws_diag *diag)
{
    struct tws_client_config *client = NULL;
    struct tws_server_config *server = NULL;
    struct tws_settings s;
    tws_err err = tws_settings_init(&s, who);

    if (err == TWS_OK)
        err = tws_settings_read_file(&s, path, diag);
    if (err == TWS_OK)
        err = tws_settings_read_env(&s, diag);
    if (err == TWS_OK && who == TWS_OPT_CLIENT)
        err = tws_client_config_new(&s, diag, &client);
    else if (err == TWS_OK)
        err = tws_server_config_new(&s, diag, &server);
    if (err == TWS_OK)
        printf("%s: ok (%s)\n", path, kind_names[who == TWS_OPT_CLIENT ? CLIENT : SERVER]);
    if (err == TWS_OK && server != NULL)
        tws_check_spoof(path, server);
    tws_client_config_free(client);
    tws_server_config_free(server);
    tws_settings_fini(&s);
    return err;
}

static tws_err check_keys(const char *path, struct tws_diag *diag)
{
    struct tws_users users;
    tws_err err = tws_users_read("", path, diag, &users);

    if (err == TWS_OK)
        printf("%s: ok (%s)\n", path, kind_names[KEYS]);
    tws_users_free(users.users, users.n);
    return err;
}

static tws_err check_file(const char *path, enum kind kind, struct tws_diag *diag)
{
    tws_err err = TWS_OK;

    if (kind == GUESS)
        kind = guess(path);
    if (kind == KEYS)
        err = check_keys(path, diag);
    else
        err = check_settings(path, kind == CLIENT ? TWS_OPT_CLIENT : TWS_OPT_SERVER, diag);
    if (err != TWS_OK && err != TWS_CONFIG)
        fprintf(stderr, "%s: %s\n", path, tws_err_text(err));
    return err;
}

static enum kind kind_option(const char *arg)
{
    for (int i = CLIENT; i <= KEYS; i++)
        if (strncmp(arg, "--", 2) == 0 && strcmp(arg + 2, kind_names[i]) == 0)
            return (enum kind)i;
    return GUESS;
}

static int usage(FILE *out)
{
    fputs(
        "Usage: tws check [--client | --server | --keys] FILE...\n"
        "Reads each FILE as tws client or tws server would, or as a keys file, with the keys and\n"
        "certificates that it names, and says what is wrong. Which of them a file is shows from "
        "its\n"
        "keys, unless an option says it.\n",
        out);
    return out == stdout ? EXIT_SUCCESS : TWS_EXIT_USAGE;
}

int tws_command_check(int argc, char **argv)
{
    const char *name = "tws check";
    struct tws_diag diag = {.emit = tws_log_complaint, .ctx = &name};
    enum kind kind = GUESS;
    int first = 1, code = EXIT_SUCCESS;

    if (tws_wants_help(argc, argv))
        return usage(stdout);
    if (argc > first && argv[first][0] == '-') {
        kind = kind_option(argv[first++]);
        if (kind == GUESS)
            return tws_wrong_word("check", argv[1], "is not an option");
    }
    if (first >= argc)
        return usage(stderr);
    for (int i = first; i < argc; i++) {
        tws_err err = check_file(argv[i], kind, &diag);

        if (err != TWS_OK)
            code = tws_load_exit_code(err);
    }
    return code;
}

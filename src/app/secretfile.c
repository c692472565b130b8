/* secretfile.c - finding and reading files with secrets; see key.h. */
#include "file_priv.h"

#include "tws/app/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_FILE_MAX (4u << 20)

/* The part of `path` behind the variable, "/x", or NULL. */
static const char *behind_variable(const char *path)
{
    static const char *const spellings[] = {"$CREDENTIALS_DIRECTORY", "${CREDENTIALS_DIRECTORY}"};

    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        size_t n = strlen(spellings[i]);

        if (strncmp(path, spellings[i], n) == 0 && path[n] == '/')
            return path + n;
    }
    return NULL;
}

tws_err tws_secret_path(const char *path, char **out, struct tws_diag *diag)
{
    const char *rest = behind_variable(path);
    const char *directory = getenv("CREDENTIALS_DIRECTORY");

    if (rest == NULL) {
        *out = strdup(path);
        return *out != NULL ? TWS_OK : TWS_NOMEM;
    }
    if (directory == NULL) {
        tws_diag_error(diag,
                       "%s: CREDENTIALS_DIRECTORY is not set: start the service by systemd with "
                       "LoadCredential=%s:..., or give a plain path",
                       path, rest + 1);
        return TWS_CONFIG;
    }
    return asprintf(out, "%s%s", directory, rest) > 0 ? TWS_OK : TWS_NOMEM;
}

/* systemd shows a credential's access list as group bits, and guards the directory itself. */
static bool is_credential(const char *path)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    size_t n = directory != NULL ? strlen(directory) : 0;

    return n > 0 && strncmp(path, directory, n) == 0 && path[n] == '/' &&
           strstr(path + n, "/../") == NULL;
}

static tws_err judge(const char *where, const char *path, tws_err read, const struct tws_file *f,
                     struct tws_diag *diag)
{
    if (read == TWS_NOMEM)
        return TWS_NOMEM;
    if (read != TWS_OK)
        tws_diag_error(diag, "%s%s: %s", where, path, tws_file_why(read));
    else if (f->exposed && !is_credential(path))
        tws_diag_error(diag, "%s%s: others can read this file with secrets; do: chmod 600 %s",
                       where, path, path);
    else
        return TWS_OK;
    return TWS_CONFIG;
}

tws_err tws_secret_file_read(const char *where, const char *path, struct tws_file *out,
                             struct tws_diag *diag)
{
    char *real = NULL;
    tws_err err = TWS_OK;

    memset(out, 0, sizeof *out);
    err = tws_secret_path(path, &real, diag);
    if (err != TWS_OK)
        return err;
    err = judge(where, real, tws_file_read(real, SECRET_FILE_MAX, out), out, diag);
    if (err != TWS_OK)
        tws_file_free(out);
    free(real);
    return err;
}

/* The only line of `text` that is neither empty nor a comment, cut out in place; or NULL. */
static char *only_line(char *text)
{
    char *line = NULL, *next = text;

    while (next != NULL) {
        char *s = next + strspn(next, " \t\r");

        next = strchr(s, '\n');
        if (next != NULL)
            *next++ = '\0';
        s[strcspn(s, " \t\r")] = '\0';
        if (*s == '\0' || *s == '#')
            continue;
        if (line != NULL)
            return NULL;
        line = s;
    }
    return line;
}

tws_err tws_key_file_read(const char *where, const char *path, struct tws_key *out,
                          struct tws_diag *diag)
{
    struct tws_file f;
    char *line = NULL;
    tws_err err = tws_secret_file_read(where, path, &f, diag);

    if (err != TWS_OK)
        return err;
    line = only_line(f.bytes);
    if (line == NULL || tws_key_parse(line, out) != TWS_OK) {
        tws_diag_error(diag,
                       "%s%s: found no key, expected one line " TWS_KEY_PREFIX
                       "... as tws keygen makes it",
                       where, path);
        err = TWS_CONFIG;
    }
    tws_file_free(&f);
    return err;
}

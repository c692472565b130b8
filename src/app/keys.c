/* keys.c - the users of a keys file; see config.h. */
#include "access_priv.h"
#include "config_priv.h"
#include "file_priv.h"
#include "rules_priv.h"

#include "tws/app/key.h"
#include "tws/app/yaml.h"
#include "tws/base/secret.h"

#include <stdlib.h>
#include <string.h>

static tws_err parse_key(const struct tws_user_settings *u, struct tws_key *out)
{
    return u->key_id != NULL ? tws_key_parse_parts(u->key_id, u->key, out)
                             : tws_key_parse(u->key, out);
}

static tws_err fill_rules(const char *path, const struct tws_user_settings *from,
                          struct tws_diag *diag, struct tws_user *to)
{
    tws_err err = tws_rules_copy(&from->allow, &to->allow, &to->nallow);

    if (err == TWS_OK)
        err = tws_rules_copy(&from->listen, &to->listen, &to->nlisten);
    if (err != TWS_OK)
        return err;
    const char *wrong = tws_rules_not_to_listen(to->listen, to->nlisten);
    if (wrong != NULL)
        tws_diag_error(diag,
                       "%s:%u: user \"%s\": listen: found \"%.80s\", expected an address of the "
                       "server, a network or localhost, each with ports, or unix:/path",
                       path, from->line, from->name, wrong);
    wrong = tws_access_parse(from->listen_mode, from->listen_owner, &to->listen_access);
    if (wrong != NULL)
        tws_diag_error(diag, "%s:%u: user \"%s\": %s", path, from->line, from->name, wrong);
    return TWS_OK;
}

static tws_err fill_user(const char *path, const struct tws_user_settings *from,
                         struct tws_diag *diag, struct tws_user *to)
{
    to->max_channels = from->max_channels;
    to->max_sessions = from->max_sessions;
    to->max_listens = from->max_listens;
    to->rate = from->rate;
    if (parse_key(from, &to->key) != TWS_OK)
        tws_diag_error(diag,
                       "%s:%u: user \"%s\": key: expected " TWS_KEY_PREFIX "... as tws keygen "
                       "makes it%s",
                       path, from->line, from->name,
                       from->key_id != NULL ? ", without its prefix when key_id is given" : "");
    if (tws_config_copy(from->name, &to->name) != TWS_OK)
        return TWS_NOMEM;
    if (tws_config_take_grants(path, from, diag, to) != TWS_OK)
        return TWS_NOMEM;
    return fill_rules(path, from, diag, to);
}

static void find_doubles(const char *path, const struct tws_user_settings *list,
                         const struct tws_users *users, struct tws_diag *diag)
{
    const struct tws_user *last = &users->users[users->n - 1];
    unsigned line = list[users->n - 1].line;

    for (size_t i = 0; i + 1 < users->n; i++) {
        const struct tws_user *u = &users->users[i];

        if (strcmp(u->name, last->name) == 0)
            tws_diag_error(diag, "%s:%u: user \"%s\" is given twice, first on line %u", path, line,
                           last->name, list[i].line);
        else if (memcmp(u->key.id, last->key.id, sizeof u->key.id) == 0)
            tws_diag_error(diag, "%s:%u: user \"%s\" has the key id of \"%s\"", path, line,
                           last->name, u->name);
    }
}

static tws_err fill_users(const char *path, const struct tws_keys_file *file, struct tws_diag *diag,
                          struct tws_users *out)
{
    const struct tws_user_settings *list = file->users.p;
    tws_err err = TWS_OK;

    out->users = calloc(file->users.n + 1, sizeof *out->users);
    if (out->users == NULL)
        return TWS_NOMEM;
    while (out->n < file->users.n && err == TWS_OK) {
        err = fill_user(path, &list[out->n], diag, &out->users[out->n]);
        out->n++;
        if (err == TWS_OK)
            find_doubles(path, list, out, diag);
    }
    return err;
}

tws_err tws_users_read_yaml(const char *path, const char *bytes, size_t n, struct tws_diag *diag,
                            struct tws_users *out)
{
    struct tws_keys_file file = {0};
    struct tws_yaml_job job = {.path = path,
                               .bytes = bytes,
                               .n = n,
                               .table = tws_table_keys(),
                               .who = TWS_OPT_SERVER,
                               .diag = diag};
    unsigned errors = diag->errors;
    tws_err err = tws_yaml_read(&job, &file);

    *out = (struct tws_users){0};
    if (err == TWS_OK)
        err = fill_users(path, &file, diag, out);
    err = tws_config_verdict(err, diag, errors);
    tws_record_fini(tws_table_keys(), &file);
    if (err != TWS_OK) {
        tws_users_free(out->users, out->n);
        *out = (struct tws_users){0};
    }
    return err;
}

tws_err tws_users_read(const char *where, const char *path, struct tws_diag *diag,
                       struct tws_users *out)
{
    struct tws_file f;
    tws_err err = tws_secret_file_read(where, path, &f, diag);

    *out = (struct tws_users){0};
    if (err != TWS_OK)
        return err;
    err = tws_users_read_yaml(path, f.bytes, f.n, diag, out);
    tws_file_free(&f);
    return err;
}

void tws_users_free(struct tws_user *users, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tws_rules_free(users[i].allow, users[i].nallow);
        tws_rules_free(users[i].listen, users[i].nlisten);
        free(users[i].tun);
        free(users[i].name);
        tws_wipe(&users[i].key, sizeof users[i].key);
    }
    free(users);
}

/*
 * positional.c - what stands on the client's command line without an option: the server's URL, then
 * forwards in chisel's grammar; see settings_priv.h.
 */
#include "settings_priv.h"

#include "tws/app/value.h"
#include "tws/proto/remote.h"

#include <string.h>

static tws_err complain(struct tws_diag *diag, const char *word, const char *why)
{
    char shown[TWS_FOUND];

    tws_value_found(NULL, word, shown, sizeof shown);
    tws_diag_error(diag, "%s: %s", shown, why);
    return TWS_USAGE;
}

static bool is_stdio(const struct tws_remote *r)
{
    return r->listen.type == TWS_SPOT_STDIO;
}

/* `word` is what the user wrote, for messages. */
static tws_err add_remote(struct tws_settings *s, const char *word, const struct tws_remote *r,
                          struct tws_diag *diag)
{
    struct tws_remote *added = NULL;

    if (is_stdio(r) && tws_settings_has_stdio(s))
        return complain(diag, word, "stdin and stdout have a target already");
    added = tws_items_add(&s->remotes, sizeof *r);
    if (added == NULL)
        return TWS_NOMEM;
    *added = *r;
    return TWS_OK;
}

bool tws_settings_has_stdio(const struct tws_settings *s)
{
    const struct tws_remote *list = s->remotes.p;

    for (size_t i = 0; i < s->remotes.n; i++)
        if (is_stdio(&list[i]))
            return true;
    return false;
}

static bool is_url(const char *word)
{
    return strstr(word, "://") != NULL;
}

static tws_err take_forward(struct tws_settings *s, const char *word, struct tws_diag *diag)
{
    const char *why = NULL;
    struct tws_remote r;
    tws_err err = TWS_OK;

    if (is_url(word))
        return complain(diag, word, "the server's URL comes once, in front of the forwards");
    err = tws_remote_parse(word, &r, &why);
    return err == TWS_OK ? add_remote(s, word, &r, diag) : complain(diag, word, why);
}

tws_err tws_settings_take_words(struct tws_settings *s, char *const *words, size_t n,
                                struct tws_diag *diag)
{
    tws_err err = TWS_OK;

    if (n > 0 && s->who != TWS_OPT_CLIENT)
        return complain(diag, words[0], "not an option");
    if (n > 0 && s->server == NULL && s->config == NULL && !is_url(words[0]))
        return complain(diag, words[0],
                        "not a URL: the server comes first, such as wss://example.com/tws (or -s)");
    for (size_t i = 0; i < n && err == TWS_OK; i++)
        if (i == 0 && is_url(words[0]))
            err = tws_settings_take_text(s, "server", words[0], diag);
        else
            err = take_forward(s, words[i], diag);
    return err;
}

tws_err tws_settings_take_stdio(struct tws_settings *s, struct tws_diag *diag)
{
    const char *why = NULL;
    struct tws_remote r;

    if (s->stdio == NULL)
        return TWS_OK;
    if (tws_remote_parse_stdio(s->stdio, &r, &why) != TWS_OK)
        return complain(diag, s->stdio, why);
    return add_remote(s, s->stdio, &r, diag);
}

/* config_forwards.c - the client's forwards: what each kind needs, and what it has no use for; see
 * config.h. */
#include "config_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* What is to know of a kind, in the order of enum tws_forward_kind. */
static const struct {
    const char *name;
    bool has_remote;
} kinds[] = {
    [TWS_FORWARD_TCP] = {"tcp", true},
};
_Static_assert(sizeof kinds / sizeof *kinds == TWS_FORWARD_END, "each kind has its row");

/* An error about a record, or about the key `listen` if it is not of the list. */
__attribute__((format(printf, 4, 5))) static void complain(const struct tws_settings *s,
                                                           struct tws_diag *diag,
                                                           const struct tws_forward_settings *f,
                                                           const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (f->line != 0)
        tws_diag_error(diag, "%s:%u: %s", s->config, f->line, text);
    else
        tws_config_error(s, diag, "listen", "%s", text);
}

static bool same_listen(const struct tws_hostport *a, const struct tws_hostport *b)
{
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

static void judge(const struct tws_settings *s, struct tws_diag *diag,
                  const struct tws_client_config *c, const struct tws_forward_settings *f)
{
    const char *kind = kinds[f->kind - 1].name;
    bool has_remote = kinds[f->kind - 1].has_remote;
    char text[TWS_HOSTPORT_TEXT];

    if (has_remote && f->remote.port == 0)
        complain(s, diag, f,
                 "forward of kind %s without remote: say where the server shall connect to", kind);
    if (!has_remote && f->remote.port != 0)
        complain(s, diag, f, "forward of kind %s has a remote: its clients say where they go",
                 kind);
    for (size_t i = 0; i < c->nforwards; i++) {
        if (!same_listen(&c->forwards[i].listen, &f->listen))
            continue;
        tws_hostport_format(&f->listen, text, sizeof text);
        complain(s, diag, f, "two forwards listen on %s", text);
        return;
    }
}

static void add_forward(const struct tws_settings *s, struct tws_diag *diag,
                        struct tws_client_config *c, const struct tws_forward_settings *f)
{
    judge(s, diag, c, f);
    c->forwards[c->nforwards++] = (struct tws_forward){
        .listen = f->listen, .remote = f->remote, .kind = (enum tws_forward_kind)(f->kind - 1)};
}

/* The forward of the keys `listen` and `remote`. */
static void add_plain(const struct tws_settings *s, struct tws_diag *diag,
                      struct tws_client_config *c)
{
    const struct tws_forward_settings f = {
        .kind = TWS_FORWARD_TCP + 1, .listen = s->listen, .remote = s->remote};
    bool listen = s->listen.port != 0, remote = s->remote.port != 0;

    if (listen && remote)
        add_forward(s, diag, c, &f);
    else if (listen)
        tws_config_error(s, diag, "listen",
                         "listen has no remote: say where the server shall connect to");
    else if (remote)
        tws_config_error(s, diag, "remote",
                         "remote has no listen: say where to accept connections");
    else if (s->forwards.n == 0)
        tws_config_error(s, diag, "listen",
                         "nothing to forward: give listen and remote, or a list of forwards");
}

tws_err tws_config_take_forwards(const struct tws_settings *s, struct tws_diag *diag,
                                 struct tws_client_config *c)
{
    const struct tws_forward_settings *list = s->forwards.p;

    c->forwards = calloc(s->forwards.n + 1, sizeof *c->forwards);
    if (c->forwards == NULL)
        return TWS_NOMEM;
    for (size_t i = 0; i < s->forwards.n; i++)
        add_forward(s, diag, c, &list[i]);
    add_plain(s, diag, c);
    return TWS_OK;
}

void tws_config_free_forwards(struct tws_client_config *c)
{
    free(c->forwards);
}

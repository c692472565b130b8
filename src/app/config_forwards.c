/* config_forwards.c - the client's forwards: what each kind needs, and what it has no use for; see
 * config.h. */
#include "access_priv.h"
#include "config_priv.h"
#include "rules_priv.h"

#include "tws/base/secret.h"
#include "tws/proto/remote.h"
#include "tws/tunnel/footprint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is to know of a kind, in the order of enum tws_forward_kind. */
static const struct {
    const char *name;
    bool has_remote;
    bool is_proxy; /* its clients say where they go, and who they are */
    bool reversible;
    bool datagrams;      /* the port is one of UDP */
    bool without_listen; /* there is a default, or nothing to listen on */
} kinds[] = {
    [TWS_FORWARD_TCP] = {.name = "tcp", .has_remote = true, .reversible = true},
    [TWS_FORWARD_SOCKS] = {.name = "socks", .is_proxy = true, .reversible = true},
    [TWS_FORWARD_HTTP] = {.name = "http", .is_proxy = true, .reversible = true},
    [TWS_FORWARD_PROXY] = {.name = "proxy", .is_proxy = true, .reversible = true},
    [TWS_FORWARD_UDP] = {.name = "udp", .has_remote = true, .reversible = true, .datagrams = true},
    [TWS_FORWARD_TRANSPARENT] = {.name = "transparent", .without_listen = true},
    [TWS_FORWARD_TUN] = {.name = "tun", .without_listen = true},
};
_Static_assert(sizeof kinds / sizeof *kinds == TWS_FORWARD_END, "each kind has its row");

/* The kinds of the command line's forwards. */
static const enum tws_forward_kind kind_of_remote[] = {
    [TWS_REMOTE_TCP] = TWS_FORWARD_TCP,     [TWS_REMOTE_UDP] = TWS_FORWARD_UDP,
    [TWS_REMOTE_SOCKS] = TWS_FORWARD_SOCKS, [TWS_REMOTE_HTTP] = TWS_FORWARD_HTTP,
    [TWS_REMOTE_PROXY] = TWS_FORWARD_PROXY,
};

/* An error about a record, about a word of the command line, or else about the key `listen`. */
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
    else if (f->word != NULL)
        tws_diag_error(diag, "%s: %s", f->word, text);
    else
        tws_config_error(s, diag, "listen", "%s", text);
}

/* The list it belongs into. */
struct list {
    struct tws_forward **items;
    size_t *n;
};

static struct list list_of(struct tws_client_config *c, const struct tws_forward_settings *f)
{
    return f->reverse ? (struct list){&c->reverses, &c->nreverses}
                      : (struct list){&c->forwards, &c->nforwards};
}

/* ---- what a kind needs ---- */

static void judge_remote(const struct tws_settings *s, struct tws_diag *diag,
                         const struct tws_forward_settings *f)
{
    const char *kind = kinds[f->kind - 1].name;
    bool has_remote = kinds[f->kind - 1].has_remote, given = f->remote.type != TWS_SPOT_NONE;

    if (has_remote && !given)
        complain(s, diag, f, "forward of kind %s without remote: say where the %s shall connect to",
                 kind, f->reverse ? "client" : "server");
    if (!has_remote && given)
        complain(s, diag, f, "forward of kind %s has a remote: its clients say where they go",
                 kind);
    if (has_remote && given && tws_spot_count(&f->listen) != tws_spot_count(&f->remote))
        complain(s, diag, f,
                 "listen has %u ports and remote has %u: each needs its counterpart, as in "
                 "127.0.0.1:8000-8010 and host:9000-9010",
                 tws_spot_count(&f->listen), tws_spot_count(&f->remote));
}

static bool is_tun(const struct tws_forward_settings *f)
{
    return f->kind - 1 == TWS_FORWARD_TUN;
}

static bool has_all(const struct tws_client_config *c)
{
    for (size_t i = 0; i < c->nforwards; i++)
        if (c->forwards[i].tun != NULL && c->forwards[i].tun->all)
            return true;
    return false;
}

static void judge_tun(const struct tws_settings *s, struct tws_diag *diag,
                      const struct tws_client_config *c, const struct tws_forward_settings *f)
{
    const char *wrong = tws_config_judge_tun(f, is_tun(f));

    if (wrong != NULL)
        complain(s, diag, f, "forward of kind %s: %s", kinds[f->kind - 1].name, wrong);
    if (f->all && has_all(c))
        complain(s, diag, f, "two forwards have all: true");
    for (size_t i = 0; is_tun(f) && i < c->nforwards; i++)
        if (c->forwards[i].kind == TWS_FORWARD_TUN &&
            strcmp(c->forwards[i].listen.name, f->device != NULL ? f->device : "") == 0)
            complain(s, diag, f, "two forwards of kind tun have the same device: name another");
}

/* Whether only this machine can connect, or somebody else decides that. */
static bool is_private(const struct tws_spot *listen)
{
    struct tws_ip ip;

    if (listen->type != TWS_SPOT_INET)
        return true;
    if (tws_ip_parse(listen->name, &ip) == TWS_OK)
        return tws_ip_is_loopback(&ip);
    return strcmp(listen->name, "localhost") == 0;
}

/* Whoever reaches it at the server reaches what is behind this client. */
static void judge_reversed_proxy(const struct tws_settings *s, struct tws_diag *diag,
                                 const struct tws_forward_settings *f)
{
    const char *kind = kinds[f->kind - 1].name;
    char text[TWS_SPOT_TEXT];

    if (f->user != NULL || f->password != NULL || f->optimistic)
        complain(s, diag, f,
                 "reverse forward of kind %s has no use for user, password and optimistic: the "
                 "server serves whoever reaches it",
                 kind);
    if (f->allow.n == 0)
        complain(s, diag, f,
                 "reverse forward of kind %s without allow: list the targets that this client "
                 "connects to, such as 10.0.0.0/8:80 or *",
                 kind);
    if (is_private(&f->listen))
        return;
    tws_spot_format(&f->listen, text, sizeof text);
    tws_diag_warn(diag,
                  "reverse forward of kind %s on %s: whoever reaches the server there reaches what "
                  "allow has from this client; listen on 127.0.0.1",
                  kind, text);
}

static void judge_login(const struct tws_settings *s, struct tws_diag *diag,
                        const struct tws_forward_settings *f)
{
    const char *kind = kinds[f->kind - 1].name;
    char text[TWS_SPOT_TEXT];

    if (!kinds[f->kind - 1].is_proxy) {
        if (f->user != NULL || f->password != NULL || f->optimistic)
            complain(s, diag, f, "forward of kind %s has no use for user, password and optimistic",
                     kind);
        return;
    }
    if (f->reverse) {
        judge_reversed_proxy(s, diag, f);
        return;
    }
    if ((f->user != NULL) != (f->password != NULL))
        complain(s, diag, f, "forward of kind %s has a %s without a %s: give both or neither", kind,
                 f->user != NULL ? "user" : "password", f->user != NULL ? "password" : "user");
    if (f->password != NULL && s->file_is_exposed)
        tws_diag_warn(diag, "%s:%u: others can read this file with a password; do: chmod 600 %s",
                      s->config, f->line, s->config);
    if (f->user == NULL && f->password == NULL && !is_private(&f->listen)) {
        tws_spot_format(&f->listen, text, sizeof text);
        tws_diag_warn(diag,
                      "forward of kind %s on %s: whoever reaches it uses the tunnel; give user and "
                      "password, or listen on 127.0.0.1",
                      kind, text);
    }
}

/* ---- all ---- */

static void judge_access(const struct tws_settings *s, struct tws_diag *diag,
                         const struct tws_forward_settings *f)
{
    struct tws_unix_access access;
    const char *why = tws_access_parse(f->listen_mode, f->listen_owner, &access);
    bool has_file = f->listen.type == TWS_SPOT_UNIX && f->listen.name[0] == '/' && !f->reverse;

    if (why != NULL)
        complain(s, diag, f, "%s", why);
    else if (!has_file && (f->listen_mode != NULL || f->listen_owner != NULL))
        complain(s, diag, f,
                 f->reverse ? "reverse forward has no use for listen_mode and listen_owner: the "
                              "server's keys file has them, beside the user's listen"
                            : "listen_mode and listen_owner are for listen: unix:/path only");
}

static void judge_listen(const struct tws_settings *s, struct tws_diag *diag,
                         const struct list *list, const struct tws_forward_settings *f)
{
    struct tws_spot at = f->listen;
    char text[TWS_SPOT_TEXT];

    judge_access(s, diag, f);
    if (f->listen.type == TWS_SPOT_INET && f->listen.port == 0 && !f->reverse)
        complain(s, diag, f,
                 "forward listens on port 0: give a port, or nobody would learn which it became");
    if (!kinds[f->kind - 1].without_listen && f->listen.type == TWS_SPOT_NONE)
        complain(s, diag, f, "forward of kind %s without listen: say where to accept connections",
                 kinds[f->kind - 1].name);
    for (size_t i = 0; i < *list->n; i++) {
        const struct tws_spot *other = &(*list->items)[i].listen;
        enum tws_forward_kind kind = (*list->items)[i].kind;

        if (!tws_spot_overlaps(other, &f->listen) ||
            kinds[kind].datagrams != kinds[f->kind - 1].datagrams)
            continue;
        at.port = at.last = other->port;
        tws_spot_format(&at, text, sizeof text);
        complain(s, diag, f, "two %sforwards listen on %s", f->reverse ? "reverse " : "", text);
        return;
    }
}

/* Where the server can listen: it resolves no names for that, and has its own descriptors. What is
 * wrong with unix sockets of datagrams is said elsewhere. */
static bool is_of_server(const struct tws_spot *s)
{
    struct tws_ip ip;

    return s->type == TWS_SPOT_UNIX ||
           (s->type == TWS_SPOT_INET &&
            (s->name[0] == '\0' || strcasecmp(s->name, "localhost") == 0 ||
             tws_ip_parse(s->name, &ip) == TWS_OK));
}

static void judge_allow(const struct tws_settings *s, struct tws_diag *diag,
                        const struct tws_forward_settings *f)
{
    if (f->allow.n > 0 && !(f->reverse && kinds[f->kind - 1].is_proxy))
        complain(s, diag, f,
                 "forward of kind %s has no use for allow: only proxies with reverse have, the "
                 "server's keys file has the rules for the others",
                 kinds[f->kind - 1].name);
}

static void judge_reverse(const struct tws_settings *s, struct tws_diag *diag,
                          const struct tws_forward_settings *f)
{
    char text[TWS_SPOT_TEXT];

    if (!kinds[f->kind - 1].reversible)
        complain(s, diag, f, "forward of kind %s cannot be reversed", kinds[f->kind - 1].name);
    if (f->trusted.n > 0 || f->trusted_file != NULL)
        complain(s, diag, f, "reverse forward has no use for trusted: the server accepts there");
    if (is_of_server(&f->listen))
        return;
    tws_spot_format(&f->listen, text, sizeof text);
    complain(
        s, diag, f,
        "reverse forward listens on \"%.80s\": give an address of the server, localhost, no host "
        "for all of its addresses, or unix:/path",
        text);
}

static void judge_datagrams(const struct tws_settings *s, struct tws_diag *diag,
                            const struct tws_forward_settings *f)
{
    if (!kinds[f->kind - 1].datagrams)
        return;
    if (s->no_udp)
        complain(s, diag, f, "forward of kind udp, but no_udp is set: take out one of them");
    if (f->listen.type == TWS_SPOT_UNIX || f->remote.type == TWS_SPOT_UNIX)
        complain(s, diag, f,
                 "forward of kind udp: unix sockets carry connections only; give addresses with a "
                 "port, or fd:NAME to listen");
}

static void judge_networks(const struct tws_settings *s, struct tws_diag *diag,
                           const struct tws_client_config *c, const struct tws_forward_settings *f)
{
    char why[TWS_CONFIG_WHY];

    if (f->kind - 1 == TWS_FORWARD_TRANSPARENT) {
        if (!tws_config_judge_transparent(c, f, why))
            complain(s, diag, f, "%s", why);
    } else if (f->networks.n > 0 || (f->exclude.n > 0 && !is_tun(f)) || f->tproxy || f->local) {
        complain(s, diag, f,
                 "forward of kind %s has no use for networks, exclude, tproxy and local",
                 kinds[f->kind - 1].name);
    }
}

/* The i-th port of a range; what has no ports is as it is. */
static struct tws_spot port_of(const struct tws_spot *range, unsigned i)
{
    struct tws_spot s = *range;

    if (s.type == TWS_SPOT_INET)
        s.port = s.last = (uint16_t)(range->port + i);
    return s;
}

/* What tells it from others is its device. */
static tws_err add_tun(const struct tws_forward_settings *f, struct tws_forward *out)
{
    *out = (struct tws_forward){.kind = TWS_FORWARD_TUN};
    if (f->device != NULL)
        snprintf(out->listen.name, sizeof out->listen.name, "%s", f->device);
    return tws_config_take_tun(f, &out->tun);
}

/* The forward of the i-th port; there is room for it. TWS_NOMEM. */
static tws_err add_one(const struct tws_settings *s, struct tws_diag *diag, const struct list *list,
                       const struct tws_forward_settings *f, unsigned i)
{
    struct tws_forward *out = &(*list->items)[(*list->n)++];

    if (is_tun(f))
        return add_tun(f, out);
    *out = (struct tws_forward){.listen = port_of(&f->listen, i),
                                .remote = port_of(&f->remote, i),
                                .kind = (enum tws_forward_kind)(f->kind - 1),
                                .optimistic = f->optimistic};
    (void)tws_access_parse(f->listen_mode, f->listen_owner, &out->access); /* judged already */
    tws_err err = tws_config_copy(f->user, &out->user);
    if (err == TWS_OK)
        err = tws_config_copy(f->password, &out->password);
    if (err == TWS_OK)
        err = tws_config_take_trusted(s, diag, f, out);
    return err == TWS_OK ? tws_rules_copy(&f->allow, &out->allow, &out->nallow) : err;
}

/* A forward for each port of the range. TWS_NOMEM. */
static tws_err add_forward(const struct tws_settings *s, struct tws_diag *diag,
                           struct tws_client_config *c, const struct tws_forward_settings *f)
{
    unsigned n = tws_spot_count(&f->listen);
    struct list list = list_of(c, f);
    struct tws_forward *grown = realloc(*list.items, (*list.n + n) * sizeof *grown);

    if (grown == NULL)
        return TWS_NOMEM;
    *list.items = grown;
    judge_remote(s, diag, f);
    if (f->reverse)
        judge_reverse(s, diag, f);
    judge_listen(s, diag, &list, f);
    judge_login(s, diag, f);
    judge_datagrams(s, diag, f);
    judge_allow(s, diag, f);
    judge_networks(s, diag, c, f);
    judge_tun(s, diag, c, f);
    if (f->all)
        c->link.mark = TWS_MARK_OWN;
    for (unsigned i = 0; i < n; i++) {
        tws_err err = add_one(s, diag, &list, f, i);
        if (err != TWS_OK)
            return err;
    }
    if (f->kind - 1 == TWS_FORWARD_TRANSPARENT)
        return tws_config_take_transparent(c, &(*list.items)[*list.n - 1], f);
    return TWS_OK;
}

/* The forward of the keys `listen` and `remote`: as tws-rust has it, of UDP too. */
static tws_err add_plain(const struct tws_settings *s, struct tws_diag *diag,
                         struct tws_client_config *c)
{
    struct tws_forward_settings f = {.kind = TWS_FORWARD_TCP + 1,
                                     .listen = s->listen,
                                     .listen_mode = s->listen_mode,
                                     .listen_owner = s->listen_owner,
                                     .remote = s->remote};
    bool listen = s->listen.type != TWS_SPOT_NONE, remote = s->remote.type != TWS_SPOT_NONE;

    if (listen && remote) {
        tws_err err = add_forward(s, diag, c, &f);
        bool inet = s->listen.type == TWS_SPOT_INET && s->remote.type == TWS_SPOT_INET;
        f.kind = TWS_FORWARD_UDP + 1;
        f.listen_mode = f.listen_owner = NULL;
        return err == TWS_OK && inet && !s->no_udp ? add_forward(s, diag, c, &f) : err;
    }
    if (listen)
        tws_config_error(s, diag, "listen",
                         "listen has no remote: say where the server shall connect to");
    else if (remote)
        tws_config_error(s, diag, "remote",
                         "remote has no listen: say where to accept connections");
    else if (s->forwards.n == 0 && s->remotes.n == 0)
        tws_config_error(s, diag, "listen",
                         "nothing to forward: give listen and remote, or a list of forwards");
    return TWS_OK;
}

/* One of the command line. TWS_NOMEM. */
static tws_err add_remote(const struct tws_settings *s, struct tws_diag *diag,
                          struct tws_client_config *c, const struct tws_remote *r)
{
    char word[TWS_REMOTE_TEXT];
    const struct tws_forward_settings f = {.word = word,
                                           .reverse = r->reverse,
                                           .kind = 1 + (uint32_t)kind_of_remote[r->kind],
                                           .listen = r->listen,
                                           .remote = r->target};

    tws_remote_format(r, word, sizeof word);
    if (r->listen.type == TWS_SPOT_STDIO) {
        c->stdio = r->target;
        return TWS_OK;
    }
    return add_forward(s, diag, c, &f);
}

/* Those of the file. A process that serves stdin and stdout leaves them to the one that runs all
 * day, whose ports they are. */
static tws_err add_records(const struct tws_settings *s, struct tws_diag *diag,
                           struct tws_client_config *c)
{
    const struct tws_forward_settings *list = s->forwards.p;
    tws_err err = TWS_OK;

    for (size_t i = 0; i < s->forwards.n && err == TWS_OK; i++)
        err = add_forward(s, diag, c, &list[i]);
    return err == TWS_OK ? add_plain(s, diag, c) : err;
}

tws_err tws_config_take_forwards(const struct tws_settings *s, struct tws_diag *diag,
                                 struct tws_client_config *c)
{
    const struct tws_remote *remotes = s->remotes.p;
    tws_err err = TWS_OK;

    if (!tws_settings_has_stdio(s))
        err = add_records(s, diag, c);
    for (size_t i = 0; i < s->remotes.n && err == TWS_OK; i++)
        err = add_remote(s, diag, c, &remotes[i]);
    return err;
}

static void free_list(struct tws_forward *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tws_forward *f = &list[i];

        if (f->password != NULL)
            tws_wipe(f->password, strlen(f->password));
        free(f->password);
        free(f->user);
        free(f->trusted);
        tws_rules_free(f->allow, f->nallow);
        free(f->networks);
        free(f->exclude);
        tws_config_free_tun(f->tun);
    }
    free(list);
}

void tws_config_free_forwards(struct tws_client_config *c)
{
    free_list(c->forwards, c->nforwards);
    free_list(c->reverses, c->nreverses);
}

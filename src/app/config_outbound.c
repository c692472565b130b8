/*
 * config_outbound.c - how the client shows itself to its servers, and what it demands of them; see
 * config.h. A header's value may be a secret: no message shows one.
 */
#include "config_priv.h"

#include "tws/app/key.h"
#include "tws/app/value.h"
#include "tws/base/secret.h"
#include "tws/ws/identity.h"
#include "tws/ws/upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_MAX 110 /* what libwebsockets has room for */

static void unexpected(const struct tws_settings *s, struct tws_diag *diag, const char *key,
                       const char *text, const char *expected)
{
    char found[TWS_FOUND];

    tws_value_found(NULL, text, found, sizeof found);
    tws_config_error(s, diag, key, "%s: found %s, expected %s", key, found, expected);
}

/* ---- headers ---- */

/* What the upgrade, or the way of the request, depends on; a trailing "-" stands for all such. */
static const struct {
    const char *name, *instead;
} reserved[] = {
    {"Host", "; set host instead"},
    {"Connection", ""},
    {"Upgrade", ""},
    {"Sec-WebSocket-", ""},
    {"Tws-", ""},
    {"Content-Length", ""},
    {"Transfer-Encoding", ""},
    {"Trailer", ""},
    {"TE", ""},
    {"Expect", ""},
    {"Keep-Alive", ""},
    {"Proxy-Connection", ""},
    {"Proxy-Authorization", "; give user and password in proxy"},
};

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool names(const char *pattern, const char *name, size_t n)
{
    size_t len = strlen(pattern);
    bool family = pattern[len - 1] == '-';

    return strncasecmp(pattern, name, len < n ? len : n) == 0 && (family ? n >= len : n == len);
}

/* What is wrong with a header's name, or NULL. */
static const char *judge_name(const char *text, size_t n, const char **instead)
{
    *instead = "";
    if (n == 0 || text[n] != ':')
        return "expected \"Name: value\"";
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (!names(reserved[i].name, text, n))
            continue;
        *instead = reserved[i].instead;
        return "the tunnel makes this header itself";
    }
    return NULL;
}

static bool has_control(const char *value)
{
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < ' ' ? *value != '\t' : *value == 0x7f)
            return true;
    return false;
}

/* Appends the header to *all; false: out of memory. */
static bool append(char **all, const char *text, size_t name)
{
    const char *value = text + name + 1 + strspn(text + name + 1, " \t");
    char *longer = NULL;

    if (asprintf(&longer, "%s%.*s: %s\r\n", *all != NULL ? *all : "", (int)name, text, value) < 0)
        return false;
    if (*all != NULL)
        tws_wipe(*all, strlen(*all));
    free(*all);
    *all = longer;
    return true;
}

static tws_err take_headers(const struct tws_settings *s, struct tws_diag *diag,
                            struct tws_outbound *o)
{
    char *const *list = s->headers.p;

    for (size_t i = 0; i < s->headers.n; i++) {
        size_t n = 0;
        const char *instead = "", *why = NULL;

        while (is_token(list[i][n]))
            n++;
        why = judge_name(list[i], n, &instead);
        if (why == NULL && has_control(list[i] + n))
            why = "the value has a line break or another control character";
        if (why != NULL)
            tws_config_error(s, diag, "headers", "headers: \"%.*s\": %s%s", (int)(n < 60 ? n : 60),
                             list[i], why, instead);
        else if (!append(&o->headers, list[i], n))
            return TWS_NOMEM;
    }
    if (o->headers != NULL && strlen(o->headers) > TWS_UPGRADE_HEADERS)
        tws_config_error(s, diag, "headers",
                         "headers: found %zu bytes together, expected at most %d",
                         strlen(o->headers), TWS_UPGRADE_HEADERS);
    return TWS_OK;
}

/* ---- names ---- */

static bool is_host(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!(is_token(*c) || strchr(":[]", *c) != NULL))
            return false;
    return strlen(text) <= HOST_MAX;
}

static tws_err take_host(const struct tws_settings *s, struct tws_diag *diag,
                         struct tws_outbound *o)
{
    if (s->host != NULL && !is_host(s->host))
        unexpected(s, diag, "host", s->host, "a name such as example.com, maybe with a port");
    return tws_config_copy(s->host, &o->host);
}

static bool is_name(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              *c == '-' || *c == '.' || *c == '_'))
            return false;
    return true;
}

static tws_err take_sni(const struct tws_settings *s, struct tws_diag *diag, struct tws_outbound *o)
{
    struct tws_ip ip;

    if (s->sni == NULL)
        return TWS_OK;
    if (strcmp(s->sni, "none") == 0)
        return tws_config_copy("", &o->sni);
    if (!is_name(s->sni) || tws_ip_parse(s->sni, &ip) == TWS_OK)
        unexpected(s, diag, "sni", s->sni, "a name, or none to send none");
    return tws_config_copy(s->sni, &o->sni);
}

/* ---- certificates ---- */

static void warn_of_readers(const struct tws_settings *s, struct tws_diag *diag, const char *path)
{
    char place[TWS_PLACE];
    struct stat st;

    if (stat(path, &st) != 0 || (st.st_mode & S_IROTH) == 0)
        return;
    tws_settings_place(s, "cert_key_file", place, sizeof place);
    tws_diag_warn(diag, "%s%s: everyone here can read this private key; do: chmod 600 %s", place,
                  path, path);
}

tws_err tws_config_take_identity(const struct tws_settings *s, struct tws_diag *diag, char **cert,
                                 char **key)
{
    char why[TWS_IDENTITY_WHY];
    struct tws_identity *id = NULL;
    tws_err err = TWS_OK;

    if (s->cert_file == NULL) {
        if (s->cert_key_file != NULL)
            tws_config_error(s, diag, "cert_key_file",
                             "cert_key_file: its certificate is missing: set cert_file");
        return TWS_OK;
    }
    err = tws_secret_path(s->cert_file, cert, diag);
    if (err == TWS_OK && s->cert_key_file != NULL)
        err = tws_secret_path(s->cert_key_file, key, diag);
    if (err != TWS_OK)
        return err == TWS_CONFIG ? TWS_OK : err; /* said already */
    err = tws_identity_load(*cert, *key, &id, why);
    tws_identity_free(id);
    if (err == TWS_CONFIG)
        tws_config_error(s, diag, "cert_file", "%s", why);
    else if (err == TWS_OK)
        warn_of_readers(s, diag, *key != NULL ? *key : *cert);
    return err == TWS_CONFIG ? TWS_OK : err;
}

static void take_pins(const struct tws_settings *s, struct tws_diag *diag,
                      const struct tws_client_config *c, struct tws_pins *out)
{
    char *const *list = s->pin.p;

    if (s->pin.n > TWS_PINS_MAX)
        tws_config_error(s, diag, "pin", "pin: found %zu, expected at most %d", s->pin.n,
                         TWS_PINS_MAX);
    for (size_t i = 0; i < s->pin.n && out->n < TWS_PINS_MAX; i++)
        if (tws_pin_parse(list[i], out->keys[out->n]) == TWS_OK)
            out->n++;
        else
            unexpected(s, diag, "pin", list[i], "sha256// and 44 characters of base64");
    for (size_t i = 0; i < c->nservers && s->pin.n > 0; i++)
        if (!c->servers[i].tls && c->servers[i].path != NULL)
            tws_config_error(s, diag, "pin", "pin: a ws:// server has no key to pin; use wss://");
}

static bool any_tls(const struct tws_client_config *c)
{
    for (size_t i = 0; i < c->nservers; i++)
        if (c->servers[i].tls)
            return true;
    return false;
}

static tws_err take_trust(const struct tws_settings *s, struct tws_diag *diag,
                          struct tws_client_config *c)
{
    struct tws_outbound *o = &c->outbound;

    o->tls13 = s->tls_min == TWS_TLS_MIN_13;
    take_pins(s, diag, c, &o->pins);
    o->insecure = s->insecure;
    if (o->insecure && o->pins.n == 0 && any_tls(c))
        tws_diag_warn(diag, "insecure: the server's certificate is not verified; anyone in between "
                            "can pose as the server");
    if (s->ca_file != NULL && access(s->ca_file, R_OK) != 0)
        tws_config_error(s, diag, "ca_file", "ca_file %s: %s", s->ca_file, strerror(errno));
    return tws_config_copy(s->ca_file, &o->ca_file);
}

/* ---- all ---- */

tws_err tws_config_take_outbound(const struct tws_settings *s, struct tws_diag *diag,
                                 struct tws_client_config *c)
{
    struct tws_outbound *o = &c->outbound;
    tws_err err = take_trust(s, diag, c);

    if (err == TWS_OK)
        err = take_headers(s, diag, o);
    if (err == TWS_OK)
        err = take_host(s, diag, o);
    if (err == TWS_OK)
        err = take_sni(s, diag, o);
    if (err == TWS_OK)
        err = tws_config_take_identity(s, diag, &o->cert_file, &o->cert_key_file);
    return err;
}

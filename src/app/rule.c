/*
 * rule.c - see rule_priv.h. What looks like an address must be one: "10.0.0.1/8" or "10.0.0" never
 * silently becomes a host name.
 */
#include "rule_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAX      65535
#define PATH_MAX_UNIX 107 /* what a sockaddr_un holds with its NUL */

/* A port at *p, which moves behind it. */
static bool take_port(const char **p, uint16_t *out)
{
    unsigned long v = 0;
    const char *from = *p;

    while (isdigit((unsigned char)**p) && v <= PORT_MAX)
        v = v * 10 + (unsigned long)(*(*p)++ - '0');
    *out = (uint16_t)v;
    return *p != from && v >= 1 && v <= PORT_MAX;
}

/* "22", "80-90" or "*". */
static tws_err parse_ports(const char *text, struct tws_rule *r)
{
    if (strcmp(text, "*") == 0)
        return TWS_OK;
    if (!take_port(&text, &r->port_min))
        return TWS_ABSENT;
    r->port_max = r->port_min;
    if (*text == '-' && (text++, !take_port(&text, &r->port_max)))
        return TWS_ABSENT;
    return *text == '\0' && r->port_min <= r->port_max ? TWS_OK : TWS_ABSENT;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

/* A host name of labels, "*." in front for every name below it, or "*" for any target. */
static bool is_name(const char *s)
{
    size_t n = strlen(s);

    if (strcmp(s, "*") == 0)
        return true;
    if (strncmp(s, "*.", 2) == 0)
        s += 2;
    if (*s == '\0' || *s == '.' || n > 253 || strstr(s, "..") != NULL)
        return false;
    for (; *s != '\0'; s++)
        if (!is_name_char(*s))
            return false;
    return true;
}

static bool looks_like_address(const char *s)
{
    return strspn(s, "0123456789./") == strlen(s) || strpbrk(s, ":/") != NULL;
}

static tws_err parse_host(char *host, struct tws_rule *r)
{
    size_t n = strlen(host);

    if (looks_like_address(host))
        return tws_prefix_parse(host, &r->prefix);
    if (n > 2 && host[n - 1] == '.')
        host[--n] = '\0';
    if (!is_name(host))
        return TWS_ABSENT;
    for (size_t i = 0; i < n; i++)
        host[i] = (char)tolower((unsigned char)host[i]);
    r->name = strdup(host);
    return r->name != NULL ? TWS_OK : TWS_NOMEM;
}

/* "unix:/run/app.sock", "unix:/run/app/" and a * at the end, "unix:@name". */
static tws_err parse_path(const char *path, struct tws_rule *r)
{
    const char *star = strchr(path, '*');
    size_t n = strlen(path);

    if ((path[0] != '/' && path[0] != '@') || n < 2 || n > PATH_MAX_UNIX ||
        (star != NULL && star[1] != '\0'))
        return TWS_ABSENT;
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)path[i]))
            return TWS_ABSENT;
    if (path[0] == '/' &&
        (strstr(path, "//") != NULL || strstr(path, "/./") != NULL || strstr(path, "/../") != NULL))
        return TWS_ABSENT;
    r->is_path = true;
    r->name = strdup(path);
    return r->name != NULL ? TWS_OK : TWS_NOMEM;
}

/* Moves *text behind "tcp/" or "udp/". */
static uint8_t take_protocol(const char **text)
{
    uint8_t protocol = strncmp(*text, "tcp/", 4) == 0   ? TWS_RULE_TCP
                       : strncmp(*text, "udp/", 4) == 0 ? TWS_RULE_UDP
                                                        : TWS_RULE_BOTH;

    if (protocol != TWS_RULE_BOTH)
        *text += 4;
    return protocol;
}

/* Cuts `s` into host and ports; *ports is NULL without. False: a bracket is not closed. */
static bool split(char *s, char **host, char **ports)
{
    char *colon = strchr(s, ':'), *close = strchr(s, ']');

    *host = s;
    *ports = NULL;
    if (s[0] == '[') {
        if (close == NULL || (close[1] != '\0' && close[1] != ':'))
            return false;
        *host = s + 1;
        *ports = close[1] == ':' ? close + 2 : NULL;
        *close = '\0';
        return strchr(*host, ':') != NULL;
    }
    if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0';
        *ports = colon + 1;
    }
    return true;
}

static tws_err parse_target(const char *text, struct tws_rule *r)
{
    char copy[TWS_HOSTPORT_TEXT + 8], *host = NULL, *ports = NULL;
    tws_err err = TWS_OK;

    r->protocol = take_protocol(&text);
    if (strlen(text) >= sizeof copy)
        return TWS_ABSENT;
    memcpy(copy, text, strlen(text) + 1);
    if (!split(copy, &host, &ports))
        return TWS_ABSENT;
    if (ports != NULL)
        err = parse_ports(ports, r);
    return err == TWS_OK ? parse_host(host, r) : err;
}

tws_err tws_rule_parse(const char *text, struct tws_rule *out)
{
    struct tws_rule r = {.port_min = 1, .port_max = PORT_MAX};
    tws_err err =
        strncmp(text, "unix:", 5) == 0 ? parse_path(text + 5, &r) : parse_target(text, &r);

    if (err != TWS_OK)
        return err;
    free(out->name);
    *out = r;
    return TWS_OK;
}

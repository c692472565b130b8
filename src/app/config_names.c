/*
 * config_names.c - a warning: TPROXY would catch the question for the server's name, which is asked
 * before there is a tunnel to ask it through; see config.h.
 */
#include "config_priv.h"
#include "file_priv.h"

#include <stdio.h>
#include <string.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define FILE_MAX    65536u

/* A server that is looked up; NULL: none is. Behind a proxy that is the proxy's affair. */
static const char *looked_up(const struct tws_client_config *c)
{
    struct tws_ip ip;

    for (size_t i = 0; i < c->nservers; i++) {
        const struct tws_endpoint *e = &c->servers[i];
        if (e->proxy == NULL && e->at.n == 0 && tws_ip_parse(e->server.host, &ip) != TWS_OK &&
            strcmp(e->server.host, "localhost") != 0)
            return e->server.host;
    }
    return NULL;
}

static bool is_in(const struct tws_prefix *list, size_t n, const struct tws_ip *ip)
{
    for (size_t i = 0; i < n; i++)
        if (tws_prefix_contains(&list[i], ip))
            return true;
    return false;
}

/* A name server on this machine asks others, and nobody knows which: any, where all is caught. */
static bool is_caught(const struct tws_forward *f, const struct tws_ip *ip)
{
    if (!f->tproxy)
        return false;
    for (size_t i = 0; i < f->nnetworks && tws_ip_is_loopback(ip); i++)
        if (f->networks[i].bits == 0)
            return true;
    return is_in(f->networks, f->nnetworks, ip) && !is_in(f->exclude, f->nexclude, ip);
}

static bool any_catches(const struct tws_client_config *c, const struct tws_ip *ip)
{
    for (size_t i = 0; i < c->nforwards; i++)
        if (is_caught(&c->forwards[i], ip))
            return true;
    return false;
}

/* "nameserver 192.0.2.53"; TWS_ABSENT: another line. */
static tws_err name_server(const char *line, size_t n, struct tws_ip *ip)
{
    static const char key[] = "nameserver";
    char text[TWS_IP_TEXT];

    if (n < sizeof key || strncmp(line, key, sizeof key - 1) != 0)
        return TWS_ABSENT;
    const char *p = line + sizeof key - 1;
    p += strspn(p, " \t");
    size_t len = strcspn(p, " \t\r\n%#");
    if (len >= sizeof text)
        return TWS_ABSENT;
    memcpy(text, p, len);
    text[len] = '\0';
    return tws_ip_parse(text, ip);
}

void tws_config_judge_names(const struct tws_client_config *c, const char *resolv_conf,
                            struct tws_diag *diag)
{
    const char *host = looked_up(c);
    char text[TWS_IP_TEXT];
    struct tws_ip ip;

    while (host != NULL && *resolv_conf != '\0') {
        size_t n = strcspn(resolv_conf, "\n");
        if (name_server(resolv_conf, n, &ip) == TWS_OK && any_catches(c, &ip)) {
            tws_ip_format(&ip, text, sizeof text);
            tws_diag_warn(diag,
                          "tproxy: the question for the server's name, %s, to the name server %s "
                          "would be caught too, and without a link not answered: exclude the name "
                          "server it goes to, or give resolve",
                          host, text);
            return;
        }
        resolv_conf += n;
        resolv_conf += *resolv_conf == '\n';
    }
}

void tws_config_warn_names(const struct tws_client_config *c, struct tws_diag *diag)
{
    struct tws_file f;
    bool tproxy = false;

    for (size_t i = 0; i < c->nforwards; i++)
        tproxy = tproxy || c->forwards[i].tproxy;
    if (!tproxy || c->link.no_udp)
        return;
    if (tws_file_read(RESOLV_CONF, FILE_MAX, &f) == TWS_OK)
        tws_config_judge_names(c, f.bytes, diag);
    tws_file_free(&f);
}

/*
 * upgrade_client.c - from a URL to an open WebSocket.
 *
 *      dial.c: a connected descriptor -> libwebsockets
 *
 * libwebsockets 4.1 has no way to be given a connected descriptor, and its own dialling blocks in
 * the resolver, forgets errno, has no hook to bind or mark a socket and one proxy for a vhost. So
 * it is told to dial a unix socket that exists only for this call, which succeeds at once, and in
 * LWS_CALLBACK_WSI_CREATE, which comes between its connect() and its first byte, dup3(2) puts our
 * connection in that socket's place. libuv registers a descriptor with epoll only when it next
 * polls, so it has not seen the other one.
 */
#include "advice_priv.h"
#include "dial_priv.h"
#include "tls_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HOST_MAX     110  /* libwebsockets writes the Host header into 128 bytes */
#define PATH_LEN_MAX 1024 /* and the request into 4096 */

static void demand_of(const struct tws_dial *d, struct tws_tls_demand *out)
{
    *out = (struct tws_tls_demand){.store = d->store,
                                   .host = d->target.host,
                                   .sni = d->target.host,
                                   .identity = d->identity,
                                   .tls13 = d->tls13};
    if (d->sni == NULL)
        return;
    out->sni = d->sni[0] != '\0' ? d->sni : NULL;
    if (out->sni != NULL)
        out->host = d->sni;
}

struct tws_upgrade *tws_tls_find(struct tws_ws *ws, int fd, struct tws_tls_demand *out)
{
    struct tws_node *it, *tmp;

    TWS_LIST_EACH(it, tmp, &ws->upgrades)
    {
        struct tws_upgrade *u = TWS_CONTAINER(it, struct tws_upgrade, upgrades_node);

        if (u->dial != NULL && u->fd == fd && u->state == TWS_UPGRADE_OPENING) {
            demand_of(u->dial, out);
            return u;
        }
    }
    return NULL;
}

/* ---- handing the descriptor over ---- */

/* A unix socket that accepts one connection; its name for libwebsockets in `address`. */
static int open_stand_in(char *address, size_t cap)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t); /* only the family: the kernel picks an abstract name */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&sun, len) != 0 || listen(fd, 1) != 0)
        goto fail;
    len = sizeof(sun);
    if (getsockname(fd, (struct sockaddr *)&sun, &len) != 0)
        goto fail;
    len -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
    (void)snprintf(address, cap, "+@%.*s", (int)len - 1, sun.sun_path + 1);
    return fd;
fail:
    tws_socket_close(fd);
    return -1;
}

static void format_host(const struct tws_dial *d, char *out, size_t cap)
{
    if (d->host_header != NULL) {
        (void)snprintf(out, cap, "%s", d->host_header);
        return;
    }
    if (d->target.port != (d->tls ? 443 : 80)) {
        tws_hostport_format(&d->target, out, cap);
        return;
    }
    (void)snprintf(out, cap, strchr(d->target.host, ':') != NULL ? "[%s]" : "%s", d->target.host);
}

static const char *closed_during(const struct tws_upgrade *u)
{
    return u->dial != NULL && u->dial->tls && strcmp(u->step, "TLS") == 0
               ? "connection closed during the TLS handshake; is the port right?"
               : tws_advice_no_answer();
}

static void connect_lws(struct tws_upgrade *u, const char *address)
{
    struct tws_dial *d = u->dial;
    struct lws_client_connect_info info = {0};
    char host[TWS_HOSTPORT_TEXT];
    struct lws *wsi;

    format_host(d, host, sizeof(host));
    info.context = u->ws->lws;
    info.vhost = u->ws->vhost;
    info.address = address;
    info.port = d->target.port;
    info.host = host;
    info.path = d->path;
    info.protocol = TWS_SUBPROTOCOL;
    info.ietf_version_or_minus_one = -1;
    info.alpn = "http/1.1";
    /* A client does not take its vhost's: the default ends the link after 310 s. */
    info.retry_and_idle_policy = &tws_lws_no_pings;
    info.opaque_user_data = u;
    info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
    if (d->tls)
        info.ssl_connection |= LCCSCF_USE_SSL | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
    u->state = TWS_UPGRADE_OPENING;
    u->step = d->tls ? "TLS" : "upgrade";
    u->in_connect = true;
    wsi = lws_client_connect_via_info(&info);
    u->in_connect = false;
    if (u->state == TWS_UPGRADE_DYING) {
        if (wsi != NULL && u->wsi != NULL)
            lws_set_timeout(wsi, 1, LWS_TO_KILL_SYNC);
        return;
    }
    if (wsi != NULL)
        return;
    /* It reports nothing of what goes wrong inside that call. Once it knew the descriptor it is
     * winding up by itself, and WSI_DESTROY follows. */
    u->in_connect = u->wsi != NULL;
    tws_upgrade_fail(u, 0, NULL, "%s", u->tls_why[0] != '\0' ? u->tls_why : closed_during(u));
}

/* What the files hold now: a renewed certificate counts from the next connection on. */
static bool load_files(struct tws_dial *d, char *why)
{
    tws_err err = TWS_OK;

    if (!d->insecure) {
        d->store = tws_tls_store(d->ca_file, why, TWS_WHY_MAX);
        if (d->store == NULL)
            return false;
    }
    if (d->cert_file != NULL)
        err = tws_identity_load(d->cert_file, d->cert_key_file, &d->identity, why);
    if (err == TWS_NOMEM)
        (void)snprintf(why, TWS_WHY_MAX, "out of memory");
    return err == TWS_OK;
}

static bool prepare_tls(struct tws_upgrade *u)
{
    char why[TWS_WHY_MAX];

    if (!u->dial->tls || load_files(u->dial, why))
        return true;
    tws_upgrade_fail(u, 0, "TLS", "%s", why);
    return false;
}

void tws_client_dialled(struct tws_upgrade *u)
{
    char address[sizeof(struct sockaddr_un)];
    int stand_in;

    if (!prepare_tls(u))
        return;
    stand_in = open_stand_in(address, sizeof(address));
    if (stand_in < 0) {
        tws_upgrade_fail(u, 0, "connect", "%s", strerror(errno));
        return;
    }
    connect_lws(u, address);
    tws_socket_close(stand_in);
}

/* ---- beginning ---- */

/* What is wrong with the request itself; NULL: nothing. */
static const char *check(const struct tws_upgrade_client *c)
{
    if (strlen(c->host) > HOST_MAX)
        return "host name above 110 characters";
    if (c->host_header != NULL && strlen(c->host_header) > HOST_MAX)
        return "host above 110 characters";
    if (strlen(c->path) > PATH_LEN_MAX)
        return "path above 1024 characters";
    if (c->headers != NULL && strlen(c->headers) > TWS_UPGRADE_HEADERS)
        return "headers above 2048 characters together";
    return NULL;
}

static bool copy(const char *from, char **to)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static tws_err fill(struct tws_dial *d, const struct tws_upgrade_client *c)
{
    d->tls = c->tls;
    d->insecure = c->insecure;
    d->tls13 = c->tls13;
    if (c->pins != NULL)
        d->pins = *c->pins;
    return copy(c->path, &d->path) && copy(c->host_header, &d->host_header) &&
                   copy(c->headers, &d->headers) && copy(c->ca_file, &d->ca_file) &&
                   copy(c->sni, &d->sni) && copy(c->cert_file, &d->cert_file) &&
                   copy(c->cert_key_file, &d->cert_key_file)
               ? TWS_OK
               : TWS_NOMEM;
}

tws_err tws_upgrade_connect(struct tws_ws *ws, const struct tws_upgrade_client *c,
                            const struct tws_upgrade_events *ev, void *arg,
                            struct tws_upgrade **out)
{
    struct tws_upgrade *u = NULL;
    struct tws_dial *d;
    const char *bad;
    tws_err err;

    err = tws_upgrade_make(ws, ev, arg, true, &u);
    if (err != TWS_OK)
        return err;
    (void)snprintf(u->session, sizeof(u->session), "%s", c->session);
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        goto fail;
    tws_dial_init(d, u, c);
    u->dial = d;
    if (fill(d, c) != TWS_OK)
        goto fail;
    bad = check(c);
    d->via_proxy = c->proxy != NULL && c->proxy[0] != '\0';
    if (bad == NULL && d->via_proxy)
        (void)!tws_proxy_url_parse(c->proxy, &d->proxy_url, &bad);
    if (bad != NULL) { /* told by the deadline, for nothing is told before this returns */
        u->step = "configuration";
        (void)snprintf(u->tls_why, sizeof(u->tls_why), "%s", bad);
        tws_timer_start(&u->deadline, 0);
    } else if (tws_dial_start(d, c) != TWS_OK) {
        goto fail;
    }
    *out = u;
    return TWS_OK;
fail:
    tws_upgrade_kill(u);
    return TWS_NOMEM;
}

/* ---- events ---- */

/* Between libwebsockets' connect() and its first byte. */
void tws_client_created(struct tws_upgrade *u, struct lws *wsi)
{
    int fd = lws_get_socket_fd(wsi);

    if (u->wsi != NULL || u->dial == NULL)
        return;
    u->wsi = wsi;
    u->fd = fd;
    if (dup3(u->dial->fd, fd, O_CLOEXEC) < 0) {
        (void)snprintf(u->tls_why, sizeof(u->tls_why), "%s", strerror(errno));
        return; /* the stand-in is closed: the handshake fails */
    }
    tws_socket_close(u->dial->fd);
    u->dial->fd = -1;
}

static int append_headers(struct tws_upgrade *u, char **p, size_t cap)
{
    const char *more = u->dial->headers != NULL ? u->dial->headers : "";
    int n = snprintf(*p, cap, TWS_SESSION_HEADER ": %s\r\n%s", u->session, more);

    if (n < 0 || (size_t)n >= cap) {
        (void)snprintf(u->tls_why, sizeof(u->tls_why), "path and headers are too long together");
        return -1;
    }
    *p += n;
    return 0;
}

/* After the TLS handshake, before a byte of the request. */
static int begin_request(struct tws_upgrade *u, char **p, size_t cap)
{
    SSL *ssl = lws_get_ssl(u->wsi);

    if (u->dial == NULL ||
        (ssl != NULL && !tws_tls_check_pin(ssl, &u->dial->pins, u->tls_why, sizeof(u->tls_why))))
        return -1;
    u->step = "upgrade";
    return append_headers(u, p, cap);
}

/* The answer is 101 and its hash is right; libwebsockets would go on without a sub-protocol. */
static int check_answer(struct tws_upgrade *u)
{
    char protocol[sizeof(TWS_SUBPROTOCOL) + 1];

    if (lws_hdr_copy(u->wsi, protocol, sizeof(protocol), WSI_TOKEN_PROTOCOL) > 0 &&
        strcmp(protocol, TWS_SUBPROTOCOL) == 0)
        return 0;
    tws_upgrade_fail(u, 0, "upgrade",
                     "the server does not speak " TWS_SUBPROTOCOL
                     ": an old tws, or another program");
    return -1;
}

static int established(struct tws_upgrade *u)
{
    u->state = TWS_UPGRADE_OPEN;
    u->step = "handshake";
    tws_dial_free(u->dial);
    u->dial = NULL;
    u->ev.on_open(&u->arg, u, "", &u->peer);
    return 0;
}

static void refused(struct tws_upgrade *u, const char *what, size_t len)
{
    SSL *ssl = lws_get_ssl(u->wsi);
    unsigned status = 0;

    if (u->tls_why[0] != '\0') {
        tws_upgrade_fail(u, 0, ssl != NULL ? "TLS" : NULL, "%s", u->tls_why);
        return;
    }
    if (ssl != NULL && !SSL_is_init_finished(ssl)) {
        tws_upgrade_fail(u, 0, "TLS", "%s", closed_during(u));
        return;
    }
    status = lws_http_client_http_response(u->wsi);
    if (status != 0 && status != 101)
        tws_upgrade_fail(u, 0, "upgrade", "HTTP %u from the server%s", status,
                         tws_advice_http(status));
    else if (status == 0)
        tws_upgrade_fail(u, 0, "upgrade", "%s", tws_advice_no_answer());
    else
        tws_upgrade_fail(u, 0, "upgrade",
                         "the server does not speak " TWS_SUBPROTOCOL
                         " but another WebSocket (%.*s)",
                         (int)len, what != NULL ? what : "");
}

int tws_client_event(struct tws_upgrade *u, enum lws_callback_reasons reason, void *in, size_t len)
{
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return begin_request(u, in, len);
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
        return check_answer(u);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        return established(u);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        refused(u, in, len);
        return 0;
    default:
        return 0;
    }
}

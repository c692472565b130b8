/* activation.c - see activation.h. */
#include "tws/net/activation.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */
#define FDS_MAX  1024

struct tws_activation {
    int nfds;    /* FIRST_FD and so on */
    char *names; /* one behind the other, each with its NUL; as many as nfds */
};

/* A number from 1 to `max`, or 0. */
static long number_of(const char *variable, long max)
{
    const char *text = getenv(variable);
    char *end = NULL;
    long v = text != NULL ? strtol(text, &end, 10) : 0;

    return text != NULL && end != text && *end == '\0' && v > 0 && v <= max ? v : 0;
}

/* The i-th name of "a:b:c"; systemd.exec(5) says what stands where none was given. */
static size_t name_at(const char *text, int i, const char **out)
{
    while (text != NULL && i-- > 0) {
        text = strchr(text, ':');
        text = text != NULL ? text + 1 : NULL;
    }
    *out = text != NULL ? text : "unknown";
    return strcspn(*out, ":");
}

static char *copy_names(const char *text, int n)
{
    size_t room = (text != NULL ? strlen(text) : 0) + (size_t)n * sizeof "unknown";
    char *names = calloc(1, room + 1), *at = names;

    for (int i = 0; i < n && names != NULL; i++) {
        const char *name = NULL;
        size_t len = name_at(text, i, &name);
        memcpy(at, name, len);
        at += len + 1;
    }
    return names;
}

tws_err tws_activation_new(struct tws_activation **out)
{
    int n = (int)number_of("LISTEN_FDS", FDS_MAX);
    struct tws_activation *a = NULL;

    *out = NULL;
    if (number_of("LISTEN_PID", INT32_MAX) != getpid() || n == 0)
        return TWS_OK;
    a = calloc(1, sizeof *a);
    if (a == NULL)
        return TWS_NOMEM;
    a->nfds = n;
    a->names = copy_names(getenv("LISTEN_FDNAMES"), n);
    if (a->names == NULL) {
        free(a);
        return TWS_NOMEM;
    }
    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    *out = a;
    return TWS_OK;
}

void tws_activation_free(struct tws_activation *a)
{
    if (a == NULL)
        return;
    for (int i = 0; i < a->nfds; i++)
        close(FIRST_FD + i);
    free(a->names);
    free(a);
}

/* ---- finding ---- */

typedef bool is_wanted_fn(int fd, const char *name, const void *what);

static bool add(struct tws_inherited *in, int fd)
{
    if (in->n == TWS_ACTIVATION_MAX) {
        errno = ENFILE;
        return false;
    }
    fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    if (fd < 0)
        return false;
    in->fds[in->n++] = fd;
    return true;
}

static tws_err find(const struct tws_activation *a, is_wanted_fn *is_wanted, const void *what,
                    struct tws_inherited *out)
{
    const char *name = a != NULL ? a->names : NULL;

    out->n = 0;
    for (int i = 0; a != NULL && i < a->nfds; i++, name += strlen(name) + 1) {
        if (!is_wanted(FIRST_FD + i, name, what) || add(out, FIRST_FD + i))
            continue;
        tws_inherited_close(out);
        return TWS_SYS;
    }
    return TWS_OK;
}

static bool has_name(int fd, const char *name, const void *what)
{
    (void)fd;
    return strcmp(name, what) == 0;
}

static bool has_type(int fd, int type)
{
    int has = 0;
    socklen_t len = sizeof has;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &has, &len) == 0 && has == type;
}

static bool listens(int fd)
{
    int yes = 0;
    socklen_t len = sizeof yes;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

/* Its address, if it is of that type, and of streams listens; len 0 otherwise. */
static struct tws_sockaddr address_of(int fd, int type)
{
    if (!has_type(fd, type) || (type == SOCK_STREAM && !listens(fd)))
        return (struct tws_sockaddr){.len = 0};
    return tws_socket_address(fd);
}

struct where {
    const struct tws_hostport *at;
    int type;
};

static bool is_at(int fd, const char *name, const void *what)
{
    const struct where *where = what;
    const struct tws_hostport *at = where->at;
    struct tws_sockaddr sa = address_of(fd, where->type);
    struct tws_ip ip, wanted;
    uint16_t port = 0;

    (void)name;
    if (sa.len == 0)
        return false;
    tws_sockaddr_get(&sa, &ip, &port);
    if (ip.family == 0 || port != at->port)
        return false;
    if (at->host[0] == '\0')
        return tws_ip_is_unspecified(&ip);
    if (strcasecmp(at->host, "localhost") == 0)
        return tws_ip_is_loopback(&ip);
    return tws_ip_parse(at->host, &wanted) == TWS_OK && tws_ip_equal(&ip, &wanted);
}

static bool is_at_path(int fd, const char *name, const void *what)
{
    struct tws_sockaddr sa = address_of(fd, SOCK_STREAM), wanted;

    (void)name;
    return sa.len != 0 && sa.ss.ss_family == AF_UNIX &&
           tws_sockaddr_set_unix(&wanted, what) == TWS_OK && wanted.len == sa.len &&
           memcmp(&wanted.ss, &sa.ss, sa.len) == 0;
}

tws_err tws_activation_named(const struct tws_activation *a, const char *name,
                             struct tws_inherited *out)
{
    return find(a, has_name, name, out);
}

tws_err tws_activation_at(const struct tws_activation *a, int type, const struct tws_hostport *at,
                          struct tws_inherited *out)
{
    const struct where where = {at, type};

    return find(a, is_at, &where, out);
}

tws_err tws_activation_at_path(const struct tws_activation *a, const char *path,
                               struct tws_inherited *out)
{
    return find(a, is_at_path, path, out);
}

void tws_inherited_keep(struct tws_inherited *in, int type)
{
    size_t kept = 0;

    for (size_t i = 0; i < in->n; i++) {
        if (has_type(in->fds[i], type))
            in->fds[kept++] = in->fds[i];
        else
            tws_socket_close(in->fds[i]);
    }
    in->n = kept;
}

void tws_inherited_close(struct tws_inherited *in)
{
    for (size_t i = 0; i < in->n; i++)
        tws_socket_close(in->fds[i]);
    in->n = 0;
}

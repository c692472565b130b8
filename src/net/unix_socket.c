/* unix_socket.c - see unix_socket.h. */
#include "tws/net/unix_socket.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether `path` is a socket on which nobody listens: 0, or the errno that says what it is. */
static int check_stale(const char *path, const struct tws_sockaddr *sa)
{
    struct stat st;
    int fd, error = 0;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(st.st_mode))
        return ENOTSOCK;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    /* A full backlog, or a socket of another type, is in use too. */
    if (connect(fd, (const struct sockaddr *)&sa->ss, sa->len) == 0 || errno == EAGAIN ||
        errno == EPROTOTYPE)
        error = EADDRINUSE;
    else
        error = errno == ECONNREFUSED || errno == ENOENT ? 0 : errno;
    close(fd);
    return error;
}

/* The lock on the directory of `path`, held until the descriptor is closed; -1: it cannot be had,
 * as in a directory that we may not read. */
static int lock_directory(const char *path)
{
    char directory[sizeof((struct sockaddr_un *)NULL)->sun_path];
    const char *slash = strrchr(path, '/');
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    int fd;

    memcpy(directory, path, n);
    directory[n] = '\0';
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)flock(fd, LOCK_EX);
    return fd;
}

/* The file's mode is the socket's own, less the umask: nobody gets in before it is narrowed. */
static int bind_with_mode(int fd, const struct tws_sockaddr *sa, mode_t mode)
{
    mode_t before;
    int failed;

    if (fchmod(fd, mode) != 0)
        return -1;
    before = umask(0);
    failed = bind(fd, (const struct sockaddr *)&sa->ss, sa->len);
    umask(before);
    return failed;
}

static void remember(struct tws_unix_socket *s, const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return;
    memcpy(s->path, path, strlen(path) + 1);
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    s->made = st.st_mtim;
}

/* chown(2) is forbidden to many services, also when it would change nothing. */
static int give_away(const char *path, const struct tws_unix_access *access)
{
    if (access->owner == (uid_t)-1 && access->group == (gid_t)-1)
        return 0;
    return lchown(path, access->owner, access->group);
}

static int bind_file(struct tws_unix_socket *s, const char *path, int fd,
                     const struct tws_sockaddr *sa, const struct tws_unix_access *access)
{
    int lock = lock_directory(path), error = check_stale(path, sa);

    if (error == 0 && unlink(path) != 0 && errno != ENOENT)
        error = errno;
    if (error == 0 && bind_with_mode(fd, sa, access->mode) != 0)
        error = errno;
    if (error == 0) {
        remember(s, path);
        /* Nobody can connect before it listens. */
        if (give_away(path, access) != 0 || listen(fd, SOMAXCONN) != 0)
            error = errno;
    }
    tws_socket_close(lock);
    return error;
}

static int bind_abstract(int fd, const struct tws_sockaddr *sa)
{
    return bind(fd, (const struct sockaddr *)&sa->ss, sa->len) != 0 || listen(fd, SOMAXCONN) != 0
               ? errno
               : 0;
}

tws_err tws_unix_socket_listen(struct tws_unix_socket *s, const char *path,
                               const struct tws_unix_access *access, int *fd)
{
    struct tws_sockaddr sa;
    int made, error;

    memset(s, 0, sizeof *s);
    if (tws_sockaddr_set_unix(&sa, path) != TWS_OK)
        return TWS_SYS;
    made = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0)
        return TWS_SYS;
    error = path[0] == '@' ? bind_abstract(made, &sa) : bind_file(s, path, made, &sa, access);
    if (error != 0) {
        tws_unix_socket_remove(s);
        tws_socket_close(made);
        errno = error;
        return TWS_SYS;
    }
    *fd = made;
    return TWS_OK;
}

static bool is_ours(const struct tws_unix_socket *s)
{
    struct stat st;

    return s->path[0] != '\0' && lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
           st.st_ino == s->ino && st.st_mtim.tv_sec == s->made.tv_sec &&
           st.st_mtim.tv_nsec == s->made.tv_nsec;
}

tws_err tws_unix_socket_set_access(const struct tws_unix_socket *s,
                                   const struct tws_unix_access *access)
{
    if (!is_ours(s))
        return TWS_OK;
    /* Narrow first, then give away. */
    if (chmod(s->path, access->mode) != 0 || give_away(s->path, access) != 0)
        return TWS_SYS;
    return TWS_OK;
}

void tws_unix_socket_remove(struct tws_unix_socket *s)
{
    if (is_ours(s))
        (void)unlink(s->path);
    s->path[0] = '\0';
}

const char *tws_unix_socket_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "; another program listens there (ss -lxp shows which): end it, or choose another "
               "path";
    case ENOTSOCK:
        return "; what is there is no socket: remove it yourself, or choose another path";
    case ENOENT:
        return "; its directory does not exist (systemd: RuntimeDirectory=)";
    case EACCES:
        return "; the process may not write to its directory";
    case EPERM:
        return "; only root may give a file to another user or a group that is not its own";
    case EROFS:
        return "; its directory cannot be written to (systemd: RuntimeDirectory=, ReadWritePaths=)";
    default:
        return "";
    }
}

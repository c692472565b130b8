/* shared_fd.c - see shared_fd.h. */
#include "tws/net/shared_fd.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Puts `other` in the place of the number; closes `other`. */
static bool replace(int fd, int other)
{
    bool done = dup3(other, fd, O_CLOEXEC) >= 0;

    tws_socket_close(other);
    return done;
}

/* The same pipe or terminal with flags of its own. */
static bool open_anew(const struct tws_shared_fd *s)
{
    char path[32];
    int fd;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", s->fd);
    fd = open(path, (s->use == TWS_SHARED_READ ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY |
                        O_CLOEXEC);
    return fd >= 0 && replace(s->fd, fd);
}

tws_err tws_shared_fd_init(struct tws_shared_fd *s, int fd, enum tws_shared_fd_use use)
{
    int flags = fcntl(fd, F_GETFL);
    int mode = flags & O_ACCMODE, missing = use == TWS_SHARED_READ ? O_WRONLY : O_RDONLY;
    struct stat st;

    *s = (struct tws_shared_fd){.fd = fd, .use = use};
    if (flags < 0 || fstat(fd, &st) != 0)
        return TWS_SYS;
    if (mode == missing) {
        errno = EBADF;
        return TWS_SYS;
    }
    s->is_socket = S_ISSOCK(st.st_mode);
    s->may_hang_up = S_ISCHR(st.st_mode);
    if (s->is_socket || S_ISREG(st.st_mode) || (flags & O_NONBLOCK) || open_anew(s))
        return TWS_OK;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return TWS_SYS;
    s->borrowed_flag = true;
    return TWS_OK;
}

ssize_t tws_shared_fd_read(struct tws_shared_fd *s, void *buf, size_t n)
{
    ssize_t got = s->is_socket ? recv(s->fd, buf, n, MSG_DONTWAIT) : read(s->fd, buf, n);

    /* A file gives EIO too, when its disk fails: that is no end of it. */
    return got < 0 && errno == EIO && s->may_hang_up && isatty(s->fd) == 0 ? 0 : got;
}

ssize_t tws_shared_fd_write(struct tws_shared_fd *s, const void *buf, size_t n)
{
    return s->is_socket ? send(s->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(s->fd, buf, n);
}

void tws_shared_fd_end(struct tws_shared_fd *s)
{
    int null;

    tws_shared_fd_fini(s);
    if (s->is_socket)
        shutdown(s->fd, SHUT_WR);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        (void)replace(s->fd, null);
    else
        tws_socket_close(s->fd);
    s->is_socket = false;
}

void tws_shared_fd_fini(struct tws_shared_fd *s)
{
    int flags = s->borrowed_flag ? fcntl(s->fd, F_GETFL) : -1;

    s->borrowed_flag = false;
    if (flags >= 0)
        (void)fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK);
}

/*
 * shared_fd.h - a descriptor that others may hold too, such as stdin and stdout: pipe, terminal,
 * socket, file or device. It is read and written without blocking, and stays as it is for the
 * others: O_NONBLOCK belongs to what a shell or ssh shares with us, not to us.
 *
 * A socket needs no flag; a pipe or terminal is opened anew by its number in /proc. Where that
 * does not go, the flag is set after all and taken back at the end.
 */
#ifndef TWS_NET_SHARED_FD_H
#define TWS_NET_SHARED_FD_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum tws_shared_fd_use { TWS_SHARED_READ, TWS_SHARED_WRITE };

struct tws_shared_fd {
    int fd; /* the number it had */
    enum tws_shared_fd_use use;
    bool is_socket;
    bool may_hang_up;   /* a terminal, as far as one can see */
    bool borrowed_flag; /* O_NONBLOCK is to be taken back */
};

/* `fd` stays the caller's number. TWS_SYS: it is not open for that. */
TWS_MUST_USE tws_err tws_shared_fd_init(struct tws_shared_fd *s, int fd,
                                        enum tws_shared_fd_use use);
/* As read(2) and write(2) without blocking, and without SIGPIPE on a socket. A terminal that hung
 * up is at its end (0). */
ssize_t tws_shared_fd_read(struct tws_shared_fd *s, void *buf, size_t n);
ssize_t tws_shared_fd_write(struct tws_shared_fd *s, const void *buf, size_t n);
/* Whoever reads the other end sees the end. The number leads to /dev/null from now on. */
void tws_shared_fd_end(struct tws_shared_fd *s);
/* Leaves it as it was found. Once or more. */
void tws_shared_fd_fini(struct tws_shared_fd *s);

#endif

/*
 * unix_socket.h - a listening unix socket with its file: who may connect, whose file it is, and
 * whose it is to remove.
 *
 * A file that is there already is replaced only if it is a socket on which nobody listens; looking
 * and replacing are one step for all programs that do it this way (the directory is locked). At
 * the end the file is removed only if it is still the one that was made.
 */
#ifndef TWS_NET_UNIX_SOCKET_H
#define TWS_NET_UNIX_SOCKET_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>

struct tws_unix_access {
    mode_t mode; /* of the file, as 0660 */
    uid_t owner; /* (uid_t)-1: the process's */
    gid_t group; /* (gid_t)-1: the process's */
};

struct tws_unix_socket {
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path]; /* "": no file is ours */
    dev_t dev;
    ino_t ino;
    struct timespec made; /* inode numbers come again, times do not */
};

/*
 * Listens on `path` ("@name" is abstract, and has no file), with the access that `access` says from
 * the first moment on. *fd is the caller's. TWS_SYS with errno: EADDRINUSE: somebody listens there;
 * ENOTSOCK: the file there is no socket; EPERM: the file cannot be given to the owner; and what
 * bind(2) says.
 */
TWS_MUST_USE tws_err tws_unix_socket_listen(struct tws_unix_socket *s, const char *path,
                                            const struct tws_unix_access *access, int *fd);
/* Changes the access of what is listening. TWS_SYS. */
TWS_MUST_USE tws_err tws_unix_socket_set_access(const struct tws_unix_socket *s,
                                                const struct tws_unix_access *access);
/* Removes the file, if it is still ours. Once or more. */
void tws_unix_socket_remove(struct tws_unix_socket *s);
/* What a user can do about the errno of a failed tws_unix_socket_listen(), "" if nothing comes to
 * mind. Constant. */
const char *tws_unix_socket_advice(int error);

#endif

/*
 * socket.h - socket addresses and options; thin, named wrappers over the kernel's calls.
 */
#ifndef TWS_NET_SOCKET_H
#define TWS_NET_SOCKET_H

#include "tws/base/addr.h"

#include <stdbool.h>
#include <sys/socket.h>

struct tws_sockaddr {
    struct sockaddr_storage ss;
    socklen_t len;
};

/* IP and port of an AF_INET or AF_INET6 address; family 0 otherwise. */
void tws_sockaddr_get(const struct tws_sockaddr *sa, struct tws_ip *ip, uint16_t *port);
void tws_sockaddr_set(struct tws_sockaddr *sa, const struct tws_ip *ip, uint16_t port);
/* Whether both have the same IP and port; false of what has no IP. */
bool tws_sockaddr_equal(const struct tws_sockaddr *a, const struct tws_sockaddr *b);
/* ::ffff:a.b.c.d, as a dual-stack socket has IPv4 peers, becomes a.b.c.d; all else stays. */
void tws_sockaddr_unmap(struct tws_sockaddr *sa);
/* "/run/x.sock", or "@name" in Linux's abstract namespace. TWS_SYS: EINVAL (empty), ENAMETOOLONG.
 */
TWS_MUST_USE tws_err tws_sockaddr_set_unix(struct tws_sockaddr *sa, const char *path);
/* "1.2.3.4:80", "[::1]:80", "unix:/path", and "1.2.3.4" when the port is 0, as a proxy's
 * X-Forwarded-For leaves it; `cap` at least TWS_HOSTPORT_TEXT. */
void tws_sockaddr_format(const struct tws_sockaddr *sa, char *out, size_t cap);

/* The address a socket is bound to; len 0, and errno says why, if there is none to be had. */
struct tws_sockaddr tws_socket_address(int fd);
/* Its port; 0: none. */
uint16_t tws_socket_port(int fd);

/* Non-blocking reads and writes are the kernel's own; these set options and ignore what a socket
 * type does not have. */
void tws_socket_set_nodelay(int fd);
/* Urgent data stays where it is in the stream (RFC 6093), or the kernel would take a byte out. */
void tws_socket_set_urgent_inline(int fd);
/* Not quick: the kernel waits a moment with an ACK, for data to carry it. Quick: it waits no more,
 * until data goes both ways again (tcp(7), TCP_QUICKACK). */
void tws_socket_set_quickack(int fd, bool quick);
void tws_socket_set_keepalive(int fd); /* 60 s idle, 15 s apart, 4 probes */
void tws_socket_set_notsent_lowat(int fd, int bytes);
/* Lets a socket of `family` take what TPROXY gives it, and be bound to addresses that are not this
 * machine's. TWS_SYS: EPERM without CAP_NET_ADMIN. */
TWS_MUST_USE tws_err tws_socket_set_transparent(int fd, int family);
/* close() now answers with RST: SO_LINGER 0. */
void tws_socket_set_abort(int fd);
/* The pending error of a socket (SO_ERROR), which is cleared; 0: none. */
int tws_socket_error(int fd);
/* close(2) that keeps errno; fd < 0 is fine. */
void tws_socket_close(int fd);
/* Sets RLIMIT_NOFILE to its hard limit, at most 1,048,576. Returns the limit. */
unsigned tws_raise_fd_limit(void);
/*
 * The last descriptors, an eighth of that limit and at most 1,024, are for links, without which
 * nothing moves. The kernel gives the lowest number that is free: one of the last means that all
 * others are in use.
 */
bool tws_fd_is_reserved(int fd);
/* Whether the next would be one of them; `fd` is any that is open. Asks the kernel only after one
 * of them was seen. */
bool tws_fds_are_short(int fd);

#endif

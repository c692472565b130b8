/*
 * listener.h - accepts TCP (and unix) connections on one address, or on all a name stands for.
 *
 * Accepting can be paused: the kernel's backlog then holds new connections, none is refused. When
 * the process is out of descriptors, accepting pauses for 100 ms and says so once a minute.
 */
#ifndef TWS_NET_LISTENER_H
#define TWS_NET_LISTENER_H

#include "tws/net/loop.h"
#include "tws/net/socket.h"

struct tws_listener;
/*
 * `fd` is non-blocking, close-on-exec, with TCP_NODELAY and keep-alive; the callee owns it. An IPv4
 * peer of a dual-stack socket is shown as IPv4. May pause and close the listener.
 */
typedef void tws_accept_fn(void *arg, int fd, const struct tws_sockaddr *peer);

/*
 * Listens on `hp`: an IP, "localhost" (127.0.0.1 and ::1), or an empty host for all addresses, IPv4
 * and IPv6 (then one dual-stack socket, as for "::", or IPv4 alone where there is no IPv6). Port 0
 * lets the kernel choose. TWS_SYS with errno (EADDRINUSE, EACCES, ...; EADDRNOTAVAIL for a name);
 * TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_listener_open(struct tws_loop *loop, const struct tws_hostport *hp,
                                       tws_accept_fn *on_accept, void *arg,
                                       struct tws_listener **out);
/* What a user can do about the errno of a failed listener, "" if nothing comes to mind. Constant.
 */
const char *tws_listener_advice(int error);
/* Adopts `n` listening descriptors, at least one, of one name (socket activation, unix_socket.h);
 * owns them from now on, also on failure. TWS_SYS: EINVAL if one does not listen, ENFILE if there
 * are more than TWS_LISTENER_SOCKETS; TWS_NOMEM. */
#define TWS_LISTENER_SOCKETS 8
TWS_MUST_USE tws_err tws_listener_adopt(struct tws_loop *loop, const int *fds, size_t n,
                                        tws_accept_fn *on_accept, void *arg,
                                        struct tws_listener **out);
/* Makes its sockets take what TPROXY gives them, and mark what they send, as those they accept do.
 * TWS_SYS: EPERM without CAP_NET_ADMIN. */
TWS_MUST_USE tws_err tws_listener_set_transparent(struct tws_listener *l, uint32_t mark);
/* Accepts nothing more while tws_fds_are_short(). */
void tws_listener_leave_some(struct tws_listener *l);
/* No callback comes after it. NULL is fine. */
void tws_listener_close(struct tws_listener *l);
/* Takes effect at once, also inside on_accept. */
void tws_listener_pause(struct tws_listener *l, bool paused);
/* The first address it is bound to. */
void tws_listener_address(const struct tws_listener *l, struct tws_sockaddr *out);

#endif

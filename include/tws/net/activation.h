/*
 * activation.h - sockets that the service manager opened for this process: systemd's
 * socket activation (sd_listen_fds(3)), without libsystemd.
 *
 * They stay open as long as the process: whoever listens gets a duplicate, so that a reload can
 * give one up and another take it again.
 */
#ifndef TWS_NET_ACTIVATION_H
#define TWS_NET_ACTIVATION_H

#include "tws/base/addr.h"

#include <stddef.h>

#define TWS_ACTIVATION_MAX 8 /* sockets of one listener */

struct tws_activation;

/* Duplicates, the holder's to close. */
struct tws_inherited {
    int fds[TWS_ACTIVATION_MAX];
    size_t n;
};

/* Takes what LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES tell of, and unsets them: children have no
 * use for them. *out is NULL if there is nothing. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_activation_new(struct tws_activation **out);
/* NULL is fine. */
void tws_activation_free(struct tws_activation *a);

/* All of that name (FileDescriptorName=; its default is the .socket unit's name); those of a
 * type (SOCK_STREAM, which listen, or SOCK_DGRAM) on `at` (an empty host: on every address); those
 * that listen on the unix socket's path. n is 0 if there are none; `a` may be NULL. TWS_SYS: out of
 * descriptors. */
TWS_MUST_USE tws_err tws_activation_named(const struct tws_activation *a, const char *name,
                                          struct tws_inherited *out);
TWS_MUST_USE tws_err tws_activation_at(const struct tws_activation *a, int type,
                                       const struct tws_hostport *at, struct tws_inherited *out);
TWS_MUST_USE tws_err tws_activation_at_path(const struct tws_activation *a, const char *path,
                                            struct tws_inherited *out);
/* Closes those of another type: a .socket unit gives streams and datagrams one name. */
void tws_inherited_keep(struct tws_inherited *in, int type);
void tws_inherited_close(struct tws_inherited *in);

#endif

/* entrance.c - see entrance_priv.h. */
#include "entrance_priv.h"

#include "tws/net/udp.h"

#include <errno.h>
#include <sys/socket.h>

static tws_err named(const struct tws_entrance *e, int type, struct tws_inherited *out)
{
    tws_err err = tws_activation_named(e->activation, e->at->name, out);

    if (err != TWS_OK)
        return err;
    errno = out->n == 0 ? ENXIO : EPROTOTYPE;
    tws_inherited_keep(out, type);
    return out->n > 0 ? TWS_OK : TWS_SYS;
}

static tws_err of_path(const struct tws_entrance *e, struct tws_unix_socket *file,
                       struct tws_inherited *out)
{
    tws_err err = tws_activation_at_path(e->activation, e->at->name, out);

    if (err != TWS_OK || out->n > 0)
        return err;
    err = tws_unix_socket_listen(file, e->at->name, e->access, &out->fds[0]);
    out->n = err == TWS_OK;
    return err;
}

tws_err tws_entrance_sockets(const struct tws_entrance *e, struct tws_unix_socket *file,
                             struct tws_inherited *out)
{
    struct tws_hostport at;

    out->n = 0;
    *file = (struct tws_unix_socket){.path = ""};
    if (e->at->type == TWS_SPOT_FD)
        return named(e, SOCK_STREAM, out);
    if (e->at->type == TWS_SPOT_UNIX)
        return of_path(e, file, out);
    tws_spot_hostport(e->at, 0, &at);
    return tws_activation_at(e->activation, SOCK_STREAM, &at, out);
}

static tws_err adopt_datagrams(struct tws_inherited *in)
{
    for (size_t i = 0; i < in->n; i++) {
        if (tws_udp_adopt(in->fds[i]) == TWS_OK)
            continue;
        int saved = errno;
        tws_inherited_close(in);
        errno = saved;
        return TWS_SYS;
    }
    return TWS_OK;
}

_Static_assert(TWS_ACTIVATION_MAX >= TWS_UDP_SOCKETS, "what is bound has room");

tws_err tws_entrance_datagrams(const struct tws_entrance *e, struct tws_inherited *out)
{
    unsigned n = 0;
    struct tws_hostport at;
    tws_err err;

    tws_spot_hostport(e->at, 0, &at);
    if (e->at->type == TWS_SPOT_FD)
        err = named(e, SOCK_DGRAM, out);
    else
        err = tws_activation_at(e->activation, SOCK_DGRAM, &at, out);
    if (err != TWS_OK || out->n > 0)
        return err == TWS_OK ? adopt_datagrams(out) : err;
    err = tws_udp_bind(&at, out->fds, &n);
    out->n = err == TWS_OK ? n : 0;
    return err;
}

tws_err tws_entrance_listen(const struct tws_entrance *e, struct tws_loop *loop,
                            tws_accept_fn *on_accept, void *arg, struct tws_unix_socket *file,
                            struct tws_listener **out)
{
    struct tws_inherited sockets;
    struct tws_hostport at;
    tws_err err = tws_entrance_sockets(e, file, &sockets);

    if (err != TWS_OK)
        return err;
    tws_spot_hostport(e->at, 0, &at);
    if (sockets.n == 0)
        return tws_listener_open(loop, &at, on_accept, arg, out);
    err = tws_listener_adopt(loop, sockets.fds, sockets.n, on_accept, arg, out);
    if (err != TWS_OK)
        tws_unix_socket_remove(file);
    return err;
}

const char *tws_entrance_advice(const struct tws_spot *at, int error)
{
    if (at->type == TWS_SPOT_FD && error == ENXIO)
        return "; the service manager gave no socket of that name: set FileDescriptorName= in the "
               ".socket unit, and start that";
    if (at->type == TWS_SPOT_FD && error == EPROTOTYPE)
        return "; none of its sockets is of the forward's kind: ListenStream= is for connections, "
               "ListenDatagram= with a port for kind udp";
    if (at->type == TWS_SPOT_FD && error == EINVAL)
        return "; it is no listening stream socket (ListenStream=, Accept=no)";
    return at->type == TWS_SPOT_UNIX ? tws_unix_socket_advice(error) : tws_listener_advice(error);
}

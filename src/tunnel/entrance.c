/* entrance.c - see entrance_priv.h. */
#include "entrance_priv.h"

#include <errno.h>

static tws_err named(const struct tws_entrance *e, struct tws_inherited *out)
{
    tws_err err = tws_activation_named(e->activation, e->at->name, out);

    if (err != TWS_OK || out->n > 0)
        return err;
    errno = ENXIO;
    return TWS_SYS;
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
        return named(e, out);
    if (e->at->type == TWS_SPOT_UNIX)
        return of_path(e, file, out);
    tws_spot_hostport(e->at, 0, &at);
    return tws_activation_at(e->activation, &at, out);
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
    err = tws_listener_adopt_all(loop, sockets.fds, sockets.n, on_accept, arg, out);
    if (err != TWS_OK)
        tws_unix_socket_remove(file);
    return err;
}

const char *tws_entrance_advice(const struct tws_spot *at, int error)
{
    if (at->type == TWS_SPOT_FD && error == ENXIO)
        return "; the service manager gave no socket of that name: set FileDescriptorName= in the "
               ".socket unit, and start that";
    if (at->type == TWS_SPOT_FD && error == EINVAL)
        return "; it is no listening stream socket (ListenStream=, Accept=no)";
    return at->type == TWS_SPOT_UNIX ? tws_unix_socket_advice(error) : tws_listener_advice(error);
}

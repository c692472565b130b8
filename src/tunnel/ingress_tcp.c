/*
 * ingress_tcp.c - the kind `tcp`: accepts on an address; each connection goes to the record's
 * remote. What it does with listeners is what every kind of streams does.
 */
#include "inlet_priv.h"

tws_err tws_inlet_open_stream(struct tws_inlet *l)
{
    const struct tws_entrance e = {
        .at = &l->listen, .access = &l->conf->access, .activation = l->ingress->activation};

    tws_err err =
        tws_entrance_listen(&e, l->ingress->loop, tws_inlet_accepted, l, &l->file, &l->listener);
    if (err == TWS_OK)
        tws_listener_leave_some(l->listener);
    return err;
}

void tws_inlet_close_stream(struct tws_inlet *l)
{
    tws_unix_socket_remove(&l->file);
    tws_listener_close(l->listener);
    l->listener = NULL;
}

void tws_inlet_pause_stream(struct tws_inlet *l, bool paused)
{
    if (l->listener != NULL)
        tws_listener_pause(l->listener, paused);
}

void tws_inlet_stream_address(const struct tws_inlet *l, struct tws_sockaddr *out)
{
    if (l->listener != NULL)
        tws_listener_address(l->listener, out);
}

static bool aim(const struct tws_inlet *l, struct tws_arrival *a)
{
    if (l->ops->aim != NULL)
        return l->ops->aim(l, a);
    tws_target_from_spot(&l->conf->remote, &a->target);
    return true;
}

/* Whether it is a proxy that says with a header who connected to it. */
static bool is_trusted(const struct tws_forward *f, const struct tws_sockaddr *peer)
{
    struct tws_ip ip;
    uint16_t port;

    if (f->ntrusted == 0)
        return false;
    tws_sockaddr_get(peer, &ip, &port);
    for (size_t i = 0; i < f->ntrusted; i++)
        if (tws_prefix_contains(&f->trusted[i], &ip))
            return true;
    return false;
}

void tws_inlet_accepted(void *arg, int fd, const struct tws_sockaddr *peer)
{
    struct tws_inlet *l = arg;
    struct tws_greeting_config cfg = {.arrival = {.fd = fd, .source = *peer},
                                      .has_header = is_trusted(l->conf, peer),
                                      .greeter = l->ops->greeter,
                                      .conf = &l->conf,
                                      .owner = l};

    if (l->ops->greeter == NULL && !aim(l, &cfg.arrival)) {
        tws_socket_set_abort(fd);
        tws_socket_close(fd);
    } else if (l->ops->greeter != NULL || cfg.has_header) {
        tws_greeting_start(&l->ingress->greetings, &cfg);
    } else {
        tws_inlet_arrive(l, &cfg.arrival);
    }
}

const struct tws_inlet_ops tws_inlet_tcp = {
    .open = tws_inlet_open_stream,
    .close = tws_inlet_close_stream,
    .pause = tws_inlet_pause_stream,
    .address = tws_inlet_stream_address,
};

/*
 * decoy.c - see decoy_priv.h.
 */
#include "decoy_priv.h"

#include "tws/net/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tws_decoy {
    struct tws_loop *loop;
};

tws_err tws_decoy_new(struct tws_loop *loop, const char *site, struct tws_decoy **out)
{
    struct tws_decoy *d = calloc(1, sizeof(*d));

    (void)site;
    if (d == NULL)
        return TWS_NOMEM;
    d->loop = loop;
    *out = d;
    return TWS_OK;
}

void tws_decoy_free(struct tws_decoy *d)
{
    free(d);
}

void tws_decoy_serve(struct tws_decoy *d, int fd, const struct tws_http_head *head)
{
    static const char answer[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
                                 "Connection: close\r\n\r\n";

    (void)d;
    (void)head;
    (void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)recv(fd, NULL, TWS_HTTP_HEAD_MAX, MSG_TRUNC | MSG_DONTWAIT);
    tws_socket_close(fd);
}

/* address.c - see address_priv.h. */
#include "address_priv.h"

struct tws_target tws_address_target(const struct tws_sockaddr *sa)
{
    struct tws_ip ip;
    uint16_t port;

    tws_sockaddr_get(sa, &ip, &port);
    ip = tws_ip_unmap(ip);
    return tws_target_from_ip(&ip, port);
}

struct tws_span tws_address_encode(const struct tws_sockaddr *sa, uint8_t buf[TWS_TARGET_MAX])
{
    struct tws_target t = tws_address_target(sa);
    struct tws_writer w = tws_writer(buf, TWS_TARGET_MAX);

    if (t.type == 0)
        return (struct tws_span){buf, 0};
    tws_target_write(&w, &t);
    return (struct tws_span){buf, w.failed ? 0 : w.len};
}

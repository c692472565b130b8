/*
 * ip_detour_priv.h - sends everything of this machine into a device, but the client's own links:
 *
 *      priority  who                           where
 *      7470      our links (by their mark)     on at 7475, as if we were not there
 *      7471      what is excluded              likewise
 *      7472      DNS, to whomever              our table
 *      7473      all                           the main table without its default: neighbours
 *      7474      all                           our table: the device, or nowhere by family
 *      7475                                    the rules of others follow
 *
 * With `dns:` the system's resolver (resolvectl) is told to ask those servers.
 */
#ifndef TWS_TUNNEL_IP_DETOUR_PRIV_H
#define TWS_TUNNEL_IP_DETOUR_PRIV_H

#include "ip_device_priv.h"

#include "tws/tunnel/config.h"

struct tws_ip_detour {
    struct tws_rtnl rtnl;
    char device[TWS_DEVICE_TEXT]; /* "": it does nothing */
    bool resolver_told;
};

/* `mark` is that of the links; `v4` and `v6` say what the device has addresses of. TWS_SYS
 * (logged): nothing has changed. */
TWS_MUST_USE tws_err tws_ip_detour_start(struct tws_ip_detour *t, const struct tws_ip_device *d,
                                         const struct tws_tun_config *conf, uint32_t mark, bool v4,
                                         bool v6);
/* All as it was. Fine for one that does nothing (zeroed). */
void tws_ip_detour_stop(struct tws_ip_detour *t);

#endif

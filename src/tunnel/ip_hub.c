/* ip_hub.c - see ip_hub_priv.h. */
#include "ip_hub_priv.h"

#include "tws/base/log.h"
#include "tws/proto/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- device -> ports ---- */

static void take(void *arg, uint8_t *bytes, size_t n)
{
    struct tws_ip_hub *hub = arg;
    struct tws_ip_packet p;
    struct tws_tun_port *port = NULL;

    if (tws_ip_packet_read((struct tws_span){bytes, n}, &p) == TWS_OK)
        port = tws_ip_table_find(&hub->table, &p.destination);
    if (port == NULL) {
        hub->unrouted++;
        return;
    }
    tws_ip_packet_clamp(bytes, n, &p, hub->device.mtu);
    uint64_t now = tws_carrier_now(port->local.carrier);
    tws_backlog_put(&port->backlog, (struct tws_span){bytes, n}, now);
    tws_channel_set_ready(port->local.channel, true, now);
    tws_carrier_kick(port->local.carrier);
}

static void on_device(struct tws_io *io, unsigned events)
{
    struct tws_ip_hub *hub = TWS_CONTAINER(io, struct tws_ip_hub, io);

    if (events & (TWS_IO_READ | TWS_IO_HUP))
        tws_ip_device_drain(&hub->device, io, take, hub);
}

/* ---- life ---- */

static void tell_ready(const struct tws_ip_hub *hub)
{
    tws_log(TWS_LOG_INFO, "device ready", "device=%s mtu=%u", hub->device.tun.name,
            (unsigned)hub->device.mtu);
    if (tws_ip_setting("/proc/sys/net/ipv4/ip_forward") == '0')
        tws_log(TWS_LOG_INFO, "no further than this machine",
                "device=%s reason=\"the kernel does not forward: sysctl -w net.ipv4.ip_forward=1\"",
                hub->device.tun.name);
}

static tws_err open_device(struct tws_ip_hub *hub)
{
    const struct tws_tun_config *c = hub->cfg->tun;
    tws_err err = tws_ip_device_open(&hub->device, hub->loop, c->device, c->mtu);

    hub->nnets = c->naddresses;
    memcpy(hub->nets, c->addresses, c->naddresses * sizeof *c->addresses);
    if (err == TWS_OK)
        err = tws_ip_device_set_addresses(&hub->device, hub->nets, hub->nnets);
    if (err == TWS_OK)
        err = tws_io_start(hub->loop, &hub->io, hub->device.tun.fd, on_device);
    return err;
}

tws_err tws_ip_hub_new(struct tws_loop *loop, const struct tws_server_config *cfg,
                       struct tws_ip_hub **out)
{
    struct tws_ip_hub *hub = calloc(1, sizeof *hub);

    if (hub == NULL)
        return TWS_NOMEM;
    hub->loop = loop;
    hub->cfg = cfg;
    tws_list_init(&hub->ports);
    tws_err err = tws_ip_table_init(&hub->table);
    if (err == TWS_OK)
        err = open_device(hub);
    if (err != TWS_OK) {
        int saved = errno;
        tws_ip_hub_free(hub);
        errno = saved;
        return err;
    }
    tell_ready(hub);
    *out = hub;
    return TWS_OK;
}

void tws_ip_hub_free(struct tws_ip_hub *hub)
{
    struct tws_tun_port *p;

    if (hub == NULL)
        return;
    while ((p = TWS_LIST_FIRST(&hub->ports, struct tws_tun_port, port_node)) != NULL)
        tws_ip_ungrant(p);
    tws_io_stop(&hub->io);
    tws_ip_device_close(&hub->device);
    tws_ip_table_fini(&hub->table);
    tws_loop_free_later(hub->loop, hub);
}

/* ---- changes ---- */

void tws_ip_hub_set(struct tws_ip_hub *hub, const struct tws_server_config *cfg)
{
    struct tws_node *it, *next;

    hub->cfg = cfg;
    TWS_LIST_EACH(it, next, &hub->ports)
    {
        struct tws_tun_port *p = TWS_CONTAINER(it, struct tws_tun_port, port_node);
        struct tws_judge_terms terms;
        if (!p->judge->ops->terms(p->judge, &terms) || !tws_ip_granted(p, terms.user))
            tws_tun_port_cut(p, TWS_CODE_FORBIDDEN, "the user's tun changed");
    }
}

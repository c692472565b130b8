/* option_rows_tun.c - the keys of the server's `tun:`; see option_table.c. */
#include "option_rows_priv.h"

#include "tws/app/settings.h"

#define AT(field) offsetof(struct tws_tun_settings, field)

static const struct tws_option rows[] = {
    {.name = "device",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_SERVER,
     .offset = AT(device),
     .min = 1,
     .max = 15,
     .arg = "DEVICE",
     .help = "The device's name. One that is there (ip tuntap add dev NAME mode tun user USER) is "
             "used as it is, without any privilege; else it is made. Not given: tws0, or the next "
             "that is free."},
    {.name = "address",
     .type = TWS_TYPE_IFADDR,
     .flags = TWS_OPT_SERVER | TWS_OPT_LIST | TWS_OPT_REQUIRED,
     .offset = AT(address),
     .arg = "ADDR",
     .help = "The device's addresses with their networks, from which pool gives out the rest."},
    {.name = "mtu",
     .type = TWS_TYPE_NUMBER,
     .flags = TWS_OPT_SERVER,
     .offset = AT(mtu),
     .fallback = "1500",
     .min = 576,
     .max = 16384,
     .arg = "N",
     .help = "The largest packet; the smaller of both ends counts. IPv6 needs 1280."},
};

const struct tws_table tws_table_tun = {"tun", rows, sizeof rows / sizeof *rows,
                                        sizeof(struct tws_tun_settings)};

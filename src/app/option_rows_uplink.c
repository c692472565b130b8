/* option_rows_uplink.c - the keys of a record of `uplinks:`; see option_table.c. */
#include "option_rows_priv.h"

#include "tws/app/settings.h"
#include "tws/tunnel/config.h"

#define AT(field) offsetof(struct tws_uplink_settings, field)

static const char *const roles[] = {"available", "backup", NULL};
_Static_assert(TWS_UPLINK_AVAILABLE == 1 && TWS_UPLINK_BACKUP == 2, "roles[] follows");

static const struct tws_option rows[] = {
    {.name = "name",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_CLIENT | TWS_OPT_REQUIRED,
     .offset = AT(name),
     .min = 1,
     .max = 64,
     .arg = "NAME",
     .help = "The uplink's name in the log: letters, digits, dots, dashes and underscores."},
    {.name = "interface",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(interface),
     .min = 1,
     .max = 15,
     .arg = "DEVICE",
     .help = "The network device its links go out of, such as wlan0, whatever the routing table "
             "prefers. Not given: the routing table decides."},
    {.name = "source",
     .type = TWS_TYPE_IP,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(source),
     .arg = "ADDR",
     .help = "The address of this machine its links come from, for networks that are told apart "
             "by rules on the source (ip rule). Not given: the kernel's choice."},
    {.name = "connections",
     .type = TWS_TYPE_NUMBER,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(connections),
     .fallback = "1",
     .min = 1,
     .max = TWS_UPLINK_LINKS,
     .arg = "N",
     .help = "Links to keep up over this uplink; all uplinks together have at most 16."},
    {.name = "weight",
     .type = TWS_TYPE_NUMBER,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(weight),
     .fallback = "1",
     .min = 1,
     .max = 1000,
     .arg = "N",
     .help = "Its share of the connections beside the other uplinks' weights, for each link, when "
             "schedule is weighted or auto."},
    {.name = "role",
     .type = TWS_TYPE_CHOICE,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(role),
     .fallback = "available",
     .choices = roles,
     .arg = "ROLE",
     .help = "backup: its links are kept up and carry nothing as long as a link of an uplink that "
             "is available works."},
};

const struct tws_table tws_table_uplink = {"uplink", rows, sizeof rows / sizeof *rows,
                                           sizeof(struct tws_uplink_settings)};

/* option_rows_egress.c - the keys of a record of `egress:`; see option_table.c. What they mean
 * together is config_egress.c's to say. */
#include "option_rows_priv.h"

#include "tws/app/settings.h"
#include "tws/tunnel/config.h"

#define AT(field) offsetof(struct tws_egress_settings, field)

/* In the order of enum tws_send_proxy. */
static const char *const versions[] = {"v1", "v2", NULL};
_Static_assert(TWS_SEND_PROXY_V1 == 1 && TWS_SEND_PROXY_V2 == 2, "versions[] follows the enum");

static const struct tws_option rows[] = {
    {.name = "to",
     .type = TWS_TYPE_RULE,
     .flags = TWS_OPT_SERVER | TWS_OPT_LIST,
     .offset = AT(to),
     .arg = "TARGET",
     .help =
         "The targets this record is for, written as in allow; it allows nothing by itself. Not "
         "given: all targets."},
    {.name = "from",
     .type = TWS_TYPE_PREFIX,
     .flags = TWS_OPT_SERVER | TWS_OPT_LIST,
     .offset = AT(from),
     .arg = "NETWORK",
     .help = "Only for connections whose client's own address is in one of these networks. Not "
             "given: whatever it is."},
    {.name = "send_proxy",
     .type = TWS_TYPE_CHOICE,
     .flags = TWS_OPT_SERVER,
     .offset = AT(send_proxy),
     .choices = versions,
     .arg = "VERSION",
     .help =
         "Say the client's address in front of the connection, in the PROXY protocol: v1 or v2."},
    {.name = "spoof",
     .type = TWS_TYPE_FLAG,
     .flags = TWS_OPT_SERVER,
     .offset = AT(spoof),
     .fallback = "false",
     .help = "Connect from the client's own address and port. The target's answers have to come "
             "back through this machine: tws check says which routes are missing. Needs "
             "CAP_NET_ADMIN."},
    {.name = "mark",
     .type = TWS_TYPE_NUMBER,
     .flags = TWS_OPT_SERVER,
     .offset = AT(mark),
     .min = 1,
     .max = 4294967295,
     .arg = "N",
     .help = "Mark of the connections for routing rules and nftables (SO_MARK). Needs "
             "CAP_NET_ADMIN."},
    {.name = "bind",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_SERVER,
     .offset = AT(bind),
     .min = 1,
     .max = 45,
     .arg = "ADDR|DEVICE",
     .help = "The address of this machine to connect from, or the network device to go out of."},
    {.name = "via",
     .type = TWS_TYPE_SECRET,
     .flags = TWS_OPT_SERVER,
     .offset = AT(via),
     .min = 1,
     .max = 1024,
     .arg = "URL",
     .help = "A proxy to go through: socks5h://, socks5:// or http:// (CONNECT), then "
             "[user:password@]host:port. It is asked for a name only if a rule of the user names "
             "it; other names are resolved here, and the address is checked. socks5:// always "
             "resolves here."},
    {.name = "ipv4",
     .type = TWS_TYPE_ADDRESS,
     .flags = TWS_OPT_SERVER,
     .offset = AT(ipv4),
     .min = 1,
     .arg = "ADDR",
     .help =
         "Where to connect instead, for clients with an IPv4 address: an IPv4 address and port. "
         "The user's rules have to allow it too."},
    {.name = "ipv6",
     .type = TWS_TYPE_ADDRESS,
     .flags = TWS_OPT_SERVER,
     .offset = AT(ipv6),
     .min = 1,
     .arg = "ADDR",
     .help = "The same for clients with an IPv6 address."},
};

const struct tws_table tws_table_egress = {"egress record", rows, sizeof rows / sizeof *rows,
                                           sizeof(struct tws_egress_settings)};

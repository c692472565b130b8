/* option_rows_forward.c - the keys of a record of `forwards:`; see option_table.c. What a kind
 * needs and what it has no use for is config_forwards.c's to say. */
#include "option_rows_priv.h"

#include "tws/app/settings.h"
#include "tws/tunnel/config.h"

#define AT(field) offsetof(struct tws_forward_settings, field)
#define TEXT_MAX  4096

/* In the order of enum tws_forward_kind. */
static const char *const kinds[] = {"tcp", "socks",       "http", "proxy",
                                    "udp", "transparent", "tun",  NULL};
_Static_assert(sizeof kinds / sizeof *kinds == TWS_FORWARD_END + 1, "kinds[] follows the enum");

static const struct tws_option rows[] = {
    {.name = "kind",
     .type = TWS_TYPE_CHOICE,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(kind),
     .fallback = "tcp",
     .choices = kinds,
     .arg = "KIND",
     .help = "How connections come in and who says where they go. tcp: all go to remote; socks: "
             "each client says where, in SOCKS 4, 4a or 5; http: the same as an HTTP proxy; proxy: "
             "both of these on one port; udp: datagrams, all to remote, each sender by itself; "
             "transparent: the kernel catches connections to networks, of this machine and of "
             "those behind it; tun: IP packets, by a network device of this machine."},
    {.name = "reverse",
     .type = TWS_TYPE_FLAG,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(reverse),
     .help = "The other way round: the server listens, if its rules allow it (listen in the keys "
             "file), and this client connects to remote, or for proxies to what allow has. Port 0 "
             "is one of the server's choice; the log says which."},
    {.name = "listen",
     .type = TWS_TYPE_SPOT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(listen),
     .arg = "ADDR",
     .help =
         "Where to accept connections; an empty host is every address of the machine. A range of "
         "ports is a forward for each of them. unix:/path is a unix socket: its file is made, in "
         "place of one on which nobody listens any more, and removed at the end; unix:@name has "
         "no file. fd:NAME are the sockets of that name that the service manager opened "
         "(FileDescriptorName=), those of datagrams for kind udp; one that it opened for an "
         "address or path given here is used "
         "too. The machine is the server's if reverse is set, and "
         "the spot an address of it, localhost, or a unix socket. A transparent forward needs "
         "none."},
    {.name = "listen_mode",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(listen_mode),
     .min = 1,
     .max = 4,
     .arg = "MODE",
     .help = "Mode of the file if listen is unix:/path, such as 0660. Not given: 0600."},
    {.name = "listen_owner",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(listen_owner),
     .min = 1,
     .max = 128,
     .arg = "OWNER",
     .help = "Its owner: user, user:group or :group, names or numbers. Not given: the process's."},
    {.name = "remote",
     .type = TWS_TYPE_SPOT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(remote),
     .min = 1,
     .arg = "ADDR",
     .help =
         "Where the server connects each of them to; a name is resolved by the server, and a unix "
         "socket is one there. It has as many ports as listen. Kinds whose clients say where "
         "they want to go have none. If reverse is set, it is this client that resolves and "
         "connects."},
    {.name = "user",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(user),
     .min = 1,
     .max = 255,
     .arg = "NAME",
     .help = "Kinds socks, http and proxy: the user name that clients must give, beside password. "
             "SOCKS 4 has no passwords and is refused then. Not given: anyone who can connect is "
             "served."},
    {.name = "password",
     .type = TWS_TYPE_SECRET,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(password),
     .min = 1,
     .max = 255,
     .arg = "SECRET",
     .help = "The password that belongs to user."},
    {.name = "optimistic",
     .type = TWS_TYPE_FLAG,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(optimistic),
     .fallback = "false",
     .help = "Kinds socks, http and proxy: clients hear that they are connected before the target "
             "answered. That saves a round trip; a target that cannot be reached is then a "
             "connection that closes."},
    {.name = "trusted",
     .type = TWS_TYPE_PREFIX,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(trusted),
     .arg = "NETWORK",
     .help = "Proxies, such as haproxy and nginx, that begin each connection with a PROXY protocol "
             "header, version 1 or 2: the address it tells becomes the connection's source. A "
             "connection from there without a header is refused; from elsewhere none is read."},
    {.name = "trusted_file",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(trusted_file),
     .min = 1,
     .max = TEXT_MAX,
     .arg = "FILE",
     .help = "More of trusted: a file with a network or address on each line; a # begins a "
             "comment. It is read again with the configuration."},
    {.name = "allow",
     .type = TWS_TYPE_RULE,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(allow),
     .arg = "TARGET",
     .help = "Kinds socks, http and proxy with reverse: the targets that this client connects to "
             "for those who come in at the server; see TARGETS. The server's rules say nothing "
             "about them."},
    {.name = "networks",
     .type = TWS_TYPE_PREFIX,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(networks),
     .arg = "NETWORK",
     .help = "Kind transparent: the destinations to catch, such as 10.0.0.0/8; 0.0.0.0/0 and ::/0 "
             "are all of them but this machine's own addresses and the links to the server."},
    {.name = "exclude",
     .type = TWS_TYPE_PREFIX,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(exclude),
     .arg = "NETWORK",
     .help =
         "Kind transparent: what of networks is left alone. Kind tun with all: networks that are "
         "reached as without it."},
    {.name = "tproxy",
     .type = TWS_TYPE_FLAG,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(tproxy),
     .fallback = "false",
     .help = "Kind transparent: catch with TPROXY and a routing rule instead of REDIRECT, and "
             "datagrams (UDP) too."},
    {.name = "local",
     .type = TWS_TYPE_FLAG,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(local),
     .fallback = "false",
     .help = "Kind transparent: catch this machine's own connections, and not those of machines "
             "behind it."},
    {.name = "device",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(device),
     .min = 1,
     .max = 15,
     .arg = "DEVICE",
     .help = "Kind tun: the device's name. One that is there (ip tuntap add dev NAME mode tun user "
             "USER) is used as it is, without any privilege; else it is made. Not given: tws0, or "
             "the next that is free."},
    {.name = "address",
     .type = TWS_TYPE_IFADDR,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(address),
     .arg = "ADDR",
     .help = "Kind tun: the device's addresses with their networks; the server's rules must have "
             "them for this user. Not given: the server says which, of a network for private use."},
    {.name = "mtu",
     .type = TWS_TYPE_NUMBER,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(mtu),
     .fallback = "1500",
     .min = 576,
     .max = 16384,
     .arg = "N",
     .help = "Kind tun: the largest packet; the smaller of both ends counts. IPv6 needs 1280."},
    {.name = "routes",
     .type = TWS_TYPE_PREFIX,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(routes),
     .arg = "NETWORK",
     .help =
         "Kind tun: networks that are reached through the device, beside the one of its "
         "address. Packets out of the tunnel must come from them; a route that is there already "
         "is left as it is."},
    {.name = "behind",
     .type = TWS_TYPE_PREFIX,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(behind),
     .arg = "NETWORK",
     .help = "Kind tun: networks behind this machine that may be reached through the link. Packets "
             "out of the tunnel must go there, or to the device's own address."},
    {.name = "sources",
     .type = TWS_TYPE_PREFIX,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(sources),
     .arg = "NETWORK",
     .help = "Kind tun: networks that packets out of the tunnel may come from besides routes, "
             "without a route that is set; 0.0.0.0/0 is any IPv4 address."},
    {.name = "all",
     .type = TWS_TYPE_FLAG,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(all),
     .fallback = "false",
     .help = "Kind tun: everything of this machine goes through the device, DNS included, but this "
             "client's own links, the networks this machine is in itself, and exclude. It stays so "
             "while the tunnel is down. An IP family the device has no address of goes nowhere."},
    {.name = "dns",
     .type = TWS_TYPE_IP,
     .flags = TWS_OPT_CLIENT | TWS_OPT_LIST,
     .offset = AT(dns),
     .arg = "ADDR",
     .help =
         "Kind tun with all: the resolvers this machine asks meanwhile (set by resolvectl). Not "
         "given: those it has, which the server's side must be able to reach."},
};

const struct tws_table tws_table_forward = {"forward", rows, sizeof rows / sizeof *rows,
                                            sizeof(struct tws_forward_settings)};

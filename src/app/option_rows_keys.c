/* option_rows_keys.c - the keys of a keys file, and of its records, the users; see option_table.c.
 */
#include "option_rows_priv.h"

#include "tws/app/settings.h"
#include "tws/tunnel/config.h"

#define AT(field) offsetof(struct tws_user_settings, field)

#define GIB (UINT64_C(1) << 30)

static const struct tws_option user_rows[] = {
    {.name = "name",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_SERVER | TWS_OPT_REQUIRED,
     .offset = AT(name),
     .min = 1,
     .max = 64,
     .arg = "NAME",
     .help = "The user's name in the log."},
    {.name = "key",
     .type = TWS_TYPE_SECRET,
     .flags = TWS_OPT_SERVER | TWS_OPT_REQUIRED,
     .offset = AT(key),
     .min = 1,
     .arg = "KEY",
     .help = "The user's key: the line that tws keygen made, or its last part beside key_id."},
    {.name = "key_id",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_SERVER,
     .offset = AT(key_id),
     .min = 16,
     .max = 16,
     .arg = "HEX",
     .help = "The key's id, 16 hex digits, when key holds the secret part alone."},
    {.name = "allow",
     .type = TWS_TYPE_RULE,
     .flags = TWS_OPT_SERVER | TWS_OPT_LIST | TWS_OPT_REQUIRED,
     .offset = AT(allow),
     .arg = "TARGET",
     .help = "The targets this user may reach; see TARGETS. An empty list allows none."},
    {.name = "listen",
     .type = TWS_TYPE_RULE,
     .flags = TWS_OPT_SERVER | TWS_OPT_LIST,
     .offset = AT(listen),
     .arg = "ADDRESS",
     .help = "Where the server may listen for this user's reverse forwards: addresses, networks or "
             "localhost, each with ports, such as 127.0.0.1:2222 or 10.0.0.0/8:8000-8010; unix "
             "sockets by their path, such as unix:/run/tws-server/main/*. All addresses at "
             "once (0.0.0.0, ::) need a rule that spells them or has them all. Not given: "
             "nowhere."},
    {.name = "listen_mode",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_SERVER,
     .offset = AT(listen_mode),
     .min = 1,
     .max = 4,
     .arg = "MODE",
     .help = "Mode of the unix sockets that the server makes for this user's reverse forwards, "
             "such as 0660. Not given: 0600."},
    {.name = "listen_owner",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_SERVER,
     .offset = AT(listen_owner),
     .min = 1,
     .max = 128,
     .arg = "OWNER",
     .help = "Their owner: user, user:group or :group, names or numbers. Not given: the "
             "process's."},
    {.name = "tun",
     .type = TWS_TYPE_TEXT,
     .flags = TWS_OPT_SERVER | TWS_OPT_LIST,
     .offset = AT(tun),
     .min = 1,
     .max = TWS_PREFIX_TEXT,
     .arg = "ADDR",
     .help =
         "What the client's end of an IP link may have: addresses (the first of each family that "
         "is free is its own), networks behind it, and pool, for an address of the server's tun "
         "that nobody else has. A packet from any other source is dropped. Not given: no IP "
         "link."},
    {.name = "max_channels",
     .type = TWS_TYPE_NUMBER,
     .flags = TWS_OPT_SERVER,
     .offset = AT(max_channels),
     .fallback = "0",
     .max = 1000000,
     .arg = "N",
     .help = "Connections open at once over all sessions of this user; 0: no limit but that of "
             "each session."},
    {.name = "max_sessions",
     .type = TWS_TYPE_NUMBER,
     .flags = TWS_OPT_SERVER,
     .offset = AT(max_sessions),
     .fallback = "0",
     .max = 1000000,
     .arg = "N",
     .help = "Clients at once with this key; 0: no limit."},
    {.name = "max_listens",
     .type = TWS_TYPE_NUMBER,
     .flags = TWS_OPT_SERVER,
     .offset = AT(max_listens),
     .fallback = "64",
     .max = 65536,
     .arg = "N",
     .help = "Reverse forwards at once over all sessions of this user; 0: no limit."},
    {.name = "rate",
     .type = TWS_TYPE_SIZE,
     .flags = TWS_OPT_SERVER,
     .offset = AT(rate),
     .fallback = "0",
     .max = 1024 * GIB,
     .arg = "SIZE",
     .help = "Bytes per second in each direction; 0: no limit."},
};

static const struct tws_table user_table = {"user", user_rows, sizeof user_rows / sizeof *user_rows,
                                            sizeof(struct tws_user_settings)};

static const struct tws_option keys_rows[] = {
    {.name = "users",
     .type = TWS_TYPE_RECORDS,
     .flags = TWS_OPT_SERVER | TWS_OPT_LIST | TWS_OPT_REQUIRED | TWS_OPT_RELOAD,
     .offset = offsetof(struct tws_keys_file, users),
     .records = &user_table,
     .help = "Who may connect, with which key, to what."},
};

static const struct tws_table keys_table = {
    "keys file", keys_rows, sizeof keys_rows / sizeof *keys_rows, sizeof(struct tws_keys_file)};

const struct tws_table *tws_table_keys(void)
{
    return &keys_table;
}

/* option_rows_forward.c - the keys of a record of `forwards:`; see option_table.c. What a kind
 * needs and what it has no use for is config_forwards.c's to say. */
#include "option_rows_priv.h"

#include "tws/app/settings.h"
#include "tws/tunnel/config.h"

#define AT(field) offsetof(struct tws_forward_settings, field)

/* In the order of enum tws_forward_kind. */
static const char *const kinds[] = {"tcp", NULL};
_Static_assert(sizeof kinds / sizeof *kinds == TWS_FORWARD_END + 1, "kinds[] follows the enum");

static const struct tws_option rows[] = {
    {.name = "kind",
     .type = TWS_TYPE_CHOICE,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(kind),
     .fallback = "tcp",
     .choices = kinds,
     .arg = "KIND",
     .help = "How connections come in and who says where they go. tcp: all go to remote."},
    {.name = "listen",
     .type = TWS_TYPE_SPOT,
     .flags = TWS_OPT_CLIENT | TWS_OPT_REQUIRED,
     .offset = AT(listen),
     .arg = "ADDR",
     .help =
         "Where to accept connections; an empty host is every address of the machine. A range of "
         "ports is a forward for each of them."},
    {.name = "remote",
     .type = TWS_TYPE_SPOT,
     .flags = TWS_OPT_CLIENT,
     .offset = AT(remote),
     .min = 1,
     .arg = "ADDR",
     .help =
         "Where the server connects each of them to; a name is resolved by the server, and a unix "
         "socket is one there. It has as many ports as listen. Kinds whose clients say where "
         "they want to go have none."},
};

const struct tws_table tws_table_forward = {"forward", rows, sizeof rows / sizeof *rows,
                                            sizeof(struct tws_forward_settings)};

/* option_rows_priv.h - tables that are too long to stand in option_table.c: one file each. */
#ifndef TWS_SRC_APP_OPTION_ROWS_PRIV_H
#define TWS_SRC_APP_OPTION_ROWS_PRIV_H

#include "tws/app/option.h"

extern const struct tws_table tws_table_egress;  /* struct tws_egress_settings */
extern const struct tws_table tws_table_forward; /* struct tws_forward_settings */
extern const struct tws_table tws_table_uplink;  /* struct tws_uplink_settings */
extern const struct tws_table tws_table_tun;     /* struct tws_tun_settings */

#endif

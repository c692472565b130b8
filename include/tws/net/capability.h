/*
 * capability.h - the one right beyond an ordinary user's that some ways in and out need:
 * CAP_NET_ADMIN (capabilities(7)).
 */
#ifndef TWS_NET_CAPABILITY_H
#define TWS_NET_CAPABILITY_H

#include <stdbool.h>

/* Whether this process may change the network: rules, routes, marks, transparent sockets. */
bool tws_net_admin(void);
/* Makes it a right of the programs this process starts, too; without it nothing happens. */
void tws_net_admin_lend(void);

#endif

/*
 * mask_keys.h - mask keys that nobody can foresee (RFC 6455, 5.3), a thousand for each getrandom.
 */
#ifndef TWS_WS_MASK_KEYS_H
#define TWS_WS_MASK_KEYS_H

#include <stdint.h>

/* The next key. Ends the process when the kernel has no random bytes to give. */
void tws_ws_mask_key(uint8_t key[4]);

#endif

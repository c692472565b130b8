/* frame.c - see frame.h; encoding and decoding are inline there, the names are here. */
#include "tws/proto/frame.h"

static const char *const names[TWS_FRAME_TYPE_END] = {
    [TWS_FRAME_PADDING] = "PADDING",   [TWS_FRAME_DATA] = "DATA",     [TWS_FRAME_OPEN] = "OPEN",
    [TWS_FRAME_OPENED] = "OPENED",     [TWS_FRAME_RESET] = "RESET",   [TWS_FRAME_STOP] = "STOP",
    [TWS_FRAME_WINDOW] = "WINDOW",     [TWS_FRAME_ACK] = "ACK",       [TWS_FRAME_DEAD] = "DEAD",
    [TWS_FRAME_CHANNELS] = "CHANNELS", [TWS_FRAME_PING] = "PING",     [TWS_FRAME_PONG] = "PONG",
    [TWS_FRAME_LINK] = "LINK",         [TWS_FRAME_GOAWAY] = "GOAWAY", [TWS_FRAME_CLOSE] = "CLOSE",
    [TWS_FRAME_DATAGRAM] = "DATAGRAM",
};

const char *tws_frame_name(uint8_t type)
{
    return type < TWS_FRAME_TYPE_END ? names[type] : "?";
}

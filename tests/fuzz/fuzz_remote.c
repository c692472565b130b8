/*
 * fuzz_remote.c - properties of the command line's forwards, for any text at all:
 *   1. a refusal says why;
 *   2. what is read is sound: a local spot that can listen, a target or a proxy, as many ports on
 *      both sides, nothing of this process on the other machine;
 *   3. what is shown reads back the same (but for a path with a colon in it, behind stdio).
 */
#include "fuzz.h"

#include "tws/proto/remote.h"

#include <string.h>

static void check_spot(const char *text, enum tws_spot_use use)
{
    char shown[TWS_SPOT_TEXT], again[TWS_SPOT_TEXT];
    const char *why = NULL;
    struct tws_spot s, back;

    if (tws_spot_parse(text, use, &s, &why) != TWS_OK) {
        REQUIRE(why != NULL && why[0] != '\0');
        return;
    }
    REQUIRE(s.type == TWS_SPOT_INET ? s.last >= s.port : s.port == 0 && s.last == 0);
    REQUIRE(tws_spot_count(&s) >= 1 && tws_spot_count(&s) <= TWS_SPOT_PORTS_MAX);
    REQUIRE(s.port == 0 || tws_spot_overlaps(&s, &s));
    tws_spot_format(&s, shown, sizeof shown);
    REQUIRE(tws_spot_parse(shown, use, &back, &why) == TWS_OK);
    tws_spot_format(&back, again, sizeof again);
    REQUIRE(strcmp(shown, again) == 0);
}

static void check_sound(const struct tws_remote *r)
{
    bool proxy = r->kind != TWS_REMOTE_TCP && r->kind != TWS_REMOTE_UDP;

    REQUIRE(r->listen.type != TWS_SPOT_NONE);
    REQUIRE((r->target.type == TWS_SPOT_NONE) == proxy);
    REQUIRE(r->target.type != TWS_SPOT_FD && r->target.type != TWS_SPOT_STDIO);
    REQUIRE(proxy || tws_spot_count(&r->listen) == tws_spot_count(&r->target));
    REQUIRE(r->target.type != TWS_SPOT_INET || (r->target.name[0] != '\0' && r->target.port != 0));
    REQUIRE(r->listen.type != TWS_SPOT_INET || r->listen.port != 0 || r->reverse);
    REQUIRE(!r->reverse || (r->listen.type != TWS_SPOT_FD && r->listen.type != TWS_SPOT_STDIO));
    if (r->kind == TWS_REMOTE_UDP) {
        REQUIRE(r->listen.type == TWS_SPOT_INET || r->listen.type == TWS_SPOT_FD);
        REQUIRE(r->target.type == TWS_SPOT_INET);
    }
}

typedef tws_err parse_fn(const char *text, struct tws_remote *out, const char **why);

static void check_remote(parse_fn *parse, const char *text)
{
    char shown[TWS_REMOTE_TEXT], again[TWS_REMOTE_TEXT];
    const char *why = NULL;
    struct tws_remote r, back;

    if (parse(text, &r, &why) != TWS_OK) {
        REQUIRE(why != NULL && why[0] != '\0');
        return;
    }
    check_sound(&r);
    tws_remote_format(&r, shown, sizeof shown);
    if (r.target.type == TWS_SPOT_UNIX && strchr(r.target.name, ':') != NULL)
        REQUIRE(r.listen.type == TWS_SPOT_STDIO);
    REQUIRE(tws_remote_parse(shown, &back, &why) == TWS_OK);
    tws_remote_format(&back, again, sizeof again);
    REQUIRE(strcmp(shown, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[1025];

    if (size >= sizeof text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_spot(text, TWS_SPOT_LISTEN);
    check_spot(text, TWS_SPOT_TARGET);
    check_remote(tws_remote_parse, text);
    check_remote(tws_remote_parse_stdio, text);
    return 0;
}

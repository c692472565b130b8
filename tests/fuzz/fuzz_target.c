/*
 * fuzz_target.c - properties of targets and of OPEN's payload, for any bytes at all:
 *   1. a target that is read is written back as exactly the bytes it came from;
 *   2. a part of a target is SHORT or already wrong, never another target;
 *   3. an OPEN that is read is written as one that reads back the same (parameters may be
 *      reordered and unknown ones dropped), and is never longer than announced;
 *   4. what is shown in a log is printable, and a host and port reads back.
 */
#include "fuzz.h"

#include "tws/proto/target.h"

#include <string.h>

static void check_text(const struct tws_target *t)
{
    char text[TWS_HOSTPORT_TEXT];

    tws_target_format(t, text, sizeof text);
    for (const char *s = text; *s != '\0'; s++)
        REQUIRE((unsigned char)*s >= 0x20 && *s != 0x7f);
    if (t->type == TWS_TARGET_IPV4 || t->type == TWS_TARGET_IPV6) {
        struct tws_hostport hp;
        struct tws_target back;
        REQUIRE(tws_hostport_parse(text, &hp) == TWS_OK);
        tws_target_from_hostport(&hp, &back);
        REQUIRE(back.type == t->type && tws_ip_equal(&back.ip, &t->ip) && back.port == t->port);
    }
}

static void check_target(struct tws_span in)
{
    struct tws_reader r = tws_reader(in);
    uint8_t again[TWS_TARGET_MAX];
    struct tws_writer w = tws_writer(again, sizeof again);
    struct tws_target t, part;

    if (tws_target_read(&r, &t) != TWS_OK)
        return;
    size_t used = in.n - r.left;
    tws_target_write(&w, &t);
    REQUIRE(!w.failed && w.len == used && memcmp(again, in.p, used) == 0);
    check_text(&t);
    for (size_t n = 0; n < used; n++) {
        r = tws_reader((struct tws_span){in.p, n});
        REQUIRE(tws_target_read(&r, &part) != TWS_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[TWS_OPEN_MAX], twice[TWS_OPEN_MAX];
    struct tws_writer w = tws_writer(again, sizeof again);
    struct tws_open o, back;

    check_target((struct tws_span){data, size});
    tws_err err = tws_open_read((struct tws_span){data, size}, &o);
    if (err != TWS_OK) {
        REQUIRE(err == TWS_E_PROTOCOL);
        return 0;
    }
    check_text(&o.target);
    tws_open_write(&w, &o);
    size_t len = w.len;
    REQUIRE(!w.failed && len <= size);
    REQUIRE(tws_open_read((struct tws_span){again, len}, &back) == TWS_OK);
    w = tws_writer(twice, sizeof twice);
    tws_open_write(&w, &back);
    REQUIRE(w.len == len && memcmp(again, twice, len) == 0);
    return 0;
}

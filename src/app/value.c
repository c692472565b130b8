/* value.c - see value.h. One row per type below; a parser never half-writes its field. */
#include "tws/app/value.h"

#include "rule_priv.h"

#include "tws/base/addr.h"
#include "tws/base/secret.h"
#include "tws/base/text.h"
#include "tws/proto/spot.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

typedef tws_err quantity_fn(const char *text, uint64_t max, uint64_t *out);

static tws_err parse_quantity(const struct tws_option *o, quantity_fn *read, const char *text,
                              uint64_t *out)
{
    uint64_t v = 0;

    if (read(text, o->max, &v) != TWS_OK || v < o->min)
        return TWS_ABSENT;
    *out = v;
    return TWS_OK;
}

static tws_err parse_u32(const struct tws_option *o, quantity_fn *read, const char *text, void *out)
{
    uint64_t v = 0;
    tws_err err = parse_quantity(o, read, text, &v);

    if (err == TWS_OK)
        *(uint32_t *)out = (uint32_t)v;
    return err;
}

static tws_err parse_number(const struct tws_option *o, const char *text, void *out)
{
    return parse_u32(o, tws_text_u64, text, out);
}

static tws_err parse_duration(const struct tws_option *o, const char *text, void *out)
{
    return parse_u32(o, tws_text_duration_ms, text, out);
}

static tws_err parse_size(const struct tws_option *o, const char *text, void *out)
{
    return parse_quantity(o, tws_text_size, text, out);
}

static tws_err parse_flag(const struct tws_option *o, const char *text, void *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    (void)o;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcmp(text, words[i]) != 0)
            continue;
        *(bool *)out = i % 2 != 0;
        return TWS_OK;
    }
    return TWS_ABSENT;
}

static tws_err parse_count(const struct tws_option *o, const char *text, void *out)
{
    bool flag = false;

    if (parse_flag(o, text, &flag) != TWS_OK)
        return parse_number(o, text, out);
    *(uint32_t *)out = flag;
    return TWS_OK;
}

static tws_err parse_choice(const struct tws_option *o, const char *text, void *out)
{
    for (uint32_t i = 0; o->choices[i] != NULL; i++) {
        if (strcmp(text, o->choices[i]) != 0)
            continue;
        *(uint32_t *)out = i + 1;
        return TWS_OK;
    }
    return TWS_ABSENT;
}

static void wipe_text(void *value)
{
    char **text = value;

    if (*text != NULL)
        tws_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static tws_err parse_text(const struct tws_option *o, const char *text, void *out)
{
    char *copy = NULL;

    if (strlen(text) < o->min || (o->max != 0 && strlen(text) > o->max))
        return TWS_ABSENT;
    copy = strdup(text);
    if (copy == NULL)
        return TWS_NOMEM;
    wipe_text(out);
    *(char **)out = copy;
    return TWS_OK;
}

static tws_err parse_address(const struct tws_option *o, const char *text, void *out)
{
    struct tws_hostport hp;
    tws_err err = tws_hostport_parse(text, &hp);

    if (err != TWS_OK)
        return err;
    /* `min` 1: the host must be there. */
    if (hp.port == 0 || (o->min != 0 && hp.host[0] == '\0'))
        return TWS_ABSENT;
    *(struct tws_hostport *)out = hp;
    return TWS_OK;
}

static tws_err parse_spot(const struct tws_option *o, const char *text, void *out)
{
    struct tws_spot s;
    const char *why = NULL;
    tws_err err = tws_spot_parse(text, o->min != 0 ? TWS_SPOT_TARGET : TWS_SPOT_LISTEN, &s, &why);

    if (err != TWS_OK)
        return err;
    if (s.type == TWS_SPOT_STDIO) /* the command line's to give */
        return TWS_ABSENT;
    *(struct tws_spot *)out = s;
    return TWS_OK;
}

static tws_err parse_ip(const struct tws_option *o, const char *text, void *out)
{
    (void)o;
    return tws_ip_parse(text, out);
}

static tws_err parse_prefix(const struct tws_option *o, const char *text, void *out)
{
    (void)o;
    return tws_prefix_parse(text, out);
}

/* An address and, behind a slash, how long its network's prefix is; without: a network by itself.
 */
static tws_err parse_ifaddr(const struct tws_option *o, const char *text, void *out)
{
    const char *slash = strchr(text, '/');
    size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char host[TWS_IP_TEXT];
    struct tws_prefix p;
    uint64_t bits = 0;

    (void)o;
    if (n >= sizeof host)
        return TWS_ABSENT;
    memcpy(host, text, n);
    host[n] = '\0';
    if (tws_ip_parse(host, &p.ip) != TWS_OK)
        return TWS_ABSENT;
    uint64_t most = p.ip.family == 4 ? 32 : 128;
    if (slash != NULL && (tws_text_u64(slash + 1, most, &bits) != TWS_OK || bits == 0))
        return TWS_ABSENT;
    p.bits = (uint8_t)(slash != NULL ? bits : most);
    *(struct tws_prefix *)out = p;
    return TWS_OK;
}

static tws_err parse_rule(const struct tws_option *o, const char *text, void *out)
{
    (void)o;
    return tws_rule_parse(text, out);
}

static void fini_rule(void *value)
{
    struct tws_rule *r = value;

    free(r->name);
    r->name = NULL;
}

struct type {
    size_t size;
    const char *expected; /* NULL: made of the row */
    tws_err (*parse)(const struct tws_option *o, const char *text, void *out);
    void (*fini)(void *value);
};

static const struct type types[] = {
    [TWS_TYPE_FLAG] = {sizeof(bool), "true or false", parse_flag, NULL},
    [TWS_TYPE_COUNT] = {sizeof(uint32_t), "true, false or a whole number", parse_count, NULL},
    [TWS_TYPE_NUMBER] = {sizeof(uint32_t), NULL, parse_number, NULL},
    [TWS_TYPE_DURATION] = {sizeof(uint32_t), NULL, parse_duration, NULL},
    [TWS_TYPE_SIZE] = {sizeof(uint64_t), NULL, parse_size, NULL},
    [TWS_TYPE_CHOICE] = {sizeof(uint32_t), NULL, parse_choice, NULL},
    [TWS_TYPE_TEXT] = {sizeof(char *), NULL, parse_text, wipe_text},
    [TWS_TYPE_SECRET] = {sizeof(char *), NULL, parse_text, wipe_text},
    [TWS_TYPE_ADDRESS] = {sizeof(struct tws_hostport), NULL, parse_address, NULL},
    [TWS_TYPE_SPOT] = {sizeof(struct tws_spot), NULL, parse_spot, NULL},
    [TWS_TYPE_IP] = {sizeof(struct tws_ip), "an address such as 192.0.2.7 or 2001:db8::7", parse_ip,
                     NULL},
    [TWS_TYPE_PREFIX] = {sizeof(struct tws_prefix),
                         "an address or a network such as 10.0.0.0/8 (no bits set behind the /)",
                         parse_prefix, NULL},
    [TWS_TYPE_IFADDR] = {sizeof(struct tws_prefix),
                         "an address with its network, such as 10.9.0.1/24 or fd09::1/64",
                         parse_ifaddr, NULL},
    [TWS_TYPE_RULE] = {sizeof(struct tws_rule),
                       "a target such as 10.0.0.0/8:22, [::1]:80-90, *.example.com:443, udp/*:53, "
                       "unix:/run/app.sock or *",
                       parse_rule, fini_rule},
    [TWS_TYPE_RECORDS] = {sizeof(struct tws_items), "a list of maps", NULL, NULL},
};

size_t tws_value_size(const struct tws_option *o)
{
    return types[o->type].size;
}

tws_err tws_value_parse(const struct tws_option *o, const char *text, void *out)
{
    return types[o->type].parse(o, text, out);
}

void tws_value_fini(const struct tws_option *o, void *value)
{
    if (types[o->type].fini != NULL)
        types[o->type].fini(value);
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* Ascending; the first is that of a bare number. */
static const struct unit numbers[] = {{"", 1}};
static const struct unit durations[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct unit sizes[] = {
    {"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};

/* In the largest unit that divides it, so that 5000 reads "5s". */
static void format_quantity(uint64_t v, const struct unit *units, size_t n, char *out, size_t cap)
{
    const struct unit *u = &units[0];

    for (size_t i = 0; i < n; i++)
        if (v != 0 && v % units[i].factor == 0)
            u = &units[i];
    snprintf(out, cap, "%" PRIu64 "%s", v / u->factor, v != 0 ? u->name : "");
}

static void expected_quantity(const struct tws_option *o, char *out, size_t cap)
{
    char min[32], max[32];
    const char *what = "a size";
    const struct unit *units = sizes;
    size_t n = COUNT(sizes);

    if (o->type == TWS_TYPE_DURATION) {
        what = "a duration";
        units = durations;
        n = COUNT(durations);
    } else if (o->type == TWS_TYPE_NUMBER) {
        what = "a whole number";
        units = numbers;
        n = COUNT(numbers);
    }
    format_quantity(o->min, units, n, min, sizeof min);
    format_quantity(o->max, units, n, max, sizeof max);
    snprintf(out, cap, "%s from %s to %s", what, min, max);
}

static void expected_choice(const struct tws_option *o, char *out, size_t cap)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; o->choices[i] != NULL && len < cap; i++) {
        const char *glue = i == 0 ? "" : o->choices[i + 1] == NULL ? " or " : ", ";

        len += (size_t)snprintf(out + len, cap - len, "%s%s", glue, o->choices[i]);
    }
}

#define TEXT_UNBOUNDED 4096 /* a limit that no user needs to know */

static void expected_text(const struct tws_option *o, char *out, size_t cap)
{
    const char *what = o->arg != NULL && strcmp(o->arg, "URL") == 0 ? "a URL" : "a text";

    if (o->max == 0 || o->max >= TEXT_UNBOUNDED)
        snprintf(out, cap, "%s", what);
    else if (o->min == o->max)
        snprintf(out, cap, "%s of %" PRIu64 " characters", what, o->max);
    else
        snprintf(out, cap, "%s of %" PRIu64 " to %" PRIu64 " characters", what, o->min, o->max);
}

void tws_value_expected(const struct tws_option *o, char *out, size_t cap)
{
    if (types[o->type].expected != NULL)
        snprintf(out, cap, "%s", types[o->type].expected);
    else if (o->type == TWS_TYPE_NUMBER || o->type == TWS_TYPE_DURATION || o->type == TWS_TYPE_SIZE)
        expected_quantity(o, out, cap);
    else if (o->type == TWS_TYPE_CHOICE)
        expected_choice(o, out, cap);
    else if (o->type == TWS_TYPE_ADDRESS)
        snprintf(out, cap, "%s such as 127.0.0.1:8080, [::1]:8080 or %s",
                 o->min != 0 ? "a host and port" : "an address",
                 o->min != 0 ? "example.com:80" : ":8080");
    else if (o->type == TWS_TYPE_SPOT)
        snprintf(out, cap, "%s",
                 o->min != 0 ? "a host and port such as 127.0.0.1:8080, [::1]:8080 or "
                               "example.com:80-90, or unix:/path"
                             : "an address such as 127.0.0.1:8080, [::1]:8080, :8080 or "
                               "127.0.0.1:8000-8010, unix:/path or fd:NAME");
    else
        expected_text(o, out, cap);
}

#define SHOWN 40 /* characters of a wrong value in a message */

void tws_value_found(const struct tws_option *o, const char *text, char *out, size_t cap)
{
    size_t n = strlen(text), len = 0;

    if (o != NULL && o->type == TWS_TYPE_SECRET) {
        snprintf(out, cap, "%zu characters", n);
        return;
    }
    out[len++] = '"';
    for (size_t i = 0; i < n && i < SHOWN && len + 5 < cap; i++)
        out[len++] = (char)(isprint((unsigned char)text[i]) ? text[i] : '?');
    snprintf(out + len, cap - len, n > SHOWN ? "...\"" : "\"");
}

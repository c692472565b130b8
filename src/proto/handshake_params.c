/*
 * handshake_params.c - see handshake.h; one row per parameter, in the order they are written.
 *
 * A reader that does not understand how big our messages may be, or whether records are sealed,
 * must not go on: these two are critical.
 */
#include "handshake_priv.h"
#include "param_priv.h"

#include "tws/proto/frame.h"

#include <string.h>

#define MESSAGE_MIN         1024u
#define EARLY_DATA_MAX      16384u
#define EARLY_DATAGRAMS_MAX 65536u
#define PADDING_MAX         4096u

struct field {
    uint8_t type;
    uint8_t width; /* bytes of the number; 0: a text of at most TWS_HS_NAME_MAX bytes */
    uint8_t flags;
    size_t offset;
    uint32_t min, max, normal;
};

#define AT(member) offsetof(struct tws_hs_params, member)

static const struct field fields[] = {
    {TWS_HS_CLIENT_NAME, 0, 0, AT(client_name), 0, 0, 0},
    {TWS_HS_MAX_MESSAGE, 4, TWS_PARAM_CRITICAL, AT(max_message), MESSAGE_MIN, TWS_MESSAGE_MAX,
     TWS_MESSAGE_DEFAULT},
    {TWS_HS_GRACE, 4, 0, AT(grace_ms), 0, UINT32_MAX, 120000},
    {TWS_HS_HEARTBEAT, 4, 0, AT(heartbeat_ms), 1, UINT32_MAX, 15000},
    {TWS_HS_EARLY_DATA, 4, 0, AT(early_data), 0, EARLY_DATA_MAX, 0},
    {TWS_HS_MAX_CHANNELS, 4, 0, AT(max_channels), 1, UINT32_MAX, 65536},
    {TWS_HS_UPLINK_NAME, 0, 0, AT(uplink_name), 0, 0, 0},
    {TWS_HS_LINK_WEIGHT, 2, 0, AT(link_weight), 1, UINT16_MAX, 1},
    {TWS_HS_SEAL, 1, TWS_PARAM_CRITICAL, AT(seal), TWS_HS_SEAL_OFF, TWS_HS_SEAL_REQUIRE,
     TWS_HS_SEAL_ALLOW},
    {TWS_HS_EARLY_DATAGRAMS, 4, 0, AT(early_datagrams), 0, EARLY_DATAGRAMS_MAX, 0},
    {TWS_HS_PADDING, 4, 0, AT(padding), 0, PADDING_MAX, 0},
};

#define NFIELDS (sizeof fields / sizeof fields[0])

static void store(const struct field *f, struct tws_hs_params *p, uint32_t v)
{
    uint8_t *at = (uint8_t *)p + f->offset;

    if (f->width == 1)
        *at = (uint8_t)v;
    else if (f->width == 2)
        memcpy(at, &(uint16_t){(uint16_t)v}, 2);
    else
        memcpy(at, &v, 4);
}

static uint32_t load(const struct field *f, const struct tws_hs_params *p)
{
    const uint8_t *at = (const uint8_t *)p + f->offset;
    uint16_t v16;
    uint32_t v32;

    if (f->width == 1)
        return *at;
    if (f->width == 2) {
        memcpy(&v16, at, 2);
        return v16;
    }
    memcpy(&v32, at, 4);
    return v32;
}

void tws_hs_params_init(struct tws_hs_params *p)
{
    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < NFIELDS; i++)
        if (fields[i].width > 0)
            store(&fields[i], p, fields[i].normal);
}

static bool is_name(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return n > 0 && n <= TWS_HS_NAME_MAX;
}

static tws_err read_text(const struct field *f, struct tws_span value, struct tws_hs_params *p)
{
    char *text = (char *)p + f->offset;

    if (!is_name(value.p, value.n))
        return TWS_E_PROTOCOL;
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    return TWS_OK;
}

static tws_err read_number(const struct field *f, struct tws_span value, struct tws_hs_params *p)
{
    uint32_t v = 0;

    if (value.n != f->width)
        return TWS_E_PROTOCOL;
    for (size_t i = 0; i < value.n; i++)
        v = v << 8 | value.p[i];
    if (v < f->min || v > f->max)
        return TWS_E_PROTOCOL;
    store(f, p, v);
    return TWS_OK;
}

static tws_err read_param(const struct tws_param *in, struct tws_hs_params *p)
{
    for (size_t i = 0; i < NFIELDS; i++) {
        const struct field *f = &fields[i];
        if (f->type != in->type)
            continue;
        p->given |= TWS_HS_GIVEN(f->type);
        return f->width == 0 ? read_text(f, in->value, p) : read_number(f, in->value, p);
    }
    return tws_param_unknown(in);
}

tws_err tws_hs_params_read(struct tws_span bytes, struct tws_hs_params *out)
{
    struct tws_param_list list = tws_param_list(bytes);
    struct tws_hs_params p;
    struct tws_param in;
    tws_err err;

    tws_hs_params_init(&p);
    while ((err = tws_param_next(&list, &in)) == TWS_OK) {
        err = read_param(&in, &p);
        if (err != TWS_OK)
            return err;
    }
    if (err != TWS_ABSENT)
        return err;
    *out = p;
    return TWS_OK;
}

static void write_text(struct tws_writer *w, const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t n = strlen(text);

    if (!is_name(s, n))
        w->failed = true;
    tws_write_bytes(w, s, n);
}

static void write_number(struct tws_writer *w, const struct field *f, uint32_t v)
{
    if (v < f->min || v > f->max)
        w->failed = true;
    for (unsigned i = f->width; i-- > 0;)
        tws_write_u8(w, (uint8_t)(v >> 8 * i));
}

void tws_hs_params_write(struct tws_writer *w, const struct tws_hs_params *p)
{
    for (size_t i = 0; i < NFIELDS; i++) {
        const struct field *f = &fields[i];
        const char *text = (const char *)p + f->offset;

        if ((p->given & TWS_HS_GIVEN(f->type)) == 0 || (f->width == 0 && text[0] == '\0'))
            continue;
        size_t begin = tws_param_begin(w, f->type, f->flags);
        if (f->width == 0)
            write_text(w, text);
        else
            write_number(w, f, load(f, p));
        tws_param_end(w, begin);
    }
}

void tws_hs_write_list(struct tws_writer *w, const struct tws_hs_params *p)
{
    tws_write_u16(w, 0);
    size_t begin = w->len;

    tws_hs_params_write(w, p);
    if (!w->failed)
        tws_put16(w->p + begin - 2, (uint16_t)(w->len - begin));
}

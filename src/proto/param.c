/* param.c - see param_priv.h. */
#include "param_priv.h"

struct tws_param_list tws_param_list(struct tws_span bytes)
{
    return (struct tws_param_list){.in = tws_reader(bytes)};
}

tws_err tws_param_next(struct tws_param_list *l, struct tws_param *out)
{
    if (l->in.left == 0)
        return TWS_ABSENT;
    uint8_t type = tws_read_u8(&l->in);
    uint8_t flags = tws_read_u8(&l->in);
    struct tws_span value = tws_read_span(&l->in, tws_read_u16(&l->in));
    uint8_t bit = (uint8_t)(1u << (type & 7));

    if (l->in.failed || (flags & ~TWS_PARAM_CRITICAL) != 0 || (l->seen[type >> 3] & bit) != 0)
        return TWS_E_PROTOCOL;
    l->seen[type >> 3] |= bit;
    *out = (struct tws_param){type, flags != 0, value};
    return TWS_OK;
}

tws_err tws_param_unknown(const struct tws_param *p)
{
    return p->critical ? TWS_E_PROTOCOL : TWS_OK;
}

size_t tws_param_begin(struct tws_writer *w, uint8_t type, uint8_t flags)
{
    tws_write_u8(w, type);
    tws_write_u8(w, flags);
    tws_write_u16(w, 0);
    return w->len;
}

void tws_param_end(struct tws_writer *w, size_t begin)
{
    if (!w->failed)
        tws_put16(w->p + begin - 2, (uint16_t)(w->len - begin));
}

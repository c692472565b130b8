/*
 * fuzz_ip_cut.c - properties of what a device gives, a virtio_net_hdr in front of it, for any bytes
 * at all:
 *   1. the packets of a frame lie within it, and one that is no super packet keeps its length;
 *   2. a super packet's parts are packets, with right checksums, of one flow, and have its data;
 *   3. these, joined and cut again, are the same; and so is any packet at all, twice in a row.
 */
#include "fuzz.h"
#include "ip_sum_priv.h"

#include "tws/proto/ip_cut.h"
#include "tws/proto/ip_join.h"

#include <string.h>

#define MOST 4096u

struct pile {
    uint8_t bytes[1u << 20];
    size_t n[MOST], count, used;
};

static struct pile first, second;
static uint8_t joined[TWS_IP_JOIN_FRAME], alone[TWS_IP_FRAME_HEADER + 65575u];

static bool put(struct pile *p, const uint8_t *bytes, size_t n)
{
    if (p->count == MOST || p->used + n > sizeof p->bytes)
        return false;
    memcpy(p->bytes + p->used, bytes, n);
    p->n[p->count++] = n;
    p->used += n;
    return true;
}

/* False: there are too many to look at. */
static bool cut_into(struct pile *out, uint8_t *frame, size_t n)
{
    struct tws_ip_cut cut;
    uint8_t *packet, *end = frame + n;

    REQUIRE(tws_ip_cut_begin(&cut, frame, n) == TWS_OK);
    while (tws_ip_cut_next(&cut, &packet, &n)) {
        REQUIRE(n > 0 && packet >= frame + TWS_IP_FRAME_HEADER && packet + n <= end);
        if (!put(out, packet, n))
            return false;
    }
    return true;
}

static bool flush(struct tws_ip_join *j)
{
    struct tws_span frame = tws_ip_join_end(j);

    return frame.n == 0 || cut_into(&second, joined, frame.n);
}

static bool pass(struct tws_ip_join *j, const uint8_t *bytes, size_t n)
{
    const struct tws_span in = {bytes, n};
    struct tws_ip_packet p;

    REQUIRE(tws_ip_packet_read(in, &p) == TWS_OK);
    if (tws_ip_join_add(j, in, &p))
        return true;
    if (!flush(j))
        return false;
    if (tws_ip_join_add(j, in, &p))
        return true;
    memset(alone, 0, TWS_IP_FRAME_HEADER);
    memcpy(alone + TWS_IP_FRAME_HEADER, bytes, n);
    return cut_into(&second, alone, TWS_IP_FRAME_HEADER + n);
}

static void check_joined(unsigned times)
{
    struct tws_ip_join join = tws_ip_join(joined);
    size_t at = 0;

    second.count = second.used = 0;
    for (size_t i = 0; i < first.count; at += first.n[i++])
        for (unsigned k = 0; k < times; k++)
            if (!pass(&join, first.bytes + at, first.n[i]))
                return;
    if (!flush(&join))
        return;
    REQUIRE(second.count == times * first.count);
    at = 0;
    for (size_t i = 0, from = 0; i < second.count; at += second.n[i++]) {
        REQUIRE(second.n[i] == first.n[i / times]);
        REQUIRE(memcmp(second.bytes + at, first.bytes + from, second.n[i]) == 0);
        from += (i + 1) % times == 0 ? second.n[i] : 0;
    }
}

static void check_parts(const struct tws_ip_packet *super)
{
    struct tws_ip_packet p;
    size_t at = 0;

    for (size_t i = 0; i < first.count; at += first.n[i++]) {
        const uint8_t *packet = first.bytes + at;
        REQUIRE(tws_ip_packet_read((struct tws_span){packet, first.n[i]}, &p) == TWS_OK);
        REQUIRE(p.flow == super->flow && p.transport == super->transport);
        REQUIRE(tws_ip_sum_fold(
                    tws_ip_sum_transport(packet, TWS_IP_TCP, p.transport, first.n[i])) == 0xffff);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[1u << 17];
    struct tws_ip_packet p;
    struct tws_ip_cut cut;

    if (size > sizeof frame)
        return 0;
    if (size > 0)
        memcpy(frame, data, size);
    first.count = first.used = 0;
    if (tws_ip_cut_begin(&cut, frame, size) != TWS_OK)
        return 0;
    bool is_super = cut.header > 0;
    if (is_super)
        REQUIRE(tws_ip_packet_read((struct tws_span){cut.packet, cut.n}, &p) == TWS_OK);
    memcpy(frame, data, size);
    if (!cut_into(&first, frame, size))
        return 0;
    if (is_super)
        check_parts(&p);
    else
        REQUIRE(first.count == 1 && first.used == size - TWS_IP_FRAME_HEADER);
    if (is_super ||
        (first.used <= 65575u &&
         tws_ip_packet_read((struct tws_span){first.bytes, first.used}, &p) == TWS_OK)) {
        check_joined(1);
        check_joined(2);
    }
    return 0;
}

/* test_ip_join.c - packets that are joined and cut again are the same packets; what cannot be told
 * from its parts afterwards is not joined at all. */
#include "packet.h"
#include "suite.h"

#include "tws/proto/ip_cut.h"
#include "tws/proto/ip_join.h"

#include <stdlib.h>

#define A4       "10.9.0.2"
#define B4       "192.0.2.7"
#define A6       "fd09::2"
#define B6       "2001:db8::7"
#define FLOW_MAX 400

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 0x10, URG = 0x20, ECE = 0x40, CWR = 0x80 };
enum { NEEDS_SUM = 1, TCP4 = 1, UDP_OLD = 3, TCP6 = 4, UDP = 5, ECN = 0x80 };

/* ---- packets ---- */

static uint32_t dice = 1;

static uint32_t roll(uint32_t sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % sides;
}

struct segment {
    int family;
    uint32_t sequence;
    uint16_t id, data;
    uint8_t flags;
    uint8_t fill; /* of the data */
};

static void set_sums(struct packet *p)
{
    size_t field = p->transport + (p->bytes[p->transport == 20 ? 9 : 6] == TWS_IP_UDP ? 6 : 16);

    if (p->bytes[0] >> 4 == 4) {
        tws_put16(p->bytes + 10, 0);
        tws_put16(p->bytes + 10, packet_fold(packet_sum(0, p->bytes, 20)));
    }
    tws_put16(p->bytes + field, 0);
    tws_put16(p->bytes + field, packet_transport_sum(p, p->bytes[p->transport == 20 ? 9 : 6]));
}

/* With timestamps, as nearly all TCP has them. */
static void make(struct packet *p, const struct segment *s)
{
    const uint8_t options[12] = {1, 1, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4};

    packet_tcp(p, s->family == 4 ? A4 : A6, s->family == 4 ? B4 : B6, 443, s->flags,
               (struct tws_span){options, sizeof options});
    uint8_t *tcp = p->bytes + p->transport;
    tws_put32(tcp + 4, s->sequence);
    tws_put32(tcp + 8, 77);
    tws_put16(tcp + 14, 501);
    for (size_t i = 0; i < s->data; i++)
        p->bytes[p->n++] = (uint8_t)(s->fill + i * 7);
    if (s->family == 4) {
        tws_put16(p->bytes + 2, (uint16_t)p->n);
        tws_put16(p->bytes + 4, s->id);
        p->bytes[6] = 0x40;
    } else {
        tws_put16(p->bytes + 4, (uint16_t)(p->n - 40));
    }
    set_sums(p);
}

/* ---- a device: what goes in comes out again, frame by frame ---- */

struct device {
    struct tws_ip_join join;
    uint8_t frame[TWS_IP_JOIN_FRAME];
    struct packet out[FLOW_MAX];
    size_t nout;
    unsigned nframes;
};

static struct device *new_device(void)
{
    struct device *d = calloc(1, sizeof *d);

    ck_assert_ptr_nonnull(d);
    d->join = tws_ip_join(d->frame);
    return d;
}

static void cut_frame(struct device *d, uint8_t *frame, size_t n)
{
    struct tws_ip_cut cut;
    uint8_t *packet;

    d->nframes++;
    ck_assert_int_eq(tws_ip_cut_begin(&cut, frame, n), TWS_OK);
    while (tws_ip_cut_next(&cut, &packet, &n)) {
        ck_assert_uint_lt(d->nout, FLOW_MAX);
        ck_assert_uint_le(n, PACKET_MAX);
        memcpy(d->out[d->nout].bytes, packet, n);
        d->out[d->nout++].n = n;
    }
    ck_assert(!tws_ip_cut_next(&cut, &packet, &n));
}

static void flush(struct device *d)
{
    struct tws_span frame = tws_ip_join_end(&d->join);

    if (frame.n > 0)
        cut_frame(d, d->frame, frame.n);
    ck_assert_uint_eq(tws_ip_join_end(&d->join).n, 0);
}

static void feed(struct device *d, const struct packet *in)
{
    uint8_t alone[TWS_IP_FRAME_HEADER + PACKET_MAX] = {0};
    struct tws_ip_packet p;

    ck_assert_int_eq(tws_ip_packet_read(packet_span(in), &p), TWS_OK);
    if (tws_ip_join_add(&d->join, packet_span(in), &p))
        return;
    flush(d);
    if (tws_ip_join_add(&d->join, packet_span(in), &p))
        return;
    memcpy(alone + TWS_IP_FRAME_HEADER, in->bytes, in->n);
    cut_frame(d, alone, TWS_IP_FRAME_HEADER + in->n);
}

static void expect(const struct device *d, const struct packet *in, size_t n)
{
    ck_assert_uint_eq(d->nout, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(d->out[i].n, in[i].n);
        ck_assert_mem_eq(d->out[i].bytes, in[i].bytes, in[i].n);
    }
}

/* ---- joining ---- */

START_TEST(a_flow_becomes_one_frame_and_the_same_packets_again)
{
    struct segment s = {.family = _i == 0 ? 4 : 6,
                        .sequence = 0xffffff00u,
                        .id = 0xfffe,
                        .data = 1448,
                        .flags = ACK};
    struct device *d = new_device();
    struct packet in[40];

    for (size_t i = 0; i < 40; i++) {
        s.fill = (uint8_t)i;
        if (i == 39) {
            s.data = 77;
            s.flags |= PSH;
        }
        make(&in[i], &s);
        feed(d, &in[i]);
        s.sequence += s.data;
        s.id++;
    }
    ck_assert_uint_eq(d->nframes, 0);
    flush(d);
    ck_assert_uint_eq(d->nframes, 1);
    expect(d, in, 40);
    free(d);
}
END_TEST

START_TEST(no_frame_is_longer_than_a_packet_can_be)
{
    struct segment s = {.family = _i == 0 ? 4 : 6, .data = 1448, .flags = ACK};
    struct device *d = new_device();
    struct packet in[100];

    for (size_t i = 0; i < 100; i++) {
        make(&in[i], &s);
        feed(d, &in[i]);
        ck_assert_uint_le(d->join.n, 65535);
        s.sequence += s.data;
        s.id++;
    }
    flush(d);
    ck_assert_uint_eq(d->nframes, 3); /* 45, 45, 10 */
    expect(d, in, 100);
    free(d);
}
END_TEST

/* Two packets that would be joined but for one change to the second, or to both. */
static const struct {
    const char *why;
    bool both, resum;
    size_t network[2]; /* byte to change, of IPv4 and IPv6; 0: none there */
    size_t tcp;        /* byte to change in TCP's header, or 0 */
    uint8_t change;
} changes[] = {
    {"another type of service", false, true, {1, 1}, 0, 0x10},
    {"another lifetime", false, true, {8, 7}, 0, 1},
    {"another destination", false, true, {19, 39}, 0, 1},
    {"another source", false, true, {15, 23}, 0, 1},
    {"not the next identification", false, true, {5, 0}, 0, 2},
    {"it may be cut on its way", false, true, {6, 0}, 0, 0x40},
    {"fragments", true, true, {6, 0}, 0, 0x60},
    {"another flow label", false, true, {0, 3}, 0, 1},
    {"another port", false, true, {0, 0}, 1, 1},
    {"not the next bytes", false, true, {0, 0}, 7, 1},
    {"another acknowledgement", false, true, {0, 0}, 11, 1},
    {"another window", false, true, {0, 0}, 15, 1},
    {"another timestamp", false, true, {0, 0}, 27, 1},
    {"the end of the stream", false, true, {0, 0}, 13, FIN},
    {"connections that begin", true, true, {0, 0}, 13, SYN},
    {"urgent data", true, true, {0, 0}, 13, URG},
    {"an urgent pointer without urgent data", true, true, {0, 0}, 19, 1},
    {"congestion that is told", true, true, {0, 0}, 13, ECE},
    {"a window that was reduced", true, true, {0, 0}, 13, CWR},
    {"accurate congestion", true, true, {0, 0}, 12, 1},
    {"no acknowledgement", true, true, {0, 0}, 13, ACK},
    {"something pushed before it", true, true, {0, 0}, 13, PSH},
    {"a wrong checksum of TCP", false, false, {0, 0}, 40, 1},
    {"a wrong checksum of the first", true, false, {0, 0}, 40, 1},
    {"a wrong checksum of IP", false, false, {10, 0}, 0, 1},
};

START_TEST(what_differs_is_not_joined_and_passes_as_it_is)
{
    for (int family = 4; family <= 6; family += 2) {
        struct segment s = {.family = family, .data = 100, .flags = ACK, .id = 7};
        struct device *d = new_device();
        struct packet in[2];
        bool changed = false;

        for (size_t i = 0; i < 2; i++) {
            size_t at = changes[_i].tcp > 0 ? 0 : changes[_i].network[family == 6];
            make(&in[i], &s);
            if (changes[_i].tcp > 0)
                at = in[i].transport + changes[_i].tcp;
            changed = at > 0;
            if (changed && (i == 1 || changes[_i].both))
                in[i].bytes[at] ^= changes[_i].change;
            if (changes[_i].resum)
                set_sums(&in[i]);
            feed(d, &in[i]);
            s.sequence += s.data;
            s.id++;
        }
        flush(d);
        ck_assert_msg(d->nframes == (changed ? 2 : 1), "%s, IPv%d", changes[_i].why, family);
        expect(d, in, 2);
        free(d);
    }
}
END_TEST

START_TEST(only_the_last_is_smaller)
{
    const uint16_t sizes[] = {100, 101, 101, 50, 50, 50, 60};
    struct segment s = {.family = 4, .flags = ACK};
    struct device *d = new_device();
    struct packet in[7];

    for (size_t i = 0; i < 7; i++) {
        s.data = sizes[i];
        make(&in[i], &s);
        feed(d, &in[i]);
        s.sequence += s.data;
        s.id++;
    }
    flush(d);
    ck_assert_uint_eq(d->nframes, 4); /* 100; 101 101 50; 50 50; 60 */
    expect(d, in, 7);
    free(d);
}
END_TEST

START_TEST(what_is_no_plain_data_passes_alone)
{
    const uint8_t echo[8] = {8};
    const uint8_t options[12] = {0};
    struct device *d = new_device();
    struct packet in[8];

    for (size_t i = 0; i < 2; i++) {
        packet_udp(&in[i], A4, 4000, B4, 53);
        packet_udp(&in[2 + i], A6, 4000, B6, 53);
        packet_network(&in[4 + i], A4, B4, TWS_IP_ICMP, echo, sizeof echo);
        packet_tcp(&in[6 + i], A4, B4, 443, ACK, (struct tws_span){options, sizeof options});
    }
    for (size_t i = 0; i < 8; i++)
        feed(d, &in[i]);
    flush(d);
    ck_assert_uint_eq(d->nframes, 8);
    expect(d, in, 8);
    free(d);
}
END_TEST

/* In front of TCP: four bytes of IPv4 options, or eight of an IPv6 destination header. */
START_TEST(options_of_ip_pass_alone)
{
    struct segment s = {.family = _i == 0 ? 4 : 6, .data = 100, .flags = ACK};
    size_t more = _i == 0 ? 4 : 8, at = _i == 0 ? 20 : 40;
    struct device *d = new_device();
    struct packet in[2];

    for (size_t i = 0; i < 2; i++) {
        make(&in[i], &s);
        memmove(in[i].bytes + at + more, in[i].bytes + at, in[i].n - at);
        memset(in[i].bytes + at, _i == 0 ? 1 : 0, more);
        in[i].n += more;
        if (_i == 0) {
            in[i].bytes[0] = 0x46;
            tws_put16(in[i].bytes + 2, (uint16_t)in[i].n);
        } else {
            in[i].bytes[6] = 60;
            in[i].bytes[40] = TWS_IP_TCP;
            tws_put16(in[i].bytes + 4, (uint16_t)(in[i].n - 40));
        }
        feed(d, &in[i]);
        s.sequence += s.data;
        s.id++;
    }
    flush(d);
    ck_assert_uint_eq(d->nframes, 2);
    expect(d, in, 2);
    free(d);
}
END_TEST

/* Flows with losses, changes, corruption and others between them. */
START_TEST(whatever_comes_is_the_same_afterwards)
{
    struct segment s[2] = {{.family = 4, .data = 300, .flags = ACK},
                           {.family = 6, .data = 300, .flags = ACK}};
    struct device *d = new_device();
    struct packet *in = calloc(FLOW_MAX, sizeof *in);

    ck_assert_ptr_nonnull(in);
    dice = (uint32_t)_i + 1;
    for (size_t i = 0; i < FLOW_MAX; i++) {
        struct segment *one = &s[roll(8) == 0 ? roll(2) : 0];
        one->fill = (uint8_t)roll(256);
        if (roll(16) == 0)
            one->data = (uint16_t)(1 + roll(300));
        if (roll(16) == 0)
            one->sequence += roll(3);
        one->flags = (uint8_t)(ACK | (roll(16) == 0 ? PSH : 0) | (roll(64) == 0 ? FIN : 0));
        make(&in[i], one);
        if (roll(32) == 0)
            in[i].bytes[in[i].transport + 4 + roll((uint32_t)(in[i].n - in[i].transport - 12))] ^=
                1;
        feed(d, &in[i]);
        if (roll(24) == 0)
            flush(d);
        one->sequence += one->data;
        one->id++;
    }
    flush(d);
    ck_assert_uint_lt(d->nframes, FLOW_MAX * 3 / 4);
    expect(d, in, FLOW_MAX);
    free(in);
    free(d);
}
END_TEST

/* ---- cutting what the kernel gives ---- */

/* struct virtio_net_hdr, in the machine's order. */
static size_t frame_of(uint8_t *frame, const struct packet *p, uint8_t flags, uint8_t type,
                       const uint16_t words[4])
{
    frame[0] = flags;
    frame[1] = type;
    memcpy(frame + 2, words, 8);
    memcpy(frame + TWS_IP_FRAME_HEADER, p->bytes, p->n);
    return TWS_IP_FRAME_HEADER + p->n;
}

START_TEST(a_super_packet_is_cut_as_a_card_would)
{
    const struct segment s = {.family = _i == 0 ? 4 : 6,
                              .sequence = 1000,
                              .id = 0xffff,
                              .data = 1000,
                              .flags = ACK | PSH | FIN | CWR};
    const uint16_t words[] = {9999, 300, 0, 0}; /* the length of the headers is a lie */
    uint8_t frame[TWS_IP_FRAME_HEADER + PACKET_MAX];
    struct device *d = new_device();
    struct packet super;
    size_t data = 0;

    make(&super, &s);
    cut_frame(d, frame, frame_of(frame, &super, NEEDS_SUM, (_i == 0 ? TCP4 : TCP6) | ECN, words));
    ck_assert_uint_eq(d->nout, 4);
    for (size_t i = 0; i < 4; i++) {
        struct packet *p = &d->out[i];
        struct tws_ip_packet read;
        size_t header = super.transport + 32, n = i < 3 ? 300 : 100;
        p->transport = super.transport;
        ck_assert_int_eq(tws_ip_packet_read(packet_span(p), &read), TWS_OK);
        const uint8_t *tcp = p->bytes + p->transport;
        ck_assert_uint_eq(p->n, header + n);
        ck_assert_uint_eq(tws_get32(tcp + 4), 1000 + data);
        ck_assert_uint_eq(tcp[13], ACK | (i == 0 ? CWR : 0) | (i == 3 ? PSH | FIN : 0));
        ck_assert_uint_eq(packet_transport_sum(p, TWS_IP_TCP), 0);
        ck_assert_mem_eq(p->bytes + header, super.bytes + header + data, n);
        if (_i == 0) {
            ck_assert_uint_eq(tws_get16(p->bytes + 4), (uint16_t)(0xffff + i));
            ck_assert_uint_eq(packet_fold(packet_sum(0, p->bytes, 20)), 0);
        }
        data += n;
    }
    free(d);
}
END_TEST

START_TEST(a_checksum_that_was_left_to_the_card_is_finished)
{
    uint8_t frame[TWS_IP_FRAME_HEADER + PACKET_MAX];
    struct device *d = new_device();
    struct packet p;

    packet_udp(&p, A4, 4000, B4, 53);
    uint8_t *field = p.bytes + 26;
    uint32_t right = tws_get16(field), pseudo = packet_sum(0, p.bytes + 12, 8) + 17 + 12;
    const uint16_t words[] = {0, 0, 20, 6};
    tws_put16(field, (uint16_t)~packet_fold(pseudo));
    cut_frame(d, frame, frame_of(frame, &p, NEEDS_SUM, 0, words));
    ck_assert_uint_eq(tws_get16(d->out[0].bytes + 26), right);
    /* Data that makes it 0, which means "none" in UDP. */
    tws_put16(p.bytes + 28, (uint16_t)right);
    cut_frame(d, frame, frame_of(frame, &p, NEEDS_SUM, 0, words));
    ck_assert_uint_eq(tws_get16(d->out[1].bytes + 26), 0xffff);
    free(d);
}
END_TEST

static const struct {
    const char *why;
    uint8_t flags, type;
    uint16_t words[4];
    size_t n;       /* 0: all of it */
    size_t at;      /* byte to change in the packet, or 0 */
    uint8_t change; /* what it becomes */
} lies[] = {
    {"no packet", 0, 0, {0}, TWS_IP_FRAME_HEADER, 0, 0},
    {"not even a header", 0, 0, {0}, 3, 0, 0},
    {"no size of segments", NEEDS_SUM, TCP4, {52, 0, 20, 16}, 0, 0, 0},
    {"UDP in fragments", NEEDS_SUM, UDP_OLD, {28, 100, 20, 6}, 0, 0, 0},
    {"UDP in segments", NEEDS_SUM, UDP, {28, 100, 20, 6}, 0, 0, 0},
    {"of the other family", NEEDS_SUM, TCP6, {52, 100, 20, 16}, 0, 0, 0},
    {"what nobody knows", NEEDS_SUM, 0x40, {52, 100, 20, 16}, 0, 0, 0},
    {"a packet that is cut", NEEDS_SUM, TCP4, {52, 100, 20, 16}, 400, 0, 0},
    {"no TCP", NEEDS_SUM, TCP4, {52, 100, 20, 16}, 0, 9, TWS_IP_UDP},
    {"a fragment", NEEDS_SUM, TCP4, {52, 100, 20, 16}, 0, 6, 0x20},
    {"a header shorter than TCP's", NEEDS_SUM, TCP4, {52, 100, 20, 16}, 0, 32, 0x40},
    {"a checksum behind the end", NEEDS_SUM, 0, {0, 0, 20, 600}, 0, 0, 0},
    {"one that begins there", NEEDS_SUM, 0, {0, 0, 600, 0}, 0, 0, 0},
    {"one that lies half behind it", NEEDS_SUM, 0, {0, 0, 20, 531}, 0, 0, 0},
};

START_TEST(what_cannot_be_cut_is_refused)
{
    const struct segment s = {.family = 4, .data = 500, .flags = ACK};
    uint8_t frame[TWS_IP_FRAME_HEADER + PACKET_MAX], *packet;
    struct tws_ip_cut cut;
    struct packet super;

    make(&super, &s);
    if (lies[_i].at > 0)
        super.bytes[lies[_i].at] = lies[_i].change;
    size_t n = frame_of(frame, &super, lies[_i].flags, lies[_i].type, lies[_i].words);
    n = lies[_i].n > 0 ? lies[_i].n : n;
    ck_assert_msg(tws_ip_cut_begin(&cut, frame, n) == TWS_E_PROTOCOL, "%s", lies[_i].why);
    ck_assert(!tws_ip_cut_next(&cut, &packet, &n));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ip_join");

    tcase_add_loop_test(tc, a_flow_becomes_one_frame_and_the_same_packets_again, 0, 2);
    tcase_add_loop_test(tc, no_frame_is_longer_than_a_packet_can_be, 0, 2);
    tcase_add_loop_test(tc, what_differs_is_not_joined_and_passes_as_it_is, 0, COUNT_OF(changes));
    tcase_add_test(tc, only_the_last_is_smaller);
    tcase_add_test(tc, what_is_no_plain_data_passes_alone);
    tcase_add_loop_test(tc, options_of_ip_pass_alone, 0, 2);
    tcase_add_loop_test(tc, whatever_comes_is_the_same_afterwards, 0, 20);
    tcase_add_loop_test(tc, a_super_packet_is_cut_as_a_card_would, 0, 2);
    tcase_add_test(tc, a_checksum_that_was_left_to_the_card_is_finished);
    tcase_add_loop_test(tc, what_cannot_be_cut_is_refused, 0, COUNT_OF(lies));
    return run_suite("ip_join", tc);
}

/*
 * ip_sum_priv.h - the Internet checksum (RFC 1071): a sum of 16-bit words, kept wide until it is
 * folded. All parts of a sum but the last have an even number of bytes.
 */
#ifndef TWS_PROTO_IP_SUM_PRIV_H
#define TWS_PROTO_IP_SUM_PRIV_H

#include <stddef.h>
#include <stdint.h>

uint64_t tws_ip_sum_add(uint64_t sum, const uint8_t *p, size_t n);
/* The 16 bits of it, as a number that is written big endian; not complemented. */
uint16_t tws_ip_sum_fold(uint64_t sum);
/* Of the pseudo header of an IPv4 or IPv6 packet whose transport has `n` bytes, at most 65,535. */
uint64_t tws_ip_sum_pseudo(const uint8_t *packet, uint8_t protocol, size_t n);
/* Of a whole transport and its pseudo header; folds to 0xffff if the checksum in it is right. */
uint64_t tws_ip_sum_transport(const uint8_t *packet, uint8_t protocol, size_t transport, size_t n);

#endif

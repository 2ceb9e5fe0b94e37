/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRC-32C, the checksum of iSCSI (RFC 3720) and of VHDX.
 */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what was hashed before, whose CRC is `crc`, and of len more bytes.
 * The CRC of nothing is 0. */
uint32_t crc32c(uint32_t crc, const unsigned char *p, size_t len);

#endif

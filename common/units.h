/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include <stdint.h>

/* In every format, a disk is a whole number of sectors. */
#define SECTOR_SIZE 512

#define KiB (UINT64_C(1) << 10)
#define MiB (UINT64_C(1) << 20)
#define GiB (UINT64_C(1) << 30)

/*
 * Read a size as qemu-img does: digits, and an optional suffix k, M, G, T, P or
 * E for powers of 1024, in upper or lower case. Returns 0, EINVAL if it is not
 * a number, or ERANGE if it is larger than UINT64_MAX.
 */
int parse_size(const char *text, uint64_t *size);

/* The size of the buffer for format_size(). */
#define SIZE_TEXT 24

/* Write a size for people: "512 B", "1.5 GiB". Returns text. */
const char *format_size(double size, char text[SIZE_TEXT]);

#endif

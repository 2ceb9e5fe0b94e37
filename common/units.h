/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include <stdint.h>

/* A disk is a whole number of sectors, in every format. */
#define SECTOR_SIZE 512

#define KiB (UINT64_C(1) << 10)
#define MiB (UINT64_C(1) << 20)
#define GiB (UINT64_C(1) << 30)

/*
 * Read a size: digits and an optional suffix k, M, G, T, P or E for powers of
 * 1024, in upper or lower case, as qemu-img does. EINVAL: not a number;
 * ERANGE: beyond UINT64_MAX.
 */
int parse_size(const char *text, uint64_t *size);

/* Room for format_size(). */
#define SIZE_TEXT 24

/* Write a size for people: "512 B", "1.5 GiB". Returns text. */
const char *format_size(double size, char text[SIZE_TEXT]);

#endif

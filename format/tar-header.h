/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The headers of a tar archive: the fixed one of 512 bytes, and the records of
 * pax, which take the place of its fields.
 */
#ifndef FORMAT_TAR_HEADER_H
#define FORMAT_TAR_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/tar.h"

/* Where the fields are. */
enum {
    TAR_NAME = 0,
    TAR_NAME_SIZE = 100,
    TAR_SIZE = 124,
    TAR_NUMBER_SIZE = 12,
    TAR_CHECKSUM = 148,
    TAR_CHECKSUM_SIZE = 8,
    TAR_TYPE = 156,
    TAR_MAGIC = 257,
    TAR_PREFIX = 345,
    TAR_PREFIX_SIZE = 155,
    /* Of a sparse member in the old format of GNU: whether another header with
     * parts of it follows; and in that header. */
    TAR_SPARSE_MORE = 482,
    TAR_SPARSE_NEXT_MORE = 504,
};

/* Types of members that say more about the next one. */
enum {
    TAR_TYPE_LONG_NAME = 'L',
    TAR_TYPE_LONG_LINK = 'K',
    TAR_TYPE_PAX = 'x',
    TAR_TYPE_PAX_SOLARIS = 'X',
    TAR_TYPE_PAX_GLOBAL = 'g',
    TAR_TYPE_SPARSE = 'S',
};

/* Whether the checksum of a header is right: some old programs added signed
 * bytes. */
bool tar_checksum_is_right(const unsigned char *header);

/* Get the size of a member: octal digits, or a number in base 256. False: it is
 * neither, or is more than INT64_MAX. */
bool tar_get_size(const unsigned char *header, uint64_t *size);

/* The name, with its prefix, for free(). NULL when out of memory. */
char *tar_get_name(const unsigned char *header);

/* Whether bytes follow the header, as many as its size says. */
bool tar_has_bytes(unsigned char type);

/* Why a member of this type has no bytes of a file. NULL: it has. */
const char *tar_type_unreadable(unsigned char type);

/* What records of pax say of a member. */
struct tar_pax {
    char *path; /* NULL: nothing */
    bool has_size;
    uint64_t size;
    bool is_sparse, has_sparse_name;
};

/* Read the records. What they say takes the place of what is there. EINVAL:
 * they are broken. */
int tar_pax_read(struct tar_pax *pax, char *text, size_t len);
int tar_pax_copy(struct tar_pax *to, const struct tar_pax *from);
void tar_pax_clear(struct tar_pax *pax);

#endif

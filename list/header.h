/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header of a digest list. docs/digest-list.md has the whole format.
 */
#ifndef LIST_HEADER_H
#define LIST_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* The length of a disk that comes through a pipe: only the end says it. */
#define LIST_LENGTH_UNKNOWN UINT64_MAX

/* Bytes of a header before its source. */
#define LIST_FIXED_HEADER 72

/* The most bytes between two checks, so the size of a reader's buffer. The
 * header with the source is such a chunk, too. */
#define LIST_MAX_CHUNK (1 << 20)

/* The room for the name of a digest, which ends with a NUL. */
#define LIST_DIGEST_NAME 32

struct list_header {
    uint64_t block_size;           /* 1 to BLKHASH_MAX_BLOCK_SIZE */
    uint64_t first_block;          /* 0, or where a part of the disk begins */
    uint64_t length;               /* of the disk, or LIST_LENGTH_UNKNOWN */
    char digest[LIST_DIGEST_NAME]; /* name, in lower case */
    char *source;                  /* JSON: what was hashed. Opaque to list/ */
    size_t source_len;             /* without the NUL that follows it */
};

/* As many bytes as list_is_list() needs. */
#define LIST_MAGIC_SIZE 8

/* Whether a file that begins with these bytes is a digest list. */
bool list_is_list(const void *bytes, size_t len);

/* The same, but for as few bytes as there are. */
bool list_may_be_list(const void *bytes, size_t len);

/* The number of blocks of the disk; the most there can be if the length is not
 * known. */
uint64_t list_header_blocks(const struct list_header *header);

/* The number of blocks from the first on; the list may have less. */
uint64_t list_header_blocks_left(const struct list_header *header);

/* The number of bytes of the header in a list. */
size_t list_header_size(const struct list_header *header);

/* Check the fields. name is that of the list, for the error. */
int list_header_check(const struct list_header *header, const char *name,
                      struct error *error);

/* Store list_header_size() bytes. The header was checked. */
void list_header_encode(const struct list_header *header, unsigned char *out);

/*
 * Read and check the first LIST_FIXED_HEADER bytes. *size becomes the size of
 * the whole header. The source is not set.
 */
int list_header_decode(const unsigned char *in, const char *name,
                       struct list_header *header, size_t *size,
                       struct error *error);

#endif

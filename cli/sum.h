/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A checksum that was read from a line of a list.
 */
#ifndef CLI_SUM_H
#define CLI_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkhash.h"

/* The tags of --tag begin with this. */
#define SUM_TAG "BLKHASH-"

/* The longest name of a digest, and a NUL. */
#define SUM_DIGEST_SIZE 64

/* No part of a disk begins behind it, or is longer. */
#define SUM_MAX_OFFSET INT64_MAX

/* What was hashed of an image, where that is not its active disk as a whole. */
struct sum_part {
    const char *snapshot; /* as --snapshot has it; NULL: none */
    const char *member;   /* of an archive, which is the image; NULL: none */
    bool has_offset;
    uint64_t offset;
    bool has_length;
    uint64_t length;
};

struct sum {
    char *name;                   /* of the image; freed by sum_clear() */
    struct sum_part part;         /* its strings, too */
    bool foreign;                 /* sha256sum may have written it, too */
    bool plain;                   /* the digest of all bytes in one stream */
    char digest[SUM_DIGEST_SIZE]; /* lower case; "": not in the line */
    size_t block_size;            /* 0: not in the line, or plain */
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned md_len; /* 0: the line records a failure, as --json does */
};

/* Also after an error. */
void sum_clear(struct sum *sum);

/* Read hex digits to the end of the text, at most max bytes of them. Returns
 * the number of bytes; 0: the text is something else. */
unsigned sum_parse_hex(const char *text, unsigned char *bytes, unsigned max);

#endif

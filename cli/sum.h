/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A checksum that was read from a line of a list.
 */
#ifndef CLI_SUM_H
#define CLI_SUM_H

#include <stdbool.h>
#include <stddef.h>

#include "blkhash.h"
#include "cli/sum-part.h"

/* The tags of --tag begin with this. */
#define SUM_TAG "BLKHASH-"

/* The longest name of a digest, and a NUL. */
#define SUM_DIGEST_SIZE 64

struct sum {
    char *name;                   /* of the image; freed by sum_clear() */
    struct sum_part part;         /* its strings, too */
    bool foreign;                 /* sha256sum may have written it, too */
    bool plain;                   /* the digest of all bytes in one stream */
    bool blocks;                  /* not that, as the line says */
    char digest[SUM_DIGEST_SIZE]; /* lower case; "": not in the line */
    size_t block_size;            /* 0: not in the line, or plain */
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned md_len; /* 0: the line records a failure, as --json does */
};

/* Also after an error. */
void sum_clear(struct sum *sum);

#endif

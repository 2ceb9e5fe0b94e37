/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef QEMU_IMG_CHECKSUM_DISK_H
#define QEMU_IMG_CHECKSUM_DISK_H

#include <blkhash.h>

#define CHECKSUM_BLOCK_SIZE BLKHASH_DEFAULT_BLOCK_SIZE

typedef struct ChecksumOptions {
    const char *filename;   /* for messages */
    const char *digest;
    bool serial;            /* read and hash one chunk after the other */
    bool progress;          /* show it on stderr */
} ChecksumOptions;

typedef struct ChecksumResult {
    int64_t size;           /* of the disk, in bytes */
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned int md_len;
} ChecksumResult;

/*
 * Hash a disk, in the main loop, which this runs. Returns 0, or -errno after it
 * reported the error.
 */
int checksum_disk(BlockBackend *blk, const ChecksumOptions *options,
                  ChecksumResult *result);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks whose digests are made up, and lists of them.
 */
#ifndef TESTS_UNIT_LIST_DISK_H
#define TESTS_UNIT_LIST_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list/reader.h"
#include "list/writer.h"

#define LIST_NAME "disk.blkhash"
#define LIST_SOURCE "{\"format\":\"raw\"}"

/* The digest is sha256, the block size 512. */
struct disk {
    uint64_t first_block;   /* of the list */
    size_t count;           /* of blocks in the list */
    uint64_t length;        /* of the disk */
    uint64_t header_length; /* the same, or LIST_LENGTH_UNKNOWN */
    unsigned char *letters; /* for each block what its digest has; 0: zeros */
    unsigned char zero_md[32];
};

/* A random disk. */
void disk_init(struct disk *disk, size_t count, uint64_t length);
void disk_destroy(struct disk *disk);

/* The list that has count blocks of a disk. It shares the letters. */
struct disk disk_part(const struct disk *disk, size_t first, size_t count);

/* The digest of block i of the list. */
void disk_md(const struct disk *disk, size_t i, unsigned char md[32]);
void disk_checksum(const struct disk *disk, unsigned char md[32]);

struct list_header disk_header(const struct disk *disk);

/* Give a sink the blocks, at most `step` at a time. Zeros come as zeros or as
 * digests, at random. */
void disk_give(const struct disk *disk, struct sink *sink, size_t step);

/* Give a sink the end. A disk with all blocks has a checksum. */
void disk_give_end(const struct disk *disk, struct sink *sink);

/* A file in memory. */
int memory_file(const void *bytes, size_t len);

/* The content of a file. The caller frees it. */
unsigned char *file_content(int fd, size_t *len);

struct list_writer *disk_writer(const struct disk *disk, int fd);

/* A file in memory with the list, at its start. */
int disk_list(const struct disk *disk, size_t step);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk that has changed since its list was made. Where a digest is known, the
 * disk has other bytes by the time it is hashed: if they were read, the
 * checksum would be wrong.
 */
#ifndef TESTS_UNIT_KNOWN_DISK_H
#define TESTS_UNIT_KNOWN_DISK_H

#include "engine/engine.h"
#include "list/known.h"
#include "list/reader.h"
#include "memory_reader.h"

#define SECTORS 1500
#define SIZE (SECTORS * SECTOR_SIZE)
#define LIST_NAME "disk.blkhash"

/* The disk as it was, as it is, and as it is read. */
extern unsigned char old[SIZE], new[SIZE], shown[SIZE];

extern bool touched[SIZE]; /* bytes that may differ between old and new */

/* Make the old disk; a setup of cmocka. */
int make_disk(void **state);

struct memory_changes {
    struct changes changes; /* the first member */
    uint64_t end;           /* of the last answer */
    uint64_t fail;          /* from this offset on */
};

/* Make the new disk, whose first size bytes may have changes. */
struct memory_changes *make_changes(uint64_t size);

/* The same changes, once more. */
struct memory_changes *same_changes(void);

struct list_reader *open_list(int fd, bool partial);

/* The engine, with its input and what comes out. */
struct run {
    struct engine_options options;
    struct memory_reader memory;
    struct engine_input input;
    struct engine_result result;
    struct error error;
};

/* Set up a run over the first size bytes, with options at random. */
void run_init(struct run *r, const unsigned char *bytes, uint64_t size);

uint64_t run_blocks(const struct run *r);

/* Returns what engine_finish() does. */
int run(struct run *r);

/* The checksum is that of this content. */
void assert_checksum(const struct run *r, const unsigned char *content);

/* Run, and write a list; if `pipe`, one without the length. Returns a file. */
int write_list(struct run *r, bool pipe);

/* Show other bytes of the blocks that are known. Returns how many bytes that
 * is. */
uint64_t hide(const struct run *r,
              bool (*is_known)(const struct run *r, uint64_t block));

/* Run with known digests. So many bytes are not read, of so many in all. */
void run_known(struct run *r, struct known *known, uint64_t unread,
               uint64_t size);

uint64_t random_size(void);

/* Whether no byte of a block was touched. */
bool is_unchanged(const struct run *r, uint64_t block);

/* What a list has, as far as it has not changed. */
struct known *unchanged(int fd, struct memory_changes *changes, uint64_t size);

#endif

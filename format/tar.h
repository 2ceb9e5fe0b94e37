/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tar archives, not compressed: ustar, GNU and pax. An appliance (OVA) is one
 * whose first member ends in .ovf. Only headers are read, so the time depends
 * on the number of members, and memory is bounded.
 */
#ifndef FORMAT_TAR_H
#define FORMAT_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "reader/reader.h"

/* The bytes that tar_probe() looks at. */
#define TAR_HEADER_SIZE 512

/* Whether these are the first bytes of a tar archive, with the magic and the
 * checksum of its header. */
bool tar_probe(const unsigned char *start, size_t len);

/* Likewise, of an appliance. */
bool tar_is_ova(const unsigned char *start, size_t len);

/* A member. */
struct tar_member {
    char *name;
    uint64_t offset; /* of its bytes, in the archive */
    uint64_t size;
    const char *unreadable; /* why its bytes are not those of a file; NULL: they
                             * are */
};

/* A walk over the members. */
struct tar;

int tar_open(struct reader *reader, struct tar **tar, struct error *error);

/* Get the next member. Its name is valid until the next call. member->name is
 * NULL at the end. */
int tar_next(struct tar *t, struct tar_member *member, struct error *error);

/* Read the first bytes of the member that was got last; zeros follow it. */
int tar_read_start(struct tar *t, const struct tar_member *member, void *buf,
                   size_t len, struct error *error);

/* NULL is accepted. */
void tar_close(struct tar *t);

/*
 * Find a member: the last one of the name, as tar extracts it. "./" before a
 * name does not count. If there is none, the message names those that are
 * disks. Free the name.
 */
int tar_find(struct reader *reader, const char *name, struct tar_member *member,
             struct error *error);

/* Write the names of the members that are disks, for messages: "'a', 'b' and 3
 * more". The caller frees the text. NULL: there are none. */
int tar_list_disks(struct reader *reader, char **names, struct error *error);

#endif

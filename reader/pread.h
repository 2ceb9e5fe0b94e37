/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readers of a file descriptor: what file.c and its queues share.
 */
#ifndef READER_PREAD_H
#define READER_PREAD_H

#include "reader/reader.h"

/* Direct I/O wants offsets, lengths and addresses to be multiples of the
 * reader's alignment. That is at most this, which is enough for every device
 * whose sectors fit in a page. */
#define DIRECT_ALIGNMENT 4096

struct fd_reader {
    struct reader reader;
    int fd;
    bool direct; /* opened with O_DIRECT */
};

/* The descriptor of a reader that is part of a struct fd_reader. */
static inline int reader_fd(const struct reader *r)
{
    return ((const struct fd_reader *)r)->fd;
}

/* Whether direct I/O of a reader can read len bytes at offset into buf. */
static inline bool is_direct(const struct reader *r, uint64_t offset,
                             size_t len, const void *buf)
{
    return (offset | len | (uintptr_t)buf) % r->alignment == 0;
}

/*
 * Read the rest of a read of such a reader, and wait for it. The result is in
 * the read. With direct I/O, what is not aligned goes through a buffer that is.
 */
void pread_rest(struct read *read);

#endif

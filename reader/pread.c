/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/pread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"

/* Read once. Returns how many bytes, which may be fewer than len; *err: the
 * error, or 0. */
static size_t read_once(int fd, void *buf, size_t len, uint64_t offset,
                        int *err)
{
    ssize_t n;

    do
        n = pread(fd, buf, len, offset);
    while (n < 0 && errno == EINTR);
    *err = n < 0 ? errno : 0;
    return n < 0 ? 0 : n;
}

/* --- direct I/O of what is not aligned ---------------------------------- */

/* The size of the buffer for what is not aligned: enough for a slot of common
 * size. More is read in pieces. */
#define BOUNCE_SIZE ((1 << 20) + 2 * DIRECT_ALIGNMENT)

/* The length of all sectors that have missing bytes. */
static size_t sectors_around(const struct read *read)
{
    uint64_t start = read->offset + read->done;
    size_t size = round_up(start % DIRECT_ALIGNMENT + read->len - read->done,
                           DIRECT_ALIGNMENT);

    return size < BOUNCE_SIZE ? size : BOUNCE_SIZE;
}

/* Read sectors around the missing bytes, and copy what was asked for. The
 * bounce buffer is made by the first call; those that follow need no larger
 * one. */
static void read_around(int fd, struct read *read, unsigned char **bounce)
{
    uint64_t start = read->offset + read->done;
    size_t before = start % DIRECT_ALIGNMENT;
    size_t left = read->len - read->done;
    size_t around = sectors_around(read);
    size_t got;

    if (!*bounce && posix_memalign((void **)bounce, DIRECT_ALIGNMENT, around)) {
        *bounce = NULL;
        read->error = ENOMEM;
        return;
    }
    got = read_once(fd, *bounce, around, start - before, &read->error);
    got = got > before ? got - before : 0;
    if (got > left)
        got = left;
    memcpy(read->buf + read->done, *bounce + before, got);
    read->done += got;
}

/* --- all reads ---------------------------------------------------------- */

static bool is_straight(const struct fd_reader *r, const struct read *read)
{
    return !r->direct ||
           is_direct(read->reader, read->offset + read->done,
                     read->len - read->done, read->buf + read->done);
}

/* A read may end anywhere, also within a sector. Then what is missing is not
 * aligned, and the kernel refuses it (EINVAL), even at the end of the file. */
void pread_rest(struct read *read)
{
    const struct fd_reader *r = (const struct fd_reader *)read->reader;
    unsigned char *bounce = NULL;
    size_t before;

    do {
        before = read->done;
        if (is_straight(r, read))
            read->done +=
                read_once(r->fd, read->buf + before, read->len - before,
                          read->offset + before, &read->error);
        else
            read_around(r->fd, read, &bounce);
    } while (read->done > before && read->done < read->len);
    free(bounce);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/pread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"

/* Read until all len bytes are there, the file ends, or a read fails. Returns
 * how many are there; *err: the error, or 0. */
static size_t read_all(int fd, unsigned char *buf, size_t len, uint64_t offset,
                       int *err)
{
    size_t done = 0;

    *err = 0;
    while (done < len) {
        ssize_t n = pread(fd, buf + done, len - done, offset + done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            *err = errno;
        if (n <= 0)
            break;
        done += n;
    }
    return done;
}

/* --- direct I/O of what is not aligned ---------------------------------- */

/* The size of the buffer for what is not aligned: enough for a slot of common
 * size. More is read in pieces. */
#define BOUNCE_SIZE ((1 << 20) + 2 * DIRECT_ALIGNMENT)

/* The length of all sectors that have missing bytes. */
static size_t sectors_around(const struct read *read)
{
    uint64_t start = read->offset + read->done;

    return round_up(start % DIRECT_ALIGNMENT + read->len - read->done,
                    DIRECT_ALIGNMENT);
}

/* Read up to size bytes of the sectors around the missing bytes, and copy what
 * was asked for. */
static void read_piece(int fd, struct read *read, unsigned char *bounce,
                       size_t size)
{
    uint64_t start = read->offset + read->done;
    size_t before = start % DIRECT_ALIGNMENT;
    size_t left = read->len - read->done;
    size_t around = sectors_around(read);
    size_t got;
    int err;

    if (around > size)
        around = size;
    got = read_all(fd, bounce, around, start - before, &err);
    got = got > before ? got - before : 0;
    if (got > left)
        got = left;
    memcpy(read->buf + read->done, bounce + before, got);
    read->done += got;
    if (got < left)
        read->error = err;
}

static void read_around(int fd, struct read *read)
{
    size_t size = sectors_around(read);
    unsigned char *bounce;
    size_t before;

    if (size > BOUNCE_SIZE)
        size = BOUNCE_SIZE;
    if (posix_memalign((void **)&bounce, DIRECT_ALIGNMENT, size)) {
        read->error = ENOMEM;
        return;
    }
    do {
        before = read->done;
        read_piece(fd, read, bounce, size);
    } while (!read->error && read->done > before && read->done < read->len);
    free(bounce);
}

void pread_rest(struct read *read)
{
    const struct fd_reader *r = (const struct fd_reader *)read->reader;
    uint64_t offset = read->offset + read->done;
    unsigned char *buf = read->buf + read->done;
    size_t len = read->len - read->done;

    if (r->direct && !is_direct(read->reader, offset, len, buf))
        read_around(r->fd, read);
    else
        read->done += read_all(r->fd, buf, len, offset, &read->error);
}

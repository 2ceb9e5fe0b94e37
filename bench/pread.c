/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Read the data of a file, not its holes, and do nothing with it: the limit of
 * whatever reads the bytes into memory.
 *
 *     pread [--direct] THREADS FILE
 *
 * Threads take pieces of up to 1 MiB by turns. With --direct the page cache is
 * passed by, and THREADS is the depth of the disk's queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((off_t)1024 * 1024)
/* Grown so many pieces at a time. */
#define MORE_PIECES 4096
/* Any disk's sector and any page fit in this. */
#define ALIGNMENT 4096
#define MAX_THREADS 256

struct piece {
    off_t offset;
    size_t len;
};

static const char *path;
static int fd;
static struct piece *pieces;
static size_t piece_count;
static atomic_size_t next_piece;

static _Noreturn void die(const char *what, int err)
{
    fprintf(stderr, "pread: %s: %s\n", what, strerror(err));
    exit(EXIT_FAILURE);
}

static void add_extent(off_t offset, off_t end)
{
    while (offset < end) {
        off_t len = end - offset < PIECE ? end - offset : PIECE;

        if (piece_count % MORE_PIECES == 0) {
            pieces =
                realloc(pieces, (piece_count + MORE_PIECES) * sizeof(*pieces));
            if (!pieces)
                die(path, ENOMEM);
        }
        pieces[piece_count].offset = offset;
        /* A direct read is of whole sectors, also at the end of the file. */
        pieces[piece_count].len = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        piece_count++;
        offset += len;
    }
}

static void find_pieces(void)
{
    off_t hole = 0;

    for (;;) {
        off_t data = lseek(fd, hole, SEEK_DATA);

        if (data < 0 && errno == ENXIO)
            return; /* holes to the end */
        if (data < 0)
            die(path, errno);
        hole = lseek(fd, data, SEEK_HOLE);
        if (hole < 0)
            die(path, errno);
        add_extent(data, hole);
    }
}

static void *reader(void *arg)
{
    void *buf = aligned_alloc(ALIGNMENT, PIECE);
    size_t i;

    if (!buf)
        die(path, ENOMEM);
    while ((i = atomic_fetch_add(&next_piece, 1)) < piece_count) {
        if (pread(fd, buf, pieces[i].len, pieces[i].offset) < 0)
            die(path, errno);
    }
    free(buf);
    return arg;
}

int main(int argc, char **argv)
{
    bool direct = argc > 1 && strcmp(argv[1], "--direct") == 0;
    int threads = argc == 3 + direct ? atoi(argv[1 + direct]) : 0;
    pthread_t ids[MAX_THREADS];

    if (threads < 1 || threads > MAX_THREADS) {
        fprintf(stderr, "Usage: pread [--direct] THREADS FILE\n");
        return 2;
    }
    path = argv[2 + direct];
    fd = open(path, O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
    if (fd < 0)
        die(path, errno);
    find_pieces();

    for (int i = 0; i < threads; i++) {
        int err = pthread_create(&ids[i], NULL, reader, NULL);

        if (err)
            die("pthread_create", err);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    free(pieces);
    close(fd);
    return EXIT_SUCCESS;
}

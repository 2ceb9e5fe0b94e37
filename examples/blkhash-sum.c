/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blkhash-sum FILE: the checksum of a file, whose holes are not read.
 *
 *     cc -D_GNU_SOURCE blkhash-sum.c $(pkg-config --cflags --libs blkhash)
 */
#include <blkhash.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE (1024 * 1024)

/* Hash the bytes from start to end. */
static int add_data(struct blkhash *h, int fd, off_t start, off_t end)
{
    static char buf[BUFFER_SIZE];

    while (start < end) {
        size_t len = end - start < BUFFER_SIZE ? end - start : BUFFER_SIZE;
        ssize_t n = pread(fd, buf, len, start);
        int err;

        if (n < 0)
            return errno;
        if (n == 0)
            return EIO; /* the file became shorter */
        err = blkhash_update(h, buf, n);
        if (err)
            return err;
        start += n;
    }
    return 0;
}

/* Data and holes, to the end of the file. */
static int add_file(struct blkhash *h, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    off_t done = 0;

    if (size < 0)
        return errno;
    while (done < size) {
        off_t data = lseek(fd, done, SEEK_DATA);
        off_t hole;
        int err;

        if (data < 0 && errno == ENXIO)
            data = size; /* a hole up to the end */
        else if (data < 0)
            data = done; /* the file system does not tell */
        err = blkhash_zero(h, data - done);
        if (err)
            return err;

        hole = lseek(fd, data, SEEK_HOLE);
        if (hole < 0)
            hole = size;
        err = add_data(h, fd, data, hole);
        if (err)
            return err;
        done = hole;
    }
    return 0;
}

int main(int argc, char **argv)
{
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned int md_len;
    struct blkhash *h;
    int err, fd;

    if (argc != 2) {
        fprintf(stderr, "usage: blkhash-sum FILE\n");
        return 2;
    }
    fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "blkhash-sum: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    h = blkhash_new(BLKHASH_DEFAULT_BLOCK_SIZE, BLKHASH_DEFAULT_DIGEST);
    err = h ? add_file(h, fd) : errno;
    if (!err)
        err = blkhash_final(h, md, &md_len);
    blkhash_free(h);
    close(fd);
    if (err) {
        fprintf(stderr, "blkhash-sum: %s: %s\n", argv[1], strerror(err));
        return 1;
    }
    for (unsigned int i = 0; i < md_len; i++)
        printf("%02x", md[i]);
    printf("  %s\n", argv[1]);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blkhash-sum FILE: print the checksum of a file, without reading its holes.
 *
 *     cc blkhash-sum.c $(pkg-config --cflags --libs blkhash)
 */
#define _GNU_SOURCE 1 /* SEEK_DATA */
#define _FILE_OFFSET_BITS 64

#include <blkhash.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (1024 * 1024)

/* The end of the hole or of the data at offset; *hole says which. */
static off_t extent_end(int fd, off_t offset, off_t size, bool *hole)
{
    off_t end = lseek(fd, offset, SEEK_DATA);

    *hole = end > offset || (end < 0 && errno == ENXIO);
    if (end == offset)
        end = lseek(fd, offset, SEEK_HOLE);
    /* To the end of the file, also if the file system reports no holes. */
    return end > offset && end < size ? end : size;
}

/* Add data or a hole at offset, up to end. *len becomes the number of bytes
 * that were added. */
static int add_some(struct blkhash *h, int fd, off_t offset, off_t end,
                    bool hole, size_t *len)
{
    static char buf[BUFFER_SIZE];
    /* Whole blocks are fastest, so reads end at multiples of a buffer. */
    off_t max = BUFFER_SIZE - offset % BUFFER_SIZE;
    ssize_t n;

    if (hole)
        max = 1024 * BUFFER_SIZE; /* fits a 32-bit size_t */
    *len = end - offset < max ? end - offset : max;
    if (hole)
        return blkhash_zero(h, *len);

    do {
        n = pread(fd, buf, *len, offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    if (n == 0)
        return EIO; /* the file was truncated */
    *len = n;
    return blkhash_update(h, buf, n);
}

static int add_file(struct blkhash *h, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END); /* also of a block device */
    off_t offset = 0;

    if (size < 0)
        return errno;
    while (offset < size) {
        bool hole;
        off_t end = extent_end(fd, offset, size, &hole);

        while (offset < end) {
            size_t len;
            int err = add_some(h, fd, offset, end, hole, &len);

            if (err)
                return err;
            offset += len;
        }
    }
    /* In a file that was truncated the rest looks like a hole. */
    return lseek(fd, 0, SEEK_END) == size ? 0 : EBUSY;
}

/* Only regular files and block devices have a size. */
static int check_type(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return errno;
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
        return 0;
    return S_ISDIR(st.st_mode) ? EISDIR : ESPIPE;
}

static int hash_file(const char *name, unsigned char *md, unsigned int *md_len)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct blkhash *h = NULL;
    int err;

    if (fd < 0)
        return errno;
    err = check_type(fd);
    if (!err) {
        h = blkhash_new(BLKHASH_DEFAULT_BLOCK_SIZE, BLKHASH_DEFAULT_DIGEST);
        err = h ? add_file(h, fd) : errno;
    }
    if (!err)
        err = blkhash_final(h, md, md_len);
    blkhash_free(h);
    close(fd);
    return err;
}

int main(int argc, char **argv)
{
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned int md_len;
    int err;

    if (argc != 2) {
        fprintf(stderr, "usage: blkhash-sum FILE\n");
        return 2;
    }
    err = hash_file(argv[1], md, &md_len);
    if (err) {
        fprintf(stderr, "blkhash-sum: %s: %s\n", argv[1], strerror(err));
        return 1;
    }
    for (unsigned int i = 0; i < md_len; i++)
        printf("%02x", md[i]);
    printf("  %s\n", argv[1]);
    if (fclose(stdout) != 0) {
        perror("blkhash-sum: write error");
        return 1;
    }
    return 0;
}

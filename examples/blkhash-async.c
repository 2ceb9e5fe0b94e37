/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blkhash-async FILE: print the checksum of a file, without reading its holes.
 * The library's threads hash some buffers in place while the next one is
 * filled.
 *
 *     cc blkhash-async.c $(pkg-config --cflags --libs blkhash)
 */
#define _GNU_SOURCE 1 /* SEEK_DATA */
#define _FILE_OFFSET_BITS 64

#include <blkhash.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFERS 16
#define BUFFER_SIZE (256 * 1024)

/* A stream, and the buffers that it is not using. */
struct job {
    struct blkhash *h;
    int completion_fd;
    void *free[BUFFERS];
    unsigned count; /* of them */
};

/* --- buffers ------------------------------------------------------------ */

/* Wait until the library returns at least one buffer. */
static int reap(struct job *job)
{
    struct pollfd pfd = { .fd = job->completion_fd, .events = POLLIN };
    struct blkhash_completion done[BUFFERS];
    unsigned count;
    int err;

    while (poll(&pfd, 1, -1) < 0) {
        if (errno != EINTR)
            return errno;
    }
    err = blkhash_completions(job->h, done, BUFFERS, &count);
    if (err)
        return err;
    for (unsigned i = 0; i < count; i++) {
        job->free[job->count++] = done[i].user_data;
        if (done[i].error)
            err = done[i].error;
    }
    return err;
}

/* Read up to *len bytes at offset into a buffer, and hand it to the library. */
static int add_data(struct job *job, int fd, off_t offset, size_t *len)
{
    void *buf;
    ssize_t n;
    int err;

    while (job->count == 0) {
        err = reap(job);
        if (err)
            return err;
    }
    buf = job->free[job->count - 1];
    do {
        n = pread(fd, buf, *len, offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    if (n == 0)
        return EIO; /* the file was truncated */

    *len = n;
    err = blkhash_async_update(job->h, buf, n, buf);
    if (!err)
        job->count--; /* until its completion is fetched */
    return err;
}

/* --- the file ----------------------------------------------------------- */

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
static int add_some(struct job *job, int fd, off_t offset, off_t end, bool hole,
                    size_t *len)
{
    /* Whole blocks are not copied, so reads end at multiples of a buffer. */
    off_t max = BUFFER_SIZE - offset % BUFFER_SIZE;

    if (hole)
        max = 1024 * 1024 * 1024; /* fits a 32-bit size_t */
    *len = end - offset < max ? end - offset : max;
    return hole ? blkhash_zero(job->h, *len) : add_data(job, fd, offset, len);
}

static int add_file(struct job *job, int fd)
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
            int err = add_some(job, fd, offset, end, hole, &len);

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

/* --- begin and end ------------------------------------------------------ */

static int new_stream(struct job *job)
{
    struct blkhash_options *o = blkhash_options_new(BLKHASH_DEFAULT_DIGEST);
    int err;

    if (!o)
        return errno;
    /* As many as there are buffers, so there is never EAGAIN. */
    err = blkhash_options_set_queue_depth(o, BUFFERS);
    if (!err) {
        job->h = blkhash_new_with_options(o);
        err =
            job->h ? blkhash_completion_fd(job->h, &job->completion_fd) : errno;
    }
    blkhash_options_free(o);
    return err;
}

static int hash_file(const char *name, unsigned char *md, unsigned int *md_len)
{
    static char buffers[BUFFERS][BUFFER_SIZE];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct job job = { .count = 0 };
    int err;

    if (fd < 0)
        return errno;
    while (job.count < BUFFERS) {
        job.free[job.count] = buffers[job.count];
        job.count++;
    }
    err = check_type(fd);
    if (!err)
        err = new_stream(&job);
    if (!err)
        err = add_file(&job, fd);
    while (!err && job.count < BUFFERS)
        err = reap(&job);
    if (!err)
        err = blkhash_final(job.h, md, md_len);
    /* After an error, the library may use the buffers until here. */
    blkhash_free(job.h);
    close(fd);
    return err;
}

int main(int argc, char **argv)
{
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned int md_len;
    int err;

    if (argc != 2) {
        fprintf(stderr, "usage: blkhash-async FILE\n");
        return 2;
    }
    err = hash_file(argv[1], md, &md_len);
    if (err) {
        fprintf(stderr, "blkhash-async: %s: %s\n", argv[1], strerror(err));
        return 1;
    }
    for (unsigned int i = 0; i < md_len; i++)
        printf("%02x", md[i]);
    printf("  %s\n", argv[1]);
    if (fclose(stdout) != 0) {
        perror("blkhash-async: write error");
        return 1;
    }
    return 0;
}

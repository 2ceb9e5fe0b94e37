/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blkhash-async <FILE: the checksum of standard input. While some buffers are
 * hashed by the library's threads, where they are, the next is filled.
 *
 *     cc blkhash-async.c $(pkg-config --cflags --libs blkhash)
 */
#include <blkhash.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFERS 8
#define BUFFER_SIZE (1024 * 1024)

/* Buffers that nobody uses. */
struct pool {
    void *free[BUFFERS];
    unsigned count;
};

/* Read until the buffer is full, or the input ends. */
static int fill(char *buf, size_t *len)
{
    *len = 0;
    while (*len < BUFFER_SIZE) {
        ssize_t n = read(STDIN_FILENO, buf + *len, BUFFER_SIZE - *len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        *len += n;
    }
    return 0;
}

/* Wait until the library gives back a buffer, or more. */
static int reap(struct blkhash *h, int fd, struct pool *pool)
{
    struct blkhash_completion done[BUFFERS];
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    unsigned count;
    int err;

    while (poll(&pfd, 1, -1) < 0) {
        if (errno != EINTR)
            return errno;
    }
    err = blkhash_completions(h, done, BUFFERS, &count);
    if (err)
        return err;
    for (unsigned i = 0; i < count; i++) {
        pool->free[pool->count++] = done[i].user_data;
        if (done[i].error)
            err = done[i].error;
    }
    return err;
}

static int hash_input(struct blkhash *h, struct pool *pool)
{
    size_t len;
    int err, fd;

    err = blkhash_completion_fd(h, &fd);
    if (err)
        return err;
    do {
        char *buf;

        while (pool->count == 0) {
            err = reap(h, fd, pool);
            if (err)
                return err;
        }
        buf = pool->free[--pool->count];
        err = fill(buf, &len);
        /* The buffer is not ours again before its completion. */
        if (!err)
            err = blkhash_async_update(h, buf, len, buf);
        if (err)
            return err;
    } while (len == BUFFER_SIZE);
    return 0;
}

static struct blkhash *new_stream(void)
{
    struct blkhash_options *o = blkhash_options_new(BLKHASH_DEFAULT_DIGEST);
    struct blkhash *h = NULL;

    /* As many updates in flight as there are buffers: EAGAIN never comes. */
    if (o && blkhash_options_set_queue_depth(o, BUFFERS) == 0)
        h = blkhash_new_with_options(o);
    blkhash_options_free(o);
    return h;
}

int main(void)
{
    static char buffers[BUFFERS][BUFFER_SIZE];
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    struct pool pool = { .count = BUFFERS };
    struct blkhash *h = new_stream();
    unsigned int md_len;
    int err;

    for (unsigned i = 0; i < BUFFERS; i++)
        pool.free[i] = buffers[i];
    err = h ? hash_input(h, &pool) : errno;
    if (!err)
        err = blkhash_final(h, md, &md_len); /* waits for all updates */
    blkhash_free(h);
    if (err) {
        fprintf(stderr, "blkhash-async: %s\n", strerror(err));
        return 1;
    }
    for (unsigned int i = 0; i < md_len; i++)
        printf("%02x", md[i]);
    printf("  -\n");
    return fflush(stdout) == 0 ? 0 : 1;
}

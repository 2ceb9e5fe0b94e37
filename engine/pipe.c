/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pipe, a socket, or anything else that can only be read from front to back.
 * The worker that plans reads the data at once, into its own cache, and hashes
 * it while the next worker reads.
 */
#include "engine/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/debug.h"
#include "format/probe.h"

/* The capacity of the pipe, for fewer and larger reads. */
#define PIPE_SIZE (1024 * 1024)

struct pipe_source {
    struct source source;
    int fd;
    uint64_t offset;
    bool probe;
    uint64_t max_size;
    bool ended; /* do not read again: a terminal would go on after its end */

    /* The rest of a packet that did not fit in the buffer. */
    unsigned char rest[PIPE_BUF];
    size_t rest_at, rest_end;
};

static int read_some(struct pipe_source *s, unsigned char *buf, size_t len,
                     size_t *count, struct error *error)
{
    for (;;) {
        ssize_t n = read(s->fd, buf, len);

        if (n >= 0) {
            debug(DEBUG_READ, "%s: %" PRIu64 "+%zu: pipe: %zd bytes",
                  s->source.name, s->offset, len, n);
            *count = n;
            return 0;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

            poll(&pfd, 1, -1);
        } else if (errno != EINTR) {
            return error_set(error, errno,
                             "%s: read error at offset %" PRIu64 ": %s",
                             s->source.name, s->offset, strerror(errno));
        }
    }
}

/* A pipe that is written with O_DIRECT has packets of up to PIPE_BUF bytes.
 * What a read leaves of a packet is lost, so each read asks for at least
 * PIPE_BUF. */
static int read_packets(struct pipe_source *s, unsigned char *buf, size_t len,
                        size_t *count, struct error *error)
{
    int err = 0;

    if (s->rest_at == s->rest_end) {
        if (len >= PIPE_BUF)
            return read_some(s, buf, len, count, error);
        s->rest_at = s->rest_end = 0;
        err = read_some(s, s->rest, PIPE_BUF, &s->rest_end, error);
    }
    if (len > s->rest_end - s->rest_at)
        len = s->rest_end - s->rest_at;
    memcpy(buf, s->rest + s->rest_at, len);
    s->rest_at += len;
    *count = len;
    return err;
}

/* The messages of a message-oriented socket may have any size, and an empty one
 * is not the end. */
static int check_socket(const struct pipe_source *s, struct error *error)
{
    int type;
    socklen_t len = sizeof(type);

    if (getsockopt(s->fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
        type == SOCK_STREAM)
        return 0;
    return error_set(error, EINVAL,
                     "%s: is a message-oriented socket; only a stream socket "
                     "can be read",
                     s->source.name);
}

/* Check that the first bytes are those of a raw image. */
static int check_format(const struct source *source, const struct job *job,
                        struct error *error)
{
    const char *format = probe_start(job->buf, job->len);

    if (format)
        return error_set(error, ENOTSUP,
                         "%s: is a %s image; from a pipe only a raw image can "
                         "be read ('-f raw' hashes the bytes as they are)",
                         source->name, format);
    if (probe_is_list(job->buf, job->len))
        return probe_refuse_list(source->name, error);
    return 0;
}

static int pipe_next(struct source *source, struct slot *slot, struct job *job,
                     struct error *error)
{
    struct pipe_source *s = (struct pipe_source *)source;
    bool first = s->offset == 0;

    if (first && check_socket(s, error))
        return error->code;
    while (job->len < job->capacity && !s->ended) {
        size_t n = 0;
        int err = read_packets(s, job->buf + job->len, job->capacity - job->len,
                               &n, error);

        if (err)
            return err;
        job->len += n;
        s->offset += n;
        s->ended = n == 0;
        if (s->offset > s->max_size)
            return error_set(error, EFBIG,
                             "%s: longer than the %" PRIu64
                             " bytes that --max-size allows",
                             source->name, s->max_size);
    }
    if (s->probe && first) {
        int err = check_format(source, job, error);

        if (err)
            return err;
    }
    if (s->ended) {
        /* Fill the last sector. It fits: the buffer is whole sectors. */
        size_t padding = -job->len % SECTOR_SIZE;

        memset(job->buf + job->len, 0, padding);
        job->len += padding;
    }
    slot->length = job->len;
    if (job->len)
        slot_add_data(slot,
                      (job->len + source->block_size - 1) / source->block_size);
    return 0;
}

static void pipe_free(struct source *source)
{
    free(source);
}

int pipe_source_new(const struct engine_input *input, size_t block_size,
                    struct source **source)
{
    struct pipe_source *s = calloc(1, sizeof(*s));

    if (!s)
        return ENOMEM;
    s->source = (struct source){
        .next = pipe_next,
        .free = pipe_free,
        .name = input->name,
        .block_size = block_size,
    };
    s->fd = input->fd;
    s->probe = input->probe;
    s->max_size = input->max_size ? input->max_size : UINT64_MAX;
#ifdef F_SETPIPE_SZ
    /* It may fail: for a socket, or beyond the limit of a user. */
    fcntl(s->fd, F_SETPIPE_SZ, PIPE_SIZE);
#endif
    *source = &s->source;
    return 0;
}

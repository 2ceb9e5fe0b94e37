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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/bytes.h"
#include "common/debug.h"
#include "common/read.h"
#include "format/probe.h"
#include "format/tar.h"
#include "image/disk-part.h"

/* The capacity of the pipe, for fewer and larger reads. */
#define PIPE_SIZE (1024 * 1024)

/* The bytes by which a format is recognised. */
#define PROBE_SIZE 512

struct pipe_source {
    struct source source;
    int fd;
    uint64_t offset; /* bytes that were read */
    bool probe;
    uint64_t max_size;
    bool ended; /* do not read again: a terminal would go on after its end */

    /* The last bytes that were read. */
    unsigned char tail[PROBE_END_SIZE];

    /* The part that is hashed. */
    const struct image_options *part; /* NULL: all */
    uint64_t start, stop;             /* where it is; UINT64_MAX: the end */
    uint64_t limit; /* read no further: what follows is for others */
    uint64_t done;  /* bytes of it that are planned */

    /* The rest of a packet that did not fit in the buffer. */
    unsigned char rest[PIPE_BUF];
    size_t rest_at, rest_end;
};

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int read_some(struct pipe_source *s, unsigned char *buf, size_t len,
                     size_t *count, struct error *error)
{
    ssize_t n = read_wait(s->fd, buf, len);

    if (n < 0)
        return error_set(error, errno,
                         "%s: read error at offset %" PRIu64 ": %s",
                         s->source.name, s->offset, strerror(errno));
    debug(DEBUG_READ, "%s: %" PRIu64 "+%zu: pipe: %zd bytes", s->source.name,
          s->offset, len, n);
    *count = n;
    return 0;
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
        err = read_some(s, s->rest, min(PIPE_BUF, s->limit - s->offset),
                        &s->rest_end, error);
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
static int check_format(struct source *source, const struct job *job,
                        struct error *error)
{
    const char *format = probe_start(job->buf, job->len);

    if (format)
        return error_set(error, ENOTSUP,
                         "%s: is a %s image; from a pipe only a raw image can "
                         "be read ('-f raw' hashes the bytes as they are)",
                         source->name, format);
    if (tar_is_ova(job->buf, job->len))
        return error_set(error, ENOTSUP,
                         "%s: is an OVA archive; its disks can only be read "
                         "from a file, with --member ('-f raw' hashes the "
                         "bytes as they are)",
                         source->name);
    if (probe_is_list(job->buf, job->len))
        return probe_refuse_list(source->name, error);
    probe_lookalike_start(job->buf, job->len, &source->lookalike);
    return 0;
}

static int check_max_size(const struct pipe_source *s, struct error *error)
{
    uint64_t at = min(s->offset, s->stop);

    if (at <= s->start || round_up(at - s->start, SECTOR_SIZE) <= s->max_size)
        return 0;
    return error_set(error, EFBIG,
                     "%s: longer than the %" PRIu64
                     " bytes that --max-size allows",
                     s->source.name, s->max_size);
}

/* Whether nothing more is to be read. */
static bool is_read(const struct pipe_source *s)
{
    return s->ended || s->offset >= s->limit;
}

static void keep_tail(struct pipe_source *s, const unsigned char *buf,
                      size_t len)
{
    size_t size = sizeof(s->tail), n = min(len, size);

    memmove(s->tail, s->tail + n, size - n);
    memcpy(s->tail + size - n, buf + len - n, n);
}

/* Fill the buffer. */
static int fill(struct pipe_source *s, struct job *job, struct error *error)
{
    int err = 0;

    while (!err && job->len < job->capacity && !is_read(s)) {
        size_t room = min(job->capacity - job->len, s->limit - s->offset);
        size_t n = 0;

        err = read_packets(s, job->buf + job->len, room, &n, error);
        if (err)
            break;
        keep_tail(s, job->buf + job->len, n);
        job->len += n;
        s->offset += n;
        s->ended = n == 0;
        err = check_max_size(s, error);
    }
    return err;
}

/* Drop what is before the part, or behind it. */
static void drop(const struct pipe_source *s, struct job *job)
{
    uint64_t at = s->offset - job->len;
    size_t before = at < s->start ? min(s->start - at, job->len) : 0;

    if (before) {
        job->len -= before;
        memmove(job->buf, job->buf + before, job->len);
    }
    if (s->offset > s->stop)
        job->len -= min(s->offset - s->stop, job->len);
}

/* All is read: add the zeros that fill the last sector. The disk ends with a
 * whole sector, and so does the part. */
static int add_padding(const struct pipe_source *s, struct job *job,
                       struct error *error)
{
    uint64_t size = round_up(s->offset, SECTOR_SIZE);
    uint64_t end = s->stop;
    size_t zeros;
    int err = 0;

    if (s->ended)
        end = size;
    if (s->ended && s->part)
        err = disk_part_end(s->part, s->source.name, size, &end, error);
    if (err)
        return err;
    zeros = min(round_up(end - s->start, SECTOR_SIZE) - s->done - job->len,
                job->capacity - job->len);
    memset(job->buf + job->len, 0, zeros);
    job->len += zeros;
    return 0;
}

static int pipe_next(struct source *source, struct slot *slot, struct job *job,
                     struct error *error)
{
    struct pipe_source *s = (struct pipe_source *)source;
    bool first = s->offset == 0;
    int err = first ? check_socket(s, error) : 0;

    do {
        if (!err)
            err = fill(s, job, error);
        if (!err && s->probe && first)
            err = check_format(source, job, error);
        if (err)
            return err;
        first = false;
        drop(s, job);
    } while (job->len < job->capacity && !is_read(s));

    /* What the last bytes look like is known only at the end. */
    if (s->probe && s->ended)
        probe_lookalike_end(s->tail, s->offset, &source->lookalike);
    if (is_read(s))
        err = add_padding(s, job, error);
    if (err)
        return err;
    s->done += job->len;
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

static void choose_part(struct pipe_source *s, const struct image_options *part)
{
    s->stop = UINT64_MAX;
    s->part = part;
    if (part) {
        s->start = part->offset;
        if (part->has_length && part->length < UINT64_MAX - part->offset) {
            s->stop = part->offset + part->length;
            s->source.size = round_up(part->length, SECTOR_SIZE);
        }
    }
    s->limit = s->stop;
    if (s->probe && s->limit < PROBE_SIZE)
        s->limit = PROBE_SIZE;
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
    choose_part(s, input->part);
#ifdef F_SETPIPE_SZ
    /* It may fail: for a socket, or beyond the limit of a user. */
    fcntl(s->fd, F_SETPIPE_SZ, PIPE_SIZE);
#endif
    *source = &s->source;
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/diff-side.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/identity.h"
#include "cli/input.h"
#include "cli/message.h"
#include "cli/sum-part.h"
#include "common/path.h"
#include "common/read.h"
#include "image/image.h"
#include "list/header.h"

/* The magic of a list. */
#define LOOK_SIZE 8

/* Look at the first bytes of a pipe or a socket, which stay there. Returns how
 * many there are, or -1. */
static ssize_t peek(int fd, unsigned char start[LOOK_SIZE])
{
    int copy[2], err;
    ssize_t n = recv(fd, start, LOOK_SIZE, MSG_PEEK);

    if (n >= 0 || errno != ENOTSOCK)
        return n;
    if (pipe2(copy, O_CLOEXEC) != 0)
        return -1;
    n = tee(fd, copy[1], LOOK_SIZE, 0);
    if (n > 0)
        n = read_wait(copy[0], start, n);
    err = errno;
    close(copy[0]);
    close(copy[1]);
    errno = err;
    return n;
}

/* These find whether a side is a list. What cannot be looked at must not be
 * taken for a raw image. */

static int cannot_look(const struct diff_side *side, struct error *error)
{
    return error_set(error, errno,
                     "%s: cannot find out whether it is a digest list: %s",
                     side->name, strerror(errno));
}

static int cannot_open(const struct diff_side *side, struct error *error)
{
    return error_set(error, errno, "%s: %s", side->name, strerror(errno));
}

/* The first bytes may come one by one. */
static int look_at_pipe(struct diff_side *side, int fd, struct error *error)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };
    unsigned char start[LOOK_SIZE];

    for (;;) {
        bool is_all = poll(&pfd, 1, 0) > 0; /* nobody writes any more */
        ssize_t n = peek(fd, start);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return cannot_look(side, error);
        if (n < 0) {
            poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
            continue;
        }
        side->is_list = list_is_list(start, n);
        if (n == 0 || n == LOOK_SIZE || is_all || !list_may_be_list(start, n))
            return 0;
        nanosleep(&pause, NULL);
    }
}

static int look_at_file(struct diff_side *side, int fd, struct error *error)
{
    unsigned char start[LOOK_SIZE];
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t n;

    if (offset < 0)
        return cannot_look(side, error);
    n = pread_all(fd, start, sizeof(start), offset);
    if (n < 0)
        return error_set(error, errno, "%s: read error at offset %jd: %s",
                         side->name, (intmax_t)offset, strerror(errno));
    side->is_list = list_is_list(start, n);
    return 0;
}

static int look_at_stdin(struct diff_side *side, struct error *error)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) != 0)
        return cannot_look(side, error);
    if (S_ISREG(st.st_mode))
        return look_at_file(side, STDIN_FILENO, error);
    if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
        return look_at_pipe(side, STDIN_FILENO, error);
    return 0;
}

/* A guest's raw disk is no list, whatever the guest has written to it. A name
 * that leads to a pipe can only be a list: an image has to be a file. */
static int look_at_name(struct diff_side *side, struct error *error)
{
    const char *path = path_of_name(side->name);
    struct stat st;
    int fd, err;

    if (path != side->name)
        return 0;
    if (stat(path, &st) != 0) /* what QEMU opens need not be a path */
        return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG
                   ? 0
                   : cannot_open(side, error);
    side->is_list = S_ISFIFO(st.st_mode);
    if (!S_ISREG(st.st_mode) || image_is_for_raw_disks(path))
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return cannot_open(side, error);
    err = look_at_file(side, fd, error);
    close(fd);
    return err;
}

static int find_kind(struct diff_side *side, struct error *error)
{
    if (strcmp(side->name, "-") == 0)
        return look_at_stdin(side, error);
    return look_at_name(side, error);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Check that a list is that of the part which the options choose. */
static int check_part(const struct list_input *list, const struct options *o,
                      struct error *error)
{
    const struct list_header *header = list_reader_header(list->reader);
    const char *name = list_reader_name(list->reader);
    const struct identity_source source = { name, header->source,
                                            header->source_len };
    const struct image_options *wanted = &o->image;
    struct sum_part part;
    bool same;

    if (identity_source_part(&source, &part))
        return error_no_memory(error, name);
    same = same_text(part.member, wanted->member) &&
           part.offset == wanted->offset &&
           part.has_length == wanted->has_length &&
           part.length == wanted->length;
    sum_part_clear(&part);
    if (same)
        return 0;
    return error_set(error, EINVAL,
                     "%s: is not the digest list of this part; the %s option "
                     "requires that, or two images",
                     name, o->part_option);
}

int diff_side_open(struct diff_side *side, const struct options *o, char *name,
                   struct error *error)
{
    int err;

    *side = (struct diff_side){ .name = name, .list = { .fd = -1 } };
    message_know_name(name);
    err = find_kind(side, error);
    if (err)
        return err;
    if (!side->is_list)
        return input_open(o, name, &side->input, error);
    err = list_input_open(&side->list, o, name, error);
    if (!err && o->part_option)
        err = check_part(&side->list, o, error);
    if (!err && list_reader_header(side->list.reader)->first_block)
        err = error_set(error, EINVAL,
                        "%s: has only a part of the disk; put the parts "
                        "together first (--merge)",
                        name);
    return err;
}

void diff_side_close(struct diff_side *side)
{
    if (side->is_list)
        list_input_close(&side->list);
    else
        image_close(side->input.image);
}

void diff_side_warn(struct diff_side *side, const struct options *o)
{
    side->warnings = input_warn(o, side->input.image, side->warnings);
}

bool diff_side_length(const struct diff_side *side, uint64_t *length)
{
    if (side->is_list)
        *length = list_reader_header(side->list.reader)->length;
    else
        *length =
            side->input.image ? side->input.image->size : LIST_LENGTH_UNKNOWN;
    return *length != LIST_LENGTH_UNKNOWN;
}

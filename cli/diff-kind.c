/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/diff-kind.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/path.h"
#include "common/read.h"
#include "image/image.h"
#include "list/header.h"

#define LIST_SUFFIX ".blkhash"

/* Read what is in a pipe. Returns how many bytes, or -1. */
static ssize_t read_copy(int fd, unsigned char *buf, ssize_t len)
{
    ssize_t n, done = 0;

    while (done < len) {
        n = read_wait(fd, buf + done, (size_t)(len - done));
        if (n <= 0)
            return -1;
        done += n;
    }
    return done;
}

/* Look at the first bytes of a pipe or a socket, which stay there. Returns how
 * many there are, or -1. */
static ssize_t peek(int fd, unsigned char start[LIST_MAGIC_SIZE])
{
    int copy[2], err;
    ssize_t n = recv(fd, start, LIST_MAGIC_SIZE, MSG_PEEK);

    if (n >= 0 || errno != ENOTSOCK)
        return n;
    if (pipe2(copy, O_CLOEXEC) != 0)
        return -1;
    n = tee(fd, copy[1], LIST_MAGIC_SIZE, 0);
    if (n > 0)
        n = read_copy(copy[0], start, n);
    err = errno;
    close(copy[0]);
    close(copy[1]);
    errno = err;
    return n;
}

/* What cannot be looked at must not be taken for a raw image. */
static int cannot_look(const char *name, struct error *error)
{
    return error_set(error, errno,
                     "%s: cannot find out whether it is a digest list: %s",
                     name, strerror(errno));
}

static int cannot_open(const char *name, struct error *error)
{
    return error_set(error, errno, "%s: %s", name, strerror(errno));
}

static int not_clear(const char *name, const char *way, struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: begins like a digest list; give a list as %s "
                     "or a name that ends in " LIST_SUFFIX
                     ", and a disk with -f",
                     name, way);
}

/* --- a pipe ------------------------------------------------------------- */

/* The first bytes may come one by one. */
static int look_at_pipe(const char *name, int fd, bool *is_list,
                        struct error *error)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };
    unsigned char start[LIST_MAGIC_SIZE];

    for (;;) {
        bool is_all = poll(&pfd, 1, 0) > 0; /* nobody writes any more */
        ssize_t n = peek(fd, start);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return cannot_look(name, error);
        if (n < 0) {
            poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
            continue;
        }
        *is_list = list_is_list(start, n);
        if (n == 0 || n == LIST_MAGIC_SIZE || is_all ||
            !list_may_be_list(start, n))
            return 0;
        nanosleep(&pause, NULL);
    }
}

/* --- a file ------------------------------------------------------------- */

static bool is_name_of_list(const char *path)
{
    size_t len = strlen(path), suffix = strlen(LIST_SUFFIX);

    return len > suffix && strcmp(path + len - suffix, LIST_SUFFIX) == 0;
}

/* What the name of a regular file says, or that to which symbolic links lead:
 * it is a list, it is a disk, or neither. */
static void understand_name(const char *path, bool *is_list, bool *is_disk)
{
    char *target = realpath(path, NULL);

    *is_list = is_name_of_list(path) || (target && is_name_of_list(target));
    *is_disk = !*is_list && (image_is_for_raw_disks(path) ||
                             (target && image_is_for_raw_disks(target)));
    free(target);
}

static int look_at_file(const char *name, int fd, struct error *error)
{
    unsigned char start[LIST_MAGIC_SIZE];
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t n;

    if (offset < 0)
        return cannot_look(name, error);
    n = pread_all(fd, start, sizeof(start), offset);
    if (n < 0)
        return error_set(error, errno, "%s: read error at offset %jd: %s", name,
                         (intmax_t)offset, strerror(errno));
    return list_is_list(start, n) ? not_clear(name, "a FIFO", error) : 0;
}

/* --- both --------------------------------------------------------------- */

/* A name that leads to a pipe can only be a list: an image has to be a file. */
static int kind_of_name(const char *name, const struct options *o,
                        bool *is_list, struct error *error)
{
    const char *path = path_of_name(name);
    bool is_disk;
    struct stat st;
    int fd, err;

    *is_list = false;
    if (path != name)
        return 0;
    if (stat(path, &st) != 0) /* what QEMU opens need not be a path */
        return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG
                   ? 0
                   : cannot_open(name, error);
    *is_list = S_ISFIFO(st.st_mode);
    if (!S_ISREG(st.st_mode))
        return 0;
    understand_name(path, is_list, &is_disk);
    if (*is_list || is_disk || o->image.format || o->image.image_opts)
        return 0;
    if (image_is_made_by_kernel(path))
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return cannot_open(name, error);
    err = look_at_file(name, fd, error);
    close(fd);
    return err;
}

/* Beside an image, a pipe can only be a list. */
static int kind_of_pipe(const char *other, const struct options *o,
                        bool *is_list, struct error *error)
{
    bool beside_list;
    int err = kind_of_name(other, o, &beside_list, error);

    if (err || (beside_list && o->image.format))
        return err;
    err = look_at_pipe("-", STDIN_FILENO, is_list, error);
    return !err && beside_list && *is_list ? not_clear("-", "/dev/stdin", error)
                                           : err;
}

static int kind_of_stdin(const char *other, const struct options *o,
                         bool *is_list, struct error *error)
{
    bool is_disk;
    struct stat st;

    if (fstat(STDIN_FILENO, &st) != 0)
        return cannot_look("-", error);
    if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
        return kind_of_pipe(other, o, is_list, error);
    if (!S_ISREG(st.st_mode))
        return 0;
    understand_name("/proc/self/fd/0", is_list, &is_disk);
    return *is_list || is_disk || o->image.format
               ? 0
               : look_at_file("-", STDIN_FILENO, error);
}

int diff_kind(const struct options *o, char *const names[2], int n,
              bool *is_list, struct error *error)
{
    *is_list = false;
    return strcmp(names[n], "-") == 0
               ? kind_of_stdin(names[1 - n], o, is_list, error)
               : kind_of_name(names[n], o, is_list, error);
}

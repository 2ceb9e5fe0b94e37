/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regular files and block devices.
 */
#include "reader/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/magic.h>

#include "common/bytes.h"
#include "reader/lease.h"
#include "reader/lock.h"
#include "reader/open-disk.h"

struct file {
    struct reader reader;
    int fd;
    bool shared; /* with whoever opened it: offset, flags, locks */
    bool direct;
    bool leased;
    struct lease lease; /* of a regular file, where there is one */
    struct stat stat;   /* when it was locked */
};

/* Addresses that stand for all files that are read in the same way. */
static const char direct_queues, buffered_queues;

static struct file *to_file(const struct reader *r)
{
    return (struct file *)r;
}

int file_fd(const struct reader *r)
{
    return to_file(r)->fd;
}

/* --- extents ------------------------------------------------------------ */

static int shrunk(const struct file *f, uint64_t size, struct error *error)
{
    return error_set(error, EIO,
                     "%s: the file shrank while it was read: from %" PRIu64
                     " to %" PRIu64 " bytes",
                     f->reader.name, f->reader.size, size);
}

/* No data from offset to the end: a hole, unless the end came nearer. */
static int check_size(const struct file *f, struct error *error)
{
    struct stat st;

    if (fstat(f->fd, &st) != 0)
        return error_set(error, errno, "%s: fstat: %s", f->reader.name,
                         strerror(errno));
    if ((uint64_t)st.st_size < f->reader.size)
        return shrunk(f, st.st_size, error);
    return 0;
}

static int file_extent(struct reader *r, uint64_t offset, uint64_t length,
                       struct reader_extent *extent, struct error *error)
{
    struct file *f = to_file(r);
    off_t data, hole;

    *extent = (struct reader_extent){ .length = length };
    if (!S_ISREG(f->stat.st_mode))
        return 0;

    data = lseek(f->fd, offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO) {
        extent->hole = true;
        return check_size(f, error);
    }
    if (data < 0 || (uint64_t)data < offset)
        return 0; /* the file system does not tell */

    if ((uint64_t)data > offset) {
        extent->hole = true;
        if ((uint64_t)data - offset < length)
            extent->length = data - offset;
        return 0;
    }
    hole = lseek(f->fd, offset, SEEK_HOLE);
    if (hole >= 0 && (uint64_t)hole > offset &&
        (uint64_t)hole - offset < length)
        extent->length = hole - offset;
    return 0;
}

/* --- reads -------------------------------------------------------------- */

/* Places of a read that are tried in the page cache. */
#define VIEW_PROBES 4

/* Whether all is in the page cache, as far as a look at some places tells. If
 * it tells wrong, touching a page waits for it. */
static bool is_cached(int fd, const struct read *read)
{
    for (int i = 0; i < VIEW_PROBES; i++) {
        char byte;
        struct iovec iov = { &byte, 1 };
        uint64_t offset =
            read->offset + (read->len - 1) / (VIEW_PROBES - 1) * i;

        if (preadv2(fd, &iov, 1, offset, RWF_NOWAIT) != 1)
            return false;
    }
    return true;
}

static const unsigned char *file_view(const struct read *read, struct window *w,
                                      bool keep)
{
    const struct file *f = to_file(read->reader);

    if (f->direct || !is_cached(f->fd, read))
        return NULL;
    return window_get(w, read->reader, f->fd, read->offset, read->len, keep);
}

static bool file_try_read(struct read *read)
{
    const struct file *f = to_file(read->reader);
    struct iovec iov = { read->buf, read->len };
    ssize_t n;

    if (f->direct)
        return false;
    n = preadv2(f->fd, &iov, 1, read->offset, RWF_NOWAIT);
    if (n > 0)
        read->done = n;
    return read->done == read->len;
}

static void read_loop(int fd, struct read *read)
{
    while (read->done < read->len) {
        ssize_t n = pread(fd, read->buf + read->done, read->len - read->done,
                          read->offset + read->done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            read->error = errno;
        if (n <= 0)
            return;
        read->done += n;
    }
}

/* Memory for what is not aligned: enough for a slot of common size, and no more
 * for a larger one. */
#define BOUNCE_SIZE ((1 << 20) + 2 * DIRECT_ALIGNMENT)

/* From the start of the sector of the first missing byte to the end of that of
 * the last. */
static size_t sectors_around(const struct read *read)
{
    uint64_t start = read->offset + read->done;

    return round_up(start % DIRECT_ALIGNMENT + read->len - read->done,
                    DIRECT_ALIGNMENT);
}

/* Read the sectors around the next bytes, size bytes of them at most, and copy
 * what was asked for. */
static void read_piece(int fd, struct read *read, unsigned char *bounce,
                       size_t size)
{
    size_t before = (read->offset + read->done) % DIRECT_ALIGNMENT;
    size_t left = read->len - read->done;
    struct read around = {
        .buf = bounce,
        .len = sectors_around(read) < size ? sectors_around(read) : size,
        .offset = read->offset + read->done - before,
    };
    size_t got;

    read_loop(fd, &around);
    got = around.done > before ? around.done - before : 0;
    if (got > left)
        got = left;
    memcpy(read->buf + read->done, bounce + before, got);
    read->done += got;
    if (got < left)
        read->error = around.error;
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

void file_read_rest(struct read *read)
{
    const struct file *f = to_file(read->reader);

    if (f->direct && !is_direct(read->offset + read->done,
                                read->len - read->done, read->buf + read->done))
        read_around(f->fd, read);
    else
        read_loop(f->fd, read);
}

static void file_will_need(struct reader *r, uint64_t offset, uint64_t length)
{
    /* Past the page cache there is no place to keep it. */
    if (!to_file(r)->direct)
        posix_fadvise(to_file(r)->fd, offset, length, POSIX_FADV_WILLNEED);
}

/*
 * Direct reads want io_uring; where it is not to be had (the seccomp filters of
 * common containers forbid it), threads do. DISKSUM_READS forces one of them,
 * for tests.
 */
static int file_queue_new(struct reader *r, unsigned depth,
                          struct read_queue **queue, struct error *error)
{
    const char *forced = getenv("DISKSUM_READS");
    bool ring = !forced || strcmp(forced, "threads") != 0;
    bool threads = !forced || strcmp(forced, "ring") != 0;
    int err = ENOTSUP;

    if (!to_file(r)->direct) {
        err = ahead_queue_new(queue);
    } else {
        if (ring)
            err = ring_queue_new(depth, queue);
        if (err && threads)
            err = threads_queue_new(depth, queue);
    }
    if (err)
        return error_set(error, err, "%s: cannot set up reads: %s", r->name,
                         strerror(err));
    return 0;
}

/* --- writers ------------------------------------------------------------ */

/*
 * A lease tells of writers that come later. One that is there may write through
 * a mapping, of which the times tell only when a clean page becomes dirty: so
 * what is dirty is made clean, now that the times are known.
 */
static void watch_writers(struct file *f, bool force_share)
{
    int err = ENOTSUP;

    if (S_ISREG(f->stat.st_mode))
        err = lease_take(&f->lease, f->fd);
    f->leased = !err;
    if (err != EAGAIN || force_share)
        return;
    f->reader.warning = "another process has this file open for writing";
    (void)sync_file_range(f->fd, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                              SYNC_FILE_RANGE_WAIT_AFTER);
}

static void end_lease(struct file *f)
{
    if (f->leased)
        lease_release(&f->lease);
    f->leased = false;
}

/* In memory no page is ever clean: what a mapping writes changes no time. */
static bool times_tell_of_mappings(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC &&
           fs.f_type != RAMFS_MAGIC;
}

/* Somebody may have opened the file for writing. Whoever is gone by now, and
 * changed no time, wrote nothing: a process of QEMU finds our locks, and
 * goes. */
static int check_writers(struct file *f, struct error *error)
{
    if (!f->leased || !lease_is_broken(&f->lease))
        return 0;
    end_lease(f);
    f->leased = lease_take(&f->lease, f->fd) == 0;
    if (!f->leased || !times_tell_of_mappings(f->fd))
        return error_set(error, EBUSY,
                         "%s: another process opened the file for writing "
                         "while it was read",
                         f->reader.name);
    f->reader.warning = "another process opened this file for writing while it "
                        "was read, and closed it unchanged";
    return 0;
}

/* --- open and close ----------------------------------------------------- */

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether the times tell of a write. A link, a new name and new permissions
 * change the ctime, too: that is all they do, and a lease that was kept says
 * that nobody could write. */
static bool times_changed(const struct file *f, const struct stat *now)
{
    if (!same_time(now->st_mtim, f->stat.st_mtim))
        return true;
    return !same_time(now->st_ctim, f->stat.st_ctim) &&
           (!f->leased || lease_is_broken(&f->lease));
}

static int file_check_unchanged(struct reader *r, struct error *error)
{
    struct file *f = to_file(r);
    struct stat st;

    /* The times of a device are those of its node. */
    if (!S_ISREG(f->stat.st_mode))
        return 0;
    if (fstat(f->fd, &st) != 0)
        return error_set(error, errno, "%s: fstat: %s", r->name,
                         strerror(errno));
    if (st.st_size < f->stat.st_size)
        return shrunk(f, st.st_size, error);
    if (st.st_size != f->stat.st_size || times_changed(f, &st))
        return error_set(error, EBUSY, "%s: the file changed while it was read",
                         r->name);
    return check_writers(f, error);
}

static void file_close(struct reader *r)
{
    struct file *f = to_file(r);

    end_lease(f);
    if (f->shared) {
        lock_release(f->fd);
        (void)lseek(f->fd, 0, SEEK_SET);
    }
    if (f->fd >= 0)
        close(f->fd);
    free(r->name);
    free(r);
}

static const struct reader_ops file_ops = {
    .extent = file_extent,
    .view = file_view,
    .try_read = file_try_read,
    .read_rest = file_read_rest,
    .will_need = file_will_need,
    .queue_new = file_queue_new,
    .check_unchanged = file_check_unchanged,
    .close = file_close,
};

/* How many bytes are found at an offset, of some; -1: errno says why not. */
static ssize_t look_at(const struct file *f, uint64_t offset)
{
    _Alignas(DIRECT_ALIGNMENT) char buf[DIRECT_ALIGNMENT];

    return pread(f->fd, buf, sizeof(buf), offset);
}

/*
 * Some files do not know their size, because their content is made when it is
 * read: those of procfs, and of some file systems of FUSE, say 0, those of
 * sysfs say that they have a page. They take no space. A file that changes just
 * now is found in the end.
 */
static int check_size_is_true(const struct file *f, struct error *error)
{
    uint64_t size = f->stat.st_size;
    ssize_t behind = look_at(f, size);
    bool less = size && !f->stat.st_blocks && look_at(f, size - 1) == 0;
    struct stat now;

    if (behind < 0 && !size)
        return error_set(error, errno, "%s: read error at offset 0: %s",
                         f->reader.name, strerror(errno));
    if (behind <= 0 && !less)
        return 0;
    if (fstat(f->fd, &now) == 0 && (uint64_t)now.st_size != size)
        return 0;
    return error_set(error, ESPIPE,
                     "%s: reports a size of %" PRIu64 ", but has %scontent; "
                     "give it as standard input: disksum < FILE",
                     f->reader.name, size,
                     less   ? "less "
                     : size ? "more "
                            : "");
}

static int get_size(struct file *f, struct error *error)
{
    f->reader.id = (struct object_id){ f->stat.st_dev, f->stat.st_ino };
    if (S_ISREG(f->stat.st_mode)) {
        f->reader.size = f->stat.st_size;
        f->reader.allocated = (uint64_t)f->stat.st_blocks * 512; /* stat(2) */
        return check_size_is_true(f, error);
    }
    f->reader.id = (struct object_id){ f->stat.st_rdev, 0 };
    if (ioctl(f->fd, BLKGETSIZE64, &f->reader.size) != 0)
        return error_set(error, errno, "%s: cannot get the size: %s",
                         f->reader.name, strerror(errno));
    return 0;
}

static void set_direct(struct file *f, bool direct)
{
    f->direct = direct;
    f->reader.alignment = direct ? DIRECT_ALIGNMENT : 1;
    f->reader.queue_group = direct ? &direct_queues : &buffered_queues;
}

/* The flags are not ours to change. */
static int check_cache(struct file *f, enum cache_mode cache,
                       struct error *error)
{
    set_direct(f, fcntl(f->fd, F_GETFL) & O_DIRECT);
    if (cache == CACHE_DIRECT && !f->direct)
        return error_set(error, EINVAL,
                         "%s: cannot be opened again, which direct I/O needs",
                         f->reader.name);
    return 0;
}

static int set_cache(struct file *f, enum cache_mode cache, struct error *error)
{
    bool direct = cache != CACHE_BUFFERED;

    if (f->shared)
        return check_cache(f, cache, error);
    if (fcntl(f->fd, F_SETFL, direct ? O_DIRECT : 0) != 0) {
        if (cache != CACHE_DIRECT_OR_BUFFERED)
            return error_set(error, errno,
                             "%s: the file system does not support direct I/O: "
                             "%s",
                             f->reader.name, strerror(errno));
        return set_cache(f, CACHE_BUFFERED, error);
    }
    set_direct(f, direct);
    return 0;
}

static int lock(struct file *f, bool force_share, struct error *error)
{
    int err = lock_as_reader(f->fd, f->reader.name, force_share, error);

    /* A writer may have changed it until now. */
    if (!err && fstat(f->fd, &f->stat) != 0)
        err = error_set(error, errno, "%s: fstat: %s", f->reader.name,
                        strerror(errno));
    return err;
}

static struct file *file_new(const char *name, struct error *error)
{
    struct file *f = calloc(1, sizeof(*f));

    if (f)
        f->reader.name = strdup(name);
    if (!f || !f->reader.name) {
        free(f);
        error_no_memory(error, name);
        return NULL;
    }
    f->fd = -1;
    f->reader.ops = &file_ops;
    return f;
}

/* Make a reader of a file that is open, unless err is set; else close it. */
static int finish(struct file *f, int err, const struct file_options *options,
                  struct reader **reader, struct error *error)
{
    if (!err)
        err = lock(f, options->force_share, error);
    if (!err) {
        watch_writers(f, options->force_share);
        err = get_size(f, error);
    }
    if (!err)
        err = set_cache(f, options->cache, error);
    if (err)
        file_close(&f->reader);
    else
        *reader = &f->reader;
    return err;
}

int file_open(const char *path, const char *name,
              const struct file_options *options, struct reader **reader,
              struct error *error)
{
    struct file *f = file_new(name, error);

    if (!f)
        return error->code;
    return finish(f, open_disk(path, name, &f->fd, &f->stat, error), options,
                  reader, error);
}

int file_open_fd(int fd, const char *name, const struct file_options *options,
                 struct reader **reader, struct error *error)
{
    struct file *f = file_new(name, error);

    if (!f)
        return error->code;
    return finish(
        f, open_disk_again(fd, name, &f->fd, &f->shared, &f->stat, error),
        options, reader, error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regular files and block devices.
 */
#include "reader/reader.h"

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

#include "common/read.h"
#include "common/units.h"
#include "reader/change.h"
#include "reader/lock.h"
#include "reader/open-disk.h"
#include "reader/pread.h"
#include "reader/queues.h"
#include "reader/runs.h"

struct file {
    struct fd_reader base;
    bool shared;      /* with whoever opened it: offset, flags, locks */
    struct stat stat; /* when it was locked */
    struct change_watch watch;
    struct runs runs;
};

/* Queue groups: their addresses are all that counts. */
static const char direct_queues, buffered_queues;

static struct file *to_file(const struct reader *r)
{
    return (struct file *)r;
}

/* --- extents ------------------------------------------------------------ */

static int file_extent(struct reader *r, uint64_t offset, uint64_t length,
                       struct reader_extent *extent, struct error *error)
{
    struct file *f = to_file(r);
    bool ends;

    *extent = (struct reader_extent){ .length = length };
    if (!S_ISREG(f->stat.st_mode))
        return 0;
    runs_begin_at(&f->runs, r->begin);
    runs_get(&f->runs, f->base.fd, r->size, offset, length, extent, &ends);
    return ends ? change_watch_check_size(&f->watch, error) : 0;
}

/* --- reads -------------------------------------------------------------- */

/* How many bytes of a read are looked up in the page cache. */
#define VIEW_PROBES 4

/* Whether all of a read is in the page cache, judged by some bytes of it. If
 * that is wrong, touching a page waits for the disk. */
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

    if (f->base.direct || !is_cached(f->base.fd, read))
        return NULL;
    return window_get(w, read->reader, f->base.fd, read->offset, read->len,
                      keep);
}

static bool file_try_read(struct read *read)
{
    const struct file *f = to_file(read->reader);
    struct iovec iov = { read->buf, read->len };
    ssize_t n;

    if (f->base.direct)
        return false;
    n = preadv2(f->base.fd, &iov, 1, read->offset, RWF_NOWAIT);
    if (n > 0)
        read->done = n;
    return read->done == read->len;
}

static void file_will_need(struct reader *r, uint64_t offset, uint64_t length)
{
    /* Direct reads bypass the page cache, which would keep the bytes. */
    if (!to_file(r)->base.direct)
        posix_fadvise(to_file(r)->base.fd, offset, length, POSIX_FADV_WILLNEED);
}

/*
 * Direct reads use io_uring. Where it is not available (common containers
 * forbid it by a seccomp filter), threads take its place. DISKSUM_READS forces
 * one of them, for tests.
 */
static int file_queue_new(struct reader *r, unsigned depth,
                          struct read_queue **queue, struct error *error)
{
    const char *forced = getenv("DISKSUM_READS");
    bool ring = !forced || strcmp(forced, "threads") != 0;
    bool threads = !forced || strcmp(forced, "ring") != 0;
    int err = ENOTSUP;

    if (!to_file(r)->base.direct) {
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

/* --- open and close ----------------------------------------------------- */

static int get_device_size(int fd, const char *name, uint64_t *size,
                           struct error *error)
{
    if (ioctl(fd, BLKGETSIZE64, size) == 0)
        return 0;
    return error_set(error, errno, "%s: cannot get the size: %s", name,
                     strerror(errno));
}

/* All that a device tells of its changes. */
static int check_device_size(const struct reader *r, struct error *error)
{
    uint64_t size;
    int err = get_device_size(reader_fd(r), r->name, &size, error);

    if (err || size == r->size)
        return err;
    return error_set(error, EBUSY,
                     "%s: the device was resized while it was read: from "
                     "%" PRIu64 " to %" PRIu64 " bytes",
                     r->name, r->size, size);
}

static int file_check_unchanged(struct reader *r, struct error *error)
{
    if (!S_ISREG(to_file(r)->stat.st_mode))
        return check_device_size(r, error);
    return change_watch_check(&to_file(r)->watch, &r->warning, error);
}

/* The type is opaque, but it has two words. Lists record the ID, so it is the
 * same for each byte order. */
static uint64_t file_system_id(int fd)
{
    struct statfs fs;
    uint32_t words[2] = { 0, 0 };

    _Static_assert(sizeof(fs.f_fsid) == sizeof(words), "not two words");
    if (fstatfs(fd, &fs) == 0)
        memcpy(words, &fs.f_fsid, sizeof(words));
    return (uint64_t)words[1] << 32 | words[0];
}

static void file_get_state(const struct reader *r, struct object_state *state)
{
    const struct file *f = to_file(r);

    *state = (struct object_state){ .kind = OBJECT_DEVICE };
    if (S_ISREG(f->stat.st_mode))
        *state = (struct object_state){
            .kind = OBJECT_FILE,
            .file_system = file_system_id(f->base.fd),
            .mtime = f->stat.st_mtim,
            .ctime = f->stat.st_ctim,
        };
}

static void file_close(struct reader *r)
{
    struct file *f = to_file(r);

    change_watch_end(&f->watch);
    if (f->shared) {
        lock_release(f->base.fd);
        (void)lseek(f->base.fd, 0, SEEK_SET);
    }
    if (f->base.fd >= 0)
        close(f->base.fd);
    runs_free(&f->runs);
    free(r->name);
    free(r);
}

static const struct reader_ops file_ops = {
    .extent = file_extent,
    .view = file_view,
    .try_read = file_try_read,
    .read_rest = pread_rest,
    .will_need = file_will_need,
    .queue_new = file_queue_new,
    .early_end = "it shrank while it was read",
    .check_unchanged = file_check_unchanged,
    .get_state = file_get_state,
    .close = file_close,
};

/* Read some bytes at an offset, as pread() does. */
static ssize_t look_at(const struct file *f, uint64_t offset)
{
    _Alignas(DIRECT_ALIGNMENT) char buf[DIRECT_ALIGNMENT];

    return pread_all(f->base.fd, buf, sizeof(buf), offset);
}

/*
 * Some files do not know their size, because their content is made when it is
 * read. Those of procfs and of some FUSE file systems report a size of 0, those
 * of sysfs a page. They take no space. A file that is changing just now is
 * detected at the end.
 */
static int check_size_is_true(const struct file *f, struct error *error)
{
    uint64_t size = f->stat.st_size;
    ssize_t behind = look_at(f, size);
    bool less = size && !f->stat.st_blocks && look_at(f, size - 1) == 0;
    struct stat now;

    if (behind < 0 && !size)
        return error_set(error, errno, "%s: read error at offset 0: %s",
                         f->base.reader.name, strerror(errno));
    if (behind <= 0 && !less)
        return 0;
    if (fstat(f->base.fd, &now) == 0 && (uint64_t)now.st_size != size)
        return 0;
    return error_set(error, ESPIPE,
                     "%s: reports a size of %" PRIu64 ", but has %scontent; "
                     "give it as standard input: disksum < FILE",
                     f->base.reader.name, size,
                     less   ? "less "
                     : size ? "more "
                            : "");
}

/*
 * The largest file. The kernel rounds sizes up to whole pages, of up to 64 KiB,
 * and where that is too much for it, tmpfs finds holes in place of data.
 */
#define MAX_FILE_SIZE (INT64_MAX - 0xffff)

static int get_size(struct file *f, struct error *error)
{
    int err;

    f->base.reader.id = (struct object_id){ f->stat.st_dev, f->stat.st_ino };
    if (S_ISREG(f->stat.st_mode)) {
        if (f->stat.st_size > MAX_FILE_SIZE)
            return error_set(error, EFBIG, "%s: the file is too large",
                             f->base.reader.name);
        f->base.reader.size = f->stat.st_size;
        f->base.reader.allocated =
            (uint64_t)f->stat.st_blocks * 512; /* stat(2) */
        return check_size_is_true(f, error);
    }
    f->base.reader.id = (struct object_id){ f->stat.st_rdev, 0 };
    err = get_device_size(f->base.fd, f->base.reader.name, &f->base.reader.size,
                          error);
    if (!err && !f->base.reader.size)
        f->base.reader.warning = "the device has size 0: it has no medium, or "
                                 "nothing is attached to it";
    return err;
}

/* What the kernel says that direct I/O of a file wants; 0: it does not. */
static unsigned file_alignment(int fd)
{
#ifdef STATX_DIOALIGN
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
        st.stx_mask & STATX_DIOALIGN)
        return st.stx_dio_offset_align > st.stx_dio_mem_align
                   ? st.stx_dio_offset_align
                   : st.stx_dio_mem_align;
#else
    (void)fd;
#endif
    return 0;
}

static unsigned device_alignment(int fd)
{
    int sector = 0;

    return ioctl(fd, BLKSSZGET, &sector) == 0 && sector > 0 ? sector : 0;
}

/* A part of a disk, and the member of an archive, begin at any sector. Where
 * the kernel takes that, their reads are as good as others. */
static size_t direct_alignment(const struct file *f)
{
    unsigned alignment = S_ISREG(f->stat.st_mode)
                             ? file_alignment(f->base.fd)
                             : device_alignment(f->base.fd);

    if (alignment < SECTOR_SIZE || DIRECT_ALIGNMENT % alignment)
        return DIRECT_ALIGNMENT;
    return alignment;
}

static void set_direct(struct file *f, bool direct)
{
    f->base.direct = direct;
    f->base.reader.cached = !direct;
    f->base.reader.alignment = direct ? direct_alignment(f) : 1;
    f->base.reader.queue_group = direct ? &direct_queues : &buffered_queues;
}

/* The flags of a shared file are not ours to change. */
static int check_cache(struct file *f, enum cache_mode cache,
                       struct error *error)
{
    set_direct(f, fcntl(f->base.fd, F_GETFL) & O_DIRECT);
    if (cache == CACHE_DIRECT && !f->base.direct)
        return error_set(error, EINVAL,
                         "%s: cannot be opened again, which direct I/O needs",
                         f->base.reader.name);
    return 0;
}

static int set_cache(struct file *f, enum cache_mode cache, struct error *error)
{
    bool direct = cache != CACHE_BUFFERED;

    if (f->shared)
        return check_cache(f, cache, error);
    if (fcntl(f->base.fd, F_SETFL, direct ? O_DIRECT : 0) != 0) {
        if (cache != CACHE_DIRECT_OR_BUFFERED)
            return error_set(error, errno,
                             "%s: the file system does not support direct I/O: "
                             "%s",
                             f->base.reader.name, strerror(errno));
        return set_cache(f, CACHE_BUFFERED, error);
    }
    set_direct(f, direct);
    return 0;
}

static int lock(struct file *f, bool force_share, struct error *error)
{
    int err =
        lock_as_reader(f->base.fd, f->base.reader.name, force_share, error);

    /* Until the lock is taken, a writer may change the file. */
    if (!err && fstat(f->base.fd, &f->stat) != 0)
        err = error_set(error, errno, "%s: fstat: %s", f->base.reader.name,
                        strerror(errno));
    return err;
}

static struct file *file_new(const char *name, struct error *error)
{
    struct file *f = calloc(1, sizeof(*f));

    if (f)
        f->base.reader.name = strdup(name);
    if (!f || !f->base.reader.name) {
        free(f);
        error_no_memory(error, name);
        return NULL;
    }
    f->base.fd = -1;
    f->base.reader.ops = &file_ops;
    return f;
}

/* Make a reader of an open file. If err is set, or on an error, close it. */
static int finish(struct file *f, int err, const struct file_options *options,
                  struct reader **reader, struct error *error)
{
    if (!err)
        err = lock(f, options->force_share, error);
    if (!err) {
        f->base.reader.warning =
            change_watch_begin(&f->watch, f->base.fd, f->base.reader.name,
                               &f->stat, options->force_share);
        err = get_size(f, error);
    }
    if (!err)
        err = set_cache(f, options->cache, error);
    if (err)
        file_close(&f->base.reader);
    else
        *reader = &f->base.reader;
    return err;
}

int file_open(const char *path, const char *name,
              const struct file_options *options, struct reader **reader,
              struct error *error)
{
    struct file *f = file_new(name, error);

    if (!f)
        return error->code;
    return finish(f, open_disk(path, name, &f->base.fd, &f->stat, error),
                  options, reader, error);
}

int file_open_fd(int fd, const char *name, const struct file_options *options,
                 struct reader **reader, struct error *error)
{
    struct file *f = file_new(name, error);

    if (!f)
        return error->code;
    return finish(
        f, open_disk_again(fd, name, &f->base.fd, &f->shared, &f->stat, error),
        options, reader, error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/change.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

/*
 * A lease reports writers that open the file later. A writer that is there
 * already may write through a mapping, which changes the times only when a
 * clean page becomes dirty. So dirty pages are written out, now that the times
 * are known.
 */
const char *change_watch_begin(struct change_watch *w, int fd, const char *name,
                               const struct stat *now, bool force_share)
{
    int err = ENOTSUP;

    *w = (struct change_watch){ .fd = fd, .name = name, .before = *now };
    if (S_ISREG(now->st_mode))
        err = lease_take(&w->lease, fd);
    w->leased = !err;
    if (err != EAGAIN || force_share)
        return NULL;
    (void)sync_file_range(fd, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                              SYNC_FILE_RANGE_WAIT_AFTER);
    return "another process has this file open for writing";
}

void change_watch_end(struct change_watch *w)
{
    if (w->leased)
        lease_release(&w->lease);
    w->leased = false;
}

/* --- the size ----------------------------------------------------------- */

static int get_stat(const struct change_watch *w, struct stat *st,
                    struct error *error)
{
    if (fstat(w->fd, st) == 0)
        return 0;
    return error_set(error, errno, "%s: fstat: %s", w->name, strerror(errno));
}

static int check_shrunk(const struct change_watch *w, const struct stat *now,
                        struct error *error)
{
    if (now->st_size >= w->before.st_size)
        return 0;
    return error_set(error, EIO,
                     "%s: the file shrank while it was read: from %jd to %jd "
                     "bytes",
                     w->name, (intmax_t)w->before.st_size,
                     (intmax_t)now->st_size);
}

int change_watch_check_size(const struct change_watch *w, struct error *error)
{
    struct stat now;
    int err = get_stat(w, &now, error);

    return err ? err : check_shrunk(w, &now, error);
}

/* --- the times ---------------------------------------------------------- */

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether the times show a write. A link, a new name and new permissions change
 * only the ctime. If the lease is intact it was one of these, for nobody could
 * write. */
static bool times_changed(const struct change_watch *w, const struct stat *now,
                          bool lease_intact)
{
    if (!same_time(now->st_mtim, w->before.st_mtim))
        return true;
    return !same_time(now->st_ctim, w->before.st_ctim) && !lease_intact;
}

/* On tmpfs no page is ever clean, so writes through a mapping change no time.
 */
static bool mappings_change_times(int fd)
{
    struct statfs fs;

    /* The type has a sign on 32-bit CPUs. */
    return fstatfs(fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC &&
           (unsigned long)fs.f_type != RAMFS_MAGIC;
}

/* --- the lease ---------------------------------------------------------- */

static int find_broken(const struct change_watch *w, bool *broken,
                       struct error *error)
{
    int err = 0;

    *broken = false;
    if (w->leased)
        err = lease_check(&w->lease, broken);
    if (!err)
        return 0;
    return error_set(error, err,
                     "%s: cannot find out whether it was opened for writing: "
                     "%s",
                     w->name, strerror(err));
}

/* A broken lease: another process opened the file for writing. If it has closed
 * the file by now and changed no time, it wrote nothing: a QEMU process does so
 * when it finds our locks. */
static int take_lease_again(struct change_watch *w, const char **warning,
                            struct error *error)
{
    change_watch_end(w);
    w->leased = lease_take(&w->lease, w->fd) == 0;
    if (!w->leased || !mappings_change_times(w->fd))
        return error_set(error, EBUSY,
                         "%s: another process opened the file for writing "
                         "while it was read",
                         w->name);
    *warning = "another process opened this file for writing while it was "
               "read, and closed it unchanged";
    return 0;
}

int change_watch_check(struct change_watch *w, const char **warning,
                       struct error *error)
{
    struct stat now;
    bool broken;
    int err;

    err = get_stat(w, &now, error);
    if (!err)
        err = check_shrunk(w, &now, error);
    if (!err)
        err = find_broken(w, &broken, error);
    if (err)
        return err;
    if (now.st_size != w->before.st_size ||
        times_changed(w, &now, w->leased && !broken))
        return error_set(error, EBUSY, "%s: the file changed while it was read",
                         w->name);
    return broken ? take_lease_again(w, warning, error) : 0;
}

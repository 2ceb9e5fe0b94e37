/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each permission has a bit number and two bytes of the file. A process that
 * uses a permission holds a read lock on byte 100 + bit; one that does not
 * share it holds a read lock on byte 200 + bit. As all are read locks, taking
 * one does not fail; each process then looks for locks on conflicting bytes.
 * The locks belong to the open file description ("OFD"), and so to the threads
 * and children that share it.
 */
#include "reader/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"

#define PERMISSION_BASE 100
#define UNSHARED_BASE 200

enum permission {
    CONSISTENT_READ = 0,
    WRITE = 1,
    RESIZE = 3,
};

static int set_lock(int fd, off_t byte)
{
    struct flock lock = {
        .l_type = F_RDLCK,
        .l_whence = SEEK_SET,
        .l_start = byte,
        .l_len = 1,
    };

    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

/* Whether another open file holds a lock on one of some bytes. */
static bool has_lock(int fd, off_t first, off_t last)
{
    struct flock lock = {
        .l_type = F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = first,
        .l_len = last - first + 1,
    };

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool is_locked(int fd, off_t byte)
{
    return has_lock(fd, byte, byte);
}

/* QEMU's words, for people who search for them. */
static int in_use(const char *name, const char *what, const char *hint,
                  struct error *error)
{
    return error_set(error, EBUSY,
                     "%s: Failed to %s. Is another process using the image "
                     "[%s]?%s",
                     name, what, name, hint);
}

#define USE_FORCE_SHARE " Use -U (--force-share) to read it anyway"

/* A process that is not QEMU holds a write lock on a byte. QEMU fails then,
 * too.
 */
static bool is_refused(int err)
{
    return err == EAGAIN || err == EACCES;
}

int lock_as_reader(int fd, const char *name, bool force_share,
                   struct error *error)
{
    static const struct {
        off_t byte;
        const char *what;
    } locks[] = {
        { PERMISSION_BASE + CONSISTENT_READ, "lock byte 100" },
        { UNSHARED_BASE + WRITE, "lock byte 201" },
        { UNSHARED_BASE + RESIZE, "lock byte 203" },
    };
    size_t count = force_share ? 1 : ARRAY_SIZE(locks);

    for (size_t i = 0; i < count; i++) {
        int err = set_lock(fd, locks[i].byte);

        if (is_refused(err))
            return in_use(name, locks[i].what, "", error);
        if (err)
            return 0;
    }
    /* Few images are in use: then one question is enough. */
    if (!has_lock(fd, PERMISSION_BASE, UNSHARED_BASE + RESIZE))
        return 0;

    /* An image without a consistent state, as in the middle of a commit, is not
     * read with force_share either. */
    if (is_locked(fd, UNSHARED_BASE + CONSISTENT_READ))
        return in_use(name, "get \"consistent read\" lock", "", error);
    if (force_share)
        return 0;
    if (is_locked(fd, PERMISSION_BASE + WRITE))
        return in_use(name, "get shared \"write\" lock", USE_FORCE_SHARE,
                      error);
    if (is_locked(fd, PERMISSION_BASE + RESIZE))
        return in_use(name, "get shared \"resize\" lock", USE_FORCE_SHARE,
                      error);
    return 0;
}

void lock_release(int fd)
{
    struct flock lock = {
        .l_type = F_UNLCK,
        .l_whence = SEEK_SET,
        .l_start = PERMISSION_BASE,
        .l_len = 2 * (UNSHARED_BASE - PERMISSION_BASE),
    };

    (void)fcntl(fd, F_OFD_SETLK, &lock);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a disk that is full, or broken. WRITE_ERROR=ENOSPC|EDQUOT|EIO:
 * the error; WRITE_ERROR_FILE: of which file, or "-" for standard output;
 * WRITE_ERROR_CALL=write|fdatasync|fsync|close: where it appears. Writes fail
 * from byte WRITE_ERROR_AT on, only the first of them with WRITE_ERROR_ONCE.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static bool is_meant(int fd, const char *call)
{
    const char *path = getenv("WRITE_ERROR_FILE");
    struct stat meant, st;

    if (!path || strcmp(getenv("WRITE_ERROR_CALL"), call) != 0)
        return false;
    if (strcmp(path, "-") == 0)
        return fd == STDOUT_FILENO;
    return stat(path, &meant) == 0 && fstat(fd, &st) == 0 &&
           st.st_dev == meant.st_dev && st.st_ino == meant.st_ino;
}

static int fail(void)
{
    const char *name = getenv("WRITE_ERROR");

    errno = strcmp(name, "ENOSPC") == 0   ? ENOSPC
            : strcmp(name, "EDQUOT") == 0 ? EDQUOT
                                          : EIO;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t len);
int fsync(int fd);
int fdatasync(int fd);
int close(int fd);

ssize_t write(int fd, const void *bytes, size_t len)
{
    static off_t written;
    static bool failed;
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    ssize_t n;

    if (!is_meant(fd, "write") || (failed && getenv("WRITE_ERROR_ONCE")))
        return real(fd, bytes, len);
    if (written + (off_t)len > atoll(getenv("WRITE_ERROR_AT")))
        len = atoll(getenv("WRITE_ERROR_AT")) - written;
    if (len == 0) {
        failed = true;
        return fail();
    }
    n = real(fd, bytes, len);
    if (n > 0)
        written += n;
    return n;
}

int fsync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");

    return is_meant(fd, "fsync") ? fail() : real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");

    return is_meant(fd, "fdatasync") ? fail() : real(fd);
}

/* The descriptor is closed nevertheless. */
int close(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    bool fails = is_meant(fd, "close");
    int result = real(fd);

    return fails ? fail() : result;
}

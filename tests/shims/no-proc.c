/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: there is no /proc, as in a bare chroot.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

int open64(const char *path, int flags, ...);
ssize_t readlink(const char *path, char *buf, size_t size);

static int in_proc(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0;
}

int open64(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    va_list args;
    int mode;

    if (in_proc(path)) {
        errno = ENOENT;
        return -1;
    }
    va_start(args, flags);
    mode = va_arg(args, int);
    va_end(args);
    return real(path, flags, mode);
}

ssize_t readlink(const char *path, char *buf, size_t size)
{
    ssize_t (*real)(const char *, char *, size_t) =
        dlsym(RTLD_NEXT, "readlink");

    if (in_proc(path)) {
        errno = ENOENT;
        return -1;
    }
    return real(path, buf, size);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a file system that does not support direct I/O.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

int fcntl64(int fd, int command, ...);

int fcntl64(int fd, int command, ...)
{
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, "fcntl64");
    va_list args;
    void *arg;

    va_start(args, command);
    arg = va_arg(args, void *);
    va_end(args);
    if (command == F_SETFL && (long)arg & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return real(fd, command, arg);
}

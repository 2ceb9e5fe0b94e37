/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a file system that reports a hole where there may be data: from
 * FALSE_HOLE on, for HOLE_LENGTH bytes. All else is data.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

off_t lseek64(int fd, off_t offset, int whence);

off_t lseek64(int fd, off_t offset, int whence)
{
    off_t (*real)(int, off_t, int) = dlsym(RTLD_NEXT, "lseek64");
    off_t start = strtoll(getenv("FALSE_HOLE"), NULL, 10);
    off_t end = start + strtoll(getenv("HOLE_LENGTH"), NULL, 10);
    struct stat st;
    off_t found;

    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return real(fd, offset, whence);
    if (fstat(fd, &st) != 0)
        return -1;
    if (whence == SEEK_DATA)
        found = offset >= start && offset < end ? end : offset;
    else
        found = offset < start ? start : offset < end ? offset : st.st_size;
    if (offset < st.st_size && found < st.st_size + (whence == SEEK_HOLE))
        return found;
    errno = ENXIO;
    return -1;
}

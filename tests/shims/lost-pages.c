/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: pages of a mapped file that are gone when they are touched, while
 * a read still gives them: as when memory was short, and the disk failed once.
 * Of each file that is mapped only the first LOST_FROM bytes are there.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

void *mmap64(void *address, size_t length, int protection, int flags, int fd,
             off_t offset);

void *mmap64(void *address, size_t length, int protection, int flags, int fd,
             off_t offset)
{
    void *(*real)(void *, size_t, int, int, int, off_t) =
        dlsym(RTLD_NEXT, "mmap64");
    off_t end = strtoll(getenv("LOST_FROM"), NULL, 10);
    char *p = real(address, length, protection, flags, fd, offset);
    int nothing;

    if (p == MAP_FAILED || fd < 0 || !(flags & MAP_SHARED) ||
        offset + (off_t)length <= end)
        return p;
    nothing = memfd_create("nothing", MFD_CLOEXEC);
    if (nothing < 0)
        abort();
    end = end > offset ? end - offset : 0;
    if (real(p + end, length - end, protection, flags | MAP_FIXED, nothing,
             0) == MAP_FAILED)
        abort();
    close(nothing);
    return p;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/proc-link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/array.h"

/* Linux 5.6, from linux/openat2.h, which may be missing. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define NO_MAGIC_LINKS 0x02

struct how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

/* What can be seen in a path alone, without its links. */
static bool begins_as_link(const char *path)
{
    static const char *const places[] = { "/proc/", "/dev/fd/", "/dev/std" };

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return true;
    }
    return false;
}

bool has_proc_link(const char *path)
{
    const struct how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = NO_MAGIC_LINKS,
    };
    struct stat st;
    long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

    if (fd >= 0) {
        close((int)fd);
        return false;
    }
    /* An older kernel, or a filter that refuses the call. */
    if (errno == ENOSYS || errno == EPERM)
        return begins_as_link(path);
    return errno == ELOOP && !(stat(path, &st) != 0 && errno == ELOOP);
}

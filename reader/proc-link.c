/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/proc-link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Linux 5.6, from linux/openat2.h, which may be missing. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define NO_MAGIC_LINKS 0x02

#define HANDLE (O_PATH | O_CLOEXEC)

/* The kernel follows no more. */
#define MAX_LINKS 40

struct how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

/* --- without openat2() --------------------------------------------------- */

/* A path, taken name by name. */
struct path_walk {
    int directory; /* where the rest starts; O_PATH */
    char *rest;
    unsigned links; /* that were followed */
};

static void walk_to(struct path_walk *w, int directory)
{
    if (w->directory >= 0)
        close(w->directory);
    w->directory = directory;
}

/* Set the rest, and where it starts if it is absolute. */
static bool set_rest(struct path_walk *w, char *rest)
{
    free(w->rest);
    w->rest = rest;
    if (rest && *rest == '/')
        walk_to(w, open("/", HANDLE));
    return rest;
}

/* Open the next name, but do not follow it. */
static int open_next(struct path_walk *w)
{
    char name[NAME_MAX + 1];
    const char *start = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(start, "/");
    int fd;

    if (len > NAME_MAX)
        return -1;
    memcpy(name, start, len);
    name[len] = '\0';
    fd = openat(w->directory, name, HANDLE | O_NOFOLLOW);
    memmove(w->rest, start + len, strlen(start + len) + 1);
    return fd;
}

static bool is_in_proc(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Put what a link says before the rest. False where nothing is to be found. */
static bool follow(struct path_walk *w, int link)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(link, "", target, sizeof(target));
    char *rest;

    if (n <= 0 || n == sizeof(target) || ++w->links > MAX_LINKS)
        return false;
    return asprintf(&rest, "%.*s%s", (int)n, target, w->rest) >= 0 &&
           set_rest(w, rest);
}

/* Go on to the next name. False at the end; *found: at a link of procfs. */
static bool step(struct path_walk *w, bool *found)
{
    int fd = w->rest[strspn(w->rest, "/")] ? open_next(w) : -1;
    struct stat st;
    bool more;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISLNK(st.st_mode)) {
        walk_to(w, fd);
        return fd >= 0;
    }
    *found = is_in_proc(fd);
    more = !*found && follow(w, fd);
    close(fd);
    return more;
}

/* Links of procfs such as /proc/self count, too: what is behind them is another
 * such link, or a file that the kernel makes. */
static bool meets_proc_link(const char *path)
{
    struct path_walk w = { .directory = open(".", HANDLE) };
    bool found = !set_rest(&w, strdup(path)); /* out of memory: maybe */

    while (!found && step(&w, &found))
        ;
    walk_to(&w, -1);
    free(w.rest);
    return found;
}

/* --- both ---------------------------------------------------------------- */

bool has_proc_link(const char *path)
{
    const struct how how = {
        .flags = HANDLE,
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
        return meets_proc_link(path);
    return errno == ELOOP && !(stat(path, &st) != 0 && errno == ELOOP);
}

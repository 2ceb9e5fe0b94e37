/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a file changes while it is read: by its size and its times, and by a
 * lease where the file system has leases.
 */
#ifndef READER_CHANGE_H
#define READER_CHANGE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/error.h"
#include "reader/lease.h"

struct change_watch {
    int fd;
    const char *name;   /* for messages */
    struct stat before; /* when the watch began */
    struct lease lease;
    bool leased;
};

/*
 * Begin to watch an open file; `now` is the result of fstat(). The caller keeps
 * the descriptor and the name until change_watch_end(). Returns a warning, or
 * NULL.
 */
const char *change_watch_begin(struct change_watch *w, int fd, const char *name,
                               const struct stat *now, bool force_share);

/* Fails when the file, a regular one, has changed. Sets *warning when another
 * process could have changed it, but did not. */
int change_watch_check(struct change_watch *w, const char **warning,
                       struct error *error);

/* Fails when the file is shorter than it was. */
int change_watch_check_size(const struct change_watch *w, struct error *error);

void change_watch_end(struct change_watch *w);

#endif

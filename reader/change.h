/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a file changes while it is read: its size and its times, and a lease
 * on it where there can be one.
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
 * Begin to watch an open file, of which `now` is what fstat() says. The caller
 * keeps the descriptor and the name until change_watch_end(). Returns a
 * warning, or NULL.
 */
const char *change_watch_begin(struct change_watch *w, int fd, const char *name,
                               const struct stat *now, bool force_share);

/* An error when the file is not what it was. *warning is set when it is, but
 * the user should know what happened. */
int change_watch_check(struct change_watch *w, const char **warning,
                       struct error *error);

/* An error when the file is shorter than it was. */
int change_watch_check_size(const struct change_watch *w, struct error *error);

void change_watch_end(struct change_watch *w);

#endif

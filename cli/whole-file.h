/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file that gets its name only when it is whole. Until then it is NAME.part,
 * in the same directory, where an interrupted run leaves it. Whatever is no
 * regular file (a FIFO, a descriptor by its name in /dev/fd) is written
 * directly.
 */
#ifndef CLI_WHOLE_FILE_H
#define CLI_WHOLE_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/error.h"

struct whole_file {
    const char *name;
    int fd;             /* for reading, too, if there is a part */
    char *part;         /* NAME.part; NULL: written directly */
    bool existed;       /* the part: it was there already */
    struct stat opened; /* the part */
    bool is_stdout;     /* written directly, to standard output */

    int directory;         /* of the part */
    const char *base;      /* the name in it, */
    const char *part_base; /* and that of the part */
    bool exists;           /* something has the name now: */
    struct stat replaced;
};

/* Open a file for writing; "-" is standard output. No symbolic link is followed
 * to a part. If the part exists, it is opened as it is. Of several processes
 * that write the same part, only one can open it. The name must stay valid.
 * Close with whole_file_close(), also after an error. */
int whole_file_open(struct whole_file *f, const char *name,
                    struct error *error);

/* Go to the beginning of the part. */
int whole_file_rewind(const struct whole_file *f, struct error *error);

/* Open the part once more, for reading. */
int whole_file_reopen(const struct whole_file *f, int *fd, struct error *error);

/* Forget what the part has. */
int whole_file_begin_anew(struct whole_file *f, struct error *error);

/* The name under which writing would change or replace this file; NULL: it
 * would not. */
const char *whole_file_destroys(const struct whole_file *f, dev_t device,
                                ino_t inode);

/* All is written: give the part its name. Its bytes were synced. It is an error
 * if it is not NAME.part any more, since another process may be writing that.
 */
int whole_file_commit(struct whole_file *f, struct error *error);

/* Nothing in the part is worth keeping: remove it, if it is still NAME.part. */
void whole_file_remove(struct whole_file *f);

void whole_file_close(struct whole_file *f);

#endif

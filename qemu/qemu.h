/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that QEMU reads, through a qemu-nbd that is started for each of them.
 */
#ifndef QEMU_QEMU_H
#define QEMU_QEMU_H

#include <stddef.h>
#include <sys/types.h>

#include "nbd/nbd.h"

/* What QEMU is asked to open. */
enum qemu_source {
    QEMU_FILE,    /* a file, by its path */
    QEMU_NAME,    /* a name with a protocol. What the qemu-nbd exports can be
                   * the source of another one: */
    QEMU_EXPORT,  /* the export of another qemu-nbd */
    QEMU_JSON,    /* a name that begins with json: */
    QEMU_OPTIONS, /* an option string */
};

struct qemu_options {
    const char *name; /* for messages */

    enum qemu_source source;
    const char *text; /* the path, name or option string; QEMU_EXPORT: that of
                       * the other qemu-nbd, for messages */
    const struct reader *export; /* QEMU_EXPORT: which one */
    bool knows_backing;          /* QEMU_FILE, QEMU_EXPORT: which backing file
                                  * it has is said here, whatever the image
                                  * says: */
    const char *backing;         /* its path; NULL: there is none */
    const char *backing_format;  /* NULL: QEMU probes */

    const char *format;   /* as in 'qemu-img -f'; NULL: QEMU probes */
    const char *snapshot; /* as in 'qemu-img convert -l'; or NULL */
    char *const *objects; /* --object, as the user gave it */
    size_t object_count;
    struct file_options files;
    bool network;   /* QEMU may make connections */
    bool anonymous; /* it must not make them in the user's name */
    const struct nbd_options *nbd;
};

/*
 * Open what a guest sees of an image. If QEMU cannot read it, the error has
 * QEMU's reason. qemu-nbd is stopped when the reader is closed, or when this
 * process is gone. Call this from the first thread, while there is no other.
 */
int qemu_open(const struct qemu_options *options, struct reader **reader,
              struct error *error);

/* The descriptor of this process that a path such as /dev/fd/N means, or -1.
 * QEMU inherits it under another number. */
int qemu_descriptor(const char *path);

/* The process that serves a reader of qemu_open(). */
pid_t qemu_pid(const struct reader *reader);

#endif

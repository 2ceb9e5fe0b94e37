/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything that QEMU reads, through a qemu-nbd that is started for it.
 */
#ifndef QEMU_QEMU_H
#define QEMU_QEMU_H

#include <stddef.h>
#include <sys/types.h>

#include "nbd/nbd.h"

struct qemu_options {
    const char *name; /* for messages */

    const char *path;  /* a file, */
    const char *other; /* or what QEMU takes in the place of one: a name with a
                        * protocol, json:, or */
    bool image_opts;   /* an option string */

    const struct reader *over; /* of QEMU's, opened with lends: what has the
                                * bytes of other; or NULL */
    bool lends;                /* the reader may be what another is over */

    const char *format;   /* a name of QEMU's; NULL: it probes */
    const char *snapshot; /* an internal one, as qemu-img has it; or NULL */
    char *const *objects; /* --object as the user gave them */
    size_t object_count;
    struct file_options files;
    bool network; /* it may make connections */
    const struct nbd_options *nbd;
};

/*
 * Open what a guest sees of an image. QEMU's reason is the error when it cannot
 * read it. qemu-nbd ends when the reader is closed, or this process is
 * gone. Only from the first thread of the process, while it is alone.
 */
int qemu_open(const struct qemu_options *options, struct reader **reader,
              struct error *error);

/* The descriptor of ours that is meant by a path such as /dev/fd/N, under which
 * QEMU gets it by another; -1: none. */
int qemu_descriptor(const char *path);

/* The qemu-nbd behind it. */
pid_t qemu_pid(const struct reader *reader);

#endif

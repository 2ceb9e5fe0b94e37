/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FORMAT_QCOW2_NAMES_H
#define FORMAT_QCOW2_NAMES_H

#include "common/error.h"
#include "reader/reader.h"

/* QEMU takes no longer name of a backing file; one of a data file ends where
 * the extension does, but a path is not longer than this. */
#define QCOW2_MAX_NAME 4096

/* Longer names of formats QEMU refuses. */
#define QCOW2_MAX_FORMAT 15

struct qcow2_names {
    char backing[QCOW2_MAX_NAME + 1];          /* empty: there is none */
    char backing_format[QCOW2_MAX_FORMAT + 1]; /* empty: QEMU probes */
    char data_file[QCOW2_MAX_NAME + 1];
};

/* The names of other files that QEMU would find in a qcow2 image, also in one
 * that is encrypted or that qcow2_open() refuses for another reason. */
int qcow2_find_names(struct reader *reader, struct qcow2_names *names,
                     struct error *error);

#endif

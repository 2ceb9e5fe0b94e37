/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text that describes a VMDK image, in a file of its own or embedded:
 * VMware's "Virtual Disk Format 5.0", as QEMU reads it.
 */
#ifndef FORMAT_VMDK_DESCRIPTOR_H
#define FORMAT_VMDK_DESCRIPTOR_H

#include "common/error.h"
#include "reader/reader.h"

/* What is told of a descriptor; a function that returns an error ends it. */
struct vmdk_names {
    int (*extent)(void *arg, const char *type, const char *name,
                  struct error *error);
    int (*parent)(void *arg, const char *name, struct error *error);
    void *arg;
};

/*
 * Find the names of files in the descriptor of an image, if there is one where
 * QEMU looks for it. An error for a descriptor that QEMU reads and takes for a
 * shorter disk than it describes: with an extent that QEMU leaves out, or none.
 */
int vmdk_descriptor_names(struct reader *reader, const struct vmdk_names *names,
                          struct error *error);

#endif

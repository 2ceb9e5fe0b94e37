/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What has changed on a disk, as JSON: what these programs print.
 *
 *     nbdinfo --map=qemu:dirty-bitmap:NAME --json
 *     rbd diff --from-snap NAME --format json
 *     qemu-img map --output=json    (of an overlay: what it has has changed)
 *     disksum --diff --json
 */
#ifndef CLI_CHANGES_H
#define CLI_CHANGES_H

#include "common/changes.h"

/* Read a file; "-" is standard input, and it may be a pipe. size is that of the
 * disk. Free the changes with changes_free(). */
int changes_open(const char *path, uint64_t size, struct changes **changes,
                 struct error *error);

#endif

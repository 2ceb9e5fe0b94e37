/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/member.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/tar.h"
#include "reader/slice.h"

int member_open(struct reader **reader, const char *member, char **name,
                struct error *error)
{
    struct tar_member found;
    struct reader *slice = NULL;
    char *both;
    int err = tar_find(*reader, member, &found, error);

    if (err)
        return err;
    if (asprintf(&both, "%s: %s", (*reader)->name, found.name) < 0) {
        err = error_no_memory(error, (*reader)->name);
    } else {
        err =
            slice_open(*reader, found.offset, found.size, both, &slice, error);
        free(both);
    }
    if (err) {
        free(found.name);
        return err;
    }
    *reader = slice;
    *name = found.name;
    return 0;
}

int member_refuse_ova(struct reader *reader, const char *name, bool is_member,
                      struct error *error)
{
    struct error ignored = ERROR_INIT;
    char *disks = NULL;
    int err;

    /* If it is broken, --member says how. */
    (void)tar_list_disks(reader, &disks, &ignored);
    error_clear(&ignored);
    err =
        error_set(error, ENOTSUP,
                  "%s: is an OVA archive, not an image; %s--member=NAME hashes "
                  "a disk in it%s%s ('-f raw' hashes the bytes as they are)",
                  name, is_member ? "extract it first, then " : "",
                  disks ? ": " : "", disks ? disks : "");
    free(disks);
    return err;
}

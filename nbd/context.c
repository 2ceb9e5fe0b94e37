/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/context.h"

#include <stdio.h>

/* Of base:allocation; the other flag, 1, says that a range is not allocated,
 * which need not read as zeros. */
#define STATE_ZERO 2

/* QEMU's docs/interop/nbd.txt. It defines only one flag. */
#define BITMAP_CONTEXT "qemu:dirty-bitmap:"

char *nbd_bitmap_context(const char *bitmap)
{
    char *name;

    return asprintf(&name, BITMAP_CONTEXT "%s", bitmap) < 0 ? NULL : name;
}

bool nbd_state_of(enum nbd_context context, uint32_t flags)
{
    /* In doubt, it has changed. */
    return context == NBD_BITMAP ? flags != 0 : flags & STATE_ZERO;
}

const char *nbd_state_name(enum nbd_context context, bool state)
{
    if (context == NBD_BITMAP)
        return state ? "changed" : "unchanged";
    return state ? "zeros" : "data";
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/difference.h"

#include <errno.h>

/* Hand over the last range, if there is one. */
static int flush(struct differences *d, struct error *error)
{
    struct difference last = d->last;

    d->last.length = 0;
    return last.length ? d->take(d->arg, &last, error) : 0;
}

int differences_add(struct differences *d, uint64_t length,
                    enum difference_kind kind, struct error *error)
{
    uint64_t offset = d->offset;
    int err = 0;

    d->offset += length;
    if (length == 0 || kind == DIFFERENCE_NONE)
        return 0;
    d->bytes += length;
    if (d->stop)
        return error_set(error, ECANCELED, "stopped at the first difference");
    if (d->last.length && d->last.kind == kind &&
        d->last.offset + d->last.length == offset) {
        d->last.length += length;
        return 0;
    }
    err = flush(d, error);
    d->last = (struct difference){
        .offset = offset,
        .length = length,
        .kind = kind,
    };
    return err;
}

int differences_end(struct differences *d, struct error *error)
{
    return flush(d, error);
}

const char *difference_name(enum difference_kind kind)
{
    static const char *const names[DIFFERENCE_KINDS] = {
        [DIFFERENCE_NONE] = "equal",
        [DIFFERENCE_BYTES] = "differs",
        [DIFFERENCE_ZERO_IN_A] = "zero in A",
        [DIFFERENCE_ZERO_IN_B] = "zero in B",
        [DIFFERENCE_ONLY_IN_A] = "only in A",
        [DIFFERENCE_ONLY_IN_B] = "only in B",
    };

    return names[kind];
}

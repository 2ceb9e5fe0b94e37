/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/result.h"

#include <stdlib.h>

#include "cli/json-sum.h"

char *result_text(const struct options *o, const struct checksum *c)
{
    const struct sums_line line = checksum_line(c, o, 0);
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    bool ok = f;

    if (ok && o->list.json)
        ok = json_write_sum(f, o, c, &line);
    else if (ok && !c->error.code)
        sums_write(f, &o->list, &line);
    if (f && fclose(f) != 0)
        ok = false;
    if (!ok) {
        free(text);
        text = NULL;
    }
    return text;
}

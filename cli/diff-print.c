/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/diff-print.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/output.h"

static void print(const struct diff_printer *printer,
                  const struct difference *d)
{
    const char *format = printer->json ? "{\"start\":%" PRIu64
                                         ",\"length\":%" PRIu64
                                         ",\"what\":\"%s\"}\n"
                                       : "%" PRIu64 " %" PRIu64 " %s\n";

    fprintf(output(), format, d->offset, d->length, difference_name(d->kind));
}

static int take(void *arg, const struct difference *d, struct error *error)
{
    const struct diff_printer *printer = arg;

    print(printer, d);
    return output_check(error);
}

void diff_printer_init(struct diff_printer *printer, const struct options *o,
                       struct differences *differences)
{
    *printer = (struct diff_printer){
        .json = o->list.json,
        .quiet = o->list.verbosity == VERBOSITY_QUIET,
    };
    *differences = (struct differences){
        .take = take,
        .arg = printer,
        .stop = printer->quiet,
    };
}

void diff_printer_end(const struct diff_printer *printer,
                      const struct differences *differences)
{
    if (printer->json && !printer->quiet)
        fprintf(output(),
                "{\"compared\":%" PRIu64 ",\"different\":%" PRIu64 "}\n",
                differences->offset, differences->bytes);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ranges that differ, as lines on standard output.
 */
#ifndef CLI_DIFF_PRINT_H
#define CLI_DIFF_PRINT_H

#include "cli/options.h"
#include "list/difference.h"

struct diff_printer {
    bool json;
    bool quiet; /* print nothing, and stop at the first difference */
};

/* Set up both: the differences are given to the printer. */
void diff_printer_init(struct diff_printer *printer, const struct options *o,
                       struct differences *differences);

/* All was compared. The last line of JSON says so: without it, ranges may be
 * missing. */
void diff_printer_end(const struct diff_printer *printer,
                      const struct differences *differences);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sums.h"

#include <string.h>

void sums_write(FILE *f, const unsigned char *md, unsigned md_len,
                const char *name)
{
    if (strpbrk(name, "\\\n\r"))
        putc('\\', f);
    for (unsigned i = 0; i < md_len; i++)
        fprintf(f, "%02x", md[i]);
    fputs("  ", f);
    for (const char *p = name; *p; p++) {
        switch (*p) {
        case '\\':
            fputs("\\\\", f);
            break;
        case '\n':
            fputs("\\n", f);
            break;
        case '\r':
            fputs("\\r", f);
            break;
        default:
            putc(*p, f);
        }
    }
    putc('\n', f);
}

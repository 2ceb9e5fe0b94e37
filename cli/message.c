/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/message.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"

static bool is_c1(unsigned char c)
{
    return c >= 0x80 && c <= 0x9f;
}

/* C0 controls and DEL; and C1 controls, as UTF-8 or as single bytes. The latter
 * also are parts of longer characters, where they are fine. */
static bool is_control(const unsigned char *text, size_t i)
{
    unsigned char c = text[i];

    if (c < 0x20 || c == 0x7f)
        return true;
    if (c == 0xc2)
        return is_c1(text[i + 1]);
    return is_c1(c) && (i == 0 || text[i - 1] < 0x80 || text[i - 1] == 0xc2);
}

static void print_safe(const char *line)
{
    const unsigned char *text = (const unsigned char *)line;

    for (size_t i = 0; text[i]; i++) {
        if (is_control(text, i))
            fprintf(stderr, "\\%03o", text[i]);
        else
            putc(text[i], stderr);
    }
}

static void print_line(const char *format, va_list args)
{
    char *line;

    progress_clear();
    if (vasprintf(&line, format, args) < 0)
        line = NULL;
    flockfile(stderr);
    fputs(PROGRAM ": ", stderr);
    print_safe(line ? line : "out of memory");
    putc('\n', stderr);
    funlockfile(stderr);
    free(line);
}

void message(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

void usage_message(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_line(format, args);
    va_end(args);
    fputs("Try '" PROGRAM " --help' for more information.\n", stderr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/message.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/utf8.h"
#include "common/mask.h"

/* Characters that are not printed as they are: controls, and those that change
 * the order or the place of what follows. */
static bool is_harmless(uint32_t c)
{
    return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
             (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
             (c >= 0x2060 && c <= 0x206f) || (c >= 0xd800 && c < 0xf900) ||
             c == 0xfeff || (c >= 0xfff0 && c <= 0xffff) || c > 0xe0000);
}

static void print_safe(const char *line)
{
    const unsigned char *p = (const unsigned char *)line;

    while (*p) {
        uint32_t c;
        unsigned length = utf8_read(p, &c);

        if (length && is_harmless(c)) {
            fwrite(p, 1, length, stderr);
        } else {
            if (!length)
                length = 1;
            for (unsigned i = 0; i < length; i++)
                fprintf(stderr, "\\%03o", p[i]);
        }
        p += length;
    }
}

static void (*clear_line)(void);

void message_clear_with(void (*clear)(void))
{
    clear_line = clear;
}

static const char *known_name;

void message_know_name(const char *name)
{
    known_name = name;
}

void message_line(const char *line)
{
    char *masked = line ? mask_text(line, known_name) : NULL;

    flockfile(stderr);
    fputs(PROGRAM ": ", stderr);
    print_safe(masked ? masked : "out of memory");
    putc('\n', stderr);
    funlockfile(stderr);
    free(masked);
}

static void print_line(const char *format, va_list args)
{
    char *line;

    if (vasprintf(&line, format, args) < 0)
        line = NULL;
    if (clear_line)
        clear_line();
    message_line(line);
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

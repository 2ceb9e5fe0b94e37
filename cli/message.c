/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/safe-text.h"
#include "common/mask.h"
#include "common/write.h"

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

static void write_text(const char *text)
{
    write_all(STDERR_FILENO, text, strlen(text));
}

void message_line(const char *line)
{
    char *masked = line ? mask_text(line, known_name) : NULL;

    char *safe = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&safe, &size);

    if (f) {
        fputs(PROGRAM ": ", f);
        safe_write(f, masked ? masked : "out of memory");
        putc('\n', f);
    }
    /* In one piece: others may write to the same file. Without memory there may
     * be no text though fclose() is content. */
    if (f && fclose(f) == 0 && safe)
        write_all(STDERR_FILENO, safe, size);
    else
        write_text(PROGRAM ": out of memory\n");
    free(safe);
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
    write_text("Try '" PROGRAM " --help' for more information.\n");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The error message of qemu-nbd is a line such as
 *
 *   qemu-nbd: Failed to blk_new_open 'FILE': Could not open 'NAME': REASON
 *
 * A line with a hint may follow. Warnings may come before, and so may the name
 * of a missing package for a protocol.
 */
#include "qemu/message.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Repeated for each file of a chain. */
#define BACKING "Could not open backing file: "

static bool skip(const char **text, const char *start)
{
    size_t n = strlen(start);

    if (strncmp(*text, start, n) != 0)
        return false;
    *text += n;
    return true;
}

/* Skip "START'NAME': ". */
static void skip_name(const char **text, const char *start, const char *name)
{
    const char *p = *text;

    if (skip(&p, start) && skip(&p, "'") && skip(&p, name) && skip(&p, "': "))
        *text = p;
}

/* The next line that is not empty, without its newline. NULL at the end. */
static char *next_line(char **rest)
{
    char *line;

    do
        line = strsep(rest, "\n");
    while (line && !*line);
    return line;
}

/* The image is in use, but the user can insist. */
static const char *force_hint(const char *reason)
{
    return strstr(reason, "Failed to get shared")
               ? " Use -U (--force-share) to read it anyway"
               : "";
}

static char *compose(const char *reason, const char *hint, const char *module)
{
    const char *more = hint ? hint : module;
    char *text;

    if (asprintf(&text, "%s%s%s%s", reason, more ? ". " : "", more ? more : "",
                 force_hint(reason)) < 0)
        return NULL;
    return text;
}

/* If QEMU's curl driver refuses an option, GLib reports a failed assertion,
 * too. */
static bool is_reason(const char *line)
{
    return strncmp(line, "warning: ", 9) != 0 &&
           (strncmp(line, "GLib: ", 6) != 0 || !strstr(line, "assertion"));
}

char *qemu_message(char *messages, const char *file, const char *name)
{
    const char *reason = NULL, *module = NULL, *hint = NULL;
    const char *line;

    while ((line = next_line(&messages))) {
        bool is_message = skip(&line, "qemu-nbd: ");

        if (reason) {
            if (!is_message)
                hint = line;
            break;
        }
        if (skip(&line, "qemu: "))
            module = line;
        else if (is_message && is_reason(line))
            reason = line;
    }
    if (!reason)
        return NULL;
    skip_name(&reason, "Failed to blk_new_open ", file);
    skip_name(&reason, "Could not open ", name);
    while (strncmp(reason, BACKING BACKING, strlen(BACKING BACKING)) == 0)
        skip(&reason, BACKING);
    return compose(reason, hint, module);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The error message of qemu-nbd is a line such as
 *
 *   qemu-nbd: Failed to blk_new_open 'FILE': Could not open 'NAME': REASON
 *
 * Lines with a hint may follow. Warnings may come before, and so may the name
 * of a missing package for a protocol.
 */
#include "qemu/message.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE "qemu-nbd: "
#define WARNING "warning: "
#define MODULE "qemu: "

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

/* The image is in use, but the user can insist. */
static const char *force_hint(const char *reason)
{
    return strstr(reason, "Failed to get shared")
               ? " Use -U (--force-share) to read it anyway"
               : "";
}

/* If QEMU's curl driver refuses an option, GLib reports a failed assertion,
 * too. */
static bool is_noise(const char *line)
{
    return strncmp(line, "GLib: ", 6) == 0 && strstr(line, "assertion");
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

/* Make a text one line, without empty ones. */
static void join_lines(char *text)
{
    char *rest = text, *end = text;
    const char *line;

    while ((line = next_line(&rest))) {
        size_t n = strlen(line);

        if (end > text)
            *end++ = ' ';
        memmove(end, line, n);
        end += n;
    }
    *end = '\0';
}

/* Find the first message that is neither a warning nor noise. It ends where the
 * next one begins. *module: of a module that was missed before it. */
static char *find_reason(char *messages, const char **module)
{
    char *line;

    while ((line = next_line(&messages))) {
        const char *text = line;
        char *end;

        if (skip(&text, MODULE))
            *module = text;
        if (!skip(&text, MESSAGE) || is_noise(text) || skip(&text, WARNING))
            continue;
        if (messages)
            messages[-1] = '\n'; /* a name may have one, too */
        end = strstr(line, "\n" MESSAGE);
        if (end)
            *end = '\0';
        return line + strlen(MESSAGE);
    }
    return NULL;
}

/* The key of an encrypted image is missing. Say how to give it; format is that
 * of the image, or NULL if the user has described it. */
static char *compose_key(const char *reason, const char *format)
{
    static const char start[] = "Parameter '",
                      end[] = "key-secret' is required";
    const char *key = strstr(reason, start), *key_end = strstr(reason, end);
    char *text;
    int n;

    if (!key || !key_end || key_end < key)
        return NULL;
    key += strlen(start);
    key_end += strlen("key-secret");
    if (format)
        n = asprintf(&text,
                     "%s. The image is encrypted; give its key with --object "
                     "secret,id=ID,file=PATH --image-opts driver=%s,%.*s=ID,"
                     "file.filename=...",
                     reason, format, (int)(key_end - key), key);
    else
        n = asprintf(&text,
                     "%s. The image is encrypted; give its key with --object "
                     "secret,id=ID,file=PATH, and its ID as %.*s=ID",
                     reason, (int)(key_end - key), key);
    return n < 0 ? NULL : text;
}

static char *compose(const char *reason, const char *hint)
{
    char *text;

    if (asprintf(&text, "%s%s%s%s", reason, hint ? ". " : "", hint ? hint : "",
                 force_hint(reason)) < 0)
        return NULL;
    return text;
}

char *qemu_message(char *messages, const char *file, const char *name,
                   const char *format)
{
    const char *module = NULL;
    char *rest = find_reason(messages, &module), *text;
    const char *reason = rest;

    if (!rest)
        return NULL;
    skip_name(&reason, "Failed to blk_new_open ", file);
    skip_name(&reason, "Could not open ", name);
    while (strncmp(reason, BACKING BACKING, strlen(BACKING BACKING)) == 0)
        skip(&reason, BACKING);
    rest += reason - rest;
    (void)strsep(&rest, "\n");
    if (rest)
        join_lines(rest);
    text = compose_key(reason, format);
    return text ? text : compose(reason, rest && *rest ? rest : module);
}

char *qemu_complaint(char *messages)
{
    const char *found = NULL;
    const char *line;
    char *text;

    while ((line = next_line(&messages))) {
        if (!skip(&line, MESSAGE) || is_noise(line))
            continue;
        if (!skip(&line, WARNING) || strstr(line, "is missing"))
            found = line;
    }
    if (!found || asprintf(&text, "QEMU: %s", found) < 0)
        return NULL;
    return text;
}

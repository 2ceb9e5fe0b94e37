/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/debug.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

#define TOPICS "map, read, ring, method, nbd"

static const char *const names[] = {
    [DEBUG_MAP] = "map",       [DEBUG_READ] = "read", [DEBUG_RING] = "ring",
    [DEBUG_METHOD] = "method", [DEBUG_NBD] = "nbd",
};

unsigned debug_topics;

static void (*print_line)(const char *line);

static void write_line(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static void write_line(const char *format, ...)
{
    va_list args;
    char *line;
    int len;

    va_start(args, format);
    len = vasprintf(&line, format, args);
    va_end(args);
    print_line(len < 0 ? "out of memory" : line);
    if (len >= 0)
        free(line);
}

void debug_event(enum debug_topic topic, const char *format, ...)
{
    int saved_errno = errno;
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    write_line("%s: %s", names[topic], len < 0 ? "out of memory" : text);
    if (len >= 0)
        free(text);
    errno = saved_errno;
}

static void turn_on(const char *word, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0) {
            debug_topics |= 1U << i;
            return;
        }
    }
    write_line(
        "warning: DISKSUM_DEBUG: '%.*s' is not a topic; the topics are " TOPICS,
        (int)len, word);
}

void debug_start(const char *topics, void (*print)(const char *line))
{
    print_line = print;
    while (topics && *topics) {
        size_t len = strcspn(topics, ",");

        if (len)
            turn_on(topics, len);
        topics += len;
        topics += *topics == ',';
    }
}

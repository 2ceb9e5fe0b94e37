/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *error, int code, const char *format, ...)
{
    va_list args;

    assert(code);
    if (error->code)
        return error->code;
    error->code = code;
    va_start(args, format);
    if (vasprintf(&error->message, format, args) < 0)
        error->message = NULL;
    va_end(args);
    return code;
}

int error_no_memory(struct error *error, const char *name)
{
    return error_set(error, ENOMEM, "%s: out of memory", name);
}

/* Whether a name describes a file: "driver=vmdk,file.filename=FILE", or
 * "json:{...: "FILE"}". */
static bool describes(const char *name, const char *file, size_t len)
{
    for (const char *p = name; *p; p++) {
        if ((*p == '=' || *p == '"') && strncmp(p + 1, file, len) == 0 &&
            strchr(",\"", p[1 + len]))
            return true;
    }
    return false;
}

void error_name_image(struct error *error, const char *name)
{
    const char *message = error_message(error);
    const char *end = strstr(message, ": ");
    size_t n = strlen(name);
    char *text;

    if (strncmp(message, name, n) == 0 && message[n] == ':')
        return;
    if (end && describes(name, message, end - message))
        return;
    /* Without memory, the message is still right. */
    if (asprintf(&text, "%s: %s", name, message) < 0)
        return;
    free(error->message);
    error->message = text;
}

const char *error_message(const struct error *error)
{
    return error->message ? error->message : strerror(error->code);
}

const char *error_message_without(const struct error *error, const char *name)
{
    const char *message = error_message(error);
    size_t n = strlen(name);
    bool begins = strncmp(message, name, n) == 0 &&
                  strncmp(message + n, ": ", strlen(": ")) == 0;

    return begins ? message + n + strlen(": ") : message;
}

void error_move(struct error *to, struct error *from)
{
    if (!to->code) {
        *to = *from;
        *from = ERROR_INIT;
    }
    error_clear(from);
}

void error_clear(struct error *error)
{
    free(error->message);
    *error = ERROR_INIT;
}

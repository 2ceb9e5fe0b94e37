/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json-items.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"

#define BUFFER_SIZE 65536

/* More than any object of a known program has. */
#define MAX_OBJECT 65536

#define END (-1)
#define FAILED (-2)

struct json_items {
    int fd;
    const char *name;
    size_t count;
    bool started;
    bool in_array; /* objects are separated by commas, and end with a bracket */
    size_t pos;    /* in the buffer */
    size_t end;
    size_t len; /* of the object */
    char buffer[BUFFER_SIZE];
    char object[MAX_OBJECT];
};

struct json_items *json_items_new(int fd, const char *name)
{
    struct json_items *items = malloc(sizeof(*items));

    if (items) {
        memset(items, 0, offsetof(struct json_items, buffer));
        items->fd = fd;
        items->name = name;
    }
    return items;
}

size_t json_items_count(const struct json_items *items)
{
    return items->count;
}

void json_items_free(struct json_items *items)
{
    free(items);
}

/* --- characters --------------------------------------------------------- */

static int fill(struct json_items *items, struct error *error)
{
    ssize_t n;

    do
        n = read(items->fd, items->buffer, BUFFER_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        error_set(error, errno, "%s: %s", items->name, strerror(errno));
        return FAILED;
    }
    items->pos = 0;
    items->end = n;
    return n ? 0 : END;
}

/* The next character, END or FAILED. It is not taken. */
static int peek(struct json_items *items, struct error *error)
{
    int result = items->pos < items->end ? 0 : fill(items, error);

    return result ? result : (unsigned char)items->buffer[items->pos];
}

/* The next character that is not white space, likewise. */
static int peek_token(struct json_items *items, struct error *error)
{
    int c;

    while ((c = peek(items, error)) == ' ' || c == '\t' || c == '\n' ||
           c == '\r')
        items->pos++;
    return c;
}

/* --- objects ------------------------------------------------------------ */

static int set_early_end(const struct json_items *items, struct error *error)
{
    return error_set(error, EINVAL,
                     items->started
                         ? "%s: the JSON ends too early; did the program that "
                           "wrote it fail?"
                         : "%s: is empty; did the program that wrote it fail?",
                     items->name);
}

static int set_broken(const struct json_items *items, struct error *error)
{
    return error_set(error, EINVAL, "%s: range %zu: invalid JSON", items->name,
                     items->count + 1);
}

static int set_unexpected(const struct json_items *items, int c,
                          struct error *error)
{
    if (c == FAILED)
        return error->code;
    return c == END ? set_early_end(items, error) : set_broken(items, error);
}

/* Go to the start of the next object. *more: there is one. */
static int find_object(struct json_items *items, bool *more,
                       struct error *error)
{
    bool first = !items->started;
    int c = peek_token(items, error);

    *more = true;
    if (first && c == '[') {
        items->started = items->in_array = true;
        items->pos++;
        c = peek_token(items, error);
    } else if (!first && items->in_array && c == ',') {
        items->pos++;
        c = peek_token(items, error);
        return c == '{' ? 0 : set_unexpected(items, c, error);
    } else if (!first && items->in_array && c != ']') {
        return set_unexpected(items, c, error);
    }
    if (c == '{') {
        items->started = true;
        return 0;
    }
    *more = false;
    if (items->in_array && c == ']') {
        items->pos++;
        c = peek_token(items, error);
        return c == END ? 0 : set_unexpected(items, c, error);
    }
    return c == END && items->started && !items->in_array
               ? 0
               : set_unexpected(items, c, error);
}

/* Copy the object. Whether it is JSON is not looked at yet. */
static int copy_object(struct json_items *items, struct error *error)
{
    bool in_string = false, escaped = false;
    size_t depth = 0;

    items->len = 0;
    do {
        int c = peek(items, error);

        if (c < 0)
            return set_unexpected(items, c, error);
        if (items->len == MAX_OBJECT)
            return set_broken(items, error);
        items->object[items->len++] = c;
        items->pos++;
        if (escaped)
            escaped = false;
        else if (in_string && c == '\\')
            escaped = true;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']'))
            depth--;
    } while (depth);
    return 0;
}

int json_items_next(struct json_items *items, struct json_object **object,
                    struct error *error)
{
    bool more;
    int err = find_object(items, &more, error);

    *object = NULL;
    if (err || !more)
        return err;
    err = copy_object(items, error);
    if (err)
        return err;
    err = json_parse(items->object, items->len, object);
    if (err == ENOMEM)
        return error_no_memory(error, items->name);
    if (err)
        return set_broken(items, error);
    items->count++;
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json-items.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/json.h"
#include "cli/text-window.h"

/* More than any object of a known program has. */
#define MAX_OBJECT 65536

/* What comes next is not a character. */
#define END (-1)
#define FAILED (-2)

struct json_items {
    struct text_window text;
    size_t count;
    bool started;
    bool in_array; /* objects are separated by commas, and end with a bracket */
};

struct json_items *json_items_new(int fd, const char *name)
{
    struct json_items *items = calloc(1, sizeof(*items));

    if (items) {
        items->text.fd = fd;
        items->text.name = name;
    }
    return items;
}

size_t json_items_count(const struct json_items *items)
{
    return items->count;
}

void json_items_free(struct json_items *items)
{
    if (items)
        text_window_free(&items->text);
    free(items);
}

/* --- characters --------------------------------------------------------- */

/* The next character that is not white space, END or FAILED. It is not taken.
 */
static int peek_token(struct json_items *items, struct error *error)
{
    struct text_window *text = &items->text;
    bool found;

    if (text_window_skip(text, " \t\n\r", &found, error))
        return FAILED;
    return found ? (unsigned char)text->buffer[text->pos] : END;
}

/* --- objects ------------------------------------------------------------ */

static int set_early_end(const struct json_items *items, struct error *error)
{
    return error_set(error, EINVAL,
                     items->started
                         ? "%s: the JSON ends too early; did the program that "
                           "wrote it fail?"
                         : "%s: is empty; did the program that wrote it fail?",
                     items->text.name);
}

static int set_broken(const struct json_items *items, struct error *error)
{
    return error_set(error, EINVAL, "%s: range %zu: invalid JSON",
                     items->text.name, items->count + 1);
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
        items->text.pos++;
        c = peek_token(items, error);
    } else if (!first && items->in_array && c == ',') {
        items->text.pos++;
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
        items->text.pos++;
        c = peek_token(items, error);
        return c == END ? 0 : set_unexpected(items, c, error);
    }
    return c == END && items->started && !items->in_array
               ? 0
               : set_unexpected(items, c, error);
}

/* Take the object that begins here. */
static int take_object(struct json_items *items, struct json_object **object,
                       struct error *error)
{
    struct text_window *text = &items->text;
    enum json_found found;
    size_t n;
    int err = text_window_find_json(text, MAX_OBJECT, &n, &found, error);

    if (err)
        return err;
    if (found == JSON_CUT)
        return set_early_end(items, error);
    if (found == JSON_BAD)
        return set_broken(items, error);
    err = json_parse(text->buffer + text->pos, n, object);
    text->pos += n;
    if (err == ENOMEM)
        return error_no_memory(error, text->name);
    return err ? set_broken(items, error) : 0;
}

int json_items_next(struct json_items *items, struct json_object **object,
                    struct error *error)
{
    bool more;
    int err = find_object(items, &more, error);

    *object = NULL;
    if (err || !more)
        return err;
    err = take_object(items, object, error);
    if (!err)
        items->count++;
    return err;
}

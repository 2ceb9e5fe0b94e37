/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sum-part.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "common/array.h"
#include "common/hex.h"
#include "common/units.h"
#include "common/url.h"

/* No part of a disk begins behind it, or is longer. */
#define MAX_OFFSET INT64_MAX

void sum_part_clear(struct sum_part *part)
{
    free((char *)part->snapshot);
    free((char *)part->member);
    *part = (struct sum_part){ .snapshot = NULL };
}

/* --- in tags ------------------------------------------------------------ */

static bool is_bare(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || (c && strchr("._/:@+-", c));
}

static void write_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (is_bare(*text))
            putc(*text, f);
        else
            fprintf(f, "%%%02X", (unsigned char)*text);
    }
}

/* Write "KEY=", and before that what separates it. */
static void write_key(FILE *f, const char *key, const char **before)
{
    fprintf(f, "%s%s=", *before, key);
    *before = " ";
}

bool sum_part_write(FILE *f, const struct sum_part *part, const char *before)
{
    const char *separator = before;

    if (part->snapshot) {
        write_key(f, "snapshot", &separator);
        write_text(f, part->snapshot);
    }
    if (part->member) {
        write_key(f, "member", &separator);
        write_text(f, part->member);
    }
    if (part->has_offset) {
        write_key(f, "offset", &separator);
        fprintf(f, "%" PRIu64, part->offset);
    }
    if (part->has_length) {
        write_key(f, "length", &separator);
        fprintf(f, "%" PRIu64, part->length);
    }
    return separator != before;
}

/* The rest of a text after "KEY=". NULL: it is something else. */
static const char *value_of(const char *text, const char *key)
{
    size_t len = strlen(key);

    return strncmp(text, key, len) == 0 && text[len] == '=' ? text + len + 1
                                                            : NULL;
}

static bool is_encoded(const char *text)
{
    for (; *text; text++) {
        if (*text == '%' && hex_value(text[1]) >= 0 && hex_value(text[2]) >= 0)
            text += 2;
        else if (!is_bare(*text))
            return false;
    }
    return true;
}

static int parse_text(const char *value, const char **text)
{
    const struct span span = { .start = value, .len = strlen(value) };

    if (!span.len || !is_encoded(value))
        return EINVAL;
    *text = url_decode(span);
    return *text ? 0 : errno;
}

/* Digits alone: a unit would be another text for the same part. */
static int parse_number(const char *value, bool *has, uint64_t *n)
{
    if (!*value || value[strspn(value, "0123456789")])
        return EINVAL;
    *has = true;
    return parse_size(value, n) || *n > MAX_OFFSET ? EINVAL : 0;
}

int sum_part_parse(const char *text, unsigned *stage, struct sum_part *part)
{
    static const char *const keys[] = { "snapshot", "member", "offset",
                                        "length" };
    const char *value = NULL;
    unsigned i;

    for (i = *stage; i < ARRAY_SIZE(keys); i++) {
        value = value_of(text, keys[i]);
        if (value)
            break;
    }
    *stage = i + 1;
    if (!value)
        return EINVAL;
    if (i == 0)
        return parse_text(value, &part->snapshot);
    if (i == 1)
        return parse_text(value, &part->member);
    return i == 2 ? parse_number(value, &part->has_offset, &part->offset)
                  : parse_number(value, &part->has_length, &part->length);
}

/* --- in JSON ------------------------------------------------------------ */

bool sum_part_add(struct json_object *object, const struct sum_part *part)
{
    return (!part->snapshot ||
            json_add_bytes(object, "snapshot", part->snapshot)) &&
           (!part->member || json_add_bytes(object, "member", part->member)) &&
           (!part->has_offset ||
            json_add_number(object, "offset", part->offset)) &&
           (!part->has_length ||
            json_add_number(object, "length", part->length));
}

/* A text of a part is not empty. */
static int get_part_text(const struct json_object *object, const char *key,
                         const char **text)
{
    char *bytes;
    int err = json_get_bytes(object, key, &bytes);

    *text = bytes;
    return err || !bytes || *bytes ? err : EINVAL;
}

static bool get_part_number(const struct json_object *object, const char *key,
                            bool *has, uint64_t *n)
{
    *has = json_has(object, key);
    return !*has || (json_get_number(object, key, n) && *n <= MAX_OFFSET);
}

int sum_part_get(const struct json_object *object, struct sum_part *part)
{
    int err;

    *part = (struct sum_part){ .snapshot = NULL };
    err = get_part_text(object, "snapshot", &part->snapshot);
    if (!err)
        err = get_part_text(object, "member", &part->member);
    if (!err &&
        !(get_part_number(object, "offset", &part->has_offset, &part->offset) &&
          get_part_number(object, "length", &part->has_length, &part->length)))
        err = EINVAL;
    return err;
}

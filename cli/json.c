/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/safe-text.h"
#include "cli/utf8.h"
#include "common/hex.h"
#include "common/mask.h"
#include "common/units.h"

/* Deeper than the objects that disksum writes, but not so deep that a hostile
 * file exhausts the stack. */
#define MAX_DEPTH 16

/* What json-c takes at most for a text from anybody, by about as much as it
 * takes for each value. */
#define MAX_MEMORY (64 * MiB)
#define OBJECT_MEMORY 800
#define ARRAY_MEMORY 400
#define VALUE_MEMORY 200

/* --- make --------------------------------------------------------------- */

struct json_object *json_new(void)
{
    return json_object_new_object();
}

void json_free(struct json_object *value)
{
    json_object_put(value);
}

/* Add a value. The object owns it afterwards. */
static struct json_object *add(struct json_object *object, const char *key,
                               struct json_object *value)
{
    if (value && json_object_object_add(object, key, value) == 0)
        return value;
    json_object_put(value);
    return NULL;
}

bool json_add_value(struct json_object *object, const char *key,
                    struct json_object *value)
{
    return json_object_object_add(object, key, value) == 0;
}

struct json_object *json_add_object(struct json_object *object, const char *key)
{
    return add(object, key, json_object_new_object());
}

struct json_object *json_add_array(struct json_object *object, const char *key)
{
    return add(object, key, json_object_new_array());
}

struct json_object *json_append_object(struct json_object *array)
{
    struct json_object *value = json_object_new_object();

    if (value && json_object_array_add(array, value) == 0)
        return value;
    json_object_put(value);
    return NULL;
}

bool json_append(struct json_object *array, struct json_object *value)
{
    return json_object_array_add(array, value) == 0;
}

bool json_add_text(struct json_object *object, const char *key,
                   const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const unsigned char *from = (const unsigned char *)text;
    char *clean = malloc(strlen(text) * strlen(replacement) + 1);
    char *to = clean;
    bool ok;

    if (!clean)
        return false;
    while (*from) {
        uint32_t c;
        unsigned length = utf8_read(from, &c);
        const void *bytes = length ? (const void *)from : replacement;
        size_t size = length ? length : strlen(replacement);

        memcpy(to, bytes, size);
        to += size;
        from += length ? length : 1;
    }
    ok = add(object, key, json_object_new_string_len(clean, to - clean));
    free(clean);
    return ok;
}

bool json_add_hex(struct json_object *object, const char *key,
                  const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    char *hex = malloc(2 * len + 1);
    bool ok;

    if (!hex)
        return false;
    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = digits[p[i] >> 4];
        hex[2 * i + 1] = digits[p[i] & 15];
    }
    hex[2 * len] = '\0';
    ok = add(object, key, json_object_new_string(hex));
    free(hex);
    return ok;
}

bool json_add_number(struct json_object *object, const char *key, uint64_t n)
{
    return add(object, key, json_object_new_uint64(n));
}

bool json_add_bool(struct json_object *object, const char *key, bool value)
{
    return add(object, key, json_object_new_boolean(value));
}

bool json_add_seconds(struct json_object *object, const char *key,
                      double seconds)
{
    char text[32];

    snprintf(text, sizeof(text), "%.6f", seconds);
    return add(object, key, json_object_new_double_s(seconds, text));
}

bool json_add_bytes(struct json_object *object, const char *key,
                    const char *text)
{
    char hex_key[32];

    if (!json_add_text(object, key, text))
        return false;
    if (utf8_valid(text))
        return true;
    snprintf(hex_key, sizeof(hex_key), "%s-hex", key);
    return json_add_hex(object, hex_key, text, strlen(text));
}

bool json_add_name(struct json_object *object, const char *key,
                   const char *name)
{
    char *masked = mask_name(name);
    bool ok = masked && json_add_bytes(object, key, masked);

    free(masked);
    return ok;
}

/* --- write -------------------------------------------------------------- */

/* Write a character as JSON escapes it, by its units in UTF-16 (RFC 8259). */
static void write_escaped(FILE *f, uint32_t c)
{
    if (c >= 0x10000) {
        fprintf(f, "\\u%04x", 0xd800 + ((c - 0x10000) >> 10));
        c = 0xdc00 + (c & 0x3ff);
    }
    fprintf(f, "\\u%04x", c);
}

static bool write_value(FILE *f, struct json_object *value)
{
    const char *text;

    /* Without memory, json-c leaves something out, and goes on. */
    errno = 0;
    text = json_object_to_json_string_ext(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (!text || errno == ENOMEM)
        return false;
    while (*text) {
        uint32_t c;
        unsigned length = utf8_read((const unsigned char *)text, &c);

        assert(length);
        if (is_safe_character(c))
            fwrite(text, 1, length, f);
        else
            write_escaped(f, c);
        text += length;
    }
    return true;
}

bool json_write(FILE *f, struct json_object *value)
{
    bool ok = write_value(f, value);

    if (ok)
        putc('\n', f);
    return ok;
}

char *json_to_text(struct json_object *value, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    bool ok = f && write_value(f, value);

    if (f && fclose(f) == 0 && ok)
        return text;
    free(text);
    return NULL;
}

/* --- parse -------------------------------------------------------------- */

/* Whether a number may begin here. Within a string, it does not matter. */
static bool may_be_number(const char *at)
{
    return (*at == '-' || (*at >= '0' && *at <= '9')) &&
           strchr(":[, \t\r\n", at[-1]);
}

/*
 * Without memory, json-c before 0.17 leaves out a member or an element, and
 * goes on. Only errno tells, until the next number is parsed. So each piece of
 * the text ends where a number begins.
 */
static size_t piece_of(const char *text, size_t len)
{
    size_t piece = 1;

    while (piece < len && !may_be_number(text + piece))
        piece++;
    return piece;
}

static bool is_blank(const char *text, size_t len)
{
    while (len > 0 && *text && strchr(" \t\r\n", *text))
        text++, len--;
    return len == 0;
}

/* Whether a text has so few values that the memory for them is bounded. What is
 * in strings counts, too. */
static bool is_small(const char *text, size_t len)
{
    size_t memory = 0;

    for (size_t i = 0; i < len && memory <= MAX_MEMORY; i++) {
        memory += text[i] == '{'   ? OBJECT_MEMORY
                  : text[i] == '[' ? ARRAY_MEMORY
                  : text[i] == ',' ? VALUE_MEMORY
                                   : 0;
    }
    return memory <= MAX_MEMORY;
}

int json_parse(const char *text, size_t len, struct json_object **value)
{
    enum json_tokener_error state = json_tokener_continue;
    struct json_object *parsed = NULL;
    struct json_tokener *tokener;
    size_t at = 0;
    int err = EINVAL;

    *value = NULL;
    if (!is_small(text, len))
        return EINVAL;
    tokener = json_tokener_new_ex(MAX_DEPTH);
    if (!tokener)
        return ENOMEM;
    json_tokener_set_flags(tokener,
                           JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    errno = 0;
    while (state == json_tokener_continue && at < len && errno != ENOMEM) {
        size_t piece = piece_of(text + at, len - at);

        parsed = json_tokener_parse_ex(tokener, text + at, (int)piece);
        state = json_tokener_get_error(tokener);
        at += state == json_tokener_success
                  ? json_tokener_get_parse_end(tokener)
                  : piece;
    }
    if (errno == ENOMEM)
        err = ENOMEM;
    else if (state == json_tokener_continue)
        err = ENODATA;
    else if (state == json_tokener_success && is_blank(text + at, len - at) &&
             (json_object_is_type(parsed, json_type_object) ||
              json_object_is_type(parsed, json_type_array)))
        err = 0;
    json_tokener_free(tokener);
    if (err)
        json_object_put(parsed);
    else
        *value = parsed;
    return err;
}

/* --- read --------------------------------------------------------------- */

bool json_is_object(const struct json_object *value)
{
    return json_object_is_type(value, json_type_object);
}

struct json_object *json_get(const struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

bool json_has(const struct json_object *object, const char *key)
{
    return json_object_object_get_ex(object, key, NULL);
}

const char *json_get_text(const struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    const char *text;

    if (!json_object_is_type(value, json_type_string))
        return NULL;
    text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text
                                                                     : NULL;
}

static int decode_hex(const char *hex, char **text)
{
    unsigned len = strlen(hex) / 2;

    if (!len)
        return EINVAL;
    *text = calloc(1, len + 1);
    if (!*text)
        return ENOMEM;
    return hex_parse(hex, (unsigned char *)*text, len) == len &&
                   strlen(*text) == len
               ? 0
               : EINVAL;
}

int json_get_bytes(const struct json_object *object, const char *key,
                   char **text)
{
    const char *hex, *utf8 = json_get_text(object, key);
    char hex_key[32];

    snprintf(hex_key, sizeof(hex_key), "%s-hex", key);
    hex = json_get_text(object, hex_key);
    *text = NULL;
    if (hex)
        return decode_hex(hex, text);
    if (json_has(object, hex_key) || (!utf8 && json_has(object, key)))
        return EINVAL;
    if (utf8) {
        *text = strdup(utf8);
        return *text ? 0 : ENOMEM;
    }
    return 0;
}

bool json_get_number(const struct json_object *object, const char *key,
                     uint64_t *n)
{
    struct json_object *value = json_get(object, key);

    if (!json_object_is_type(value, json_type_int) ||
        json_object_get_int64(value) < 0)
        return false;
    *n = json_object_get_uint64(value);
    return true;
}

bool json_get_bool(const struct json_object *object, const char *key,
                   bool *value)
{
    struct json_object *found = json_get(object, key);

    if (!json_object_is_type(found, json_type_boolean))
        return false;
    *value = json_object_get_boolean(found);
    return true;
}

size_t json_get_length(const struct json_object *object, const char *key)
{
    struct json_object *array = json_get(object, key);

    return json_object_is_type(array, json_type_array)
               ? json_object_array_length(array)
               : 0;
}

struct json_object *json_get_element(const struct json_object *object,
                                     const char *key, size_t n)
{
    if (n >= json_get_length(object, key))
        return NULL;
    return json_object_array_get_idx(json_get(object, key), n);
}

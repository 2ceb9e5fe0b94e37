/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/safe-text.h"
#include "cli/utf8.h"
#include "common/mask.h"

#define CONSTRUCTION "blkhash"

/* Deeper than the objects that disksum writes, but not so deep that a hostile
 * list exhausts the stack. */
#define MAX_DEPTH 16

/* --- writing ------------------------------------------------------------ */

/* Add a value. The object owns it afterwards. */
static bool add(struct json_object *object, const char *key,
                struct json_object *value)
{
    if (value && json_object_object_add(object, key, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

static bool add_number(struct json_object *object, const char *key, uint64_t n)
{
    return add(object, key, json_object_new_uint64(n));
}

/* Add a text, with U+FFFD for each byte that is not part of a character. */
static bool add_text(struct json_object *object, const char *key,
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

static bool add_hex(struct json_object *object, const char *key,
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

static bool add_name(struct json_object *object, const char *name)
{
    char *masked = mask_name(name);
    bool ok = masked && add_text(object, "filename", masked) &&
              (utf8_valid(masked) ||
               add_hex(object, "filename-hex", masked, strlen(masked)));

    free(masked);
    return ok;
}

static bool add_digest(struct json_object *object, const char *digest)
{
    char lower[SUM_DIGEST_SIZE];
    size_t i;

    for (i = 0; i < sizeof(lower) - 1 && digest[i]; i++)
        lower[i] = tolower((unsigned char)digest[i]);
    lower[i] = 0;
    return add_text(object, "algorithm", lower);
}

/* The files below an image, from the top down. */
static bool add_chain(struct json_object *object, const struct image *image)
{
    struct json_object *chain = json_object_new_array();
    struct image_layer layer;

    if (!add(object, "backing-chain", chain))
        return false;
    for (size_t i = 1; image && image_layer(image, i, &layer); i++) {
        struct json_object *below = json_object_new_object();

        if (!below || json_object_array_add(chain, below) != 0) {
            json_object_put(below);
            return false;
        }
        if (!add_name(below, layer.name) ||
            !add_text(below, "format", layer.format))
            return false;
    }
    return true;
}

static bool add_seconds(struct json_object *object, double seconds)
{
    char text[32];

    snprintf(text, sizeof(text), "%.6f", seconds);
    return add(object, "seconds", json_object_new_double_s(seconds, text));
}

static bool add_result(struct json_object *object, const struct options *o,
                       const struct checksum *c)
{
    const struct image *image = c->input.image;
    const struct engine_result *r = &c->result;

    return add_text(object, "format", image ? image->format : "raw") &&
           add_number(object, "virtual-size", r->length) &&
           add_text(object, "construction", CONSTRUCTION) &&
           add_digest(object, o->engine.digest) &&
           add_number(object, "block-size", o->engine.block_size) &&
           add_hex(object, "checksum", r->md, r->md_len) &&
           add_chain(object, image) &&
           add_number(object, "data", r->counts.data) &&
           add_number(object, "zero", r->counts.zero) &&
           add_number(object, "hole", r->counts.hole) &&
           add_number(object, "read", r->counts.read) &&
           add_seconds(object, c->seconds);
}

static bool add_error(struct json_object *object, const struct checksum *c)
{
    char *text = mask_text(error_message(&c->error), c->name);
    bool ok = text && add_text(object, "error", text);

    free(text);
    return ok;
}

/* Write a character as JSON escapes it, by its units in UTF-16 (RFC 8259). */
static void write_escaped(FILE *f, uint32_t c)
{
    if (c >= 0x10000) {
        fprintf(f, "\\u%04x", 0xd800 + ((c - 0x10000) >> 10));
        c = 0xdc00 + (c & 0x3ff);
    }
    fprintf(f, "\\u%04x", c);
}

/* Write an object, with escapes for what is harmless in JSON but could drive a
 * terminal. */
static void write_object(FILE *f, const char *text)
{
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
    putc('\n', f);
}

bool json_write(FILE *f, const struct options *o, const struct checksum *c)
{
    struct json_object *object = json_object_new_object();
    const char *text = NULL;
    bool ok = object && add_name(object, c->name);

    if (ok && c->error.code)
        ok = add_error(object, c);
    else if (ok)
        ok = add_result(object, o, c);
    if (ok)
        text = json_object_to_json_string_ext(
            object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (text)
        write_object(f, text);
    json_object_put(object);
    return text != NULL;
}

/* --- reading ------------------------------------------------------------ */

/* Get a text without NUL bytes. NULL if the key has none. */
static const char *get_text(struct json_object *object, const char *key)
{
    struct json_object *value;
    const char *text;

    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text
                                                                     : NULL;
}

static bool has(struct json_object *object, const char *key)
{
    return json_object_object_get_ex(object, key, NULL);
}

static int get_name(struct json_object *object, struct sum *sum,
                    const char **why)
{
    const char *hex = get_text(object, "filename-hex");
    const char *name = get_text(object, "filename");
    unsigned len = hex ? strlen(hex) / 2 : 0;

    *why = "no filename";
    if (!has(object, "filename-hex") && name) {
        sum->name = strdup(name);
        return sum->name ? 0 : ENOMEM;
    }
    if (!len)
        return EINVAL;
    sum->name = calloc(1, len + 1);
    if (!sum->name)
        return ENOMEM;
    *why = "invalid filename-hex";
    if (sum_parse_hex(hex, (unsigned char *)sum->name, len) != len ||
        strlen(sum->name) != len)
        return EINVAL;
    return 0;
}

static bool get_digest(struct json_object *object, struct sum *sum)
{
    const char *digest = get_text(object, "algorithm");

    if (!digest)
        return !has(object, "algorithm");
    if (!*digest || strlen(digest) >= sizeof(sum->digest))
        return false;
    for (size_t i = 0; digest[i]; i++)
        sum->digest[i] = tolower((unsigned char)digest[i]);
    return true;
}

static bool get_block_size(struct json_object *object, struct sum *sum)
{
    struct json_object *value;
    int64_t size;

    if (!json_object_object_get_ex(object, "block-size", &value))
        return true;
    if (!json_object_is_type(value, json_type_int))
        return false;
    size = json_object_get_int64(value);
    if (size < 1 || size > BLKHASH_MAX_BLOCK_SIZE)
        return false;
    sum->block_size = size;
    return true;
}

static int get_sum(struct json_object *object, struct sum *sum,
                   const char **why)
{
    const char *construction = get_text(object, "construction");
    const char *checksum = get_text(object, "checksum");
    int err = get_name(object, sum, why);

    if (err)
        return err;
    *why = "not in the format of --json";
    if (!checksum && get_text(object, "error"))
        return 0;
    if (has(object, "construction") &&
        (!construction || strcmp(construction, CONSTRUCTION) != 0))
        *why = "not a checksum of disksum";
    else if (checksum && get_digest(object, sum) && get_block_size(object, sum))
        sum->md_len = sum_parse_hex(checksum, sum->md, sizeof(sum->md));
    return sum->md_len ? 0 : EINVAL;
}

int json_parse_sum(const char *text, struct sum *sum, const char **why)
{
    struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
    size_t len = strlen(text);
    struct json_object *object;
    int err = EINVAL;

    if (!tokener)
        return ENOMEM;
    json_tokener_set_flags(tokener,
                           JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    object = json_tokener_parse_ex(tokener, text, len);
    *why = "not in the format of --json";
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        *why = "the JSON object does not end on this line";
    else if (json_tokener_get_error(tokener) == json_tokener_success &&
             json_tokener_get_parse_end(tokener) == len &&
             json_object_is_type(object, json_type_object))
        err = get_sum(object, sum, why);
    json_object_put(object);
    json_tokener_free(tokener);
    return err;
}

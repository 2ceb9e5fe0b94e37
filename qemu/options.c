/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"

/* QEMU allows fewer levels of JSON. */
#define MAX_DEPTH 1100

/* Longer than the keys around an option of any real description. */
#define OUTER_SIZE 256

struct rewriting {
    FILE *f;
    qemu_option_rewrite *rewrite;
    void *arg;
    bool failed; /* out of memory */

    char outer[OUTER_SIZE]; /* the keys around an option, each with a dot */
    size_t outer_len;       /* of all of them: there may be more than fit */
};

/* --- writing ------------------------------------------------------------ */

static void write_json_string(FILE *f, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if ((unsigned char)*p < 0x20)
            fprintf(f, "\\u%04x", *p);
        else
            putc(*p, f);
    }
}

static void write_value(FILE *f, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == ',')
            putc(',', f);
        putc(*p, f);
    }
}

void qemu_option_write(FILE *f, const struct qemu_option *option,
                       const char *key, const char *value)
{
    if (!option->is_json) {
        fprintf(f, "%s%s=", option->prefix, key);
        write_value(f, value);
        return;
    }
    putc('"', f);
    write_json_string(f, option->prefix);
    fprintf(f, "%s\": \"", key);
    write_json_string(f, value);
    putc('"', f);
}

/* Write an option, or what replaces it. text is the option as it is. Frees the
 * key and the value; one of them is NULL if there was no memory for it. */
static void write_option(struct rewriting *r, bool is_json, char *key,
                         char *value, const char *text, size_t len)
{
    const char *dot = key ? strrchr(key, '.') : NULL;
    size_t prefix_len = dot ? dot + 1 - key : 0;
    char *prefix = key ? strndup(key, prefix_len) : NULL;
    struct qemu_option option = {
        .is_json = is_json,
        .outer = r->outer_len < OUTER_SIZE ? r->outer : NULL,
        .prefix = prefix,
        .key = key ? key + prefix_len : NULL,
        .value = value,
    };

    if (!prefix || !value)
        r->failed = true;
    else if (!r->rewrite(r->f, &option, r->arg))
        fwrite(text, 1, len, r->f);
    free(prefix);
    free(key);
    free(value);
}

/* --- option strings ----------------------------------------------------- */

/* Find the comma that ends a value: one that is not doubled. */
static const char *value_end(const char *p)
{
    while (*p && (*p != ',' || p[1] == ','))
        p += *p == ',' ? 2 : 1;
    return p;
}

static char *undouble(const char *p, const char *end)
{
    char *value = malloc(end - p + 1);
    char *to = value;

    if (!value)
        return NULL;
    while (p < end) {
        p += *p == ',';
        *to++ = *p++;
    }
    *to = '\0';
    return value;
}

static void rewrite_string(struct rewriting *r, const char *p)
{
    while (*p) {
        const char *value = p + strcspn(p, "=,");
        const char *end = value_end(value);

        if (*value == '=')
            write_option(r, false, strndup(p, value - p),
                         undouble(value + 1, end), p, end - p);
        else
            fwrite(p, 1, end - p, r->f);
        p = end;
        if (*p)
            putc(*p++, r->f);
    }
}

/* --- JSON --------------------------------------------------------------- */

/* Each function consumes what it writes from the front of *text. It returns
 * false if the text is not well-formed. */

static void copy_blanks(struct rewriting *r, const char **text)
{
    while (**text && strchr(" \t\r\n", **text))
        putc(*(*text)++, r->f);
}

/* Read the four digits of "\uXXXX". */
static bool read_unit(const char *p, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int value = hex_value(p[i]);

        if (value < 0)
            return false;
        *unit = *unit << 4 | (uint32_t)value;
    }
    return true;
}

static char *write_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = c;
        return to;
    }
    if (c < 0x800) {
        *to++ = 0xc0 | c >> 6;
    } else {
        if (c < 0x10000) {
            *to++ = 0xe0 | c >> 12;
        } else {
            *to++ = 0xf0 | c >> 18;
            *to++ = 0x80 | (c >> 12 & 0x3f);
        }
        *to++ = 0x80 | (c >> 6 & 0x3f);
    }
    *to++ = 0x80 | (c & 0x3f);
    return to;
}

/* Undo an escape, without its backslash. The result is never longer. */
static bool undo_escape(const char **p, char **to)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    char c = *(*p)++;
    const char *letter = c ? strchr(letters, c) : NULL;
    uint32_t unit, low;

    if (c == 'u') {
        if (!read_unit(*p, &unit) || !unit)
            return false;
        *p += 4;
        if (unit >= 0xd800 && unit < 0xe000) {
            if (unit >= 0xdc00 || strncmp(*p, "\\u", 2) != 0 ||
                !read_unit(*p + 2, &low) || low < 0xdc00 || low >= 0xe000)
                return false;
            *p += 6;
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
        *to = write_utf8(*to, unit);
        return true;
    }
    *(*to)++ = letter ? meant[letter - letters] : c;
    return letter || (c && strchr("\"'\\/", c));
}

/* Undo the escapes of a string, and skip the quote that ends it. */
static bool undo_escapes(const char **p, char quote, char *to)
{
    while (**p && **p != quote) {
        if (**p != '\\') {
            *to++ = *(*p)++;
            continue;
        }
        ++*p;
        if (!undo_escape(p, &to))
            return false;
    }
    *to = '\0';
    return *(*p)++ == quote;
}

/* Take a string in single or double quotes, both of which QEMU accepts. The
 * caller frees it. It is NULL when out of memory. */
static bool take_string(const char **text, char **string)
{
    const char *p = *text;
    char quote = *p;

    *string = NULL;
    if (quote != '"' && quote != '\'')
        return false;
    *string = malloc(strlen(p++));
    if (*string && !undo_escapes(&p, quote, *string)) {
        free(*string);
        return false;
    }
    *text = p;
    return true;
}

static bool rewrite_value(struct rewriting *r, const char **text,
                          unsigned depth);

/* Rewrite what is below a key. */
static bool rewrite_inner(struct rewriting *r, const char *key,
                          const char **text, unsigned depth)
{
    size_t len = r->outer_len;
    bool ok;

    if (len < OUTER_SIZE)
        snprintf(r->outer + len, OUTER_SIZE - len, "%s.", key);
    r->outer_len = len + strlen(key) + 1;
    ok = rewrite_value(r, text, depth);
    r->outer_len = len;
    if (len < OUTER_SIZE)
        r->outer[len] = '\0';
    return ok;
}

/* Rewrite "KEY": VALUE. */
static bool rewrite_member(struct rewriting *r, const char **text,
                           unsigned depth)
{
    const char *start = *text, *p = start;
    char *key, *value;
    bool ok;

    if (!take_string(&p, &key))
        return false;
    p += strspn(p, " \t\r\n");
    ok = *p == ':';
    p += ok;
    p += strspn(p, " \t\r\n");
    if (ok && take_string(&p, &value)) {
        write_option(r, true, key, value, start, p - start);
        *text = p;
        return true;
    }
    if (ok) {
        fwrite(start, 1, p - start, r->f);
        *text = p;
        ok = rewrite_inner(r, key ? key : "", text, depth);
    }
    free(key);
    return ok;
}

/* Rewrite an element of an array, whose key is its index. */
static bool rewrite_element(struct rewriting *r, size_t index,
                            const char **text, unsigned depth)
{
    char key[24];

    snprintf(key, sizeof(key), "%zu", index);
    return rewrite_inner(r, key, text, depth);
}

/* Rewrite an object or an array. */
static bool rewrite_list(struct rewriting *r, const char **text, unsigned depth)
{
    bool is_object = **text == '{';
    char close = is_object ? '}' : ']';
    size_t count = 0;

    do {
        putc(*(*text)++, r->f); /* the opening one, or a comma */
        copy_blanks(r, text);
        if (**text == close)
            break;
        if (!(is_object ? rewrite_member(r, text, depth)
                        : rewrite_element(r, count++, text, depth)))
            return false;
        copy_blanks(r, text);
    } while (**text == ',' && !r->failed);
    if (**text != close)
        return false;
    putc(*(*text)++, r->f);
    return true;
}

static bool rewrite_value(struct rewriting *r, const char **text,
                          unsigned depth)
{
    const char *start = *text;
    char *string;

    if (*start == '{' || *start == '[')
        return depth < MAX_DEPTH && rewrite_list(r, text, depth + 1);
    if (take_string(text, &string))
        free(string);
    else
        *text += strcspn(*text, ",}] \t\r\n");
    fwrite(start, 1, *text - start, r->f);
    return *text > start;
}

static void rewrite_json(struct rewriting *r, const char *text)
{
    static const char protocol[] = "json:";

    if (strncmp(text, protocol, strlen(protocol)) == 0) {
        fputs(protocol, r->f);
        text += strlen(protocol);
    }
    copy_blanks(r, &text);
    rewrite_value(r, &text, 0);
    fputs(text, r->f);
}

/* --- both --------------------------------------------------------------- */

char *qemu_options_rewrite(const char *options, bool is_json,
                           qemu_option_rewrite *rewrite, void *arg)
{
    char *text = NULL;
    size_t size;
    struct rewriting r = {
        .f = open_memstream(&text, &size),
        .rewrite = rewrite,
        .arg = arg,
    };

    if (!r.f)
        return NULL;
    if (is_json)
        rewrite_json(&r, options);
    else
        rewrite_string(&r, options);
    if (fclose(r.f) == 0 && !r.failed)
        return text;
    free(text);
    return NULL;
}

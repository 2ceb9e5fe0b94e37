/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/description.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Drivers that give a meaning to the bytes of a file. */
static const char *const formats[] = {
    "raw", "qcow2",     "qcow", "qed",   "vmdk",  "vhdx", "vpc",
    "vdi", "parallels", "luks", "bochs", "cloop", "dmg",
};

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len >= n && strcmp(text + len - n, end) == 0;
}

static bool is_format(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        if (strcmp(name, formats[i]) == 0)
            return true;
    }
    return false;
}

/* Add a value to a list, which then owns it. */
static int append(char ***list, size_t *count, char *value)
{
    char **longer = realloc(*list, (*count + 1) * sizeof(**list));

    if (!longer) {
        free(value);
        return ENOMEM;
    }
    *list = longer;
    longer[(*count)++] = value;
    return 0;
}

/* Take a pair into the description, which then owns the value. */
static int add(struct description *d, const char *key, char *value)
{
    if (ends_with(key, "filename"))
        return append(&d->files, &d->file_count, value);
    if (ends_with(key, "driver") && is_format(value))
        return append(&d->formats, &d->format_count, value);
    free(value);
    return 0;
}

/* --- option strings ----------------------------------------------------- */

/* Take all up to a comma, or to what ends a key before it; a comma in it is
 * doubled. To be freed. */
static char *take_option(const char **text, char key_end)
{
    char *word = malloc(strlen(*text) + 1);
    char *to = word;

    if (!word)
        return NULL;
    while (**text && **text != key_end &&
           (**text != ',' || (*text)[1] == ',')) {
        *text += **text == ',';
        *to++ = *(*text)++;
    }
    *to = '\0';
    return word;
}

static int read_options(const char *text, struct description *d)
{
    int err = 0;

    while (!err && *text) {
        char *key = take_option(&text, '=');
        char *value;

        text += *text == '=';
        value = take_option(&text, '\0');
        text += *text == ',';
        if (key && value)
            err = add(d, key, value);
        else
            free(value);
        if (!key || !value)
            err = ENOMEM;
        free(key);
    }
    return err;
}

/* --- JSON --------------------------------------------------------------- */

static char *put_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = c;
        return to;
    }
    if (c >= 0x10000) {
        *to++ = 0xf0 | c >> 18;
        *to++ = 0x80 | (c >> 12 & 0x3f);
    } else if (c >= 0x800) {
        *to++ = 0xe0 | c >> 12;
    }
    *to++ = (c < 0x800 ? 0xc0 : 0x80) | (c >> 6 & 0x3f);
    *to++ = 0x80 | (c & 0x3f);
    return to;
}

/* The four digits of \uXXXX. Whatever else is there QEMU refuses. */
static unsigned take_digits(const char **text)
{
    char digits[5] = "";
    size_t n = strnlen(*text, 4);

    memcpy(digits, *text, n);
    *text += n;
    return strtoul(digits, NULL, 16);
}

/* What follows a backslash. A character beyond 0xffff takes two of \uXXXX. */
static char *take_escape(const char **text, char *to)
{
    static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, **text);
    char first = *(*text)++;
    unsigned c, low;

    if (letter && *letter)
        first = controls[letter - letters];
    if (first != 'u') {
        *to++ = first;
        return to;
    }
    c = take_digits(text);
    if (c >= 0xd800 && c < 0xdc00 && strncmp(*text, "\\u", 2) == 0) {
        *text += 2;
        low = take_digits(text);
        c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
    }
    return put_utf8(to, c);
}

/* Take the string whose first quote text points to. QEMU takes single quotes,
 * too. To be freed. */
static char *take_string(const char **text)
{
    char *word = malloc(strlen(*text) + 1);
    char *to = word;
    char quote = *(*text)++;

    if (!word)
        return NULL;
    while (**text && **text != quote) {
        if (**text == '\\' && (*text)[1]) {
            (*text)++;
            to = take_escape(text, to);
        } else {
            *to++ = *(*text)++;
        }
    }
    *text += **text != '\0';
    *to = '\0';
    return word;
}

/* A string before a colon is a key, wherever it is nested. */
static int read_json(const char *text, struct description *d)
{
    char *key = NULL;
    int err = 0;

    while (!err && *(text += strcspn(text, "\"'"))) {
        char *word = take_string(&text);

        if (!word) {
            err = ENOMEM;
        } else if (text[strspn(text, " \t\r\n")] == ':') {
            free(key);
            key = word;
        } else if (key) {
            err = add(d, key, word);
            free(key);
            key = NULL;
        } else {
            free(word);
        }
    }
    free(key);
    return err;
}

int description_read(const char *text, bool is_json, struct description *d)
{
    *d = (struct description){ .file_count = 0 };
    return is_json ? read_json(text, d) : read_options(text, d);
}

void description_free(struct description *d)
{
    for (size_t i = 0; i < d->file_count; i++)
        free(d->files[i]);
    for (size_t i = 0; i < d->format_count; i++)
        free(d->formats[i]);
    free(d->files);
    free(d->formats);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON: objects and arrays that are made and written, or parsed and read.
 *
 * JSON is Unicode, but a text here is bytes: what is not UTF-8 is written as
 * U+FFFD. What is added to an object or array belongs to it. A function that
 * adds something returns false, or NULL, when out of memory.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object; /* any value */

/* --- make and write ------------------------------------------------------ */

/* An empty object, for json_free(). */
struct json_object *json_new(void);

/* NULL is accepted. */
void json_free(struct json_object *value);

/* Add a value. The object owns it unless this fails. */
bool json_add_value(struct json_object *object, const char *key,
                    struct json_object *value);

/* Add an empty object or array. */
struct json_object *json_add_object(struct json_object *object,
                                    const char *key);
struct json_object *json_add_array(struct json_object *object, const char *key);
struct json_object *json_append_object(struct json_object *array);

/* Add a value to an array, which owns it unless it fails. */
bool json_append(struct json_object *array, struct json_object *value);

bool json_add_text(struct json_object *object, const char *key,
                   const char *text);
bool json_add_hex(struct json_object *object, const char *key,
                  const void *bytes, size_t len);
bool json_add_number(struct json_object *object, const char *key, uint64_t n);
bool json_add_bool(struct json_object *object, const char *key, bool value);
bool json_add_seconds(struct json_object *object, const char *key,
                      double seconds);

/* Add a text of any bytes. If they are not UTF-8, "KEY-hex" has all of them. */
bool json_add_bytes(struct json_object *object, const char *key,
                    const char *text);

/* Add the name of a file likewise, with its secrets masked. */
bool json_add_name(struct json_object *object, const char *key,
                   const char *name);

/* Write a value on one line, with escapes for what is harmless in JSON but
 * could drive a terminal. False when out of memory. */
bool json_write(FILE *f, struct json_object *value);

/* The same text without a newline, and with a NUL at its end. The caller frees
 * it. NULL when out of memory. */
char *json_to_text(struct json_object *value, size_t *len);

/* --- parse and read ------------------------------------------------------ */

/*
 * Parse an object or an array, strictly: the text has nothing else. EINVAL: it
 * is not JSON, is nested too deeply, or has so many values that they might take
 * more than 64 MiB. ENODATA: it ends too early. ENOMEM.
 */
int json_parse(const char *text, size_t len, struct json_object **value);

bool json_is_object(const struct json_object *value);

/* The value of a key. NULL: there is none, or it is null. */
struct json_object *json_get(const struct json_object *object, const char *key);

/* Whether an object has a key, whatever its value. */
bool json_has(const struct json_object *object, const char *key);

/* The text of a key, without NUL bytes; it belongs to the object. NULL: there
 * is none. */
const char *json_get_text(const struct json_object *object, const char *key);

/* Get a text of any bytes, as json_add_bytes() adds it. *text is for free(),
 * also after an error; NULL: there is none. EINVAL: it is not a text, or has a
 * NUL byte. ENOMEM. */
int json_get_bytes(const struct json_object *object, const char *key,
                   char **text);

/* The number of a key. False: it has no whole number from 0. */
bool json_get_number(const struct json_object *object, const char *key,
                     uint64_t *n);

/* The truth value of a key. False: it has none. */
bool json_get_bool(const struct json_object *object, const char *key,
                   bool *value);

/* The length of the array of a key; 0: it has none. */
size_t json_get_length(const struct json_object *object, const char *key);

/* Element n of the array of a key. NULL: there is none. */
struct json_object *json_get_element(const struct json_object *object,
                                     const char *key, size_t n);

#endif

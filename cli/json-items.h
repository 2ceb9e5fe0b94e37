/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON objects, one after the other: the elements of an array, or JSON lines.
 * The file may be endless; it is never in memory as a whole.
 */
#ifndef CLI_JSON_ITEMS_H
#define CLI_JSON_ITEMS_H

#include <stddef.h>

#include "common/error.h"

struct json_object;
struct json_items;

/* Read from a descriptor, which stays open. name is for messages, and stays the
 * caller's. NULL when out of memory. */
struct json_items *json_items_new(int fd, const char *name);

/* Get the next object, for json_free(). NULL: there are no more. It is an error
 * if the file is empty, if it ends too early, or if anything else is in it. */
int json_items_next(struct json_items *items, struct json_object **object,
                    struct error *error);

/* The number of objects so far. */
size_t json_items_count(const struct json_items *items);

/* NULL is accepted. */
void json_items_free(struct json_items *items);

#endif

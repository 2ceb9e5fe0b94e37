/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options as QEMU reads them: "KEY=VALUE,..." with doubled commas in values, or
 * JSON.
 */
#ifndef QEMU_OPTIONS_H
#define QEMU_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* One whose value is a string. */
struct qemu_option {
    bool is_json;
    char *prefix; /* of the key: "", or "file." of "file.url" */
    char *key;    /* the rest of it */
    char *value;
};

/* Write another option in its place, with the same prefix. */
void qemu_option_write(FILE *f, const struct qemu_option *option,
                       const char *key, const char *value);

/* Write what takes the place of an option. False: it stays. */
typedef bool qemu_option_rewrite(FILE *f, const struct qemu_option *option,
                                 void *arg);

/* A copy of options, of which some may change; to be freed. From where they are
 * not well-formed, they stay as they are. NULL when out of memory. */
char *qemu_options_rewrite(const char *options, bool is_json,
                           qemu_option_rewrite *rewrite, void *arg);

#endif

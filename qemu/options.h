/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options, as QEMU reads them: "KEY=VALUE,...", with commas doubled in values,
 * or JSON.
 */
#ifndef QEMU_OPTIONS_H
#define QEMU_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* An option whose value is a string. */
struct qemu_option {
    bool is_json;
    const char *outer; /* the keys of the JSON around it, each with a dot; NULL:
                        * too long to be kept */
    char *prefix;      /* of the key: "", or "file." in "file.url" */
    char *key;         /* without the prefix */
    char *value;
};

/* Write another option with the same prefix. */
void qemu_option_write(FILE *f, const struct qemu_option *option,
                       const char *key, const char *value);

/* Write what replaces an option. If it returns false, the option stays. */
typedef bool qemu_option_rewrite(FILE *f, const struct qemu_option *option,
                                 void *arg);

/* Copy options, and rewrite some of them. The caller frees the copy. Where the
 * text is not well-formed, the rest of it is copied as it is. NULL when out of
 * memory. */
char *qemu_options_rewrite(const char *options, bool is_json,
                           qemu_option_rewrite *rewrite, void *arg);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/description.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "qemu/options.h"

/* Add a copy of a value to a list. */
static bool append(char ***list, size_t *count, const char *value)
{
    char *copy = strdup(value);
    char **longer = realloc(*list, (*count + 1) * sizeof(**list));

    if (longer)
        *list = longer;
    if (!copy || !longer) {
        free(copy);
        return false;
    }
    longer[(*count)++] = copy;
    return true;
}

/* Collect the value of an option, and keep the option as it is. */
static bool collect(FILE *f, const struct qemu_option *option, void *arg)
{
    struct description *d = arg;
    bool ok = true;

    (void)f;
    if (strcmp(option->key, "filename") == 0)
        ok = append(&d->files, &d->file_count, option->value);
    else if (strcmp(option->key, "driver") == 0 && format_find(option->value))
        ok = append(&d->formats, &d->format_count, option->value);
    d->failed |= !ok;
    return false;
}

int description_read(const char *text, bool is_json, struct description *d)
{
    char *same;

    *d = (struct description){ .file_count = 0 };
    if (is_json)
        text += strlen("json:");
    same = qemu_options_rewrite(text, is_json, collect, d);
    free(same);
    return same && !d->failed ? 0 : ENOMEM;
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

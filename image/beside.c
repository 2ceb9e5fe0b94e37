/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/beside.h"

#include <stdlib.h>
#include <string.h>

#include "format/layer.h"
#include "image/recorded.h"

/* A disk with hundreds of snapshots. */
#define MAX_DESCRIPTOR (256 * 1024)

/* The element with which the description of each image begins. */
#define ELEMENT "<Image>"

static unsigned count_images(const char *text)
{
    unsigned count = 0;

    while ((text = strstr(text, ELEMENT))) {
        text += strlen(ELEMENT);
        count++;
    }
    return count;
}

static unsigned count_in(struct reader *r, struct error *error)
{
    size_t len = r->size < MAX_DESCRIPTOR ? r->size : MAX_DESCRIPTOR;
    char *text = calloc(1, len + 1);
    unsigned count = 0;

    if (text && metadata_read(r, 0, text, len, error) == 0)
        count = count_images(text);
    free(text);
    return count;
}

unsigned beside_count(const char *path, const char *descriptor)
{
    const struct file_options options = { .force_share = true };
    struct error error = ERROR_INIT;
    struct reader *r;
    char *name;
    unsigned count = 0;

    if (recorded_path(path, descriptor, &name) == 0 &&
        file_open(name, name, &options, &r, &error) == 0) {
        count = count_in(r, &error);
        r->ops->close(r);
    }
    error_clear(&error);
    free(name);
    return count;
}

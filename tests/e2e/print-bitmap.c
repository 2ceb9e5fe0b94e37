/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Print what a bitmap of an image has:
 *
 *     print-bitmap IMAGE NAME [FORMAT [STEP]]
 *
 * A line for each range: its offset, its length, and whether it has changed.
 * Ranges are asked for in steps, by default of the whole disk, and neighbours
 * are joined.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "image/image.h"

static int print_all(struct changes *changes, uint64_t size, uint64_t step,
                     struct error *error)
{
    struct change run = { .length = 0 };
    uint64_t offset = 0;

    while (offset < size) {
        uint64_t length = size - offset < step ? size - offset : step;
        struct change change;
        int err = changes_next(changes, offset, length, &change, error);

        if (err)
            return err;
        if (run.length && run.changed != change.changed) {
            printf("%" PRIu64 " %" PRIu64 " %d\n", offset - run.length,
                   run.length, run.changed);
            run.length = 0;
        }
        run.changed = change.changed;
        run.length += change.length;
        offset += change.length;
    }
    if (run.length)
        printf("%" PRIu64 " %" PRIu64 " %d\n", offset - run.length, run.length,
               run.changed);
    return 0;
}

int main(int argc, char **argv)
{
    struct image_options options = { .format = NULL };
    struct error error = ERROR_INIT;
    struct changes *changes = NULL;
    struct image *image = NULL;
    uint64_t step = UINT64_MAX;
    int err;

    if (argc < 3 || argc > 5) {
        fprintf(stderr, "usage: %s IMAGE NAME [FORMAT [STEP]]\n", argv[0]);
        return 2;
    }
    options.bitmap = argv[2];
    if (argc > 3)
        options.format = argv[3];
    if (argc > 4)
        step = strtoull(argv[4], NULL, 10);

    err = image_open(argv[1], argv[1], &options, &image, &error);
    if (!err)
        err = image_bitmap(image, &changes, &error);
    if (!err)
        err = print_all(changes, image->size, step, &error);
    if (err)
        fprintf(stderr, "%s\n", error_message(&error));
    changes_free(changes);
    image_close(image);
    error_clear(&error);
    return err ? 1 : 0;
}

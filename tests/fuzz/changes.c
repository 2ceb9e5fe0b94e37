/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as what a program prints of the changes of a disk. The answer has
 * to cover the disk, and be the same in small pieces.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/changes.h"

#define SIZE 100000
#define PIECE 300

/* Open the changes of a disk. NULL: the bytes are refused. */
static struct changes *open_changes(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct changes *changes = NULL;
    char path[64];
    int fd = memfd_create("changes", 0);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (changes_open(path, SIZE, &changes, &error) && !error.message)
        abort();
    error_clear(&error);
    close(fd);
    return changes;
}

static struct change ask(struct changes *changes, uint64_t offset,
                         uint64_t length)
{
    struct error error = ERROR_INIT;
    struct change change;

    if (changes_next(changes, offset, length, &change, &error))
        abort();
    return change;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct changes *whole = open_changes(data, size);
    struct changes *pieces = open_changes(data, size);
    struct change run;

    if (!whole != !pieces)
        abort();
    for (uint64_t offset = 0; whole && offset < SIZE; offset += run.length) {
        run = ask(whole, offset, SIZE - offset);
        for (uint64_t done = 0; done < run.length;) {
            uint64_t rest = run.length - done;
            struct change piece =
                ask(pieces, offset + done, rest < PIECE ? rest : PIECE);

            if (piece.changed != run.changed)
                abort();
            done += piece.length;
        }
    }
    changes_free(whole);
    changes_free(pieces);
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a tar archive. The checksums of its headers are made right,
 * since the fuzzer would not get past the first one.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/tar.h"
#include "tests/unit/memory_reader.h"

#define AT_CHECKSUM 148
#define AT_MAGIC 257

static void set_checksum(uint8_t *header)
{
    char digits[8];
    unsigned sum = 0;

    memset(header + AT_CHECKSUM, ' ', sizeof(digits));
    for (size_t i = 0; i < TAR_HEADER_SIZE; i++)
        sum += header[i];
    snprintf(digits, sizeof(digits), "%06o", sum);
    memcpy(header + AT_CHECKSUM, digits, sizeof(digits));
}

static void walk(struct reader *reader)
{
    struct error error = ERROR_INIT;
    struct tar_member member;
    uint64_t at = 0;
    struct tar *t;

    require(tar_open(reader, &t, &error) == 0);
    while (tar_next(t, &member, &error) == 0 && member.name) {
        unsigned char start[TAR_HEADER_SIZE];

        require(member.offset > at && member.offset % TAR_HEADER_SIZE == 0);
        require(!member.size || (member.offset < reader->size &&
                                 member.size <= reader->size - member.offset));
        at = member.offset;
        require(tar_read_start(t, &member, start, sizeof(start), &error) == 0);
    }
    require(!error.code || *error_message(&error));
    error_clear(&error);
    tar_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    struct error error = ERROR_INIT;
    struct memory_reader memory;
    struct tar_member member;
    char *names = NULL;

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    for (size_t i = 0; i + TAR_HEADER_SIZE <= size; i += TAR_HEADER_SIZE) {
        if (memcmp(copy + i + AT_MAGIC, "ustar", 5) == 0)
            set_checksum(copy + i);
    }
    memory_reader_init(&memory, copy, size);
    walk(&memory.reader);
    if (tar_find(&memory.reader, "b", &member, &error) == 0)
        require(!member.unreadable);
    free(member.name);
    error_clear(&error);
    if (tar_list_disks(&memory.reader, &names, &error) == 0)
        require(!names || *names);
    free(names);
    error_clear(&error);
    free(copy);
    return 0;
}

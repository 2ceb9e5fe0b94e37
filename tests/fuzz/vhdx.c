/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VHDX image. The parts of one lie megabytes apart, so the input is a list of
 * pieces: the place of each, in sectors, its length, and its bytes. Bytes
 * between them are zeros. Without the right CRCs, little of an image is looked
 * at, so all of them are computed here. The first byte says otherwise, or that
 * the layer is mapped alone, without its parent.
 */
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/units.h"
#include "format/format.h"
#include "tests/unit/memory_reader.h"

#define MAX_SIZE (32 * MiB)
#define MAX_PIECES 64
#define MAX_EXTENTS 2000
#define LOG_SECTOR 4096

/* Bits of the first byte. */
#define NO_CRCS 1
#define ALONE 2

static unsigned char file[MAX_SIZE];

struct piece {
    size_t at;
    size_t len;
};

static struct piece pieces[MAX_PIECES + 16];
static size_t piece_count;

static void put(size_t at, const uint8_t *bytes, size_t len)
{
    memcpy(file + at, bytes, len);
    pieces[piece_count++] = (struct piece){ .at = at, .len = len };
}

/* All is zeros again. */
static void clear(void)
{
    for (size_t i = 0; i < piece_count; i++)
        memset(file + pieces[i].at, 0, pieces[i].len);
    piece_count = 0;
}

static void write_pieces(const uint8_t *data, size_t size)
{
    while (size >= 4 && piece_count < MAX_PIECES) {
        size_t at = (size_t)get_le16(data) * SECTOR_SIZE;
        size_t len = get_le16(data + 2);

        data += 4;
        size -= 4;
        if (len > size)
            len = size;
        if (at + len > MAX_SIZE)
            return;
        put(at, data, len);
        data += len;
        size -= len;
    }
}

/* --- checksums ---------------------------------------------------------- */

static void set_crc(size_t at, size_t len)
{
    static const unsigned char no_crc[4];
    unsigned char bytes[4];
    uint32_t crc = crc32c(crc32c(0, file + at, 4), no_crc, 4);

    crc = crc32c(crc, file + at + 8, len - 8);
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(crc >> 8 * i);
    if (piece_count < MAX_PIECES + 16)
        put(at + 4, bytes, 4);
}

/* The entries of a log that is where the corpus has it. */
static void set_entries(void)
{
    int left = 8;

    for (size_t at = MiB; at < 2 * MiB && left; at += LOG_SECTOR) {
        uint32_t len = get_le32(file + at + 8);

        if (memcmp(file + at, "loge", 4) != 0 || len < LOG_SECTOR ||
            len > 2 * MiB - at)
            continue;
        set_crc(at, len);
        left--;
    }
}

/* --- an image with a parent --------------------------------------------- */

static void close_layer(struct layer *layer)
{
    layer->ops->close(layer);
    for (size_t i = 0; i < LAYER_BACKING_NAMES; i++)
        free(layer->backing_names[i]);
    free(layer->backing_format);
}

/* The parent is another file, so the layer is mapped alone. */
static void try_layer(size_t size)
{
    static const struct layer_options options;
    struct error error = ERROR_INIT;
    struct memory_reader m;
    struct layer layer = { .reader = &m.reader };
    uint64_t offset = 0;

    memory_reader_init(&m, file, size);
    if (format_find("vhdx")->open(&layer, &options, &error)) {
        require(error.code && *error_message(&error));
        error_clear(&error);
        close_layer(&layer);
        return;
    }
    for (int i = 0; i < MAX_EXTENTS && offset < layer.size; i++) {
        uint64_t length = layer.size - offset;
        struct extent e;

        if (i % 3 == 1 && length > 700)
            length = 700;
        if (layer.ops->map(&layer, offset, length, &e, &error)) {
            require(error.code && *error_message(&error));
            error_clear(&error);
            offset += length < 4096 ? length : 4096;
            continue;
        }
        require(e.offset == offset && e.length > 0 && e.length <= length);
        require(e.kind != EXTENT_DATA || e.reader == &m.reader);
        offset += e.length;
    }
    close_layer(&layer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length;

    if (size < 2)
        return 0;
    length = (data[1] % 32 + 1) * MiB;
    put(0, (const uint8_t *)"vhdxfile", 8);
    write_pieces(data + 2, size - 2);
    if (!(data[0] & NO_CRCS)) {
        set_crc(64 * KiB, 4 * KiB);
        set_crc(128 * KiB, 4 * KiB);
        set_crc(192 * KiB, 64 * KiB);
        set_crc(256 * KiB, 64 * KiB);
        set_entries();
    }
    if (data[0] & ALONE)
        try_layer(length);
    else
        fuzz_image(file, length, "vhdx", NULL);
    clear();
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long one core decodes the compressed clusters of an image, from memory
 * and to memory, and does nothing else: the part of the work that no program
 * with this decoder can do in less.
 *
 *     decode IMAGE
 *
 * Prints the seconds, and the bytes that came out.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "image/image.h"

#define MAX_CLUSTER (2 * 1024 * 1024)

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "decode: %s\n", what);
    exit(EXIT_FAILURE);
}

static const unsigned char *map_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    void *p = MAP_FAILED;

    /* A page more: a cluster's length is told in sectors, and the last may
     * seem to end beyond the file. */
    if (fd >= 0 && fstat(fd, &st) == 0)
        p = mmap(NULL, st.st_size + 4096, PROT_READ, MAP_SHARED | MAP_POPULATE,
                 fd, 0);
    if (p == MAP_FAILED)
        die("cannot map the image");
    return p;
}

int main(int argc, char **argv)
{
    const struct image_options options = { .format = NULL };
    static unsigned char out[MAX_CLUSTER];
    struct decoder *decoder = decoder_new();
    struct error error = ERROR_INIT;
    const unsigned char *bytes;
    struct image *image;
    uint64_t decoded = 0, size = 0;
    double seconds = 0;

    if (argc != 2 || !decoder)
        die("usage: decode IMAGE");
    if (image_open(argv[1], argv[1], &options, &image, &error))
        die(error_message(&error));
    bytes = map_file(argv[1]);

    for (uint64_t offset = 0; offset < image->size; offset += size) {
        struct extent e;
        double start;

        if (image_map(image, offset, image->size - offset, &e, &error))
            die(error_message(&error));
        size = e.length;
        if (e.kind != EXTENT_COMPRESSED)
            continue;
        start = clock_seconds();
        if (decode(decoder, e.codec, bytes + e.host_offset, e.host_length, out,
                   e.cluster_size, e.skip + e.length))
            die("a cluster cannot be decoded");
        seconds += clock_seconds() - start;
        decoded += e.length;
    }
    decoder_free(decoder);
    image_close(image);
    printf("%.6f %" PRIu64 "\n", seconds, decoded);
    return EXIT_SUCCESS;
}

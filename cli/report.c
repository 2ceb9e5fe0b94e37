/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "blkhash.h"
#include "cli/message.h"
#include "common/array.h"
#include "common/units.h"
#include "image/image.h"

/* Enough for the figures of all kernels. */
#define FIGURES_SIZE 256

/* Enough for all digests. */
#define HASHES_SIZE (ENGINE_MAX_HASHES * 128)

#define GB 1e9

/* Where the digests come from that cost no read. */
static void print_known(const struct options *o, const struct checksum *c)
{
    const struct digest_list_options *l = &o->digest_list;
    char size[SIZE_TEXT];

    message("%s: %s was not read; its digests are from %s%s%s%s", c->input.name,
            format_size(c->result.counts.known, size), l->base ? l->base : "",
            l->base && l->resume ? " and " : "", l->resume ? l->write : "",
            l->resume ? ".part" : "");
}

static void print_content(const struct options *o, const struct checksum *c)
{
    char size[SIZE_TEXT], data[SIZE_TEXT], zero[SIZE_TEXT], hole[SIZE_TEXT];
    const struct image *image = c->input.image;
    const struct engine_counts *counts = &c->result.counts;

    if (image && image->padded)
        message("%s: warning: the size is not a multiple of %d bytes; padded "
                "with zeros to a whole sector",
                c->input.name, SECTOR_SIZE);
    message("%s: %s, %s: %s of data, %s of zeros, %s of holes", c->input.name,
            image ? image->format : "raw", format_size(c->result.length, size),
            format_size(counts->data, data), format_size(counts->zero, zero),
            format_size(counts->hole, hole));
    if (counts->known)
        print_known(o, c);
    if (counts->decoded)
        message("%s: %s was compressed", c->input.name,
                format_size(counts->decoded, data));
}

/* What hashes the blocks, for people. */
static const char *kernel_of(const struct engine_hash *hash)
{
    struct blkhash_leaf *leaf =
        blkhash_leaf_new(hash->block_size, hash->digest);
    const char *kernel = leaf ? blkhash_leaf_kernel(leaf) : "";

    blkhash_leaf_free(leaf);
    return kernel;
}

/* Write "sha256 in blocks of 65536 bytes by shani, plain md5, ". */
static void list_hashes(const struct engine_options *o, char text[HASHES_SIZE])
{
    size_t n = 0;

    text[0] = 0;
    for (unsigned i = 0; i < o->hash_count && n < HASHES_SIZE; i++) {
        const struct engine_hash *h = &o->hashes[i];

        if (h->block_size)
            n += snprintf(text + n, HASHES_SIZE - n,
                          "%s in blocks of %zu bytes by %s, ", h->digest,
                          h->block_size, kernel_of(h));
        else
            n += snprintf(text + n, HASHES_SIZE - n, "plain %s, ", h->digest);
    }
}

static void print_speed(const struct options *o, const struct checksum *c)
{
    char read[SIZE_TEXT], rate[SIZE_TEXT], hashes[HASHES_SIZE];
    const struct engine_result *r = &c->result;
    double speed = c->seconds > 0 ? r->counts.read / c->seconds : 0;

    list_hashes(&o->engine, hashes);
    message("%s: read %s in %.3f s, %s/s; %sthreads: %u", c->input.name,
            format_size(r->counts.read, read), c->seconds,
            format_size(speed, rate), hashes, r->threads);
}

/* Whether a name of a digest is one of SHA-256, which has kernels. */
static bool is_sha256(const char *digest)
{
    static const char *const names[] = { "sha256", "sha-256", "sha2-256" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcasecmp(digest, names[i]) == 0)
            return true;
    }
    return false;
}

/* Write " (openssl 2.0, shani 2.4)": the other kernels, and their GB/s. */
static void list_other_kernels(const char *chosen, char text[FIGURES_SIZE])
{
    const char *const *kernels = blkhash_kernels();
    const char *before = " (";
    size_t n = 0;

    for (; *kernels && n < FIGURES_SIZE; kernels++) {
        uint64_t speed = blkhash_kernel_speed(*kernels);

        if (!speed || strcmp(*kernels, chosen) == 0)
            continue;
        n += snprintf(text + n, FIGURES_SIZE - n, "%s%s %.1f", before, *kernels,
                      speed / GB);
        before = ", ";
    }
    snprintf(text + n, FIGURES_SIZE - n, "%s", n ? ")" : "");
}

/* Once: the kernel is the same for all images. */
static void print_kernel(const char *kernel)
{
    static bool printed;
    uint64_t speed = blkhash_kernel_speed(kernel);
    char others[FIGURES_SIZE];

    if (printed)
        return;
    printed = true;
    if (!speed) {
        message("sha256 kernel: %s, forced by BLKHASH_SHA256", kernel);
        return;
    }
    list_other_kernels(kernel, others);
    message("sha256 kernel: %s, %.1f GB/s%s; BLKHASH_SHA256= forces one",
            kernel, speed / GB, others);
}

static void print_kernels(const struct engine_options *o)
{
    for (unsigned i = 0; i < o->hash_count; i++) {
        if (o->hashes[i].block_size && is_sha256(o->hashes[i].digest))
            print_kernel(kernel_of(&o->hashes[i]));
    }
}

static void print_read_method(const char *name,
                              const struct read_method_figures *f,
                              const struct read_method_figures *before)
{
    uint64_t mapped =
        f->slots[READ_METHOD_MMAP] - before->slots[READ_METHOD_MMAP];
    uint64_t copied =
        f->slots[READ_METHOD_COPY] - before->slots[READ_METHOD_COPY];

    if (!mapped && !copied)
        return;
    if (f->forced)
        message("%s: read method: %s, forced by DISKSUM_READS", name,
                read_method_name(f->method));
    else if (f->measured)
        message("%s: read method: %s, %.3f ns/byte (%s %.3f) for %s; "
                "DISKSUM_READS= forces one",
                name, read_method_name(f->method), f->cost[f->method],
                read_method_name(!f->method), f->cost[!f->method],
                read_content_name(f->content));
    else
        message("%s: read method: mmap and copy in turn, not yet compared; "
                "DISKSUM_READS= forces one",
                name);
}

void report_print(const struct options *o, const struct checksum *c,
                  const struct read_method_figures *before)
{
    struct read_method_figures figures;

    print_content(o, c);
    print_speed(o, c);
    print_kernels(&o->engine);
    read_choice_figures(read_choice_shared(), &figures);
    print_read_method(c->input.name, &figures, before);
}

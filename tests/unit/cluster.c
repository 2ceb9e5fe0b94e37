/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of compressed clusters: right, whatever was decoded before, and a
 * cluster of which many parts are wanted is decoded once.
 */
#include "packing.h"

#include <errno.h>
#include <string.h>

#include <zlib.h>

#include "engine/cluster.h"

static unsigned decoded; /* calls of decode() */

int __real_decode(struct decoder *d, enum codec codec, const void *in,
                  size_t in_len, void *to, size_t to_len, size_t needed);
int __wrap_decode(struct decoder *d, enum codec codec, const void *in,
                  size_t in_len, void *to, size_t to_len, size_t needed);

int __wrap_decode(struct decoder *d, enum codec codec, const void *in,
                  size_t in_len, void *to, size_t to_len, size_t needed)
{
    decoded++;
    return __real_decode(d, codec, in, in_len, to, to_len, needed);
}

/* A cluster whose bytes are packed, at this offset of its file. */
static struct extent cluster_at(uint64_t host_offset)
{
    static struct reader reader = { .name = (char *)"disk" };

    return (struct extent){
        .kind = EXTENT_COMPRESSED,
        .reader = &reader,
        .host_offset = host_offset,
        .host_length = (uint32_t)packed_len,
        .cluster_size = CLUSTER,
        .codec = CODEC_DEFLATE,
    };
}

/* Decode a part, and compare it with content. */
static void decode_part(struct cluster_decoder *d, const struct extent *of,
                        uint32_t skip, uint64_t length)
{
    struct error error = ERROR_INIT;
    struct read read = { .buf = packed, .offset = of->host_offset };
    struct job job = { .buf = out, .reads = &read };
    struct job_cluster cluster = { .extent = *of };

    cluster.extent.skip = skip;
    cluster.extent.length = length;
    memset(out, 0x55, length + 1);
    assert_int_equal(cluster_decode(d, &job, &cluster, &error), 0);
    assert_memory_equal(out, content + skip, length);
    assert_int_equal(out[length], 0x55);
}

static void test_parts_of_one(void **state)
{
    struct cluster_decoder d = { .decoder = NULL };
    struct extent of = cluster_at(512);

    (void)state;
    decoded = 0;
    for (uint32_t skip = 0; skip < CLUSTER; skip += 2048)
        decode_part(&d, &of, skip, 1000);
    decode_part(&d, &of, 100, 5000);
    assert_int_equal(decoded, 1);
    cluster_decoder_free(&d);
}

/* The next cluster has other bytes. */
static void test_parts_of_several(void **state)
{
    struct cluster_decoder d = { .decoder = NULL };
    struct extent first = cluster_at(0), second = cluster_at(CLUSTER);

    (void)state;
    decoded = 0;
    decode_part(&d, &first, 1, 4000);
    memset(content, 0xcc, CLUSTER);
    packed_len = 0;
    put_deflate(content, CLUSTER);
    second.host_length = (uint32_t)packed_len;
    decode_part(&d, &second, 1, 4000);
    decode_part(&d, &second, 0, CLUSTER);
    decode_part(&d, &second, 9000, 4000);
    assert_int_equal(decoded, 3);
    cluster_decoder_free(&d);
}

/* QEMU reads what there is of a stream that ends early. */
static void test_stream_that_ends_early(void **state)
{
    struct cluster_decoder d = { .decoder = NULL };
    struct extent of;
    struct error error = ERROR_INIT;
    struct read read = { .buf = packed };
    struct job job = { .buf = out, .reads = &read };
    struct job_cluster cluster;
    uLongf room = ROOM;

    (void)state;
    assert_int_equal(compress2(packed, &room, content, CLUSTER / 2, 6), Z_OK);
    packed_len = room;
    of = cluster_at(0);
    of.codec = CODEC_ZLIB;
    decode_part(&d, &of, 0, 1000);
    decode_part(&d, &of, CLUSTER / 2 - 1000, 1000);
    decode_part(&d, &of, 500, 1000);

    cluster = (struct job_cluster){ .extent = of };
    cluster.extent.skip = CLUSTER / 2 - 1000;
    cluster.extent.length = 1001;
    assert_int_equal(cluster_decode(&d, &job, &cluster, &error), EIO);
    error_clear(&error);
    decode_part(&d, &of, 0, 1000);
    cluster_decoder_free(&d);
}

static int pack(void **state)
{
    int err = packing_set_up(state);

    packed_len = 0;
    put_deflate(content, CLUSTER);
    return err;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts_of_one, pack,
                                        packing_tear_down),
        cmocka_unit_test_setup_teardown(test_parts_of_several, pack,
                                        packing_tear_down),
        cmocka_unit_test_setup_teardown(test_stream_that_ends_early, pack,
                                        packing_tear_down),
    };

    return RUN_TESTS(tests, NULL, NULL);
}

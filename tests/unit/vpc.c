/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which names of its parent a differencing VPC image gives, in which order, and
 * how often its tables are read. The end-to-end tests check that it is read
 * right.
 */
#include "format/vpc.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "memory_reader.h"
#include "test.h"

#define BLOCK 8192
#define BLOCKS 4
#define TABLE 1536
#define DATA 2048
#define TEXTS 40960 /* of locators, 1 KiB for each */

static unsigned char file[64 << 10];
static struct memory_reader memory;
static struct layer layer;
static unsigned locators;

static void put32(size_t at, uint32_t value)
{
    value = htobe32(value);
    memcpy(file + at, &value, sizeof(value));
}

static void put64(size_t at, uint64_t value)
{
    put32(at, value >> 32);
    put32(at + 4, (uint32_t)value);
}

static int begin(void **state)
{
    (void)state;
    memset(file, 0, sizeof(file));
    memcpy(file, "conectix", 8);
    put64(16, 512);
    memcpy(file + 28, "win ", 4);
    put64(48, BLOCKS * BLOCK);
    put32(60, VPC_DIFFERENCING);
    memcpy(file + 512, "cxsparse", 8);
    put64(512 + 16, TABLE);
    put32(512 + 28, BLOCKS);
    put32(512 + 32, BLOCK);
    memset(file + 512 + 40, 'p', VPC_UUID_SIZE);
    for (size_t i = 0; i < BLOCKS; i++)
        put32(TABLE + 4 * i, (DATA + i * (512 + BLOCK)) / 512);
    locators = 0;
    return 0;
}

static void add_locator(const char *platform, const char *text, bool utf16)
{
    size_t at = 512 + 576 + 24 * (size_t)locators;
    size_t to = TEXTS + 1024 * (size_t)locators++;

    memcpy(file + at, platform, 4);
    put32(at + 8, strlen(text) << utf16);
    put64(at + 16, to);
    for (size_t i = 0; text[i]; i++)
        file[to + (i << utf16)] = text[i];
}

static void set_name(const char *text)
{
    for (size_t i = 0; text[i]; i++)
        file[512 + 64 + 2 * i + 1] = text[i];
}

static void open_it(void)
{
    static const struct layer_options options;
    struct error error = ERROR_INIT;
    uint32_t sum = 0;

    put32(64, 0);
    for (size_t i = 0; i < VPC_FOOTER_SIZE; i++)
        sum += file[i];
    put32(64, ~sum);
    memory_reader_init(&memory, file, sizeof(file));
    layer = (struct layer){ .reader = &memory.reader };
    assert_int_equal(vpc_open(&layer, &options, &error), 0);
}

static int close_it(void **state)
{
    (void)state;
    layer.ops->close(&layer);
    for (size_t i = 0; i < LAYER_BACKING_NAMES; i++)
        free(layer.backing_names[i]);
    free(layer.backing_format);
    return 0;
}

static void check_names(const char *const *expected, size_t count)
{
    for (size_t i = 0; i < LAYER_BACKING_NAMES; i++) {
        test_case("name %zu", i);
        if (i < count)
            assert_string_equal(layer.backing_names[i], expected[i]);
        else
            assert_null(layer.backing_names[i]);
    }
}

/* As Hyper-V has them. */
static void test_names(void **state)
{
    static const char *const expected[] = { "../a/base.vhd", "base.vhd",
                                            "header.vhd" };

    (void)state;
    add_locator("W2ku", "C:\\a\\base.vhd", true);
    add_locator("W2ru", ".\\..\\a\\base.vhd", true);
    set_name("D:\\header.vhd");
    open_it();
    check_names(expected, 3);
    assert_string_equal(layer.backing_format, "vpc");
}

/* As XenServer has them: each name counts once. */
static void test_names_that_are_the_same(void **state)
{
    static const char *const expected[] = { "base.vhd" };

    (void)state;
    add_locator("MacX", "file://./base.vhd", false);
    add_locator("W2ku", "./base.vhd", true);
    add_locator("W2ru", "./base.vhd", true);
    set_name("base.vhd");
    open_it();
    check_names(expected, 1);
}

/* The best of them, in their order. */
static void test_too_many_names(void **state)
{
    static const char *const expected[] = { "relative", "./c:d", "/dir/x y",
                                            "x y" };

    (void)state;
    add_locator("Wi2k", "C:early", false);
    add_locator("Wi2r", "earliest", false);
    add_locator("MacX", "file:///dir/x%20y", false);
    add_locator("Mac ", "an alias", false);
    add_locator("W2ru", "relative", true);
    add_locator("W2ku", "\\\\server\\share\\c:d", true);
    set_name("header");
    open_it();
    check_names(expected, 4);
}

static void test_raw(void **state)
{
    static const char *const expected[] = { "/dev/volume", "volume" };

    (void)state;
    memset(file + 512 + 40, 0, VPC_UUID_SIZE);
    add_locator("MacX", "file:///dev/volume", false);
    open_it();
    check_names(expected, 2);
    assert_string_equal(layer.backing_format, "raw");
}

/* The bitmap of a block is read once, however many runs of sectors it has. */
static void test_tables_are_read_once(void **state)
{
    uint64_t offset = 0;
    unsigned extents = 0;

    (void)state;
    set_name("base");
    for (size_t i = 0; i < BLOCKS; i++)
        memset(file + DATA + i * (512 + BLOCK), 0xaa, BLOCK / 512 / 8);
    open_it();
    memory.rest_calls = 0;
    while (offset < layer.size) {
        struct error error = ERROR_INIT;
        struct extent e;

        test_case("offset %llu", (unsigned long long)offset);
        assert_int_equal(
            layer.ops->map(&layer, offset, layer.size - offset, &e, &error), 0);
        assert_int_equal(e.length, 512);
        assert_int_equal(e.kind,
                         extents++ % 2 ? EXTENT_UNALLOCATED : EXTENT_DATA);
        offset += e.length;
    }
    assert_int_equal(extents, BLOCKS * BLOCK / 512);
    assert_int_equal(memory.rest_calls, BLOCKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, begin, close_it),
        cmocka_unit_test_setup_teardown(test_names_that_are_the_same, begin,
                                        close_it),
        cmocka_unit_test_setup_teardown(test_too_many_names, begin, close_it),
        cmocka_unit_test_setup_teardown(test_raw, begin, close_it),
        cmocka_unit_test_setup_teardown(test_tables_are_read_once, begin,
                                        close_it),
    };

    return RUN_TESTS(tests, NULL, NULL);
}

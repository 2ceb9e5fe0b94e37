/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/parse-sum.h"
#include "cli/sum-tag.h"
#include "common/array.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX "00112233445566778899aabbccddeeff"

/* Parse a text; len of it, or all when that is 0. */
static int parse(const char *text, size_t len, struct sum_spacing *spacing,
                 struct sum *sum)
{
    const char *why = NULL;
    char *line;
    int err;

    len = len ? len : strlen(text);
    line = malloc(len + 1);
    assert_non_null(line);
    memcpy(line, text, len);
    line[len] = 0;
    err = sum_parse(line, len, spacing, sum, &why);
    free(line);
    if (err)
        assert_non_null(why);
    return err;
}

static const struct {
    const char *text;
    const char *name; /* NULL: it is no line */
    const char *digest;
    size_t block_size;
} lines[] = {
    { HEX "  disk", "disk", "", 0 },
    { HEX " *disk", "disk", "", 0 },
    { HEX "\t disk", "disk", "", 0 },
    { " \t" HEX "  disk", "disk", "", 0 },
    { HEX "   two words ", " two words ", "", 0 },
    { HEX " disk", "disk", "", 0 },
    { HEX "  ", " ", "", 0 },
    { HEX "  a\\b", "a\\b", "", 0 },
    { "\\" HEX "  a\\\\b\\nc\\rd", "a\\b\nc\rd", "", 0 },
    { "\\" HEX "  a\\tb", NULL, NULL, 0 },
    { "\\" HEX "  a\\", NULL, NULL, 0 },
    { HEX "  \xff\x80", "\xff\x80", "", 0 },
    { "", NULL, NULL, 0 },
    { "\\", NULL, NULL, 0 },
    { "  disk", NULL, NULL, 0 },
    { HEX, NULL, NULL, 0 },
    { HEX " ", NULL, NULL, 0 },
    { HEX "0  odd", NULL, NULL, 0 },
    { HEX HEX HEX HEX HEX "  long", NULL, NULL, 0 },
    { HEX "x  disk", NULL, NULL, 0 },

    { "BLKHASH-SHA256-64K (disk) = " HEX, "disk", "sha256", 65536 },
    { "BLKHASH-SHA3-256-1M (disk) = " HEX, "disk", "sha3-256", 1 << 20 },
    { "BLKHASH-MD5-512(disk)=" HEX, "disk", "md5", 512 },
    { "BLKHASH-MD5-512 (a) = (b)) = " HEX, "a) = (b)", "md5", 512 },
    { "BLKHASH-MD5-512 () = " HEX, "", "md5", 512 },
    { "\\BLKHASH-MD5-512 (a\\nb) = " HEX, "a\nb", "md5", 512 },
    { "BLKHASH-MD5-512 (a\\nb) = " HEX, "a\\nb", "md5", 512 },
    { "BLKHASH-MD5-0 (disk) = " HEX, NULL, NULL, 0 },
    { "BLKHASH-MD5-17M (disk) = " HEX, NULL, NULL, 0 },
    { "BLKHASH-MD5 (disk) = " HEX, NULL, NULL, 0 },
    { "BLKHASH--512 (disk) = " HEX, NULL, NULL, 0 },
    { "BLKHASH-MD5-512 (disk) " HEX, NULL, NULL, 0 },
    { "BLKHASH-MD5-512 (disk) = " HEX " ", NULL, NULL, 0 },
    { "BLKHASH-MD5-512 (disk = " HEX, NULL, NULL, 0 },
    { "BLKHASH-MD5-512 )disk( = " HEX, NULL, NULL, 0 },
    { "BLKHASH-MD5-512 (disk) = ", NULL, NULL, 0 },
    { "BLKHASH-", NULL, NULL, 0 },
    { "BLKHASH-MD5-512  (disk) = " HEX, NULL, NULL, 0 },
    { "BLKHASH-MD5-512 1 (disk) = " HEX, NULL, NULL, 0 },

    { "SHA256 (disk) = " HEX, "disk", "sha256", 0 },
    { "SHA2-256(disk)= " HEX, "disk", "sha2-256", 0 },
    { "SHA512/256 (a (b) = c) = " HEX, "a (b) = c", "sha512-256", 0 },
    { "\\BLAKE2b (a\\nb) = " HEX, "a\nb", "blake2b512", 0 },
    { "BLAKE2b-512 (disk) = " HEX, "disk", "blake2b-512", 0 },
    { "BLAKE2b-256 (disk) = " HEX, NULL, NULL, 0 },
    { "HMAC-MD5(disk)= " HEX, "disk", "hmac-md5", 0 },
    { "SHA_256 (disk) = " HEX, NULL, NULL, 0 },
    { "SHA256 (disk) " HEX, NULL, NULL, 0 },
    { "SHA256 (disk) = " HEX "0", NULL, NULL, 0 },
    { "some text (disk) = " HEX, NULL, NULL, 0 },
    { " (disk) = " HEX, NULL, NULL, 0 },
    { "(disk) = " HEX, NULL, NULL, 0 },
    { HEX "  (disk) = " HEX, "(disk) = " HEX, "", 0 },
    { HEX " (disk) = " HEX, "(disk) = " HEX, "", 0 },

    { "{\"filename\":\"disk\",\"checksum\":\"" HEX "\"}", "disk", "", 0 },
    { " { \"algorithm\" : \"SHA256\", \"block-size\" : 4096, \"filename\" : "
      "\"\\u00fc\\n\", \"checksum\" : \"" HEX "\", \"other\" : [1, {}] } ",
      "\xc3\xbc\n", "sha256", 4096 },
    { "{\"filename\":\"?\",\"filename-hex\":\"61ff62\",\"checksum\":\"" HEX
      "\"}",
      "a\xff"
      "b",
      "", 0 },
    { "{\"filename\":\"a\",\"filename-hex\":\"6100\",\"checksum\":\"" HEX "\"}",
      NULL, NULL, 0 },
    { "{\"filename\":\"a\",\"filename-hex\":\"616\",\"checksum\":\"" HEX "\"}",
      NULL, NULL, 0 },
    { "{\"filename\":\"a\",\"filename-hex\":5,\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"a\\u0000b\",\"checksum\":\"" HEX "\"}", NULL, NULL, 0 },
    { "{\"filename\":1,\"checksum\":\"" HEX "\"}", NULL, NULL, 0 },
    { "{\"checksum\":\"" HEX "\"}", NULL, NULL, 0 },
    { "{\"filename\":\"disk\"}", NULL, NULL, 0 },
    { "{\"filename\":\"disk\",\"checksum\":\"xy\"}", NULL, NULL, 0 },
    { "{\"filename\":\"d\",\"construction\":\"merkle\",\"checksum\":\"" HEX
      "\"}",
      NULL, NULL, 0 },
    { "{\"filename\":\"d\",\"construction\":\"plain\",\"algorithm\":\"md5\","
      "\"checksum\":\"" HEX "\"}",
      "d", "md5", 0 },
    { "{\"filename\":\"d\",\"construction\":\"plain\",\"checksum\":\"" HEX
      "\"}",
      NULL, NULL, 0 },
    { "{\"filename\":\"d\",\"construction\":\"plain\",\"algorithm\":\"md5\","
      "\"block-size\":512,\"checksum\":\"" HEX "\"}",
      NULL, NULL, 0 },
    { "{\"filename\":\"d\",\"snapshot\":7,\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"d\",\"snapshot\":\"\",\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"d\",\"snapshot-hex\":\"6100\",\"checksum\":\"" HEX "\"}",
      NULL, NULL, 0 },
    { "{\"filename\":\"d\",\"member\":null,\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"d\",\"offset\":\"512\",\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"d\",\"length\":9223372036854775808,\"checksum\":\"" HEX
      "\"}",
      NULL, NULL, 0 },
    { "{\"filename\":\"d\",\"length\":-512,\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"d\",\"block-size\":-1,\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"d\",\"block-size\":1.5,\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"d\",\"algorithm\":7,\"checksum\":\"" HEX "\"}", NULL,
      NULL, 0 },
    { "{\"filename\":\"d\",\"checksum\":\"" HEX "\"} x", NULL, NULL, 0 },
    { "{\"filename\":\"d\",\"checksum\":\"" HEX "\"", NULL, NULL, 0 },
    { "{\"filename\":\"\xff\",\"checksum\":\"" HEX "\"}", NULL, NULL, 0 },
    { "{", NULL, NULL, 0 },
    { "{}", NULL, NULL, 0 },
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct sum_spacing spacing = { .one = false };
        struct sum sum;
        int err = parse(lines[i].text, 0, &spacing, &sum);

        test_case("%s", lines[i].text);
        if ((err == 0) != (lines[i].name != NULL))
            fail_msg("%s: %d", lines[i].text, err);
        if (!err) {
            assert_string_equal(sum.name, lines[i].name);
            assert_string_equal(sum.digest, lines[i].digest);
            assert_int_equal(sum.block_size, lines[i].block_size);
            assert_int_equal(sum.plain,
                             *lines[i].digest && !lines[i].block_size);
            assert_hex(sum.md, sum.md_len, HEX);
        }
        sum_clear(&sum);
    }
}

/* Tags of parts of an image; those that are rightly written come back as they
 * were. */
static const struct {
    const char *tag;
    bool valid;
} tags[] = {
    { "BLKHASH-SHA256-64K snapshot=s1", true },
    { "BLKHASH-SHA256-64K snapshot=a%20b%28%29%3D%0A%C3%BC%25 member=x/y.vmdk "
      "offset=1048576 length=512",
      true },
    { "SHA512 member=a:b@c+d-e_f offset=0", true },
    { "BLAKE2b length=9223372036854775807", true },
    { "SHA512/224 offset=1", true },
    { "BLKHASH-MD5-512 offset=9223372036854775808", false },
    { "BLKHASH-MD5-512 offset=18446744073709551616", false },
    { "MD5 snapshot=", false },
    { "MD5 snapshot", false },
    { "MD5 snapshot=a=b", false },
    { "MD5 snapshot=%", false },
    { "MD5 snapshot=%4", false },
    { "MD5 snapshot=%4g", false },
    { "MD5 snapshot=a%00", false },
    { "MD5 snapshot=\xc3\xbc", false },
    { "MD5 snapshot=s snapshot=s", false },
    { "MD5 offset=512 member=m", false },
    { "MD5 Offset=512", false },
    { "MD5 offset=512k", false },
    { "MD5 offset=", false },
    { "MD5 offset=-1", false },
    { "MD5 offset=0x10", false },
    { "MD5 length=512 shard=1", false },
    { "MD5  length=512", false },
    { "MD5 length=512 ", false },
};

static void test_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        struct sum_spacing spacing = { .one = false };
        char line[256], *written;
        struct sum sum;
        size_t len;
        FILE *f;

        test_case("%s", tags[i].tag);
        snprintf(line, sizeof(line), "%s (disk) = " HEX, tags[i].tag);
        if (parse(line, 0, &spacing, &sum) != (tags[i].valid ? 0 : EINVAL))
            fail();
        if (tags[i].valid) {
            f = open_memstream(&written, &len);
            assert_non_null(f);
            sum_tag_write(f, sum.digest, sum.block_size, &sum.part);
            assert_int_equal(fclose(f), 0);
            assert_string_equal(written, tags[i].tag);
            free(written);
        }
        sum_clear(&sum);
    }
}

static void test_case_of_hex(void **state)
{
    struct sum_spacing spacing = { .one = false };
    struct sum sum;

    (void)state;
    assert_int_equal(parse("AbCd  x", 0, &spacing, &sum), 0);
    assert_hex(sum.md, sum.md_len, "abcd");
    sum_clear(&sum);
}

/* What --json writes for an image that failed is a line, without a checksum. */
static void test_failed_image(void **state)
{
    struct sum_spacing spacing = { .one = false };
    struct sum sum;

    (void)state;
    assert_int_equal(parse("{\"filename\":\"disk\",\"error\":\"disk: gone\"}",
                           0, &spacing, &sum),
                     0);
    assert_string_equal(sum.name, "disk");
    assert_int_equal(sum.md_len, 0);
    sum_clear(&sum);
}

static void test_nul(void **state)
{
    static const char text[] = HEX "  di\0sk";
    struct sum_spacing spacing = { .one = false };
    struct sum sum;

    (void)state;
    assert_int_equal(parse(text, sizeof(text) - 1, &spacing, &sum), EINVAL);
    sum_clear(&sum);
}

/* The first line decides whether one blank stands before the names. */
static void test_spacing_is_not_mixed(void **state)
{
    struct sum_spacing one = { .one = false }, two = { .one = false };
    struct sum sum;

    (void)state;
    assert_int_equal(parse(HEX "  disk", 0, &two, &sum), 0);
    sum_clear(&sum);
    assert_int_equal(parse(HEX " disk", 0, &two, &sum), EINVAL);
    sum_clear(&sum);

    assert_int_equal(parse(HEX " disk", 0, &one, &sum), 0);
    sum_clear(&sum);
    assert_int_equal(parse(HEX "  disk", 0, &one, &sum), 0);
    assert_string_equal(sum.name, " disk");
    sum_clear(&sum);
}

/* Lines with a byte changed, cut short, or of any bytes. */
static void test_garbage(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50000; i++) {
        struct sum_spacing spacing = { .one = random_number() % 4 == 0 };
        char text[1024];
        struct sum sum;
        size_t len;

        if (random_number() % 4)
            snprintf(text, sizeof(text), "%s",
                     lines[random_number() % ARRAY_SIZE(lines)].text);
        else
            snprintf(text, sizeof(text), "%s (disk) = " HEX,
                     tags[random_number() % ARRAY_SIZE(tags)].tag);
        len = strlen(text);

        for (unsigned j = random_number() % 4; j && len; j--)
            text[random_number() % len] = (char)random_number();
        if (random_number() % 4 == 0 && len)
            len = random_number() % len;
        test_case("line %u: '%s'", i, text);
        if (len == 0)
            continue;
        if (parse(text, len, &spacing, &sum) == 0) {
            assert_non_null(sum.name);
            assert_in_range(sum.md_len, 0, BLKHASH_MAX_MD_SIZE);
        }
        sum_clear(&sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_case_of_hex),
        cmocka_unit_test(test_failed_image),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_spacing_is_not_mixed),
        cmocka_unit_test(test_garbage),
    };

    return RUN_TESTS(tests, NULL, NULL);
}

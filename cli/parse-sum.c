/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/parse-sum.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cli/json-sum.h"
#include "cli/sum.h"
#include "common/units.h"

/* The bytes of a checksum of md5sum. */
#define SHORTEST_MD 16

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Undo the escapes of sums_write(), in place. */
static bool unescape(char *name)
{
    char *to = name;

    for (const char *from = name; *from; from++) {
        char c = *from;

        if (c == '\\') {
            c = *++from;
            if (c == 'n')
                c = '\n';
            else if (c == 'r')
                c = '\r';
            else if (c != '\\')
                return false;
        }
        *to++ = c;
    }
    *to = 0;
    return true;
}

static int set_name(struct sum *sum, char *name, bool escaped, const char **why)
{
    if (escaped && !unescape(name)) {
        *why = "unknown escape in the name";
        return EINVAL;
    }
    sum->name = strdup(name);
    return sum->name ? 0 : ENOMEM;
}

/* "SHA256-64K": the digest, and the block size after the last hyphen. */
static bool parse_tag(const char *tag, struct sum *sum)
{
    const char *hyphen = strrchr(tag, '-');
    uint64_t size;
    size_t len;

    if (!hyphen || hyphen == tag || parse_size(hyphen + 1, &size) != 0 ||
        size == 0 || size > BLKHASH_MAX_BLOCK_SIZE)
        return false;
    len = hyphen - tag;
    if (len >= sizeof(sum->digest))
        return false;
    for (size_t i = 0; i < len; i++)
        sum->digest[i] = tolower((unsigned char)tag[i]);
    sum->digest[len] = 0;
    sum->block_size = size;
    return true;
}

/* "SHA256-64K (name) = hex". There is no parenthesis after the name, so the
 * last one ends it, whatever the name has. */
static int parse_tagged(char *text, bool escaped, struct sum *sum,
                        const char **why)
{
    char *open = strchr(text, '(');
    char *close = strrchr(text, ')');
    char *tag_end = open;
    char *hex;

    *why = "not in the format of --tag";
    if (!open || !close || close < open)
        return EINVAL;
    if (tag_end > text && tag_end[-1] == ' ')
        tag_end--;
    *tag_end = 0;
    *close = 0;
    for (hex = close + 1; is_blank(*hex); hex++)
        ;
    if (*hex++ != '=' || !parse_tag(text, sum))
        return EINVAL;
    while (is_blank(*hex))
        hex++;
    sum->md_len = sum_parse_hex(hex, sum->md, sizeof(sum->md));
    if (!sum->md_len)
        return EINVAL;
    return set_name(sum, open + 1, escaped, why);
}

/* "hex  name", "hex *name", or BSD's "hex name". */
static int parse_plain(char *text, bool escaped, struct sum_spacing *spacing,
                       struct sum *sum, const char **why)
{
    char *rest = text + strcspn(text, " \t");

    *why = "no checksum followed by a name";
    if (!*rest || !rest[1])
        return EINVAL;
    *rest++ = 0;
    sum->md_len = sum_parse_hex(text, sum->md, sizeof(sum->md));
    if (!sum->md_len)
        return EINVAL;
    sum->foreign = sum->md_len >= SHORTEST_MD;
    if (!rest[1] || (*rest != ' ' && *rest != '*')) {
        *why = "one blank before the name, but two in earlier lines";
        if (spacing->two)
            return EINVAL;
        spacing->one = true;
    } else if (!spacing->one) {
        spacing->two = true;
        rest++;
    }
    return set_name(sum, rest, escaped, why);
}

/* The tags of sha256sum, md5sum and the like. */
static bool is_foreign_tag(const char *text)
{
    size_t len = strcspn(text, " (");

    return strncmp(text + len, " (", 2) == 0 && strstr(text + len, ") = ");
}

int sum_parse(char *line, size_t len, struct sum_spacing *spacing,
              struct sum *sum, const char **why)
{
    char *text = line;
    bool escaped;

    *sum = (struct sum){ .md_len = 0 };
    if (strlen(line) != len) {
        *why = "contains a NUL byte";
        return EINVAL;
    }
    while (is_blank(*text))
        text++;
    if (*text == '{')
        return json_parse_sum(text, sum, why);
    escaped = *text == '\\';
    if (escaped)
        text++;
    if (strncmp(text, SUM_TAG, strlen(SUM_TAG)) == 0)
        return parse_tagged(text + strlen(SUM_TAG), escaped, sum, why);
    if (is_foreign_tag(text)) {
        sum->foreign = true;
        *why = "not a checksum of disksum";
        return EINVAL;
    }
    return parse_plain(text, escaped, spacing, sum, why);
}

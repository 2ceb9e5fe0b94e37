/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/parse-sum.h"

#include <errno.h>
#include <string.h>

#include "cli/json-sum.h"
#include "cli/sum-tag.h"
#include "common/hex.h"

/* The bytes of a checksum of md5sum. */
#define SHORTEST_MD 16

#define HEX_DIGITS "0123456789abcdefABCDEF"

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

/* "TAG (name) = hex", and without blanks, as openssl has it. There is no
 * parenthesis in a tag, nor after the name, whatever the name has. */
static int parse_tagged(char *text, bool escaped, struct sum *sum,
                        const char **why)
{
    char *open = strchr(text, '(');
    char *close = strrchr(text, ')');
    char *tag_end = open;
    char *hex;
    int err;

    *why = "not in the format of --tag";
    if (!open || !close || close < open)
        return EINVAL;
    if (tag_end > text && tag_end[-1] == ' ')
        tag_end--;
    *tag_end = 0;
    *close = 0;
    for (hex = close + 1; is_blank(*hex); hex++)
        ;
    if (*hex++ != '=')
        return EINVAL;
    while (is_blank(*hex))
        hex++;
    sum->md_len = hex_parse(hex, sum->md, sizeof(sum->md));
    if (!sum->md_len)
        return EINVAL;
    err = sum_tag_parse(text, sum, why);
    return err ? err : set_name(sum, open + 1, escaped, why);
}

/* "hex  name", "hex *name", or BSD's "hex name". */
static int parse_untagged(char *text, bool escaped, struct sum_spacing *spacing,
                          struct sum *sum, const char **why)
{
    char *rest = text + strcspn(text, " \t");

    *why = "no checksum followed by a name";
    if (!*rest || !rest[1])
        return EINVAL;
    *rest++ = 0;
    sum->md_len = hex_parse(text, sum->md, sizeof(sum->md));
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

bool sum_is_tagged(const char *text)
{
    size_t len = strcspn(text, "\n");
    const char *open = memchr(text, '(', len);
    const char *close = memrchr(text, ')', len);

    if (strncmp(text, SUM_TAG, strlen(SUM_TAG)) == 0)
        return true;
    if (!open || !close || close < open ||
        strspn(text, HEX_DIGITS) == strcspn(text, " \t("))
        return false;
    for (close++; is_blank(*close); close++)
        ;
    return *close == '=';
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
    return sum_is_tagged(text)
               ? parse_tagged(text, escaped, sum, why)
               : parse_untagged(text, escaped, spacing, sum, why);
}

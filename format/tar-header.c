/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/tar-header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the fixed header --------------------------------------------------- */

/* Read octal digits, between spaces, up to a NUL or the end of the field. */
static bool get_octal(const unsigned char *field, size_t len, uint64_t *number)
{
    uint64_t n = 0;
    size_t i = 0, first;

    while (i < len && field[i] == ' ')
        i++;
    for (first = i; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
        if (n > INT64_MAX >> 3)
            return false;
        n = n << 3 | (field[i] - '0');
    }
    *number = n;
    /* An empty field is 0, as in tar. */
    return i == len ||
           ((first < i || field[i] == 0) && (field[i] == ' ' || field[i] == 0));
}

bool tar_checksum_is_right(const unsigned char *header)
{
    uint64_t expected;
    int64_t sum = 0, signed_sum = 0;

    for (int i = 0; i < TAR_HEADER_SIZE; i++) {
        bool is_checksum =
            i >= TAR_CHECKSUM && i < TAR_CHECKSUM + TAR_CHECKSUM_SIZE;
        unsigned char byte = is_checksum ? ' ' : header[i];

        sum += byte;
        signed_sum += (signed char)byte;
    }
    return get_octal(header + TAR_CHECKSUM, TAR_CHECKSUM_SIZE, &expected) &&
           ((int64_t)expected == sum || (int64_t)expected == signed_sum);
}

bool tar_get_size(const unsigned char *header, uint64_t *size)
{
    const unsigned char *field = header + TAR_SIZE;
    uint64_t n = 0;

    if (!(field[0] & 0x80))
        return get_octal(field, TAR_NUMBER_SIZE, size);
    /* 0xff begins a negative number. */
    for (int i = 0; i < TAR_NUMBER_SIZE; i++) {
        if (n > INT64_MAX >> 8)
            return false;
        n = n << 8 | (i ? field[i] : field[i] & 0x7f);
    }
    *size = n;
    return true;
}

char *tar_get_name(const unsigned char *header)
{
    const char *name = (const char *)header + TAR_NAME;
    const char *prefix = (const char *)header + TAR_PREFIX;
    int name_len = strnlen(name, TAR_NAME_SIZE);
    int prefix_len = strnlen(prefix, TAR_PREFIX_SIZE);
    char *text;

    /* GNU has other fields in the place of the prefix. */
    if (memcmp(header + TAR_MAGIC, "ustar", sizeof("ustar")) != 0)
        prefix_len = 0;
    if (asprintf(&text, "%.*s%s%.*s", prefix_len, prefix, prefix_len ? "/" : "",
                 name_len, name) < 0)
        return NULL;
    return text;
}

bool tar_has_bytes(unsigned char type)
{
    return type < '1' || type > '6';
}

const char *tar_type_unreadable(unsigned char type)
{
    switch (type) {
    case 0:
    case '0':
    case '7': /* contiguous: a regular file */
        return NULL;
    case '1':
        return "is a hard link to another member";
    case '2':
        return "is a symbolic link";
    case '3':
    case '4':
        return "is a device";
    case '5':
        return "is a directory";
    case '6':
        return "is a FIFO";
    case TAR_TYPE_SPARSE:
        return "is stored without its holes; extract it first";
    default:
        return "is not a regular file";
    }
}

bool tar_probe(const unsigned char *start, size_t len)
{
    /* Both that of POSIX and that of GNU. */
    return len >= TAR_HEADER_SIZE &&
           memcmp(start + TAR_MAGIC, "ustar", strlen("ustar")) == 0 &&
           tar_checksum_is_right(start);
}

bool tar_is_ova(const unsigned char *start, size_t len)
{
    size_t n = tar_probe(start, len)
                   ? strnlen((const char *)start + TAR_NAME, TAR_NAME_SIZE)
                   : 0;

    return n > 4 && memcmp(start + TAR_NAME + n - 4, ".ovf", 4) == 0;
}

/* --- pax ---------------------------------------------------------------- */

void tar_pax_clear(struct tar_pax *pax)
{
    free(pax->path);
    *pax = (struct tar_pax){ .path = NULL };
}

int tar_pax_copy(struct tar_pax *to, const struct tar_pax *from)
{
    tar_pax_clear(to);
    *to = *from;
    if (from->path)
        to->path = strdup(from->path);
    return from->path && !to->path ? ENOMEM : 0;
}

/* Read decimal digits. */
static bool get_decimal(const char *text, size_t len, uint64_t *number)
{
    uint64_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)text[i] - '0';

        if (digit > 9 || n > (UINT64_C(0) + INT64_MAX - digit) / 10)
            return false;
        n = 10 * n + digit;
    }
    *number = n;
    return len > 0;
}

static bool is_key(const char *key, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(key, name, len) == 0;
}

/* An empty value takes back what a global header says. */
static int set_record(struct tar_pax *pax, const char *key, size_t key_len,
                      const char *value, size_t len)
{
    static const char sparse[] = "GNU.sparse.";
    bool is_sparse_name = is_key(key, key_len, "GNU.sparse.name");

    if (key_len >= sizeof(sparse) - 1 &&
        memcmp(key, sparse, sizeof(sparse) - 1) == 0)
        pax->is_sparse = true;
    if (is_key(key, key_len, "size")) {
        pax->has_size = len > 0;
        return len == 0 || get_decimal(value, len, &pax->size) ? 0 : EINVAL;
    }
    /* A sparse member has its name in the one, and another one in its path. */
    if (!is_sparse_name &&
        (!is_key(key, key_len, "path") || pax->has_sparse_name))
        return 0;
    pax->has_sparse_name = is_sparse_name;
    if (memchr(value, 0, len))
        return EINVAL;
    free(pax->path);
    pax->path = len ? strndup(value, len) : NULL;
    return len && !pax->path ? ENOMEM : 0;
}

/* Each record is "LENGTH KEY=VALUE\n", with the length of all of it. */
int tar_pax_read(struct tar_pax *pax, char *text, size_t len)
{
    while (len > 0) {
        char *space = memchr(text, ' ', len);
        uint64_t size;
        char *key, *equals;
        int err;

        if (!space || !get_decimal(text, space - text, &size) || size > len ||
            size < (size_t)(space - text) + 2 || text[size - 1] != '\n')
            return EINVAL;
        key = space + 1;
        equals = memchr(key, '=', text + size - key);
        if (!equals)
            return EINVAL;
        err = set_record(pax, key, equals - key, equals + 1,
                         text + size - 1 - (equals + 1));
        if (err)
            return err;
        text += size;
        len -= size;
    }
    return 0;
}

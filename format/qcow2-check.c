/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits of tables, and the message when an image breaks one: for all that
 * reads a part of a qcow2 image.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "common/bytes.h"
#include "format/qcow2.h"

int qcow2_broken(const struct qcow2 *q, int code, struct error *error,
                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    layer_broken(q->layer, "qcow2", code, error, format, args);
    va_end(args);
    return code;
}

int qcow2_check_table(const struct qcow2 *q, const char *what, uint64_t offset,
                      uint64_t count, size_t entry_size, uint64_t max_size,
                      struct error *error)
{
    if (count > max_size / entry_size)
        return qcow2_broken(q, EFBIG, error,
                            "the %s is too large: %" PRIu64 " entries", what,
                            count);
    if (sum_exceeds(offset, count * entry_size,
                    count ? QCOW2_MAX_OFFSET : INT64_MAX) ||
        offset % q->cluster_size != 0)
        return qcow2_broken(q, EINVAL, error,
                            "the %s has an invalid offset: %" PRIu64, what,
                            offset);
    return 0;
}

int qcow2_check_l1(const struct qcow2 *q, const char *what, uint64_t offset,
                   uint64_t count, struct error *error)
{
    return qcow2_check_table(q, what, offset, count, sizeof(uint64_t),
                             QCOW2_MAX_L1_SIZE, error);
}

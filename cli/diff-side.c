/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/diff-side.h"

#include <errno.h>
#include <string.h>

#include "cli/diff-kind.h"
#include "cli/identity.h"
#include "cli/input.h"
#include "cli/message.h"
#include "cli/sum-part.h"
#include "image/image.h"
#include "list/header.h"

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Check that a list is that of the part which the options choose. */
static int check_part(const struct list_input *list, const struct options *o,
                      struct error *error)
{
    const struct list_header *header = list_reader_header(list->reader);
    const char *name = list_reader_name(list->reader);
    const struct identity_source source = { name, header->source,
                                            header->source_len };
    const struct image_options *wanted = &o->image;
    struct sum_part part;
    bool same;

    if (identity_source_part(&source, &part))
        return error_no_memory(error, name);
    same = same_text(part.member, wanted->member) &&
           part.offset == wanted->offset &&
           part.has_length == wanted->has_length &&
           part.length == wanted->length;
    sum_part_clear(&part);
    if (same)
        return 0;
    return error_set(error, EINVAL,
                     "%s: is not the digest list of this part; the %s option "
                     "requires that, or two images",
                     name, o->part_option);
}

int diff_side_open(struct diff_side *side, const struct options *o,
                   char *const names[2], int n, struct error *error)
{
    char *name = names[n];
    int err;

    *side = (struct diff_side){ .name = name, .list = { .fd = -1 } };
    message_know_name(name);
    err = diff_kind(o, names, n, &side->is_list, error);
    if (err)
        return err;
    if (!side->is_list)
        return input_open(o, name, &side->input, error);
    err = list_input_open(&side->list, o, name, error);
    if (!err && o->part_option)
        err = check_part(&side->list, o, error);
    if (!err && list_reader_header(side->list.reader)->first_block)
        err = error_set(error, EINVAL,
                        "%s: has only a part of the disk; put the parts "
                        "together first (--merge)",
                        name);
    return err;
}

void diff_side_close(struct diff_side *side)
{
    if (side->is_list)
        list_input_close(&side->list);
    else
        image_close(side->input.image);
}

void diff_side_warn(struct diff_side *side, const struct options *o)
{
    side->warnings = input_warn(o, side->input.image, side->warnings);
}

bool diff_side_length(const struct diff_side *side, uint64_t *length)
{
    if (side->is_list)
        *length = list_reader_header(side->list.reader)->length;
    else
        *length =
            side->input.image ? side->input.image->size : LIST_LENGTH_UNKNOWN;
    return *length != LIST_LENGTH_UNKNOWN;
}

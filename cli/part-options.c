/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/part-options.h"

#include <stdint.h>

#include "cli/message.h"
#include "cli/option-value.h"
#include "common/array.h"

enum options_result offset_option(struct options *o, char *argument)
{
    o->part_option = "--offset";
    return option_size("offset", argument, 0, INT64_MAX, &o->image.offset);
}

enum options_result length_option(struct options *o, char *argument)
{
    o->part_option = "--length";
    o->image.has_length = true;
    return option_size("length", argument, 0, INT64_MAX, &o->image.length);
}

enum options_result member_option(struct options *o, char *argument)
{
    o->part_option = "--member";
    o->image.member = argument;
    return OPTIONS_RUN;
}

/* A list is that of a whole disk, and what has changed in it has offsets on
 * that disk. */
bool part_options_verify(const struct options *o)
{
    const struct {
        const char *name;
        bool given;
    } others[] = {
        { "--show", o->digest_list.show },
        { "--merge", o->digest_list.merge },
        { "--base", o->digest_list.base },
    };

    for (size_t i = 0; o->part_option && i < ARRAY_SIZE(others); i++) {
        if (others[i].given) {
            usage_message("the %s and %s options are mutually exclusive",
                          o->part_option, others[i].name);
            return false;
        }
    }
    if (o->image.member && o->image.image_opts) {
        usage_message("the --member and --image-opts options are mutually "
                      "exclusive");
        return false;
    }
    return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/null-digest.h"

#include <stddef.h>
#include <strings.h>

#include "cli/message.h"
#include "common/array.h"

bool is_null_digest(const char *name)
{
    return strcasecmp(name, "null") == 0;
}

static bool is_chosen(const struct engine_options *e)
{
    for (unsigned i = 0; i < e->hash_count; i++) {
        if (is_null_digest(e->hashes[i].digest))
            return true;
    }
    return false;
}

bool null_digest_verify(const struct options *o)
{
    const struct {
        const char *name;
        bool given;
    } others[] = {
        { "--check", o->list.check },
        { "--expect", o->expected.hex },
        { "--write-list", o->digest_list.write },
        { "--base", o->digest_list.base },
        { "--diff", o->digest_list.diff },
        { "--show", o->digest_list.show },
        { "--merge", o->digest_list.merge },
    };

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (!others[i].given || !is_chosen(&o->engine))
            continue;
        usage_message("the digest null computes nothing, so it cannot be used "
                      "with the %s option",
                      others[i].name);
        return false;
    }
    return true;
}

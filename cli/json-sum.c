/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json-sum.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "common/hex.h"
#include "common/mask.h"

/* The digest of the digests of blocks, and that of all bytes in one stream. */
#define BLKHASH "blkhash"
#define PLAIN "plain"

/* --- writing ------------------------------------------------------------ */

static bool add_digest(struct json_object *object, const char *digest)
{
    char lower[SUM_DIGEST_SIZE];
    size_t i;

    for (i = 0; i < sizeof(lower) - 1 && digest[i]; i++)
        lower[i] = tolower((unsigned char)digest[i]);
    lower[i] = 0;
    return json_add_text(object, "algorithm", lower);
}

static bool add_checksum(struct json_object *object, const unsigned char *md,
                         unsigned md_len)
{
    return md_len == 0 || json_add_hex(object, "checksum", md, md_len);
}

/* What was computed, with which result. */
static bool add_sum(struct json_object *object, const struct sums_line *line)
{
    bool plain = line->block_size == 0;

    return json_add_text(object, "construction", plain ? PLAIN : BLKHASH) &&
           add_digest(object, line->digest) &&
           (plain || json_add_number(object, "block-size", line->block_size)) &&
           add_checksum(object, line->md, line->md_len);
}

bool json_add_line(struct json_object *object, const struct sums_line *line,
                   uint64_t length)
{
    return json_add_name(object, "filename", line->name) &&
           sum_part_add(object, &line->part) &&
           json_add_number(object, "virtual-size", length) &&
           add_sum(object, line);
}

bool json_write_line(FILE *f, const struct sums_line *line, uint64_t length)
{
    struct json_object *object = json_new();
    bool ok =
        object && json_add_line(object, line, length) && json_write(f, object);

    json_free(object);
    return ok;
}

/* The files below an image, from the top down. */
static bool add_chain(struct json_object *object, const struct image *image)
{
    struct json_object *chain = json_add_array(object, "backing-chain");
    struct image_layer layer;

    if (!chain)
        return false;
    for (size_t i = 1; image && image_layer(image, i, &layer); i++) {
        struct json_object *below = json_append_object(chain);

        if (!below || !json_add_name(below, "filename", layer.name) ||
            !json_add_text(below, "format", layer.format))
            return false;
    }
    return true;
}

/* What the user expects of this digest. */
static bool add_expected(struct json_object *object, const struct options *o,
                         const struct checksum *c, unsigned hash)
{
    const struct expected_sum *e = &o->expected;

    if (!e->hex || e->hash != hash)
        return true;
    return json_add_hex(object, "expected", e->md, e->md_len) &&
           json_add_bool(object, "matches", c->matches);
}

static bool add_result(struct json_object *object, const struct options *o,
                       const struct checksum *c, const struct sums_line *line)
{
    const struct image *image = c->input.image;
    const struct engine_result *r = &c->result;

    return json_add_text(object, "format", image ? image->format : "raw") &&
           json_add_number(object, "virtual-size", r->length) &&
           add_sum(object, line) && add_expected(object, o, c, line->hash) &&
           add_chain(object, image) &&
           (!o->digest_list.write || line->hash > 0 ||
            json_add_name(object, "list", o->digest_list.write)) &&
           json_add_number(object, "data", r->counts.data) &&
           json_add_number(object, "zero", r->counts.zero) &&
           json_add_number(object, "hole", r->counts.hole) &&
           json_add_number(object, "known", r->counts.known) &&
           json_add_number(object, "read", r->counts.read) &&
           json_add_seconds(object, "seconds", c->seconds);
}

static bool add_error(struct json_object *object, const struct checksum *c)
{
    char *text = mask_text(error_message(&c->error), c->name);
    bool ok = text && json_add_text(object, "error", text);

    free(text);
    return ok;
}

bool json_write_sum(FILE *f, const struct options *o, const struct checksum *c,
                    const struct sums_line *line)
{
    struct json_object *object = json_new();
    bool ok = object && json_add_name(object, "filename", c->name) &&
              sum_part_add(object, &line->part) &&
              (c->error.code ? add_error(object, c)
                             : add_result(object, o, c, line)) &&
              json_write(f, object);

    json_free(object);
    return ok;
}

/* --- reading ------------------------------------------------------------ */

static int get_name(struct json_object *object, struct sum *sum,
                    const char **why)
{
    int err = json_get_bytes(object, "filename", &sum->name);

    *why = err && json_has(object, "filename-hex") ? "invalid filename-hex"
                                                   : "no filename";
    return err || sum->name ? err : EINVAL;
}

static bool get_digest(struct json_object *object, struct sum *sum)
{
    const char *digest = json_get_text(object, "algorithm");

    if (!digest)
        return !sum->plain && !json_has(object, "algorithm");
    if (!*digest || strlen(digest) >= sizeof(sum->digest))
        return false;
    for (size_t i = 0; digest[i]; i++)
        sum->digest[i] = tolower((unsigned char)digest[i]);
    return true;
}

static bool get_block_size(struct json_object *object, struct sum *sum)
{
    uint64_t size;

    if (!json_has(object, "block-size"))
        return true;
    if (sum->plain || !json_get_number(object, "block-size", &size) ||
        size < 1 || size > BLKHASH_MAX_BLOCK_SIZE)
        return false;
    sum->block_size = size;
    return true;
}

static bool get_construction(struct json_object *object, struct sum *sum)
{
    const char *text = json_get_text(object, "construction");

    sum->plain = text && strcmp(text, PLAIN) == 0;
    sum->blocks = text && strcmp(text, BLKHASH) == 0;
    return sum->plain || sum->blocks || !json_has(object, "construction");
}

static int get_sum(struct json_object *object, struct sum *sum,
                   const char **why)
{
    const char *checksum = json_get_text(object, "checksum");
    int err = get_name(object, sum, why);

    if (err)
        return err;
    *why = "invalid part of an image";
    err = sum_part_get(object, &sum->part);
    if (err)
        return err;
    *why = "not in the format of --json";
    if (!checksum && json_get_text(object, "error"))
        return 0;
    if (!get_construction(object, sum))
        *why = "unknown construction";
    else if (checksum && get_digest(object, sum) && get_block_size(object, sum))
        sum->md_len = hex_parse(checksum, sum->md, sizeof(sum->md));
    return sum->md_len ? 0 : EINVAL;
}

int json_parse_sum(const char *text, struct sum *sum, const char **why)
{
    struct json_object *object;
    int err = json_parse(text, strlen(text), &object);

    *why = "not in the format of --json";
    if (err == ENODATA) {
        *why = "the JSON object does not end";
        return EINVAL;
    }
    if (err)
        return err;
    err = json_is_object(object) ? get_sum(object, sum, why) : EINVAL;
    json_free(object);
    return err;
}

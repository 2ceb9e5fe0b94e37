/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list-show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/identity.h"
#include "cli/json-sum.h"
#include "cli/json.h"
#include "cli/list-input.h"
#include "cli/list-ranges.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/sums.h"

/* A list that was read to its end. */
struct shown {
    const char *name;
    struct list_input input;
    const struct list_header *header;
    struct sink_end end;
    uint64_t blocks;
    struct list_ranges ranges; /* for JSON */
    struct sum_part part;      /* of the image that was hashed */
};

static int read_part(struct shown *s, struct error *error)
{
    const struct identity_source source = { s->name, s->header->source,
                                            s->header->source_len };

    return identity_source_part(&source, &s->part)
               ? error_no_memory(error, s->name)
               : 0;
}

static int read_all(struct shown *s, const struct options *o,
                    struct error *error)
{
    struct list_run run;
    int err = list_input_open(&s->input, o, s->name, error);

    if (err)
        return err;
    s->header = list_reader_header(s->input.reader);
    while (!(err = list_reader_next(s->input.reader, 0, &run, error)) &&
           run.blocks) {
        s->blocks += run.blocks;
        if (o->list.json && !list_ranges_add(&s->ranges, run.mds, run.blocks))
            return error_no_memory(error, s->name);
    }
    if (err)
        return err;
    list_reader_end(s->input.reader, &s->end);
    return read_part(s, error);
}

static struct sums_line line_of(const struct shown *s)
{
    return (struct sums_line){
        .name = s->name,
        .part = s->part,
        .digest = s->header->digest,
        .block_size = s->header->block_size,
        .md = s->end.md,
        .md_len = s->end.md_len,
    };
}

/* --- a line ------------------------------------------------------------- */

static int write_line(const struct shown *s, const struct options *o,
                      struct error *error)
{
    const struct sums_line line = line_of(s);

    if (!s->end.md_len)
        return error_set(error, EINVAL,
                         "%s: is the list of a part of a disk, %" PRIu64
                         " blocks from block %" PRIu64
                         " on; it has no checksum",
                         s->name, s->blocks, s->header->first_block);
    sums_write(output(), &o->list, &line);
    return 0;
}

/* --- JSON --------------------------------------------------------------- */

/* Bytes of the disk before a block. The last block may be short. */
static uint64_t bytes_before(const struct shown *s, uint64_t block)
{
    uint64_t size = s->header->block_size;

    return block > s->end.length / size ? s->end.length : block * size;
}

/* What was hashed, as the program recorded it that wrote the list. */
static bool add_source(struct json_object *object, const struct shown *s)
{
    struct json_object *source;
    int err = json_parse(s->header->source, s->header->source_len, &source);

    if (err)
        return err != ENOMEM;
    if (json_add_value(object, "source", source))
        return true;
    json_free(source);
    return false;
}

static bool add_all(struct json_object *object, const struct shown *s)
{
    const struct sums_line line = line_of(s);

    return json_add_line(object, &line, s->end.length) &&
           json_add_number(object, "first-block", s->header->first_block) &&
           json_add_number(object, "blocks", s->blocks) &&
           add_source(object, s);
}

/* There may be too many ranges for objects in memory. */
static void write_ranges(FILE *f, const struct shown *s)
{
    uint64_t block = s->header->first_block;
    const char *before = "";

    for (size_t n = 0; n < s->ranges.count; n++) {
        uint64_t start = bytes_before(s, block);
        bool data = n % 2;

        block += s->ranges.blocks[n];
        if (s->ranges.blocks[n] == 0)
            continue;
        fprintf(f,
                "%s{\"start\":%" PRIu64 ",\"length\":%" PRIu64
                ",\"zero\":%s,\"data\":%s}",
                before, start, bytes_before(s, block) - start,
                data ? "false" : "true", data ? "true" : "false");
        before = ",";
    }
}

/* Write the object, and the ranges before its last bracket. */
static bool write_object(const struct shown *s, struct json_object *object)
{
    size_t len;
    char *text = json_to_text(object, &len);

    if (!text)
        return false;
    fwrite(text, 1, len - 1, output());
    fputs(",\"ranges\":[", output());
    write_ranges(output(), s);
    fputs("]}\n", output());
    free(text);
    return true;
}

static int write_json(const struct shown *s, struct error *error)
{
    struct json_object *object = json_new();
    bool ok = object && add_all(object, s) && write_object(s, object);

    json_free(object);
    return ok ? 0 : error_no_memory(error, s->name);
}

/* --- all ---------------------------------------------------------------- */

bool list_show(const struct options *o, const char *name)
{
    struct shown s = { .name = name };
    struct error error = ERROR_INIT;
    int err = read_all(&s, o, &error);

    if (!err)
        err = o->list.json ? write_json(&s, &error) : write_line(&s, o, &error);
    if (err)
        message("%s", error_message(&error));
    error_clear(&error);
    list_ranges_free(&s.ranges);
    sum_part_clear(&s.part);
    list_input_close(&s.input);
    output_flush();
    return !err;
}

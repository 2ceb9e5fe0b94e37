/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list-merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/identity.h"
#include "cli/input.h"
#include "cli/json-sum.h"
#include "cli/list-input.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/sum.h"
#include "cli/sums.h"
#include "list/merge.h"
#include "list/root-sink.h"

struct merge {
    const struct options *o;
    struct list_input *inputs;
    struct list_reader **parts; /* their readers */
    int count;
    struct error unread; /* of the first list that cannot be opened */
    struct sink *root;
    struct sink_end end;
    char *name;                 /* of the image */
    struct sum_part image_part; /* which part of it was hashed */
};

/* Each part is a file that is open: there may be more than a shell allows. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Whether no list can be opened any more. */
static bool is_exhausted(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOMEM;
}

/* Open all lists that can be opened: they say which parts are missing. */
static int open_parts(struct merge *m, char **names, int count,
                      struct error *error)
{
    m->inputs = calloc(count, sizeof(*m->inputs));
    m->parts = calloc(count, sizeof(*m->parts));
    if (!m->inputs || !m->parts) {
        error_no_memory(error, names[0]);
        return ENOMEM; /* the analyzer does not see which value that gives */
    }
    for (int i = 0; i < count; i++) {
        struct list_input *input = &m->inputs[m->count];
        struct error fault = ERROR_INIT;

        if (list_input_open(input, m->o, names[i], &fault)) {
            list_input_close(input);
            error_move(is_exhausted(fault.code) ? error : &m->unread, &fault);
            if (error->code)
                return error->code;
            continue;
        }
        m->parts[m->count++] = input->reader;
    }
    if (m->count == 0)
        error_move(error, &m->unread);
    return error->code;
}

/* --- what the lists say of the image ------------------------------------ */

static struct identity_source source_of(const struct list_reader *list)
{
    const struct list_header *header = list_reader_header(list);

    return (struct identity_source){ list_reader_name(list), header->source,
                                     header->source_len };
}

static int compare(const struct list_reader *a, const struct list_reader *b,
                   struct error *error)
{
    const struct identity_source one = source_of(a), other = source_of(b);

    return identity_compare(&one, &other, error);
}

/* The name of the image of which a list is; NULL: there is none. Returns 0 or
 * ENOMEM. */
static int name_in_list(const struct identity_source *source, char **name)
{
    struct json_object *object;
    int err = json_parse(source->text, source->len, &object);

    *name = NULL;
    if (!err) {
        err = json_get_bytes(object, "filename", name);
        json_free(object);
    }
    if (err || (*name && !**name)) {
        free(*name);
        *name = NULL;
    }
    return err == ENOMEM ? err : 0;
}

/* The name of the image in the first list, and which part of it was hashed. If
 * that does not say it, the name of the list. */
static int find_name(struct merge *m, struct error *error)
{
    const char *name = list_reader_name(m->parts[0]);
    const struct identity_source source = source_of(m->parts[0]);
    int err = name_in_list(&source, &m->name);

    if (!err && !m->name)
        m->name = strdup(name);
    if (!m->name || identity_source_part(&source, &m->image_part))
        return error_no_memory(error, name);
    return 0;
}

/* The parts of an export may be those of several, or from different times. */
static int warn_if_weak(const struct merge *m, struct error *error)
{
    const struct identity_source source = source_of(m->parts[0]);
    bool weak;

    if (m->count == 1 || !input_wants_warnings(m->o))
        return 0;
    if (identity_source_is_weak(&source, &weak))
        return error_no_memory(error, m->name);
    if (weak)
        message(
            "%s: warning: cannot tell whether it changed between the lists, "
            "except in size",
            m->name);
    return 0;
}

/* --- merging ------------------------------------------------------------ */

static int make_root(struct merge *m, struct error *error)
{
    const struct list_header *header = list_reader_header(m->parts[0]);
    int err =
        root_sink_new(header->block_size, header->digest, m->name, &m->root);

    return err ? error_set(error, err, "%s: %s", m->name, strerror(err)) : 0;
}

static int run(struct merge *m, const struct list_merge *of,
               struct list_write *list, struct error *error)
{
    struct sink *sinks[2] = { m->root };
    size_t count = 1;
    int err = 0;

    if (list)
        err = list_write_begin_merge(list, m->o, m->inputs, m->count,
                                     &sinks[count++], error);
    if (!err)
        err = list_merge(of, sinks, count, &m->end, error);
    if (err && list)
        list_write_discard(list);
    if (!err && list)
        err = list_write_end(list, error);
    return err;
}

/* The lists are open, but for those of which there is an error. */
static int merge_open(struct merge *m, struct list_write *list, int named,
                      struct error *error)
{
    const struct list_merge of = {
        .parts = m->parts,
        .count = m->count,
        .named = named,
        .name = m->name,
        .same = compare,
    };

    if (m->unread.code) {
        error_move(error, &m->unread);
        list_merge_explain(&of, error);
        return error->code;
    }
    return run(m, &of, list, error);
}

static int merge(struct merge *m, struct list_write *list, char **names,
                 int count, struct error *error)
{
    int err;

    raise_limit();
    err = open_parts(m, names, count, error);
    if (!err)
        err = find_name(m, error);
    if (!err)
        err = make_root(m, error);
    if (!err)
        err = merge_open(m, list, count, error);
    return err ? err : warn_if_weak(m, error);
}

static bool print(const struct merge *m)
{
    const struct list_header *header = list_reader_header(m->parts[0]);
    const struct sums_line line = {
        .name = m->name,
        .part = m->image_part,
        .digest = header->digest,
        .block_size = header->block_size,
        .md = m->end.md,
        .md_len = m->end.md_len,
    };

    if (m->o->list.json)
        return json_write_line(output(), &line, m->end.length);
    sums_write(output(), &m->o->list, &line);
    return true;
}

static void end(struct merge *m)
{
    for (int i = 0; i < m->count; i++)
        list_input_close(&m->inputs[i]);
    free(m->inputs);
    free(m->parts);
    root_sink_free(m->root);
    error_clear(&m->unread);
    free(m->name);
    sum_part_clear(&m->image_part);
}

bool list_merge_parts(const struct options *o, struct list_write *list,
                      char **names, int count)
{
    struct merge m = { .o = o };
    struct error error = ERROR_INIT;
    int err = merge(&m, list, names, count, &error);

    if (!err && !(list && list_write_is_on_stdout(list)) && !print(&m))
        err = error_no_memory(&error, m.name);
    if (err)
        message("%s", error_message(&error));
    error_clear(&error);
    end(&m);
    output_flush();
    return !err;
}

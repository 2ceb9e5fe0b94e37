/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_LIST_RESUME_H
#define CLI_LIST_RESUME_H

#include "cli/options.h"
#include "cli/whole-file.h"
#include "list/known.h"
#include "list/writer.h"

/*
 * Go on with the list in a part. header is that of a new list: the part must be
 * of the same image. The caller frees the writer, and *known, which has the
 * digests of the part. They are read while others are written, by `again`,
 * another descriptor for the part.
 */
int list_resume(const struct whole_file *file, int again,
                const struct options *o, const struct engine_input *input,
                const struct list_header *header, struct list_writer **writer,
                struct known **known, struct error *error);

#endif

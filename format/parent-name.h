/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names that an image records for its parent. The system that made the
 * image may be another one, where the parent had another path.
 */
#ifndef FORMAT_PARENT_NAME_H
#define FORMAT_PARENT_NAME_H

#include "format/layer.h"

/* Add a path of Unix to the backing names of a layer, unless it is there, or
 * there are enough. Of an absolute path, the last component is added, too: the
 * parent may have come here with the image. */
int parent_name_add(struct layer *layer, const char *path, struct error *error);

/* Add a path of Windows, in which backslashes become slashes. No file here is
 * on a drive or a server of Windows: of such a path, only the last component is
 * added. */
int parent_name_add_windows(struct layer *layer, char *path,
                            struct error *error);

#endif

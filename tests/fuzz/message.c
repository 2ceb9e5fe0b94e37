/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any text as what qemu-nbd prints, which may be full of names that an image
 * records. The first line is the name of the image.
 */
#include "fuzz.h"

#include <string.h>

#include "qemu/message.h"

static void find(const char *text, const char *name, const char *format)
{
    char *copy = strdup(text), *found;

    require(copy);
    found = qemu_message(copy, name, name, format);
    require(!found || !strchr(found, '\n'));
    free(found);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), *messages, *found;

    require(text);
    messages = strchr(text, '\n');
    if (messages) {
        *messages++ = '\0';
        find(messages, text, NULL);
        find(messages, text, "qcow2");
        found = qemu_complaint(messages);
        require(!found || !strchr(found, '\n'));
        free(found);
    }
    free(text);
    return 0;
}

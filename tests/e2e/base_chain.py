# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hash the images of a chain one after the other, each on the list of the one below."""
import json
import pathlib

from oracle import checksum
from qcow2_compare import convert


def hash_on(disksum, image, *options):
    """What --json says of an image, whose list becomes IMAGE.blkhash."""
    done = disksum("--json", f"--write-list={image}.blkhash", *options, image)
    return json.loads(done.stdout)


def on(below):
    """The options that take what is known of an image from its list."""
    return f"--base={below}.blkhash", f"--base-image={below}"


def hash_chain(disksum, images):
    """Hash the images from the base up; what --json says of each."""
    found = [hash_on(disksum, images[0])]
    for below, image in zip(images, images[1:]):
        found.append(hash_on(disksum, image, *on(below)))
    return found


def check_chain(disksum, images, contents):
    """Hash a chain. Each image has the checksum of its bytes, and what is not read was
    known. Returns what --json says."""
    found = hash_chain(disksum, images)
    for image, content, one in zip(images, contents, found):
        full = json.loads(disksum("--json", image).stdout)
        assert one["checksum"] == full["checksum"] == checksum(content), image
        assert sum(one[key] for key in ("data", "zero", "hole", "known")) == \
            one["virtual-size"] == full["virtual-size"]
        list_bytes = pathlib.Path(f"{image}.blkhash").read_bytes()
        assert list_bytes == full_list(disksum, image)
    return found


def full_list(disksum, image):
    """The list of an image that is read as a whole."""
    path = pathlib.Path(f"{image}.full.blkhash")
    disksum(f"--write-list={path}", image)
    return path.read_bytes()


def qemu_content(image, form):
    return convert(image, form=form).read_bytes()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is built and installed, seen from outside."""

import os
import re
import subprocess

import pytest


def run(*command, **kwargs):
    return subprocess.run(list(map(str, command)), check=True,
                          stdout=subprocess.PIPE, **kwargs).stdout.decode()


def declared(root):
    """The functions of blkhash.h."""
    text = re.sub(r"/\*.*?\*/", "", (root / "include/blkhash.h").read_text(),
                  flags=re.S)
    return set(re.findall(r"\b(blkhash_\w+)\(", text))


def test_exported_symbols(build, root):
    out = run("nm", "-D", "--defined-only", build / "libblkhash.so")
    symbols = {line.split()[2] for line in out.splitlines()}
    assert symbols - {"BLKHASH_1.0"} == \
        {name + "@@BLKHASH_1.0" for name in declared(root)} \
        or {s.split("@")[0] for s in symbols} - {"BLKHASH_1.0"} == \
        declared(root)


def test_symbols_are_versioned(build):
    out = run("readelf", "--dyn-syms", "--wide", build / "libblkhash.so")
    lines = [line for line in out.splitlines()
             if "blkhash_new" in line and "UND" not in line]
    assert lines and all("@@BLKHASH_1.0" in line for line in lines)


def test_soname(build):
    assert "libblkhash.so.1]" in run("readelf", "-d", build / "libblkhash.so")


def test_archive_is_polite(build):
    """The static library has no names that a program could have, too."""
    out = run("nm", "-g", "--defined-only", build / "libblkhash.a",
              stderr=subprocess.DEVNULL)
    names = {line.split()[2] for line in out.splitlines()
             if len(line.split()) == 3}
    assert names
    # BLAKE3 has its authors' names.
    assert not {name for name in names
                if not re.match(r"blkhash_|_?blake3_", name)}


def test_command_uses_the_public_library(build):
    out = run("nm", "-D", "--undefined-only", build / "disksum")
    assert "blkhash_root_final" in out
    assert "EVP_" not in out and "blake3" not in out


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The tree after 'make install', and its environment."""
    from conftest import BUILD
    prefix = tmp_path_factory.mktemp("prefix")
    run("meson", "install", "-C", BUILD, "--destdir", prefix,
        stderr=subprocess.STDOUT)
    return prefix


def find(folder, name):
    [path] = list(folder.rglob(name))
    return path


def test_install(installed):
    for name in "disksum", "blkhash.h", "blkhash.pc", "libblkhash.so.1", \
            "libblkhash.a":
        assert find(installed, name)


def test_program_outside_of_the_tree(installed, tmp_path):
    """pkg-config tells all that a program needs, shared and static."""
    source = tmp_path / "sum.c"
    source.write_text("""
        #include <blkhash.h>
        #include <stdio.h>
        int main(void)
        {
            struct blkhash *h = blkhash_new(65536, "sha256");
            unsigned char md[BLKHASH_MAX_MD_SIZE];
            unsigned int len;

            if (blkhash_update(h, "hello", 5) || blkhash_final(h, md, &len))
                return 1;
            for (unsigned int i = 0; i < len; i++)
                printf("%02x", md[i]);
            blkhash_free(h);
            return 0;
        }""")
    pc = find(installed, "blkhash.pc")
    env = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent),
           "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    library = find(installed, "libblkhash.so.1").parent
    for static in False, True:
        flags = run("pkg-config", "--cflags", "--libs",
                    *(["--static"] if static else []), "blkhash",
                    env=env).split()
        if static:
            flags = [f"-l:libblkhash.a" if f == "-lblkhash" else f
                     for f in flags]
        run("cc", "-Wall", "-Wextra", "-Werror", source, "-o",
            tmp_path / "sum", *flags)
        out = run(tmp_path / "sum",
                  env={} if static else {"LD_LIBRARY_PATH": str(library)})
        assert out.startswith("337355fe") and out.endswith("45e6")

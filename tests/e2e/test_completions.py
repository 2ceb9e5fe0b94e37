# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the shells complete. All of them ask the command for its options. bash is
asked by its function, fish by its own command, and bash and zsh at a terminal,
too."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess

import pytest

BASH_COMPLETION = pathlib.Path("/usr/share/bash-completion/bash_completion")
MODES = {"none", "off", "directsync", "writeback", "writethrough", "unsafe"}

needs_qemu_img = pytest.mark.skipif(not shutil.which("qemu-img"),
                                    reason="there is no qemu-img")


def needs(shell):
    return pytest.mark.skipif(not shutil.which(shell),
                              reason=f"there is no {shell}")


# At a terminal.
SHELLS = [
    "bash",
    pytest.param("bash-completion", marks=pytest.mark.skipif(
        not BASH_COMPLETION.exists(), reason="there is no bash-completion")),
    pytest.param("zsh", marks=needs("zsh")),
]


@pytest.fixture
def formats(root):
    """The names of the table of formats."""
    text = (root / "format/formats.c").read_text()
    return set(re.findall(r'\.name = "(.*)"', text))


@pytest.fixture
def options(disksum):
    """The options of the command: long names, with "=" if they need a value,
    and letters, with ":" likewise."""
    rows = [line.split("\t")
            for line in disksum("--long-options").stdout.splitlines()]
    assert len(rows) > 30
    needed = [row[2][0] not in "-[" for row in rows]
    return {row[0] + "=" * need for row, need in zip(rows, needed)}, \
        {row[1] + ":" * need for row, need in zip(rows, needed)
         if row[1] != "-"}


@pytest.fixture
def digests(disksum):
    return set(disksum("--list-digests").stdout.split())


@pytest.fixture
def directory(tmp_path):
    """The current directory, with a few files that have a space in their names."""
    path = tmp_path / "directory"
    path.mkdir()
    (path / "my disk.raw").write_bytes(bytes(512))
    return path


@pytest.fixture
def other_command(tmp_path):
    """Make a disksum that lists its options in some other way: the directory
    that it is in."""
    def make(script):
        path = tmp_path / "other/disksum"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path.parent
    return make


# One that is older than --long-options.
OLDER = "echo \"unrecognized option '$1'\" >&2; exit 2"

# One with options of its own: a file, a kind that is not known, and one more
# field.
NEWER = r"""[ "$1" = --long-options ] && printf %b \
'--new-file\t-n\tFILE\tfile\t-\tsome file\n'\
'--new-kind\t-\tX\tnew\t-\tsome thing\n'\
'--new-field\t-\tWORD\twords\tone two\tsome word\tmore\n'"""


@pytest.fixture
def snapshots(directory):
    """An image with snapshots."""
    path = directory / "the image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"],
                   check=True)
    for name in "first one", "second":
        subprocess.run(["qemu-img", "snapshot", "-c", name, path], check=True)
        subprocess.run(["qemu-img", "bitmap", "--add", path, f"b {name}"], check=True)
    return {"1", "2", "first one", "second"}


@pytest.fixture
def bitmaps(snapshots):
    """Those of the same image."""
    return {"b first one", "b second"}


# --- bash ----------------------------------------------------------------

@pytest.fixture
def bash(root, build, directory):
    """What the function tells bash for the words of a line, the last of which
    is to be completed. A list: no word may be there twice."""
    def run(*words, breaks=True, path=build, command="disksum"):
        words = [str(command), *words]
        if breaks:
            words = [part for word in words
                     for part in re.findall(r"=|[^=]+", word) or [""]]
        done = subprocess.run(
            ["bash", "--norc", "-c", """
             source "$1" && shift && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
             _disksum; printf '%s\\n' "${COMPREPLY[@]}" """,
             "bash", root / "completions/disksum.bash", *words],
            cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}"})
        assert (done.returncode, done.stderr) == (0, b"")
        return sorted(filter(None, done.stdout.decode().split("\n")))
    return run


def test_bash_options(bash, options):
    names, letters = options
    assert bash("--") == sorted(names)
    assert set(bash("-")) == names | {letter[:2] for letter in letters}
    assert bash("--fo") == ["--force-share", "--format="]
    assert bash("checksum", "-U", "--fo") == ["--force-share", "--format="]


@pytest.mark.parametrize("breaks", [True, False])
def test_bash_values(bash, digests, formats, breaks):
    """With "=" among the characters that end a word, and without."""
    def values(short, long, start=""):
        prefix = "" if breaks else f"{long}="
        found = bash(f"{long}={start}", breaks=breaks)
        assert all(word.startswith(prefix) for word in found)
        found = [word[len(prefix):] for word in found]
        assert bash(long, start) == found
        assert not short or bash(short, start) == found
        return found

    assert set(values("-f", "--format")) == formats
    assert values("-f", "--format", "v") == ["vdi", "vhdx", "vmdk", "vpc"]
    assert set(values("-T", "--source-cache")) == MODES
    assert set(values("-d", "--digest")) == digests
    assert values("-a", "--algorithm", "sha25") == ["sha256"]
    assert "sha256/64k" in values("-d", "--digest", "sha256/")
    assert "64k" in values(None, "--block-size")
    assert values(None, "--output") == ["human", "json"]
    assert values(None, "--shard", "s") == ["slurm/"]
    assert "tls-creds-psk,id=" in values(None, "--object", "tls")
    assert values("-t", "--threads") == []


def test_bash_values_are_taken(bash, disksum, directory):
    """The command takes what is suggested."""
    for option in "--block-size", "--read-size", "--output", "--source-cache":
        for value in bash(option, ""):
            if value not in ("none", "directsync"):
                assert disksum(option, value, directory / "my disk.raw").stdout


@needs_qemu_img
def test_bash_formats_are_known(bash):
    text = subprocess.run(["qemu-img", "--help"], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    [known] = re.findall(r"Supported formats: (.*)", text)
    assert set(bash("-f", "")) <= set(known.split())


@needs_qemu_img
def test_bash_snapshots(bash, snapshots):
    assert bash("-l", "") == []
    assert bash("my disk.raw", "-l", "") == []
    for name in "the\\ image.qcow2", "'the image.qcow2'":
        assert set(bash(name, "-l", "")) == snapshots
        assert bash(name, "--snapshot=f") == ["first one"]


@needs_qemu_img
def test_bash_bitmaps(bash, bitmaps):
    assert bash("--bitmap", "") == bash("my disk.raw", "--bitmap=") == []
    assert set(bash("the\\ image.qcow2", "--bitmap", "")) == bitmaps
    assert bash("--base=x", "'the image.qcow2'", "--bitmap=b\\ f") == ["b first one"]


def test_bash_runs_nothing_of_the_line(bash, directory):
    for word in "$(touch made)", "'`touch made`'", "$(touch made)/":
        for before in [], ["-l"], ["-d"], ["-f"], ["--", "["]:
            bash(*before, word)
            bash(word, *before, "")
    assert not (directory / "made").exists()


def test_bash_leaves_files_to_readline(bash):
    for words in [""], ["my"], ["-c", ""], ["--", "--fo"], ["-U", "--", ""], \
            ["--object=secret,id=s,file=/"], ["--", "[", "ls", "my"]:
        assert bash(*words) == []


def test_bash_of_the_command_on_the_line(bash, build, other_command):
    other = other_command(NEWER)
    for command in other / "disksum", f"'{other}/disk\\sum'":
        assert bash("--new-fi", command=command) == ["--new-field=",
                                                     "--new-file="]


def test_bash_with_another_command(bash, other_command):
    path = other_command(NEWER)
    assert bash("--new-f", path=path) == ["--new-field=", "--new-file="]
    assert bash("--new-field=", path=path) == ["one", "two"]
    assert bash("-n", "my", path=path) == bash("--new-kind=my", path=path) == []


def test_bash_with_an_older_command(bash, other_command):
    path = other_command(OLDER)
    assert bash("--", path=path) == bash("-f", "", path=path) == []
    assert bash("--format=", path=path) == bash("my", path=path) == []


def test_bash_operands(bash):
    """- is an image, and no option without a letter."""
    assert bash("-", "") == bash("-", "my") == bash("-p", "") == []
    assert bash("--progress", "my") == bash("--progress=") == []
    assert bash("-", "--fo") == ["--force-share", "--format="]


def test_bash_command(bash):
    assert "printf" in bash("-v", "--", "[", "print")


# --- at a terminal -------------------------------------------------------

def type_in(command, lines, **kwargs):
    """Type lines at a shell, each when it prompts; all that it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs,
                               stderr=theirs, start_new_session=True, **kwargs)
    os.close(theirs)
    lines = [*lines, "exit"]
    shown = new = b""
    # A shell that waits for the end of a string is not waited for.
    while select.select([ours], [], [], 60)[0]:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break  # Linux: all other ends are closed
        shown += data
        new += data
        if lines and b"READY " in new:
            os.write(ours, f"{lines.pop(0)}\n".encode())
            new = b""
    process.kill()
    process.wait()
    os.close(ours)
    return shown.decode(errors="replace")


@pytest.fixture
def shown(root, directory, tmp_path):
    """Type lines at a shell, with a disksum of some directory: the screen."""
    (tmp_path / "inputrc").write_text("set enable-bracketed-paste off\n")

    def start(shell):
        """How to start a shell that has the completions, and little else."""
        script = tmp_path / ".zshrc"
        lines = ["PS1='READY '"]
        if shell == "zsh":
            command = ["zsh", "-d", "-i"]
            lines += [f"fpath=('{root}/completions' $fpath)", "LISTMAX=1000",
                      "autoload -U compinit && compinit -u -D"]
        else:
            command = ["bash", "--noprofile", "--rcfile", script, "-i"]
            if shell == "bash-completion":
                lines += [f"source {BASH_COMPLETION}"]
            lines += [f"source '{root}/completions/disksum.bash'"]
        script.write_text("\n".join([*lines, ""]))
        return command

    def run(shell, lines, path):
        return type_in(start(shell), lines, cwd=directory, env={
            **os.environ, "PATH": f"{path}:{os.environ['PATH']}",
            "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "TERM": "dumb",
            "INPUTRC": str(tmp_path / "inputrc")})
    return run


@pytest.fixture
def typed(shown, build, other_command, tmp_path):
    """Type lines at a shell: the arguments that the command gets each time.
    script: what it does to be asked for its options."""
    got = tmp_path / "got"

    def run(shell, lines, script=f"exec '{build}/disksum' \"$1\""):
        path = other_command(f"""
            case $1 in
            --long-options | --list-digests) {script} ;;
            *) printf '<%s>' "$@" >>'{got}'; echo >>'{got}' ;;
            esac""")
        screen = shown(shell, lines, path)
        assert got.exists(), screen
        return [re.findall(r"<(.*?)>", line)
                for line in got.read_text().splitlines()]
    return run


@pytest.mark.parametrize("shell", SHELLS)
def test_at_a_terminal(typed, shell):
    cases = {
        "--forma\tluk\t x": ["--format=luks", "x"],
        "--source-cache=dir\tx": ["--source-cache=directsync", "x"],
        "-f bo\t-T wri\tb\t x": ["-f", "bochs", "-T", "writeback", "x"],
        "-d sha512-2\t2\tx": ["-d", "sha512-224", "x"],
        "--digest=sha256/2\tx": ["--digest=sha256/256k", "x"],
        "-d md5 -d sha1/2\t--plain=sha512-2\t2\t--plain=blake2s\tx":
            ["-d", "md5", "-d", "sha1/256k", "--plain=sha512-224", "--plain=blake2s256", "x"],
        "--object=sec\ts,file=my\t":
            ["--object=secret,id=s,file=my disk.raw"],
        "checksum -U my\t": ["checksum", "-U", "my disk.raw"],
        "'my\t": ["my disk.raw"],
        "-c my\t-v": ["-c", "my disk.raw", "-v"],
        "-- my\t": ["--", "my disk.raw"],
        "-- [ dirnam\tmy\t]": ["--", "[", "dirname", "my disk.raw", "]"],
    }
    assert typed(shell, [f"disksum {line}" for line in cases]) == \
        list(cases.values())


@needs_qemu_img
@pytest.mark.parametrize("shell", SHELLS)
def test_snapshots_at_a_terminal(typed, snapshots, shell):
    cases = {
        "-l fi\t": ["-l", "first one"],
        "--snapshot=fi\t": ["--snapshot=first one"],
        "-l 'fi\t": ["-l", "first one"],
        "--bitmap='b f\t": ["--bitmap=b first one"],
    }
    assert typed(shell, [f"disksum the\t{line}" for line in cases]) == \
        [["the image.qcow2", *expected] for expected in cases.values()]


@pytest.mark.parametrize("shell", SHELLS)
def test_another_command_at_a_terminal(typed, shell):
    cases = {
        "--new-fil\tmy\t": ["--new-file=my disk.raw"],
        "-n my\t x": ["-n", "my disk.raw", "x"],
        "--new-k\tmy\t": ["--new-kind=my disk.raw"],
        "--new-fie\ttw\t": ["--new-field=two"],
    }
    assert typed(shell, [f"disksum {line}" for line in cases], NEWER) == \
        list(cases.values())


@pytest.mark.parametrize("shell", SHELLS)
def test_an_older_command_at_a_terminal(typed, shell):
    """Names of files are completed, and nothing is said."""
    cases = {
        "--forma\t=x my\t": ["--forma=x", "my disk.raw"],
        "-c my\t-v": ["-c", "my disk.raw", "-v"],
    }
    assert typed(shell, [f"disksum {line}" for line in cases], OLDER) == \
        list(cases.values())


@needs("zsh")
def test_zsh_options(shown, options, build):
    """All of them, each with its letter."""
    screen = shown("zsh", ["disksum -\t\x15"], build)
    names, letters = options
    for name in names | letters:
        assert re.search(rf"\s{re.escape(name.rstrip('=:'))}\s", screen)
    assert "-- size of a block" in screen


# --- fish ----------------------------------------------------------------

@pytest.fixture
def fish(root, build, directory):
    """What fish says to a line."""
    def run(line, path=build):
        done = subprocess.run(
            ["fish", "--no-config", "-c", "source $argv[1]; "
             "complete -C $argv[2]", root / "completions/disksum.fish", line],
            cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}",
                 "HOME": str(directory.parent), "XDG_CONFIG_HOME": "",
                 "XDG_DATA_HOME": ""})
        assert (done.returncode, done.stderr) == (0, b"")
        return {word.split("\t")[0]
                for word in done.stdout.decode().splitlines()}
    return run


@needs("fish")
def test_fish(fish, options, digests, formats):
    names, letters = options
    assert fish("disksum --") == {name.rstrip("=") for name in names}
    assert fish("disksum -") == {name.rstrip("=") for name in names} | {
        letter[:2] for letter in letters}
    assert fish("disksum -f ") == formats
    assert fish("disksum --format=v") == {
        f"--format={name}" for name in ("vdi", "vhdx", "vmdk", "vpc")}
    assert fish("disksum -T ") == MODES
    assert fish("disksum -d ") == digests
    assert "--digest=sha256/64k" in fish("disksum --digest=sha256/")
    assert "--object=secret,id=" in fish("disksum --object=")
    assert fish("disksum checksum my") == {"my disk.raw"}
    assert fish("disksum -- -") == set()
    assert "printf" in fish("disksum -- [ print")
    assert fish("disksum -- [ ls my") == {"my disk.raw"}


@needs("fish")
def test_fish_with_another_command(fish, other_command):
    path = other_command(NEWER)
    assert fish("disksum --new-fi", path) == {"--new-field", "--new-file"}
    assert fish("disksum --new-field=t", path) == {"--new-field=two"}
    assert fish("disksum -n my", path) == {"my disk.raw"}
    assert fish("disksum --new-kind my", path) == {"my disk.raw"}


@needs("fish")
def test_fish_with_an_older_command(fish, other_command):
    path = other_command(OLDER)
    assert fish("disksum --", path) == set()
    assert fish("disksum -f my", path) == {"my disk.raw"}


@needs("fish")
@needs_qemu_img
def test_fish_snapshots(fish, snapshots):
    assert fish("disksum 'the image.qcow2' -l ") == snapshots


@needs("fish")
@needs_qemu_img
def test_fish_bitmaps(fish, bitmaps):
    assert fish("disksum 'the image.qcow2' --bitmap ") == bitmaps
    assert fish("disksum 'my disk.raw' -l ") == set()


# --- all -----------------------------------------------------------------

@pytest.mark.parametrize("shell, name", [
    ("bash", "disksum.bash"),
    pytest.param("zsh", "_disksum", marks=needs("zsh")),
    pytest.param("fish", "disksum.fish", marks=needs("fish")),
])
def test_syntax(root, shell, name):
    done = subprocess.run([shell, "-n", root / "completions" / name],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout) == (0, b"")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compressed clusters whose deflate streams are at the limits of what zlib accepts."""
from deflate_stream import END, Bits, dynamic, fixed, stored
from qcow2_compare import Case
from qcow2_image import Image

CLUSTER = 512
A, B = ord("a"), ord("b")


# libdeflate, which comes first, accepts more than zlib: streams that no encoder makes,
# but that have only one meaning.
LENIENT = {
    "287 literals told", "288 literals told",
    "a code for symbol 286, not used", "a code for symbol 287, not used",
    "31 distances told, no code", "32 distances told, no code",
    "a code for distance 30, not used", "a code for distance 31, not used",
    "behind a full cluster: 288 literals", "behind a full cluster: 32 distances",
    "a repeat of zeros behind the last",
    "the other bit of the only distance code", "a match without distance codes"}


def stream_case(name, *blocks, text=None):
    """`blocks` are functions that write their bits; `text` is the cluster."""
    def build(directory):
        bits = Bits()
        for block in blocks:
            block(bits)
        image = Image(4 * CLUSTER, cluster_bits=9)
        image.disk.data(0, b"before")
        image.disk.compressed(1, bits.bytes())
        return image.write(directory / "deflate.qcow2")
    if name not in LENIENT:
        return Case(name, build)
    expect = (b"before" * CLUSTER)[:CLUSTER] + bytes(text).ljust(3 * CLUSTER, b"\0")
    return Case(name, build, expect=expect,
                either="libdeflate takes codes that are told and not defined")


def lengths(count=257, **told):
    """Code lengths of literals: those of a, b and end, and others such as s286=1."""
    names = {"a": A, "b": B, "end": END}
    table = [0] * count
    for name, length in told.items():
        table[names.get(name) if name in names else int(name[1:])] = length
    return table


def letters(count=CLUSTER):
    return [A, B] * (count // 2) + [A] * (count % 2)


def dynamic_case(name, literals, distances=(0,), text=None, cluster=None, **options):
    text = letters() + [END] if text is None else text
    return stream_case(name, lambda bits: dynamic(bits, text, literals, list(distances),
                                                  **options), text=cluster or letters())


def code_cases():
    """Sets of codes: complete, incomplete, and oversubscribed."""
    good = lengths(a=2, b=2, end=1)
    yield dynamic_case("complete", good)
    yield dynamic_case("incomplete literals", lengths(a=2, b=2, end=2))
    yield dynamic_case("incomplete literals of 15 bits", lengths(a=15, b=15, end=15))
    yield dynamic_case("too many codes", lengths(a=1, b=1, end=1), text=[A] * 512)
    yield dynamic_case("no code for the end", lengths(a=1, b=1), text=letters())
    yield dynamic_case("one literal, no end", lengths(a=1), text=[A] * 512)
    for count in [258, 285, 286, 287, 288]:
        yield dynamic_case(f"{count} literals told", lengths(count, a=2, b=2, end=1))
    for symbol in [285, 286, 287]:
        yield dynamic_case(f"a code for symbol {symbol}, not used",
                           lengths(symbol + 1, a=2, b=2, end=2, **{f"s{symbol}": 2}))
    for count in [1, 2, 29, 30, 31, 32]:
        yield dynamic_case(f"{count} distances told, no code", good, [0] * count)
    for length in [1, 2, 15]:
        yield dynamic_case(f"one distance code of {length}, not used", good, [length])
        yield dynamic_case(f"second distance code of {length}, not used", good, [0, length])
    yield dynamic_case("two distance codes", good, [1, 1])
    yield dynamic_case("incomplete distances", good, [2, 2])
    yield dynamic_case("incomplete distances of 2 and 3", good, [1, 3])
    yield dynamic_case("three distance codes of 1", good, [1, 1, 1])
    yield dynamic_case("a code for distance 30, not used", good, [1] + [0] * 29 + [1])
    yield dynamic_case("a code for distance 31, not used", good, [1] + [0] * 30 + [1])

    def ends(name, literals, distances=(0,)):   # an empty block behind a full cluster
        return stream_case(f"behind a full cluster: {name}",
                           lambda bits: stored(bits, b"s" * CLUSTER),
                           lambda bits: dynamic(bits, [END], literals, list(distances)),
                           text=b"s" * CLUSTER)
    yield ends("good", lengths(a=2, b=2, end=1))
    yield ends("the end alone", lengths(end=1))
    yield ends("the end alone, of 2 bits", lengths(end=2))
    yield ends("incomplete", lengths(a=2, b=2, end=2))
    yield ends("288 literals", lengths(288, end=1))
    yield ends("32 distances", lengths(end=1), [0] * 32)
    yield ends("incomplete distances", lengths(end=1), [2, 2])


def match_cases():
    """A length, then a distance."""
    good = lengths(286, a=2, end=2, s257=2, s284=3, s285=3)

    def case(name, distance, *, literals=good, distances=(1, 1), first=((257, 0, 0),),
             count=509):
        text = [A] * count + [*first, distance, END]
        return dynamic_case(name, literals, distances, text, cluster=[A] * CLUSTER)
    yield case("a match", ("distance", 0, 0, 0))
    yield case("a match with the only distance code", ("distance", 0, 0, 0), distances=[1])
    yield case("the other bit of the only distance code", ("bits", 1, 1), distances=[1])
    yield case("a match without distance codes", ("bits", 0, 1), distances=[0])
    yield case("length 258 by symbol 285", ("distance", 0, 0, 0), first=[285], count=254)
    yield case("length 258 by symbol 284", ("distance", 0, 0, 0), first=[(284, 31, 5)],
               count=254)
    yield case("length 257 by symbol 284", ("distance", 0, 0, 0), first=[(284, 30, 5)],
               count=255)
    yield case("a match that leaves the cluster", ("distance", 0, 0, 0), first=[285], count=500)
    yield case("a match before the start", ("distance", 1, 0, 0), count=1)
    yield case("a match at the very start", ("distance", 0, 0, 0), count=0)
    far = [0] * 29 + [1]
    yield case("a distance of 32 KiB", ("distance", 29, 8191, 13), distances=far)

    for symbol in [286, 287]:
        yield stream_case(f"fixed, symbol {symbol}",
                          lambda bits, s=symbol: fixed(bits, [*letters(500), s, END]))
        yield stream_case(f"fixed, symbol {symbol} behind a full cluster",
                          lambda bits, s=symbol: fixed(bits, [*letters(), s, END]))
    for symbol in [30, 31]:
        yield stream_case(f"fixed, distance {symbol}", lambda bits, s=symbol: fixed(
            bits, [*letters(509), 257, ("distance", s, 0, 0), END]))
        yield stream_case(f"fixed, distance {symbol} behind a full cluster",
                          lambda bits, s=symbol: fixed(
                              bits, [*letters(), 257, ("distance", s, 0, 0), END]))
    yield stream_case("fixed, too far back behind a full cluster", lambda bits: fixed(
        bits, [*letters(), 257, ("distance", 29, 8191, 13), END]))


def token_cases():
    """The lengths of the codes have codes, too: 16, 17 and 18 repeat."""
    # Symbols 0, 1, 2, 8, 9, 16, 17, 18 in three bits each.
    some = [3 if symbol in (0, 1, 2, 8, 9, 16, 17, 18) else 0 for symbol in range(19)]
    good = lengths(a=2, b=2, end=1)
    head = [(18, A - 11, 7), (2, 0, 0), (2, 0, 0)]      # zeros up to a; a and b
    rest = END - B - 1                                  # zeros from there to the end
    zeros = [(18, 127, 7), (18, rest - 138 - 11, 7)]

    def case(name, tokens, literals=good, codes=some, distances=(0,), **options):
        return dynamic_case(name, literals, distances, tokens=tokens, code_lengths=codes,
                            **options)
    yield case("repeats", [*head, *zeros, (1, 0, 0), (0, 0, 0)])
    yield case("a repeat of nothing", [(16, 0, 2), *head])
    yield case("a repeat that goes on into the distances",
               [*head, *zeros, (1, 0, 0), (17, 0, 3)], lengths(258, a=2, b=2, end=1),
               distances=[0, 0])
    yield case("a repeat of zeros behind the last", [*head, *zeros, (1, 0, 0), (18, 127, 7)])
    yield case("zeros over the end symbol", [*head, (18, 127, 7), (18, 127, 7)])
    yield case("incomplete code length codes", None, text=letters(), codes=[5] * 16 + [0] * 3)
    yield case("one code length code", [], codes=[1] + [0] * 18, text=[])
    yield case("no code length codes", [], codes=[0] * 19, text=[])
    yield case("too many code length codes", [], codes=[1] * 3 + [0] * 16, text=[])


def block_cases():
    half = CLUSTER // 2
    for name, last in {"": True, ", not the last": False}.items():
        yield stream_case(f"two blocks{name}", lambda bits: fixed(bits, letters(half) + [END],
                                                                  last=False),
                          lambda bits, f=last: fixed(bits, letters(half) + [END], last=f))
        yield stream_case(f"stored, then fixed{name}", lambda bits: stored(bits, b"s" * half),
                          lambda bits, f=last: fixed(bits, letters(half) + [END], last=f))
    yield stream_case("the last block is not full, another follows",
                      lambda bits: fixed(bits, letters(half) + [END]),
                      lambda bits: fixed(bits, letters(half) + [END]))
    yield stream_case("100 empty blocks first",
                      *[lambda bits: fixed(bits, [END], last=False)] * 100,
                      lambda bits: fixed(bits, letters() + [END]))
    yield stream_case("100 empty stored blocks first",
                      *[lambda bits: stored(bits, b"")] * 100,
                      lambda bits: fixed(bits, letters() + [END]))
    yield stream_case("no end", lambda bits: fixed(bits, letters()))
    yield stream_case("reserved block type", lambda bits: bits.number(7, 3))
    yield stream_case("reserved block type behind a full cluster",
                      lambda bits: fixed(bits, letters() + [END], last=False),
                      lambda bits: bits.number(7, 3))


CASES = [*code_cases(), *match_cases(), *token_cases(), *block_cases()]

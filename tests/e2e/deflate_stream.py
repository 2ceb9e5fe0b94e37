# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deflate streams made by hand (RFC 1951), with code lengths that nobody would send.

Decoders do not agree on what they refuse: a set of codes that is incomplete, more codes
than there are symbols, a distance code that is never used.
"""
END = 256                       # the symbol that ends a block
FIXED = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
FIXED_DISTANCES = [5] * 32
# The order in which the lengths of the code length codes are sent.
ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]


class Bits:
    def __init__(self):
        self.value = self.count = 0

    def number(self, value, count):
        """Numbers start with their low bit."""
        self.value |= value << self.count
        self.count += count

    def code(self, value, count):
        """Codes start with their high bit."""
        for bit in reversed(range(count)):
            self.number(value >> bit & 1, 1)

    def bytes(self):
        return self.value.to_bytes(-(-self.count // 8), "little")


def canonical(lengths):
    """Symbol -> (code, length), from the lengths of the codes."""
    codes, code = {}, 0
    for length in range(1, 16):
        for symbol, one in enumerate(lengths):
            if one == length:
                codes[symbol] = code, length
                code += 1
        code <<= 1
    return codes


def symbols(bits, text, literals, distances):
    """`text` has literals and lengths as numbers, (symbol, extra value, extra bits),
    ("distance", symbol, extra value, extra bits), and ("bits", value, count)."""
    for item in text:
        if isinstance(item, int):
            bits.code(*literals[item])
        elif item[0] == "distance":
            bits.code(*distances[item[1]])
            bits.number(item[2], item[3])
        elif item[0] == "bits":
            bits.number(item[1], item[2])
        else:
            bits.code(*literals[item[0]])
            bits.number(item[1], item[2])


def stored(bits, content, last=False):
    bits.number(last, 1)
    bits.number(0, 2)
    bits.number(0, -bits.count % 8)
    bits.number(len(content), 16)
    bits.number(len(content) ^ 0xFFFF, 16)
    for byte in content:
        bits.number(byte, 8)


def fixed(bits, text, last=True):
    bits.number(last, 1)
    bits.number(1, 2)
    symbols(bits, text, canonical(FIXED), canonical(FIXED_DISTANCES))


def dynamic(bits, text, literals, distances, last=True, tokens=None, code_lengths=None):
    """Code lengths are sent in four bits each, or as `tokens` (symbol, extra, bits)."""
    code_lengths = code_lengths or [4] * 16 + [0] * 3
    bits.number(last, 1)
    bits.number(2, 2)
    bits.number(len(literals) - 257, 5)     # at most 286 are allowed, 288 can be sent
    bits.number(len(distances) - 1, 5)      # at most 30 are allowed, 32 can be sent
    bits.number(15, 4)                      # all 19 lengths follow
    for symbol in ORDER:
        bits.number(code_lengths[symbol], 3)
    codes = canonical(code_lengths)
    if tokens is None:
        tokens = [(one, 0, 0) for one in literals + distances]
    for symbol, extra, count in tokens:
        bits.code(*codes[symbol])
        bits.number(extra, count)
    symbols(bits, text, canonical(literals), canonical(distances))

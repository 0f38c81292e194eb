"""Where the loaded bytes of a shared object end: what follows only a debugger reads."""

from __future__ import annotations

import struct

_HEADER, _SECTION, _SEGMENT = "<QQIHHHHHH", "<IIQQQQIIQQ", "<IIQQQQQQ"


def loaded(body: bytes) -> int:
    """Where a shared object's loaded bytes end; its whole length where what follows is more than symbols."""
    if body[:6] != b"\x7fELF\x02\x01":  # 64 bits, little endian, as all platforms of ours are
        return len(body)
    try:
        segments, sections, _flags, _size, wide, number, width, count, _names = struct.unpack_from(
            _HEADER, body, 32
        )
        end = segments + wide * number
        for place in range(number):
            kind = struct.unpack_from(_SEGMENT, body, segments + place * wide)
            end = max(end, kind[2] + kind[5])
        after = [(sections, width * count)]
        for place in range(count):
            _name, kind_, flags, _address, offset, size, *_rest = struct.unpack_from(
                _SECTION, body, sections + place * width
            )
            if kind_ == 8 or not size or offset + size <= end:  # SHT_NOBITS takes no room in the file
                continue
            if flags & 2 or offset < end:
                return len(body)
            after.append((offset, size))
    except struct.error:
        return len(body)
    reached = end
    for offset, size in sorted(after):
        if offset >= end:
            if offset - reached > 64:  # more than alignment: bytes that no section speaks of
                return len(body)
            reached = max(reached, offset + size)
    return end if sections >= end and len(body) - reached <= 64 else len(body)


def without_sections(body: bytes) -> bytes:
    """The header tells of no sections: their offset, their count and the index of their names are 0."""
    return body[:40] + bytes(8) + body[48:60] + bytes(4) + body[64:]

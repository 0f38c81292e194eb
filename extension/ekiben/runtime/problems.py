"""What can be wrong with the rows of a request: each place with a code, a message and a remedy.

The texts are kept here in both languages because they travel with the service.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any

# code: (message, remedy) in English, then in Simplified Chinese.
TEXTS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "not_json": (
        ("The body is not JSON: {detail}.", 'Send {{"rows": [...]}} as application/json.'),
        ("请求体不是 JSON：{detail}。", '请以 application/json 发送 {{"rows": [...]}}。'),
    ),
    "no_rows": (
        ('The body has no "rows".', 'Send {{"rows": [...]}} with one entry a row.'),
        ("请求体缺少 “rows”。", '请发送 {{"rows": [...]}}，每行一项。'),
    ),
    "rows_type": (
        ('"rows" is {got}, not a list.', 'Send {{"rows": [...]}} with one entry a row.'),
        ("“rows” 的类型是 {got}，而不是列表。", '请发送 {{"rows": [...]}}，每行一项。'),
    ),
    "empty_rows": (
        ("There are no rows.", "Send at least one row."),
        ("没有任何行。", "请至少发送一行。"),
    ),
    "row_type": (
        ("The row is {got}, not {wanted}.", "Send each row as {wanted}."),
        ("该行的类型是 {got}，而不是{wanted}。", "请将每一行作为{wanted}发送。"),
    ),
    "row_width": (
        ("The row has {got} values, not {wanted}.", "Send {wanted} values in the order of the sample."),
        ("该行有 {got} 个值，应为 {wanted} 个。", "请按样本的顺序发送 {wanted} 个值。"),
    ),
    "row_shape": (
        ("The row is not of shape {wanted}.", "Send nested lists of shape {wanted}."),
        ("该行的形状不是 {wanted}。", "请发送形状为 {wanted} 的嵌套列表。"),
    ),
    "missing_field": (
        ("The field is missing.", "Add it; it is {kind}."),
        ("缺少该字段。", "请补上该字段；它是{kind}。"),
    ),
    "unknown_field": (
        ("The model has no such field.", "Remove it; the fields are {fields}."),
        ("模型没有这个字段。", "请删除它；字段有：{fields}。"),
    ),
    "wrong_type": (
        ("{value} is {got}, not {kind}.", "Send {kind}."),
        ("{value} 是{got}，而不是{kind}。", "请发送{kind}。"),
    ),
    "needs_offset": (
        ("{value} does not say its offset from UTC.", "Send it with one: 2026-05-01T08:30:00+02:00."),
        ("{value} 没有注明与 UTC 的时差。", "请带上时差发送：2026-05-01T08:30:00+08:00。"),
    ),
    "has_offset": (
        (
            "{value} says an offset from UTC, and the sample's times had none.",
            "Send it without: 2026-05-01T08:30:00.",
        ),
        ("{value} 带有与 UTC 的时差，而样本中的时间没有。", "请不带时差发送：2026-05-01T08:30:00。"),
    ),
    "missing_value": (
        (
            "The value is missing, and the sample had none missing here.",
            "Send {kind}, or fill the gap before the request.",
        ),
        ("该值缺失，而样本中此处从未缺失。", "请发送{kind}，或在请求之前补全。"),
    ),
    "not_finite": (
        ("{value} is not a finite number.", "Send a finite number."),
        ("{value} 不是有限数。", "请发送有限数。"),
    ),
    "not_base64": (
        ("The text is not base64.", 'Send the file as base64: {{"b64": "iVBORw0…"}}.'),
        ("文本不是 base64。", '请以 base64 发送文件：{{"b64": "iVBORw0…"}}。'),
    ),
    "not_image": (
        ("No image can be read from it.", "Send a whole file of one of these kinds: {formats}."),
        ("无法从中读出图像。", "请发送完整的图像文件，格式为以下之一：{formats}。"),
    ),
    "image_mode": (
        ("The image is {got}, not {wanted}.", 'Convert it first, in Pillow image.convert("{one}").'),
        ("图像的模式是 {got}，而不是 {wanted}。", '请先转换，在 Pillow 中用 image.convert("{one}")。'),
    ),
    "image_size": (
        ("The image is {got} pixels, not {wanted}.", "Resize or crop it to {wanted} before the request."),
        ("图像大小是 {got} 像素，而不是 {wanted}。", "请在请求之前缩放或裁剪为 {wanted}。"),
    ),
    "image_large": (
        ("The image is too large: {got} pixels.", "Send at most {most} pixels."),
        ("图像过大：{got} 像素。", "请发送不超过 {most} 个像素的图像。"),
    ),
    "out_of_dtype": (
        ("{value} does not fit {dtype}.", "Send a value that {dtype} can hold."),
        ("{value} 超出 {dtype} 的范围。", "请发送 {dtype} 能表示的值。"),
    ),
    "unknown_category": (
        ("{value} was not in the sample.", "Send one of {categories}."),
        ("样本中没有 {value}。", "请发送以下之一：{categories}。"),
    ),
    "unlisted_category": (
        ("{value} is not in the contract's list, which was edited.", "Send one of {categories}."),
        ("{value} 不在契约的列表中，该列表经过编辑。", "请发送以下之一：{categories}。"),
    ),
    "out_of_range": (
        (
            "{value} lies outside the contract's range, {minimum} to {maximum}.",
            "Send a value in that range.",
        ),
        ("{value} 超出契约范围（{minimum} 到 {maximum}）。", "请发送该范围内的值。"),
    ),
    "overloaded": (
        ("The service is overloaded.", "Try again in {seconds} s."),
        ("服务繁忙。", "请在 {seconds} 秒后重试。"),
    ),
    "too_slow": (
        ("The answer took too long.", "Send fewer rows at a time, or try again later."),
        ("应答超时。", "请减少每次发送的行数，或稍后重试。"),
    ),
    "slow_body": (
        (
            "The request did not arrive whole within {seconds} s.",
            "Send it in one go, or fewer rows at a time.",
        ),
        ("请求未能在 {seconds} 秒内完整到达。", "请一次性发送，或减少每次发送的行数。"),
    ),
    "failed": (
        ("The model failed on these rows ({kind}).", "The service's log says more."),
        ("模型在处理这些行时出错（{kind}）。", "详见服务日志。"),
    ),
    "answer_count": (
        (
            "The model gave {got} {name} for {wanted} rows.",
            "One for each row is needed: whose is whose cannot be told.",
        ),
        ("模型为 {wanted} 行给出了 {got} 个 {name}。", "每行需要一个：否则无法判断哪个属于哪一行。"),
    ),
    "refused": (
        ("The service refused: {detail}.", "Its log says more."),
        ("服务拒绝了请求：{detail}。", "详见其日志。"),
    ),
    "no_key": (
        ("The API key is missing or wrong.", "Send Authorization: Bearer KEY, or X-API-Key: KEY."),
        ("缺少 API 密钥或密钥不正确。", "请发送 Authorization: Bearer KEY 或 X-API-Key: KEY。"),
    ),
    "too_large": (
        ("The request is larger than {limit} bytes.", "Send fewer rows at a time."),
        ("请求超过 {limit} 字节。", "请分批发送。"),
    ),
}

WORDS: dict[str, tuple[str, str]] = {
    "number": ("a number", "数字"),
    "integer": ("a whole number", "整数"),
    "boolean": ("true or false", "true 或 false"),
    "text": ("text", "文本"),
    "category": ("one of the sample's values", "样本中的某个值"),
    "datetime": ("a date and time in ISO 8601", "ISO 8601 格式的日期时间"),
    "image": ('an image as {"b64": …}', '{"b64": …} 形式的图像'),
    "object": ("an object", "对象"),
    "list": ("a list", "列表"),
    "null": ("null", "空值"),
}


KINDS = {bool: "boolean", int: "integer", float: "number", str: "text", dict: "object", list: "list"}


def kind_of(value: Any) -> str:
    """The key in WORDS of a JSON value's kind."""
    return KINDS.get(type(value), "null")


#: After so many wrong places a request is looked at no further, whatever its size.
MOST = 100


def shown(value: Any) -> str:
    """A value as an error tells it: 40 signs at most, whatever its size."""
    text = repr(value[:40]) if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


@dataclass(frozen=True)
class Problem:
    """One place that is wrong. ``values`` fill the texts; a value in WORDS is put in words.

    ``text`` names other words in TEXTS than the code's own.
    """

    path: str
    code: str
    values: tuple[tuple[str, Any], ...] = ()
    text: str = ""

    def told(self, language: str = "en") -> dict[str, str]:
        """``{"path", "code", "message", "remedy"}`` in ``en`` or ``zh``."""
        column = 1 if language.startswith("zh") else 0
        message, remedy = TEXTS[self.text or self.code][column]
        words = {
            name: WORDS[value][column] if isinstance(value, str) and value in WORDS else value
            for name, value in self.values
        }
        return {
            "path": self.path,
            "code": self.code,
            "message": message.format(**words),
            "remedy": remedy.format(**words),
        }


def problem(path: str, code: str, **values: Any) -> Problem:
    """A Problem with ``values`` for its texts."""
    return Problem(path, code, tuple(values.items()))


class InvalidRows(ValueError):
    """Rows that break the contract. ``status`` is the HTTP status: 400, or 413 where too large."""

    shown = 20

    def __init__(self, problems: list[Problem], status: int = 400) -> None:
        self.problems = problems
        self.status = status
        first = problems[0].told()
        super().__init__(f"{first['path']}: {first['message']} {first['remedy']}".strip())

    def body(self, language: str = "en") -> dict[str, Any]:
        """The answer's body: the first problem in a sentence, up to 20 of them, and their number.

        ``more`` says that the number is of the first ``MOST`` only.
        """
        told = [entry.told(language) for entry in self.problems[: self.shown]]
        body: dict[str, Any] = {
            "error": f"{told[0]['path']}: {told[0]['message']}",
            "problems": told,
            "count": min(len(self.problems), MOST),
        }
        if self.more:
            body["more"] = True
        return body

    @property
    def more(self) -> bool:
        """Whether there may be more wrong places than were looked for."""
        return len(self.problems) > MOST

"""A picture as evidence: each owned field's box beside its item id, and nothing else of the page."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from dscr_bridge.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]  # left, top, width, height
_LABEL, _GAP, _MARGIN = 420, 6, 12


def strip(whole: bytes, boxes: Sequence[tuple[str, Box]], head: str) -> bytes:
    """Cut the boxes out of a picture and put them under each other with our own words beside them, as PNG.

    Raises ConfigError where the package that cuts pictures is missing.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise ConfigError("The portal", "the package pillow is not installed.", "Nothing was sent.",
                          "Install `dscr-bridge[portal]`.") from None  # fmt: skip
    with Image.open(BytesIO(whole)) as opened:
        page = opened.convert("RGB")
        cut = [(said, _cut(page, box)) for said, box in boxes]
    font = ImageFont.load_default(14)
    width = _LABEL + max((part.width for _, part in cut), default=0) + 2 * _MARGIN
    height = 2 * _MARGIN + 30 + sum(part.height + _GAP for _, part in cut)
    made = Image.new("RGB", (max(width, 640), height), "white")
    draw = ImageDraw.Draw(made)
    draw.text((_MARGIN, _MARGIN), head, "black", font)
    top = _MARGIN + 30
    for said, part in cut:
        draw.text((_MARGIN, top + max(0, (part.height - 16) // 2)), said, "black", font)
        made.paste(part, (_LABEL, top))
        top += part.height + _GAP
    kept = BytesIO()
    made.save(kept, "PNG", optimize=True)
    return kept.getvalue()


def _cut(page: "Image", box: Box) -> "Image":
    left, top, width, height = box
    return page.crop((int(left), int(top), int(left + width + 1), int(top + height + 1)))

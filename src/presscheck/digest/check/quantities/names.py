"""Where digits are no quantity: inside names and versions, in references, addresses and list marks."""

from __future__ import annotations

import re
from bisect import bisect_right

_REFERENCE = re.compile(
    r"https?://[^\s)>\]]{1,2000}|www\.[^\s)>\]]{1,2000}"
    r"|\barXiv[: ]?\d{4}\.\d{4,5}(?:v\d+)?|\b\d{4}\.\d{5}(?:v\d+)?\b|\b10\.\d{4,9}/\S{1,200}"
    r"|\b(?:Section|Sec\.|Table|Tab\.|Figure|Fig\.|Equation|Eq\.|Appendix|Algorithm|Theorem|Lemma"
    r"|Chapter)s? ?\(?\d+(?:\.\d+){0,3}\)?"
    r"|(?:그림|표|섹션|수식|부록|정리|식) ?\(?\d+(?:\.\d+){0,3}\)?(?!\d|[개명장%배])"
    r"|\((?:[^()\n]{0,80}(?:et al\.|등)?,? )(?:19|20)\d\d[a-z]?\)"
    r"|\[\d{1,3}(?:, ?\d{1,3}){0,20}\]"
    r"|(?:(?<=^)|(?<=[\s(:;,]))\(?(?:\d{1,2}|[ivx]{1,4})\)(?=[\s가-힣A-Za-z]|$)"
    r"|\b(?i:top|pass|recall|hits?|precision|acc|maj|avg|mean|best|r|k|ndcg)(?:[-@]| @)\d+(?![\d.]*%)"
    r"|(?<!\d)\d{1,4}-\d{1,2}-\d{1,2}(?!\d)|(?<!\d)\d{1,2}:\d\d(?::\d\d)?(?!\d)|(?<![\d.])\d{1,9}(?:\.\d{1,9}){2,9}"
    r"|(?<!\d)(?:1[0-2]|[1-9])월(?![가-힣]|$)|(?<!\d)(?:1[0-2]|[1-9])월(?=까지|부터|에|의|이|과|은|$)"
    r"|\b24/7\b|[12]-?인칭|3인칭|\b[12]차(?![원])"
)
_LIST_MARK = re.compile(r"(?:^|(?<=[.:;!?] ))\d{1,2}\.(?=\s|$)")
_CAPITAL = re.compile(r"(?:^|[^A-Za-z0-9])((?=[A-Za-z0-9.+-]*[A-Z])[A-Za-z][A-Za-z0-9.+-]*) $")
_COMMON = frozenset(
    "over with our the these those all using across on in at for from to by of about around "
    "approximately nearly "
    "roughly only just up and a an among after under between within we trained including covering "
    "spanning featuring "
    "comprising containing less more most least at than first we're its it they this that each "
    "every both given "
    "extensive experiments results code total ~ gpus gpu fid bleu psnr ssim map miou auc f1 iou "
    "wer cer rouge acc "
    "average avg elo top".split()
)


_NAME_BEFORE = re.compile(r"([A-Za-z][A-Za-z0-9.+]*)[ -]?$")


def name_before(text: str, start: int) -> str:
    """The name that a number belongs to, in lower case: "mistral" for Mistral 7B and Mistral-7B."""
    match = _NAME_BEFORE.search(text[max(0, start - 32) : start])
    return match.group(1).lower() if match else ""


class References:
    """Stretches of a text whose digits are no quantities."""

    def __init__(self, text: str) -> None:
        spans = sorted(match.span() for match in _REFERENCE.finditer(text))
        spans += [match.span() for match in _LIST_MARK.finditer(text)]
        spans.sort()
        self._starts = [start for start, _ in spans]
        self._ends: list[int] = []
        furthest = 0
        for _, end in spans:
            furthest = max(furthest, end)
            self._ends.append(furthest)

    def hold(self, position: int) -> bool:
        """Whether a place lies inside one."""
        at = bisect_right(self._starts, position) - 1
        return at >= 0 and position < self._ends[at]


def glued_before(text: str, start: int) -> bool:
    """Whether a name runs into the digits: Qwen2.5, GPT-4, pass@1, L2, CIFAR-10."""
    if start == 0:
        return False
    before = text[start - 1]
    if before in "_@#^" or before.isascii() and before.isalpha() or "Ͱ" <= before <= "Ͽ":
        return True
    if before in "-–‑./'" and start > 1:
        further = text[start - 2]
        return further.isascii() and further.isalpha() or (before in "-‑." and further.isdigit())
    return False


def glued_after(text: str, end: int, *, scaled: bool) -> bool:
    """Whether a name goes on behind the digits: 3D, 4o, 7B-Instruct."""
    following = text[end : end + 3]
    if not following:
        return False
    if following[0].isascii() and following[0].isalpha() or following[0] == "_":
        return True
    if following[0] in "-‑" and len(following) > 1 and following[1].isascii() and following[1].isalpha():
        alone = len(following) < 3 or not following[2].isalpha()
        return alone and following[1].isupper() or scaled and following[1].isupper()
    return False


def after_name(text: str, start: int) -> bool:
    """Whether a capitalised word stands right before, as in Mistral 7B, Gemini 1.5 or Lean 4."""
    match = _CAPITAL.search(text[max(0, start - 32) : start])
    return match is not None and match.group(1).lower() not in _COMMON and not match.group(1).endswith("ing")

"""Whether a sentence of an abstract states a measured result, that is, a headline of the paper.

Two kinds count. A *measurement*: a quantity that one measures (a share, a
ratio, a score, a time or size with its unit, a rank, "from 12 to 45") in a
sentence with a word of comparison or outcome. A *claim of rank* without a
figure: "achieves state-of-the-art results on", "outperforms all baselines".

No measurement: numbers in names (GPT-4, Llama-3-8B, Qwen 2.5), sizes of models
and of data by themselves (7B parameters, 10K images), years, and settings ("mask
75 % of the patches"). A claim without a figure about the field before this
paper ("LLMs have achieved", "existing methods") is no headline; a figure about
it is, since a pattern cannot tell whose figure it is. What this cannot see: a
result told without a figure and without a comparison ("training stays stable").
"""

from __future__ import annotations

import re

LONGEST = 4000
"""Characters of a sentence that are read, so that hostile text costs no more than real text."""


def _any(*alternatives: str) -> str:
    """One group out of several patterns."""
    return "(?:" + "|".join(alternatives) + ")"


# Quantities ---------------------------------------------------------------------------

_FIGURE = r"\$?\d+(?:,\d{3})*(?:\.\d+)?"
_START = r"(?<![\w.,/-])"
_NUMBER = rf"{_START}(?:{_FIGURE}\s?[%x×]?\s?(?:-|–|—|to|and)\s?)?[~≈<>≤≥+−-]?{_FIGURE}"
_DECIMAL = r"[+−-]?\d+\.\d+(?![\w.]|\s?[KMBT]\b|\s?(?:b|m|tr)illion)"
_SPELT = "(?:two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|hundred|thousand|several)"
_UNIT = _any(
    "ms|μs|µs|ns|s|h|milliseconds?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?",
    "[KMGT]i?B|[GT]?FLOPs?|fps|FPS|Hz|dB|mm|cm|km|m|W|kWh|J|mJ",
    "tokens?/s|(?:tokens|frames|images) per second",
    r"Elo|BLEU|mAP|AP|AUC|mIoU|IoU|PSNR|SSIM|FID|WER|CER|MOS|F1|pass@\d+",
)
_METRIC = _any(
    "[Aa]ccurac(?:y|ies)|scores?|rates?|perplexity|correlation|precision|[Rr]ecall|ratings?|pass@\\d+|Elo",
    r"F1|BLEU|ROUGE(?:-\w)?|FID|PSNR|SSIM|mAP|AP|AUC|AUROC|m?IoU|WER|CER|MOS",
)
_BEFORE_SCORE = _any(
    "of|to|at|from|by|is|was|with|than|only|over|under|above|below|about|approximately|nearly|around|and",
    "(?:reach|achiev|scor|attain|obtain)(?:es|ed|ing)",
    _METRIC,
)
_QUANTITY = re.compile(
    _any(
        rf"{_NUMBER}\s?(?:%|per ?cent\b|percentage[ -]points?\b|points?\b|pts?\b|pp\b|p\.p\.)",
        rf"{_NUMBER}\s?(?:[×xX](?![\w-]*\d)(?!\w)|-?\s?times\b|-?fold\b)",
        rf"\b{_SPELT}[ -](?:times|fold)\b|\b(?:two|three|four|five|ten|hundred)fold\b|\btwice\b",
        r"\b(?:doubl|tripl|quadrupl|halv)(?:ed|ing|es? (?:the|its|their))\b",
        r"\bby half\b|\bhalf (?:the|of the|as)\b",
        r"\borders? of magnitude\b|\b(?:one|two)[- ](?:third|quarter|tenth)s?\b",
        r"\ba (?:third|quarter|fraction) of the\b",
        rf"{_NUMBER}\s?[-–]?\s?{_UNIT}(?![\w/])",
        rf"{_NUMBER}-(?:hour|minute|second|day)s?\b",
        rf"{_START}(?<![A-Za-z]\s){_DECIMAL}",  # a letter and a space before it: a version, "Qwen 2.5"
        rf"\b{_BEFORE_SCORE}\s{_DECIMAL}",
        rf"{_METRIC}\s(?:scores?\s|ratings?\s)?(?:of|to|at|is|was|=|:|above|over|below|under|by)\s"
        r"(?:only\s|over\s|about\s|around\s|up to\s|~)?\d+",
        rf"{_START}\d+ ?/ ?\d+(?![\w/])|{_NUMBER}\s(?:out of|of)\s(?:the\s)?(?:\d+|{_SPELT})\b",
        rf"\bfrom\s{_NUMBER}\S*\s(?:\w+\s){{0,2}}?(?:down\s|up\s)?to\s(?:\w+\s)?{_NUMBER}",
        rf"{_NUMBER}\S*\s(?:vs\.?|versus|→|->)\s(?:\w+\s){{0,3}}{_NUMBER}",
        r"\b(?:first|second|third|1st|2nd|3rd|top[- ]?\d+|number one|No\. ?1|#1)\s"
        r"(?:place|rank|position|on the|in the|among|out of)",
        r"\brank(?:s|ed|ing)\s(?:first|second|third|1st|2nd|3rd|top|highest|among|#|No\.)",
        r"\bp\s?[<=]\s?0?\.\d+",
    )
)

_OUTCOME = re.compile(
    r"\b"
    + _any(
        "outperform|surpass|exceed|beat|improv|enhanc|reduc|achiev|attain|obtain|yield|deliver|scor|increas",
        "decreas|boost|gain|drop|lower|accelerat|speed|higher|better|worse|compar|match|parity|closely|accura",
        r"(?:sped|less|more|versus|vs|than|won|SOTA|record|only|found|within|gap|margin|fast)\b",
        r"sav(?:e[sd]?|ing)\b|win(?:s|ning)?\b|find(?:s|ings?)?\b|cut(?:s|ting)?\b|near(?:ly)?\b|results?\b",
        "(?:fast|slow|few|small|larg|cheap|short|long|strong|great)er|state-of-the-art|state of the art|rank",
        "on par|show|demonstrat|reveal|observ|up to|as (?:little|few|much|low|high) as|retain",
        "maintain|preserv|requir|shrink|compress|reach|solv|succe|fail|recover|clos(?:e[sd]?|ing) the",
        "correlat|agree|perform",
        "doubl|tripl|halv|error|outcom|significan|report|complet|run(?:s|ning)? (?:at|in)|real-time|produc",
        r"latency|throughput|degrad|declin|fall|rise|rose|grow|prefer|(?:relative|against|over|under|below|above)\b",
    ),
    re.IGNORECASE,
)

# Claims of rank -----------------------------------------------------------------------

_BEST = _any(
    r"(?:new |near |near-)?(?:state[- ]of[- ]the[- ]art|SOTA)(?="
    + _any(
        r" (?:\w+[ -]){0,3}?(?:performance|results?|accurac|scores?|quality|capabilit|fidelity)",
        r" (?:\w+[ -]){0,3}?(?:speed|success|level|efficiency)",
        r" (?:on|among|across|in|for|at|with|and|by|while|over)\b",
        "[,.;:)]|$",
    )
    + ")",
    "superior (?!to the)",
    r"(?:significant|substantial|consistent|notable|large|considerable|marked|remarkable)(?:ly)?"
    r" (?:\w+ ){0,2}?"
    r"(?:improvements?|gains?|speed-?ups?|reductions?|better|higher|lower|faster)\b",
)
_RANK = re.compile(
    _any(
        r"\b(?:outperform|surpass|exceed|rival)(?:s|es|ed|ing)?\b"
        r"(?! (?:the |these |such )?(?:limit|bound|capacit|constraint))",
        r"\b(?:achiev|attain|reach|obtain|yield|deliver|set|establish|demonstrat|show|exhibit|produc|with|advanc)"
        rf"\w*\b[^.;]{{0,60}}?\b{_BEST}",
        r"\b(?:significant|substantial|consistent|considerabl|marked|remarkabl|dramatic|great|vast)\w*"
        r" (?:\w+ )?(?:improv|reduc|boost|enhanc|accelerat|decreas|increas|better|faster|lower)\w*\b"
        r"[^.;]{0,80}?\b(?:over|compared|than|baselines?|state-of-the-art|benchmarks?|accuracy|performance|quality)\b",
        r"\bsets? (?:a|the) new (?:state[- ]of[- ]the[- ]art|SOTA)\b|\bon par with\b",
        r"\bclos(?:es|ed|ing) the gap\b",
        r"\b(?:better|faster|higher|lower|fewer|worse|more [a-z]+) \w*\s?(?:\w+ ){0,3}than\b",
        r"\b(?:performs?|performance|results?|quality|accuracy)\b[^.;]{0,30}?"
        r"\b(?:comparabl[ey]|competitive(?:ly)?|superior|on par)\b",
        r"\b(?:comparable|competitive|superior|highest|best) (?:\w+ )?"
        r"(?:performance|results|accuracy|quality)\b",
    ),
    re.IGNORECASE,
)
_OWN = re.compile(
    r"\b(?:we|our|ours|this (?:paper|work|approach|method|study)|results?|experiments?|proposed)\b",
    re.IGNORECASE,
)
_FIELD = re.compile(
    _any(
        r"\b(?:has|have|had)\s(?:\w+ly\s|also\s|been\s|now\s)?"
        "(?:achiev|shown|surpass|outperform|demonstrat|reach|exceed|improv|emerg|becom|made|led|attain|increas|grow"
        "|enabl|revolution|attract)",
        r"^(?:existing|previous|prior|recent|current|traditional|conventional|many|most|despite|although|today)\b",
        r"^while recent\b",
        r"\b(?:existing|previous|current|prior) (?:\w+\s)?(?:methods?|approaches|works?|models|techniques)\b"
        r"[^,;]{0,40}\b(?:suffer|struggle|fail|require|rely|lack|often|typically|usually)",
    ),
    re.IGNORECASE,
)
_WISH = re.compile(
    r"\b(?:could (?:be|help|enable|we)|can we|how to|whether|aims? to|goal is|in order to|would|might"
    r"|potential to|hope|seek|future|to (?:further )?improve)\b|\?$",
    re.IGNORECASE,
)


def has_measurement(sentence: str) -> bool:
    """Whether the sentence gives a measured quantity together with a comparison or an outcome.

    Args:
        sentence: One sentence of clean text, English.
    """
    text = sentence[:LONGEST]
    return _QUANTITY.search(text) is not None and _OUTCOME.search(text) is not None


def claims_rank(sentence: str) -> bool:
    """Whether the sentence says, without need of a figure, that this paper's work does better or as well.

    Args:
        sentence: One sentence of clean text, English.
    """
    text = sentence[:LONGEST]
    if _RANK.search(text) is None or _WISH.search(text) is not None:
        return False
    return _FIELD.search(text) is None or _OWN.search(text) is not None


def is_headline(sentence: str) -> bool:
    """Whether the sentence states a measured result that a digest must not leave out.

    Args:
        sentence: One sentence of clean text, English.
    """
    return has_measurement(sentence) or claims_rank(sentence)

"""The words of the page, the index and the feed, in English and Korean: one table.

Korean sentences end in 합니다체, labels are noun phrases. ``{…}`` are filled by
`say`; a word that takes a count has two English forms, for one and for more.
"""

from __future__ import annotations

import datetime
import re

from presscheck.types import Language

WORDS: dict[str, tuple[str, str]] = {
    # key: (English, Korean)
    "skip": ("Skip to the entries", "항목으로 건너뛰기"),
    "switches": ("How to read this page", "읽기 설정"),
    "language": ("Language", "언어"),
    "style": ("Style", "문체"),
    "scheme": ("Colours", "화면 색"),
    "detailed": ("Detailed", "자세히"),
    "easy": ("Easy", "쉽게"),
    "auto": ("Auto", "자동"),
    "light": ("Light", "밝게"),
    "dark": ("Dark", "어둡게"),
    "contents": ("In this edition", "이번 호"),
    "paper": ("{n} paper", "논문 {n}편"),
    "papers": ("{n} papers", "논문 {n}편"),
    "taken": ("list taken", "목록 수집"),
    "open": ("taken before the day’s end", "마감 전 수집"),
    "open_why": (
        "The day was not over when the list was taken, so papers and votes may have been added since.",
        "목록을 수집할 때 그날이 끝나지 않았습니다. 이후 논문과 추천이 늘었을 수 있습니다.",
    ),
    "closed": ("day closed", "마감 후 수집"),
    "no_papers": ("No papers were listed on this day.", "이날 목록에 오른 논문이 없습니다."),
    "vote": ("{n} vote", "추천 {n}"),
    "votes": ("{n} votes", "추천 {n}"),
    "votes_unknown": ("votes not known", "추천 수 미상"),
    "authors": ("Authors", "저자"),
    "authors_unknown": ("Authors not known", "저자 미상"),
    "more": ("and {n} more", "외 {n}명"),
    "links": ("Links", "링크"),
    "abstract": ("Abstract", "초록"),
    "source_page": ("Abstract page", "초록 페이지"),
    "pdf": ("PDF", "PDF"),
    "code": ("Code", "코드"),
    "project": ("Project", "프로젝트"),
    "thumbnail": ("Thumbnail", "섬네일"),
    "related": ("See also", "관련 논문"),
    "whats_new": ("What’s New", "새로운 점"),
    "technical_details": ("Technical Details", "기술 내용"),
    "performance_highlights": ("Performance Highlights", "주요 성능"),
    "summary": ("Summary", "요약"),
    "plain": ("In Plain Words", "쉬운 설명"),
    "fields": ("Fields", "관련 분야"),
    "left_out": ("Left out", "싣지 않은 결과"),
    "notes": ("Press note", "교정 메모"),
    "not_summarised": ("Not summarised", "요약 없음"),
    "no_entry": (
        "This edition has no entry for this paper in this language and style.",
        "이 호에는 이 논문을 이 언어와 문체로 쓴 항목이 없습니다.",
    ),
    "absent": ("Nothing is given for this part.", "이 부분에 실을 내용이 없습니다."),
    "writer": ("Written by {name}", "작성: {name}"),
    "written": (
        "Written by {name} and checked: {kept} statements as first written, {repaired} repaired, "
        "{replaced} replaced by the abstract's own, {added} added from it, {dropped} dropped.",
        "{name}의 글을 점검했습니다. 처음 쓴 그대로 {kept}문장, 고쳐 쓴 것 {repaired}문장, "
        "초록 문장으로 바꾼 것 {replaced}문장, 초록에서 더한 것 {added}문장, 뺀 것 {dropped}문장입니다.",
    ),
    "extractive": (
        "Sentences of the abstract, unchanged (extractive)",
        "초록의 문장을 고치지 않고 옮김(추출식)",
    ),
    "editors": ("Written by the editors", "편집자 작성"),
    "evidence": ("Evidence", "근거"),
    "at_abstract": ("Abstract {version}, sentence {n}", "초록 {version}, 문장 {n}"),
    "at_abstract_whole": ("Abstract {version}", "초록 {version}"),
    "at_title": ("Title of the paper", "논문 제목"),
    "at_paper": ("Full text {version}, {place}", "본문 {version}, {place}"),
    "at_repository": ("Repository, {place}", "저장소, {place}"),
    "reworded": ("reworded since", "이후 문장이 바뀜"),
    "mark_title": ("title", "제목"),
    "mark_paper": ("paper", "본문"),
    "mark_repository": ("code", "코드"),
    "mark_abstract": ("abs.", "초록"),
    "in_abstract": ("Show in the abstract", "초록에서 보기"),
    "elsewhere": ("Open the source", "출처 열기"),
    "numbered": ("sentences numbered", "문장 번호 표시"),
    "problems": ("What did not go as it should", "처리하지 못한 것"),
    "bad paper": ("Bad paper", "읽지 못한 논문"),
    "duplicate": ("Listed twice", "중복"),
    "warning": ("Warning", "주의"),
    "about": ("About this edition", "이 호에 대하여"),
    "promise": (
        "Point at a statement, tap it, or move to its number: its evidence is shown.",
        "문장을 가리키거나 누르거나 번호로 이동하면 근거가 보입니다.",
    ),
    "score": ("{n} statements checked against their papers:", "논문과 대조한 문장 {n}개:"),
    "score_supported": ("{n} supported", "근거 확인 {n}"),
    "score_pointed": ("{n} with their place in the full text", "본문 위치 제시 {n}"),
    "score_beyond": ("{n} beyond the abstract", "초록 밖 {n}"),
    "score_unsupported": ("{n} not in the paper", "논문에 없음 {n}"),
    "score_conflict": ("{n} in conflict", "불일치 {n}"),
    "conflict": ("in conflict", "불일치"),
    "not_in_paper": ("not in paper", "논문에 없음"),
    "beyond_abstract": ("beyond abstract", "초록 밖"),
    "why_not_this_paper": (
        "Taken together, these statements are about another paper, or about none.",
        "문장 전체로 보아 다른 논문에 대한 내용이거나 어느 논문에도 없는 내용입니다.",
    ),
    "why_foreign_statement": (
        "Nothing in the abstract is about this.",
        "초록에 이 내용이 없습니다. 다른 논문의 내용일 수 있습니다.",
    ),
    "why_magnitude": (
        "The digits are the paper’s, the size is not.",
        "숫자는 논문과 같지만 자릿수가 다릅니다.",
    ),
    "why_number": ("The paper has another number here.", "논문의 수치와 다릅니다."),
    "why_number_lacking": ("The abstract has no such number.", "초록에 이 수치가 없습니다."),
    "why_unit": ("The number is the paper’s, the unit is not.", "수치는 논문과 같지만 단위가 다릅니다."),
    "why_hedge": (
        "The paper bounds or hedges this number otherwise.",
        "‘약’, ‘최대’, ‘이상’ 같은 한정이 논문과 다릅니다.",
    ),
    "why_source_conflict": (
        "The paper itself gives two values for this.",
        "논문 안에서 두 값이 서로 다릅니다.",
    ),
    "why_name": ("The paper writes this name otherwise.", "논문의 표기와 다릅니다."),
    "why_name_lacking": ("The abstract does not have this name.", "초록에 이 이름이 없습니다."),
    "why_expansion": ("The acronym stands for other words.", "약어의 풀이가 다릅니다."),
    "why_relation": (
        "The paper says the opposite, or says it under a condition that is gone.",
        "논문과 방향이 반대이거나 논문이 붙인 조건이 빠졌습니다.",
    ),
    "why_negation": ("One denies what the other says.", "논문과 긍정과 부정이 뒤바뀌었습니다."),
    "why_author_order": ("The authors are not in the paper’s order.", "저자 순서가 논문과 다릅니다."),
    "why_author_missing": ("These authors are not in the list.", "목록에서 빠진 저자입니다."),
    "why_author_artifact": ("This is no name of an author.", "저자 이름이 아닙니다."),
    "why_author_unknown": ("The paper has no author of this name.", "논문에 이런 이름의 저자가 없습니다."),
    "why_missing_section": ("The entry has no such section.", "항목에 이 부분이 없습니다."),
    "why_extra_section": (
        "The format has no such section, or has it once.",
        "형식에 없거나 두 번 나온 부분입니다.",
    ),
    "why_empty_section": ("The section says nothing.", "내용이 없는 부분입니다."),
    "why_thumbnail": ("The picture is not the paper’s thumbnail.", "논문의 섬네일이 아닙니다."),
    "why_link": ("The link does not lead to the paper.", "논문으로 가는 링크가 아닙니다."),
    "why_residue": (
        "Something of the source’s form that the reader cannot use.",
        "독자에게 쓸모없는 원문의 흔적입니다.",
    ),
    "why_register": (
        "The sentence ends in another register than most of the edition.",
        "문장의 끝맺음이 나머지 문장과 다릅니다.",
    ),
    "why_omitted_headline": (
        "The entry leaves out this result of the abstract.",
        "초록이 내세운 이 결과가 항목에 없습니다.",
    ),
    "why_name_absent": (
        "The entry never names the paper’s system.",
        "항목에 논문이 제시한 시스템의 이름이 한 번도 나오지 않습니다.",
    ),
    "why_stale_evidence": (
        "The sentence that the statement points to has changed.",
        "이 문장이 가리키는 초록의 문장이 바뀌었습니다.",
    ),
    "beside": ("presscheck and {name}, side by side", "presscheck와 {name} 나란히 보기"),
    "same_check": (
        "Both digests are held against the same papers by the same rules.",
        "두 요약을 같은 논문에 같은 기준으로 대조했습니다.",
    ),
    "the_edition": ("The edition of this day", "이날의 호"),
    "about_their_paper": ("Entries about their paper", "해당 논문을 다룬 항목"),
    "n_of": ("{n} of {of}", "{of}개 중 {n}개"),
    "unchecked": ("Entries whose paper is not at hand", "대조할 논문이 없는 항목"),
    "statements": ("Statements checked", "대조한 문장"),
    "verdict_supported": ("supported", "근거 확인"),
    "verdict_pointed": ("with their place in the full text", "본문 위치 제시"),
    "verdict_beyond": ("beyond the abstract", "초록 밖"),
    "verdict_unsupported": ("not in the paper", "논문에 없음"),
    "verdict_conflict": ("in conflict", "불일치"),
    "findings": ("Findings", "지적"),
    "worst": ("Worst findings in {name}", "{name}에서 눈에 띄는 오류"),
    "worst_none": ("The check found nothing wrong in {name}.", "{name}에서 잘못된 곳을 찾지 못했습니다."),
    "lacks": ("{name} has no entry for this paper.", "{name}에는 이 논문의 항목이 없습니다."),
    "not_listed": (
        "This paper is not on the day’s list as this edition has it.",
        "이 호의 목록에 없는 논문입니다.",
    ),
    "unasked": (
        "This page loads nothing from anywhere. Links leave it only when you follow them.",
        "이 페이지는 외부에서 아무것도 불러오지 않습니다. 링크는 누를 때만 열립니다.",
    ),
    "with_thumbnails": (
        "This page loads thumbnails from Hugging Face, and nothing else.",
        "이 페이지는 Hugging Face의 섬네일만 외부에서 불러옵니다.",
    ),
    "files": ("Files", "파일"),
    "all_editions": ("All editions", "모든 호"),
    "editions": ("editions", "호"),
    "neighbours": ("Other editions", "다른 호"),
    "previous": ("Previous", "이전 호"),
    "following": ("Next", "다음 호"),
    "tagline": ("The daily-papers digest that is checked", "근거를 대조하는 오늘의 논문"),
    "latest": ("Latest edition", "최신 호"),
    "read_on": ("Read the edition", "이 호 읽기"),
    "lamp": ("Under the lamp", "교정대 위"),
    "newest_notes": ("The newest press notes", "최근 교정 메모"),
    "no_notes": ("No press note in the newest editions.", "최근 호에는 교정 메모가 없습니다."),
    "calendar": ("Calendar of editions", "발행 달력"),
    "no_editions": ("No edition has been published here yet.", "아직 발행된 호가 없습니다."),
    "edition_of": ("edition of {date}", "{date} 호"),
    "feed": ("Feed", "피드"),
    "claims": ("Claims", "주장"),
    "record": ("Record", "기록"),
    "verdict": ("Verdict", "판정"),
    "reported": ("reported", "보고"),
    "measured": ("measured", "측정"),
    "needed": ("needed", "기준"),
    "beyond_scale": ("What this scale cannot show", "이 규모로 알 수 없는 것"),
    "likely": ("likely reason: ", "짐작되는 이유: "),
    "word_holds": ("holds here", "여기서 성립"),
    "word_fails": ("fails here", "여기서 불성립"),
    "word_undecided": ("undecided", "미결"),
    "word_not_measured": ("not measured", "측정 안 함"),
    "stale": ("the system has changed since", "이후 시스템이 바뀜"),
    "system_page": ("Use, table and figure", "사용법, 표, 그림"),
    "figure_alt": (
        "Claims of {name}: estimate, interval and bound, the baseline at 1",
        "{name}의 주장: 추정값, 구간, 기준, 기준선 1",
    ),
    "authors_on_page": ("and {n} more", "외 {n}명"),
    "search": ("Search", "검색"),
    "systems": ("Systems", "시스템"),
    "more_pages": ("Parts of this edition", "이 호의 나뉜 쪽"),
    "similar": ("Similar papers", "비슷한 논문"),
    "in_editions": ("In the editions of", "실린 호"),
    "cite": ("To cite it", "인용"),
    "newest_claims": ("what was measured", "측정한 것"),
    "nothing_measured": ("No claim has been measured yet.", "아직 측정한 주장이 없습니다."),
    "search_words": ("Words, names, an arXiv id; Korean or English", "낱말, 이름, arXiv 번호. 한국어와 영어"),
    "search_for": ("Search for", "검색어"),
    "search_since": ("Since", "이후"),
    "search_field": ("Field", "분야"),
    "search_claims": ("with claims", "주장이 있는 것"),
    "search_none": ("Nothing found.", "찾은 것이 없습니다."),
    "search_found": ("{n} found", "{n}건"),
    "search_more": ("Show more", "더 보기"),
    "search_failed": (
        "A part of the index could not be loaded.",
        "색인의 일부를 불러오지 못했습니다.",
    ),
    "search_script": (
        "Search runs in your browser and needs its script; the calendar and the fields work without.",
        "검색은 브라우저의 스크립트로 작동합니다. 달력과 분야 목록은 스크립트 없이도 볼 수 있습니다.",
    ),
    "search_here": (
        "The index is searched in your browser: nothing that you type leaves it.",
        "색인은 브라우저 안에서 검색합니다. 입력한 내용은 밖으로 나가지 않습니다.",
    ),
    "search_meaning": ("words and meaning", "낱말과 의미"),
    "fields_title": ("Fields", "분야"),
    "use": ("Use", "사용법"),
    "measure": ("Measure it here", "여기서 측정하기"),
    "paper_page": ("The paper", "논문"),
    "code_here": ("Code", "코드"),
    "no_systems": ("No system can be run yet.", "아직 실행할 수 있는 시스템이 없습니다."),
    "systems_told": (
        "Papers whose headline results can be run on one machine, and what was measured.",
        "주요 결과를 한 대의 컴퓨터에서 실행할 수 있는 논문과 그 측정 결과입니다.",
    ),
    "judged": ("{n} claims judged", "판정한 주장 {n}개"),
    "all_years": ("All years", "모든 해"),
    "feeds": ("Feeds", "피드"),
    "all_entries": ("all", "전체"),
    "not_found": ("There is no such page here.", "이 주소에는 페이지가 없습니다."),
    "run_it": ("Measure", "측정"),
    "run_stop": ("Stop", "중지"),
    "run_idle": ("Nothing is being measured.", "측정 중인 것이 없습니다."),
    "run_progress": ("Progress", "진행"),
}

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_BLANK = re.compile(r"\{(\w+)\}")
WEEKDAYS_KO = "월화수목금토일"


def say(key: str, language: Language, **values: object) -> str:
    """One word of the table, its blanks filled; runs of spaces that an empty value leaves are closed.

    Args:
        key: A key of `WORDS`.
        language: ``en`` or ``ko``.
        **values: What stands in the blanks. They are put in as they are, never read as a format.

    Returns:
        Plain text, to be escaped by whoever prints it.
    """
    text = WORDS[key][language == "ko"]
    if not values:
        return text
    # One pass, so that a blank's name inside a value stays what it is.
    filled = _BLANK.sub(lambda blank: str(values[blank[1]]), text)
    return " ".join(filled.split()).replace(" ,", ",").rstrip(", ")


def count(key: str, n: int, language: Language) -> str:
    """``1 vote``, ``2 votes``, ``−1 votes``: a counted word with a true minus sign."""
    plural = key if n == 1 else f"{key}s"
    number = f"{n:,}".replace("-", "\N{MINUS SIGN}")
    return say(plural, language, n=number)


def day_in_words(date: str, language: Language) -> str:
    """``2024-07-31`` as a headline; anything that is no date comes back as it is."""
    try:
        day = datetime.date.fromisoformat(date)
    except ValueError:
        return date
    if language == "ko":
        return f"{day.year}년 {day.month}월 {day.day}일 {WEEKDAYS_KO[day.weekday()]}요일"
    return f"{WEEKDAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def month_in_words(year: int, month: int, language: Language) -> str:
    """``July 2024`` or ``2024년 7월``."""
    return f"{year}년 {month}월" if language == "ko" else f"{MONTHS[month - 1]} {year}"


def time_in_words(time: str) -> str:
    """``2024-07-31T01:00:00Z`` as ``2024-07-31 01:00 UTC``, the same in every language."""
    if len(time) == 20 and time[10] == "T" and time.endswith("Z"):
        return f"{time[:10]} {time[11:16]} UTC"
    return time

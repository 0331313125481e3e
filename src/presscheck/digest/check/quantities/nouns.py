"""What is counted: the words of both languages for the same kind of thing."""

from __future__ import annotations

import re

# Stems, so that "파라미터의" and "parameters" are met; one row is one kind of thing.
_ROWS = {
    "params": "parameter|param|파라미터|매개변수|매개 변수",
    "tokens": "token|토큰",
    "layers": "layer|레이어|계층|층",
    "images": "image|picture|photo|이미지|사진|그림",
    "videos": "video|clip|비디오|영상|클립|동영상",
    "frames": "frame(?!work)|프레임(?!워크)",
    "models": "model(?!ing)|llm|vlm|mllm|lmm|모델(?!링)",
    "datasets": "dataset|data set|corpora|corpus|데이터셋|데이터 ?세트|코퍼스|말뭉치",
    "benchmarks": "benchmark|벤치마크",
    "tasks": "task|작업|과제|태스크",
    "languages": "language(?! model)|언어(?! ?모델)",
    "questions": "question|query|queries|질문|질의|문항|쿼리",
    "problems": "problem|문제|puzzle|퍼즐",
    "answers": "answer|response|답변|응답",
    "pairs": "pair|쌍|triplet",
    "samples": "sample|example|instance|item|샘플|예제|예시|사례|인스턴스|항목|표본",
    "stages": "stage|phase|step|단계|스텝",
    "categories": "categor|class(?!if)|type|카테고리|범주|클래스|유형|종류",
    "domains": "domain|field|area|disciplin|subject|도메인|분야|영역|학문|과목",
    "papers": "paper|article|publication|논문|기사|출판물",
    "documents": "document|page|문서|페이지",
    "sentences": "sentence|문장",
    "words": "word|단어|어휘",
    "people": "people|participant|user|expert|annotator|student|tutor|human|speaker|subject"
    "|참가자|사용자|전문가|학생|튜터|화자|사람|명",
    "gpus": "gpu|h100|a100|h800|rtx|v100|그래픽",
    "dimensions": "dimension|aspect|axis|axes|perspective|차원|측면|관점|축",
    "scenes": "scene(?!rio)|장면",
    "objects": "object|객체|물체",
    "agents": "agent|에이전트",
    "environments": "environment|환경",
    "repositories": "repositor|리포지토리|저장소",
    "conversations": "conversation|dialogue|dialog|대화",
    "episodes": "episode|trajector|demonstration|에피소드|궤적|시연",
    "epochs": "epoch|에폭",
    "experiments": "experiment|실험",
    "methods": "method|approach|technique|algorithm|방법|접근법|기법|기술|알고리즘",
    "components": "component|module|parts?(?![a-z])|구성 ?요소|모듈|부분",
    "challenges": "challenge|limitation|과제|도전|한계",
    "functions": "function|함수",
    "annotations": "annotation|label|주석|라벨|레이블",
    "views": "view(?!er)|시점|뷰",
    "emotions": "emotion|감정",
    "actions": "action|행동|동작",
    "concepts": "concept|개념",
    "characters": "character|문자|캐릭터",
    "turns": "turn|턴",
    "heads": "heads?(?![a-z])|헤드",
    "experts": "expert|전문가",
    "metrics": "metric|지표|메트릭",
    "skills": "skill|abilit|capabilit|능력|기술",
    "tools": "tool|도구",
    "apis": "api|함수 호출",
    "variants": "variant|version|변형|버전",
    "scenarios": "scenario|시나리오",
    "countries": "countr|국가|나라",
    "sources": "source|출처|소스",
    "hardware": "chip|cores?(?![a-z])|칩|코어",
    "programs": "program(?!m)|프로그램",
    "shapes": "shape|형상",
    "robots": "robot|로봇",
    "games": "game|게임",
    "molecules": "molecul|분자",
    "genes": "genes?(?![a-z])|유전자",
    "objectives": "objective|loss|goal|손실|목표|목적",
    "factors": "factor|요인|요소",
    "principles": "principle|원칙",
    "strategies": "strateg|전략",
    "findings": "finding|insight|발견|통찰",
    "scores": "score|점수",
    "theorems": "theorem|lemma|정리(?!하)",
    "cities": "city|cities|도시",
    "levels": "level|tier|수준|레벨|등급",
    "patterns": "pattern|modes?(?![a-z])|패턴|모드",
    "signals": "signal|신호",
    "modalities": "modalit|모달리티",
    "applications": "application|응용|애플리케이션|애플리 ?케이션",
    "requirements": "requirement|요구",
    "characteristics": "characteristic|propert|attribute|feature|특성|속성|특징",
    "paths": "pathway|path|branch|stream|경로|분기|가지치기",
    "phenomena": "phenomen|현상",
    "sizes": "size|scale|크기|규모",
    "encoders": "encoder|인코더|decoder|디코더",
    "embeddings": "embedding|임베딩",
    "features": "feature|기능",
    "systems": "system|시스템",
    "networks": "network|네트워크",
    "groups": "group|sets?(?![a-z])|그룹|집합|세트",
    "issues": "issue|difficult|이슈|어려움",
    "contributions": "contribution|기여",
    "innovations": "innovation|혁신|improvement|개선",
    "axes": "direction|방향",
    "hours": "hour|시간",
    "interactions": "interaction|상호작용",
    "families": "famil|series|계열|시리즈|제품군",
    "constraints": "constraint|제약",
    "reactions": "reaction|반응",
    "errors": "error|failure|오류|실패",
    "rules": "rule|규칙",
    "formats": "format|형식",
    "settings": "setting|configuration|설정|구성",
    "splits": "split|subset|하위 ?집합|분할",
    "tests": "tests?(?![a-z])|exams?(?![a-z])|테스트|시험",
    "sequences": "sequence|시퀀스|서열",
    "weights": "weight|가중치",
    "lines": "lines?(?![a-z])",
    "trials": "trial|시행|시도",
    "nodes": "node|edge|노드|엣지",
    "recordings": "recording|speech|utterance|녹음|음성|발화",
    "instructions": "instruction|prompt|지시|프롬프트|지침",
    "rounds": "rounds?(?![a-z])|라운드",
    "iterations": "iteration|반복",
    "points": "point|포인트",
    "prices": "cost|비용",
}


def _compile() -> tuple[re.Pattern[str], dict[str, str]]:
    """One pattern over all stems, forked by first letter so that few are tried at one place."""
    forks: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    for kind, forms in _ROWS.items():
        for form in forms.split("|"):
            group = f"g{len(kinds)}"
            kinds[group] = kind
            forks.setdefault(form[0], []).append(f"(?P<{group}>{form[1:]})")
    latin = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in forks.items() if first.isascii())
    hangul = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in forks.items() if not first.isascii())
    return re.compile(f"(?<![A-Za-z])(?:{latin})|(?=[가-힣])(?:{hangul})", re.IGNORECASE), kinds


_NOUN, _KINDS = _compile()
_WINDOW_AFTER, _WINDOW_BEFORE = 60, 18
_HARD_STOP = re.compile(r"[.;:!?()\[\]]|,(?! [a-z-]+ed\b)|\d")
_SOFT_STOP = re.compile(
    r" (?:and|or|in|on|for|with|that|to|from|across|over|by|at|than|while|which|using|are|is|as|into|via) "
    r"|(?<=[가-힣])(?:에서|으로|에|를|을|와|과|은|는|이|가|로) "
)
_BEFORE_STOP = re.compile(r"[.;:!?,()\[\]\d]|(?<=[가-힣])(?:와|과|을|를|에서|으로) ")


def nouns_near(text: str, start: int, end: int) -> frozenset[str]:
    """The kinds of things that a number at ``text[start:end]`` may count.

    Behind the number, up to the end of its noun phrase; for Korean, where the noun
    may stand first ("데이터셋 5개"), the word before it when none follows.
    """
    following = text[end : end + _WINDOW_AFTER]
    hard = _HARD_STOP.search(following)
    following = following[: hard.start() if hard else None]
    found = list(_NOUN.finditer(following))
    if found:
        # The phrase ends at the first connecting word behind its first noun.
        soft = _SOFT_STOP.search(following, found[0].start())
        last = soft.start() if soft else len(following)
        return frozenset(_KINDS[match.lastgroup or ""] for match in found if match.start() <= last)
    before = text[max(0, start - _WINDOW_BEFORE) : start]
    if not re.search(r"[가-힣]", before):
        return frozenset()
    stops = list(_BEFORE_STOP.finditer(before))
    return frozenset(
        _KINDS[match.lastgroup or ""] for match in _NOUN.finditer(before, stops[-1].end() if stops else 0)
    )

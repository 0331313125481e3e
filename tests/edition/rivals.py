"""Digests as somebody else would print them, about the papers of ``editions``; every sentence is ours."""

from __future__ import annotations

DAY = "2024-07-31"

KOREAN = """## Daily Papers (2024-07-31)

### [Quarry: A Benchmark of Questions That Need Two Documents](https://arxiv.org/abs/2407.00002)

Vote: 1

Authors: Nour Haddad

- **What's New**: 두 문서를 함께 읽어야 답할 수 있는 질문 4,200개를 모은 벤치마크 Quarry를 제시합니다.
- **Technical Details**: 질문마다 한 명이 작성하고 두 명이 답했습니다.
- **Performance Highlights**: 가장 좋은 모델이 61.2%를 맞히고 사람은 93.5%를 맞힙니다.

### [Larch: Pruning Attention Heads Without Losing the Thread](https://arxiv.org/abs/2407.00001)

Vote: 53

Authors: Jun-ho Kim, Ada Byrne, Marta Ruiz, Li Wei, 이서연

- **What's New**: Larch는 이후 토큰이 얼마나 쓰는지를 보고 어텐션 헤드를 가지치기합니다.
- **Technical Details**: Larch는 최근 질의의 창에서 헤드마다 점수를 매깁니다.
- **Performance Highlights**: Larch는 여덟 과제에서 메모리를 310% 줄입니다. 배치 16에서 1.9배 빠릅니다.

### [Nobody Listed This](https://arxiv.org/abs/2407.09999)

Vote: 2

Authors: Zoe Quinn

- **What's New**: 목록에 없는 논문입니다.
- **Technical Details**: 내용이 없습니다.
- **Performance Highlights**: 결과가 없습니다.
"""

FOREIGN = """## Daily Papers (2024-07-31)

### [Larch: Pruning Attention Heads Without Losing the Thread](https://arxiv.org/abs/2407.00001)

Vote: 53

Authors: Ada Byrne, Jun-ho Kim, Marta Ruiz, Li Wei, 이서연

- **What's New**: A marine survey counts sea urchins on reefs with divers and underwater cameras.
- **Technical Details**: Divers lay ropes along the coast and photograph each square metre of rock.
- **Performance Highlights**: Kelp forests recover when otters return to the bay in winter.
"""

HOSTILE_MARKDOWN = """## Daily Papers (2024-07-31)

### [Larch](https://arxiv.org/abs/2407.00001)

![](https://tracker.example/pixel.png)

Vote: 53

Authors: <script>alert(1)</script>, [click](javascript:alert(2)), \u202etnirp

- **What's New**: Larch <img src=x onerror=alert(3)> prunes by 310% </p></section><script>alert(4)</script>.
- **Technical Details**: {{ 7*7 }} {% raw %} &lt;b&gt; `</style>` [here](javascript:alert(5)).
- **<svg onload=alert(6)>**: "quoted" & 'quoted'.
"""

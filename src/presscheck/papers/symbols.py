"""What LaTeX names stand for, as far as abstracts use them."""

from __future__ import annotations

COLOURS = "red|blue|teal|cyan|magenta|green|purple|orange|violet|gray|grey|black|brown|pink|mypink"

ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "v": "\u030c", "c": "\u0327", "u": "\u0306", "H": "\u030b", "k": "\u0328",
    "r": "\u030a", "d": "\u0323", "b": "\u0331",
}
"""The combining mark of each accent command."""

PUNCTUATION = {
    "%": "%", "&": "&", "_": "_", "#": "#", "$": "$", "{": "{", "}": "}", " ": " ", ",": " ", ";": " ",
    ":": " ", "!": "", "\\": " ", "/": "", "-": "", "|": "‖", ">": " ", "(": "", ")": "", "[": "",
    "]": "", "@": "",
}
"""What a backslash before a character that is no letter gives."""

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ",
    "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ",
    "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω", "ell": "ℓ",
}

RELATIONS = {
    "leq": "≤", "geq": "≥", "neq": "≠", "leqslant": "≤", "geqslant": "≥", "rightarrow": "→",
    "leftarrow": "←", "leftrightarrow": "↔", "Rightarrow": "⇒", "longrightarrow": "→", "infty": "∞",
    "cdot": "·", "langle": "⟨", "rangle": "⟩", "lceil": "⌈", "rceil": "⌉", "lfloor": "⌊",
    "rfloor": "⌋", "ldots": "…", "cdots": "⋯",
}
"""Names that are no English word, so that they are known without their backslash too."""

LETTERS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å",
    "AA": "Å", "i": "ı", "j": "ȷ",
}
"""Letters, after which LaTeX swallows a space."""

SYMBOLS = RELATIONS | LETTERS | {
    "neg": "¬", "lnot": "¬",
    "times": "×", "sim": "~", "approx": "≈", "simeq": "≈", "le": "≤", "ge": "≥", "ne": "≠", "ll": "≪",
    "gg": "≫", "pm": "±", "mp": "∓", "to": "→", "mapsto": "↦", "gets": "←", "uparrow": "↑",
    "downarrow": "↓", "dots": "…", "equiv": "≡", "propto": "∝", "circ": "∘", "deg": "°", "degree": "°",
    "textdegree": "°", "ast": "*", "star": "⋆", "bullet": "•", "dagger": "†", "ddagger": "‡",
    "in": "∈", "notin": "∉", "subset": "⊂", "subseteq": "⊆", "cup": "∪", "cap": "∩", "setminus": "∖",
    "emptyset": "∅", "forall": "∀", "exists": "∃", "nabla": "∇", "partial": "∂", "sum": "∑",
    "prod": "∏", "int": "∫", "log": "log", "ln": "ln", "exp": "exp", "min": "min", "max": "max",
    "sup": "sup", "inf": "inf", "mid": "|", "vert": "|", "Vert": "‖", "oplus": "⊕", "otimes": "⊗",
    "checkmark": "✓", "quad": " ", "qquad": " ", "eg": "e.g.", "ie": "i.e.", "etal": "et al.",
    "etc": "etc.", "vs": "vs.", "wrt": "w.r.t.", "cf": "cf.", "LaTeX": "LaTeX", "TeX": "TeX",
    "textasciitilde": "~", "textbackslash": "\\",
    "textunderscore": "_", "textendash": "–", "textemdash": "—", "textquotesingle": "'",
    "textregistered": "®", "texttrademark": "™", "copyright": "©", "textgreater": ">", "textless": "<",
    "textbar": "|", "textpm": "±", "texttimes": "×", "textmu": "µ", "textsterling": "£", "pounds": "£",
    "texteuro": "€", "euro": "€", "S": "§", "P": "¶", "ldotp": ".", "lbrace": "{", "rbrace": "}",
    "newline": " ", "linebreak": " ",
}

"""SciCode: problems of research code in steps, graded by running what a model wrote, in a sandbox.

``load_problems`` reads the published files, ``solve`` asks a model step by step, ``evaluate``
grades and reports. Solutions run without network, files or processes, and are compared
outside the process they run in. Reference: Tian et al., arXiv 2407.13168.
"""

from .compare import Comparison, compare
from .grading import Grader, Report, evaluate, grade_problem, grade_step, wilson
from .problems import SciCodeProblem, SciCodeStep, count, load_problems
from .prompts import PromptBuilder, extract_code, solve
from .sandbox import IsolationError, Limits, Sandbox
from .targets import MemoryTargets, TargetStore

__all__ = [
    "Comparison",
    "Grader",
    "IsolationError",
    "Limits",
    "MemoryTargets",
    "PromptBuilder",
    "Report",
    "Sandbox",
    "SciCodeProblem",
    "SciCodeStep",
    "TargetStore",
    "compare",
    "count",
    "evaluate",
    "extract_code",
    "grade_problem",
    "grade_step",
    "load_problems",
    "solve",
    "wilson",
]

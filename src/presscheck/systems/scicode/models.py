"""A Hugging Face causal language model as a function from prompt to reply.

Any function ``str -> str`` is a model for ``solve``; this one is the adapter for models
of ``transformers``: chat template where there is one, greedy as in the paper.
"""

from __future__ import annotations

from typing import Any


class CausalLM:
    """Writes replies, greedily.

    Args:
        model: A causal language model of ``transformers``, where it is to run.
        tokenizer: Its tokenizer.
        max_new_tokens: Of a reply.
        max_prompt_tokens: A longer prompt loses tokens at its start, where the oldest steps are.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, max_new_tokens: int = 512, max_prompt_tokens: int = 1536
    ) -> None:
        if max_new_tokens < 1 or max_prompt_tokens < 1:
            raise ValueError(f"tokens must be 1 or more, got {max_new_tokens} and {max_prompt_tokens}")
        self.model, self.tokenizer = model, tokenizer
        self.max_new_tokens, self.max_prompt_tokens = max_new_tokens, max_prompt_tokens

    @classmethod
    def load(cls, name: str, device: str = "cpu", **settings: int) -> CausalLM:
        """Load by path or hub name.

        Args:
            name: As ``from_pretrained`` takes it.
            device: As torch writes it.
            settings: Of the constructor.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(name).to(device).eval()
        return cls(model, AutoTokenizer.from_pretrained(name), **settings)

    def __call__(self, prompt: str) -> str:
        """The reply to one prompt."""
        return self.many([prompt])[0]

    def many(self, prompts: list[str]) -> list[str]:
        """Replies to several prompts, in one batch."""
        import torch

        rows = [self._ids(prompt)[-self.max_prompt_tokens :] for prompt in prompts]
        longest = max(len(row) for row in rows)
        end = self.tokenizer.eos_token_id
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else end
        device = self.model.device
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=self.max_new_tokens,
                do_sample=False,
                pad_token_id=pad,
            )
        replies: list[str] = self.tokenizer.batch_decode(out[:, longest:], skip_special_tokens=True)
        return replies

    def _ids(self, prompt: str) -> list[int]:
        if getattr(self.tokenizer, "chat_template", None):
            message = [{"role": "user", "content": prompt}]
            text = self.tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
            return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return list(self.tokenizer(prompt)["input_ids"])

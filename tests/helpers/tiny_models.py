"""Small random models and tokenizers, made in a moment, for tests of plugins that need a real one."""

from __future__ import annotations

from pathlib import Path

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message['content'] + '<|end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
"""Takes messages in any order; what the assistant says, its end token included, is marked for training."""

SENTENCES = (
    "How have you been since we last met?",
    "I could not sleep, and I thought that nobody would miss me at work.",
    "What went through your mind just then?",
    "That I always let everybody down. It felt heavy, like a stone.",
    "Shall we set an agenda for today and look at the homework first?",
    "Thank you, that was helpful. Goodbye, until next week!",
    "What would you say to a friend who thought that?",
)


def make_tokenizer(folder: Path, chat_template: str | None = CHAT_TEMPLATE, vocabulary: int = 400) -> None:
    """Write a byte-level BPE tokenizer with `<|end|>` as its end token."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    bpe.train_from_iterator(SENTENCES, vocab_size=vocabulary, special_tokens=special, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<|end|>", pad_token="<|pad|>")
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(str(folder))


def make_model(
    folder: Path, *, seed: int = 0, hidden: int = 64, layers: int = 2, spread: float = 0.2, vocabulary: int = 400
) -> Path:
    """Write a random Llama with its tokenizer, and give the folder.

    spread: standard deviation of the weights; the bigger, the more its next tokens differ from prompt to prompt.
    vocabulary: tokens that the model knows; the tokenizer makes at most 400 of them.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    make_tokenizer(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 3,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=spread,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder

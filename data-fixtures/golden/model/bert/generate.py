# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.9.1", "transformers==4.57.3", "safetensors==0.7.0", "numpy==2.3.5"]
# ///
"""Writes a tiny random BertForMaskedLM of Geneformer's shape and what PyTorch computes with it.

model.safetensors, config.json: as `save_pretrained` writes them. golden.json: tokens, hidden states, logits, and the
loss of masked tokens with the gradient of every parameter (its norm, and its first values).

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import torch
from transformers import BertConfig, BertForMaskedLM

HERE = Path(__file__).parent
VOCAB, MAX_LEN = 60, 16


def main():
    torch.manual_seed(1)
    torch.use_deterministic_algorithms(True)
    config = BertConfig(
        vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        hidden_act="relu", max_position_embeddings=MAX_LEN, type_vocab_size=2, layer_norm_eps=1e-12,
        hidden_dropout_prob=0.02, attention_probs_dropout_prob=0.02, initializer_range=0.02, pad_token_id=0,
    )
    model = BertForMaskedLM(config).eval()
    with torch.no_grad():
        # The published spread of 0.02 leaves attention nearly flat and biases at zero: errors would not show.
        for name, p in model.named_parameters():
            p.add_(torch.randn_like(p) * (0.1 if "LayerNorm" in name or name.endswith("bias") else 0.15))
    model.tie_weights()
    model.save_pretrained(HERE, safe_serialization=True)

    lengths = [12, 7, 1]
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        ids[row, :n] = torch.randint(2, VOCAB, (n,))
        mask[row, :n] = 1
    out = model(ids, attention_mask=mask, output_hidden_states=True)

    labels = torch.full_like(ids, -100)
    for row, at in [(0, 0), (0, 3), (0, 11), (1, 2), (1, 6)]:
        labels[row, at] = ids[row, at]
    masked = torch.where(labels >= 0, torch.ones_like(ids), ids)
    loss = model(masked, attention_mask=mask, labels=labels).loss
    loss.backward()
    gradients = {
        name: {"norm": p.grad.norm().item(), "first": p.grad.flatten()[:8].tolist()}
        for name, p in model.named_parameters() if p.grad is not None
    }
    golden = {
        "lengths": lengths,
        "input_ids": [ids[r, :n].tolist() for r, n in enumerate(lengths)],
        "hidden": [[h[r, :n].flatten().tolist() for r, n in enumerate(lengths)] for h in out.hidden_states],
        "logits": [out.logits[r, :n].flatten().tolist() for r, n in enumerate(lengths)],
        "masked": [masked[r, :n].tolist() for r, n in enumerate(lengths)],
        "labels": [labels[r, :n].tolist() for r, n in enumerate(lengths)],
        "loss": loss.item(),
        "gradients": gradients,
    }
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()

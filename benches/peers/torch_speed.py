# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.9.1", "safetensors==0.7.0", "numpy==2.3.5"]
# ///
"""Times PyTorch on the cells and the weights that the binary `model_speed` wrote.

The same BERT (post-norm, GELU), with `scaled_dot_product_attention`, single precision, batches of neighbouring lengths
(padding masked, and no mask where a batch has one length), the head on masked tokens alone, and the fused AdamW.
Only real tokens are counted. Prints the lines that `model_speed` prints:
bench,tool,n_cells,n_tokens,check,seconds,tokens_per_second,bytes_per_token,peak_bytes.

Run: uv run benches/peers/torch_speed.py DIR inference|training [BUDGET] [REPEATS] [THREADS]
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn


class Block(nn.Module):
    def __init__(self, d, n_heads, inner, eps):
        super().__init__()
        self.n_heads = n_heads
        # One product for queries, keys and values: PyTorch is faster so.
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.norm_attention = nn.LayerNorm(d, eps)
        self.up = nn.Linear(d, inner)
        self.down = nn.Linear(inner, d)
        self.norm_output = nn.LayerNorm(d, eps)

    def forward(self, x, mask):
        n, length, d = x.shape
        q, k, v = self.qkv(x).view(n, length, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(n, length, d)
        x = self.norm_attention(x + self.out(mixed))
        return self.norm_output(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    def __init__(self, config):
        super().__init__()
        d, eps = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], d)
        self.positions = nn.Embedding(config["max_position_embeddings"], d)
        self.segments = nn.Embedding(config["type_vocab_size"], d)
        self.norm = nn.LayerNorm(d, eps)
        self.blocks = nn.ModuleList(
            Block(d, config["num_attention_heads"], config["intermediate_size"], eps)
            for _ in range(config["num_hidden_layers"])
        )
        self.head = nn.Linear(d, d)
        self.head_norm = nn.LayerNorm(d, eps)
        self.head_bias = nn.Parameter(torch.zeros(config["vocab_size"]))

    def forward(self, ids, mask):
        at = torch.arange(ids.shape[1])
        x = self.norm(self.words(ids) + self.positions(at) + self.segments(torch.zeros(1, dtype=torch.long)))
        for block in self.blocks:
            x = block(x, mask)
        return x

    def loss(self, ids, mask, positions, labels):
        states = self(ids, mask).flatten(0, 1)[positions]
        states = self.head_norm(F.gelu(self.head(states)))
        return F.cross_entropy(F.linear(states, self.words.weight, self.head_bias), labels)


def load(folder, config):
    weights = load_file(folder / "model.safetensors")
    model = Bert(config)
    names = {
        "words.weight": "bert.embeddings.word_embeddings.weight",
        "positions.weight": "bert.embeddings.position_embeddings.weight",
        "segments.weight": "bert.embeddings.token_type_embeddings.weight",
        "norm": "bert.embeddings.LayerNorm",
        "head": "cls.predictions.transform.dense",
        "head_norm": "cls.predictions.transform.LayerNorm",
        "head_bias": "cls.predictions.bias",
    }
    parts = {
        "out": "attention.output.dense",
        "norm_attention": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm_output": "output.LayerNorm",
    }
    state = {}
    for key in model.state_dict():
        if key.startswith("blocks."):
            _, layer, part, kind = key.split(".")
            prefix = f"bert.encoder.layer.{layer}"
            if part == "qkv":
                heads = [f"{prefix}.attention.self.{it}.{kind}" for it in ("query", "key", "value")]
                state[key] = torch.cat([weights[it] for it in heads])
            else:
                state[key] = weights[f"{prefix}.{parts[part]}.{kind}"]
        elif key in names:
            state[key] = weights[names[key]]
        else:
            part, kind = key.split(".")
            state[key] = weights[f"{names[part]}.{kind}"]
    model.load_state_dict(state)
    return model


def batches(cells, budget):
    """Cells by length, as many as fit the budget when padded to the longest of them."""
    order = sorted(range(len(cells)), key=lambda it: (len(cells[it]["tokens"]), it))
    out, now = [], []
    for it in order:
        if now and (len(now) + 1) * len(cells[it]["tokens"]) > budget:
            out.append(now)
            now = []
        now.append(it)
    return out + [now]


def tensors(cells, rows, which):
    lengths = [len(cells[it][which]) for it in rows]
    longest = max(lengths)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    for row, it in enumerate(rows):
        ids[row, : lengths[row]] = torch.tensor(cells[it][which])
    mask = None
    if min(lengths) < longest:
        mask = (torch.arange(longest)[None] < torch.tensor(lengths)[:, None])[:, None, None, :]
    positions = [row * longest + at for row, it in enumerate(rows) for at in cells[it]["masked"]]
    labels = [cells[it]["tokens"][at] for it in rows for at in cells[it]["masked"]]
    return ids, mask, torch.tensor(positions), torch.tensor(labels)


def infer(model, made, lengths):
    total = 0.0
    with torch.inference_mode():
        for (ids, mask, _, _), n in zip(made, lengths):
            states = model(ids, mask)
            total += sum(float(states[row, :length].mean(0).abs().sum()) for row, length in enumerate(n))
    return total


def train(model, optimizer, made):
    total = 0.0
    for ids, mask, positions, labels in made:
        optimizer.zero_grad()
        loss = model.loss(ids, mask, positions, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += float(loss.detach())
    return total / len(made)


def main():
    folder, mode = Path(sys.argv[1]), sys.argv[2]
    budget = int(sys.argv[3]) if len(sys.argv) > 3 else 8192
    repeats = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    torch.set_num_threads(int(sys.argv[5]) if len(sys.argv) > 5 else 2)
    config = json.loads((folder / "config.json").read_text())
    cells = json.loads((folder / "cells.json").read_text())
    model = load(folder, config)
    groups = batches(cells, budget)
    made = [tensors(cells, rows, "tokens" if mode == "inference" else "input") for rows in groups]
    lengths = [[len(cells[it]["tokens"]) for it in rows] for rows in groups]
    n_tokens = sum(sum(it) for it in lengths)
    largest = max(sum(it) for it in lengths)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    model.train(mode == "training")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    for _ in range(repeats):
        start = time.perf_counter()
        check = infer(model, made, lengths) if mode == "inference" else train(model, optimizer, made)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        per_token = (peak - before) / largest
        print(
            f"model_{mode},pytorch {torch.__version__},{len(cells)},{n_tokens},{check:.6f},{seconds:.3f},"
            f"{n_tokens / seconds:.0f},{per_token:.0f},{peak}",
            flush=True,
        )


if __name__ == "__main__":
    main()

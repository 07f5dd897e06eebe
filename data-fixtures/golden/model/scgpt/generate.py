# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.9.1", "safetensors==0.7.0", "numpy==2.3.5"]
# ///
"""Writes a tiny random scGPT TransformerModel and what PyTorch computes with it.

golden.json: tokens, hidden states, both expression heads, the state of the cell, and the gradient of every parameter
(its norm, and its first values) of the sum of squares of both heads.

The class comes from the published package (scgpt 0.2.4, `pip download --no-deps --no-binary :none: scgpt==0.2.4`);
`scgpt/model` is loaded by its path, because the package as a whole asks for libraries that the network does not need.

Run: uv run --script generate.py PATH_OF_UNPACKED_PACKAGE
"""

import importlib.util
import json
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent
N_TOKENS, PAD = 40, 37
ARGS = {"embsize": 32, "nheads": 4, "d_hid": 48, "nlayers": 2, "dropout": 0.2, "pad_value": -2, "mask_value": -1}


def transformer_model(package):
    """`scgpt.model.model.TransformerModel` without `scgpt/__init__.py`."""
    for name, path in [("scgpt", package / "scgpt"), ("scgpt.model", package / "scgpt" / "model")]:
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        sys.modules[name] = module
    spec = importlib.util.spec_from_file_location("scgpt.model.model", package / "scgpt" / "model" / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["scgpt.model.model"] = module
    spec.loader.exec_module(module)
    return module.TransformerModel


def main():
    torch.manual_seed(2)
    vocab = {f"g{i}": i for i in range(PAD)} | {"<pad>": PAD, "<cls>": PAD + 1, "<eoc>": PAD + 2}
    model = transformer_model(Path(sys.argv[1]))(
        N_TOKENS, ARGS["embsize"], ARGS["nheads"], ARGS["d_hid"], ARGS["nlayers"], nlayers_cls=3, n_cls=1,
        vocab=vocab, dropout=ARGS["dropout"], pad_token="<pad>", pad_value=ARGS["pad_value"], do_mvc=True, do_dab=False,
        use_batch_labels=False, domain_spec_batchnorm=False, input_emb_style="continuous",
        cell_emb_style="cls", explicit_zero_prob=False, use_fast_transformer=False, pre_norm=False,
    ).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    state = {k: v.clone().contiguous() for k, v in model.state_dict().items()}
    save_file(state, HERE / "model.safetensors")
    (HERE / "args.json").write_text(json.dumps(ARGS) + "\n")

    lengths = [10, 6]
    ids = torch.full((len(lengths), max(lengths)), PAD)
    values = torch.full((len(lengths), max(lengths)), float(ARGS["pad_value"]))
    for row, n in enumerate(lengths):
        ids[row, 0] = PAD + 1
        values[row, 0] = ARGS["pad_value"]
        ids[row, 1:n] = torch.randperm(PAD)[: n - 1]
        values[row, 1:n] = torch.randint(1, 51, (n - 1,)).float()
    padding = ids.eq(PAD)

    hidden = []
    hooks = [
        layer.register_forward_hook(lambda _m, _i, out: hidden.append(out.detach()))
        for layer in model.transformer_encoder.layers
    ]
    # Training mode of the stack alone: PyTorch's fast path in evaluation mode skips the hooks and drops padding.
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0
    out = model(ids, values, src_key_padding_mask=padding, MVC=True)
    for hook in hooks:
        hook.remove()
    # Sums of squares over the tokens that are no padding, of both heads: their gradients reach every part but the
    # classifier.
    seen = (~padding).float()
    loss = (out["mlm_output"].square() * seen).sum() + 0.1 * (out["mvc_output"].square() * seen).sum()
    loss.backward()
    gradients = {
        name: {"norm": p.grad.norm().item(), "first": p.grad.flatten()[:8].tolist()}
        for name, p in model.named_parameters() if p.grad is not None
    }
    rows = lambda it: [it[r, :n].flatten().tolist() for r, n in enumerate(lengths)]
    golden = {
        "input_ids": [ids[r, :n].tolist() for r, n in enumerate(lengths)],
        "values": [values[r, :n].tolist() for r, n in enumerate(lengths)],
        "hidden": [rows(h) for h in hidden[: ARGS["nlayers"]]],
        "expression": rows(out["mlm_output"]),
        "from_cell": rows(out["mvc_output"]),
        "cell": out["cell_emb"].tolist(),
        "loss": loss.item(),
        "gradients": gradients,
    }
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()

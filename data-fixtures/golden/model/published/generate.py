# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.9.1", "transformers==4.57.3", "safetensors==0.7.0", "numpy==2.3.5"]
# ///
"""Writes checkpoint directories as their libraries write them, and what PyTorch computes with them.

geneformer_bin        pytorch_model.bin of torch.save, single precision, decoder tied (one storage under two names)
geneformer_half       pytorch_model.bin in two shards with an index, half precision
geneformer_brain      model.safetensors in two shards with an index, bfloat16
scgpt                 best_model.pt, single precision, args.json, vocab.json without special tokens
scgpt_flash           best_model.pt, half precision, names of fused attention (Wqkv) and of a parallel wrapper (module.)
legacy.bin            the format of PyTorch before 1.6
golden.json           tokens, hidden states, scores of each directory, computed in single precision from the saved weights

Run: uv run --script generate.py PATH_OF_UNPACKED_PACKAGE   (see ../scgpt/generate.py)
"""

import json
import random
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scgpt"))
from generate import transformer_model  # noqa: E402

VOCAB, MAX_LEN = 40, 16
N_GENES = 37


def spread(model):
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.add_(torch.randn_like(p) * 0.15)


def sharded(state, folder, stem, ending, save):
    """Two shards with an index, as `save_pretrained` names them."""
    names, half = list(state), len(state) // 2
    shards = {f"{stem}-00001-of-00002.{ending}": names[:half], f"{stem}-00002-of-00002.{ending}": names[half:]}
    weight_map = {}
    for file, part in shards.items():
        save({n: state[n].clone() for n in part}, folder / file)
        weight_map |= {n: file for n in part}
    index = {"metadata": {"total_size": sum(t.nbytes for t in state.values())}, "weight_map": weight_map}
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index, indent=1) + "\n")


def geneformer(golden):
    config = BertConfig(
        vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        hidden_act="relu", max_position_embeddings=MAX_LEN, type_vocab_size=2, layer_norm_eps=1e-12,
        hidden_dropout_prob=0.02, attention_probs_dropout_prob=0.02, initializer_range=0.02, pad_token_id=0,
    )
    specials = ["<pad>", "<mask>", "<cls>", "<eos>"]
    vocab = {it: i for i, it in enumerate(specials)} | {f"ENSG{i:011d}": i for i in range(4, VOCAB)}
    medians = {f"ENSG{i:011d}": 0.5 + (i % 7) / 4 for i in range(4, VOCAB)}
    for name in ["geneformer_bin", "geneformer_half", "geneformer_brain"]:
        torch.manual_seed(len(name))
        model = BertForMaskedLM(config).eval()
        spread(model)
        model.tie_weights()
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        config.save_pretrained(folder)
        (folder / "vocab.json").write_text(json.dumps(vocab) + "\n")
        (folder / "medians.json").write_text(json.dumps(medians) + "\n")
        if name == "geneformer_bin":
            model.save_pretrained(folder, safe_serialization=False)
        else:
            model = model.half() if name == "geneformer_half" else model.bfloat16()
            state = model.state_dict()
            if name == "geneformer_half":
                sharded(state, folder, "pytorch_model", "bin", torch.save)
            else:
                # As `save_pretrained`: of tied tensors the first name stays.
                state = {n: t for n, t in state.items() if not n.startswith("cls.predictions.decoder")}
                save = lambda part, path: save_file(part, path, metadata={"format": "pt"})
                sharded(state, folder, "model", "safetensors", save)
            model = model.float()
        lengths = [12, 5]
        ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, n in enumerate(lengths):
            ids[row, :n] = torch.cat([torch.tensor([2]), 4 + torch.randperm(VOCAB - 4)[: n - 2], torch.tensor([3])])
            mask[row, :n] = 1
        with torch.no_grad():
            out = model(ids, attention_mask=mask, output_hidden_states=True)
        rows = lambda it: [[round(v, 6) for v in it[r, :n].flatten().tolist()] for r, n in enumerate(lengths)]
        golden[name] = {
            "input_ids": [ids[r, :n].tolist() for r, n in enumerate(lengths)],
            "hidden": [rows(h) for h in out.hidden_states],
            "scores": rows(out.logits),
        }
    torch.save({"w": torch.ones(2)}, HERE / "legacy.bin", _use_new_zipfile_serialization=False)


def scgpt(golden, package):
    args = {
        "embsize": 16, "nheads": 2, "d_hid": 24, "nlayers": 2, "n_layers_cls": 3, "dropout": 0.2, "n_bins": 51,
        "max_seq_len": 1200, "pad_token": "<pad>", "pad_value": -2, "mask_value": -1, "input_style": "binned",
        "input_emb_style": "continuous",
    }
    genes = [f"GENE{i}" for i in range(N_GENES)]
    random.Random(3).shuffle(genes)
    vocab = {it: i for i, it in enumerate(genes)}
    special = vocab | {"<pad>": N_GENES, "<cls>": N_GENES + 1, "<eoc>": N_GENES + 2}
    for name in ["scgpt", "scgpt_flash"]:
        torch.manual_seed(len(name))
        model = transformer_model(package)(
            len(special), args["embsize"], args["nheads"], args["d_hid"], args["nlayers"], nlayers_cls=3, n_cls=1,
            vocab=special, dropout=0.2, pad_token="<pad>", pad_value=-2, do_mvc=True, do_dab=False,
            use_batch_labels=False, domain_spec_batchnorm=False, input_emb_style="continuous", cell_emb_style="cls",
            explicit_zero_prob=False, use_fast_transformer=False, pre_norm=False,
        ).eval()
        spread(model)
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        (folder / "args.json").write_text(json.dumps(args) + "\n")
        (folder / "vocab.json").write_text(json.dumps(vocab if name == "scgpt" else special) + "\n")
        if name == "scgpt":
            torch.save(model.state_dict(), folder / "best_model.pt")
        else:
            model = model.half()
            state = OrderedDict(
                ("module." + n.replace("in_proj_", "Wqkv."), t) for n, t in model.state_dict().items()
            )
            # A column-major tensor is stored as it lies.
            state["module.value_encoder.linear2.weight"] = state["module.value_encoder.linear2.weight"].t().contiguous().t()
            torch.save(state, folder / "best_model.pt")
            model = model.float()
        lengths, pad = [9, 4], N_GENES
        ids = torch.full((len(lengths), max(lengths)), pad)
        values = torch.full((len(lengths), max(lengths)), -2.0)
        for row, n in enumerate(lengths):
            ids[row, 0] = pad + 1
            ids[row, 1:n] = torch.randperm(N_GENES)[: n - 1]
            values[row, 1:n] = torch.randint(1, 51, (n - 1,)).float()
        # Training mode without dropout: the fast path of evaluation drops padded positions.
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(module, torch.nn.MultiheadAttention):
                module.dropout = 0.0
        hidden = []
        hooks = [
            layer.register_forward_hook(lambda _m, _i, out: hidden.append(out.detach()))
            for layer in model.transformer_encoder.layers
        ]
        with torch.no_grad():
            out = model(ids, values, src_key_padding_mask=ids.eq(pad), MVC=True)
        for hook in hooks:
            hook.remove()
        rows = lambda it: [[round(v, 6) for v in it[r, :n].flatten().tolist()] for r, n in enumerate(lengths)]
        golden[name] = {
            "input_ids": [ids[r, :n].tolist() for r, n in enumerate(lengths)],
            "values": [values[r, :n].tolist() for r, n in enumerate(lengths)],
            # Behind each block; the embedding output is no module of its own.
            "hidden": [rows(h) for h in hidden[: args["nlayers"]]],
            "scores": rows(out["mlm_output"]),
        }


def main():
    torch.use_deterministic_algorithms(True)
    golden = {}
    geneformer(golden)
    scgpt(golden, Path(sys.argv[1]))
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()

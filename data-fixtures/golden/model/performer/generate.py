# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.9.1", "safetensors==0.7.0", "numpy==2.3.5"]
# ///
"""Writes a tiny random scBERT and a tiny random scFoundation, and what PyTorch computes with them.

Neither package installs with a current PyTorch, so both networks are derived here from their formulas, with the names
of their checkpoints: Performer attention with positive orthogonal random features (arXiv:2009.14794, eq. 5 and lemma
1), auto-discretisation of values (doi:10.1038/s41592-024-02305-7). The encoder of scFoundation is PyTorch's own layer.
Computed in double precision; weights are single.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent


class FastAttention(nn.Module):
    def __init__(self, m, d):
        super().__init__()
        blocks = [torch.linalg.qr(torch.randn(d, d))[0].T for _ in range(-(-m // d))]
        p = torch.cat(blocks)[:m] * torch.randn(m, d).norm(dim=1, keepdim=True)
        self.register_buffer("projection_matrix", p)

    def features(self, x, keys):
        p, d = self.projection_matrix, x.shape[-1]
        dash = torch.einsum("hnd,md->hnm", x * d**-0.25, p)
        half = (x * x).sum(-1, keepdim=True) / 2 / d**0.5
        top = dash.amax((-1, -2), keepdim=True) if keys else dash.amax(-1, keepdim=True)
        return p.shape[0] ** -0.5 * (torch.exp(dash - half - top) + 1e-4)

    def forward(self, q, k, v):
        q, k = self.features(q, False), self.features(k, True)
        top = torch.einsum("hnm,hme->hne", q, torch.einsum("hnm,hne->hme", k, v))
        return top / torch.einsum("hnm,hm->hn", q, k.sum(1))[..., None]


class Attention(nn.Module):
    def __init__(self, d, heads, d_head, m):
        super().__init__()
        self.heads, wide = heads, heads * d_head
        self.to_q, self.to_k, self.to_v = (nn.Linear(d, wide, bias=False) for _ in range(3))
        self.to_out = nn.Linear(wide, d)
        self.fast_attention = FastAttention(m, d_head)

    def forward(self, x):
        split = lambda it: it.view(it.shape[0], self.heads, -1).transpose(0, 1)
        out = self.fast_attention(split(self.to_q(x)), split(self.to_k(x)), split(self.to_v(x)))
        return self.to_out(out.transpose(0, 1).reshape(x.shape[0], -1))


class FeedForward(nn.Module):
    def __init__(self, d, inner):
        super().__init__()
        self.w1, self.w2 = nn.Linear(d, inner), nn.Linear(inner, d)

    def forward(self, x):
        return self.w2(nn.functional.gelu(self.w1(x)))


class Chunk(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return self.fn(x)


class PreNorm(nn.Module):
    def __init__(self, d, fn):
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(d), fn

    def forward(self, x):
        return self.fn(self.norm(x))


class Layers(nn.Module):
    def __init__(self, n, d, heads, d_head, inner, m):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([PreNorm(d, Attention(d, heads, d_head, m)), PreNorm(d, Chunk(FeedForward(d, inner)))])
            for _ in range(n)
        )


class Performer(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        self.net = Layers(*sizes)

    def states(self, x):
        out = [x]
        for attention, inner in self.net.layers:
            x = x + attention(x)
            x = x + inner(x)
            out.append(x)
        return out


class ScBert(nn.Module):
    def __init__(self, bins, length, n, d, heads, d_head, inner, m):
        super().__init__()
        self.token_emb = nn.Embedding(bins, d)
        self.pos_emb = nn.Module()
        self.pos_emb.emb = nn.Embedding(length, d)
        self.performer = Performer(n, d, heads, d_head, inner, m)
        self.norm, self.to_out = nn.LayerNorm(d), nn.Linear(d, bins)

    def forward(self, ids):
        states = self.performer.states(self.token_emb(ids) + self.pos_emb.emb.weight)
        states.append(self.norm(states[-1]))
        return states, self.to_out(states[-1])


class AutoBin(nn.Module):
    def __init__(self, b, d, alpha):
        super().__init__()
        self.mlp, self.mlp2 = nn.Linear(1, b), nn.Linear(b, b)
        self.emb, self.emb_mask, self.emb_pad = nn.Embedding(b, d), nn.Embedding(1, d), nn.Embedding(1, d)
        self.alpha = alpha

    def forward(self, x):
        u = nn.functional.leaky_relu(self.mlp(x[..., None]), 0.1)
        return torch.softmax(self.alpha * u + self.mlp2(u), -1) @ self.emb.weight


class Stack(nn.Module):
    def __init__(self, **parts):
        super().__init__()
        for name, it in parts.items():
            setattr(self, name, it)


class ScFoundation(nn.Module):
    def __init__(self, genes, b, alpha, d, n, heads, d_dec, n_dec, heads_dec, d_head, m):
        super().__init__()
        self.genes = genes
        self.token_emb, self.pos_emb = AutoBin(b, d, alpha), nn.Embedding(genes + 3, d)
        layer = lambda: nn.TransformerEncoderLayer(d, heads, 4 * d, dropout=0.0, batch_first=True)
        self.encoder = Stack(transformer_encoder=nn.ModuleList(layer() for _ in range(n)), norm=nn.LayerNorm(d))
        self.decoder_embed = nn.Linear(d, d_dec)
        self.decoder = Stack(performer=Performer(n_dec, d_dec, heads_dec, d_head, 4 * d_dec, m), norm=nn.LayerNorm(d_dec))
        self.norm, self.to_final = nn.LayerNorm(d_dec), nn.Linear(d_dec, 1)

    def forward(self, places, values):
        x = self.token_emb(values) + self.pos_emb(places)
        states = [x]
        for layer in self.encoder.transformer_encoder:
            x = layer(x[None])[0]
            states.append(x)
        states.append(self.encoder.norm(x))
        whole = self.token_emb(torch.zeros(self.genes + 2, dtype=values.dtype)).clone()
        whole[places] = states[-1]
        whole = self.decoder_embed(whole + self.pos_emb.weight[: self.genes + 2])
        out = self.norm(self.decoder.norm(self.decoder.performer.states(whole)[-1]))[: self.genes]
        return states, out, self.to_final(out)[:, 0]


def spread(model):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    return model.train(False)


def main():
    torch.manual_seed(5)
    torch.backends.mha.set_fastpath_enabled(False)
    flat = lambda it: [round(v, 7) for v in it.flatten().tolist()]
    sizes = {"n_bins": 7, "len": 13, "d": 12, "n_layers": 2, "n_heads": 3, "d_head": 8, "d_inner": 20, "n_features": 16}
    model = spread(ScBert(7, 13, 2, 12, 3, 8, 20, 16))
    save_file(model.state_dict(), HERE / "scbert.safetensors")
    ids = torch.randint(0, 6, (13,))
    ids[-1] = 0
    with torch.no_grad():
        states, scores = model.double()(ids)
    scbert = {"config": sizes, "bins": ids.tolist(), "hidden": [flat(it) for it in states], "scores": flat(scores)}
    scbert["cell"] = flat(states[-1][:-1].mean(0))

    sizes = {
        "n_genes": 20, "n_bins": 5, "alpha": 1.0, "d": 16, "n_layers": 2, "n_heads": 2, "d_decoder": 12,
        "n_decoder_layers": 2, "n_decoder_heads": 2, "d_head": 6, "n_features": 10,
    }
    model = spread(ScFoundation(*sizes.values()))
    save_file(model.state_dict(), HERE / "scfoundation.safetensors")
    places = torch.tensor([1, 4, 5, 9, 16, 19, 20, 21])
    values = torch.tensor([0.7, 2.1, 1.3, 3.9, 0.2, 1.1, 4.0, 3.5], dtype=torch.float64)
    with torch.no_grad():
        states, genes, expression = model.double()(places, values)
    h = states[-1]
    scfoundation = {
        "config": sizes, "places": places.tolist(), "values": values.tolist(), "hidden": [flat(it) for it in states],
        "genes": flat(genes), "expression": flat(expression),
        "cell": flat(torch.cat([h[-1], h[-2], h[:-2].amax(0), h[:-2].mean(0)])),
    }
    (HERE / "golden.json").write_text(json.dumps({"scbert": scbert, "scfoundation": scfoundation}) + "\n")


if __name__ == "__main__":
    main()

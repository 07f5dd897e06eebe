# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6"]
# ///
"""Splits drawn by NumPy itself, on made-up condition names, to hold ours against. Run in this folder."""

import json
from pathlib import Path

import numpy as np


def doubles_pool():
    """124 doubles of 100 singles; the order of the two names inside a double is not sorted, as in real files."""
    rng = np.random.default_rng(20)
    genes = [f"G{i:03d}" if i % 3 else f"g{i}" for i in range(100)]
    doubles = set()
    seen = set()
    while len(doubles) < 124:
        a, b = rng.choice(100, 2, replace=False)
        if (min(a, b), max(a, b)) not in seen:
            seen.add((min(a, b), max(a, b)))
            doubles.add(f"{genes[a]}+{genes[b]}")
    return [f"{it}+ctrl" for it in genes], sorted(doubles)


def simulation_pool():
    """60 genes, 45 of them as singles, 70 doubles."""
    rng = np.random.default_rng(21)
    genes = [f"T{i}" for i in range(60)]
    singles = [f"{it}+ctrl" if i % 2 else f"ctrl+{it}" for i, it in enumerate(genes[:45])]
    doubles = {}
    while len(doubles) < 70:
        a, b = rng.choice(60, 2, replace=False)
        doubles.setdefault((min(a, b), max(a, b)), f"{genes[a]}+{genes[b]}")
    return singles, list(doubles.values())


def norman_doubles(doubles, seed):
    names = np.unique(doubles)
    np.random.seed(seed)
    train = np.random.choice(names, int(len(names) * 0.5), replace=False)
    left = np.setdiff1d(names, train)
    test = np.random.choice(left, int(len(left) * 0.5), replace=False)
    val = np.setdiff1d(left, test)
    return {"train": sorted(map(str, train)), "test": sorted(map(str, test)), "val": sorted(map(str, val))}


def targets(name):
    return [it for it in name.split("+") if it != "ctrl"]


def one_stage(names, gene_share, combo_share, seed):
    universe = np.unique([gene for name in names for gene in targets(name)])
    np.random.seed(seed)
    known = set(np.random.choice(universe, int(len(universe) * gene_share), replace=False).tolist())
    groups = {"single": [], "unseen_single": [], "seen0": [], "seen1": [], "both": []}
    for name in names:
        n_known = sum(gene in known for gene in targets(name))
        if len(targets(name)) == 1:
            groups["single" if n_known else "unseen_single"].append(name)
        else:
            groups[("seen0", "seen1", "both")[n_known]].append(name)
    both = np.unique(groups["both"]) if groups["both"] else np.array([], dtype=str)
    np.random.seed(seed)
    kept = np.random.choice(both, int(len(both) * combo_share), replace=False)
    left = np.setdiff1d(both, kept)
    train = groups["single"] + [str(it) for it in kept]
    held_out = {
        "seen0": sorted(groups["seen0"]),
        "seen1": sorted(groups["seen1"]),
        "seen2": sorted(map(str, left)),
        "unseen_single": sorted(groups["unseen_single"]),
    }
    return train, held_out


def gears_simulation(names, seed):
    rest, test = one_stage(names, 0.75, 0.75, seed)
    train, val = one_stage(rest, 0.9, 0.9, seed)
    return {
        "train": sorted(train),
        "val": sorted(it for group in val.values() for it in group),
        "subgroups": {name: group for name, group in test.items() if group},
    }


def mode_stage(names, mode):
    """One stage of the modes that draw with replacement, names in sorted order, on the running stream."""
    singles = [it for it in names if len(targets(it)) == 1]
    combos = [it for it in names if len(targets(it)) > 1]
    universe = np.unique([gene for name in names for gene in targets(name)])
    known = set(np.random.choice(universe, int(len(singles) * 0.1)).tolist())
    others = {it: [gene for gene in targets(it) if gene not in known] for it in names}
    hit = {it for it in names if len(others[it]) < len(targets(it))}
    out = {it for it in singles if it in hit}
    dropped = set()
    if mode in ("combo_seen2", "no_test"):
        out = set(np.random.choice(combos, int(len(combos) * 0.1)).tolist())
    elif mode == "single":
        dropped = {it for it in combos if it in hit}
    elif mode == "single_only":
        dropped = set(combos)
    else:
        most = {"combo_seen0": 0, "combo_seen1": 1}[mode]
        out |= {it for it in combos if it in hit and len(others[it]) <= most}
        dropped = {it for it in combos if it in hit and len(others[it]) > most}
    return sorted(out), [it for it in names if it not in out and it not in dropped]


def gears_modes(names, mode, seed):
    np.random.seed(seed)
    test, left = mode_stage(sorted(names), mode)
    if mode == "no_test":
        return {"train": sorted(left), "val": test, "test": []}
    val, left = mode_stage(left, mode)
    return {"train": sorted(left), "val": val, "test": test}


def gene_kfold(genes, seed, k):
    order = np.array(sorted(genes))
    np.random.seed(seed)
    return [sorted(map(str, it)) for it in np.array_split(order[np.random.permutation(len(order))], k)]


def write(name, value):
    Path(name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    singles, doubles = doubles_pool()
    write(
        "norman_doubles.json",
        {"singles": singles, "doubles": doubles, "seeds": {s: norman_doubles(doubles, s) for s in range(1, 6)}},
    )
    singles, doubles = simulation_pool()
    names = singles + doubles
    write(
        "gears_simulation.json",
        {"names": names, "seeds": {s: gears_simulation(names, s) for s in range(1, 6)}},
    )
    modes = ("single", "single_only", "combo_seen0", "combo_seen1", "combo_seen2", "no_test")
    write(
        "gears_modes.json",
        {"names": names, "seeds": {s: {m: gears_modes(names, m, s) for m in modes} for s in range(1, 4)}},
    )
    genes = [f"gene{i}" for i in range(37)]
    write("gene_kfold.json", {"genes": genes, "seeds": {s: gene_kfold(genes, s, 5) for s in (0, 42)}})

"""A network that snnTorch trained on the digits, imported: two layers of Leaky cells, spike counts as scores.

python models/digits_snntorch.py
"""

from __future__ import annotations

import snntorch as snn
import torch
from recipe import main, with_figures
from snntorch import utils
from torch import nn

import ei_brian as ei
from ei_brian.config.data_settings import DataSettings
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus

NAME = "digits_snntorch"
DATA = DataSettings(n_steps=50)
EPOCHS, BATCH = 15, 64


def trained(train_set: Stimulus) -> nn.Module:
    """Train as a tutorial of snnTorch does."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 100), snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(100, 10), snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )  # fmt: skip
    events, labels = torch.tensor(train_set.dense()), torch.tensor(train_set.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            utils.reset(model)
            count = sum(model(events[chosen, step])[0] for step in range(DATA.n_steps))
            optimizer.zero_grad()
            nn.functional.cross_entropy(count, labels[chosen]).backward()
            optimizer.step()
        schedule.step()
    return model


def make() -> NetworkSpec:
    """Train, import, and go on only if every spike is snnTorch's own."""
    train_set, test_set = DATA.load()
    model = trained(train_set)
    spec = ei.from_snntorch(model, torch.zeros(1, 64), dt_ms=DATA.dt_ms, name=NAME)
    report = ei.check_import(spec, model, test_set)
    print(report)
    if not report.exact:
        raise SystemExit("the imported network differs from its module; no file is written")
    return with_figures(spec, NAME, "made by models/digits_snntorch.py", DATA)


if __name__ == "__main__":
    main(NAME, make)

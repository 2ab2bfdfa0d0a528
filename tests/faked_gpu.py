"""A CUDA GPU or, where none is at hand, the CPU in its place with all paths of CUDA taken."""

import torch

from sk_autoencoder._utils import cuda

IS_THERE = torch.cuda.is_available()


class Faked:
    """What has been asked of a GPU that is none."""

    def __init__(self, monkeypatch):
        self.n_pinned = self.n_emptied = self.n_seeded = 0
        for name in ("pinned", "emptied", "seeded"):
            setattr(self, f"count_{name}", self._counter(f"n_{name}"))
        monkeypatch.setattr(cuda, "is_cuda", lambda device: True)
        monkeypatch.setattr(torch.Tensor, "pin_memory", lambda x: self.count_pinned() or x)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**33, 2**34))
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "empty_cache", self.count_emptied)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
        monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: self.count_seeded())
        monkeypatch.setattr(torch.cuda, "device", lambda device: torch.inference_mode(False))
        monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.zeros(2))
        monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: None)
        fork = torch.random.fork_rng
        monkeypatch.setattr(torch.random, "fork_rng", lambda devices: fork(devices=[]))

    def _counter(self, name):
        def count():
            setattr(self, name, getattr(self, name) + 1)

        return count

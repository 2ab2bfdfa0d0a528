"""The network in torch alone: layers, frames, losses, bottlenecks, penalties."""

"""bitwright: compressed neural networks from PyTorch to verified hardware, bit for bit."""

__version__ = "0.1.0"
